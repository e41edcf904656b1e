"""What a mask means: from anything a person may pass to irrelevance degrees.

This is the only place that interprets ``mask``.  A mask is kept as it came (bool, uint8, a memory
map): its values are looked at once, in chunks, and turned to degrees batch by batch.
"""

from contextlib import suppress
from dataclasses import dataclass
from numbers import Real

import numpy as np
import scipy.sparse
import torch

from ._shapes import to_broadcastable

# Rows are scanned in chunks of about this many values, so that a memory-mapped mask stays on disk.
_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True)
class Masks:
    """Masks of a data set under their one meaning.

    Attributes
    ----------
    values : ndarray of shape (n or 1, ...)
        The marks as they were given, broadcastable to X.  Axis 0 of length one: one mask for all
        rows.
    marks_relevant : bool
        True where a mark of 1 says "this is the reason", False where it says "must not matter".
    has_unknown : bool
        Whether any value is NaN.
    annotated : ndarray of bool of shape (n,)
        Rows with at least one known mark.
    has_irrelevant : ndarray of bool of shape (n,)
        Rows with at least one feature of irrelevance above zero.
    """

    values: np.ndarray
    marks_relevant: bool
    has_unknown: bool
    annotated: np.ndarray
    has_irrelevant: np.ndarray

    @property
    def for_all_rows(self):
        """Whether one mask serves every row."""
        return len(self.values) == 1

    def degrees(self, values):
        """Turn marks into irrelevance degrees.

        Parameters
        ----------
        values : Tensor of shape (rows, ...)
            Marks, rows of ``self.values``.

        Returns
        -------
        irrelevance : float32 Tensor of shape (rows, ...)
            Degree in [0, 1] to which a feature must not matter; 0 where it is unknown.
        known : bool Tensor of shape (rows, ...) or None
            Where a mark was given; None where no mark of the data set is missing.
        """
        known = None
        if self.has_unknown:
            known = ~torch.isnan(values)
            # An unknown feature counts as relevant: nothing may be penalised there.
            values = torch.where(known, values, float(self.marks_relevant))
        if not self.marks_relevant:
            return values.to(torch.float32), known
        if values.dtype == torch.bool:
            return (~values).to(torch.float32), known
        # The difference is taken before narrowing: 1 - v in float64 keeps its digits.
        return (1 - values).to(torch.float32), known


def interpret_mask(mask, shape, *, marks="irrelevant", feature_names=None):
    """Check a mask and give it its meaning.

    Parameters
    ----------
    mask : array-like, list of (array-like or None), DataFrame or None
        Bool, or numbers in [0, 1]; NaN means unknown.  See the user guide for the legal shapes.
    shape : tuple of int
        Shape of X.
    marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a value of 1 says.
    feature_names : ndarray of str or None, default=None
        Column names of X; a DataFrame mask must carry the same.

    Returns
    -------
    Masks or None
        None when `mask` is None.

    Raises
    ------
    TypeError
        If the mask is of a kind that cannot be read as marks.
    ValueError
        If its shape does not fit X or its values are not in [0, 1].
    """
    if mask is None:
        return None
    values, given = _read(mask, shape, marks, feature_names)
    if values is None:  # a list of nothing but None
        nothing = np.zeros(shape[0], dtype=bool)
        values = np.full((1,) * len(shape), marks == "relevant")
        return Masks(values, marks == "relevant", False, nothing, nothing)
    values = to_broadcastable(values, shape)
    known, has_irrelevant, has_unknown = _scan(values, marks)
    annotated = np.broadcast_to(known, shape[:1]) & given
    has_irrelevant = np.broadcast_to(has_irrelevant, shape[:1]) & given
    return Masks(values, marks == "relevant", has_unknown, annotated, has_irrelevant)


def _read(mask, shape, marks, feature_names):
    """Read marks as a bool or real array, beside which rows were given one."""
    everywhere = np.ones(shape[0], dtype=bool)
    if hasattr(mask, "columns") and hasattr(mask, "to_numpy"):
        return _read_frame(mask, feature_names), everywhere
    # Only a sequence of objects can hold None for a row.
    is_sequence = isinstance(mask, (list, tuple))
    is_sequence |= getattr(mask, "dtype", None) == np.dtype("O") and mask.ndim > 0
    for part in (mask, *mask) if is_sequence else (mask,):
        _refuse_special(part)
    if is_sequence and any(row is None for row in mask):
        return _read_rows(mask, shape, marks)
    return _as_marks(mask), everywhere


def _refuse_special(mask):
    """Refuse what numpy would read as something else than it is."""
    if scipy.sparse.issparse(mask):
        raise TypeError(
            "mask must be dense, got a sparse matrix: pass mask.toarray(), or a mask of shape "
            "(1, n_features) when all rows share it."
        )
    if isinstance(mask, np.ma.MaskedArray):
        raise TypeError(
            "mask must be an array of marks, got a numpy masked array: pass its .mask, whose True "
            'means "ignore" as here.'
        )


def _read_frame(frame, feature_names):
    by_name = {str(column): column for column in frame.columns}
    columns = list(by_name)
    if feature_names is not None:
        names = list(feature_names)
        if sorted(columns) != sorted(names):
            unknown = [column for column in columns if column not in set(names)]
            missing = [name for name in names if name not in set(columns)]
            raise ValueError(
                f"mask must have the columns of X, {_shorten(names)}. "
                f"Not columns of X: {_shorten(unknown)}; missing: {_shorten(missing)}."
            )
        frame = frame[[by_name[name] for name in names]]
    values = frame.to_numpy()
    if values.dtype == object and hasattr(frame, "astype"):  # pandas: nullable or mixed columns
        # The conversion below would read numbers out of text.
        text = [isinstance(value, (str, bytes)) for value in values.flat]
        if any(text):
            wrong = np.reshape(text, values.shape).any(axis=0)
            names = [str(column) for column in np.asarray(frame.columns)[wrong]]
            raise TypeError(
                f"mask must hold bool or numbers in [0, 1], got text in columns {_shorten(names)}."
            )
        try:
            values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise TypeError(f"mask must hold bool or numbers in [0, 1]: {error}") from error
    return _as_marks(values)


def _read_rows(rows, shape, marks):
    """Read a sequence that holds one mask or None per row."""
    if len(rows) != shape[0]:
        raise ValueError(
            f"mask must hold one mask or None per row of X when it is a list: {shape[0]} entries, "
            f"got {len(rows)}."
        )
    given = np.array([row is not None for row in rows], dtype=bool)
    if not given.any():
        return None, given
    masks = [_as_marks(row) for row in rows if row is not None]
    shapes = {row.shape for row in masks}
    if len(shapes) > 1:
        raise ValueError(
            f"mask must hold masks of one shape, got {_shorten(sorted(map(str, shapes)))}."
        )
    # Nothing is irrelevant in a row without a mask.
    shape, dtype = (len(rows), *masks[0].shape), np.result_type(*masks)
    values = np.full(shape, marks == "relevant", dtype=dtype)
    values[given] = masks
    return values, given


def _as_marks(mask):
    """Make an array of bool or real numbers, without a copy where it is one."""
    expected = "mask must hold bool, numbers in [0, 1] or NaN (unknown), or be None"
    if isinstance(mask, (str, bytes, dict, set, Real)):
        raise TypeError(f"{expected}; got {type(mask).__name__}.")
    try:
        values = np.asarray(mask)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: some torch tensors
        raise ValueError(f"{expected}, of one regular shape: {error}") from error
    if values.dtype == object and values.ndim > 0:
        # An object array of plain numbers is what numpy makes of equal-shaped masks.
        with suppress(ValueError):
            values = np.array([np.asarray(row).tolist() for row in values])
    if values.dtype.kind not in "buif":
        raise TypeError(f"{expected}; got {type(mask).__name__} of dtype {values.dtype}.")
    return values


def _scan(values, marks):
    """Look at every value once: per row whether it is known and has something irrelevant."""
    n_rows = len(values)
    known = np.ones(n_rows, dtype=bool)
    has_irrelevant = np.zeros(n_rows, dtype=bool)
    illegal = np.zeros(n_rows, dtype=bool)
    has_unknown = False
    step = max(1, _CHUNK_VALUES // max(1, values[:1].size))
    for start in range(0, n_rows, step):
        rows = slice(start, start + step)
        chunk = values[rows].reshape(len(values[rows]), -1)
        if chunk.dtype != bool:
            unknown = np.isnan(chunk)
            illegal[rows] = (~((chunk >= 0) & (chunk <= 1)) & ~unknown).any(axis=1)
            known[rows] = ~unknown.all(axis=1)
            has_unknown |= bool(unknown.any())
        # Comparisons with NaN are false: an unknown feature is never irrelevant.
        irrelevant = chunk > 0 if marks == "irrelevant" else chunk < 1
        has_irrelevant[rows] = irrelevant.any(axis=1)
    if illegal.any():
        _raise_illegal(values, np.flatnonzero(illegal))
    return known, has_irrelevant, has_unknown


def _raise_illegal(values, rows):
    row = values[rows[0]]
    example = row[~(np.isnan(row) | ((row >= 0) & (row <= 1)))].flat[0]
    hint = " Divide a 0..255 image by 255 (or compare it with 0)." if example > 1 else ""
    raise ValueError(
        f"mask must hold bool, numbers in [0, 1] or NaN (unknown); got {example} in "
        f"{len(rows)} of {len(values)} rows, at rows {_shorten(rows.tolist())}.{hint}"
    )


def _shorten(items, limit=8):
    shown = ", ".join(str(item) for item in items[:limit])
    return f"[{shown}{', ...' if len(items) > limit else ''}]"
