"""ERASER: annotations with evidence in tokens, and documents in files beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._annotations._fields import as_dict, as_items, as_text, objects, plain_name
from ._texts import AnnotatedText, Found, add_marks, as_bounds


def matches(first: dict[str, Any]) -> bool:
    """Whether this may be the first record of such a file."""
    return "evidences" in first


class Documents:
    """The documents beside a file of annotations: ``docs.jsonl``, or one file each in ``docs``."""

    def __init__(self, folder: Path, records: Sequence[Any]) -> None:
        self.folder = folder / "docs"
        self.texts: dict[str, str] = {}
        for where, record in objects(list(records), f"{folder / 'docs.jsonl'}: record"):
            name = as_text(record.get("docid"), f"{where}: 'docid'")
            self.texts[name] = as_text(record.get("document"), f"{where}: 'document'")

    def find(self, name: str, where: str) -> str:
        """Return a document by its name, which must not lead out of the folder."""
        if name not in self.texts:
            path = self.folder / plain_name(name, f"{where}: 'docid'")
            try:
                self.texts[name] = path.read_bytes().decode("utf-8")
            except (OSError, ValueError) as error:
                raise ValueError(
                    f"{where}: 'docid' must name a document of docs.jsonl or a file in "
                    f"{self.folder}; got {name!r} ({error})."
                ) from error
        return self.texts[name]


def read(path: Path, records: Sequence[Any], documents: Documents) -> Iterator[AnnotatedText]:
    """Read annotations; several documents of one are joined by line breaks."""
    for number, content in enumerate(records):
        where = f"{path}: record[{number}]"
        record = as_dict(content, where)
        groups = as_items(record.get("evidences"), f"{where}: 'evidences'")
        evidence = [
            item
            for place, group in enumerate(groups)
            for item in objects(group, f"{where}: evidences[{place}]")
        ]
        names = [
            as_text(name, f"{where}: 'docids'")
            for name in as_items(record.get("docids") or [], f"{where}: 'docids'")
        ] or [as_text(item.get("docid"), f"{here}: 'docid'") for here, item in evidence]
        if not names:
            names = [as_text(record.get("annotation_id"), f"{where}: 'annotation_id'")]
        texts = {name: documents.find(name, where) for name in dict.fromkeys(names)}
        found = AnnotatedText(where, "\n".join(texts.values()))
        if "annotation_id" in record:
            found.key = as_text(record["annotation_id"], f"{where}: 'annotation_id'")
        if record.get("classification") is not None:
            found.targets.append(as_text(record["classification"], f"{where}: 'classification'"))
        begin, starts = 0, {}
        for name, text in texts.items():
            starts[name] = begin
            begin += len(text) + 1
        spans = [_span(item, here, texts, starts, found) for here, item in evidence]
        add_marks(found, spans, "", "code_point")
        yield found


def _span(
    item: dict[str, Any],
    where: str,
    texts: dict[str, str],
    starts: dict[str, int],
    record: AnnotatedText,
) -> Found:
    name = as_text(item.get("docid"), f"{where}: 'docid'")
    if name not in texts:
        raise ValueError(f"{where}: 'docid' must be one of {list(texts)}; got {name!r}.")
    first, last = as_bounds(item.get("start_token"), item.get("end_token"), where)
    tokens = [match.span() for match in re.finditer(r"\S+", texts[name])]
    if last > len(tokens):
        raise ValueError(
            f"{where} must lie within its document of {len(tokens)} tokens; got ({first}, {last})."
        )
    start, end = (tokens[first][0], tokens[last - 1][1]) if first < last else (0, 0)
    quote = item.get("text")
    if quote is not None:
        quoted = as_text(quote, f"{where}: 'text'").split()
        if quoted != texts[name][start:end].split():
            record.left_out["evidences whose text differs from their tokens, which are read"] += 1
    return Found(where, starts[name] + start, starts[name] + end, "evidence")
