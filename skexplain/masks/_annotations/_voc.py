"""Pascal VOC: an XML file per picture, as LabelImg, CVAT, Label Studio and Roboflow write it."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ._fields import as_float, as_size, child_text, stem_of
from ._shapes import AnnotatedPicture


def matches(root: Element) -> bool:
    """Whether this is the root of such a file."""
    has_boxes = root.find("object/bndbox") is not None or root.find("object/robndbox") is not None
    return root.tag == "annotation" and (has_boxes or root.find("size") is not None)


def read(path: Path, root: Element) -> list[AnnotatedPicture]:
    """Read the picture of a file.

    Corners are edges, as the tools write them, rather than the first and last pixels, counted from
    one, of the challenge itself; these are a pixel apart at most.
    """
    size = None
    # Some tools write 0 x 0 where they have not read the picture.
    if root.find("size") is not None and child_text(root, "size/width") not in ("0", None):
        size = as_size(child_text(root, "size/height"), child_text(root, "size/width"), str(path))
    picture = AnnotatedPicture(str(path), child_text(root, "filename") or stem_of(path), size=size)
    for number, element in enumerate(root.iterfind("object")):  # parts of objects lie deeper
        where = f"{path}: object {number}"
        name = child_text(element, "name")
        labels = [name] if name else []
        outline = element.find("polygon")
        if outline is not None:
            picture.add_polygon(where, labels, _outline(outline, where))
        elif element.find("bndbox") is not None:
            box = _numbers(element, "bndbox", "xmin ymin xmax ymax", where)
            picture.add_box(where, labels, box[:2], box[2:])
        elif element.find("robndbox") is not None:  # roLabelImg
            x, y, width, height, angle = _numbers(element, "robndbox", "cx cy w h angle", where)
            box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
            picture.add_turned_box(where, labels, box, math.degrees(angle), "centre")
        else:
            picture.left_out["objects without a box"] += 1
    return [picture]


def _numbers(element: Element, parent: str, keys: str, where: str) -> list[float]:
    return [
        as_float(child_text(element, f"{parent}/{key}"), f"{where}: {key}") for key in keys.split()
    ]


def _outline(element: Element, where: str) -> np.ndarray:
    """Read x1, y1, x2, y2, ..."""
    values = [as_float((child.text or "").strip(), f"{where}: {child.tag}") for child in element]
    if len(values) % 2:
        raise ValueError(f"{where}: polygon must have an x and a y of each point.")
    return np.array(values).reshape(-1, 2)
