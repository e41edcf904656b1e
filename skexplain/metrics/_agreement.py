"""Whether models that were fitted alike predict alike."""

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from .._checks import is_iterable
from ._groups import row_labels


def prediction_agreement(predictions: Iterable[ArrayLike]) -> float:
    """Mean share of samples on which two models agree, over all pairs of models.

    Models that were fitted with different seeds or samples and lean on the same features agree;
    those that each found a pattern of their own do not, even where their accuracies are equal
    (Tao and Shokri [1]_).

    Parameters
    ----------
    predictions : array-like of shape (n_models, n_samples)
        Predicted labels of two models or more for the same samples, such as
        ``[model.predict(X) for model in models]``.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If there are fewer than two models, or they do not have one label per sample each.

    References
    ----------
    .. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> from skexplain.metrics import prediction_agreement
    >>> prediction_agreement([["a", "b"], ["a", "b"], ["a", "a"]])  # pairs: 1, 1/2 and 1/2
    0.6666666666666666
    """
    if not is_iterable(predictions):
        raise TypeError(
            f"predictions must be a sequence with those of each model; got {predictions!r}."
        )
    models = list(predictions)
    if len(models) < 2:
        raise ValueError(f"predictions must hold those of two models or more; got {len(models)}.")
    first = row_labels(models[0], "predictions[0]")
    others = [
        row_labels(labels, f"predictions[{i}]", len(first), "predictions[0]")
        for i, labels in enumerate(models[1:], start=1)
    ]
    pairs = combinations([first, *others], 2)
    return float(np.mean([np.mean(one == other) for one, other in pairs]))
