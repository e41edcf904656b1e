"""Classifiers and regressors of any library: how they are told apart, and what scores them."""

from collections.abc import Callable
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score


def score_of(estimator: Any) -> Callable[..., float]:
    """Return the metric of scikit-learn's ``score``: accuracy, of a regressor R2."""
    return r2_score if is_tagged_regressor(estimator) else accuracy_score


def is_tagged_regressor(estimator: Any) -> bool:
    """Return whether an estimator is a regressor by its tags."""
    return hasattr(estimator, "__sklearn_tags__") and is_regressor(estimator)


def check_predictor(estimator: Any) -> None:
    """Check that an estimator is a classifier or a regressor."""
    if not is_tagged_regressor(estimator):
        check_classifier(estimator)


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
