"""A correction in one call."""

from __future__ import annotations

from typing import Any

from ._corrected import CorrectedClassifier


def correct(
    model: Any, X: Any, mask: Any, y: Any = None, *, sample_weight: Any = None, **params: Any
) -> CorrectedClassifier:
    """Correct a fitted network from masks, in one call.

    Parameters
    ----------
    model : fitted classifier with ``module_``, or torch.nn.Module that returns logits
        What is corrected; never changed.
    X : array-like of shape (n_samples, ...)
        Inputs as the network takes them.
    mask : array-like, list of (array-like or None) or DataFrame
        What must not matter, in one of the shapes of the user guide.
    y : array-like of shape (n_samples,) or None, default=None
        Class labels; without them pass `method` and `n_directions`.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        How often each sample counts.
    **params
        Parameters of :class:`CorrectedClassifier`.

    Returns
    -------
    CorrectedClassifier
        Fitted, with `module_`, `report_` and ``undo()``.

    Raises
    ------
    TypeError
        If the model has no network.
    ValueError
        If X, mask or y do not fit each other or the network.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skexplain.correction import correct
    >>> network = torch.nn.Linear(2, 2)
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> corrected = correct(network, X, [[0, 1]], method="project", n_directions=1, random_state=0)
    >>> bool(np.allclose(corrected.predict_proba(X), corrected.predict_proba(X * [1, 0])))
    True
    """
    corrector = CorrectedClassifier(model, **params)
    return corrector.fit(X, y, mask=mask, sample_weight=sample_weight)
