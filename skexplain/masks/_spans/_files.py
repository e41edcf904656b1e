"""Which files an export of texts has, and what wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import _doccano, _eraser, _label_studio, _prodigy, _token_votes
from ._texts import AnnotatedText, unite

# The first that recognises the first record of a file reads it.
FORMATS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "eraser": _eraser.matches,
    "token_votes": _token_votes.matches,
    "label_studio": _label_studio.matches,
    "prodigy": _prodigy.matches,
    "doccano": _doccano.matches,
}

_ENDINGS = (".json", ".jsonl", ".jsonlines", ".ndjson")
_DOCUMENTS = "docs.jsonl"


def load_records(path: Path) -> list[Any]:
    """Read the records of a JSON file, or of a file with one in each line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except ValueError as error:
        raise ValueError(f"{path} is not a text file in UTF-8: {error}") from error
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error
    except ValueError:
        content = _load_lines(path, text)
    if isinstance(content, list):
        return content
    if isinstance(content, dict) and content and all(isinstance(v, dict) for v in content.values()):
        return list(content.values())  # by their ids, as HateXplain has them
    return [content]


def _load_lines(path: Path, text: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):  # others may stand within text
        if line.strip():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path} is not a JSON file: line {number}: {error}") from error
    return records


def read_files(
    path: Path, expected: str | None, unit: str | None, *, predictions: bool
) -> tuple[str, list[AnnotatedText], list[str]]:
    """Read an export.

    Parameters
    ----------
    path : Path
        A file or a folder.
    expected : str or None
        The format; None: the one that recognises the files.
    unit : {"code_point", "utf16"} or None
        What tools count.
    predictions : bool
        Whether Label Studio's predictions count where there is no annotation.

    Returns
    -------
    format : str
    texts : list of AnnotatedText
    unknown : list of str
        Files of the folder that no format recognises.
    """
    by_format: dict[str, list[AnnotatedText]] = {}
    unknown: list[str] = []
    for file in _list_files(path):
        records = load_records(file)
        name = expected or _recognise(records)
        if name is None:
            unknown.append(str(file))
            continue
        by_format.setdefault(name, []).extend(_read(name, file, records, unit, predictions))
    if len(by_format) > 1:
        raise ValueError(f"{path} holds several formats, {list(by_format)}: read them alone.")
    if not by_format:
        raise ValueError(
            f"{path} must be of one of {list(FORMATS)}; it is not recognised. Text formats other "
            "than JSON are not read."
        )
    ((name, texts),) = by_format.items()
    return name, unite(texts), unknown


def _list_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"path must be an existing file or folder; got {str(path)!r}.")
    found = [
        file
        for file in sorted(path.iterdir())
        if file.suffix.lower() in _ENDINGS and file.name != _DOCUMENTS and file.is_file()
    ]
    if not found:
        raise ValueError(f"{path} holds no annotation files; these end in {', '.join(_ENDINGS)}.")
    return found


def _recognise(records: list[Any]) -> str | None:
    first = records[0] if records else None
    if not isinstance(first, dict):
        return None
    return next((name for name, matches in FORMATS.items() if matches(first)), None)


def _read(
    name: str, file: Path, records: list[Any], unit: str | None, predictions: bool
) -> list[AnnotatedText]:
    if name == "eraser":
        beside = file.parent / _DOCUMENTS
        documents = _eraser.Documents(file.parent, load_records(beside) if beside.is_file() else [])
        return list(_eraser.read(file, records, documents))
    if name == "token_votes":
        return list(_token_votes.read(file, records))
    if name == "label_studio":
        return list(_label_studio.read(file, records, unit, predictions=predictions))
    read = _prodigy.read if name == "prodigy" else _doccano.read
    return list(read(file, records, unit))
