"""CVAT for images 1.1: XML."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from .._rows import MAX_PIXELS, shorten
from .._run_lengths import runs_to_mask
from ._fields import as_float, as_int, as_size, floats
from ._shapes import AnnotatedPicture

_WITHOUT_AREA = ("polyline", "points", "cuboid", "skeleton")


def matches(root: Element) -> bool:
    """Whether this is the root of such a file."""
    return root.tag == "annotations"


def read(path: Path, root: Element) -> list[AnnotatedPicture]:
    """Read the pictures of a file."""
    if root.find("track") is not None or root.findtext("meta/task/mode") == "interpolation":
        raise ValueError(
            f'{path} is an export of a video ("CVAT for video"): export the frames as images, '
            '"CVAT for images 1.1".'
        )
    return [_picture(path, image) for image in root.iterfind("image")]


def _picture(path: Path, image: Element) -> AnnotatedPicture:
    name = image.get("name")
    where = f"{path}: image {name!r}"
    size = as_size(image.get("height"), image.get("width"), where)
    picture = AnnotatedPicture(where, name, image.get("id"), size)
    for number, element in enumerate(image):
        here = f"{where}: {element.tag} {number}"
        labels = [element.get("label", "")] if element.get("label") else []
        angle = as_float(element.get("rotation", "0"), f"{here}: 'rotation'")
        if element.tag == "box":
            box = floats(element, "xtl ytl xbr ybr", here)
            picture.add_turned_box(here, labels, box, angle, "centre")
        elif element.tag == "polygon":
            picture.add_polygon(here, labels, _points(element.get("points"), here))
        elif element.tag == "ellipse":
            x, y, radius_x, radius_y = floats(element, "cx cy rx ry", here)
            picture.add_ellipse(here, labels, (x, y), (radius_x, radius_y), angle)
        elif element.tag == "mask":
            left, top, width, height = (
                as_int(element.get(key), f"{here}: {key!r}")
                for key in ("left", "top", "width", "height")
            )
            runs, box_size = element.get("rle"), as_size(height, width, here)
            picture.add_raster(
                here,
                labels,
                partial(_decode, runs, box_size, here),
                (left, top),
            )
        elif element.tag in _WITHOUT_AREA:
            picture.left_out[element.tag] += 1
        elif element.tag != "tag":
            raise ValueError(f"{here} is of a kind that is not known.")
    return picture


def _points(text: str | None, where: str) -> NDArray[np.float64]:
    """Read "x,y;x,y"."""
    pairs = [pair.split(",") for pair in (text or "").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{where}: points must be like '1.5,2;3,4'; got {shorten(text)}.")
    return np.array([[as_float(value, f"{where}: points") for value in pair] for pair in pairs])


def _decode(text: str | None, size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """Read run lengths, row by row, of which the first is unmarked."""
    runs = [as_int(run, f"{where}: rle") for run in (text or "").split(",")]
    height, width = size
    if min(runs) < 0 or sum(runs) > min(height * width, MAX_PIXELS):
        raise ValueError(f"{where}: rle must add up to at most height * width, {height * width}.")
    # What follows the last run is unmarked.
    mask = runs_to_mask([*runs, height * width - sum(runs)])
    if len(runs) % 2:
        mask[sum(runs) :] = False
    return mask.reshape(height, width)
