"""Figures on images: boxes and polygons are turned, checked, and marked in a mask."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._place import OutsideError
from ._rasterise import fill_polygon

# Farther out than any image reaches, and near enough to calculate with.
_FARTHEST = 1e8


def turn(points: NDArray[Any], pivot: NDArray[Any], degrees: float) -> NDArray[Any]:
    """Turn points (x, y) clockwise, as an image is seen, about a point."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return (points - pivot) @ np.array([[cos, sin], [-sin, cos]]) + pivot


def fill_box(mask: NDArray[Any], corners: NDArray[Any]) -> None:
    """Mark a box, given by its corners (x, y) in pixels of the mask."""
    start, end = corners
    size = np.array(mask.shape[::-1])
    start, end = np.maximum(start, 0), np.minimum(end, size)
    if not (start < end).all():
        raise OutsideError(f"lies outside the image of {size[1]} x {size[0]} (height x width).")
    first, stop = (np.ceil(corner - 0.5).astype(int) for corner in (start, end))
    thin = first == stop
    first[thin] = ((start + end) / 2)[thin].astype(int)
    stop[thin] = first[thin] + 1
    mask[first[1] : stop[1], first[0] : stop[0]] = True


def fill_vertices(mask: NDArray[Any], vertices: NDArray[Any]) -> None:
    """Mark a polygon, given by its vertices (x, y) in pixels of the mask."""
    check_reach(vertices)
    if not fill_polygon(mask, vertices):
        size = np.array(mask.shape[::-1])
        near = vertices[((vertices >= 0) & (vertices <= size)).all(axis=1)]
        if not len(near):
            raise OutsideError(f"lies outside the image of {size[1]} x {size[0]} (height x width).")
        # The right and the lower edge of the image belong to its last pixels.
        column, row = np.minimum(near.astype(int), size - 1).T
        mask[row, column] = True


def check_reach(vertices: NDArray[Any]) -> None:
    """Raise an error if coordinates are farther out than any image reaches."""
    if not (np.abs(vertices) <= _FARTHEST).all():
        raise ValueError(f"reaches farther than {_FARTHEST:.0e} pixels.")
