"""The intermediate form of all formats: a text, and what people have marked in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .._annotations._fields import as_int
from .._rows import shorten

OFFSET_UNITS = ("code_point", "utf16")


class Mark(NamedTuple):
    """A span that a person has marked, in characters of the text, `end` exclusive."""

    start: int
    end: int
    label: str
    annotator: str


@dataclass
class AnnotatedText:
    """A record of an export.

    Parameters
    ----------
    where : str
        What errors call the record.
    text : str
        The text.
    key : str or None
        Identity of the text: records of one key and one text are those of several people.
    annotators : list of str
        Who has annotated the text, also without a mark; it was not annotated where it is empty.
    marks : list of Mark
        What they marked.
    targets : list of str
        Classes of the whole text, one of each person who gave one.
    left_out : Counter
        What cannot be a span, by kind.
    """

    where: str
    text: str
    key: str | None = None
    annotators: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


class Found(NamedTuple):
    """A span as it stands in a file: in units of the tool, with the text it covers if given."""

    where: str
    start: int
    end: int
    label: str
    quote: str | None = None


def as_bounds(start: Any, end: Any, where: str) -> tuple[int, int]:
    """Return the two ends of a span, whole numbers in order."""
    first, last = as_int(start, f"{where}: start"), as_int(end, f"{where}: end")
    if first < 0 or last < first:
        raise ValueError(f"{where} must have 0 <= start <= end; got {first} and {last}.")
    return first, last


def add_marks(
    record: AnnotatedText, found: Iterable[Found], annotator: str, unit: str | None
) -> None:
    """Add the spans of a person to a record, in characters of its text.

    Parameters
    ----------
    record : AnnotatedText
        Changed in place.
    found : iterable of Found
        Spans in units of the tool.
    annotator : str
        Who has marked them.
    unit : {"code_point", "utf16"} or None
        What the tool counts.  None: what fits the quoted texts; where nothing is quoted, it must
        not matter.
    """
    spans = list(found)
    places = _places(record, spans, unit)
    if annotator not in record.annotators:
        record.annotators.append(annotator)
    for span, (start, end) in zip(spans, places, strict=True):
        if start == end:
            record.left_out["empty spans"] += 1
        else:
            record.marks.append(Mark(start, end, span.label, annotator))


def _places(
    record: AnnotatedText, spans: Sequence[Found], unit: str | None
) -> list[tuple[int, int]]:
    """Return the spans of a record in characters, as the unit says or as quoted texts decide."""
    text = record.text
    readings = {name: _boundaries(text, name) for name in ([unit] if unit else OFFSET_UNITS)}
    fitting: dict[str, list[tuple[int, int]]] = {}
    for name, boundaries in readings.items():
        if all(max(span.start, span.end) < len(boundaries) for span in spans):
            fitting[name] = [(boundaries[span.start], boundaries[span.end]) for span in spans]
    if not fitting:
        widest = max(map(len, readings.values())) - 1
        first = next(span for span in spans if span.end > widest or len(readings) == 1)
        raise ValueError(
            f"{first.where} must lie within its text of {len(text)} characters; got "
            f"({first.start}, {first.end})."
        )
    quoted = {
        name: places
        for name, places in fitting.items()
        if all(_is_quote(span, text[slice(*at)]) for span, at in zip(spans, places, strict=True))
    }
    if not quoted:
        return _places_of_browser(record, spans, next(iter(fitting.values())))
    if len({tuple(places) for places in quoted.values()}) > 1:
        raise ValueError(
            f"{record.where}: the text has characters such as emoji, which tools count as one or "
            f'as two, and nothing shows which: pass offset_unit="code_point" or "utf16".'
        )
    return next(iter(quoted.values()))


def _places_of_browser(
    record: AnnotatedText, spans: Sequence[Found], places: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return spans that were counted where a line break of two characters was one."""
    text = record.text
    for name in OFFSET_UNITS:
        boundaries = _boundaries(text, name, one_line_break=True)
        if all(span.end < len(boundaries) for span in spans):
            there = [(boundaries[span.start], boundaries[span.end]) for span in spans]
            if all(
                _is_quote(span, text[slice(*at)]) for span, at in zip(spans, there, strict=True)
            ):
                return there
    wrong, (start, end) = next(
        (span, at)
        for span, at in zip(spans, places, strict=True)
        if not _is_quote(span, text[slice(*at)])
    )
    raise ValueError(
        f"{wrong.where}: the export says that the span covers {shorten(wrong.quote)}, but the text "
        f"has {shorten(text[start:end])} at ({wrong.start}, {wrong.end})."
    )


def _boundaries(text: str, unit: str, *, one_line_break: bool = False) -> list[int]:
    """Return the position in characters of each position in units; the end included."""
    found = []
    for position, character in enumerate(text):
        if one_line_break and character == "\n" and text[position - 1 : position] == "\r":
            continue
        found.append(position)
        if unit == "utf16" and character > "\uffff":
            found.append(position)  # between the two halves
    return [*found, len(text)]


def _is_quote(span: Found, text: str) -> bool:
    return span.quote is None or _bare(span.quote) == _bare(text)


def _bare(text: str) -> str:
    """Return a text without white space, which tools write in many ways."""
    return re.sub(r"\s|\\[nrt]", "", text)


def unite(records: Iterable[AnnotatedText]) -> list[AnnotatedText]:
    """Unite the records of one text by several people."""
    united: list[AnnotatedText] = []
    by_text: dict[tuple[str, str], AnnotatedText] = {}
    for record in records:
        first = record
        if record.key is not None:
            first = by_text.setdefault((record.key, record.text), record)
        if first is record:
            united.append(record)
            continue
        first.annotators += [name for name in record.annotators if name not in first.annotators]
        first.marks += record.marks
        first.targets += record.targets
        first.left_out.update(record.left_out)
    return united
