"""Accuracy by group: a shortcut hides in the mean over samples and shows in the worst group."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_array, check_no_dates

# What a numpy array of text holds, by its dtype's kind.  Text never equals bytes or a number.
_TEXT_KINDS = {"S": "bytes", "T": "str", "U": "str"}
# What errors call labels, and predictions that an estimator made of them.
BESIDE_ESTIMATOR = ("y", "what the estimator predicts")


def group_accuracies(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group_labels: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> dict[Any, float]:
    """Accuracy of every group of samples.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels: text, integers, booleans or other objects that compare equal.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, as `predict` returns them.
    group_labels : array-like of shape (n_samples,)
        The group of every sample, by any label; text and numbers may be mixed in a list or in an
        array of objects.  Missing values are an error.  To cross two columns, join them into one
        label, say ``[f"{a}/{b}" for a, b in zip(first, second)]``.
    labels : array-like of shape (n_groups,), default=None
        The groups to report, in this order: one without samples is reported as nan, one that is not
        listed is left out.  None reports the groups in `group_labels`, sorted.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, zero or more.  None weighs all samples alike.

    Returns
    -------
    accuracies : dict
        Accuracy in [0, 1] by group label, as Python objects.  A group without samples, or whose
        samples all have weight zero, has the accuracy nan.

    Raises
    ------
    ValueError
        If an argument is empty, not one-dimensional, of another length than `y_true` or has
        missing values, or groups that cannot be hashed; if the predictions are not labels of the
        kind of `y_true`; if no sample has weight; or if `labels` has duplicates or no label that
        occurs.  The message names the argument.

    See Also
    --------
    mean_group_accuracy : Their unweighted mean.
    worst_group_accuracy : Their minimum.
    group_r2_scores : The same for regressors.

    Examples
    --------
    >>> from skexplain.metrics import group_accuracies
    >>> y_true = ["benign", "benign", "malignant", "benign"]
    >>> y_pred = ["benign", "malignant", "malignant", "benign"]
    >>> ruler = ["without", "with", "without", "without"]
    >>> group_accuracies(y_true, y_pred, ruler)
    {'with': 0.0, 'without': 1.0}
    >>> group_accuracies(y_true, y_pred, ruler, labels=["with", "without", "unsure"])
    {'with': 0.0, 'without': 1.0, 'unsure': nan}
    """
    y_true = row_labels(y_true, "y_true")
    y_pred = row_labels(y_pred, "y_pred", len(y_true))
    codes, groups, weights = check_groups(group_labels, sample_weight, len(y_true))
    return means_by_group(check_correct(y_true, y_pred), codes, groups, weights, labels)


def mean_group_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group_labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Unweighted mean of the groups' accuracies.

    A group of ten samples counts as much as one of ten thousand.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    group_labels : array-like of shape (n_samples,)
        The group of every sample, see :func:`group_accuracies`.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights within the groups.  A group without weight does not count.

    Returns
    -------
    score : float
        In [0, 1]; greater is better.

    Raises
    ------
    ValueError
        As :func:`group_accuracies`.

    See Also
    --------
    worst_group_accuracy : Minimum over the groups.

    Notes
    -----
    This is the average accuracy of [1]_.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> from skexplain.metrics import mean_group_accuracy
    >>> mean_group_accuracy([0, 0, 0, 1], [0, 0, 0, 0], ["a", "a", "a", "b"])
    0.5
    """
    accuracies = group_accuracies(y_true, y_pred, group_labels, sample_weight=sample_weight)
    return float(np.nanmean(list(accuracies.values())))


def worst_group_accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group_labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Accuracy of the worst group.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels.
    group_labels : array-like of shape (n_samples,)
        The group of every sample, see :func:`group_accuracies`.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights within the groups.  A group without weight does not count.

    Returns
    -------
    score : float
        In [0, 1]; greater is better.

    Raises
    ------
    ValueError
        As :func:`group_accuracies`.

    See Also
    --------
    mean_group_accuracy : Unweighted mean over the groups, less noisy.

    Notes
    -----
    The score of [1]_, and the robust accuracy of [2]_.  The minimum over many small groups is
    noisy and lies below what each group would reach on more samples: compare models on the same
    samples, over several seeds.

    For searches and cross-validation there is
    :func:`~skexplain.model_selection.worst_group_scorer`.

    References
    ----------
    .. [1] S. Sagawa, P. W. Koh, T. B. Hashimoto, P. Liang. "Distributionally Robust Neural
       Networks for Group Shifts: On the Importance of Regularization for Worst-Case
       Generalization". ICLR 2020. https://arxiv.org/abs/1911.08731
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> from skexplain.metrics import worst_group_accuracy
    >>> worst_group_accuracy([0, 0, 0, 1], [0, 0, 0, 0], ["a", "a", "a", "b"])
    0.0
    """
    accuracies = group_accuracies(y_true, y_pred, group_labels, sample_weight=sample_weight)
    return float(np.nanmin(list(accuracies.values())))


def check_groups(
    group_labels: ArrayLike, sample_weight: ArrayLike | None, n_rows: int
) -> tuple[NDArray[Any], list[Any], NDArray[np.float64]]:
    """Return group code and weight of every sample, and the labels of the codes."""
    codes, groups = label_codes(row_labels(group_labels, "group_labels", n_rows))
    weights = np.ones(n_rows) if sample_weight is None else check_weights(sample_weight, n_rows)
    return codes, groups, weights


def means_by_group(
    values: NDArray[Any],
    codes: NDArray[Any],
    groups: list[Any],
    weights: NDArray[np.float64],
    labels: ArrayLike | None,
) -> dict[Any, float]:
    """Return the weighted mean of values of samples by group, nan where there is no weight."""
    total = np.bincount(codes, weights, minlength=len(groups))
    sums = np.bincount(codes, weights * values, minlength=len(groups))
    with np.errstate(invalid="ignore"):
        means = dict(zip(groups, (sums / total).tolist(), strict=True))
    if labels is None:
        return {group: means[group] for group in _sorted(groups)}
    return {group: means.get(group, float("nan")) for group in _check_labels(labels, groups)}


def row_labels(
    values: ArrayLike, name: str, n_rows: int | None = None, other: str = "y_true"
) -> NDArray[Any]:
    """Return one label per sample of `other`, none missing; n_rows=None allows any number but 0."""
    values = _column(values, name, n_rows, other)
    missing = np.flatnonzero(_is_missing(values))
    if len(missing):
        raise ValueError(
            f"{name} has {len(missing)} missing value(s), the first in row {missing[0]}: drop these"
            " rows or give them a label of their own."
        )
    return values


def _column(
    values: ArrayLike, name: str, n_rows: int | None = None, other: str = "y_true"
) -> NDArray[Any]:
    """Return values as a one-dimensional array that keeps the type of each label."""
    array = _as_array(name, values)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional; it has the shape {array.shape}.")
    if array.dtype.kind in "cV":
        raise ValueError(f"{name} must hold labels: numbers, text, dates; got {array.dtype}.")
    if n_rows is not None and len(array) != n_rows:
        raise ValueError(f"{name} has {len(array)} rows, but {other} has {n_rows}.")
    if not len(array):
        raise ValueError(f"{name} is empty: at least one row is needed.")
    return array


def _as_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return values as an array that keeps the type of each label."""
    if isinstance(values, list) and values and all(isinstance(value, tuple) for value in values):
        return _as_objects(values)  # each tuple is one label, such as (class, background)
    array = as_array(name, values)
    if isinstance(values, list | tuple) and array.ndim == 1 and array.dtype.kind in _TEXT_KINDS:
        # Numpy makes text of the numbers in a mixed list, and so one group of 1 and "1".
        return _as_objects(values)
    return array


def _as_objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each value whether it is NaN, NaT, None or pandas.NA."""
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype != object:
        return np.zeros(len(values), dtype=bool)
    return np.fromiter(map(is_missing_object, values), dtype=bool, count=len(values))


def is_missing_object(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:  # pandas.NA has no truth value
        return True
    except (ValueError, RuntimeError):  # nor has an array or a tensor, which is no label
        return False


def label_codes(labels: NDArray[Any]) -> tuple[NDArray[Any], list[Any]]:
    """Return each sample's code, and the labels in the order of the codes, as Python objects."""
    if labels.dtype != object:
        groups, codes = np.unique(labels, return_inverse=True)
        return codes, _python_objects(groups)
    # Mixed labels need not have an order, so np.unique may fail on them.
    code_of: dict[Any, int] = {}
    numbers = [
        code_of.setdefault(label, len(code_of)) for label in _hashable(labels, "group_labels")
    ]
    return np.array(numbers, dtype=np.intp), _python_objects(code_of)


def _hashable(labels: Any, name: str) -> Any:
    """Return labels, after checking that they can be hashed."""
    for label in labels:
        try:
            hash(label)
        except TypeError as error:
            raise ValueError(f"{name} must hold labels, as text or numbers: {error}.") from error
    return labels


def _python_objects(labels: Iterable[Any]) -> list[Any]:
    """Return labels as Python objects, which print and serialise well; dates stay numpy's."""
    return [
        label.item() if isinstance(label, np.generic) and label.dtype.kind not in "mM" else label
        for label in labels
    ]


def _sorted(groups: Iterable[Any]) -> list[Any]:
    """Sort labels; where they have no common order, type by type."""
    try:
        return sorted(groups)
    except TypeError:
        return sorted(groups, key=_type_and_number)


def _type_and_number(label: Any) -> tuple[str, float, str]:
    number = label if isinstance(label, int | float) else 0
    return type(label).__name__, number, str(label)


def _check_labels(labels: ArrayLike, groups: list[Any]) -> list[Any]:
    """Return the groups to report, after checking that they are distinct and that one occurs."""
    wanted = _hashable(_python_objects(_column(labels, "labels")), "labels")
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"labels must be distinct; got {wanted}.")
    if not set(wanted) & set(groups):
        raise ValueError(
            f"labels must hold at least one label of group_labels; got {wanted}, while group_labels"
            f" holds {_sorted(groups)}."
        )
    return wanted


def check_weights(sample_weight: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    weights = _column(sample_weight, "sample_weight", n_rows)
    check_no_dates("sample_weight", weights)
    try:
        weights = weights.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must be numbers: {error}.") from error
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError("sample_weight must be finite and zero or more in every row.")
    if not weights.any():
        raise ValueError("sample_weight is zero in every row: no row is left to score.")
    return weights


def check_correct(
    y_true: NDArray[Any], y_pred: NDArray[Any], names: tuple[str, str] = ("y_true", "y_pred")
) -> NDArray[np.bool_]:
    """Return whether each prediction is right, after checking that it could be.

    Parameters
    ----------
    y_true, y_pred : ndarrays that broadcast to each other
        Labels and predictions.
    names : (str, str), default=("y_true", "y_pred")
        What errors call them.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    ValueError
        If predictions are fractions, or none of the kind of the labels.
    """
    of_labels, of_predictions = names
    if y_pred.dtype.kind == "f" and np.any(y_pred != np.rint(y_pred)):
        raise ValueError(
            f"{of_predictions} must be class labels, but there are fractions: pass what predict"
            f" returns, not what predict_proba or decision_function does."
        )
    if y_true.dtype.kind in "cV":
        raise ValueError(f"{of_labels} must be class labels, got {y_true.dtype}.")
    true_kinds, pred_kinds = _kinds(y_true), _kinds(y_pred)
    if not true_kinds & pred_kinds:
        raise ValueError(
            f"{of_predictions} must be labels of the kind of {of_labels}, {_listed(true_kinds)},"
            f" but is of the kind {_listed(pred_kinds)}: no prediction could be right."
        )
    return np.asarray(y_true == y_pred, dtype=bool)


def _kinds(labels: NDArray[Any]) -> set[str]:
    """Return the kinds of label in an array; different kinds are never equal."""
    if labels.dtype != object:
        return {_TEXT_KINDS.get(labels.dtype.kind, "number")}
    return {_TEXT_KINDS.get(np.asarray(label).dtype.kind, "number") for label in labels.flat}


def _listed(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))
