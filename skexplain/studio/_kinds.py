"""The kinds of data that a project can hold, and which one a folder or file has."""

from __future__ import annotations

from pathlib import Path

from ._data import Data
from ._files import read_arrays
from ._pictures import Pictures
from ._records import read_records
from ._table import Table
from ._texts import Texts

KINDS: dict[str, type[Data]] = {kind.kind: kind for kind in (Pictures, Texts, Table)}

# A column whose values have at least this many words on average holds texts.
_WORDS = 4


def kind_of(source: Path, text: str | None) -> str:
    """Return which kind of data a folder or file has.

    Parameters
    ----------
    source : Path
        A folder with a folder of pictures or of texts for each class; a .csv, .json, .jsonl or
        .npz file.
    text : str or None
        The column of texts, if one is named.

    Returns
    -------
    {"pictures", "texts", "table"}

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file.
    ValueError
        If it is none of these.
    """
    if not source.exists():
        raise FileNotFoundError(f"There is no {source}.")
    if source.is_dir():
        return "texts" if next(source.glob("*/*.txt"), None) is not None else "pictures"
    ending = source.suffix.lower()
    if ending == ".npz":
        X = read_arrays(source).get("X")
        return "table" if X is None or X.ndim == 2 else "pictures"
    if ending in (".json", ".jsonl"):
        return "texts"
    if ending == ".csv":
        return "texts" if text is not None or _has_texts(source) else "table"
    if ending == ".safetensors":
        raise ValueError(
            f"{source} is a model, which has no data with it: pass the data, and the model as "
            f"--model {source.name}."
        )
    raise ValueError(
        f"{source} must be a folder, or end in .csv, .json, .jsonl or .npz; got {ending!r}."
    )


def _has_texts(source: Path) -> bool:
    """Return whether a column of a table holds sentences."""
    records = read_records(source)[:200]
    for column in records[0] if records else []:
        values = [str(record[column] or "") for record in records]
        if sum(len(value.split()) for value in values) >= _WORDS * len(values):
            return True
    return False
