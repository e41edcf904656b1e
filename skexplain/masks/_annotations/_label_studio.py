"""Label Studio: JSON, JSON-MIN, tasks with predictions."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from ._fields import as_dict, as_float, as_items, as_points, as_size, as_text, floats, objects
from ._images import decode_base64, read_mask_image
from ._label_studio_rle import decode_brush
from ._shapes import AnnotatedPicture

# Results that are about no shape.
_WITHOUT_SHAPE = ("relation", "choices", "textarea", "rating", "taxonomy", "number", "datetime")
_WITHOUT_AREA = ("keypoint", "vector", "line", "magicwand")
_VIDEO = ("video", "timeline", "timeseries", "audio", "paragraph", "hypertext")
_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".dcm", ".svg")


def matches(content: Any) -> bool:
    """Whether this is the content of such a file."""
    if isinstance(content, dict):
        return "result" in content and isinstance(content.get("task"), dict)
    if not isinstance(content, list) or not content or not isinstance(content[0], dict):
        return False
    first = content[0]
    is_task = "data" in first and bool(first.keys() & {"annotations", "predictions", "completions"})
    return is_task or isinstance(first.get("result"), list) or _is_minimal(first)


def _is_minimal(record: dict) -> bool:
    """Whether this is a task of JSON-MIN, whose results stand below the names of their tags."""
    return "annotation_id" in record or any(
        isinstance(value, list)
        and value
        and isinstance(value[0], dict)
        and "original_width" in value[0]
        for value in record.values()
    )


def read(path: Path, content: Any, *, predictions: bool = False) -> list[AnnotatedPicture]:
    """Read the tasks of a file; those without a person's annotation are not annotated."""
    if isinstance(content, dict):  # one annotation, as it is written to a cloud storage
        task = as_dict(content.get("task"), f"{path}: 'task'")
        content = [task | {"annotations": [content]}]
    return [_picture(where, task, predictions) for where, task in objects(content, f"{path}: task")]


def _picture(where: str, task: dict, predictions: bool) -> AnnotatedPicture:
    name, data = None, task.get("data")
    if isinstance(data, dict):
        name = _name_of(data, _targets(task), where)
    elif _is_minimal(task):
        name = _name_of(task, set(), where)
    number = task.get("id")
    picture = AnnotatedPicture(
        where, name, None if number is None else as_text(number, f"{where}: 'id'"), shapes=None
    )
    for here, results in _people(where, task, predictions, picture.left_out):
        if picture.shapes is None:
            picture.shapes = []
        _add_results(picture, here, results)
    return picture


def _people(
    where: str, task: dict, predictions: bool, left_out: Counter
) -> Iterator[tuple[str, list]]:
    """Yield the results of everybody who has annotated a task."""
    if "result" in task:  # a prediction that stands alone
        yield where, as_items(task["result"], f"{where}: 'result'")
        return
    if "data" not in task:
        tags = [key for key, value in task.items() if _is_results(value)]
        yield where, [item for tag in tags for item in task[tag]]
        return
    annotations = task.get("annotations", task.get("completions")) or []
    guesses = task.get("predictions") or []
    if not annotations and guesses and not predictions:
        left_out["tasks with predictions alone (predictions=True reads them)"] += 1
    chosen = guesses if predictions and not annotations else annotations
    for here, annotation in objects(chosen, f"{where}: annotation"):
        if not annotation.get("was_cancelled"):
            yield here, as_items(annotation.get("result", []), f"{here}: 'result'")


def _is_results(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and "original_width" in item for item in value)
    )


def _targets(task: dict) -> set[str]:
    """Return the names of the tags on which results lie."""
    found = set()
    for key in ("annotations", "completions", "predictions"):
        annotations = task.get(key)
        for annotation in annotations if isinstance(annotations, list) else []:
            results = annotation.get("result") if isinstance(annotation, dict) else None
            for result in results if isinstance(results, list) else []:
                if isinstance(result, dict) and isinstance(result.get("to_name"), str):
                    found.add(result["to_name"])
    return found


def _name_of(data: dict, targets: set[str], where: str) -> str | None:
    """Return the file name of a task's picture."""
    names = {
        key: file_of(value)
        for key, value in data.items()
        if isinstance(value, str) and (key == "image" or file_of(value).lower().endswith(_PICTURES))
    }
    for preferred in (*sorted(targets), "image", "img"):
        if preferred in names:
            return names[preferred]
    if len(names) > 1:
        raise ValueError(
            f"{where}: 'data' has several pictures, {sorted(names)}, and nothing says which one "
            "was annotated."
        )
    return next(iter(names.values()), None)


def file_of(url: str) -> str:
    """Return the file that an address stands for: uploads, local storage, clouds."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    local = parse_qs(parts.query).get("d") if "local-files" in parts.path else None
    if local:
        return local[0]
    if parts.scheme and len(parts.scheme) > 1 or url.startswith("/data/"):  # no drive of Windows
        return unquote(parts.path)
    return url


def _add_results(picture: AnnotatedPicture, where: str, results: list) -> None:
    items = list(objects(results, f"{where}: result"))
    # A shape and its label may be two results of one id.
    labels_of: dict[Any, list[str]] = {}
    for here, item in items:
        key = item.get("id")
        if isinstance(key, str):
            labels_of.setdefault(key, []).extend(_labels(_value(item), here))
    for here, item in items:
        kind = as_text(item.get("type", ""), f"{here}: 'type'")
        value = _value(item)
        if kind in _WITHOUT_SHAPE or not value:
            continue
        key = item.get("id")
        labels = labels_of[key] if isinstance(key, str) else _labels(value, here)
        _add(picture, here, item, kind, value, labels)


def _value(item: dict) -> dict:
    """Return what a result says; JSON-MIN has it in the result itself."""
    value = item.get("value", item if "original_width" in item else {})
    return value if isinstance(value, dict) else {}


def _labels(value: dict, where: str) -> list[str]:
    found = []
    for key, names in value.items():
        if key.endswith("labels") and isinstance(names, list):
            found += [as_text(name, f"{where}: {key!r}") for name in names]
    return found


def _add(
    picture: AnnotatedPicture, where: str, item: dict, kind: str, value: dict, labels: list[str]
) -> None:
    if kind.startswith(_VIDEO) or value.keys() & {"sequence", "ranges", "start", "end"}:
        raise ValueError(f"{where} is of type {kind!r}: only pictures are read, no video or text.")
    if kind.startswith(_WITHOUT_AREA) or "vertices" in value:
        picture.left_out[kind or "vector"] += 1
        return
    if as_float(item.get("image_rotation") or 0, f"{where}: 'image_rotation'") % 360:
        raise ValueError(
            f"{where}: the picture was turned in Label Studio (image_rotation), and nothing says "
            "where its marks lie on the file. Turn the file instead."
        )
    if as_float(item.get("item_index") or 0, f"{where}: 'item_index'"):
        raise ValueError(f"{where}: the task has several pictures, of which one is expected.")
    size = as_size(item.get("original_height"), item.get("original_width"), where)
    if picture.size not in (None, size):
        raise ValueError(f"{where} has the size {size}, another result {picture.size}.")
    picture.size = size
    pixels = np.array(size[::-1]) / 100  # of one percent
    if "points" in value:
        outline = as_points(value.get("points"), f"{where}: 'points'") * pixels
        picture.add_polygon(where, labels, outline)
    elif "radiusX" in value:
        x, y, radius_x, radius_y = floats(value, "x y radiusX radiusY", where)
        angle = as_float(value.get("rotation", 0), f"{where}: 'rotation'")
        picture.add_ellipse(where, labels, (x, y) * pixels, (radius_x, radius_y) * pixels, angle)
    elif "rle" in value:
        rle = value["rle"]
        picture.add_raster(where, labels, lambda: decode_brush(rle, size))
    elif "imageDataURL" in value:
        what, data = f"{where}: 'imageDataURL'", value["imageDataURL"]
        picture.add_raster(
            where, labels, lambda: read_mask_image(decode_base64(data, what), what, size)
        )
    elif "width" in value:
        x, y, width, height = floats(value, "x y width height", where)
        left, top = (x, y) * pixels
        right, bottom = (x + width, y + height) * pixels
        angle = as_float(value.get("rotation", 0), f"{where}: 'rotation'")
        picture.add_turned_box(where, labels, (left, top, right, bottom), angle, "corner")
    else:
        picture.left_out[kind or "results of a kind that is not known"] += 1


def bare_name(name: str) -> str:
    """Return a name without the eight characters that an upload gets."""
    head, dash, rest = os.path.basename(name).partition("-")
    is_hash = len(head) == 8 and all(letter in "0123456789abcdef" for letter in head)
    return rest if dash and is_hash and rest else name
