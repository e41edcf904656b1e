"""Votes on tokens, as in HateXplain: each person marks tokens by 1, the others by 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._annotations._fields import as_dict, as_int, as_items, as_text, objects
from ._texts import AnnotatedText, Found, add_marks

# HateXplain asks those who find nothing for no rationale.
_WITHOUT_RATIONALE = "normal"


def matches(first: dict[str, Any]) -> bool:
    """Whether this may be the first record of such a file."""
    return "rationales" in first and bool(first.keys() & {"post_tokens", "tokens"})


def read(path: Path, records: Sequence[Any]) -> Iterator[AnnotatedText]:
    """Read posts; their tokens are joined by spaces."""
    for number, content in enumerate(records):
        where = f"{path}: record[{number}]"
        record = as_dict(content, where)
        name = "post_tokens" if "post_tokens" in record else "tokens"
        tokens = [
            as_text(token, f"{where}: {name!r}")
            for token in as_items(record.get(name), f"{where}: {name!r}")
        ]
        found = AnnotatedText(where, " ".join(tokens))
        if (key := record.get("post_id", record.get("id"))) is not None:
            found.key = as_text(key, f"{where}: 'post_id'")
        people: list[str] = []
        asked: list[str] = []
        annotators = record.get("annotators") or []
        for here, person in objects(annotators, f"{where}: annotator"):
            label = person.get("label")
            people.append(as_text(person.get("annotator_id", len(people)), here))
            if label is not None:
                found.targets.append(as_text(label, f"{here}: 'label'"))
            if label != _WITHOUT_RATIONALE:
                asked.append(people[-1])
        votes = as_items(record.get("rationales"), f"{where}: 'rationales'")
        if len(asked) != len(votes):
            asked = people if len(people) == len(votes) else [str(n) for n in range(len(votes))]
        if len(set(asked)) < len(asked):
            raise ValueError(f"{where}: 'annotators' must have an id each; got {asked}.")
        ends, end = [], 0
        for token in tokens:
            ends.append((end, end + len(token)))
            end += len(token) + 1
        for place, (person_name, marks) in enumerate(zip(asked, votes, strict=True)):
            here = f"{where}: rationales[{place}]"
            add_marks(found, _runs(marks, ends, here), person_name, "code_point")
        yield found


def _runs(marks: Any, ends: Sequence[tuple[int, int]], where: str) -> list[Found]:
    """Return the runs of marked tokens, with the spaces between them."""
    values = [as_int(mark, where) for mark in as_items(marks, where)]
    if len(values) != len(ends) or not {0, 1}.issuperset(values):
        raise ValueError(
            f"{where} must have a 0 or 1 for each of {len(ends)} tokens; got {len(values)} values "
            f"from {min(values, default=0)} to {max(values, default=0)}."
        )
    runs: list[Found] = []
    for position, (start, end) in enumerate(ends):
        if not values[position]:
            continue
        if position and values[position - 1]:
            runs[-1] = runs[-1]._replace(end=end)
        else:
            runs.append(Found(where, start, end, "rationale"))
    return runs
