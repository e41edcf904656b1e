"""What a mask means: from anything a user may pass to irrelevance degrees.

This is the only place that interprets ``mask``.  A mask is stored as it is (bool, uint8, a memory
map): its values are scanned once, in chunks, and turned to degrees batch by batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Any, Literal, NoReturn, TypeAlias, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._checks import check_option, is_iterable
from .._typing import MaskLike
from ._labels import (
    check_row_order,
    column_labels,
    is_series,
    row_labels,
    shorten_names,
)
from ._parts import mark_parts, pooled_marks
from ._reading import is_sequence, read_marks, read_rows, read_series
from ._shapes import legal_shapes, to_broadcastable

# Values that are scanned at once, so that a memory-mapped mask stays on disk.
_CHUNK_VALUES = 1 << 22


Marks: TypeAlias = Literal["irrelevant", "relevant"]


@dataclass(frozen=True)
class Masks:
    """Masks of a data set under their one meaning.

    Attributes
    ----------
    stored : ndarray of shape (k, ...)
        The marks as they were given: of each sample; of one for all samples; or of the samples that
        have one, with nothing irrelevant in the last.
    place : ndarray of int of shape (n_samples,) or None
        Where in `stored` the marks of each sample are; None: in its order, or for all samples.
    marks_relevant : bool
        True where a mark of 1 says "this is the reason", False where it says "must not matter".
    has_unknown : bool
        Whether any value is NaN.
    annotated : ndarray of bool of shape (n_samples,)
        Samples with at least one known mark.
    has_irrelevant : ndarray of bool of shape (n_samples,)
        Samples with at least one feature of irrelevance above zero.
    taking_part : ndarray of bool of shape (n_samples,) or None, default=None
        Samples that count; None: all.
    absent : ndarray of bool of the shape of X or None, default=None
        Entries of X that are no features, such as padding: never irrelevant, nor known.
    """

    stored: np.ndarray
    place: np.ndarray | None
    marks_relevant: bool
    has_unknown: bool
    annotated: np.ndarray
    has_irrelevant: np.ndarray
    taking_part: np.ndarray | None = None
    absent: np.ndarray | None = None

    @property
    def for_all_rows(self) -> bool:
        """Whether one mask serves every sample."""
        return self.place is None and len(self.stored) == 1

    @property
    def values(self) -> NDArray[Any]:
        """Marks of all samples, shape (n_samples or 1, ...); a copy where only some have a mask."""
        return self.stored if self.place is None else self.stored[self.place]

    @cached_property
    def marks_parts(self) -> bool:
        """Whether samples mark parts of their own, which can be exchanged between them."""
        return mark_parts(self)

    @cached_property
    def pooled(self) -> Tensor | None:
        """Marks that samples without a mask share with all others, or None: no such places."""
        return pooled_marks(self) if self.some_lack_one and self.marks_parts else None

    @property
    def some_lack_one(self) -> bool:
        """Whether some sample that takes part has no mask."""
        lacking = ~self.annotated
        return bool((lacking if self.taking_part is None else lacking & self.taking_part).any())

    def of_rows(self, rows: NDArray[Any]) -> "Masks":
        """Return the same masks of which only these samples take part."""
        taking_part = np.zeros(len(self.annotated), dtype=bool)
        taking_part[rows] = True
        return replace(
            self,
            taking_part=taking_part,
            annotated=self.annotated & taking_part,
            has_irrelevant=self.has_irrelevant & taking_part,
        )

    def without(self, absent: NDArray[np.bool_]) -> "Masks":
        """Return the same masks beside data of which some entries are no features.

        Parameters
        ----------
        absent : ndarray of bool of the shape of X
            Such as padding behind the end of a text.

        Returns
        -------
        Masks
        """
        if not absent.any():
            return self
        masks = replace(self, absent=absent)
        has_irrelevant, annotated = np.zeros((2, len(absent)), dtype=bool)
        step = max(1, _CHUNK_VALUES // max(1, absent[:1].size))
        for start in range(0, len(absent), step):
            rows = np.arange(start, min(start + step, len(absent)))
            irrelevance, known = masks.degrees_of(rows)
            has_irrelevant[rows] = (irrelevance > 0).flatten(1).any(1).numpy()
            annotated[rows] = known.flatten(1).any(1).numpy() if known is not None else True
        return replace(
            masks,
            has_irrelevant=self.has_irrelevant & has_irrelevant,
            annotated=self.annotated & annotated,
        )

    def take(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the marks of some samples, shape (len(rows), ...), or (1, ...) of one for all."""
        if self.for_all_rows:
            return self.stored
        return self.stored[rows if self.place is None else self.place[rows]]

    def marks_alike(self) -> NDArray[np.bool_]:
        """Return which samples have all their features marked alike.

        Returns
        -------
        ndarray of bool of shape (n_samples,)
            True where every feature is known and irrelevant to the same degree.
        """
        if self.absent is not None:
            return self._present_alike(self.absent)
        values, alike = self.stored, np.zeros(len(self.stored), dtype=bool)
        step = max(1, _CHUNK_VALUES // max(1, values[:1].size))
        for start in range(0, len(values), step):
            rows = slice(start, start + step)
            chunk = values[rows].reshape(len(values[rows]), -1)
            alike[rows] = (chunk == chunk[:, :1]).all(axis=1)  # an unknown one equals nothing
        if self.place is not None:
            return alike[self.place]
        return np.broadcast_to(alike, self.has_irrelevant.shape)

    def _present_alike(self, absent: NDArray[np.bool_]) -> NDArray[np.bool_]:
        alike = np.zeros(len(absent), dtype=bool)
        step = max(1, _CHUNK_VALUES // max(1, absent[:1].size))
        for start in range(0, len(absent), step):
            rows = np.arange(start, min(start + step, len(absent)))
            irrelevance, known = (np.asarray(part) for part in self.degrees_of(rows))
            every = (known | absent[rows]).reshape(len(rows), -1).all(axis=1)
            degrees = np.where(known, irrelevance, np.nan).reshape(len(rows), -1)
            least, largest = np.fmin.reduce(degrees, axis=1), np.fmax.reduce(degrees, axis=1)
            alike[rows] = every & (least == largest)
        return alike

    def degrees(self, values: Tensor) -> tuple[Tensor, Tensor | None]:
        """Turn marks into irrelevance degrees.

        Parameters
        ----------
        values : Tensor of shape (n_samples, ...)
            Marks, samples of ``self.stored``.

        Returns
        -------
        irrelevance : float32 Tensor of shape (n_samples, ...)
            Degree in [0, 1] to which a feature must not matter; 0 where it is unknown.
        known : bool Tensor of shape (n_samples, ...) or None
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

    def degrees_of(self, rows: NDArray[Any]) -> tuple[Tensor, Tensor | None]:
        """Read the degrees of some samples, whatever the dtype and memory layout of their marks.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Indices of the samples.

        Returns
        -------
        irrelevance : float64 Tensor of shape (m or 1, ...)
            Degrees, broadcastable to the samples of X.
        known : bool Tensor of that shape, or None
            As of :meth:`degrees`.
        """
        marks = self.take(rows)
        # A copy: torch reads neither every dtype nor backwards, and warns where it could not write.
        marks = marks.astype(bool if marks.dtype == bool else np.float64)
        irrelevance, known = self.degrees(torch.from_numpy(marks))
        if self.absent is not None:
            irrelevance, known = of_features(
                irrelevance, known, torch.from_numpy(self.absent[rows])
            )
        return irrelevance.double(), known


@overload
def interpret_mask(
    mask: None,
    shape: Sequence[int],
    *,
    marks: Marks = ...,
    feature_names: Sequence[str] | None = ...,
    index: Any = ...,
) -> None: ...


@overload
def interpret_mask(
    mask: MaskLike,
    shape: Sequence[int],
    *,
    marks: Marks = ...,
    feature_names: Sequence[str] | None = ...,
    index: Any = ...,
) -> Masks: ...


def interpret_mask(
    mask: MaskLike | None,
    shape: Sequence[int],
    *,
    marks: Marks = "irrelevant",
    feature_names: Sequence[str] | None = None,
    index: Any = None,
) -> Masks | None:
    """Check a mask and give it its meaning.

    Parameters
    ----------
    mask : array-like, list of (array-like or None), DataFrame or None
        Bool, or numbers in [0, 1]; NaN means unknown.  See the user guide for the legal shapes.  A
        pandas Series holds a mask or None per sample, or one mark per column for all samples.
    shape : tuple of int
        Shape of X.
    marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a value of 1 says.
    feature_names : sequence of str or None, default=None
        Column names of X, to which the columns of a DataFrame mask and the labels of a Series of
        marks are aligned; None: not known, so that names in the mask are an error.  Labels 0, 1, 2,
        ... are no names: these are read by position.
    index : pandas Index or None, default=None
        Labels of the samples of X.  A mask whose own index has another order of them is an error.

    Returns
    -------
    Masks or None
        None when `mask` is None.

    Raises
    ------
    TypeError
        If the mask is of a kind that cannot be read as marks.
    ValueError
        If its shape does not fit X, its values are not in [0, 1], its names of columns or samples
        are not those of X, or `marks` is none of the two.

    Examples
    --------
    >>> from skexplain.masks import interpret_mask
    >>> masks = interpret_mask([[0, 1, 1], None], shape=(2, 3))  # the second has none
    >>> masks.annotated, masks.has_irrelevant
    (array([ True, False]), array([ True, False]))
    """
    check_option("marks", marks, ("irrelevant", "relevant"))
    axes = tuple(shape) if is_iterable(shape) and not isinstance(shape, dict | set) else ()
    if not axes or not all(isinstance(length, Integral) and int(length) >= 0 for length in axes):
        raise ValueError(f"shape must be that of X, a tuple of int; got {shape!r}.")
    shape = axes
    if mask is None:
        return None
    if is_series(mask):
        mask = read_series(mask, feature_names, index)
    elif column_labels(mask) is not None:
        check_row_order(row_labels(mask), index)
    if is_sequence(mask) and any(is_series(row) for row in mask):
        mask = [read_series(row, feature_names) if is_series(row) else row for row in mask]
    relevant = marks == "relevant"
    if is_sequence(mask) and any(row is None for row in mask):
        return _interpret_some(mask, shape, marks)
    values = to_broadcastable(read_marks(mask, feature_names), shape)
    known, has_irrelevant, has_unknown = _scan(values, marks)
    of_rows = (np.broadcast_to(flags, shape[:1]) for flags in (known, has_irrelevant))
    return Masks(values, None, relevant, has_unknown, *of_rows)


def _interpret_some(mask: Any, shape: Sequence[int], marks: Marks) -> Masks:
    """Interpret a sequence with one mask or None per sample; only given masks are stored."""
    relevant = marks == "relevant"
    values, given = read_rows(mask, shape, relevant)
    if values is None:
        nothing = np.zeros(shape[0], dtype=bool)
        # One for all samples, without channels where it may be.
        values = to_broadcastable(np.full((1, *legal_shapes(shape)[-1][1:]), relevant), shape)
        return Masks(values, None, relevant, False, nothing, nothing)
    # Checked as what it stands for, a mask of all samples; nothing is repeated.
    all_rows = to_broadcastable(np.broadcast_to(values[0], (len(mask), *values.shape[1:])), shape)
    values = values.reshape(-1, *all_rows.shape[1:])
    flags = np.zeros((2, shape[0]), dtype=bool)
    *flags[:, given], has_unknown = _scan(values[:-1], marks, given)
    place = np.full(shape[0], len(given))
    place[given] = np.arange(len(given))
    return Masks(values, place, relevant, has_unknown, *flags)


def of_features(irrelevance: Tensor, known: Tensor | None, absent: Tensor) -> tuple[Tensor, Tensor]:
    """Leave out the entries that are no features: they are not irrelevant, and not known.

    Parameters
    ----------
    irrelevance, known : Tensor of shape (n_samples or 1, ...), or None
        As of ``Masks.degrees``.
    absent : bool Tensor of shape (n_samples, ...)
        Which entries are no features.

    Returns
    -------
    irrelevance : Tensor of shape (n_samples, ...)
    known : bool Tensor of shape (n_samples, ...)
    """
    present = ~absent
    return irrelevance * present, present if known is None else known & present


def mask_shape(mask: Any) -> tuple[int, ...] | None:
    """Return the shape of masks put one below the other, samples of None among them.

    Returns
    -------
    tuple of int or None
        None where no sample has a mask.
    """
    if not is_sequence(mask):
        return np.shape(mask)
    given = next((row for row in mask if row is not None), None)
    return None if given is None else (len(mask), *np.shape(given))


def _scan(
    values: NDArray[Any], marks: Marks, numbers: NDArray[Any] | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool]:
    """Scan all values once: which samples have a known and which an irrelevant feature.

    Numbers are those of the samples in X, for errors; None: from 0.
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
        if chunk.dtype == bool:  # looks no further than the first one of a sample
            marked = chunk.any(axis=1) if marks == "irrelevant" else ~chunk.all(axis=1)
        else:  # comparisons with NaN are false: an unknown feature is never irrelevant
            marked = ((chunk > 0) if marks == "irrelevant" else (chunk < 1)).any(axis=1)
        has_irrelevant[rows] = marked
    if illegal.any():
        wrong = np.flatnonzero(illegal)
        numbers = np.arange(n_rows) if numbers is None else numbers
        _raise_illegal(values[wrong[0]], numbers[wrong], n_rows)
    return known, has_irrelevant, has_unknown


def _raise_illegal(row: NDArray[Any], rows: NDArray[Any], total: int) -> NoReturn:
    example = row[~(np.isnan(row) | ((row >= 0) & (row <= 1)))].flat[0]
    hint = " Divide a 0..255 image by 255 (or compare it with 0)." if example > 1 else ""
    raise ValueError(
        f"mask must hold bool, numbers in [0, 1] or NaN (unknown); got {example} in "
        f"{len(rows)} of {total} samples, at samples {shorten_names(rows.tolist())}.{hint} See "
        f"docs/masks.md#values."
    )
