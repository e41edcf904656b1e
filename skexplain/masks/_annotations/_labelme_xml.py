"""The LabelMe toolbox of MIT: an XML file per picture, with mask images beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ._fields import as_float, as_size, child_text, plain_name, stem_of
from ._images import read_mask_image
from ._shapes import AnnotatedPicture


def matches(root: Element) -> bool:
    """Whether this is the root of such a file."""
    marks = ("imagesize", "object/polygon/pt", "object/segm")
    return root.tag == "annotation" and any(root.find(mark) is not None for mark in marks)


def read(path: Path, root: Element) -> list[AnnotatedPicture]:
    """Read the picture of a file; objects that were deleted in the tool are not there."""
    size = None
    if root.find("imagesize") is not None:
        height, width = (child_text(root, f"imagesize/{key}") for key in ("nrows", "ncols"))
        size = as_size(height, width, str(path))
    folder, name = child_text(root, "folder"), child_text(root, "filename") or stem_of(path)
    picture = AnnotatedPicture(str(path), f"{folder}/{name}" if folder else name, size=size)
    for number, element in enumerate(root.iterfind("object")):
        if child_text(element, "deleted") == "1":
            continue
        where = f"{path}: object {number}"
        label = child_text(element, "name")
        labels = [label] if label else []
        if element.find("segm") is not None:
            mask = plain_name(child_text(element, "segm/mask") or "", f"{where}: mask")
            file = _find(path, mask, folder)
            if file is None:
                picture.left_out["masks whose images are not there"] += 1
                continue
            picture.add_raster(where, labels, partial(_read, file, size))
        elif element.find("polygon") is not None:
            points = [
                [as_float(child_text(point, key), f"{where}: {key}") for key in ("x", "y")]
                for point in element.iterfind("polygon/pt")
            ]
            picture.add_polygon(where, labels, np.array(points).reshape(-1, 2))
        else:
            picture.left_out["objects without an outline"] += 1
    return [picture]


def _read(file: Path, size: tuple[int, int] | None) -> NDArray[np.bool_]:
    return read_mask_image(file.read_bytes(), str(file), size)


def _find(path: Path, name: str, folder: str | None) -> Path | None:
    """Return a mask image: beside the file, or in "Masks" beside it or beside its folder."""
    places = [path.parent, path.parent / "Masks", path.parent.parent / "Masks"]
    if folder and folder == Path(folder).name and folder != "..":
        places += [place / "Masks" / folder for place in path.parents[:3]]
    return next((place / name for place in places if (place / name).is_file()), None)
