"""Results on disk: a line per finished cell, written at once and never changed."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .. import __version__


class Store:
    """Finished cells of a study, in the file ``<folder>/<study>.jsonl``.

    A line holds one cell.  It is appended in one write and flushed to the disk, so that a process
    may be killed at any moment: a line that was torn is not read, and the next one starts anew.

    Parameters
    ----------
    folder : str or path-like
        Made when the first cell is written.
    study : str
        Name of the study.
    """

    def __init__(self, folder, study):
        self.study = study
        self.path = Path(folder) / f"{study}.jsonl"

    def read(self):
        """Read what is finished.

        Returns
        -------
        dict of str to list of dict
            Rows by the key of their cell, of whatever declaration and version.
        """
        try:
            with open(self.path, "rb") as file:
                return {r["key"]: r["rows"] for r in filter(None, map(_parse, file))}
        except FileNotFoundError:
            return {}

    def append(self, cell, rows):
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
    def lock(self):
        """Keep other processes from computing the same study into the same folder.

        Returns
        -------
        context manager
            The lock ends with the process, however that ends.

        Raises
        ------
        OSError
            On entry, if another process holds it.
        """
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


def to_plain(rows):
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
        If there is something else in them.
    """
    return json.loads(json.dumps(rows, default=_to_builtin))


def _parse(line):
    """Return the record of a line, or None for an empty or a torn one."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and {"key", "rows"} <= record.keys() else None


def _is_torn(file):
    """Whether the last line lacks its end."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _to_builtin(value):
    """Turn numpy's numbers and arrays into what JSON knows."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"rows must hold numbers, strings and None; got {value!r}.")
