"""Reading of marks: from what a user passes to an array of bool or real numbers."""

from collections.abc import Sequence
from contextlib import suppress
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ._labels import check_row_order, column_order, shorten_names


def read_series(series: Any, feature_names: Sequence[str] | None, index: Any = None) -> Any:
    """Make a list of masks, or an array of marks, of a Series, which is looked up by label."""
    entries = list(series)
    if series.dtype == object and any(e is None or hasattr(e, "__iter__") for e in entries):
        check_row_order(series.index, index)
        return entries
    return _read_frame(series.to_frame().T, feature_names)[0]


def is_sequence(mask: Any) -> TypeGuard[Sequence[Any]]:
    """Whether it is a sequence of objects, which alone can hold None for a sample."""
    is_array = getattr(mask, "dtype", None) == np.dtype("O") and mask.ndim > 0
    return is_array or isinstance(mask, (list, tuple))


def read_marks(mask: Any, feature_names: Sequence[str] | None) -> NDArray[Any]:
    """Read marks as a bool or real array."""
    if hasattr(mask, "column_names") and hasattr(mask, "to_pandas"):
        mask = mask.to_pandas()
    if hasattr(mask, "columns") and hasattr(mask, "to_numpy"):
        return _read_frame(mask, feature_names)
    for part in (mask, *mask) if is_sequence(mask) else (mask,):
        _check_readable(part)
    return _as_marks(mask)


def _check_readable(mask: Any) -> None:
    """Raise an error for objects that numpy would not read as marks."""
    if scipy.sparse.issparse(mask):
        raise TypeError(
            "mask must be dense, got a sparse matrix: pass mask.toarray(), or a mask of shape "
            "(1, n_features) when all samples share it."
        )
    if isinstance(mask, np.ma.MaskedArray):
        raise TypeError(
            "mask must be an array of marks, got a numpy masked array: pass its .mask, whose True "
            'means "ignore" as here.'
        )


def _read_frame(frame: Any, feature_names: Sequence[str] | None) -> NDArray[Any]:
    order = column_order(frame.columns, feature_names)
    if order is not None:
        frame = frame.iloc[:, order] if hasattr(frame, "iloc") else frame[:, order.tolist()]
    values = frame.to_numpy()
    if values.dtype == object and hasattr(frame, "astype"):  # pandas: nullable or mixed columns
        # The conversion below would read numbers out of text.
        text = [isinstance(value, (str, bytes)) for value in values.flat]
        if any(text):
            wrong = np.reshape(text, values.shape).any(axis=0)
            names = [str(column) for column in np.asarray(frame.columns)[wrong]]
            raise TypeError(
                "mask must hold bool or numbers in [0, 1], got text in columns "
                f"{shorten_names(names)}."
            )
        try:
            values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise TypeError(f"mask must hold bool or numbers in [0, 1]: {error}") from error
    return _as_marks(values)


def read_rows(
    rows: Any, shape: Sequence[int], relevant: bool
) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """Read a sequence that holds one mask or None per sample: the masks, and whose they are.

    One more, in which nothing is irrelevant, stands for the samples without.
    """
    if len(rows) != shape[0]:
        raise ValueError(
            f"mask must hold one mask or None per sample of X if it is a list: {shape[0]} entries; "
            f"got {len(rows)}. See docs/masks.md#shapes."
        )
    given = np.flatnonzero([row is not None for row in rows])
    for row in given:
        _check_readable(rows[row])
    masks = [_as_marks(rows[row]) for row in given]
    shapes = {row.shape for row in masks}
    if len(shapes) > 1:
        raise ValueError(
            f"mask must hold masks of one shape, got {shorten_names(sorted(map(str, shapes)))}."
        )
    return np.stack([*masks, np.full_like(masks[0], relevant)]) if masks else None, given


def _as_marks(mask: Any) -> NDArray[Any]:
    """Make an array of bool or real numbers, without a copy where it is one."""
    expected = "mask must hold bool, numbers in [0, 1] or NaN (unknown), or be None"
    if isinstance(mask, (str, bytes, dict, set, Real)):
        names = " For names of columns see mask_from_columns." if isinstance(mask, str) else ""
        raise TypeError(f"{expected}; got {type(mask).__name__}.{names}")
    try:
        values = np.asarray(mask)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: some torch tensors
        raise ValueError(f"{expected}, of one regular shape: {error}") from error
    if values.dtype == object and values.ndim > 0:
        # An object array of plain numbers is what numpy makes of equal-shaped masks.
        with suppress(ValueError):
            values = np.array([np.asarray(row).tolist() for row in values])
    if values.dtype.kind not in "buif":
        raise TypeError(
            f"{expected}; got {type(mask).__name__} of dtype {values.dtype}. See "
            f"docs/masks.md#values."
        )
    return values
