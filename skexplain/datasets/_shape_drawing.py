"""Pictures of triangles, foxes and cats, and where in them the reasons are.

A shape is a comparison of whole numbers over all pixels of all samples at once: equal draws give
equal bytes on every platform.
"""

from typing import Any

import numpy as np

SIDE = 64
SQUARE_SIDE = 6
# Shapes stay this far from the border, so that a square in the outermost columns never touches one.
FRAME = SQUARE_SIDE + 1
LINE_WIDTH = 2

# Smallest and largest of what is drawn, in pixels.
TRIANGLE_HALF_WIDTH = 10, 18
TRIANGLE_HEIGHT = 18, 36
HEAD_RADIUS = 8, 12
BODY_HALF_WIDTH = 8, 14
BODY_HEIGHT = 10, 18

_ROW = np.arange(SIDE)[:, None]
_COLUMN = np.arange(SIDE)


def draw_triangles(
    is_up: np.ndarray, rng: np.random.RandomState, *, filled: bool, cut_out: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw triangles of random size and place.

    Parameters
    ----------
    is_up : bool ndarray of shape (n,)
        Whether the apex points up; else the triangle is turned upside down.
    rng : RandomState
        Draws sizes and places.
    filled : bool
        Whether the shape is filled; else its outline is drawn.
    cut_out : bool
        Whether only the middle vertical slice, a pentagon, is drawn.

    Returns
    -------
    shapes : bool ndarray of shape (n, 64, 64)
        True on the shape.
    reasons : bool ndarray of shape (n, 64, 64)
        True on the rectangle around that slice: the apex, and the middle of the base.
    """
    half_width = _draw(rng, *TRIANGLE_HALF_WIDTH, len(is_up))
    height = _draw(rng, *TRIANGLE_HEIGHT, len(is_up))
    from_top, from_axis = _place(rng, height, half_width)
    from_apex = np.where(is_up[:, None, None], from_top, height - 1 - from_top)
    # Three half planes: two sides that widen from one pixel to the base, and the base.
    inside = (from_axis * (height - 1) <= half_width * from_apex) & (from_apex < height)
    reasons = (from_axis <= half_width // 3) & _between(from_top, -1, height)
    return _render(inside & reasons if cut_out else inside, filled), reasons


def draw_heads(
    is_fox: np.ndarray, rng: np.random.RandomState, *, filled: bool, with_body: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw triangular and round heads, each on a rectangle, of random size and place.

    Parameters
    ----------
    is_fox : bool ndarray of shape (n,)
        Whether the head is a triangle; else it is a circle.  Both fill the same square box.
    rng : RandomState
        Draws sizes and places.
    filled : bool
        Whether head and body are filled; else their outlines are drawn.
    with_body : bool
        Whether the rectangle is drawn.

    Returns
    -------
    shapes : bool ndarray of shape (n, 64, 64)
        True on head and body.
    reasons : bool ndarray of shape (n, 64, 64)
        True on the square around the apex of the triangle, or the upper arc of the circle.
    """
    radius = _draw(rng, *HEAD_RADIUS, len(is_fox))
    half_width = _draw(rng, *BODY_HALF_WIDTH, len(is_fox))
    head_height = 2 * radius + 1
    height = head_height + _draw(rng, *BODY_HEIGHT, len(is_fox))
    from_top, from_axis = _place(rng, height, np.maximum(radius, half_width))
    triangle = (2 * from_axis <= from_top) & (from_top < head_height)
    # r (r + 1) in place of r ** 2 rounds the circle off: no lone pixel sticks out at its poles.
    circle = (from_top - radius) ** 2 + from_axis**2 <= radius * (radius + 1)
    shapes = _render(np.where(is_fox[:, None, None], triangle, circle), filled)
    if with_body:
        body = (from_axis <= half_width) & _between(from_top, head_height, height - 1)
        shapes |= _render(body, filled)
    reach = radius // 2
    reasons = (from_axis <= reach) & _between(from_top, -1, 2 * reach - 1)
    return shapes, reasons


def draw_squares(top: np.ndarray, is_left: np.ndarray) -> np.ndarray:
    """Return masks of squares at the left or right border, from row `top` on."""
    top, is_left = top[:, None, None], is_left[:, None, None]
    left_columns = _COLUMN < SQUARE_SIDE
    return _between(_ROW, top, top + SQUARE_SIDE - 1) & np.where(
        is_left, left_columns, left_columns[::-1]
    )


def _draw(rng: np.random.RandomState, lowest: Any, highest: Any, n: int) -> np.ndarray:
    """Draw whole numbers, both ends included, as a (n, 1, 1) array."""
    # The dtype is said because numpy's default has once been 32 bits wide on some platforms.
    drawn = rng.randint(lowest, np.add(highest, 1), size=n, dtype=np.int64)
    return drawn[:, None, None]


def _place(
    rng: np.random.RandomState, height: np.ndarray, half_width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a place inside the frame.

    Returns
    -------
    from_top : int ndarray of shape (n, 64, 1)
        Row of each pixel, counted from the first row of the shape.
    from_axis : int ndarray of shape (n, 1, 64)
        Distance of each pixel from the middle column of the shape.
    """
    last = SIDE - 1 - FRAME
    n = len(height)
    top = _draw(rng, FRAME, (last - height + 1).ravel(), n)
    axis = _draw(rng, (FRAME + half_width).ravel(), (last - half_width).ravel(), n)
    return _ROW - top, np.abs(_COLUMN - axis)


def _between(values: np.ndarray, lowest: Any, highest: Any) -> np.ndarray:
    return (values >= lowest) & (values <= highest)


def _render(inside: np.ndarray, filled: bool) -> np.ndarray:
    """Return the shape, or what of it is fewer than LINE_WIDTH + 1 steps from the ground."""
    if filled:
        return inside
    core = inside
    for _ in range(LINE_WIDTH):
        steps = [np.roll(core, step, axis) for axis in (1, 2) for step in (-1, 1)]
        core = core & np.logical_and.reduce(steps)  # nothing wraps around: the frame is empty
    return inside & ~core
