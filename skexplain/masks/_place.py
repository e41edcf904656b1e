"""Marks of a picture, brought to the grid of X: outlines and rasters, by one rule of geometry."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._checks import is_iterable
from ._geometry import ImageGeometry, near
from ._rows import shorten

Fill = Callable[[NDArray, NDArray], None]
# What `load_images` returned, or its ``geometry``.
Like: TypeAlias = Mapping[str, Any] | Sequence[ImageGeometry]


class OutsideError(ValueError):
    """A figure lies outside of what it is drawn on."""


def geometries_of(like: Any, n_rows: int | None = None, what: str = "rows") -> list[ImageGeometry]:
    """Return the geometry of every picture.

    Parameters
    ----------
    like : Bunch or sequence of ImageGeometry
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``.
    n_rows : int or None, default=None
        How many pictures there must be.
    what : str, default="rows"
        What there are so many of, for the error.
    """
    found = like.get("geometry") if isinstance(like, Mapping) else like
    items: list[ImageGeometry] = []
    if isinstance(found, Sequence | np.ndarray) and is_iterable(found):
        items = list(found)
    if not items or not all(isinstance(item, ImageGeometry) for item in items):
        raise ValueError(
            "like must be what skexplain.datasets.load_images returned, or its geometry; got "
            f"{shorten(like)}."
        )
    if len({item.shape for item in items}) > 1:
        raise ValueError("like must have one grid for all pictures; got several shapes.")
    if n_rows is not None and n_rows != len(items):
        raise ValueError(f"like has {len(items)} pictures, but there are {n_rows} {what}.")
    return items


def names_of(like: Any) -> list[str] | None:
    """Return the file names of the pictures, None where `like` does not have them."""
    names = like.get("filenames") if isinstance(like, Mapping) else None
    return None if names is None else [str(name) for name in names]


def shape_or_like(shape: Any, like: Any) -> None:
    """Raise an error unless exactly one of both says what X's grid is."""
    if (shape is None) == (like is None):
        raise TypeError(
            "either shape, the height and width of X's images, or like, what load_images "
            f"returned, must be given; got shape={shape!r} and like={shorten(like)}."
        )


def grid_of(geometries: Sequence[ImageGeometry], shape: Any, resize: str | None) -> tuple[int, int]:
    """Return the height and width of the grid, for builders whose masks have sizes of their own."""
    if shape is not None:
        raise ValueError(f"shape must be None with like, which has it; got {shape!r}.")
    if resize not in (None, "area", "nearest"):
        raise ValueError(f'resize must be "area", "nearest" or None; got {resize!r}.')
    return geometries[0].shape


def with_unknown_padding(
    masks: Iterable[NDArray | None], geometries: Sequence[ImageGeometry | None]
) -> Iterator[NDArray | None]:
    """Yield masks with their padding unknown; those without geometry or mask as they are."""
    for mask, geometry in zip(masks, geometries, strict=True):
        yield mask if mask is None or geometry is None else geometry.without_padding(mask)


def draw(mask: NDArray, geometry: ImageGeometry, points: NDArray, fill: Fill) -> bool:
    """Mark a figure of the upright picture on the grid.

    Parameters
    ----------
    mask : bool ndarray
        Of the grid's shape.
    geometry : ImageGeometry
    points : float64 ndarray of shape (n_points, 2)
        x and y in pixels of the upright picture.
    fill : callable
        ``fill(mask, points)`` marks a figure given in pixels of the mask, and raises an
        OutsideError where it lies outside.

    Returns
    -------
    bool
        False where the figure lies in what was cropped, so that nothing is marked.

    Raises
    ------
    OutsideError
        If the figure lies outside of the picture.
    """
    height, width = geometry.upright_size
    low, high = points.min(axis=0), points.max(axis=0)
    if (high < 0).any() or (low > (width, height)).any():
        raise OutsideError(f"lies outside the image of {height} x {width} (height x width).")
    rows, columns = geometry.inside
    points = geometry.to_grid(points) - (columns.start, rows.start)
    try:
        fill(mask[rows, columns], points)
    except OutsideError:
        if geometry.shows_all:
            raise
        return False
    return True


def place(
    raster: NDArray, geometry: ImageGeometry, method: str = "nearest", *, stored: bool = False
) -> NDArray:
    """Resample a raster of the whole picture to the grid.

    Parameters
    ----------
    raster : ndarray of shape (h, w)
        Marks; bool, or float32 with degrees and NaN.
    geometry : ImageGeometry
    method : {"nearest", "area"}, default="nearest"
        Take the mark below the centre of each pixel of the grid (a region so small that it lies
        below none marks the pixels that it touches), or the mean below the pixel.
    stored : bool, default=False
        Whether the raster is to be turned as the picture is.

    Returns
    -------
    ndarray of the grid's shape
        "nearest" keeps the dtype; "area" gives float32.  The padding is 0.
    """
    if stored:
        raster = geometry.upright(raster)
    if method == "area":
        inside = _mean_below(raster, *geometry.lines(raster.shape, centres=False))
    else:
        centres = geometry.lines(raster.shape, centres=True)
        rows, columns = (
            np.clip(line.astype(np.int64), 0, length - 1)
            for line, length in zip(centres, raster.shape, strict=True)
        )
        inside = raster[np.ix_(rows, columns)]
        if raster.dtype == bool and not inside.any() and raster.any():
            inside = _touched(raster, *geometry.lines(raster.shape, centres=False))
    if not any(geometry.padding):
        return inside
    placed = np.zeros(geometry.shape, dtype=inside.dtype)
    placed[geometry.inside] = inside
    return placed


def _mean_below(raster: NDArray, rows: NDArray, columns: NDArray) -> NDArray[np.float32]:
    """Return the mean over the part of the raster below each pixel; NaN counts as not there."""
    down, across = (
        _overlaps(line, length) for line, length in zip((rows, columns), raster.shape, strict=True)
    )
    unknown = np.isnan(raster)
    marked = down @ np.where(unknown, 0, raster) @ across.T
    known = down @ ~unknown @ across.T
    # Rounding may leave dust where nothing is known, which must not be divided by.
    known[known < 1e-9] = np.nan
    return np.clip(marked / known, 0, 1).astype(np.float32)


def _overlaps(edges: NDArray, length: int) -> NDArray[np.float64]:
    """Return how much of each pixel of the raster lies between each two edges."""
    stop = np.minimum(edges[1:, None], np.arange(1, length + 1))
    start = np.maximum(edges[:-1, None], np.arange(length))
    return np.maximum(stop - start, 0)


def _touched(raster: NDArray, rows: NDArray, columns: NDArray) -> NDArray[np.bool_]:
    """Mark the pixels of the grid on which the marked pixels' centres lie."""
    touched = np.zeros((len(rows) - 1, len(columns) - 1), dtype=bool)
    places = np.argwhere(raster) + 0.5
    row = np.searchsorted(rows, places[:, 0], side="right") - 1
    column = np.searchsorted(columns, places[:, 1], side="right") - 1
    shown = (row >= 0) & (row < touched.shape[0]) & (column >= 0) & (column < touched.shape[1])
    touched[row[shown], column[shown]] = True
    return touched


def fit_to_geometry(
    mask: NDArray, geometry: ImageGeometry, resize: str | None, what: str
) -> NDArray:
    """Resample the mask image of a picture to the grid; which way it is up follows from its size.

    Parameters
    ----------
    mask : ndarray of shape (h, w)
    geometry : ImageGeometry
    resize : {"area", "nearest"} or None
        None: nearest, and a mask must have the size of its picture.
    what : str
        Begins the error, such as "a.png".
    """
    stored = is_stored(mask.shape, geometry, what, any_scale=resize is not None)
    return place(mask, geometry, resize or "nearest", stored=bool(stored))


def is_stored(
    size: tuple[int, int], geometry: ImageGeometry, what: str, *, any_scale: bool
) -> bool | None:
    """Return whether marks were made on the picture as it is stored, judged by their size.

    Parameters
    ----------
    size : tuple of int
        Height and width of what the marks were made on.
    geometry : ImageGeometry
    what : str
        Begins the error.
    any_scale : bool
        Whether the size may be another one of the same proportions.

    Returns
    -------
    bool or None
        None where both sizes are the same, so that the size does not decide.

    Raises
    ------
    ValueError
        If the size is not that of the picture.
    """
    upright, stored = geometry.upright_size, geometry.size
    # A nearly square picture has nearly its own proportions when it is turned: exact sizes first.
    fits = near if any_scale and size not in (upright, stored) else operator.eq
    if fits(size, upright):
        return None if fits(size, stored) else False
    if fits(size, stored):
        return True
    turned = f", stored as {stored[0]} x {stored[1]}" if stored != upright else ""
    hint = "" if any_scale else ' A copy at another size: pass resize="nearest" or "area".'
    raise ValueError(
        f"{what} is {size[0]} x {size[1]} (height x width), but the picture is {upright[0]} x "
        f"{upright[1]}{turned}.{hint}"
    )


def lift(mask: NDArray, geometry: ImageGeometry) -> NDArray:
    """Resample a mask from the grid to the size of the upright picture; what was cropped is 0."""
    height, width = geometry.upright_size
    inside = mask[geometry.inside]
    left, top, right, bottom = geometry.crop
    lifted = np.zeros((height, width), dtype=mask.dtype)
    found = []
    for length, start, stop, n_pixels in (
        (height, top, bottom, inside.shape[0]),
        (width, left, right, inside.shape[1]),
    ):
        centres = np.arange(length) + 0.5
        shown = np.flatnonzero((centres >= start) & (centres < stop))
        places = ((centres[shown] - start) * n_pixels / (stop - start)).astype(np.int64)
        found.append((shown, np.minimum(places, n_pixels - 1)))
    (rows, from_rows), (columns, from_columns) = found
    lifted[np.ix_(rows, columns)] = inside[np.ix_(from_rows, from_columns)]
    return lifted
