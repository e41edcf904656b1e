"""Prodigy: JSONL of spans and named entities, with the answers of people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._annotations._fields import as_dict, as_items, as_text, objects
from ._texts import AnnotatedText, Found, add_marks, as_bounds


def matches(first: dict[str, Any]) -> bool:
    """Whether this may be the first record of such a file."""
    return "text" in first and bool(first.keys() & {"spans", "answer", "_task_hash", "_input_hash"})


def read(path: Path, records: Sequence[Any], unit: str | None) -> Iterator[AnnotatedText]:
    """Read the records; those that were not accepted have no annotation."""
    for number, content in enumerate(records):
        where = f"{path}: record[{number}]"
        record = as_dict(content, where)
        found = AnnotatedText(where, as_text(record.get("text"), f"{where}: 'text'"))
        if (key := record.get("_input_hash")) is not None:
            found.key = as_text(key, f"{where}: '_input_hash'")
        answer = as_text(record.get("answer", "accept"), f"{where}: 'answer'")
        if answer != "accept":
            found.left_out[f"records with the answer {answer!r}"] += 1
            yield found
            continue
        chosen = as_items(record.get("accept") or [], f"{where}: 'accept'")
        if "label" in record:
            chosen = [*chosen, record["label"]]
        found.targets += [as_text(label, f"{where}: label") for label in chosen]
        person = record.get("_annotator_id", record.get("_session_id"))
        spans = [
            Found(
                here,
                *as_bounds(span.get("start"), span.get("end"), here),
                as_text(span.get("label", ""), f"{here}: 'label'"),
                None if span.get("text") is None else as_text(span["text"], f"{here}: 'text'"),
            )
            for here, span in objects(record.get("spans") or [], f"{where}: span")
        ]
        # Prodigy is written in Python, which counts as we do.
        name = "" if person is None else as_text(person, f"{where}: '_annotator_id'")
        add_marks(found, spans, name, unit or "code_point")
        yield found
