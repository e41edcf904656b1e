"""Checks of what comes in, on top of scikit-learn's own."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.base import is_regressor
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..masks import Masks
from ..metrics._groups import _sorted, label_codes, row_labels
from ..training import check_float32


@dataclass
class FitData:
    """What a fit learns from, checked.

    Attributes
    ----------
    X : ndarray of shape (n, ...)
    y : ndarray of shape (n,)
        Encoded targets.
    masks : Masks or None
    sample_weight : ndarray of shape (n,) or None
        Weights; None: all equal.
    rows : ndarray of int
        Rows of positive weight.
    penalised : ndarray of bool of shape (n,)
        Those of them that some penalty looks at.
    groups : ndarray of int of shape (n,) or None
        Encoded group of each row.
    """

    X: np.ndarray
    y: np.ndarray
    masks: Masks | None
    sample_weight: np.ndarray | None
    rows: np.ndarray
    penalised: np.ndarray
    groups: np.ndarray | None = None


def check_inputs(estimator, X, y="no_validation", reset=True):
    """Validate X (and y) without a copy, whatever the numeric dtype.

    Raises
    ------
    ValueError
        If X is no finite dense array with rows, or, at prediction, of another shape than at fit.
    """
    if not reset and len(estimator.input_shape_) > 1:
        # scikit-learn would count axis 1 as features.
        _check_row_shape(estimator, np.shape(X)[1:])
    numeric_targets = is_regressor(estimator) and not isinstance(y, str)
    checked = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        dtype="numeric",
        allow_nd=True,
        ensure_all_finite=True,
        **({"y_numeric": True} if numeric_targets else {}),
    )
    array = checked if isinstance(y, str) and y == "no_validation" else checked[0]
    if isinstance(getattr(estimator, "module", "auto"), str):
        _check_channel_axis(array.shape)
    if not reset:
        _check_row_shape(estimator, array.shape[1:])
    check_float32(array)
    return checked


def _check_row_shape(estimator, shape):
    if shape != estimator.input_shape_:
        raise ValueError(
            f"X must have rows of shape {estimator.input_shape_} as at fit, got {shape}."
        )


def _check_channel_axis(shape):
    if len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise ValueError(
            f"X must have its channels on axis 1, got images of shape {shape[1:]}, which looks "
            f"like channels last: use X.transpose(0, 3, 1, 2). See docs/networks.md."
        )


def warn_of_coarse_columns(statistics):
    """Warn where float32, in which networks compute, can hardly tell values apart.

    Parameters
    ----------
    statistics : InputStatistics
        Of X.
    """
    step = np.spacing(np.abs(statistics.mean).astype(np.float32))
    coarse = (statistics.upper > statistics.lower) & (step > 0.1 * statistics.sd)
    if coarse.any():
        warnings.warn(
            f"X has {coarse.sum()} column(s) or channel(s) that float32 is too coarse for: their "
            f"values differ little beside their mean, as times in seconds do. Subtract it, or put "
            f"a StandardScaler in front.",
            UserWarning,
            stacklevel=5,
        )


def check_weights(sample_weight, X):
    """Validate sample weights; return them (None: all equal) and the rows of positive weight.

    Raises
    ------
    ValueError
        If a weight is negative, their number is wrong, or all are zero.
    """
    everything = np.arange(len(X))
    if sample_weight is None:
        return None, everything
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    rows = np.flatnonzero(weight > 0)
    if not len(rows):
        raise ValueError("sample_weight must be positive for some row, got zeros only.")
    # Equal weights cancel; without them the result is the unweighted one to the bit.
    return (None if np.ptp(weight[rows]) == 0 else weight), rows


def resolve_device(device):
    """Return the torch device; "auto" is a CUDA device if there is one.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()
    except Exception as error:  # torch raises many kinds, and AssertionError without CUDA
        raise ValueError(
            f'device must be "auto", "cpu" or an accelerator of this machine, got {device!r}: '
            f"{str(error).splitlines()[0]}"
        ) from error
    return resolved


def penalised_rows(terms, masks, rows, n_rows):
    """Tell which of the rows that take part some term looks at; ndarray of bool of shape (n,)."""
    penalised = np.zeros(n_rows, dtype=bool)
    if masks is not None:
        for term in terms:
            penalised[rows] |= term.penalty.applies_to(masks)[rows]
    return penalised


def balance(weight, penalised, rows):
    """Raise the weights of penalised samples until they have half of the sum.

    Parameters
    ----------
    weight : ndarray of shape (n,) or None
        Weights; None: all equal.
    penalised : ndarray of bool of shape (n,)
        Samples that have at least half of the say.
    rows : ndarray of int
        Samples that take part.

    Returns
    -------
    ndarray of shape (n,) or None
        The same where they have half already, or there are none.
    """
    given = np.ones(len(penalised)) if weight is None else weight
    own, of_others = (given[rows][flags].sum() for flags in (penalised[rows], ~penalised[rows]))
    if own >= of_others or own == 0:
        return weight
    return np.where(penalised, given * (of_others / own), given)


def check_donors(estimator, terms, n_penalised):
    """Refuse a swap between rows where there is but one row to swap.

    Raises
    ------
    ValueError
        If a penalty takes values from other rows and only one row to train on is penalised.
    """
    if n_penalised == 1 and any(term.penalty.needs_donors for term in terms):
        raise ValueError(
            f"mask must mark something irrelevant in at least 2 samples (of positive "
            f"sample_weight, and not held out), since {type(estimator).__name__} takes the values "
            f"of other rows; got 1 sample. See docs/limits.md#data."
        )


def encode_groups(group_labels, n_rows, rows, known=()):
    """Encode group labels.

    Parameters
    ----------
    group_labels : array-like of shape (n,)
        Labels of any kind, none missing.
    n_rows : int
        Number of rows of X.
    rows : ndarray of int
        Rows of positive weight; groups of others only do not count.
    known : sequence
        Labels that have a code already.

    Returns
    -------
    codes : ndarray of int of shape (n,)
    labels : list
        Label of each code.

    Raises
    ------
    ValueError
        If the number of labels is wrong or one is missing.
    """
    labels = row_labels(group_labels, "group_labels", n_rows, other="X")
    codes, found = label_codes(labels[rows])
    # Sorted, so that a list and an array of the same labels give the same sums, to the bit.
    every = list(known) + [label for label in _sorted(found) if label not in known]
    position = {label: code for code, label in enumerate(every)}
    encoded = np.zeros(n_rows, dtype=np.int64)
    encoded[rows] = np.array([position[label] for label in found], dtype=np.int64)[codes]
    return encoded, every


def check_fill(name, fill, row_shape):
    """Refuse what cannot fill the irrelevant features of a row.

    Raises
    ------
    ValueError
        If the fill is no finite number, "mean" or array that broadcasts to a row.
    """
    if isinstance(fill, str):
        return
    row = (1, *row_shape)
    try:
        values = np.asarray(fill, dtype=np.float32)
        fits = np.broadcast_shapes(values.shape, row) == row
    except (TypeError, ValueError):
        fits = False
    if not fits or not np.isfinite(values).all():
        raise ValueError(
            f'{name} must be a finite number, "mean" or an array that broadcasts to rows of '
            f"shape {tuple(row_shape)}; got {fill!r}."
        )
