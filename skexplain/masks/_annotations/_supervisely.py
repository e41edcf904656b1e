"""Supervisely: a JSON file per picture, called as the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fields import as_dict, as_int, as_items, as_points, as_size, as_text, objects, stem_of
from ._images import decode_base64, read_mask_image, unpack
from ._shapes import AnnotatedPicture


def matches(content: Any) -> bool:
    """Whether this is the content of such a file."""
    is_video = isinstance(content, dict) and {"objects", "frames"} <= content.keys()
    return is_video or (isinstance(content, dict) and {"objects", "size"} <= content.keys())


def read(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the picture of a file."""
    content = as_dict(content, str(path))
    if "frames" in content or "volumeMeta" in content:
        raise ValueError(f"{path} is an export of a video or a volume; only pictures are read.")
    size = as_dict(content.get("size"), f"{path}: 'size'")
    height, width = as_size(size.get("height"), size.get("width"), str(path))
    picture = AnnotatedPicture(str(path), stem_of(path), size=(height, width))
    for where, item in objects(content.get("objects"), f"{path}: objects"):
        _add(picture, where, item)
    return [picture]


def _add(picture: AnnotatedPicture, where: str, item: dict) -> None:
    kind, label = item.get("geometryType"), item.get("classTitle")
    labels = [] if label is None else [as_text(label, f"{where}: 'classTitle'")]
    if kind == "bitmap":
        bitmap = as_dict(item.get("bitmap"), f"{where}: 'bitmap'")
        origin = as_items(bitmap.get("origin"), f"{where}: 'origin'")
        corner = [as_int(value, f"{where}: 'origin'") for value in origin]
        if len(corner) != 2:
            raise ValueError(f"{where}: 'origin' must be x and y.")
        data = bitmap.get("data")
        picture.add_raster(
            where, labels, lambda: _decode(data, picture.size, where), (corner[0], corner[1])
        )
    elif kind in ("rectangle", "polygon"):
        points = as_dict(item.get("points"), f"{where}: 'points'")
        outline = as_points(points.get("exterior"), f"{where}: 'exterior'")
        if kind == "rectangle":
            if len(outline) != 2:
                raise ValueError(f"{where}: a rectangle must have two points.")
            # The last pixel belongs to the box.
            picture.add_box(where, labels, outline.min(axis=0), outline.max(axis=0) + 1)
            return
        holes = as_items(points.get("interior", []), f"{where}: 'interior'")
        # Corners are pixels, whose centres are drawn through.
        picture.add_polygon(
            where,
            labels,
            outline + 0.5,
            [as_points(hole, f"{where}: 'interior'") + 0.5 for hole in holes],
        )
    else:
        picture.left_out[as_text(kind, f"{where}: 'geometryType'")] += 1


def _decode(data: Any, size: tuple[int, int] | None, where: str) -> NDArray[np.bool_]:
    what = f"{where}: 'data'"
    return read_mask_image(unpack(decode_base64(data, what), what), what, size)
