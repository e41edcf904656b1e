"""How an estimator takes sample weights, and class weights that do not count copies."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRouter, _routing_enabled, get_routing_for_object
from sklearn.utils.validation import _check_sample_weight, has_fit_parameter

from .._checks import as_numbers, check_no_dates


def weight_keyword(estimator: Any) -> str | None:
    """Return the keyword of `fit` under which an estimator takes sample weights.

    Parameters
    ----------
    estimator : estimator
        Any; of a pipeline the last step counts, of a search its estimator.  With metadata routing
        on, both must request the weights.

    Returns
    -------
    str or None
        None: it takes none.
    """
    if _routing_enabled() and hasattr(estimator, "get_metadata_routing"):
        routing = get_routing_for_object(estimator)
        if isinstance(routing, MetadataRouter):
            return "sample_weight" if routing.consumes("fit", ["sample_weight"]) else None
    if isinstance(estimator, Pipeline):
        name, step = estimator.steps[-1]
        keyword = None if isinstance(step, str) or step is None else weight_keyword(step)
        return None if keyword is None else f"{name}__{keyword}"
    if isinstance(estimator, BaseSearchCV):
        return weight_keyword(estimator.estimator)
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def check_weight(sample_weight: Any, X: Any) -> np.ndarray:
    """Return non-negative sample weights as float64, ones where none are given.

    Raises
    ------
    ValueError
        If a weight is negative, their number is wrong, or all are zero.
    """
    check_no_dates("sample_weight", sample_weight)
    if sample_weight is not None and not isinstance(sample_weight, Real):
        sample_weight = as_numbers("sample_weight", sample_weight)
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight must be positive for some sample, got zeros only.")
    return weight


def half_of_the_say(weight: np.ndarray, changing: np.ndarray) -> np.ndarray:
    """Raise the weights of samples with copies to half of all; the sum stays.

    The others go on to reward the shortcut; so where these are more, they count less, as in
    :class:`~skexplain.SwapExClassifier`.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        Weights.
    changing : ndarray of int
        Samples that a swap may change.

    Returns
    -------
    ndarray of shape (n_samples,)
        The same where they have half already.
    """
    total, own = weight.sum(), weight[changing].sum()
    if own == 0 or own >= total / 2:
        return weight
    balanced = weight * (total / 2 / (total - own))
    balanced[changing] = weight[changing] * (total / 2 / own)
    return balanced


def fix_class_weights(estimator: Any, y: Any, weight: np.ndarray) -> None:
    """Set "balanced" class weights of an estimator, also of a nested one, to those of y itself.

    The estimator would count copies.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    y : array-like of shape (n_samples,)
        Class labels, without copies.
    weight : ndarray of shape (n_samples,)
        Sample weights.
    """
    params = estimator.get_params()
    names = [
        name
        for name, value in params.items()
        if name.rpartition("__")[2] == "class_weight"
        and isinstance(value, str)
        and value in ("balanced", "balanced_subsample")
    ]
    if not names:
        return
    classes = np.unique(np.asarray(y)[weight > 0])
    counted = [weight[np.asarray(y) == label].sum() for label in classes]
    balanced = sum(counted) / (len(classes) * np.array(counted))
    weights = dict(zip(classes.tolist(), balanced.tolist(), strict=True))
    estimator.set_params(**dict.fromkeys(names, weights))
