"""Bounds and certified accuracy: statements on all perturbations of irrelevant features."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.utils.validation import column_or_1d

from .._checks import check_option
from .._surroundings import own_surroundings
from .._typing import MaskLike
from ..estimators._base import BaseExplanationEstimator
from ..estimators._largest_gradients import masked_rows
from ..metrics._groups import BESIDE_ESTIMATOR, check_correct
from ..metrics._token_inputs import of_tokens
from ..penalties import CertifiedPenalty
from ..penalties._box import irrelevant_box
from ..penalties._tokens import at_embedding
from ..propagation import Interval, propagate_interval
from ..propagation._bounds import margins
from ..propagation._run import check_outputs
from ._checks import Clip, Marks, check_model


@own_surroundings()
def predict_bounds(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    mask: MaskLike,
    epsilon: float,
    *,
    clip: Clip = None,
    mask_marks: Marks | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bound the predictions over all perturbations of the irrelevant features.

    Intervals are propagated through the network (Gowal et al. 2019 [1]_): the bounds hold, and may
    be loose, most of all for networks that were not trained for them (`IBPExClassifier`).

    Of tokens epsilon is a radius around their embeddings, and ``epsilon=inf, clip="data"`` the box
    of the embeddings of all ids: any token at a marked place.

    Parameters
    ----------
    estimator : classifier or regressor of this package
        A fitted one, `WithTokenizer` among them, whose X are texts.
    X : array-like of the shape of the training inputs
        Inputs.
    mask : array-like, list of (array-like or None) or DataFrame
        What may change, as in ``fit``.  Degrees scale epsilon.  In a sample without annotation
        nothing changes.
    epsilon : float
        Largest change of a feature, in the estimator's `input_unit`; it may be infinite where
        `clip` is finite.
    clip : "data", (float, float) or None, default=None
        Range that a changed feature does not leave: that of the training data in each column or
        channel, a pair of numbers, or none.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says; None: what the estimator says.

    Returns
    -------
    lower, upper : ndarrays of float64
        For a classifier bounds of ``predict_proba``, shape (n, n_classes); for a regressor of
        ``predict``, shape (n,).

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not one of this package's.
    UnsupportedOperationError
        If its network does something that intervals have no rule for.
    ValueError
        If the mask does not fit X, epsilon or clip are out of range, or `mask_marks` is none of the
        two.

    See Also
    --------
    certified_accuracy : The share of right predictions that no perturbation flips.

    References
    ----------
    .. [1] S. Gowal et al. (2019). Scalable Verified Training for Provably Robust Image
       Classification. ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import IBPExClassifier
    >>> from skexplain.inspection import predict_bounds
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = IBPExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> lower, upper = predict_bounds(clf, X, mask, epsilon=0.5)
    >>> moved = clf.predict_proba(X + [0, 0.5 * X[:, 1].std()])
    >>> bool(np.all((lower <= moved) & (moved <= upper)))
    True
    """
    estimator, X, mask = of_tokens(estimator, X, mask)
    check_model(estimator)
    bounds = _probability_bounds if is_classifier(estimator) else _value_bounds
    parts = _for_each_batch(bounds, estimator, X, mask, epsilon, clip, mask_marks)
    lower, upper = (torch.cat(ends).cpu().numpy() for ends in zip(*parts, strict=True))
    return lower, upper


@own_surroundings()
def certified_accuracy(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    y: ArrayLike,
    mask: MaskLike,
    epsilon: float,
    *,
    clip: Clip = None,
    mask_marks: Marks | None = None,
) -> float:
    """Return the share of predictions that are right whatever irrelevant features change to.

    A sample counts if its label is predicted, and the bounds of `predict_bounds`, through the
    weights of a last linear layer, show that no change of its irrelevant features by up to epsilon
    leads to another prediction (Gowal et al. 2019 [1]_).  The true share of such samples is at
    least this one.  Of tokens see `predict_bounds`.

    Parameters
    ----------
    estimator : classifier of this package
        A fitted one, `WithTokenizer` among them, whose X are texts.
    X : array-like of the shape of the training inputs
        Inputs.
    y : array-like of shape (n,)
        True labels.
    mask : array-like, list of (array-like or None) or DataFrame
        What may change, as in ``fit``.  Degrees scale epsilon.  In a sample without annotation
        nothing changes.
    epsilon : float
        Largest change of a feature, in the estimator's `input_unit`; it may be infinite where
        `clip` is finite.
    clip : "data", (float, float) or None, default=None
        Range that a changed feature does not leave: that of the training data in each column or
        channel, a pair of numbers, or none.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says; None: what the estimator says.

    Returns
    -------
    float
        Between 0 and the accuracy.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not a classifier of this package.
    UnsupportedOperationError
        If its network does something that intervals have no rule for.
    ValueError
        If mask or y do not fit X, y is of another kind than the classes, epsilon or clip are out of
        range, or `mask_marks` is none of the two.

    See Also
    --------
    predict_bounds : The bounds, of regressors, too.

    References
    ----------
    .. [1] S. Gowal et al. (2019). Scalable Verified Training for Provably Robust Image
       Classification. ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier, IBPExClassifier
    >>> from skexplain.inspection import certified_accuracy
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> plain = ERMClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> robust = IBPExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> shares = [certified_accuracy(clf, X, y, mask, epsilon=1.0) for clf in (plain, robust)]
    >>> shares[0] < 0.5 < shares[1]
    True
    """
    estimator, X, mask = of_tokens(estimator, X, mask)
    check_model(estimator, classifier=True)
    stable = _for_each_batch(_stable_classes, estimator, X, mask, epsilon, clip, mask_marks)
    stable = torch.cat(stable).cpu().numpy()
    y = column_or_1d(y)
    if len(y) != len(stable):
        raise ValueError(f"y must have a label per sample of X, {len(stable)}; got {len(y)}.")
    right = check_correct(y, estimator.classes_[stable], BESIDE_ESTIMATOR)
    return float(np.mean((stable >= 0) & right))


def _for_each_batch(
    function: Callable[[Interval], Any],
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    mask: MaskLike,
    epsilon: float,
    clip: Clip,
    mask_marks: Marks | None,
) -> list[Any]:
    """Apply a function to the outputs of the network as intervals, batch by batch."""
    _check_arguments(mask, epsilon, clip, mask_marks)
    module = estimator.module_.eval()
    results: list[Any] = []
    with torch.no_grad():
        for rows in masked_rows(estimator, X, mask, mask_marks):
            rows = at_embedding(rows)
            if not results:  # bounds of another function would certify nothing
                x = rows.x[:2]
                check_outputs(module, x, Interval(x, torch.zeros_like(x)))
            low, high = irrelevant_box(rows, epsilon, clip)
            outputs = propagate_interval(module, (low + high) / 2, (high - low) / 2)
            results.append(function(outputs))
    return results


def _check_arguments(
    mask: MaskLike | None, epsilon: float, clip: Clip, mask_marks: Marks | None
) -> None:
    if mask_marks is not None:
        check_option("mask_marks", mask_marks, ("irrelevant", "relevant"))
    if mask is None:
        raise ValueError("mask must say which features may change, got None.")
    CertifiedPenalty(epsilon, clip=clip).check_parameters()


def _value_bounds(outputs: Interval) -> tuple[torch.Tensor, torch.Tensor]:
    return outputs.lower[:, 0].double(), outputs.upper[:, 0].double()


def _probability_bounds(outputs: Interval) -> tuple[torch.Tensor, torch.Tensor]:
    """Return bounds of softmax, from those of the differences between logits."""
    n_rows, n_classes = outputs.shape
    lower, upper = outputs.center.new_empty(2, n_rows, n_classes, dtype=torch.float64)
    for k in range(n_classes):
        excess = margins(outputs, torch.full((n_rows,), k, device=outputs.device))
        # p_k = 1 / sum_j exp(z_j - z_k)
        lower[:, k] = (-excess.upper.double().logsumexp(1)).exp()
        upper[:, k] = (-excess.lower.double().logsumexp(1)).exp()
    return lower, upper


def _stable_classes(outputs: Interval) -> torch.Tensor:
    """Return the class that wins at every point, or -1 where none can be shown to."""
    winners = outputs.center.argmax(1)
    others = margins(outputs, winners).upper.scatter(1, winners[:, None], -torch.inf)
    return torch.where((others < 0).all(1), winners, -1)
