"""What a mask means: from anything a person may pass to irrelevance degrees.

This is the only place that interprets ``mask``.  A mask is kept as it came (bool, uint8, a memory
map): its values are looked at once, in chunks, and turned to degrees batch by batch.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import scipy.sparse
import torch

from .._checks import check_option
from ._labels import (
    check_row_order,
    column_labels,
    column_order,
    is_series,
    row_labels,
    shorten_names,
)
from ._parts import mark_parts, pooled_marks
from ._shapes import legal_shapes, to_broadcastable

# Rows are scanned in chunks of about this many values, so that a memory-mapped mask stays on disk.
_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True)
class Masks:
    """Masks of a data set under their one meaning.

    Attributes
    ----------
    stored : ndarray of shape (k, ...)
        The marks as they were given: of each row; of one for all rows; or of the rows that have
        one, with nothing irrelevant in the last.
    place : ndarray of int of shape (n,) or None
        Where in `stored` the marks of each row are; None: in its order, or for all rows.
    marks_relevant : bool
        True where a mark of 1 says "this is the reason", False where it says "must not matter".
    has_unknown : bool
        Whether any value is NaN.
    annotated : ndarray of bool of shape (n,)
        Rows with at least one known mark.
    has_irrelevant : ndarray of bool of shape (n,)
        Rows with at least one feature of irrelevance above zero.
    taking_part : ndarray of bool of shape (n,) or None, default=None
        Rows that count; None: all.
    """

    stored: np.ndarray
    place: np.ndarray | None
    marks_relevant: bool
    has_unknown: bool
    annotated: np.ndarray
    has_irrelevant: np.ndarray
    taking_part: np.ndarray | None = None

    @property
    def for_all_rows(self):
        """Whether one mask serves every row."""
        return self.place is None and len(self.stored) == 1

    @property
    def values(self):
        """The marks of all rows, shape (n or 1, ...); a copy where only some rows have one."""
        return self.stored if self.place is None else self.stored[self.place]

    @cached_property
    def marks_parts(self):
        """Whether samples mark parts of their own, which can be exchanged between them."""
        return mark_parts(self)

    @cached_property
    def pooled(self):
        """Marks that samples without a mask share with all others, or None: no such places."""
        return pooled_marks(self) if self.some_lack_one and self.marks_parts else None

    @property
    def some_lack_one(self):
        """Whether some sample that takes part has no mask."""
        lacking = ~self.annotated
        return bool((lacking if self.taking_part is None else lacking & self.taking_part).any())

    def of_rows(self, rows):
        """Return the same masks of which only the rows of these numbers take part."""
        taking_part = np.zeros(len(self.annotated), dtype=bool)
        taking_part[rows] = True
        flags = {"annotated": self.annotated, "has_irrelevant": self.has_irrelevant}
        of_rows = {name: values & taking_part for name, values in flags.items()}
        return replace(self, taking_part=taking_part, **of_rows)

    def take(self, rows):
        """Return the marks of some rows, shape (len(rows), ...), or (1, ...) for all rows."""
        if self.for_all_rows:
            return self.stored
        return self.stored[rows if self.place is None else self.place[rows]]

    def marks_alike(self):
        """Tell which rows have all their features marked alike.

        Returns
        -------
        ndarray of bool of shape (n,)
            True where every feature is known and irrelevant to the same degree.
        """
        values, alike = self.stored, np.zeros(len(self.stored), dtype=bool)
        step = max(1, _CHUNK_VALUES // max(1, values[:1].size))
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            chunk = values[rows].reshape(len(values[rows]), -1)
            alike[rows] = (chunk == chunk[:, :1]).all(axis=1)  # an unknown one equals nothing
        if self.place is not None:
            return alike[self.place]
        return np.broadcast_to(alike, self.has_irrelevant.shape)

    def degrees(self, values):
        """Turn marks into irrelevance degrees.

        Parameters
        ----------
        values : Tensor of shape (rows, ...)
            Marks, rows of ``self.stored``.

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

    def degrees_of(self, rows):
        """Read the degrees of some rows, whatever the dtype and memory layout of their marks.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Numbers of the rows.

        Returns
        -------
        irrelevance : float64 Tensor of shape (m or 1, ...)
            Degrees, broadcastable to the rows of X.
        known : bool Tensor of that shape, or None
            As of :meth:`degrees`.
        """
        marks = self.take(rows)
        # A copy: torch reads neither every dtype nor backwards, and wants to be able to write.
        marks = marks.astype(bool if marks.dtype == bool else np.float64)
        irrelevance, known = self.degrees(torch.from_numpy(marks))
        return irrelevance.double(), known


def interpret_mask(mask, shape, *, marks="irrelevant", feature_names=None, index=None):
    """Check a mask and give it its meaning.

    Parameters
    ----------
    mask : array-like, list of (array-like or None), DataFrame or None
        Bool, or numbers in [0, 1]; NaN means unknown.  See the user guide for the legal shapes.  A
        pandas Series holds a mask or None per row, or one mark per column for all rows.
    shape : tuple of int
        Shape of X.
    marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a value of 1 says.
    feature_names : sequence of str or None, default=None
        Column names of X, to which the columns of a DataFrame mask and the labels of a Series of
        marks are aligned; None: not known, so that names in the mask are refused.  Labels 0, 1, 2,
        ... are no names: these are read by position.
    index : pandas Index or None, default=None
        Labels of the rows of X.  A mask whose own index tells another order of them is refused.

    Returns
    -------
    Masks or None
        None when `mask` is None.

    Raises
    ------
    TypeError
        If the mask is of a kind that cannot be read as marks.
    ValueError
        If its shape does not fit X, its values are not in [0, 1], its names of columns or rows
        are not those of X, or `marks` is none of the two.

    Examples
    --------
    >>> from skexplain.masks import interpret_mask
    >>> masks = interpret_mask([[0, 1, 1], None], shape=(2, 3))  # nobody has looked at the second
    >>> masks.annotated, masks.has_irrelevant
    (array([ True, False]), array([ True, False]))
    """
    check_option("marks", marks, ("irrelevant", "relevant"))
    if mask is None:
        return None
    if is_series(mask):
        mask = _read_series(mask, feature_names, index)
    elif column_labels(mask) is not None:
        check_row_order(row_labels(mask), index)
    if _is_sequence(mask) and any(is_series(row) for row in mask):
        mask = [_read_series(row, feature_names) if is_series(row) else row for row in mask]
    relevant = marks == "relevant"
    if _is_sequence(mask) and any(row is None for row in mask):
        return _interpret_some(mask, shape, marks)
    values = to_broadcastable(_read(mask, feature_names), shape)
    known, has_irrelevant, has_unknown = _scan(values, marks)
    of_rows = (np.broadcast_to(flags, shape[:1]) for flags in (known, has_irrelevant))
    return Masks(values, None, relevant, has_unknown, *of_rows)


def _interpret_some(mask, shape, marks):
    """Give a sequence with one mask or None per row its meaning, keeping what was given alone."""
    relevant = marks == "relevant"
    values, given = _read_rows(mask, shape, relevant)
    if not len(given):
        nothing = np.zeros(shape[0], dtype=bool)
        # One for all rows, without channels where it may be.
        values = to_broadcastable(np.full((1, *legal_shapes(shape)[-1][1:]), relevant), shape)
        return Masks(values, None, relevant, False, nothing, nothing)
    # Checked as what it stands for, a mask of all rows; nothing is repeated.
    all_rows = to_broadcastable(np.broadcast_to(values[0], (len(mask), *values.shape[1:])), shape)
    values = values.reshape(-1, *all_rows.shape[1:])
    flags = np.zeros((2, shape[0]), dtype=bool)
    *flags[:, given], has_unknown = _scan(values[:-1], marks, given)
    place = np.full(shape[0], len(given))
    place[given] = np.arange(len(given))
    return Masks(values, place, relevant, has_unknown, *flags)


def mask_shape(mask):
    """Return the shape of masks put one below the other, rows of None among them.

    Returns
    -------
    tuple of int or None
        None where no row has a mask.
    """
    if not _is_sequence(mask):
        return np.shape(mask)
    given = next((row for row in mask if row is not None), None)
    return None if given is None else (len(mask), *np.shape(given))


def _read_series(series, feature_names, index=None):
    """Make a list of masks, or an array of marks, of a Series, which is looked up by label."""
    entries = list(series)
    if series.dtype == object and any(e is None or hasattr(e, "__iter__") for e in entries):
        check_row_order(series.index, index)
        return entries
    return _read_frame(series.to_frame().T, feature_names)[0]


def _is_sequence(mask):
    """Whether it is a sequence of objects, which alone can hold None for a row."""
    is_array = getattr(mask, "dtype", None) == np.dtype("O") and mask.ndim > 0
    return is_array or isinstance(mask, (list, tuple))


def _read(mask, feature_names):
    """Read marks as a bool or real array."""
    if hasattr(mask, "column_names") and hasattr(mask, "to_pandas"):
        mask = mask.to_pandas()
    if hasattr(mask, "columns") and hasattr(mask, "to_numpy"):
        return _read_frame(mask, feature_names)
    for part in (mask, *mask) if _is_sequence(mask) else (mask,):
        _refuse_special(part)
    return _as_marks(mask)


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


def _read_rows(rows, shape, relevant):
    """Read a sequence that holds one mask or None per row: the masks, and whose they are.

    One more, in which nothing is irrelevant, stands for the rows without.
    """
    if len(rows) != shape[0]:
        raise ValueError(
            f"mask must hold one mask or None per row of X when it is a list: {shape[0]} entries, "
            f"got {len(rows)}. See docs/masks.md#shapes."
        )
    given = np.flatnonzero([row is not None for row in rows])
    for row in given:
        _refuse_special(rows[row])
    masks = [_as_marks(rows[row]) for row in given]
    shapes = {row.shape for row in masks}
    if len(shapes) > 1:
        raise ValueError(
            f"mask must hold masks of one shape, got {shorten_names(sorted(map(str, shapes)))}."
        )
    return np.stack([*masks, np.full_like(masks[0], relevant)]) if masks else None, given


def _as_marks(mask):
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


def _scan(values, marks, numbers=None):
    """Look at every value once: per row whether it is known and has something irrelevant.

    Numbers are those of the rows in X, for errors; None: from 0.
    """
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
        has_irrelevant[rows] = _any_irrelevant(chunk, marks)
    if illegal.any():
        rows = np.flatnonzero(illegal)
        numbers = np.arange(n_rows) if numbers is None else numbers
        _raise_illegal(values[rows[0]], numbers[rows], n_rows)
    return known, has_irrelevant, has_unknown


def _any_irrelevant(chunk, marks):
    """Tell which rows of shape (rows, features) have a feature that is marked as irrelevant."""
    if chunk.dtype == bool:  # looks no further than the first one of a row
        return chunk.any(axis=1) if marks == "irrelevant" else ~chunk.all(axis=1)
    # Comparisons with NaN are false: an unknown feature is never irrelevant.
    return ((chunk > 0) if marks == "irrelevant" else (chunk < 1)).any(axis=1)


def _raise_illegal(row, rows, total):
    example = row[~(np.isnan(row) | ((row >= 0) & (row <= 1)))].flat[0]
    hint = " Divide a 0..255 image by 255 (or compare it with 0)." if example > 1 else ""
    raise ValueError(
        f"mask must hold bool, numbers in [0, 1] or NaN (unknown); got {example} in "
        f"{len(rows)} of {total} rows, at rows {shorten_names(rows.tolist())}.{hint} See "
        f"docs/masks.md#values."
    )
