"""Polygons to pixels, by two rules: pixel centres, and the one that COCO's tools follow.

Both go over the outline once and note where it crosses the lines of the grid.  Along such a line
the inside begins and ends in turn at the crossings, so that their sorted places in the flattened
image are its run lengths.
"""

import numpy as np

from ._rows import MAX_PIXELS
from ._run_lengths import runs_to_mask

# COCO's outlines are drawn on a grid this many times finer than the pixels.
_FINER = 5


def fill_polygon(vertices, shape):
    """Mark the pixels whose centres lie inside a polygon, by the even-odd rule.

    Parameters
    ----------
    vertices : float64 ndarray of shape (k, 2)
        x and y in pixels: pixel (i, j) covers x in [j, j + 1) and y in [i, i + 1).
    shape : tuple of int
        Height and width.

    Returns
    -------
    bool ndarray of shape `shape`
        A centre on the outline counts as inside on the left and upper side only.
    """
    height, width = shape
    start, end = _upwards(vertices, np.roll(vertices, -1, axis=0), axis=1)
    # An edge owns the centres with y0 <= y < y1, so that a corner is not counted twice.
    edge, row = _ranges(_first_centre(start[:, 1], height), _first_centre(end[:, 1], height))
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    x = x0 + (row + 0.5 - y0) / (y1 - y0) * (x1 - x0)
    crossings = row * width + _first_centre(x, width)
    return _from_crossings(crossings, height * width).reshape(shape)


def fill_polygon_as_coco(vertices, shape):
    """Mark the pixels of a polygon that COCO's own tools mark.

    They move the vertices to a grid of fifths of a pixel, walk along each edge there in unit steps
    of its longer direction, rounding the other coordinate, and take the steps that cross the middle
    of a column of pixels; the column's pixels change sides at the next full pixel below.

    Parameters
    ----------
    vertices : float64 ndarray of shape (k, 2)
        x and y in pixels.
    shape : tuple of int
        Height and width.

    Returns
    -------
    bool ndarray of shape `shape`
    """
    height, width = shape
    points = (_FINER * vertices + 0.5).astype(np.int64)
    ends = np.roll(points, -1, axis=0)
    steep = np.abs(points - ends) @ [1, -1] < 0
    columns, heights = zip(
        _cross_flat(points[~steep], ends[~steep], width),
        _cross_steep(points[steep], ends[steep], width),
        strict=True,
    )
    column, y = np.concatenate(columns), np.concatenate(heights)
    # From the fine grid to full pixels: the centre of pixel i is 5 i + 2.
    row = np.clip(-((2 - y) // _FINER), 0, height)
    return _from_crossings(column * height + row, height * width).reshape(width, height).T


def _cross_flat(points, ends, width):
    """Return columns and fine heights where edges that are wider than high cross column middles."""
    start, end = _upwards(points, ends, axis=0)
    edge, column = _crossed_columns(start[:, 0], end[:, 0], width)
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    slope = (y1 - y0) / (x1 - x0)
    step = _FINER * column + 2 - x0
    before, after = ((y0 + slope * t + 0.5).astype(np.int64) for t in (step, step + 1))
    return column, np.minimum(before, after)


def _cross_steep(points, ends, width):
    """Return the same for edges that are higher than wide."""
    start, end = _upwards(points, ends, axis=1)
    left, right = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    edge, column = _crossed_columns(left, right, width)
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    slope = (x1 - x0) / (y1 - y0)
    target = _FINER * column + 3
    # The first step that rounds to the other side.  Solving for it may be off by one, so the last
    # word has the rounding itself.
    step = np.ceil((target - 0.5 - x0) / slope).astype(np.int64) - 2
    for _ in range(3):
        reached = (x0 + slope * step + 0.5).astype(np.int64) >= target
        step += reached != (slope > 0)
    return column, y0 + step - 1


def _crossed_columns(left, right, width):
    """Return edges and the columns whose middle, between 5 j + 2 and 5 j + 3, they cross."""
    first = np.clip(-((2 - left) // _FINER), 0, width)
    stop = np.clip((right - 3) // _FINER + 1, 0, width)
    return _ranges(first, stop)


def _upwards(points, ends, axis):
    """Swap the two ends of each edge where the coordinate falls."""
    falls = (points[:, axis] > ends[:, axis])[:, None]
    return np.where(falls, ends, points), np.where(falls, points, ends)


def _first_centre(coordinate, length):
    """Return the first pixel whose centre is at the coordinate or beyond it."""
    return np.clip(np.ceil(coordinate - 0.5), 0, length).astype(np.int64)


def _ranges(first, stop):
    """Return the numbers first[k] to stop[k] - 1 of every k, and beside each its k."""
    counts = np.maximum(stop - first, 0)
    if counts.sum() > MAX_PIXELS:
        raise ValueError("its outline is too long for the image.")
    owner = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, first[owner] + offset


def _from_crossings(crossings, size):
    ends = np.concatenate([np.sort(crossings), [size]])
    return runs_to_mask(np.diff(ends, prepend=0))
