"""LabelMe (the program in Python), AnyLabeling and X-AnyLabeling: a JSON file per picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fields import as_dict, as_items, as_points, as_size, as_text, objects, stem_of
from ._images import decode_base64, read_mask_image
from ._shapes import AnnotatedPicture

_OUTLINES = ("polygon", "rotation", "rectangle", "oriented_rectangle", "quadrilateral")


def matches(content: Any) -> bool:
    """Whether this is the content of such a file."""
    return isinstance(content, dict) and "shapes" in content and "imagePath" in content


def read(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the picture of a file."""
    content, size = as_dict(content, str(path)), None
    if content.get("imageHeight") is not None:
        size = as_size(content["imageHeight"], content.get("imageWidth"), str(path))
    name = content.get("imagePath")
    name = stem_of(path) if not name else as_text(name, f"{path}: 'imagePath'")
    picture = AnnotatedPicture(str(path), name, size=size)
    for where, shape in objects(content.get("shapes"), f"{path}: shapes"):
        _add(picture, where, shape)
    return [picture]


def _add(picture: AnnotatedPicture, where: str, shape: dict) -> None:
    kind = shape.get("shape_type") or "polygon"  # old versions have polygons alone
    label = shape.get("label")
    labels = [] if label in (None, "") else [as_text(label, f"{where}: 'label'")]
    points = as_points(shape.get("points"), f"{where}: 'points'")
    if kind == "rectangle" and len(points) == 2:
        picture.add_box(where, labels, *points)
    elif kind == "circle" and len(points) == 2:
        radius = math.dist(*points)
        picture.add_ellipse(where, labels, points[0], (radius, radius))
    elif kind == "mask" and len(points) == 2:
        corner = np.floor(points.min(axis=0)).astype(int)
        data = shape.get("mask")
        picture.add_raster(
            where,
            labels,
            lambda: _decode(data, picture.size, where),
            (int(corner[0]), int(corner[1])),
        )
    elif kind in _OUTLINES:
        picture.add_polygon(where, labels, points)
    else:
        picture.left_out[as_text(kind, f"{where}: 'shape_type'")] += 1


def _decode(data: Any, size: tuple[int, int] | None, where: str) -> NDArray[np.bool_]:
    if isinstance(data, list):  # AnyLabeling's rows of numbers
        rows = as_items(data, where)
        mask = np.asarray(rows)
        if mask.ndim != 2 or mask.dtype.kind not in "iub":
            raise ValueError(f"{where}: 'mask' must be base64 text or rows of numbers.")
        return mask != 0
    return read_mask_image(decode_base64(data, f"{where}: 'mask'"), f"{where}: 'mask'", size)
