"""Predictions of estimators around another one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted


def estimator_has(method: str) -> Callable[[Any], bool]:
    """Return a function that checks whether the estimator inside, fitted or not, has a method.

    Parameters
    ----------
    method : str
        Name of the method.

    Returns
    -------
    callable
        Raises an AttributeError where there is no such method.
    """

    def check(self: Any) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class DelegatedPredictionsMixin:
    """Predicts with `estimator_`, the fitted clone of `estimator`."""

    estimator: Any
    estimator_: Any

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a fitted estimator."""
        return hasattr(self, "estimator_")

    @available_if(estimator_has("predict"))
    def predict(self, X: Any) -> np.ndarray:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of the kind and shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities with the fitted estimator.

        Parameters
        ----------
        X : array-like of the kind and shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithms of class probabilities with the fitted estimator.

        Parameters
        ----------
        X : array-like of the kind and shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self.estimator_.predict_log_proba(X)

    @available_if(estimator_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """Compute the decision function of the fitted estimator.

        Parameters
        ----------
        X : array-like of the kind and shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of two classes one value, that of the second less that of the first.
        """
        check_is_fitted(self)
        return self.estimator_.decision_function(X)

    @available_if(estimator_has("score"))
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score of the fitted estimator.

        Parameters
        ----------
        X : array-like of the kind and shape of the training inputs
            Inputs; no mask is needed.
        y : array-like of shape (n_samples,)
            Class labels or target values.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights.

        Returns
        -------
        float
            Accuracy of a classifier, coefficient of determination of a regressor.
        """
        check_is_fitted(self)
        if sample_weight is None:
            return self.estimator_.score(X, y)
        return self.estimator_.score(X, y, sample_weight=sample_weight)
