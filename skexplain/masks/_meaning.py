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
from ._fill import leave_room_on_average
from ._shapes import legal_shapes, to_broadcastable

# Rows are scanned in chunks of about this many values, so that a memory-mapped mask stays on disk.
_CHUNK_VALUES = 1 << 22
# Pairs of rows that tell whether marks are parts of a row.
_N_PAIRS = 256


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
    """

    stored: np.ndarray
    place: np.ndarray | None
    marks_relevant: bool
    has_unknown: bool
    annotated: np.ndarray
    has_irrelevant: np.ndarray

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
        """Whether rows mark parts of their own, such as a patch or some words.

        What either of two rows marks then leaves at least half of the features on average.  Where
        marks say what the reason is, everything else is irrelevant: there are no parts.  Nor are
        there where all rows mark the same, which is one mask for all rows.
        """
        rows = np.flatnonzero(self.has_irrelevant)
        if self.marks_relevant or self.for_all_rows or not len(rows):
            return False
        pairs = np.random.default_rng(0).choice(rows, (2, _N_PAIRS))
        first, second = (self.degrees_of(part)[0] for part in pairs)
        if len(rows) == self.annotated.sum() and torch.equal(first, second):
            return False
        return leave_room_on_average(first, second)

    def of_rows(self, rows):
        """Return the same masks, in which only the rows of these numbers count as annotated."""
        taking_part = np.zeros(len(self.annotated), dtype=bool)
        taking_part[rows] = True
        flags = {"annotated": self.annotated, "has_irrelevant": self.has_irrelevant}
        return replace(self, **{name: values & taking_part for name, values in flags.items()})

    def take(self, rows):
        """Return the marks of some rows, shape (len(rows), ...), or (1, ...) for all rows."""
        if self.for_all_rows:
            return self.stored
        return self.stored[rows if self.place is None else self.place[rows]]

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


def interpret_mask(mask, shape, *, marks="irrelevant", feature_names=None):
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
    feature_names : ndarray of str or None, default=None
        Column names of X; a DataFrame mask must carry the same, and so must a Series of marks whose
        labels are text.

    Returns
    -------
    Masks or None
        None when `mask` is None.

    Raises
    ------
    TypeError
        If the mask is of a kind that cannot be read as marks.
    ValueError
        If its shape does not fit X, its values are not in [0, 1], or `marks` is none of the two.

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
    if _is_series(mask):
        mask = _read_series(mask, feature_names)
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


def _is_series(mask):
    return hasattr(mask, "iloc") and hasattr(mask, "to_frame")


def _read_series(series, feature_names):
    """Make a list of masks, or an array of marks, of a Series, which is looked up by label."""
    entries = list(series)
    if series.dtype == object and any(e is None or hasattr(e, "__iter__") for e in entries):
        return entries
    labels, names = list(series.index), () if feature_names is None else feature_names
    are_names = all(isinstance(label, str) for label in labels)
    are_names = are_names or sorted(map(str, labels)) == sorted(names)
    return _read_frame(series.to_frame().T, feature_names if are_names else None)[0]


def _is_sequence(mask):
    """Whether it is a sequence of objects, which alone can hold None for a row."""
    is_array = getattr(mask, "dtype", None) == np.dtype("O") and mask.ndim > 0
    return is_array or isinstance(mask, (list, tuple))


def _read(mask, feature_names):
    """Read marks as a bool or real array."""
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
            f"mask must hold masks of one shape, got {_shorten(sorted(map(str, shapes)))}."
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
        f"{len(rows)} of {total} rows, at rows {_shorten(rows.tolist())}.{hint} See "
        f"docs/masks.md#values."
    )


def _shorten(items, limit=8):
    shown = ", ".join(str(item) for item in items[:limit])
    return f"[{shown}{', ...' if len(items) > limit else ''}]"
