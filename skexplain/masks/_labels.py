"""Names of columns and labels of samples: which entries of a mask belong to which of X.

One rule for every place that takes a mask beside X.  Columns: names that X has too are aligned,
names that X does not have or whose columns are unknown are an error, and what has no names is read
by position.  Samples are never moved: an index in another order than X's is an error.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._text import printable


def labels_beside(X: Any, y: Any = None, fitted: object = None) -> dict[str, Any]:
    """Return what is known of the columns and samples of X, for :func:`interpret_mask`.

    Parameters
    ----------
    X : array-like
        The inputs as the user passed them.
    y : array-like or None, default=None
        Targets; their index stands in where X has none (behind a transformer).
    fitted : object or None, default=None
        An estimator that was fitted on named columns; their names stand in where X has none.

    Returns
    -------
    dict
        "feature_names" and "index", each None where it is not known.
    """
    names = column_labels(X)
    if names is None:
        names = getattr(fitted, "feature_names_in_", None)
    index = row_labels(X)
    return {
        "feature_names": None if names is None else [str(name) for name in names],
        "index": row_labels(y) if index is None else index,
    }


def own_labels(mask: Any) -> list[str] | None:
    """Return the names that a mask itself has, so that it is read in its own order."""
    labels = mask.index if is_series(mask) and mask.dtype != object else column_labels(mask)
    return None if labels is None else [str(label) for label in labels]


def column_labels(table: Any) -> list[Any] | None:
    """Return the labels of a table's columns as a list, None where it has none."""
    if is_series(table):
        return None
    labels = getattr(table, "column_names", None)  # pyarrow
    if labels is None:
        labels = getattr(table, "columns", None)
    return None if labels is None or callable(labels) else list(labels)


def row_labels(table: Any) -> Any:
    """Return the index of a pandas DataFrame or Series, None of anything else."""
    return table.index if hasattr(table, "iloc") and hasattr(table, "index") else None


def is_series(values: object) -> bool:
    """Whether these are a pandas Series."""
    return hasattr(values, "iloc") and hasattr(values, "to_frame")


def column_order(labels: Any, names: Sequence[str] | None) -> NDArray[Any] | None:
    """Return where each column of X is found in a mask, None where they are read by position.

    Parameters
    ----------
    labels : sequence
        Labels of the mask's columns, as the mask has them.
    names : sequence of str or None
        Names of the columns of X, None where they are not known.

    Raises
    ------
    ValueError
        If the mask has names that X does not have, or that cannot be compared.
    """
    unnamed = _is_numbering(labels)
    labels = [str(label) for label in labels]
    if names is None:
        if unnamed:
            return None
        raise ValueError(
            "mask must come without names where those of the columns of X are not known, since "
            f"they cannot be compared; got {shorten_names(labels)}. Pass X as a DataFrame (behind "
            'a transformer: set_output(transform="pandas")), or, if the mask is in the order of '
            "the columns of X, mask.to_numpy(). See docs/masks.md#names."
        )
    names = list(names)
    if labels == names:
        return None
    place = {label: position for position, label in enumerate(labels)}
    if len(place) == len(labels) and sorted(labels) == sorted(names):
        return np.array([place[name] for name in names])
    if unnamed:
        return None
    known, given = set(names), set(labels)
    unknown = [label for label in labels if label not in known]
    missing = [name for name in names if name not in given]
    repeated = ""
    if not unknown and not missing:
        twice = [name for name in place if labels.count(name) + names.count(name) > 2]
        repeated = (
            f" {shorten_names(twice)} must occur as often as in X, and in the order of its columns."
        )
    raise ValueError(
        f"mask must have the columns of X, {shorten_names(names)}. "
        f"Not columns of X: {shorten_names(unknown)}; missing: {shorten_names(missing)}.{repeated}"
    )


def by_position(mask: Any, names: Sequence[str]) -> Any:
    """Return a mask whose columns are in the order of names, and no longer have any.

    Parameters
    ----------
    mask : array-like or None
        What has no names is returned as it is.
    names : sequence of str
        Names of the columns of X.

    Raises
    ------
    ValueError
        If the mask has other names.
    """
    if not hasattr(mask, "iloc") or (is_series(mask) and mask.dtype == object):
        return mask
    labels = mask.index if is_series(mask) else mask.columns
    order = column_order(labels, [str(name) for name in names])
    order = np.arange(len(labels)) if order is None else order
    if is_series(mask):
        return mask.iloc[order].reset_index(drop=True)
    return mask.iloc[:, order].set_axis(range(len(order)), axis=1)


def check_row_order(labels: Any, index: Any) -> None:
    """Check that the index of a mask does not contradict the order of the samples of X.

    Parameters
    ----------
    labels : pandas Index or None
        Index of the mask.
    index : pandas Index or None
        Index of X.

    Raises
    ------
    ValueError
        If both hold the same labels in another order, or if both have labels of their own and of
        one kind (not 0, 1, 2, ..., nor numbers beside text) that are not equal.
    """
    if labels is None or index is None or len(labels) != len(index) or labels.equals(index):
        return
    if labels.inferred_type != index.inferred_type or labels.nlevels != index.nlevels:
        return
    unnamed = _is_numbering(labels) or _is_numbering(index)
    if unnamed and not (labels.isin(index).all() and index.isin(labels).all()):
        return
    first = int(np.argmax(np.asarray(labels != index)))
    ours, theirs = (str(each[first]) for each in (labels, index))
    raise ValueError(
        f"mask must have its rows in the order of X; row {first} has the label {ours!r} in the "
        f"index of the mask and {theirs!r} in that of X. If the labels say which row is meant, "
        "pass mask.loc[X.index]; if the rows are in order, mask.set_axis(X.index, axis=0). See "
        "docs/masks.md#names."
    )


def _is_numbering(labels: Any) -> bool:
    """Whether labels are 0, 1, 2, ..., which a table has that was given no names."""
    numbers = np.asarray(labels)
    return numbers.dtype.kind in "iu" and np.array_equal(numbers, np.arange(len(numbers)))


def shorten_names(items: Sequence[object], limit: int = 8) -> str:
    """Return a list as text for errors and warnings, without quotes and cut where it is long."""
    shown = ", ".join(map(printable, items[:limit]))
    return f"[{shown}{', ...' if len(items) > limit else ''}]"
