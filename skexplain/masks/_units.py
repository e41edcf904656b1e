"""Units of coordinates: pixels, shares of the image, percent of it."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Unit: TypeAlias = Literal["pixel", "share", "percent"]
UNITS = ("pixel", "share", "percent")

# How long the image is in each unit that has no pixels.
_WHOLE: dict[str | None, int] = {"share": 1, "percent": 100}

# Rounded shares may reach a little beyond 1.
_TOLERANCE = 0.01

# What hangs over the edge does so by less than this share of the image.
_OVERHANG = 0.5


def check_unit(unit: object) -> None:
    """Check that a unit is one of the legal ones or None."""
    if unit is not None and (not isinstance(unit, str) or unit not in UNITS):
        raise ValueError(f"unit must be one of {list(UNITS)}, or None; got {unit!r}.")


def pixels_per_unit(unit: Unit | None, size: Sequence[int]) -> NDArray[np.float64]:
    """Return the factors of x and y that turn coordinates into pixels of an image.

    Parameters
    ----------
    unit : {"pixel", "share", "percent"} or None
    size : tuple of int
        Height and width.
    """
    if unit not in _WHOLE:
        return np.ones(2)
    return np.array(size[::-1], dtype=np.float64) / _WHOLE[unit]


def check_reach_in_unit(points: NDArray[Any], unit: Unit | None) -> None:
    """Check that coordinates in shares or percent do not lie far outside of the image.

    Parameters
    ----------
    points : float64 ndarray of shape (k, 2)
    unit : {"pixel", "share", "percent"} or None
    """
    whole = _WHOLE.get(unit)
    if whole is None or not points.size:
        return
    low, high = points.min() / whole, points.max() / whole
    if low < -_OVERHANG or high > 1 + _OVERHANG:
        other = '"percent" or "pixel"' if unit == "share" else '"pixel"'
        raise ValueError(
            f"reaches from {low * whole:g} to {high * whole:g}, but with unit={unit!r} the image "
            f"reaches from 0 to {whole}. Does unit={other} fit?"
        )


def beyond_percent(points: NDArray[Any]) -> bool:
    """Whether some coordinate lies outside of 0 to 100, so that all must be pixels."""
    return bool(points.max() > 100 + _TOLERANCE or points.min() < -_TOLERANCE)


def are_shares(points: NDArray[Any]) -> bool:
    """Whether coordinates all lie between 0 and 1."""
    return bool((points >= -_TOLERANCE).all() and (points <= 1 + _TOLERANCE).all())


def check_set(points: NDArray[Any], unit: Unit | None, sizes: NDArray[Any], what: str) -> None:
    """Raise an error if a whole set of coordinates must be in shares.

    Parameters
    ----------
    points : float64 ndarray of shape (k, 2)
        All coordinates, as they were given.
    unit : {"pixel", "share", "percent"} or None
        None: pixels, by assumption.
    sizes : ndarray of shape (m, 2)
        Heights and widths of the images on which the coordinates are.
    what : str
        Begins the error, such as "boxes".
    """
    if not len(points):
        return
    if unit in (None, "percent") and are_shares(points) and (unit or np.max(sizes) > 1):
        where = "one pixel" if unit is None else "one percent of the image"
        raise shares_error(what, where)


def shares_error(what: str, where: str = "one pixel") -> ValueError:
    """Return the error about coordinates that are all between 0 and 1."""
    return ValueError(
        f"{what} all lie between 0 and 1, within {where}: if they are shares of the width and the "
        'height, pass unit="share".'
    )


def warn_of_percent(
    points: NDArray[Any], sizes: NDArray[Any], what: str, *, stacklevel: int
) -> None:
    """Warn if a whole set of coordinates, read as pixels, looks as if it were in percent.

    Parameters
    ----------
    points : float64 ndarray of shape (k, 2)
        All coordinates.
    sizes : ndarray of shape (m, 2)
        Heights and widths of the images on which they are.
    what : str
        Begins the warning, such as "boxes".
    stacklevel : int
        As that of `warnings.warn`, seen from the function that calls this one.
    """
    if not len(points) or points.max() <= 50 or beyond_percent(points):
        return
    if np.min(sizes) >= 200 and (points % 1 != 0).any():
        found = "lie in the upper left 100 x 100 pixels of larger images, and have fractions"
    elif (points.max(axis=0) > (1 + _OVERHANG) * np.max(sizes, axis=0)[::-1]).all():
        found = "lie between 0 and 100, and reach far beyond images that are smaller"
    else:
        return
    warnings.warn(
        f'{what} all {found}: if they are in percent, pass unit="percent", else unit="pixel".',
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def hint_at_unit(points: NDArray[Any], unit: Unit | None) -> str:
    """Return a hint at the unit that would fit coordinates outside of their image."""
    if unit in _WHOLE:
        return ""
    if len(points) and not beyond_percent(points):
        return ' If coordinates are in percent, pass unit="percent".'
    return " If they are those of images of another size, pass image_sizes=(height, width)."
