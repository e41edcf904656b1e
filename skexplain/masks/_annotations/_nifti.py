"""NIfTI label images of single pictures, as ITK-SNAP, 3D Slicer and nnU-Net write them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fields import as_size, stem_of
from ._shapes import AnnotatedPicture

# What has more values is no label image.
_MOST_LABELS = 256


def load(path: Path) -> Any:
    """Open a file; its pixels are read later."""
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            f'{path} is a NIfTI file, which needs nibabel; the extra "formats" brings it: '
            'pip install "skexplain[formats]"'
        ) from error
    try:
        return nibabel.load(path)
    except Exception as error:  # a broken file makes nibabel raise nearly anything
        raise ValueError(f"{path} is not a NIfTI file: {error}") from error


def read(path: Path, image: Any) -> list[AnnotatedPicture]:
    """Read the labels of a file: its first axis is x, its second y, as those tools write pictures.

    Labels have no names: they are called by their numbers.
    """
    sides = [int(side) for side in image.shape if side != 1]
    if len(image.shape) <= 2:
        sides = [int(side) for side in image.shape]
    if len(sides) != 2:
        raise ValueError(
            f"{path} is a volume of shape {tuple(image.shape)}; only single pictures are read."
        )
    size = as_size(sides[1], sides[0], str(path))
    picture = AnnotatedPicture(str(path), stem_of(path), size=size)
    for label in np.unique(_labels(path, image)):
        if label:
            # Read again where it is drawn: the pixels of all files need not fit into memory.
            picture.add_raster(
                f"{path}: label {label}",
                [str(label)],
                partial(_pixels_of, label, path, image, sides),
            )
    return [picture]


def _pixels_of(label: int, path: Path, image: Any, sides: list[int]) -> NDArray[np.bool_]:
    """Return where a picture has a label, row by row."""
    return np.equal(label, _labels(path, image)).reshape(sides).T


def _labels(path: Path, image: Any) -> NDArray[np.int64]:
    try:
        values = np.asanyarray(image.dataobj)
    except Exception as error:
        raise ValueError(f"{path}: its pixels cannot be read: {error}") from error
    is_whole = values.dtype.kind in "iub" or (
        values.dtype.kind == "f" and np.isfinite(values).all() and (values % 1 == 0).all()
    )
    if not is_whole or len(np.unique(values)) > _MOST_LABELS:
        raise ValueError(f"{path} is no label image: it has fractions or more than 256 values.")
    return values.astype(np.int64)
