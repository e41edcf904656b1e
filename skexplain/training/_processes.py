"""The processes that train one network together, as accelerate has started them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import torch
from joblib.parallel import get_active_backend
from torch import Tensor

# Values of these kinds are compared between processes; of all others their kind is.
_COMPARED = (str, bytes, int, float, bool, np.generic, np.ndarray, np.random.RandomState)


@dataclass(frozen=True)
class Processes:
    """Processes that train one network together.

    Each of them has all data and the whole network, and all call the same methods in the same
    order.

    Attributes
    ----------
    index : int
        Number of this process, from 0.
    count : int
        Number of processes.
    """

    index: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.index == 0

    def part(self, n_samples: int, device: torch.device) -> Tensor:
        """Return which samples this process computes, a LongTensor, in order.

        All parts have one size, so the last sample stands in where there are too few.
        """
        size = -(-n_samples // self.count)
        first = self.index * size
        return torch.arange(first, first + size, device=device).clamp_(max=n_samples - 1)

    def n_own(self, n_samples: int) -> int:
        """Return how many samples of the part come from no repetition of the last one."""
        size = -(-n_samples // self.count)
        return max(0, min(size, n_samples - self.index * size))

    def gather(self, part: Tensor) -> Tensor:
        """Put the parts of all processes, which have one shape, one behind the other."""
        from accelerate.utils import gather

        return gather(part.contiguous())

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over the processes."""
        from accelerate.utils import reduce

        if not tensors:
            return
        summed = reduce(torch.cat([tensor.flatten() for tensor in tensors]), "sum")
        for tensor, total in zip(tensors, summed.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process; waits for all of them."""
        return any(self.gather_objects(flag))

    def gather_objects(self, value: Any) -> list[Any]:
        """Return the values that the processes give, which must be possible to pickle."""
        from accelerate.utils import gather_object

        return gather_object([value])

    def copy_first(self, tensors: Sequence[Tensor], device: torch.device) -> None:
        """Replace weights and other state of a training by that of the first process.

        Parameters
        ----------
        tensors : sequence of Tensor
            In the same order in all processes.
        device : torch.device
            Where processes exchange tensors.

        Raises
        ------
        ValueError
            If shapes differ.
        """
        from accelerate.utils import broadcast

        kinds = [(tuple(tensor.shape), str(tensor.dtype)) for tensor in tensors]
        if any(other != kinds for other in self.gather_objects(kinds)):
            raise ValueError(
                f"module must be the same network in all {self.count} processes with "
                f'device="accelerate", got other shapes of weights in some.'
            )
        with torch.no_grad():
            for tensor in tensors:
                sent = tensor.detach().to(device).clone(memory_format=torch.contiguous_format)
                tensor.copy_(broadcast(sent))

    def check_alike(self, values: Mapping[str, Any]) -> None:
        """Check that all processes have the same arguments and parameters.

        Parameters
        ----------
        values : dict of str to object
            Arrays and plain values are compared, of other objects the kind.

        Raises
        ------
        ValueError
            If some differ, with their names.
        """
        digests = {name: _digest(value) for name, value in values.items()}
        first, *others = self.gather_objects(digests)
        names = {*first}.union(*others)
        differ = sorted(
            name for name in names if any(first.get(name) != own.get(name) for own in others)
        )
        if differ:
            raise ValueError(
                f"{', '.join(differ)} must be the same in all {self.count} processes with "
                f'device="accelerate", got others in some: read the same data everywhere, and set '
                f"the same parameters."
            )


def join_processes() -> tuple[torch.device, Processes | None]:
    """Return the device of this process, and the processes that ``accelerate launch`` has started.

    Returns
    -------
    device : torch.device
    processes : Processes or None
        None: there is only one.

    Raises
    ------
    ImportError
        If accelerate is not installed.
    RuntimeError
        If this is a worker of a parallel search, or processes were started without accelerate
        connecting them.
    """
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise ImportError(
            f'device="accelerate" needs {error.name}: pip install "skexplain[distributed]".'
        ) from error
    if get_active_backend()[0].nesting_level:
        raise RuntimeError(
            'n_jobs must be 1 or None with device="accelerate", as the processes train one network '
            "together; got a worker of joblib."
        )
    accelerator = Accelerator()
    index, count = accelerator.process_index, accelerator.num_processes
    started = int(os.environ.get("WORLD_SIZE", 1))
    if count < started:
        raise RuntimeError(
            f'device="accelerate" must be used in processes that accelerate connects; got '
            f"WORLD_SIZE={started}, but {count} connected. Start GPUs by accelerate launch, and "
            f"CPUs by torchrun with the environment variable ACCELERATE_USE_CPU=true."
        )
    device = accelerator.device
    device = torch.device("cpu") if device.type == "cpu" else device  # it numbers them
    return device, Processes(index, count) if count > 1 else None


def _digest(value: Any) -> str:
    """Return what is equal for equal values: of arrays and numbers, and of lists of them."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if hasattr(value, "to_numpy"):  # a table of any library
        value = [*map(str, getattr(value, "columns", [])), value.to_numpy()]
    if isinstance(value, Mapping):
        value = sorted(value.items(), key=str)
    if isinstance(value, np.ndarray):
        value = np.ascontiguousarray(value)  # a file, and any order, has the values of its array
    if value is None or isinstance(value, _COMPARED):
        return joblib.hash(value)
    if isinstance(value, list | tuple):
        return joblib.hash([_digest(item) for item in value])
    kind = value if hasattr(value, "__name__") else type(value)
    return f"{kind.__module__}.{kind.__name__}"
