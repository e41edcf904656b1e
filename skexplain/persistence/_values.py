"""Plain values as JSON and tensors, and back: the alphabet of a model file.

Each value that JSON has no word for is an object with one key, which says how to read it.  No key
names code, so that reading a file can never run any.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn, Protocol

import numpy as np
import torch

from ..exceptions import ModelFileError

_TEXT_DTYPE = re.compile(r"[<>=|]?[US]([0-9]{1,9})")
# Text arrays have a fixed width, so that a short file could claim a large array.
_MAX_TEXT_BYTES = 1 << 26


class CannotBeStored(TypeError):
    """A value is none of those that a model file can hold."""


class ValueWriter:
    """Turns values into what JSON can hold, and collects their arrays.

    Attributes
    ----------
    tensors : dict of str to Tensor
        What stands outside of the JSON text.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}

    def write(self, value: Any, place: str) -> Any:
        """Return a value as JSON can hold it.

        Parameters
        ----------
        value : object
        place : str
            Where it stands, for the names of its tensors and for errors.

        Raises
        ------
        CannotBeStored
            If it is, or holds, something else than plain values.
        """
        if value is None or isinstance(value, (bool, str)) or type(value) is int:
            return value
        if isinstance(value, float) and not isinstance(value, np.generic):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, np.generic):
            return {"scalar": [value.dtype.str, self.write(value.item(), place)]}
        if isinstance(value, (list, tuple, set)):
            return {type(value).__name__: self._items(value, place)}
        if isinstance(value, dict):
            return {"dict": [self._pair(key, item, place) for key, item in value.items()]}
        if isinstance(value, np.ndarray):
            return self._array(value, place)
        if isinstance(value, torch.Tensor):
            return {"tensor": self._keep(value.detach(), place)}
        if isinstance(value, torch.device):
            return {"device": str(value)}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, type):
            name = value.__name__
            if getattr(torch.optim, name, None) is value:
                return {"optimizer": name}
        raise CannotBeStored(f"{place} is {describe(value)}, which a model file cannot hold.")

    def _items(self, values: Iterable[Any], place: str) -> list[Any]:
        return [self.write(value, f"{place}.{i}") for i, value in enumerate(values)]

    def _pair(self, key: Any, value: Any, place: str) -> list[Any]:
        return [self.write(key, place), self.write(value, f"{place}.{key}")]

    def _array(self, array: np.ndarray, place: str) -> dict[str, Any]:
        if array.dtype.kind in "USO":
            items = [self.write(item, place) for item in array.ravel().tolist()]
            return {"text_array": [array.dtype.str, list(array.shape), items]}
        try:
            tensor = torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
        except TypeError as error:  # torch has only numpy's dtypes of numbers
            raise CannotBeStored(f"{place} has dtype {array.dtype}: {error}") from error
        return {"array": self._keep(tensor, place)}

    def _keep(self, tensor: torch.Tensor, place: str) -> str:
        if tensor.layout is not torch.strided or tensor.is_complex():
            raise CannotBeStored(f"{place} is a tensor of layout {tensor.layout}.")
        name = place
        while name in self.tensors:
            name += "_"
        self.tensors[name] = tensor.cpu().contiguous().clone()
        return name


class Tensors(Protocol):
    """The tensors of a file by name: a dict, or what reads them when they are asked for."""

    def __getitem__(self, name: str, /) -> torch.Tensor: ...


class ValueReader:
    """Turns what `ValueWriter` wrote back into values.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The tensors of the file, read when they are asked for.
    """

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors

    def read(self, written: Any) -> Any:
        """Return the value.

        Raises
        ------
        ModelFileError
            If `written` is nothing that `ValueWriter` writes.
        """
        if written is None or isinstance(written, (bool, int, float, str)):
            return written
        if not isinstance(written, dict) or len(written) != 1:
            raise ModelFileError(f"must hold values of one kind each, got {written!r:.80}.")
        ((kind, content),) = written.items()
        reader = getattr(self, f"_read_{kind}", None)
        if reader is None:
            raise ModelFileError(f"must hold values of known kinds, got {kind!r:.80}.")
        return reader(content)

    def _items(self, content: Any) -> list[Any]:
        if not isinstance(content, list):
            raise ModelFileError(f"must hold a list of items, got {content!r:.80}.")
        return [self.read(item) for item in content]

    def _read_float(self, content: Any) -> float:
        if content not in ("nan", "inf", "-inf"):
            raise ModelFileError(f"must hold numbers, got {content!r:.80}.")
        return float(content)

    def _read_scalar(self, content: Any) -> Any:
        dtype, value = content
        if not re.fullmatch(r"[<>=|]?[biuf][0-9]{1,2}|[<>=|]?[US][0-9]{1,9}", dtype):
            raise ModelFileError(f"must hold numbers and text, got dtype {dtype!r:.80}.")
        value = self.read(value)
        return np.str_(value) if "U" in dtype else np.dtype(dtype).type(value)

    def _read_list(self, content: Any) -> list[Any]:
        return self._items(content)

    def _read_tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self._items(content))

    def _read_set(self, content: Any) -> set[Any]:
        return set(self._items(content))

    def _read_dict(self, content: Any) -> dict[Any, Any]:
        return dict(self._items(pair) for pair in content)

    def _read_text_array(self, content: Any) -> np.ndarray:
        dtype, shape, items = content
        width = _TEXT_DTYPE.fullmatch(dtype)
        size = 4 * len(items) * int(width[1]) if width else 0
        if not (width or dtype in ("|O", "O")) or size > _MAX_TEXT_BYTES:
            raise ModelFileError(f"must hold text of bounded length, got dtype {dtype!r:.80}.")
        array = np.empty(len(items), dtype=object)
        array[:] = self._items(items)
        return array.reshape(shape).astype(dtype if width else object)

    def _read_array(self, content: Any) -> np.ndarray:
        return self.tensors[content].numpy()

    def _read_tensor(self, content: Any) -> torch.Tensor:
        return self.tensors[content]

    def _read_device(self, content: Any) -> torch.device:
        return torch.device(content)

    def _read_dtype(self, content: Any) -> torch.dtype:
        dtype = getattr(torch, content)
        if not isinstance(dtype, torch.dtype):
            raise ModelFileError(f"must hold dtypes of torch, got {content!r:.80}.")
        return dtype

    def _read_optimizer(self, content: Any) -> type[torch.optim.Optimizer]:
        optimizer = vars(torch.optim).get(content)
        if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
            raise ModelFileError(f"must hold optimizers of torch.optim, got {content!r:.80}.")
        return optimizer


def to_text(record: Any) -> str:
    """Write a record of plain JSON as text."""
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def from_text(text: str) -> Any:
    """Read a record of plain JSON; what is no JSON raises ValueError."""
    return json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON.")


def describe(value: Any) -> str:
    """Name a value by its class, or a class or function by its own name."""
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"an object of {type(value).__module__}.{type(value).__qualname__}"
