"""Results on disk: a line per finished cell, written at once and never changed."""

import json
import lzma
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__


class Store:
    """Finished cells of a study, in the file ``<folder>/<study>.jsonl``.

    A line holds one cell.  It is appended in one write and flushed to the disk, so that a process
    may be killed at any moment: a line that was torn is not read, and the next one starts anew.
    A file of the same name with the ending ``.xz`` is read, too, and never written: what the
    command xz has compressed.

    Parameters
    ----------
    folder : str or path-like
        Made when the first cell is written.
    study : str
        Name of the study.
    """

    def __init__(self, folder: Any, study: Any) -> None:
        self.study = study
        self.path = Path(folder) / f"{study}.jsonl"
        self.archive = Path(folder) / f"{study}.jsonl.xz"

    def read(self) -> dict[str, Any]:
        """Read what is finished.

        Returns
        -------
        dict of str to list of dict
            Rows by the key of their cell, of whatever declaration and version.

        Raises
        ------
        OSError
            If a file cannot be read.

        Warns
        -----
        UserWarning
            If lines hold no finished cell, such as those that were cut off or edited.
        """
        return {**self._read(self.archive, lzma.open), **self._read(self.path, open)}

    def _read(self, path: Any, open_file: Any) -> Any:
        found, bad = {}, []
        try:
            with open_file(path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    record = _parse(line)
                    if record is not None:
                        found[record["key"]] = record["rows"]
                    elif line.strip() and line.endswith(b"\n"):  # else it is being written
                        bad.append(str(number))
        except FileNotFoundError:
            return {}
        except (EOFError, lzma.LZMAError) as error:
            raise OSError(f"{path} is no whole xz file: {error}") from error
        if bad:
            warnings.warn(
                f"{path} holds no finished cell in line {', '.join(bad)}, which was cut off or "
                "edited: it is left out, and computed anew when the study is run.",
                UserWarning,
                stacklevel=4,
            )
        return found

    def append(self, cell: Any, rows: Sequence[dict[str, Any]]) -> None:
        """Write a finished cell.

        Parameters
        ----------
        cell : Cell
        rows : list of dict
            What was computed; numbers, strings and None.
        """
        record = {
            "key": cell.key(self.study),
            "version": __version__,
            "factors": cell.factors,
            "rows": rows,
        }
        line = json.dumps(record, default=_to_builtin).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a+b", buffering=0) as file:
            if _is_torn(file):
                line = b"\n" + line
            view = memoryview(line)
            while view:  # one write, but where the disk takes less
                view = view[file.write(view) :]
            os.fsync(file.fileno())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from computing the same study into the same folder.

        Returns
        -------
        context manager
            The lock ends with the process, however that ends.

        Raises
        ------
        ImportError
            On entry, if filelock is not installed.
        OSError
            On entry, if another process holds it.
        """
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            raise ImportError(
                'running a study needs filelock: pip install "skexplain[studies]"'
            ) from error
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OSError(
                f"study {self.study!r} is being run into {self.path.parent} by another process: "
                f"wait for it, or choose another folder."
            ) from None
        try:
            yield
        finally:
            lock.release()


def to_plain(rows: Sequence[dict[str, Any]]) -> Any:
    """Turn rows into what is read back from the disk.

    Parameters
    ----------
    rows : list of dict
        Numbers, strings, None, and lists and dicts of them; of numpy, too.

    Returns
    -------
    list of dict

    Raises
    ------
    TypeError
        If it is no list of dicts, or there is something else in them.
    """
    plain = json.loads(json.dumps(rows, default=_to_builtin))
    if not _are_rows(plain):
        raise TypeError(f"rows must be a list of dicts, got {rows!r}.")
    return plain


def _parse(line: Any) -> Any:
    """Return the record of a line, or None where it is not that of a finished cell."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_whole = (
        isinstance(record, dict)
        and isinstance(record.get("key"), str)
        and _are_rows(record.get("rows"))
    )
    return record if is_whole else None


def _are_rows(value: Any) -> Any:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _is_torn(file: Any) -> Any:
    """Whether the last line lacks its end."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _to_builtin(value: Any) -> Any:
    """Turn numpy's numbers and arrays into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"rows must hold numbers, strings and None; got {value!r}.")
