"""Files of a project: whole or not there, whenever the process ends."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which takes the place of `path` once it is complete.

    Parameters
    ----------
    path : Path
        The file to make or to replace.

    Yields
    ------
    Path
        A name beside it, with the same ending.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, record: Any) -> None:
    """Write a record as a JSON file, whole or not at all."""
    with whole_file(path) as beside:
        beside.write_text(json.dumps(record, indent=1), encoding="utf-8")


def append_line(path: Path, record: Any) -> None:
    """Append a record as a line of JSON; it is on the disk when this returns.

    A line that was cut by the end of an earlier process stays alone on its line.
    """
    with open(path, "a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(record).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Any]:
    """Read records that were appended; one that was cut is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            records.append(json.loads(line))
    return [record for record in records if isinstance(record, dict)]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read an .npz file; its arrays hold no objects, which would be a pickle.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as arrays: {error}.") from error
