"""COCO and SAM, whose regions are drawn by the rule of COCO's own tools."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _coco as coco
from .._coco_regions import draw_region, outlines_of
from .._run_lengths import decode_rle
from .._units import are_shares, shares_error
from ._fields import as_dict, as_size, as_text, objects
from ._shapes import AnnotatedPicture


def matches(content: Any) -> bool:
    """Whether this is the content of a COCO file."""
    return isinstance(content, dict) and {"images", "annotations"} <= content.keys()


def matches_sam(content: Any) -> bool:
    """Whether this is the content of a file of SA-1B or of Segment Anything."""
    return isinstance(content, dict) and {"image", "annotations"} <= content.keys()


def read(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the pictures of a COCO file."""
    source, names = str(path), {}
    content = as_dict(content, source)
    if content.get("categories"):
        for name, record in coco._entries(content, "categories", source):
            number = coco._id(record, "id", name)
            names[number] = as_text(record.get("name", number), f"{name}: 'name'")
    pictures = {
        number: AnnotatedPicture(f"{source}: image id {number!r}", file_name, str(number), size)
        for number, (file_name, size) in coco._read_images(content, source).items()
    }
    records = coco._records_by_image(content, source, pictures, None, True)
    _refuse_shares(records, pictures, source)
    for number, items in records.items():
        picture = pictures[number]
        for where, record in items:
            category = record.get("category_id")
            label = names.get(category) if isinstance(category, int | str) else None
            _add(picture, where, record, [] if label is None else [label])
    return list(pictures.values())


def _refuse_shares(records: dict, pictures: dict[Any, AnnotatedPicture], source: str) -> None:
    """Raise an error if all coordinates lie within one pixel, as those of Azure ML do."""
    outlines = [
        outline
        for number, items in records.items()
        for where, record in items
        for outline in coco._blame(where, outlines_of, record, "segmentation") or ()
        if max(pictures[number].size or (1, 1)) > 1
    ]
    if outlines and all(are_shares(outline) for outline in outlines):
        raise shares_error(f"{source}: coordinates of all regions")


def _add(picture: AnnotatedPicture, where: str, record: dict, labels: list[str]) -> None:
    size = picture.size
    assert size is not None

    def raster() -> NDArray[np.bool_]:
        mask = np.zeros(size, dtype=bool)
        coco._blame(where, draw_region, mask, record, "segmentation", "pixel")
        return mask

    picture.add_raster(where, labels, raster)


def read_sam(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the picture of a SAM file; its regions have no labels."""
    where, content = f"{path}: image", as_dict(content, str(path))
    image = as_dict(content.get("image"), where)
    size = as_size(image.get("height"), image.get("width"), where)
    name, number = image.get("file_name"), image.get("image_id")
    picture = AnnotatedPicture(
        where,
        None if name is None else as_text(name, f"{where}: 'file_name'"),
        None if number is None else as_text(number, f"{where}: 'image_id'"),
        size,
    )
    for here, record in objects(content.get("annotations"), f"{path}: annotations"):
        runs = as_dict(record.get("segmentation"), f"{here}: 'segmentation'")
        picture.add_raster(here, [], partial(coco._blame, here, decode_rle, runs))
    return [picture]
