"""How many samples penalties can differentiate at once within a limit of memory."""

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from .._checks import memory_bytes
from ._batches import TrainingData
from ._objective import Objective

if TYPE_CHECKING:
    from ._trainer import Trainer

# Samples of the smaller of the two passes that are measured: one alone may run by other kernels.
_FEW = 2


class PeakBytes(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make while it is active, on any device.

    Attributes
    ----------
    peak : int
        Largest number of bytes that lived at the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._live = 0
        self._known: WeakIdKeyDictionary = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation; what it returns is new unless it lies in one of its arguments."""
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            self._known.setdefault(tensor.untyped_storage(), None)
        results = func(*args, **kwargs)
        for tensor in _tensors(results):
            storage = tensor.untyped_storage()
            if storage not in self._known:
                self._known[storage] = _Counted(self, storage.nbytes())
        return results


class _Counted:
    """The bytes of a storage, which are counted as long as this lives."""

    def __init__(self, counter: PeakBytes, n_bytes: int) -> None:
        self.counter, self.n_bytes = counter, n_bytes
        counter._live += n_bytes
        counter.peak = max(counter.peak, counter._live)

    def __del__(self) -> None:
        self.counter._live -= self.n_bytes


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def chunk_size_for(given: Any, trainer: "Trainer", data: TrainingData) -> int | None:
    """Return how many penalised samples are differentiated at once.

    Within a limit of memory, the penalties are differentiated for a few samples, and for twice as
    many: they take a constant, such as the gradients of weights, and so many bytes per sample.

    Parameters
    ----------
    given : int, str or None
        Their number, a limit such as ``"512MB"``, or None: all.
    trainer : Trainer
        Whose network and method are used; neither weights nor draws are changed.
    data : TrainingData

    Returns
    -------
    int or None
        None: all, also where no penalty is differentiated beside the label loss.

    Raises
    ------
    ValueError
        If not even one sample fits.
    """
    if not isinstance(given, str):
        return given
    # Those whose weight is found later are measured at any.
    alphas = {**trainer.alphas_, **dict.fromkeys(trainer.unsettled_, 1.0)}
    terms = trainer.method.weighted(alphas)
    objective = Objective(
        getattr(trainer.module_, "_orig_mod", trainer.module_),  # a compiled one is not measured
        terms,
        reduction=trainer.reduction,
        mixed_precision=trainer.mixed_precision,
    )
    if not objective.terms or not len(data.penalised):
        return None
    _peak_bytes(trainer, objective, data, _FEW)  # makes what is made once, and kept
    few, more = (_peak_bytes(trainer, objective, data, size) for size in (_FEW, 2 * _FEW))
    of_each = max(1.0, (more - few) / _FEW)
    constant = few - _FEW * of_each
    size = int((memory_bytes(given) - constant) // of_each)
    if size < 1:
        raise ValueError(
            f"penalty_chunk_size must leave room for one sample, whose penalties take "
            f"{(constant + of_each) / 1e6:.3g} MB; got {given!r}."
        )
    return size


def _peak_bytes(trainer: "Trainer", objective: Objective, data: TrainingData, size: int) -> int:
    """Measure what the penalties of so many samples take; gradients are left as they were."""
    index = data.penalised[torch.arange(size) % len(data.penalised)]
    rows = data.rows(index, with_masks=True)
    donors = data.rows(index, with_masks=True) if objective.takes_donors(data.masks) else None
    every = torch.arange(size, device=data.device)
    weights = list(trainer.module_.parameters())
    gradients = [weight.grad for weight in weights]
    for weight in weights:
        weight.grad = None
    try:
        with PeakBytes() as counter:  # a chunk is a copy of its samples
            objective.penalty_gradients(
                rows.take(every), donors and donors.take(every), trainer.generators(0)
            )
    finally:
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
    return counter.peak
