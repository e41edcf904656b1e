"""Parts of all builders: samples without annotation, sizes, stacking of masks."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._checks import is_iterable
from ._resample import Resize, resample

# Sizes that stand in a file are not trusted: the pixels of one image, at one byte each.
MAX_PIXELS = 1 << 28

# How a sample without any mark is read.
Missing: TypeAlias = Literal["unknown", "empty", "error"]

_MISSING = ("unknown", "empty", "error")


def check_missing(missing: object) -> None:
    """Check how samples without marks are read."""
    if not isinstance(missing, str) or missing not in _MISSING:
        raise ValueError(f"missing must be one of {list(_MISSING)}; got {missing!r}.")


def row_without_marks(
    missing: Missing, shape: Sequence[int], what: str
) -> NDArray[np.bool_] | None:
    """Return the mask of a sample without marks, None where it counts as not annotated.

    Parameters
    ----------
    missing : {"unknown", "empty", "error"}
        How such a sample is read.
    shape : tuple of int
        Height and width.
    what : str
        Begins the error, such as "boxes[3] has no box".
    """
    if missing == "error":
        raise ValueError(f'{what} (missing="unknown" leaves such a sample without annotation).')
    return np.zeros(shape, dtype=bool) if missing == "empty" else None


def as_list(name: str, values: Any, expected: str) -> list[Any]:
    """Return what is one per sample as a list, so that no Series is looked up by label."""
    if isinstance(values, dict) or not is_iterable(values):
        raise TypeError(f"{name} must be {expected}; got {shorten(values)}.")
    return list(values)


def as_texts(name: str, values: Any) -> list[str]:
    """Return texts as a list."""
    texts = as_list(name, values, "a sequence of str")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{number}] must be a str; got {shorten(text)}.")
    return texts


def as_sequence(values: Any, name: str, content: str) -> list[Any]:
    """Return what is a sequence as a list, or say what was expected."""
    if isinstance(values, dict | set) or not is_iterable(values):
        raise TypeError(f"{name} must be a sequence, {content}; got {shorten(values)}.")
    return list(values)


def check_shape(shape: Any, name: str = "shape") -> tuple[int, int]:
    """Return a height and a width, or say what was expected."""
    height: Any
    width: Any
    try:
        height, width = shape
    except (TypeError, ValueError):
        height = width = None
    if not all(_is_size(side) for side in (height, width)):
        raise ValueError(
            f"{name} must be (height, width), two positive whole numbers of pixels; got "
            f"{shorten(shape)}."
        )
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"{name} must have at most {MAX_PIXELS} pixels; got {int(height)} x {int(width)}."
        )
    return int(height), int(width)


def _is_size(value: Any) -> bool:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    return is_whole and value > 0


def as_numbers(values: Any, expected: str) -> NDArray[np.float64]:
    """Return finite real numbers as float64, or raise a ValueError that says what was expected."""
    try:
        numbers = np.asarray(values)
    except ValueError:  # of no regular shape
        numbers = None
    if numbers is None or (numbers.size and numbers.dtype.kind not in "iuf"):
        raise ValueError(f"{expected}; got {shorten(values)}.")
    numbers = numbers.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{expected}, all finite; got {shorten(values)}.")
    return numbers


def stack_rows(
    rows: Iterable[NDArray[Any] | None], n_rows: int, shape: Sequence[int]
) -> NDArray[Any]:
    """Put masks one below the other, in one byte per pixel where that can be.

    Parameters
    ----------
    rows : iterable of (bool or float32 ndarray of shape `shape`, or None)
        None: not annotated, which becomes NaN.
    n_rows : int
    shape : tuple of int

    Returns
    -------
    ndarray of shape (n_rows, *shape)
        float32 if a sample is None or has degrees, else bool.
    """
    stacked = np.zeros((n_rows, *shape), dtype=bool)
    for number, row in enumerate(rows):
        if stacked.dtype == bool and (row is None or row.dtype != bool):
            stacked = stacked.astype(np.float32)
        stacked[number] = np.nan if row is None else row
    return stacked


def fit_to(
    mask: NDArray[Any], shape: Sequence[int], resize: Resize | None, what: str
) -> NDArray[Any]:
    """Resize the mask of one image to the size of X; an error where `resize` is None.

    Parameters
    ----------
    mask : ndarray of shape (h, w)
    shape : tuple of int
        Height and width of X.
    resize : {"area", "nearest"} or None
        None: a mask of another size is an error.
    what : str
        Begins the error, such as "a.png".
    """
    if mask.shape == shape:
        return mask
    check_size(mask.shape, shape, resize, what)
    return resample(mask, shape, resize)


def check_size(size: Sequence[int], shape: Sequence[int], resize: Resize | None, what: str) -> None:
    """Raise an error if an image has another size than X and `resize` is None."""
    if resize is None and tuple(size) != tuple(shape):
        raise ValueError(
            f"{what} is {size[0]} x {size[1]} (height x width), expected {shape[0]} x {shape[1]}. "
            "If X shows the whole image at another size, pass shape=(height, width) and "
            'resize="area" or "nearest"; if X was cropped, crop the masks alike.'
        )


def check_resize(resize: Any) -> None:
    """Check that a way of resizing is a legal one, or None."""
    if resize is not None and (not isinstance(resize, str) or resize not in ("area", "nearest")):
        raise ValueError(f'resize must be "area", "nearest" or None; got {resize!r}.')


def common_shape(
    sizes: Mapping[str, tuple[int, int]], shape: Sequence[int] | None, resize: Resize | None
) -> tuple[int, int]:
    """Return the height and width of the result, from `shape` or from what all files say.

    Parameters
    ----------
    sizes : dict of str to tuple of int
        Height and width by the name of what has it.
    shape : tuple of int or None
    resize : {"area", "nearest"} or None
    """
    check_resize(resize)
    if shape is None:
        if resize is not None:
            raise ValueError("resize needs shape=(height, width), the size of X's images.")
        shape = next(iter(sizes.values()))
    shape = check_shape(shape)
    for name, size in sizes.items():
        check_size(size, shape, resize, name)
    return shape


def shorten(value: object, limit: int = 80) -> str:
    """Return the text of a value, cut where it is long."""
    # A list is cut before it is written out: it may hold a whole image.
    text = repr(value[:20] if isinstance(value, list | str) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
