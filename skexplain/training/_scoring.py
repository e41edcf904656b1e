"""What a network says of samples, and how skorch's callbacks score and store it."""

import io
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import Tags, TargetTags
from skorch.history import History
from torch import nn

from .._surroundings import undisturbed_attention
from ._architectures import mode_matters, set_training
from ._batches import RowStore, TrainingData
from ._prepare import update_optimizer
from ._processes import Processes

# What holds tensors, and is pickled in one piece: optimizers hold parameters of the network.
_ON_DEVICE = ("module_", "optimizer_", "mapping_optimizer_", "reduction")


class Scored:
    """Outputs of a network, as an estimator and as skorch's callbacks ask for them.

    Targets and predictions of classes are codes, positions in the estimator's ``classes_``.

    Parameters
    ----------
    module : nn.Module
        The network, on its device.
    device : torch.device
    n_classes : int or None
        Number of classes; None: the output is the prediction itself.
    """

    #: Whether callbacks keep outputs of batches is theirs to say.
    use_caching = "auto"
    verbose = 0
    batch_size = -1
    max_epochs = 0
    #: The processes that train the network together; None: this one alone.
    processes: Processes | None = None
    history: History
    callbacks_: list[tuple[str, Any]]
    optimizer_: Any
    optimizer_parameters: dict[str, Any]

    def __init__(self, module: nn.Module, device: torch.device, n_classes: int | None) -> None:
        self.module_ = module
        self.criterion_ = nn.Identity()  # the label loss is that of the samples
        self.device = device
        if n_classes is not None:
            self.classes_ = np.arange(n_classes)

    def effective_batch_size(self, data: Any) -> int:
        """Return the batch size; -1 stands for all samples at once, as in skorch."""
        return len(data) if self.batch_size == -1 else self.batch_size

    @property
    def epoch_(self) -> int:
        """Number of the epoch in progress, from 1, counted over warm starts."""
        return len(self.history)

    def notify(self, event: str, **arguments: Any) -> None:
        """Call a method of all callbacks, such as ``on_epoch_end``."""
        if event == "on_batch_begin":
            self.history.new_batch()
        for _, callback in self.callbacks_:
            getattr(callback, event)(self, **arguments)

    def _mark_best(self) -> None:
        """Record whether the epoch is the best so far, for skorch's callbacks."""
        last = self.history[-1]
        for name in ("train_loss", "valid_loss"):
            if name in last:
                earlier = (row[name] for row in reversed(self.history) if row.get(f"{name}_best"))
                self.history.record(f"{name}_best", last[name] < next(earlier, math.inf))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: what is on an accelerator also loads where there is none."""
        state = vars(self).copy()
        state.pop("processes", None)  # a callback may pickle it meanwhile
        if self.device.type != "cpu":
            packed = io.BytesIO()
            torch.save({name: state.pop(name) for name in _ON_DEVICE}, packed)
            state["packed"] = packed.getvalue()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what was pickled."""
        vars(self).update(state)
        packed = vars(self).pop("packed", None)
        if packed is not None:
            if self.device.type == "cuda" and not torch.cuda.is_available():
                self.device = torch.device("cpu")
            file = io.BytesIO(packed)
            vars(self).update(torch.load(file, map_location=self.device, weights_only=False))

    # -- outputs ----------------------------------------------------------------------------------

    def forward_iter(self, X: Any, **unused: Any) -> Iterator[torch.Tensor]:
        """Yield outputs for an array, tensor or data set, batch by batch; the mode stays."""
        size = max(256, self.effective_batch_size(X))
        batches: Sequence[torch.Tensor | slice]
        if isinstance(X, TrainingData):
            store, batches = X.inputs, X.index.split(size)
        else:
            array = X.cpu().numpy() if isinstance(X, torch.Tensor) else X
            store = RowStore(array, self.device)
            batches = [slice(start, start + size) for start in range(0, len(array), size)]
        training, has_modes = self.module_.training, mode_matters(self.module_)
        try:
            for batch in batches:
                if has_modes and any(part.training for part in self.module_.modules()):
                    self.module_.eval()
                # A copy: a module may write on its inputs, and equal values at other addresses may
                # give other last digits.  No inference mode: it may keep what it made, and train on
                # with it.
                x = store.take(batch).to(torch.float32, copy=True)
                with undisturbed_attention(has_modes), torch.no_grad():
                    yield self.module_(x).cpu()
        finally:
            if training and has_modes:
                set_training(self.module_)

    def outputs(self, X: Any) -> torch.Tensor:
        """Return raw outputs for all samples, on the CPU, shape (n, outputs)."""
        return torch.cat(list(self.forward_iter(X)))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities of classes, float64 of shape (n, n_classes), or values (n, 1)."""
        outputs = self.outputs(X).double()
        return (outputs.softmax(1) if hasattr(self, "classes_") else outputs).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Predict codes of classes, or values, shape (n,)."""
        outputs = self.outputs(X)
        return (outputs.argmax(1) if hasattr(self, "classes_") else outputs[:, 0].double()).numpy()

    def score(self, X: Any, y: np.ndarray) -> float:
        """Return the accuracy on codes of classes, or the coefficient of determination."""
        score = accuracy_score if hasattr(self, "classes_") else r2_score
        return score(y, self.predict(X))

    def fit(self, X: Any, y: Any = None) -> None:
        """Raise an error: the estimator's own `fit` trains; scikit-learn's scorers look for one."""
        raise TypeError("a trainer is trained by its estimator: call the estimator's fit.")

    def __sklearn_tags__(self) -> Tags:
        """Return the tags that scikit-learn's scorers read."""
        kind = "classifier" if hasattr(self, "classes_") else "regressor"
        return Tags(estimator_type=kind, target_tags=TargetTags(required=True))

    # -- for skorch's callbacks -------------------------------------------------------------------

    def set_params(self, **params: Any) -> "Scored":
        """Change settings of the optimizer, rates and ``optimizer__*``; its state stays."""
        for name in params:
            if name not in ("lr", "backbone_lr") and not name.startswith("optimizer__"):
                raise ValueError(f"{name} must be lr or begin with optimizer__ in a trainer.")
        update_optimizer(self.optimizer_, params, self.optimizer_parameters)
        self.optimizer_parameters = {**self.optimizer_parameters, **params}
        return self

    @property
    def lr(self) -> float:
        """Learning rate, as skorch's callbacks read it."""
        return self.optimizer_parameters["lr"]

    def get_all_learnable_params(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Iterate over names and parameters of the network (for skorch's callbacks)."""
        return self.module_.named_parameters()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings that skorch's callbacks read."""
        batch_size = sys.maxsize if self.batch_size == -1 else self.batch_size
        return {"batch_size": batch_size, "max_epochs": self.max_epochs}

    def save_params(
        self, f_history: Any = None, use_safetensors: bool = False, **files: Any
    ) -> None:
        """Store ``f_params``, ``f_optimizer``, ``f_criterion`` or ``f_history`` in files."""
        if self.processes is not None and not self.processes.is_first:
            return
        for name, file in files.items():
            state = self._part(name).state_dict()
            if file is not None and use_safetensors:
                from safetensors.torch import save_file

                save_file(state, file)
            elif file is not None:
                torch.save(state, file)
        if f_history is not None:
            self.history.to_file(f_history)

    def load_params(
        self,
        f_history: Any = None,
        checkpoint: Any = None,
        use_safetensors: bool = False,
        **files: Any,
    ) -> None:
        """Load what `save_params` has stored in files, or a Checkpoint of skorch in its own."""
        if checkpoint is not None:
            f_history = checkpoint.f_history_ if f_history is None else f_history
        if f_history is not None:
            self.history = History.from_file(f_history)
        if checkpoint is not None:  # whose files may be named by an epoch of the history
            stored = checkpoint.get_formatted_files(self)
            others = ("f_history", "f_pickle")
            files = {**{name: stored[name] for name in stored if name not in others}, **files}
        for name, file in files.items():
            if file is not None and use_safetensors:
                from safetensors.torch import load_file

                self._part(name).load_state_dict(load_file(file))
            elif file is not None:
                state = torch.load(file, map_location=self.device, weights_only=True)
                self._part(name).load_state_dict(state)

    def _part(self, name: str) -> Any:
        """Return the part of which ``f_<name>`` is the file."""
        part = "module" if name == "f_params" else name.removeprefix("f_")
        if not hasattr(self, f"{part}_"):
            raise AttributeError(f"{name} must name a part of a trainer, {part}_, which has none.")
        return getattr(self, f"{part}_")
