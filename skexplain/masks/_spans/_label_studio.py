"""Label Studio: labels on text and choices, as JSON or JSON-MIN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._annotations._fields import as_dict, as_items, as_text, objects
from ._texts import AnnotatedText, Found, add_marks, as_bounds


def matches(first: dict[str, Any]) -> bool:
    """Whether this may be the first record of such a file."""
    is_task = isinstance(first.get("data"), dict)
    return "annotation_id" in first or (
        is_task and bool(first.keys() & {"annotations", "predictions", "completions"})
    )


def read(
    path: Path, records: Sequence[Any], unit: str | None, *, predictions: bool = False
) -> Iterator[AnnotatedText]:
    """Read the tasks."""
    for number, content in enumerate(records):
        where = f"{path}: task[{number}]"
        task = as_dict(content, where)
        data, results = (
            _task(task, where, predictions) if "data" in task else _minimal_task(task, where)
        )
        found = AnnotatedText(where, _text(data, [part for _, _, part in results], where))
        key = task.get("id")
        found.key = None if key is None else as_text(key, f"{where}: 'id'")
        guesses = not results and not predictions and bool(task.get("predictions"))
        if guesses:
            found.left_out["tasks with predictions alone (predictions=True reads them)"] += 1
        for here, person, items in results:
            spans: list[Found] = []
            for place, item in objects(items, f"{here}: result"):
                value = as_dict(item.get("value", {}), f"{place}: 'value'")
                for choice in as_items(value.get("choices", []), f"{place}: 'choices'"):
                    found.targets.append(as_text(choice, f"{place}: choice"))
                if value.keys() & {"startOffset", "globalOffsets"}:
                    raise ValueError(
                        f"{place} lies on hypertext or a dialogue: only plain text is read."
                    )
                if value.keys() & {"start", "end"}:
                    spans += _spans(value, place)
                elif "choices" not in value:
                    found.left_out[f"results of type {item.get('type')!r:.40}"] += 1
            add_marks(found, spans, person, unit)
        yield found


_Results = list[tuple[str, str, list[Any]]]


def _task(task: dict[str, Any], where: str, predictions: bool) -> tuple[dict[str, Any], _Results]:
    """Return the data of a task, and the results of each person."""
    annotations = task.get("annotations", task.get("completions")) or []
    if predictions and not annotations:
        annotations = task.get("predictions") or []
    results: _Results = []
    for number, (here, annotation) in enumerate(objects(annotations, f"{where}: annotation")):
        if not annotation.get("was_cancelled"):
            name = annotation.get("completed_by", annotation.get("model_version"))
            person = _person(number if name is None else name, here)
            results.append((here, person, as_items(annotation.get("result", []), here)))
    return as_dict(task.get("data"), f"{where}: 'data'"), results


def _minimal_task(task: dict[str, Any], where: str) -> tuple[dict[str, Any], _Results]:
    """Return data and results of JSON-MIN, where they stand side by side.

    Choices are text there, as other columns are, so that no classes are read.
    """
    items = []
    for name, value in task.items():
        if isinstance(value, list):
            items += [
                {"type": name, "value": item, "to_name": None}
                for item in value
                if isinstance(item, dict) and item.keys() & {"start", "end"}
            ]
    person = _person(task.get("annotator"), where)
    texts = {
        name: value
        for name, value in task.items()
        if isinstance(value, str) and name not in ("created_at", "updated_at", "annotator")
    }
    return texts, [(where, person, items)]


def _person(value: Any, where: str) -> str:
    if isinstance(value, dict):
        value = value.get("email", value.get("id"))
    return "" if value is None else as_text(value, f"{where}: annotator")


def _text(data: dict[str, Any], results: Sequence[list[Any]], where: str) -> str:
    """Return the text of a task, of several the one that was annotated."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    targets = {
        item["to_name"]
        for items in results
        for item in items
        if isinstance(item, dict) and isinstance(item.get("to_name"), str)
    }
    for name in (*sorted(targets), "text"):
        if name in texts:
            return texts[name]
    if len(texts) != 1:
        raise ValueError(
            f"{where} must have one text, called 'text' or as the tag that was annotated; got "
            f"{sorted(texts)}."
        )
    return next(iter(texts.values()))


def _spans(value: dict[str, Any], where: str) -> Iterator[Found]:
    start, end = as_bounds(value.get("start"), value.get("end"), where)
    quote = value.get("text")
    labels = [
        as_text(label, f"{where}: {key!r}")
        for key, names in value.items()
        if key.endswith("labels")
        for label in as_items(names, f"{where}: {key!r}")
    ]
    for label in labels or [""]:
        yield Found(where, start, end, label, None if quote is None else as_text(quote, where))
