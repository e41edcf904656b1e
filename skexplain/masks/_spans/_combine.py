"""Spans of several people as those of all: union, majority, degree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

from ..._checks import check_option
from .._rows import as_list, shorten

Combine: TypeAlias = Literal["union", "majority", "degree"]
Spans: TypeAlias = "list[tuple[int, int] | tuple[int, int, float]]"

COMBINE = ("union", "majority", "degree")


def combine_spans(
    annotators: Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]], how: Combine = "union"
) -> list[Spans | None]:
    """Combine what several people have marked in the same texts.

    Parameters
    ----------
    annotators : dict of str to list, or sequence of list
        For each person a list with an entry for each text: spans (start, end) in characters, or
        None where this person has not annotated the text.
    how : {"union", "majority", "degree"}, default="union"
        - "union": what any person has marked;
        - "majority": what more than half of those who annotated the text have marked;
        - "degree": what any person has marked, with the share of people who did, as
          (start, end, degree).

    Returns
    -------
    spans : list of length n_texts
        Sorted spans that do not overlap; None where the text was not annotated.

    Raises
    ------
    ValueError
        If lists are of different lengths, a span is no span, or `how` is unknown.

    See Also
    --------
    read_spans : Reads what annotation tools export.
    span_agreement : How far people agree.

    Examples
    --------
    >>> from skexplain.masks import combine_spans
    >>> anna, ben = [[(0, 4)], None], [[(2, 6)], [(0, 1)]]
    >>> combine_spans([anna, ben])
    [[(0, 6)], [(0, 1)]]
    >>> combine_spans([anna, ben], "degree")
    [[(0, 2, 0.5), (2, 4, 1.0), (4, 6, 0.5)], [(0, 1, 1.0)]]
    """
    check_option("how", how, COMBINE)
    people = check_annotators(annotators)
    return [
        combine_text([spans for spans in of_text if spans is not None], how)
        for of_text in zip(*people, strict=True)
    ]


def check_annotators(annotators: Any) -> list[list[list[tuple[int, int]] | None]]:
    """Check spans of several people, and return them as lists."""
    named = (
        annotators.items()
        if isinstance(annotators, Mapping)
        else enumerate(as_list("annotators", annotators, "a dict or sequence of lists of spans"))
    )
    people = []
    for name, given in named:
        texts = as_list(f"annotators[{name!r}]", given, "a list with spans or None for each text")
        people.append(
            [
                None if spans is None else check_text(spans, f"annotators[{name!r}][{row}]")
                for row, spans in enumerate(texts)
            ]
        )
    if not people:
        raise ValueError("annotators must have the spans of at least one person; got none.")
    if len({len(texts) for texts in people}) > 1:
        lengths = [len(texts) for texts in people]
        raise ValueError(f"annotators must have an entry for each text; got lengths {lengths}.")
    return people


def check_text(spans: Any, where: str) -> list[tuple[int, int]]:
    """Check the spans (start, end) of a text."""
    found = []
    for place, span in enumerate(as_list(where, spans, "a list of spans (start, end)")):
        if not is_span(span) or len(span) != 2:
            raise ValueError(
                f"{where}[{place}] must be (start, end) with 0 <= start < end; got {shorten(span)}."
            )
        found.append((int(span[0]), int(span[1])))
    return found


def is_span(entry: Any) -> bool:
    """Whether this is (start, end), or (start, end, degree) with a degree in [0, 1]."""
    if isinstance(entry, str | bytes) or not hasattr(entry, "__len__"):
        return False
    if len(entry) not in (2, 3) or not hasattr(entry, "__getitem__") or hasattr(entry, "keys"):
        return False
    whole = all(isinstance(end, Integral) and not isinstance(end, bool) for end in entry[:2])
    if not whole or not 0 <= entry[0] < entry[1]:
        return False
    return len(entry) == 2 or (isinstance(entry[2], Real) and 0 <= float(entry[2]) <= 1)


def combine_text(people: Sequence[Iterable[tuple[int, int]]], how: Combine) -> Spans | None:
    """Combine the spans of those who annotated a text; None if there are none."""
    if not people:
        return None
    # At each end of a span, by how many more people the text behind it is marked.
    steps: dict[int, int] = {}
    for spans in people:
        for start, end in _united(spans):
            steps[start] = steps.get(start, 0) + 1
            steps[end] = steps.get(end, 0) - 1
    found: list[tuple[int, int, float]] = []
    count, begin = 0, 0
    for position in sorted(steps):
        share = count / len(people)
        if count and (how != "majority" or share > 0.5):
            degree = share if how == "degree" else 1.0
            if found and found[-1][1:] == (begin, degree):
                found[-1] = (found[-1][0], position, degree)
            else:
                found.append((begin, position, degree))
        count, begin = count + steps[position], position
    return list(found) if how == "degree" else [(start, end) for start, end, _ in found]


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans of a person without overlaps."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
