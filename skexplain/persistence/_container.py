"""The file itself: tensors as safetensors, and a JSON record beside them."""

import os
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .._checks import check_path
from ..exceptions import ModelFileError
from ._values import from_text, to_text

# The entry of the header that holds the record.
_RECORD = "skexplain"
# A header beyond this is none of ours: a record holds numbers, names and the history of a fit.
_MAX_RECORD = 1 << 26
_MAX_HEADER = 1 << 27


def write_container(
    path: str | os.PathLike[str], record: Any, tensors: dict[str, torch.Tensor]
) -> None:
    """Write a record and its tensors; a file of that name is replaced at once or not at all."""
    path = check_path("path", path)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        save_file(tensors, unfinished, metadata={_RECORD: to_text(record)})
        unfinished.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins as a safetensors file does: a length, then JSON."""
    with open(path, "rb") as file:
        start = file.read(9)
    return (
        len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < _MAX_HEADER
    )


class Container:
    """A model file that is open for reading; tensors are read one by one, when asked for.

    safetensors checks before anything is allocated that the offsets of all tensors lie within the
    file, without gaps, and agree with their shapes.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    ModelFileError
        If it is no complete safetensors file with a record.
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(
            check_path("path", path), "rb"
        ):  # a missing file is the system's error, not a damaged one
            pass
        try:
            self._file = safe_open(path, framework="pt", device="cpu")
            text = (self._file.metadata() or {})[_RECORD]
            if len(text) > _MAX_RECORD:
                raise ModelFileError(f"has a record of {len(text)} characters, which is too long.")
            self.record = from_text(text)
        except SafetensorError as error:
            raise ModelFileError(f"is no complete safetensors file: {error}") from error
        except KeyError as error:
            raise ModelFileError("holds tensors, but no estimator of this package.") from error
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"has a record that is no JSON: {error}") from error
        self._names = set(self._file.keys())

    def __getitem__(self, name: str) -> torch.Tensor:
        """Read a tensor."""
        if name not in self._names:
            raise ModelFileError(f"must hold a tensor {name!r:.80}.")
        return self._file.get_tensor(name)
