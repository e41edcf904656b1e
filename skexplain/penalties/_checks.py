"""Checks of the parameters of penalties, which name the parameter and what is legal."""

import math
from typing import Any

import numpy as np

from .._checks import check_count, check_flag, check_number, check_option

__all__ = [
    "check_box",
    "check_count",
    "check_fill",
    "check_flag",
    "check_layer",
    "check_number",
    "check_option",
]


def check_layer(name: str, value: Any, optional: bool = True) -> None:
    """Check that a value is the name of a layer (or None)."""
    if not isinstance(value, str) and not (optional and value is None):
        kind = "a string or None" if optional else "a string"
        raise ValueError(f"{name} must be {kind}, got {value!r}.")


def check_box(epsilon: float, clip: Any) -> None:
    """Check that a clip is a range, and a finite one where the radius is infinite."""
    bounded = isinstance(clip, str)
    if bounded:
        check_option("clip", clip, ("data",))
    elif clip is not None:
        bounded = all(map(math.isfinite, _check_range(clip)))
    if math.isinf(epsilon) and not bounded:
        raise ValueError(
            f'epsilon may be infinite only with a finite clip, e.g. clip="data"; got '
            f"epsilon={epsilon} with clip={clip!r}."
        )


def _check_range(pair: Any) -> tuple[float, float]:
    try:
        lower, upper = map(float, pair)
    except (TypeError, ValueError):
        lower, upper = math.nan, math.nan
    if not lower < upper:
        raise ValueError(f"clip must be a pair of numbers, the lower first; got {pair!r}.")
    return lower, upper


def check_fill(name: str, fill: Any, row_shape: tuple[int, ...]) -> None:
    """Check that a fill is a finite number, "mean" or an array that broadcasts to a sample."""
    if isinstance(fill, str) and fill == "mean":
        return
    row = (1, *row_shape)
    try:
        values = np.asarray(fill, dtype=np.float32)
        fits = np.broadcast_shapes(values.shape, row) == row
    except (TypeError, ValueError):
        fits = False
    if not fits or not np.isfinite(values).all():
        raise ValueError(
            f'{name} must be a finite number, "mean" or an array that broadcasts to samples of '
            f"shape {tuple(row_shape)}; got {fill!r}."
        )
