"""YOLO: a text file per picture, a shape per line, in shares of the picture."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from .._units import check_reach_in_unit
from ._fields import as_float, stem_of
from ._shapes import AnnotatedPicture

_NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")


def matches(text: str) -> bool:
    """Whether this is the text of such a file; a picture without a shape has an empty one."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return all(len(line) > 4 and line[0].isdigit() and _is_number(line[1]) for line in lines)


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def read(path: Path, text: str) -> list[AnnotatedPicture]:
    """Read the picture of a file; classes have their names of a file beside it, else numbers."""
    names = _class_names(path)
    picture = AnnotatedPicture(str(path), stem_of(path), unit="share")
    for number, line in enumerate(text.splitlines(), start=1):
        values = line.split()
        if not values:
            continue
        where = f"{path}: line {number}"
        if len(values) < 5 or not values[0].isdigit():
            raise ValueError(f"{where} must be a class and 4 or more numbers; got {line[:80]!r}.")
        label = values[0].lstrip("0") or "0"
        labels = [names.get(label, label)]
        numbers = np.array([as_float(value, where) for value in values[1:]])
        if len(numbers) > 5 and len(numbers) % 2 == 0:
            outline = numbers.reshape(-1, 2)
            _check_shares(outline, where)
            picture.add_polygon(where, labels, outline)
        elif len(numbers) in (4, 5):  # the fifth is how sure a model was
            centre, half = numbers[:2], numbers[2:4] / 2
            _check_shares(np.array([centre - half, centre + half]), where)
            picture.add_box(where, labels, centre - half, centre + half)
        else:
            raise ValueError(
                f"{where} has {len(numbers)} numbers behind the class: neither a box (4) nor "
                "points (x, y) of an outline."
            )
    return [picture]


def _check_shares(points: np.ndarray, where: str) -> None:
    try:
        check_reach_in_unit(points, "share")
    except ValueError as error:
        raise ValueError(
            f"{where} must hold shares of the picture, from 0 to 1, of a box or an outline; it "
            f"reaches from {points.min():g} to {points.max():g}. Pixels and key points are not "
            "read."
        ) from error


def _class_names(path: Path) -> dict[str, str]:
    """Return names by number, of a file beside the labels or up to three folders above."""
    for folder in list(path.parents)[:4]:
        for name in _NAMES:
            if (folder / name).is_file():
                text = (folder / name).read_text(encoding="utf-8-sig", errors="replace")
                if name.endswith(".yaml"):
                    return names_of_yaml(text, str(folder / name))
                lines = [line.strip() for line in text.splitlines()]
                return {str(number): line for number, line in enumerate(lines) if line}
    return {}


def names_of_yaml(text: str, where: str) -> dict[str, str]:
    """Return the class names in a data.yaml: a list or a mapping, in lines or in brackets."""
    lines = [line.rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    start = next((i for i, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return {}
    rest = lines[start].partition(":")[2].strip()
    if rest:  # in brackets, perhaps over several lines
        flow = " ".join([rest, *lines[start + 1 :]])
        end = flow.find("]" if flow.startswith("[") else "}")
        items = [item.strip() for item in flow[1:end].split(",") if item.strip()]
        if end < 0 or flow[0] not in "[{":
            raise ValueError(f"{where}: 'names' must be a list or a mapping; got {rest[:80]!r}.")
    else:
        block = []
        for line in lines[start + 1 :]:
            if line and not line.startswith((" ", "-", "\t")):
                break
            block.append(line.strip())
        items = [item for item in block if item]
    names = {}
    for number, item in enumerate(items):
        key, colon, value = item.partition(":")
        if item.startswith("- "):
            names[str(number)] = _unquote(item[2:])
        elif colon and key.strip().strip("'\"").isdigit():
            names[key.strip().strip("'\"")] = _unquote(value)
        elif rest.startswith("["):
            names[str(number)] = _unquote(item)
        else:
            raise ValueError(f"{where}: 'names' must be a list or a mapping; got {item[:80]!r}.")
    return names


def _unquote(text: str) -> str:
    text = text.strip()
    if text[:1] == '"' and text[-1:] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text
