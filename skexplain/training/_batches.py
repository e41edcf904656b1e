"""The training data on the way to the network: samples as tensors, batches, streams of samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
from skorch.dataset import Dataset

from ..masks import Masks
from ..masks._meaning import of_features
from ..penalties import Rows
from ..penalties._base import changed, pick

# dtypes whose samples torch can pick; others are picked by numpy.
_TORCH_DTYPES = {
    *map(np.dtype, ("bool", "uint8", "int8", "int16", "int32", "int64")),
    *map(np.dtype, ("float16", "float32", "float64")),
}
# Devices that cannot hold float64.
_SINGLE_PRECISION = ("mps",)


def has_float64(device: torch.device) -> bool:
    """Return whether tensors of float64 can be on a device."""
    return device.type not in _SINGLE_PRECISION


class RowStore:
    """Samples of an array, handed out as tensors on a device in the array's own dtype.

    The array is not copied, except to an accelerator on which it fits.  Where the device has no
    float64, samples of that are float32.
    """

    def __init__(self, array: np.ndarray, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.array = array
        self.tensor = None
        # Read-only maps (joblib's) stay numpy: torch cannot promise to leave them unwritten.
        # Nor does it read strides that go backwards, or by parts of elements, as those of a field
        # of records may.
        readable = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
        if array.dtype in _TORCH_DTYPES and array.flags.writeable and readable:
            self.tensor = torch.from_numpy(array)
            # A quarter leaves room for the network, its gradients and the activations.
            on_gpu = self.device.type == "cuda"
            if not on_gpu or array.nbytes <= torch.cuda.mem_get_info(self.device)[0] / 4:
                self.tensor = self._narrow(self.tensor).to(self.device)

    @property
    def streams(self) -> bool:
        """Whether samples are read from a file, or sent to an accelerator, batch by batch."""
        on_file = isinstance(self.array, np.memmap) or isinstance(self.array.base, np.memmap)
        return on_file or (self.device.type != "cpu" and not self._is_on_device)

    @property
    def _is_on_device(self) -> bool:
        return self.tensor is not None and self.tensor.device.type == self.device.type

    def take(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return the samples at `index`, a LongTensor on the CPU, or a slice, maybe as a view."""
        if self.tensor is not None:
            if isinstance(index, slice):
                return self._send(self.tensor[index])
            return self._send(self.tensor.index_select(0, index.to(self.tensor.device)))
        rows = np.array(self.array[index if isinstance(index, slice) else index.numpy()], order="C")
        if rows.dtype not in _TORCH_DTYPES:
            native = rows.dtype.newbyteorder("=")
            rows = rows.astype(native if native in _TORCH_DTYPES else np.float32)
        return self._send(torch.from_numpy(rows))

    def _send(self, rows: torch.Tensor) -> torch.Tensor:
        """Move samples to the device; to a GPU from pinned memory, without waiting."""
        rows = self._narrow(rows)
        if self.device.type == "cuda" and rows.device.type == "cpu":
            return rows.pin_memory().to(self.device, non_blocking=True)
        return rows.to(self.device)

    def _narrow(self, values: torch.Tensor) -> torch.Tensor:
        if values.dtype != torch.float64 or has_float64(self.device):
            return values
        return values.to(torch.float32)


def concatenate(first: Rows, second: Rows) -> Rows:
    """Put samples one behind the other; their masks are left out."""

    def both(name: str) -> torch.Tensor | None:
        values = getattr(first, name)
        return None if values is None else torch.cat([values, getattr(second, name)])

    joined: dict[str, Any] = {
        name: both(name) for name in ("x", "y", "label_weight", "sample_weight", "groups")
    }
    left_out: Any = None
    return changed(first, irrelevance=left_out, known=None, **joined)


class TrainingData(Dataset):
    """Inputs, targets, weights and masks of the samples of one fit.

    It is a data set to skorch's callbacks, whose `X` and `y` are of the samples that take part.

    Parameters
    ----------
    X : ndarray of shape (n, ...)
        Inputs in their own dtype.
    y : ndarray of shape (n,)
        Encoded targets.
    masks : Masks or None
        Masks of all samples of X.
    frame : Rows
        Units, range and label loss that all samples carry.
    index : ndarray of int
        The samples that take part.
    penalised : ndarray of bool of shape (n,)
        Samples that some penalty is computed for.
    device : torch.device
        Where tensors go.
    sample_weight, label_weight : ndarray of shape (n,) or None, default=None
        Weight of a sample in penalties, and, with its class weight, in label losses.
    groups : ndarray of int of shape (n,) or None, default=None
        Group of each sample.
    pooled : float32 Tensor of shape (1, ...) or None, default=None
        Irrelevance of the samples without a mask; None: zero.
    lengths : LongTensor of shape (n,) or None, default=None
        Lengths of texts, where batches are made by them.
    augmentation : Augmentation or None, default=None
        What moves samples and masks in training steps; `rows` hands them out as they are.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        masks: Masks | None,
        *,
        frame: Rows,
        index: np.ndarray,
        penalised: np.ndarray,
        device: torch.device | str,
        sample_weight: np.ndarray | None = None,
        label_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        pooled: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        augmentation: Any = None,
    ) -> None:
        self.inputs = RowStore(X, device)
        self.targets = torch.as_tensor(y).to(device)
        self.masks: Any = masks
        self.marks: Any = None if masks is None else RowStore(masks.stored, device)
        absent = None if masks is None else masks.absent
        self.absent = None if absent is None else RowStore(absent, device)
        self.label_weight = _as_weight(label_weight, device)
        self.sample_weight = _as_weight(sample_weight, device)
        self.groups: Any = None if groups is None else torch.as_tensor(groups).to(device)
        self.pooled = None if pooled is None else pooled.to(device)
        self.lengths = lengths
        self.augmentation = augmentation
        self.frame = frame
        self.device = torch.device(device)
        self._select(index, penalised)

    def _select(self, index: np.ndarray, penalised: np.ndarray) -> None:
        self.index = torch.as_tensor(index)
        self.penalised = torch.as_tensor(np.asarray(index)[penalised[index]])
        self._penalised_rows = penalised

    def subset(self, index: np.ndarray) -> "TrainingData":
        """Return the same data with other samples taking part."""
        other = object.__new__(TrainingData)
        other.__dict__.update(vars(self))
        other._select(index, self._penalised_rows)
        return other

    @property
    def X(self) -> np.ndarray:
        """Inputs of the samples that take part, for callbacks."""
        return self.inputs.array[self.index.numpy()]

    @property
    def y(self) -> torch.Tensor:
        """Encoded targets of the samples that take part, for callbacks."""
        return self.targets[self.index.to(self.device)]

    @property
    def streams(self) -> bool:
        """Whether samples come batch by batch from a file or over the bus."""
        return self.inputs.streams or (self.marks is not None and self.marks.streams)

    def split_penalised(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Split positions in X into those of the samples without and with a penalty."""
        penalised = torch.from_numpy(self._penalised_rows)[index]
        return index[~penalised], index[penalised]

    @property
    def all_penalised(self) -> bool:
        """Whether every sample that takes part is penalised."""
        return len(self.penalised) == len(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Sample i as ``(x, y)``, the way skorch's scoring callbacks read a data set."""
        rows = self.rows(self.index[i].reshape(1))
        return rows.x[0], rows.y[0]

    def rows(self, index: torch.Tensor, with_masks: bool = False) -> Rows:
        """Return the samples at `index` (a LongTensor on the CPU, positions in X)."""
        x = self.inputs.take(index).to(torch.float32)
        positions = index.to(self.device)
        marks: dict[str, Any] = {}
        if with_masks:
            shared = self._shared_degrees
            irrelevance, known, hard = shared or (*self._degrees(index), False)
            if self.absent is not None:
                irrelevance, known = of_features(irrelevance, known, self.absent.take(index))
            parts = self.masks.marks_parts
            marks = {"irrelevance": irrelevance, "known": known, "marks_parts": parts}
            marks["share_hard_mask"] = hard
        return changed(
            self.frame,
            x=x,
            y=self.targets.index_select(0, positions),
            label_weight=pick(self.label_weight, positions),
            sample_weight=pick(self.sample_weight, positions),
            groups=pick(self.groups, positions),
            **marks,
        )

    @cached_property
    def _shared_degrees(self) -> tuple[torch.Tensor, torch.Tensor | None, bool] | None:
        """One mask for all samples, read once, and whether it is of zeros and ones; else None."""
        if not self.masks.for_all_rows:
            return None
        irrelevance, known = self.masks.degrees(self.marks.take(torch.zeros(1, dtype=torch.long)))
        return irrelevance, known, bool(((irrelevance == 0) | (irrelevance == 1)).all())

    def _degrees(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        stored = index
        if self.masks.place is not None:
            stored = torch.from_numpy(self.masks.place[index.numpy()])
        irrelevance, known = self.masks.degrees(self.marks.take(stored))
        if self.pooled is None:
            return irrelevance, known
        # Samples without a mask get the marks of the places that are the same in all others.
        lacks_one = torch.from_numpy(~self.masks.annotated)[index].to(irrelevance.device)
        shape = (-1, *(1,) * (irrelevance.ndim - 1))
        return torch.where(lacks_one.view(shape), self.pooled, irrelevance), known


def _as_weight(weight: np.ndarray | None, device: torch.device | str) -> torch.Tensor | None:
    if weight is None:
        return None
    return torch.as_tensor(np.asarray(weight, dtype=np.float32)).to(device)


def ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Apply a function in another thread, one item ahead of the iteration.

    Parameters
    ----------
    function : callable
    items : sequence

    Yields
    ------
    object
        ``function(item)``, in order.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for item in items:
            following = thread.submit(function, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def batch_sizes(n_rows: int, batch_size: int) -> list[int]:
    """Cut `n_rows` into batches; a lone last sample joins the batch before it.

    Batch norm cannot train on a single sample.

    Examples
    --------
    >>> batch_sizes(5, 2)
    [2, 3]
    """
    sizes = [batch_size] * (n_rows // batch_size)
    rest = n_rows % batch_size
    if rest == 1 and sizes and batch_size > 1:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def penalised_sizes(
    sizes: Sequence[int], n_rows: int, n_penalised: int, per_batch: int | None = None
) -> list[int]:
    """Size of the penalised batch S beside each batch B: ``max(1, round(|B| share))``."""
    if not n_penalised:
        return [0] * len(sizes)
    if per_batch is not None:
        return [per_batch] * len(sizes)
    return [max(1, round(size * n_penalised / n_rows)) for size in sizes]


def shuffled_passes(rows: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Draw `size` samples in shuffled passes: each sample once before any comes again.

    Parameters
    ----------
    rows : LongTensor
        Samples to draw from.
    size : int
        How many to draw.
    generator : torch.Generator
        A generator on the CPU.

    Returns
    -------
    LongTensor of shape (size,)
    """
    n_passes = -(-size // max(1, len(rows)))
    passes = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(n_passes)]
    every = passes[0] if n_passes == 1 else torch.cat([rows[:0], *passes])
    return every[:size]
