"""What a correction is given: a fitted estimator that stays so, and the labels of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import nn

from .._checks import as_array
from ..metrics._groups import row_labels
from ._weights import check_weight

# Weights count samples: the ridge penalty of a new head has a scale.
_SMALLEST, _LARGEST = 1e-6, 1e6


def frozen(model: Any) -> Any:
    """Return a fitted estimator as one that a clone leaves fitted; all else as it is.

    Parameters
    ----------
    model : nn.Module or estimator

    Returns
    -------
    nn.Module or estimator
    """
    if isinstance(model, nn.Module | FrozenEstimator):
        return model
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError):  # `fit` says what is wrong with it
        return model
    return FrozenEstimator(model)


def encode_labels(
    classes: np.ndarray | None, n_classes: int, X: np.ndarray, y: Any
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return class labels, and y as their positions.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,) or None
        Those of the estimator; None: of a network, whose classes are those of y.
    n_classes : int
        Number of outputs of the network.
    X : ndarray of shape (n_samples, ...)
    y : array-like of shape (n_samples,) or None
        None: there are no labels.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If there are not as many labels as outputs, or y has others than the estimator.
    """
    if y is not None:
        y = row_labels(column_or_1d(as_array("y", y)), "y")
        check_classification_targets(y)
        check_consistent_length(X, y)
    if classes is None:
        classes = np.arange(n_classes) if y is None else np.unique(y)
    if len(classes) != n_classes:
        raise ValueError(
            f"y must have one label per output of the network, {n_classes}, in the sorted "
            f"order of these; got {len(classes)} labels."
        )
    if y is None:
        return classes, None
    unknown = np.setdiff1d(y, classes)
    if len(unknown):
        raise ValueError(
            f"y must hold classes of the estimator, {classes.tolist()}, got {unknown.tolist()}."
        )
    order = np.argsort(classes)  # those of another library need not be sorted
    return classes, order[np.searchsorted(classes, y, sorter=order)]


def read_weight(sample_weight: Any, X: np.ndarray) -> np.ndarray | None:
    """Return sample weights; None where each sample counts once.

    Raises
    ------
    ValueError
        If one is negative or not finite, their number is wrong, or their mean is no ordinary
        number.
    """
    if sample_weight is None:
        return None
    weight = check_weight(sample_weight, X)
    mean = weight[weight > 0].mean()
    if not _SMALLEST < mean < _LARGEST:
        raise ValueError(
            f"sample_weight must say how often samples count, with a mean from {_SMALLEST:g} to "
            f"{_LARGEST:g}, got {mean:.3g}."
        )
    return None if (weight == 1).all() else weight
