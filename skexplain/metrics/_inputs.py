"""Kinds of X: samples as numbers, and changed numbers as inputs of ``predict``."""

from collections.abc import Callable, Iterable
from numbers import Number
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from .._checks import as_array

# Values of X that are read at once, so that a memory-mapped X stays on disk.
_CHUNK_VALUES = 1 << 20
# Sequences that hold the tokens of a sample.
_SEQUENCES = (list, tuple, np.ndarray)


def read_inputs(X: Any) -> "ArrayInputs":
    """Wrap X so that its samples can be read as numbers, changed, and handed to ``predict``.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix or DataFrame of shape (n_samples, d)
        Of pandas or polars; or lists of tokens, of different lengths.  Nothing is copied.

    Returns
    -------
    ArrayInputs, MixedInputs, TokenInputs, SparseInputs, FrameInputs or PolarsInputs

    Raises
    ------
    TypeError
        If X is of another kind or holds no numbers.
    ValueError
        If X has fewer than two axes.
    """
    if scipy.sparse.issparse(X):
        return SparseInputs(X)
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return FrameInputs(X)
    if type(X).__module__.split(".")[0] == "polars" and hasattr(X, "with_columns"):
        if hasattr(X, "collect"):
            raise TypeError("X must hold its rows, got a LazyFrame: pass X.collect().")
        return PolarsInputs(X)
    if hasattr(X, "columns"):
        raise TypeError(
            f"X must be an array, a sparse matrix or a DataFrame of pandas or polars, got "
            f"{type(X)}: pass X.to_pandas() or X.to_numpy(), as the estimator was fitted."
        )
    if _is_ragged(X):
        return TokenInputs(X)
    X = as_array("X", X)
    if X.ndim == 2 and (X.dtype.kind in "US" or (X.dtype == object and not _reads_as_numbers(X))):
        return MixedInputs(X)
    return ArrayInputs(X)


class ArrayInputs:
    """A dense X; slices are float64 arrays of shape (n_samples, ...)."""

    #: Names of the columns, where X has them.
    feature_names: list[str] | None = None
    #: Which columns hold numbers; True: all.
    numeric: Any = True
    #: Numbers the different entries of a column, where columns may hold other things than numbers.
    codes: Callable[[int], NDArray[Any]]
    #: Whether samples have different lengths.
    ragged = False
    #: As it was given, for a dense X as an array.
    X: Any

    def __init__(self, X: Any) -> None:
        X = as_array("X", X)
        if X.dtype == object:
            try:
                X = X.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise TypeError(f"X must hold numbers: {error}.") from error
        if X.dtype.kind not in "buif":
            raise TypeError(
                f"X must hold numbers, got dtype {X.dtype}: of a pipeline that reads text, pass "
                f"the steps after the vectorizer, with X as they are given it."
            )
        if X.ndim < 2:
            raise ValueError(f"X must have two axes or more, got shape {X.shape}.")
        self.X = X
        self.shape = X.shape

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        # Whatever the order of X in memory, such as that of images with the channels last.
        return self.take(rows).astype(np.float64, order="C")

    def pad_mask(self, mask: Any, mask_marks: Any) -> Any:
        """Return a mask of the shape of X: the one given, where samples have one length."""
        return mask

    def chunks(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Split sample indices into chunks that fit into memory."""
        step = max(1, _CHUNK_VALUES // max(1, int(np.prod(self.shape[1:]))))
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return self.X[rows]

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other values, of the kind of X.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            The samples.
        values : float64 ndarray of shape (m, ...)
            What their numbers become.
        changed : bool ndarray of shape (d,) or None
            Columns in which anything changes; None for what has no columns.
        givers : dict of int to ndarray of int of shape (m,)
            For each changed column without numbers, the samples of X whose entries it takes.

        Returns
        -------
        What ``predict`` takes; integers become floats where the new values are no integers.
        """
        return _in_dtype(values, self.X.dtype)


class MixedInputs(ArrayInputs):
    """A dense table of objects or text; as numbers, a column that holds other things is zero."""

    def __init__(self, X: Any) -> None:
        self.X = X
        self.shape = X.shape
        is_object = X.dtype == object
        self.numeric = np.array([is_object and _all_numbers(column) for column in X.T], dtype=bool)

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        part = self.X[rows]
        values = np.zeros(part.shape)
        values[:, self.numeric] = part[:, self.numeric].astype(np.float64)
        return values

    def codes(self, column: int) -> NDArray[Any]:
        """Number the different entries of a column."""
        return np.unique(self.X[:, column].astype(str), return_inverse=True)[1]

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other values, entries of columns that hold no numbers as they are."""
        table = self.X[rows].copy()
        for column in np.flatnonzero(changed).tolist():
            if self.numeric[column]:
                table[:, column] = _in_dtype(values[:, column], np.int64)
            else:
                table[:, column] = self.X[givers[column], column]
        return table


class TokenInputs(ArrayInputs):
    """Lists of tokens of different lengths; a feature is a position, and tokens are no numbers."""

    ragged = True

    def __init__(self, X: Any) -> None:
        self.X = list(X)
        self.lengths = np.array([len(row) for row in self.X])
        if not self.lengths.all():
            empty = np.flatnonzero(self.lengths == 0)
            raise ValueError(f"X must hold at least one token per sample, got none in {empty[:8]}.")
        self.shape = (len(self.X), int(self.lengths.max()))
        self.numeric = np.zeros(self.shape[1], dtype=bool)

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        return np.zeros((len(self.lengths[rows]), self.shape[1]))

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return [self.X[row] for row in rows]

    def codes(self, column: int) -> NDArray[Any]:
        """Number the different tokens at a position, what lies behind the end as one."""
        tokens = [str(row[column]) if column < len(row) else "" for row in self.X]
        return np.unique(tokens, return_inverse=True)[1]

    def pad_mask(self, mask: Any, mask_marks: Any) -> Any:
        """Return masks of one length, in which what lies behind the end of a sample may matter."""
        if getattr(mask, "ndim", 1) != 1 or mask is None or len(mask) != len(self):
            return mask  # as an array, which has the full width
        padded = []
        for number, (marks, length) in enumerate(zip(mask, self.lengths, strict=True)):
            if marks is not None and np.shape(marks) != (length,):
                raise ValueError(
                    f"mask must have one mark per token of X: sample {number} has {length} tokens, "
                    f"got a mask of shape {np.shape(marks)}."
                )
            end = np.full(self.shape[1] - length, mask_marks == "relevant")
            padded.append(None if marks is None else np.concatenate([np.asarray(marks), end]))
        return padded

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other tokens; those of shorter givers are taken from the start."""
        samples = [list(self.X[row]) for row in rows]
        for column in np.flatnonzero(changed).tolist():
            for sample, giver in zip(samples, givers[column], strict=True):
                if column < len(sample):
                    sample[column] = self.X[giver][column % self.lengths[giver]]
        return [
            _as_sequence(sample, self.X[row]) for sample, row in zip(samples, rows, strict=True)
        ]


class SparseInputs(ArrayInputs):
    """A sparse X, dense in chunks only."""

    def __init__(self, X: Any) -> None:
        self.format = X.format
        self.X = X.tocsr()
        self.shape = X.shape

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        return self.X[rows].toarray().astype(np.float64)

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return self.X[rows].asformat(self.format)

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other values, as sparse as these are."""
        return type(self.X)(_in_dtype(values, self.X.dtype)).asformat(self.format)


class FrameInputs(ArrayInputs):
    """A pandas DataFrame; as numbers, a column of text is zero."""

    def __init__(self, X: Any) -> None:
        self.X = X
        self.shape = X.shape
        self.feature_names = [str(name) for name in X.columns]
        # Pandas' own dtypes have the kind of what they hold; that of categories and text is "O".
        self.numeric = np.array([getattr(dtype, "kind", "O") in "buif" for dtype in X.dtypes])

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        columns = self.X.iloc[rows, np.flatnonzero(self.numeric)]
        values = np.zeros((len(columns), self.shape[1]))
        values[:, self.numeric] = columns.to_numpy(dtype=np.float64, na_value=np.nan)
        return values

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return self.X.iloc[rows]

    def codes(self, column: int) -> NDArray[Any]:
        """Number the different entries of a column, in the order of their occurrence."""
        return self.X.iloc[:, column].factorize()[0]

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other values; columns that do not change keep their dtype."""
        frame = self.X.iloc[rows].copy()
        for column in np.flatnonzero(changed).tolist():
            if self.numeric[column]:
                entries = _in_column(values[:, column], self.X.dtypes.iloc[column])
            else:
                entries = self.X.iloc[givers[column], column].array
            frame.isetitem(column, entries)
        return frame


class PolarsInputs(ArrayInputs):
    """A polars DataFrame; as numbers, a column that holds other things is zero."""

    def __init__(self, X: Any) -> None:
        self.X = X
        self.shape = X.shape
        self.feature_names = [str(name) for name in X.columns]
        self.numeric = np.array(
            [dtype.is_numeric() or str(dtype) == "Boolean" for dtype in X.dtypes], dtype=bool
        )

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        part = self.X[rows]
        values = np.zeros(part.shape)
        for column in np.flatnonzero(self.numeric):
            entries = [np.nan if entry is None else entry for entry in part[:, int(column)]]
            values[:, column] = np.array(entries, dtype=np.float64)
        return values

    def codes(self, column: int) -> NDArray[Any]:
        """Number the different entries of a column."""
        return np.unique([str(entry) for entry in self.X[:, int(column)]], return_inverse=True)[1]

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return self.X[rows]

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other values; columns keep their dtype where it can hold them."""
        part, columns = self.X[rows], []
        for column in np.flatnonzero(changed).tolist():
            series = part[:, column]
            if not self.numeric[column]:
                columns.append(self.X[givers[column]][:, column])
                continue
            entries = values[:, column]
            if not series.dtype.is_float():
                # Whole numbers as such, what is missing as null.
                present = ~np.isnan(entries)
                whole = bool((entries[present] % 1 == 0).all())
                kind = int if whole else float
                given = [kind(e) if ok else None for e, ok in zip(entries, present, strict=True)]
                new = type(series)(series.name, given, strict=False)
                columns.append(new.cast(series.dtype) if whole else new)
            else:
                new = type(series)(series.name, entries).cast(series.dtype)
                nulls_alone = (
                    self.X[:, column].null_count() and not self.X[:, column].is_nan().any()
                )
                columns.append(new.fill_nan(None) if nulls_alone else new)
        return part.with_columns(columns)


def _is_ragged(X: Any) -> bool:
    """Whether X is a sequence of lists of tokens that have different lengths."""
    is_array = getattr(X, "ndim", 0) == 1 and str(X.dtype) == "object"
    is_flat = is_array or isinstance(X, list | tuple)
    if not is_flat or not all(isinstance(row, _SEQUENCES) and np.ndim(row) == 1 for row in X):
        return False
    return len({len(row) for row in X}) > 1


def _as_sequence(tokens: Any, like: Any) -> Any:
    """Return tokens as the kind of sequence that the sample was."""
    return (
        np.array(tokens, dtype=like.dtype) if isinstance(like, np.ndarray) else type(like)(tokens)
    )


def _all_numbers(values: Iterable[Any]) -> bool:
    """Whether all entries are numbers as they are: no text that reads so, and none missing."""
    return all(isinstance(entry, Number) and not isinstance(entry, bool) for entry in values)


def _reads_as_numbers(X: Any) -> bool:
    """Whether an array of objects holds numbers, True and False, or what is missing alone."""
    return all(entry is None or isinstance(entry, (Number, np.bool_)) for entry in X.flat)


def _in_column(values: NDArray[Any], dtype: Any) -> Any:
    """Return floats as a pandas column; a nullable one keeps its dtype where it can."""
    entries = _in_dtype(values, _numpy_dtype(dtype))
    missing = np.isnan(values)
    if not hasattr(dtype, "na_value") or not hasattr(dtype, "numpy_dtype") or not missing.any():
        return entries
    import pandas as pd

    present = _in_dtype(values[~missing], dtype.numpy_dtype)
    if present.dtype != dtype.numpy_dtype:
        return entries
    column = pd.array([pd.NA] * len(values), dtype=dtype)
    column[~missing] = present
    return column


def _numpy_dtype(dtype: Any) -> Any:
    """Return numpy's dtype for one of pandas: nullable ones name it, and sparse ones."""
    return getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))


def _in_dtype(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return floats in a dtype that can hold them; where an integer one cannot, as they are."""
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    with np.errstate(invalid="ignore"):
        narrowed = values.astype(dtype)
    return narrowed if np.array_equal(narrowed, values) else values
