"""Pictures for the page: thumbnails, large pictures, and where a model looks."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets._picture_pixels import read_picture
from ._project import Project

# The larger side of a picture on the page, at most.
_LARGE = 768


def thumbnail(project: Project, number: int) -> bytes:
    """Return what the models are given of a picture, as a PNG file."""
    _check(project, number)
    return _png(project.X[number])


def large_picture(project: Project, number: int) -> bytes:
    """Return a picture on the grid of X, a whole number of times finer, as a PNG file.

    Where the file is gone, it is the picture in X.
    """
    _check(project, number)
    height, width = project.data.shape_of(number)
    times = max(1, _LARGE // max(height, width))
    path = Path(project.settings["source"], project.names[number])
    try:
        shape = (height * times, width * times)
        return _png(read_picture(path, shape, project.settings["fit"], "RGB", 0).pixels)
    except (OSError, ValueError):
        return thumbnail(project, number)


def _check(project: Project, number: int) -> None:
    project.check(number)
    if project.data.kind != "pictures":
        raise ValueError("The project holds no pictures.")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.moveaxis(np.asarray(pixels), 0, -1)).save(file, "png")
    return file.getvalue()
