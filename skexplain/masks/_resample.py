"""One mask on another grid: nearest pixel, or mean over the area below a pixel."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

# How a mask is brought to another size.
Resize: TypeAlias = Literal["area", "nearest"]


def resample(mask: NDArray[Any], shape: Sequence[int], method: Resize | None) -> NDArray[Any]:
    """Return the mask of one image, or of one channel, on another grid.

    Parameters
    ----------
    mask : ndarray of shape (h, w)
        Bool, or numbers in [0, 1] with NaN for unknown.
    shape : tuple of int
        New height and width.
    method : {"area", "nearest"}

    Returns
    -------
    ndarray of shape `shape`
        "nearest" keeps the dtype, "area" gives float32.
    """
    if mask.shape == tuple(shape):
        return mask
    if method == "nearest":
        rows, columns = (_nearest(old, new) for old, new in zip(mask.shape, shape, strict=True))
        return mask[np.ix_(rows, columns)]
    down, across = (_overlaps(old, new) for old, new in zip(mask.shape, shape, strict=True))
    unknown = np.isnan(mask)
    marked = down @ np.where(unknown, 0, mask) @ across.T
    if unknown.any():
        known = down @ ~unknown @ across.T
        # Rounding may leave dust where nothing is known, which must not be divided by.
        known[known < 1e-9] = np.nan
        marked = marked / known
    return np.clip(marked, 0, 1).astype(np.float32)


def _nearest(old: int, new: int) -> NDArray[Any]:
    """Return the old pixel below the centre of each new one."""
    # Whole numbers: (i + 1/2) * old / new has no exact floor in floating point.
    return (2 * np.arange(new) + 1) * old // (2 * new)


def _overlaps(old: int, new: int) -> NDArray[np.float64]:
    """Return the share of each new pixel (rows) that each old one covers (columns).

    Both grids span the same length, here old * new units: an old pixel is `new` units long and a
    new one `old` units, so that all ends are whole numbers.
    """
    ends = np.arange(1, new + 1)[:, None] * old, np.arange(1, old + 1) * new
    stop = np.minimum(*ends)
    start = np.maximum(ends[0] - old, ends[1] - new)
    return np.maximum(stop - start, 0) / old
