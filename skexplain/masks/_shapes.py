"""Which shapes a mask may have beside X, and how each is made to broadcast."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray


def legal_shapes(shape: Sequence[int]) -> list[tuple[int, ...]]:
    """List the legal mask shapes for X.

    Parameters
    ----------
    shape : tuple of int
        Shape of X.

    Returns
    -------
    list of tuple of int
        Axis 0 is given as the number of samples; 1 is legal there too.

    Examples
    --------
    >>> legal_shapes((100, 3, 32, 32))
    [(100, 3, 32, 32), (100, 1, 32, 32), (100, 32, 32)]
    """
    n_rows, *rest = shape
    if len(shape) < 4:
        return [tuple(shape)]
    channels, *grid = rest
    shapes = [tuple(shape), (n_rows, 1, *grid), (n_rows, *grid)]
    return shapes[1:] if channels == 1 else shapes


def to_broadcastable(values: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Reshape marks so that they broadcast to X; nothing is repeated.

    Parameters
    ----------
    values : ndarray
        Marks in one of the legal shapes.
    shape : tuple of int
        Shape of X.

    Returns
    -------
    ndarray of X's number of axes
        Axis 0 has X's length or 1, the channel axis X's length or 1, all others X's length.

    Raises
    ------
    ValueError
        If the shape is not legal beside X; the error lists those that are.
    """
    if values.ndim == 1 and len(shape) == 2 and values.shape == shape[1:]:
        return values.reshape(1, -1)
    for legal in legal_shapes(shape):
        if values.shape in (legal, (1, *legal[1:])):
            return values if values.ndim == len(shape) else values[:, None]
    raise ValueError(_describe(values.shape, shape))


def _describe(got: Sequence[int], shape: Sequence[int]) -> str:
    forms = [f"({n}, {', '.join(map(str, rest))})" for n, *rest in legal_shapes(shape)]
    one = f"(1, {', '.join(map(str, legal_shapes(shape)[-1][1:]))})"
    hint = ""
    if tuple(got) in {tuple(legal[1:]) for legal in legal_shapes(shape)}:
        hint = f" For one mask for all samples use mask.reshape{(1, *got)}."
    elif tuple(got[1:]) in {tuple(legal[1:]) for legal in legal_shapes(shape)}:
        hint = " Samples without a mask: None in a list, or NaN."
    elif len(shape) == 2 and len(got) == 1:
        hint = f" A 1-D mask must have {shape[1]} values, one per column."
    return (
        f"mask must have shape {' or '.join(forms)} beside X of shape {tuple(shape)}, or "
        f"{one} for one mask for all samples; got {tuple(got)}.{hint} See docs/masks.md#shapes."
    )
