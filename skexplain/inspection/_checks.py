"""Checks that the functions of this room share."""

from collections.abc import Hashable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .._checks import as_array
from ..estimators._base import BaseExplanationEstimator
from ..estimators._tokenizers import check_has_no_tokenizer

Marks: TypeAlias = Literal["irrelevant", "relevant"]
Clip: TypeAlias = Literal["data"] | tuple[float, float] | None


def check_model(estimator: object, classifier: bool = False) -> None:
    """Check that an estimator has a trained network of its own.

    Parameters
    ----------
    estimator : object
        The argument.
    classifier : bool, default=False
        Whether it must be a classifier.

    Raises
    ------
    TypeError
        If it is none of this package's estimators with a network, or no classifier.
    NotFittedError
        If it is not fitted.
    """
    check_has_no_tokenizer(estimator, "pass clf.estimator_, t.ids and t.mask")
    if not isinstance(estimator, BaseExplanationEstimator):
        raise TypeError(
            f"estimator must be one of skexplain with a network of its own, got "
            f"{type(estimator).__name__}; of a pipeline pass the last step, with X as that step is "
            f"given it, of a FindAnotherExplanationClassifier one of its estimators_."
        )
    if classifier and not is_classifier(estimator):
        raise TypeError(
            f"estimator must be a classifier of skexplain, got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)


def class_codes(
    name: str, labels: Any, estimator: BaseExplanationEstimator, n_rows: int
) -> NDArray[np.int64]:
    """Turn labels into positions in ``classes_``.

    Parameters
    ----------
    name : str
        Name of the argument.
    labels : label or array-like of shape (n_rows,)
        One for all samples, or one for each.
    estimator : fitted classifier
        Has ``classes_``.
    n_rows : int
        Number of samples of X.

    Returns
    -------
    ndarray of int of shape (n_rows,)

    Raises
    ------
    ValueError
        If there are too few or too many labels, or one that is no class.
    """
    labels = as_array(name, labels)
    labels = np.broadcast_to(labels, n_rows) if labels.ndim == 0 else column_or_1d(labels)
    if len(labels) != n_rows:
        raise ValueError(
            f"{name} must be one label or one for each of the {n_rows} samples of X, got "
            f"{len(labels)} labels."
        )
    # A dict, since numpy would take the text "1" for the number.
    position = {label: code for code, label in enumerate(estimator.classes_.tolist())}
    unknown = [
        label
        for label in labels.tolist()
        if not isinstance(label, Hashable) or label not in position
    ]
    if unknown:
        raise ValueError(
            f"{name} must hold labels of the classes {list(position)}, got {unknown[0]!r}."
        )
    return np.array([position[label] for label in labels.tolist()], dtype=np.int64)
