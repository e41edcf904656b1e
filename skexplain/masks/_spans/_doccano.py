"""doccano: JSONL of sequence labeling, relation extraction and text classification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._annotations._fields import as_dict, as_items, as_text
from ._texts import AnnotatedText, Found, add_marks, as_bounds

_MARKS = ("entities", "label", "labels", "annotations", "cats")


def matches(first: dict[str, Any]) -> bool:
    """Whether this may be the first record of such a file."""
    has_text = "text" in first or isinstance(first.get("data"), str)
    return (has_text or "label" in first) and any(
        isinstance(first.get(key), list) for key in _MARKS
    )


def read(path: Path, records: Sequence[Any], unit: str | None) -> Iterator[AnnotatedText]:
    """Read the records; each file of a folder is that of one person."""
    for number, content in enumerate(records):
        where = f"{path}: record[{number}]"
        record = as_dict(content, where)
        text = record.get("text", record.get("data"))
        if text is None:
            left = AnnotatedText(where, "")
            left.left_out["records without a text"] += 1
            yield left
            continue
        key = record.get("id", record.get("doc_id"))
        found = AnnotatedText(where, as_text(text, f"{where}: 'text'"))
        found.key = None if key is None else as_text(key, f"{where}: 'id'")
        by_person: dict[str, list[Found]] = {_person(record, path, where): []}
        for name in _MARKS:
            for place, item in enumerate(as_items(record.get(name) or [], f"{where}: {name!r}")):
                here = f"{where}: {name}[{place}]"
                if isinstance(item, str):
                    found.targets.append(item)
                    continue
                span, person = _span(item, here)
                by_person.setdefault(person or next(iter(by_person)), []).append(span)
        if len(by_person) > 1:  # each mark says whose it is
            by_person = {person: spans for person, spans in by_person.items() if spans}
        for person, spans in by_person.items():
            add_marks(found, spans, person, unit)
        yield found


def _person(record: dict[str, Any], path: Path, where: str) -> str:
    name = record.get("username", record.get("annotator"))
    return path.stem if name is None else as_text(name, f"{where}: 'username'")


def _span(item: Any, where: str) -> tuple[Found, str | None]:
    if isinstance(item, list):
        if len(item) != 3:
            raise ValueError(f"{where} must be [start, end, label]; got {len(item)} entries.")
        label = as_text(item[2], f"{where}: label")
        return Found(where, *as_bounds(item[0], item[1], where), label), None
    item = as_dict(item, where)
    user = item.get("user")
    label = as_text(item.get("label", ""), f"{where}: 'label'")
    start, end = as_bounds(item.get("start_offset"), item.get("end_offset"), where)
    return Found(where, start, end, label), None if user is None else as_text(user, where)
