"""What all formats are read into: the shapes of each picture, in coordinates of the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .._figures import turn

# An ellipse is drawn as a polygon of so many corners: its area is .0002 too small.
_N_CORNERS = 180


@dataclass(frozen=True)
class Shape:
    """One shape that was drawn.

    Attributes
    ----------
    where : str
        What errors call it.
    labels : tuple of str
        Its labels; none where it has none.
    kind : {"box", "polygon", "raster"}
        An upright box, an outline, or pixels.
    points : tuple of ndarray of shape (n_points, 2)
        The two corners of a box; the outline of a polygon, and of its holes.
    raster : callable or None
        Returns the pixels, of shape (h, w): bool, or degrees in [0, 1].  Called only once the
        picture is found, so that nothing is unpacked that is not needed.
    corner : tuple of int
        Left and top of the pixels in the picture.
    """

    where: str
    labels: tuple[str, ...]
    kind: str
    points: tuple[NDArray[np.float64], ...] = ()
    raster: Callable[[], NDArray] | None = None
    corner: tuple[int, int] = (0, 0)


@dataclass
class AnnotatedPicture:
    """A picture in an export.

    Attributes
    ----------
    where : str
        What errors call it.
    name : str or None
        Name of its file, perhaps with folders; or the last part of it, without its ending.
    number : str or None
        Its id.
    size : tuple of int or None
        Height and width of what was drawn on; None where the export does not have it.
    shapes : list of Shape or None
        None where it is not annotated.
    unit : {"pixel", "share"}
        What coordinates are.
    left_out : Counter
        How many shapes of which kinds have no area or cannot be read.
    """

    where: str
    name: str | None
    number: str | None = None
    size: tuple[int, int] | None = None
    shapes: list[Shape] | None = field(default_factory=list)
    unit: str = "pixel"
    left_out: Counter = field(default_factory=Counter)

    def add_box(self, where: str, labels: Sequence[str], start: object, end: object) -> None:
        """Add an upright box, given by two opposite corners (x, y)."""
        corners = np.sort(np.array([start, end], dtype=np.float64), axis=0)
        if (corners[0] == corners[1]).any():
            self.left_out["boxes without an area"] += 1
        else:
            self._add(Shape(where, tuple(labels), "box", (corners,)))

    def add_turned_box(
        self, where: str, labels: Sequence[str], box: Sequence[float], degrees: float, pivot: str
    ) -> None:
        """Add a box (left, top, right, bottom) that is turned clockwise.

        It is turned about its "corner", the upper left one, or about its "centre".
        """
        left, top, right, bottom = box
        if degrees % 360 == 0:
            self.add_box(where, labels, (left, top), (right, bottom))
            return
        corners = np.array([(left, top), (left, bottom), (right, bottom), (right, top)])
        about = corners[0] if pivot == "corner" else corners.mean(axis=0)
        self.add_polygon(where, labels, turn(corners, about, degrees))

    def add_polygon(
        self,
        where: str,
        labels: Sequence[str],
        outline: NDArray[np.float64],
        holes: Sequence[NDArray[np.float64]] = (),
    ) -> None:
        """Add an outline and its holes, each of shape (n_points, 2)."""
        if len(outline) < 3:
            self.left_out["polygons of less than three points"] += 1
            return
        rings = (outline, *(hole for hole in holes if len(hole) > 2))
        self._add(Shape(where, tuple(labels), "polygon", rings))

    def add_ellipse(
        self,
        where: str,
        labels: Sequence[str],
        centre: Sequence[float],
        radii: Sequence[float],
        degrees: float = 0,
    ) -> None:
        """Add an ellipse that is turned clockwise about its centre."""
        if not min(radii) > 0:
            self.left_out["ellipses without an area"] += 1
            return
        angles = np.arange(_N_CORNERS) * (2 * np.pi / _N_CORNERS)
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + centre
        self.add_polygon(where, labels, turn(outline, np.array(centre), degrees))

    def add_raster(
        self,
        where: str,
        labels: Sequence[str],
        raster: Callable[[], NDArray],
        corner: tuple[int, int] = (0, 0),
    ) -> None:
        """Add pixels."""
        self._add(Shape(where, tuple(labels), "raster", raster=raster, corner=corner))

    def _add(self, shape: Shape) -> None:
        assert self.shapes is not None
        self.shapes.append(shape)
