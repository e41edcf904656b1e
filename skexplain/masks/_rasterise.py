"""Polygons to pixels, by two rules: pixel centres, and the one that COCO's tools follow.

Both note where the outline crosses the lines of the grid.  Along such a line the inside begins and
ends in turn at the crossings.  Only the part of the image that the outline spans is visited.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._rows import MAX_PIXELS
from ._run_lengths import runs_to_mask

# COCO's outlines are drawn on a grid this many times finer than the pixels.
_FINER = 5

# Up to so many crossings are noted at once; more, line by line, so that none needs to be kept.
_AT_ONCE = 1 << 18

# So many lines share the look-up of the edges that cross one of them.
_LINES = 32


def fill_polygon(mask: NDArray[Any], vertices: NDArray[Any]) -> bool:
    """Mark the pixels whose centres lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    mask : bool ndarray of shape (h, w)
        Where to mark them.
    vertices : float64 ndarray of shape (k, 2)
        x and y in pixels: pixel (i, j) covers x in [j, j + 1) and y in [i, i + 1).

    Returns
    -------
    bool
        Whether there is any.  A centre on the outline counts as inside on the left and upper side
        only.
    """
    height, width = mask.shape
    start, end = _upwards(vertices, np.roll(vertices, -1, axis=0), axis=1)
    (x0, y0), (dx, dy) = start.T, (end - start).T
    left, right = (
        int(_first_centre(side, width)) for side in (vertices[:, 0].min(), vertices[:, 0].max())
    )

    def cross(
        row: Any, x0: NDArray[Any], y0: NDArray[Any], dx: NDArray[Any], dy: NDArray[Any]
    ) -> NDArray[Any]:
        x = row + 0.5 - y0
        x /= dy
        x *= dx
        x += x0
        x -= 0.5
        return np.ceil(x, out=x)

    # An edge owns the centres with y0 <= y < y1, so that a corner is not counted twice.
    bounds = _first_centre(y0, height), _first_centre(end[:, 1], height)
    top, inside = _inside([_Edges(*bounds, (x0, y0, dx, dy), cross)], left, right)
    target = mask[top : top + len(inside), left:right]
    target |= inside
    return bool(inside.any())


def fill_polygon_as_coco(mask: NDArray[Any], vertices: NDArray[Any]) -> bool:
    """Mark the pixels of a polygon that COCO's own tools mark.

    They move the vertices to a grid of fifths of a pixel, walk along each edge there in unit steps
    of its longer direction, rounding the other coordinate, and take the steps that cross the middle
    of a column of pixels; the column's pixels change sides at the next full pixel below.

    Parameters
    ----------
    mask : bool ndarray of shape (h, w)
        Where to mark them.
    vertices : float64 ndarray of shape (k, 2)
        x and y in pixels.

    Returns
    -------
    bool
        Whether there is any.
    """
    height, width = mask.shape
    points = _fine(vertices)
    ends = np.roll(points, -1, axis=0)
    steep = np.abs(points - ends) @ [1, -1] < 0
    # A rounded step may end one above the outline.
    top, bottom = (
        int(np.clip(_first_row(float(y)), 0, height))
        for y in (points[:, 1].min() - 1, points[:, 1].max())
    )
    edges = [
        _flat_edges(points[~steep], ends[~steep], width),
        _steep_edges(points[steep], ends[steep], width),
    ]
    left, inside = _inside(edges, top, bottom)
    target = mask[top:bottom, left : left + len(inside)]
    target |= inside.T
    return bool(inside.any())


def fill_box_as_coco(mask: NDArray[Any], start: NDArray[Any], end: NDArray[Any]) -> None:
    """Mark the pixels of an upright box that COCO's own tools mark, given by its corners (x, y)."""
    (left, top), (right, bottom) = (
        np.maximum(-((2 - _fine(corner)) // _FINER), 0) for corner in (start, end)
    )
    mask[top:bottom, left:right] = True


def _fine(vertices: NDArray[Any]) -> NDArray[np.int64]:
    return (_FINER * vertices + 0.5).astype(np.int64)


def _first_row(y: Any) -> Any:
    """Return the first full pixel at a height on the fine grid.

    The centre of pixel i is at 5 i + 2.
    """
    return np.ceil((y - 2) / _FINER)


class _Edges(NamedTuple):
    """Edges of an outline, and the lines that they cross.

    Attributes
    ----------
    first, stop : int ndarray of shape (k,)
        Edge i crosses the lines first[i] to stop[i] - 1.
    parameters : tuple of float64 ndarray of shape (k,)
        What the edges are.
    cross : callable
        ``cross(line, *parameters)`` returns the first pixel after the crossing, as floats that are
        whole, for some edges; `line` is one number or an array.
    """

    first: np.ndarray
    stop: np.ndarray
    parameters: tuple
    cross: Callable[..., NDArray[Any]]


def _flat_edges(points: NDArray[Any], ends: NDArray[Any], width: int) -> _Edges:
    """Return edges that are wider than high, and where they cross the middles of columns."""
    start, end = _upwards(points, ends, axis=0)
    (x0, y0), (run, rise) = start.T.astype(np.float64), (end - start).T
    slope = rise / np.maximum(run, 1)
    # Of the two steps at the middle the one that is higher in the image.
    x0 = x0 - (slope < 0)

    def cross(column: Any, x0: NDArray[Any], y0: NDArray[Any], slope: NDArray[Any]) -> NDArray[Any]:
        y = _FINER * column + 2 - x0
        y *= slope
        y += y0
        y += 0.5
        return _first_row(np.trunc(y, out=y))

    return _Edges(*_crossed_columns(start[:, 0], end[:, 0], width), (x0, y0, slope), cross)


def _steep_edges(points: NDArray[Any], ends: NDArray[Any], width: int) -> _Edges:
    """Return the same for edges that are higher than wide."""
    start, end = _upwards(points, ends, axis=1)
    left, right = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    (x0, y0), (run, rise) = start.T.astype(np.float64), (end - start).T

    def cross(column: Any, x0: NDArray[Any], y0: NDArray[Any], slope: NDArray[Any]) -> NDArray[Any]:
        target = _FINER * column + 3
        rises = slope > 0
        # The first step that rounds to the other side.  Solving for it may be off by one, so the
        # last word has the rounding itself.
        step = np.ceil((target - 0.5 - x0) / slope) - 2
        for _ in range(3):
            x = slope * step
            x += x0
            x += 0.5
            reached = np.trunc(x, out=x) >= target
            step += reached != rises
        return _first_row(y0 + step - 1)

    bounds = _crossed_columns(left, right, width)
    return _Edges(*bounds, (x0, y0, run / np.maximum(rise, 1)), cross)


def _crossed_columns(
    left: NDArray[Any], right: NDArray[Any], width: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the first column and the one after the last whose middle is crossed.

    The middle lies between 5 j + 2 and 5 j + 3.
    """
    first = np.clip(-((2 - left) // _FINER), 0, width)
    return first, np.clip((right - 3) // _FINER + 1, 0, width)


def _upwards(
    points: NDArray[Any], ends: NDArray[Any], axis: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Swap the two ends of each edge where the coordinate falls."""
    falls = (points[:, axis] > ends[:, axis])[:, None]
    return np.where(falls, ends, points), np.where(falls, points, ends)


def _first_centre(coordinate: Any, length: int) -> Any:
    """Return the first pixel whose centre is at the coordinate or beyond it."""
    return np.clip(np.ceil(coordinate - 0.5), 0, length).astype(np.int64)


def _inside(edges: list[_Edges], low: int, high: int) -> tuple[int, NDArray[np.bool_]]:
    """Return what is inside the outline, on all lines that it crosses.

    Parameters
    ----------
    edges : list of _Edges
    low, high : int
        First pixel of a line that is visited, and the one after the last.

    Returns
    -------
    begin : int
        Number of the first line.
    inside : bool ndarray of shape (lines, high - low)
    """
    edges = [_take(part, part.stop > part.first) for part in edges]
    edges = [part for part in edges if len(part.first)]
    n_crossings = sum(int((part.stop - part.first).sum()) for part in edges)
    if n_crossings > MAX_PIXELS:
        raise ValueError("its outline is too long for the image.")
    if not edges:
        return 0, np.zeros((0, high - low), dtype=bool)
    begin = min(int(part.first.min()) for part in edges)
    end = max(int(part.stop.max()) for part in edges)
    fill = _fill_at_once if n_crossings <= _AT_ONCE else _fill_line_by_line
    return begin, fill(edges, begin, end, low, high)


def _take(edges: _Edges, which: NDArray[Any]) -> _Edges:
    parameters = tuple(values[which] for values in edges.parameters)
    return _Edges(edges.first[which], edges.stop[which], parameters, edges.cross)


def _places(edges: _Edges, line: Any, low: int, high: int) -> NDArray[Any]:
    """Return where edges cross lines, as whole floats counted from `low`."""
    places = edges.cross(line, *edges.parameters)
    np.maximum(places, low, out=places)
    np.minimum(places, high, out=places)
    places -= low
    return places


def _fill_at_once(
    edges: list[_Edges], begin: int, end: int, low: int, high: int
) -> NDArray[np.bool_]:
    """Sort the places of all crossings in the flattened region: they are its run lengths."""
    length, crossings = high - low, []
    for part in edges:
        edge, line = _ranges(part.first, part.stop)
        places = _places(_take(part, edge), line, low, high)
        crossings.append((line - begin) * length + places.astype(np.int64))
    size = (end - begin) * length
    ends = np.concatenate([np.sort(np.concatenate(crossings)), [size]])
    return runs_to_mask(np.diff(ends, prepend=0)).reshape(end - begin, length)


def _fill_line_by_line(
    edges: list[_Edges], begin: int, end: int, low: int, high: int
) -> NDArray[np.bool_]:
    """Count the crossings in front of each pixel: it is inside where they are odd."""
    length = high - low
    inside = np.zeros((end - begin, length), dtype=bool)
    for block in range(begin, end, _LINES):
        lines = range(block, min(block + _LINES, end))
        near = [_take(part, (part.first < lines.stop) & (part.stop > block)) for part in edges]
        for line in lines:
            counts = np.zeros(length + 1, dtype=np.int64)
            for part in near:
                places = _places(part, line, low, high)
                # At the end of the line a crossing changes nothing.
                places[(part.first > line) | (part.stop <= line)] = length
                counts += np.bincount(places.astype(np.int64), minlength=length + 1)
            inside[line - begin] = np.cumsum(counts[:length]) & 1
    return inside


def _ranges(first: NDArray[Any], stop: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the numbers first[k] to stop[k] - 1 of every k, and beside each its k."""
    counts = stop - first
    owner = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, first[owner] + offset
