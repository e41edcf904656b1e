"""Around the epochs: weights kept from divergence, callbacks served, progress shown."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import compress
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochTimer,
    InputShapeSetter,
    LRScheduler,
    PrintLog,
)
from torch import nn

from ..exceptions import DivergenceError
from ..penalties import Rows
from ._schedules import CosineSchedule


class WeightKeeper:
    """Keeps the weights of the last epoch in which everything was finite."""

    def __init__(self, net: Any) -> None:
        self.net = net
        current = self._tensors()
        self.kept = [tensor.clone() for tensor in current]
        # A buffer may be infinite by design, such as a mask of attention.
        self.watched = list(map(math.isfinite, _sums(current)))

    def _tensors(self) -> list[torch.Tensor]:
        return [
            tensor.detach()
            for tensor in self.net.module_.state_dict(keep_vars=True).values()
            if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
        ] + self.net.reduction.tensors()

    def check_and_keep(self) -> None:
        """Keep the present weights, or raise with the last good ones restored."""
        loss = self.net.history[-1]["train_loss"]
        current = self._tensors()
        if math.isfinite(loss) and all(map(math.isfinite, compress(_sums(current), self.watched))):
            torch._foreach_copy_(self.kept, current)
            return
        with torch.no_grad():
            torch._foreach_copy_(current, self.kept)
        self.net.build_optimizers()  # their running means are spoilt, too
        raise DivergenceError(
            f"{'A weight' if math.isfinite(loss) else 'The loss'} is not finite in epoch "
            f"{self.net.epoch_} (train_loss = {loss}). The "
            f"weights of the last good epoch are kept. Lower lr or alpha, or check the scale "
            f"of X and of the module's outputs. See docs/estimators.md#what-happens-when."
        )


def _sums(tensors: list[torch.Tensor]) -> list[float]:
    return torch.stack([tensor.sum() for tensor in tensors]).tolist()


class BatchWatchers:
    """Serves schedules, and the callbacks that use single batches, where there are any."""

    def __init__(self, net: Any) -> None:
        self.net = net
        callbacks = [callback for _, callback in net.callbacks_]
        self.schedules = [each for each in callbacks if isinstance(each, CosineSchedule)]
        self.at_begin = _overrides(callbacks, "on_batch_begin")
        self.at_end = _overrides(callbacks, "on_batch_end")
        self.at_gradients = _overrides(callbacks, "on_grad_computed")
        self.active = self.at_begin or self.at_end

    def begin(self, batch: Rows, training: bool = True) -> None:
        """Announce a batch."""
        if training:
            for schedule in self.schedules:
                schedule.begin_step(self.net)
        if self.active:
            self.net.notify("on_batch_begin", batch=(batch.x, batch.y), training=training)

    def gradients(self, batch: Rows) -> None:
        """Announce its gradients, before the optimizer uses them."""
        if self.at_gradients:
            self.net.notify(
                "on_grad_computed",
                named_parameters=list(self.net.module_.named_parameters()),
                batch=(batch.x, batch.y),
                training=True,
            )

    def end(
        self, batch: Rows, loss: torch.Tensor, logits: torch.Tensor | None, training: bool = True
    ) -> None:
        """Announce its loss (of held-out samples: the label loss) and outputs."""
        if not self.active:
            return
        loss = loss.detach()
        part, name = ("train", "train_loss") if training else ("valid", "valid_label_loss")
        self.net.history.record_batch(name, loss.item())
        self.net.history.record_batch(f"{part}_batch_size", len(batch.y))
        self.net.notify(
            "on_batch_end",
            batch=(batch.x, batch.y),
            training=training,
            loss=loss,
            y_pred=logits,
        )

    def stand_in(self, n_rows: int) -> None:
        """Where batches were not recorded, leave one that stands for all: Checkpoint reads it."""
        if not self.active:
            self.net.history.new_batch()
            self.net.history.record_batch("train_batch_size", n_rows)


def _overrides(callbacks: list[Any], hook: str) -> bool:
    return any(
        getattr(type(callback), hook, None) is not getattr(Callback, hook) for callback in callbacks
    )


class _StopEarly(EarlyStopping):
    def __init__(self, monitor: str, patience: int, first_epoch: int, **kwargs: Any) -> None:
        self.first_epoch = first_epoch
        super().__init__(monitor, patience=patience, **kwargs)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) >= self.first_epoch:
            super().on_epoch_end(net, **kwargs)


def stop_early(monitor: str, patience: int, first_epoch: int = 1) -> EarlyStopping:
    """Callback that stops when an entry of the history no longer falls, and restores the best.

    Epochs before `first_epoch` do not count: an objective that still rises by design says nothing.
    """
    return _StopEarly(monitor, patience, first_epoch, load_best=True)


def start_callbacks(
    callbacks: list[Any], parameters: dict[str, Any], log: int
) -> list[tuple[str, Any]]:
    """Name, set and initialise callbacks, as skorch does.

    Parameters
    ----------
    callbacks : list of (callback or (str, callback))
        Instances or classes.
    parameters : dict of str to object
        ``callbacks__*`` of the user.
    log : bool
        Whether to print a table with a row per epoch.

    Returns
    -------
    list of (str, skorch.callbacks.Callback)

    Raises
    ------
    TypeError
        If something is neither a callback nor a (name, callback) pair, or a callback that sets
        the shape of a module, which is built already.
    ValueError
        If a parameter names none of the callbacks.
    """
    for item in callbacks:
        callback = item[-1] if isinstance(item, tuple) and item else item
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback) or issubclass(kind, InputShapeSetter):
            raise TypeError(
                f"callbacks must hold skorch callbacks or (name, callback) pairs, but no "
                f"InputShapeSetter (lazy layers of torch need none); got {item!r}."
            )
    net = _Callbacks(callbacks, verbose=int(log), **parameters)
    names = [name for name, _ in net._uniquely_named_callbacks()]
    for key, value in parameters.items():
        if value is not None and key.split("__")[1] not in names:
            raise ValueError(f"{key} names none of the callbacks, which are {names}.")
    return net.initialize_callbacks().callbacks_


class _Callbacks(NeuralNet):
    """Net of skorch that does no more than to name, set and initialise callbacks."""

    def __init__(self, callbacks: list[Any], **parameters: Any) -> None:
        super().__init__(nn.Identity, nn.Identity, callbacks=callbacks, **parameters)

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        # A silent log would still format its table every epoch.  The weights of groups are a list,
        # which would not fit into a column.
        log = [("print_log", PrintLog(keys_ignored="group_weights"))] if self.verbose else []
        return [("epoch_timer", EpochTimer()), *log]


@contextmanager
def without_pickles(callbacks: list[tuple[str, Any]]) -> Iterator[None]:
    """Prevent checkpoints of skorch from pickling the trainer into a file."""
    # One at the end of the training has another inside.
    each = [getattr(callback, "checkpoint_", callback) for _, callback in callbacks]
    files = [(one, one.f_pickle) for one in each if isinstance(one, Checkpoint)]
    try:
        for checkpoint, _ in files:
            checkpoint.f_pickle = None
        yield
    finally:
        for checkpoint, file in files:
            checkpoint.f_pickle = file


def has_stopped(callback: Any) -> bool:
    """Whether it is a stopping callback that has just asked to stop."""
    return isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience


def states_of_schedules(callbacks: list) -> dict[str, dict]:
    """Return the state of each learning rate schedule, by the name of its callback."""
    return {
        name: {
            "schedule": callback.lr_scheduler_.state_dict(),
            "batch": callback.batch_idx_,
            "settings": _settings_of(callback),
        }
        for name, callback in callbacks
        if isinstance(callback, LRScheduler) and hasattr(callback, "lr_scheduler_")
    }


def resume_schedules(
    callbacks: list, states: dict[str, dict], optimizer: torch.optim.Optimizer, groups: list
) -> None:
    """Let learning rate schedules go on where the last training ended.

    skorch lets a schedule begin at the number of epochs so far, on top of the rates that it had
    reached.  One that is new, or has changed, begins at its first step instead.

    Parameters
    ----------
    callbacks : list of (str, callback)
        Whose training has just begun.
    states : dict of str to dict
        As `states_of_schedules` returned them after the last training.
    optimizer : torch.optim.Optimizer
    groups : list of dict
        Its groups before the training began.
    """
    for name, callback in callbacks:
        if not isinstance(callback, LRScheduler):
            continue
        for group, before in zip(optimizer.param_groups, groups, strict=True):
            group.update({key: value for key, value in before.items() if key != "params"})
        settings = _settings_of(callback)
        if name in states and states[name].get("settings", settings) == settings:
            callback.lr_scheduler_.load_state_dict(states[name]["schedule"])
            callback.batch_idx_ = states[name]["batch"]
        else:
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            callback.lr_scheduler_ = callback.policy_(optimizer, **callback.kwargs)
            callback.batch_idx_ = 0


def _settings_of(callback: LRScheduler) -> str:
    """Return policy and settings as text that is the same in other processes and in files."""
    settings = {"policy": callback.policy, **callback.kwargs}
    named = {name: getattr(value, "__name__", value) for name, value in settings.items()}
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(sorted(named.items())))


class TrainingProgress(Callback):
    """Progress bar over the epochs of a fit, with the present losses."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=net.max_epochs, unit="epoch", desc="fit", leave=False)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance by an epoch."""
        losses = {key: f"{net.history[-1, key]:.3g}" for key in _loss_keys(net.history)}
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the bar behind: it holds a lock."""
        state = vars(self).copy()
        state.pop("bar_", None)
        return state


def _loss_keys(history: Any) -> list[str]:
    last = history[-1]
    return [key for key in ("train_loss", "train_label_loss", "valid_loss") if key in last]


class EpochReporter(Callback):
    """Hands on after each epoch how many there have been.

    Parameters
    ----------
    report : callable
        ``report(n_epochs)``.
    """

    def __init__(self, report: Callable[[int], None]) -> None:
        self.report = report

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        """Report."""
        self.report(len(net.history))
