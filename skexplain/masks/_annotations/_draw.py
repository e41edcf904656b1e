"""Shapes to masks on the grid of X."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .._figures import check_reach, fill_box, fill_vertices
from .._geometry import ImageGeometry
from .._place import draw, is_stored, place
from .._rasterise import fill_polygon
from ._shapes import AnnotatedPicture, Shape

DRAWN_ON = ("upright", "stored")


def frames(
    pairs: Sequence[tuple[AnnotatedPicture, ImageGeometry]], drawn_on: str | None
) -> list[bool]:
    """Return whether each picture was annotated as it is stored, rather than as it is seen.

    The sizes in the export decide for pictures that lie on their side.  A tool treats all pictures
    alike, so that these speak for the others, whose size decides nothing.
    """
    found, wrong = [], []
    by = {} if drawn_on is None else {drawn_on == "stored": f"drawn_on={drawn_on!r}"}
    for picture, geometry in pairs:
        stored = None
        if picture.size is not None:
            try:
                stored = is_stored(picture.size, geometry, picture.where, any_scale=True)
            except ValueError as error:
                wrong.append(str(error))
        if stored is not None:
            by.setdefault(stored, picture.where)
        found.append(stored)
    if wrong:
        more = f" ({len(wrong)} pictures in all)" if len(wrong) > 1 else ""
        raise ValueError(f"{wrong[0]}{more} Is it the same file?")
    if len(by) > 1:
        raise ValueError(
            f"annotations of one export must be either of pictures as they are stored ({by[True]}) "
            f"or as they are seen, turned by their EXIF orientation ({by[False]})."
        )
    default = next(iter(by), False)
    return [default if stored is None else stored for stored in found]


def draw_picture(
    picture: AnnotatedPicture,
    shapes: Sequence[Shape],
    geometry: ImageGeometry,
    stored: bool,
    report: Counter,
) -> NDArray:
    """Return the mask of a picture, bool, or float32 where a shape has degrees."""
    mask = np.zeros(geometry.shape, dtype=bool)
    for shape in shapes:
        if shape.kind == "raster":
            mark, seen = _draw_raster(picture, shape, geometry, stored)
        else:
            mark, seen = _draw_outline(picture, shape, geometry, stored)
        if not seen:
            report["shapes that lie in what was cropped"] += 1
        mask = mask | mark if mark.dtype == bool == mask.dtype else np.maximum(mask, mark)
    return mask


def _draw_outline(
    picture: AnnotatedPicture, shape: Shape, geometry: ImageGeometry, stored: bool
) -> tuple[NDArray, bool]:
    frame = np.array((geometry.size if stored else geometry.upright_size)[::-1])
    if picture.unit == "share":
        scale = frame
    else:
        scale = frame / (picture.size[::-1] if picture.size else frame)
    outline, *holes = (
        geometry.upright_points(points * scale) if stored else points * scale
        for points in shape.points
    )
    mask, fill = np.zeros(geometry.shape, dtype=bool), fill_vertices
    if shape.kind == "box":  # two corners, which may have been turned
        outline, fill = np.sort(outline, axis=0), fill_box
    try:
        check_reach(outline)
        seen = draw(mask, geometry, outline, fill)
        for hole in holes:
            check_reach(hole)
            mask &= ~_hole(hole, geometry)
    except ValueError as error:
        raise ValueError(f"{shape.where} {error}") from error
    return mask, seen


def _hole(points: NDArray, geometry: ImageGeometry) -> NDArray[np.bool_]:
    """Return what lies in a hole, which may be too thin to hold a pixel's centre."""
    mask = np.zeros(geometry.shape, dtype=bool)
    rows, columns = geometry.inside
    fill_polygon(mask[rows, columns], geometry.to_grid(points) - (columns.start, rows.start))
    return mask


def _draw_raster(
    picture: AnnotatedPicture, shape: Shape, geometry: ImageGeometry, stored: bool
) -> tuple[NDArray, bool]:
    assert shape.raster is not None
    raster = shape.raster()
    size = picture.size or (geometry.size if stored else geometry.upright_size)
    if raster.shape != size or shape.corner != (0, 0):
        left, top = shape.corner
        bottom, right = top + raster.shape[0], left + raster.shape[1]
        if min(left, top) < 0 or bottom > size[0] or right > size[1]:
            raise ValueError(
                f"{shape.where}: pixels reach from x, y = [{left}, {top}] to [{right}, {bottom}], "
                f"outside of the image of {size[0]} x {size[1]} (height x width)."
            )
        whole = np.zeros(size, dtype=raster.dtype)
        whole[top:bottom, left:right] = raster
        raster = whole
    mark = place(raster, geometry, stored=stored)
    return mark, bool(mark.any()) or geometry.shows_all
