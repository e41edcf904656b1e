"""VGG Image Annotator, versions 1 and 2: JSON and CSV."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ._fields import as_dict, as_float, as_items, as_text, floats
from ._shapes import AnnotatedPicture

_WITHOUT_AREA = ("point", "polyline", "line")
_COLUMNS = {"region_shape_attributes", "region_attributes"}


def matches(content: Any) -> bool:
    """Whether this is the content of such a file."""
    if not isinstance(content, dict):
        return False
    if "_via_img_metadata" in content or {"project", "metadata", "view"} <= content.keys():
        return True
    return bool(content) and all(
        isinstance(value, dict) and {"filename", "regions"} <= value.keys()
        for value in content.values()
    )


def read(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the pictures of a file."""
    content = as_dict(content, str(path))
    if "view" in content and "metadata" in content:
        raise ValueError(
            f"{path} is a project of VIA 3, which has video and audio, too: export it as COCO, or "
            "use VIA 2."
        )
    where = f"{path}: '_via_img_metadata'"
    entries = as_dict(content.get("_via_img_metadata", content), where)
    pictures = []
    for key, value in entries.items():
        here = f"{path}: {key[:80]!r}"
        entry = as_dict(value, here)
        picture = AnnotatedPicture(here, as_text(entry.get("filename"), f"{here}: 'filename'"))
        regions = entry.get("regions")
        if isinstance(regions, dict):  # version 1
            regions = list(regions.values())
        for number, item in enumerate(as_items(regions, f"{here}: 'regions'")):
            _add_region(picture, f"{here}: region {number}", item)
        pictures.append(picture)
    return pictures


def matches_csv(text: str) -> bool:
    """Whether this is the text of a CSV file of VIA."""
    header = text.partition("\n")[0].lstrip("#").strip().split(",")
    return _COLUMNS.issubset(header)


def read_csv(path: Path, text: str) -> list[AnnotatedPicture]:
    """Read the pictures of a CSV file, a region per line."""
    rows = csv.DictReader(text.lstrip("#").splitlines())
    pictures: dict[str, AnnotatedPicture] = {}
    for number, row in enumerate(rows, start=2):
        where = f"{path}: line {number}"
        name = as_text(row.get("filename"), f"{where}: 'filename'")
        picture = pictures.setdefault(name, AnnotatedPicture(f"{path}: {name!r}", name))
        try:
            parts = {key: json.loads(row.get(f"region_{key}") or "{}") for key in _PARTS}
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where} has a region that is not JSON: {error}") from error
        if parts["shape_attributes"]:  # a picture without a region has an empty line
            _add_region(picture, where, parts)
    return list(pictures.values())


_PARTS = ("shape_attributes", "attributes")


def _add_region(picture: AnnotatedPicture, where: str, item: Any) -> None:
    region = as_dict(item, where)
    shape = as_dict(region.get("shape_attributes"), f"{where}: 'shape_attributes'")
    labels = _labels(region.get("region_attributes", region.get("attributes")))
    kind = as_text(shape.get("name"), f"{where}: 'name'")
    angle = math.degrees(as_float(shape.get("theta") or 0, f"{where}: 'theta'"))
    if kind == "rect":
        x, y, width, height = floats(shape, "x y width height", where)
        picture.add_box(where, labels, (x, y), (x + width, y + height))
    elif kind == "polygon":
        columns = [
            [
                as_float(value, f"{where}: {key!r}")
                for value in as_items(shape.get(key), f"{where}: {key!r}")
            ]
            for key in ("all_points_x", "all_points_y")
        ]
        if len(columns[0]) != len(columns[1]):
            raise ValueError(f"{where} must have an x and a y of each point.")
        picture.add_polygon(where, labels, np.array(columns).T.reshape(-1, 2))
    elif kind == "circle":
        x, y, radius = floats(shape, "cx cy r", where)
        picture.add_ellipse(where, labels, (x, y), (radius, radius))
    elif kind == "ellipse":
        x, y, radius_x, radius_y = floats(shape, "cx cy rx ry", where)
        picture.add_ellipse(where, labels, (x, y), (radius_x, radius_y), angle)
    elif kind in _WITHOUT_AREA:
        picture.left_out[kind] += 1
    else:
        raise ValueError(f"{where} is of a kind that is not known: {kind[:80]!r}.")


def _labels(attributes: Any) -> list[str]:
    """Return the values of all attributes; of checkboxes what was checked."""
    found = []
    for value in attributes.values() if isinstance(attributes, dict) else ():
        if isinstance(value, dict):
            found += [str(key) for key, is_set in value.items() if is_set]
        elif isinstance(value, str | int) and value != "":
            found.append(str(value))
    return found
