"""The journal of a project: which mask was changed when, and where it is from."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from ._files import append_line, read_lines

Who = Literal["person", "copied", "suggested", "propagated", "imported"]


class Conflict(ValueError):
    """A mask was changed by another page since it was read.

    Parameters
    ----------
    number : int
        Number of the item.
    revision : int
        The present revision of its mask.
    """

    def __init__(self, number: int, revision: int) -> None:
        super().__init__(
            f"The mask of item {number} was changed elsewhere: it is at revision {revision}."
        )
        self.number = number
        self.revision = revision


class Journal:
    """A file with a line for each change of a mask.

    Parameters
    ----------
    path : Path
        The file; it need not be there yet.
    n_items : int
        Number of items.

    Attributes
    ----------
    revisions : list of int of length n_items
        The present revision of each mask; 0 if there has never been one.
    sources : list of str of length n_items
        Where each mask is from; empty if there has never been one.
    """

    def __init__(self, path: Path, n_items: int) -> None:
        self._path = path
        self.revisions, self.sources = [0] * n_items, [""] * n_items
        for record in read_lines(path):
            number, revision = record.get("item"), record.get("revision")
            if isinstance(number, int) and isinstance(revision, int) and 0 <= number < n_items:
                self.revisions[number] = revision
                self.sources[number] = str(record.get("by", ""))

    def add(self, number: int, by: Who, action: str) -> int:
        """Append a change of a mask; it is on the disk when this returns its revision."""
        revision = self.revisions[number] + 1
        record = {
            "item": int(number),
            "revision": revision,
            "by": by,
            "action": action,
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        append_line(self._path, record)
        self.revisions[number], self.sources[number] = revision, by
        return revision
