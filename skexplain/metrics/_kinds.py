"""Classifiers and regressors of any library: how they are told apart, and what scores them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score

from ._groups import row_labels


def score_of(estimator: Any) -> Callable[..., float]:
    """Return the metric of scikit-learn's ``score``: accuracy, of a regressor R2."""
    return r2_of if is_tagged_regressor(estimator) else accuracy_score


def r2_of(y: NDArray[Any], predicted: NDArray[Any], **kwargs: Any) -> float:
    """Return scikit-learn's R2, of targets that are all equal 1 or 0, as it says.

    Their mean may differ from them by rounding, which would be the unit of the errors.
    """
    if np.all(y == y[0]):
        y, predicted = y - y[0], predicted - y[0]
    return float(r2_score(y, predicted, **kwargs))


def target_values(
    values: ArrayLike, name: str, n_rows: int | None = None, other: str = "y_true"
) -> NDArray[np.float64]:
    """Return one finite number per sample of `other`; n_rows=None allows any number but 0."""
    labels = row_labels(values, name, n_rows, other)
    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}.") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite in every sample.")
    return numbers


def is_tagged_regressor(estimator: Any) -> bool:
    """Return whether an estimator is a regressor by its tags."""
    return hasattr(estimator, "__sklearn_tags__") and is_regressor(estimator)


def check_predictor(estimator: Any) -> None:
    """Check that an estimator predicts and, by its tags, is a classifier or a regressor."""
    tagged = hasattr(estimator, "__sklearn_tags__")
    is_other = tagged and not (is_classifier(estimator) or is_regressor(estimator))
    if is_other or not hasattr(estimator, "predict"):
        raise TypeError(
            f"estimator must be a fitted classifier or regressor, got {type(estimator).__name__}."
        )


def check_classifier(estimator: Any, *, of_regressor: str | None = None) -> None:
    """Check that an estimator predicts and, by its tags, is a classifier.

    Parameters
    ----------
    estimator : object
        What is checked.
    of_regressor : str or None, default=None
        What the error recommends for a regressor.
    """
    is_other = hasattr(estimator, "__sklearn_tags__") and not is_classifier(estimator)
    if is_other or not hasattr(estimator, "predict"):
        hint = ""
        if of_regressor is not None and is_tagged_regressor(estimator):
            hint = f": of a regressor use {of_regressor}"
        raise TypeError(
            f"estimator must be a fitted classifier, got {type(estimator).__name__}{hint}."
        )


def check_regressor(estimator: Any) -> None:
    """Check that an estimator predicts and, by its tags, is a regressor."""
    if not (is_tagged_regressor(estimator) and hasattr(estimator, "predict")):
        raise TypeError(
            f"estimator must be a fitted regressor, got {type(estimator).__name__}: of a "
            f"classifier use nuisance_flip_rate."
        )
