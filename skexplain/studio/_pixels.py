"""Pictures for the page: thumbnails, large pictures, and where a model looks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets._picture_pixels import read_picture
from ._pictures import STORED
from ._project import Project

# The larger side of a picture on the page, at most.
_LARGE = 768


def thumbnail(project: Project, number: int) -> bytes:
    """Return what the models are given of a picture, as a PNG file."""
    _check(project, number)
    return png_of(np.asarray(project.X[number]))


def large_picture(project: Project, number: int) -> bytes:
    """Return a picture on the grid of X, a whole number of times finer, as a PNG file.

    Where the file is gone or has changed, or there has never been one, it is the picture in X.
    """
    _check(project, number)
    if project.settings["fit"] is None:
        return thumbnail(project, number)
    height, width = project.data.shape_of(number)
    times = max(1, _LARGE // max(height, width))
    path = Path(project.settings["source"], project.names[number])
    try:
        # The marks are of the picture that was read, and so must be what is shown.
        if path.stat().st_mtime > (project.folder / STORED).stat().st_mtime:
            return thumbnail(project, number)
        shape = (height * times, width * times)
        return png_of(read_picture(path, shape, project.settings["fit"], "RGB", 0).pixels)
    except (OSError, ValueError):
        return thumbnail(project, number)


def _check(project: Project, number: int) -> None:
    project.check(number)
    if project.data.kind != "pictures":
        raise ValueError("The project holds no pictures.")


def png_of(pixels: NDArray[Any]) -> bytes:
    """Return a picture as a PNG file.

    Parameters
    ----------
    pixels : ndarray of shape (n_channels, h, w)
        Three channels are colours, the mean of any others is grey.  Values that are not of type
        uint8 are spread between black and white.

    Returns
    -------
    bytes
    """
    from PIL import Image

    if pixels.dtype != np.uint8:
        low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
        pixels = (255 * (pixels - low) / max(high - low, 1e-30)).astype(np.uint8)
    of_colour = len(pixels) == 3
    shown = np.moveaxis(pixels, 0, -1) if of_colour else pixels.mean(axis=0).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "png")
    return file.getvalue()
