"""Attacks: changes of a sample that mislead the model, on irrelevant features if a mask says so."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from torch import nn

from .._checks import check_number
from .._surroundings import own_surroundings
from .._typing import MaskLike
from ..estimators._base import BaseExplanationEstimator
from ..estimators._largest_gradients import check_gradient, masked_rows
from ..estimators._validation import check_inputs
from ..penalties import WorstCasePenalty
from ..penalties._base import point_at
from ..penalties._box import irrelevant_box
from ..penalties._checks import check_box
from ..penalties._layers import trainable_gradient
from ._checks import Clip, check_model, class_codes


@own_surroundings()
def fgsm(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    y: ArrayLike,
    epsilon: float,
    *,
    mask: MaskLike | None = None,
    clip: Clip = "data",
) -> np.ndarray:
    r"""Change every feature a little, to the side on which the loss rises.

    The fast gradient sign method (Goodfellow et al. 2015 [1]_): with irrelevance a and input unit
    u,

    .. math:: x + \epsilon \, a \, u \, \mathrm{sign} \, \partial \ell(f(x), y) / \partial x

    One step of the projected gradient ascent of `PGDExClassifier`.

    Parameters
    ----------
    estimator : classifier or regressor of this package
        A fitted one; the loss is its own label loss.
    X : array-like of the shape of the training inputs
        Inputs.
    y : array-like of shape (n,)
        True labels or target values.
    epsilon : float
        Change of a feature in the estimator's `input_unit`; it may be infinite where `clip` is
        finite.
    mask : array-like, list of (array-like or None), DataFrame or None, default=None
        What may change, as in ``fit``; under the estimator's `mask_marks`.  Degrees scale epsilon.
        None: every feature may; a sample without annotation does not change.
    clip : "data", (float, float) or None, default="data"
        Range that a changed feature does not leave: that of the training data in each column or
        channel, a pair of numbers, or none.

    Returns
    -------
    ndarray of the shape of X
        float32, or float64 where X needs it.  What may not change equals X to the bit.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not one of this package's.
    ValueError
        If the mask or y do not fit X, or epsilon or clip are out of range.

    See Also
    --------
    jsma : Few features, changed much.
    certified_accuracy : What no attack within epsilon can bring down.

    References
    ----------
    .. [1] I. J. Goodfellow, J. Shlens, C. Szegedy (2015). Explaining and Harnessing Adversarial
       Examples. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import fgsm
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> clf = ERMClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf.score(fgsm(clf, X, y, epsilon=1.0, mask=mask), y) < clf.score(X, y) - 0.2
    True
    """
    check_model(estimator)
    step = WorstCasePenalty(epsilon, n_steps=1, random_start=False, clip=clip)
    step.check_parameters()
    checked, y = check_inputs(estimator, X, y, reset=False)
    if is_classifier(estimator):
        y = class_codes("y", y, estimator, len(checked))
    else:
        y = y.astype(np.float32)
    return _attack(estimator, X, checked, y, mask, step.move)


@own_surroundings()
def jsma(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    target: Any,
    *,
    theta: float = 1.0,
    gamma: float = 0.1,
    mask: MaskLike | None = None,
    clip: Clip = "data",
) -> np.ndarray:
    r"""Change few features much, until a class of choice is predicted.

    The Jacobian-based saliency map attack (Papernot et al. 2016 [1]_, Algorithm 1 and equations 8
    and 9): in each step the feature of the largest

    .. math:: S_d = \alpha_d |\beta_d|, \quad
        \alpha_d = u_d \frac{\partial z_t}{\partial x_d}, \quad
        \beta_d = u_d \sum_{k \ne t} \frac{\partial z_k}{\partial x_d}

    moves by theta, where z are the logits, t is the target and u the input unit.  Only a feature
    whose move raises the target's logit and lowers the sum of the others is taken.  A sample is
    done when its target is predicted; ``predict`` shows whether it was reached.

    Parameters
    ----------
    estimator : classifier of this package
        A fitted one.
    X : array-like of the shape of the training inputs
        Inputs.
    target : label or array-like of shape (n,)
        Class to be predicted, for all samples or for each.
    theta : float, default=1.0
        Move of a feature in the estimator's `input_unit`: upwards, or downwards if negative; it may
        be infinite where `clip` is finite, and then goes to the end of the range.
    gamma : float, default=0.1
        Largest share of features that move: so many steps are taken, but at least one.
    mask : array-like, list of (array-like or None), DataFrame or None, default=None
        What may change, as in ``fit``; under the estimator's `mask_marks`: each feature of a degree
        above 0.  None: every feature may; a sample without annotation does not change.
    clip : "data", (float, float) or None, default="data"
        Range that a changed feature does not leave: that of the training data in each column or
        channel, a pair of numbers, or none.

    Returns
    -------
    ndarray of the shape of X
        float32, or float64 where X needs it.  What does not change equals X to the bit.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is not a classifier of this package.
    ValueError
        If mask or target do not fit X, or theta, gamma or clip are out of range.

    See Also
    --------
    fgsm : Every feature, changed a little.

    Notes
    -----
    The authors move two features of an image at a time; here it is one, as in their equations, so
    that the cost of a step does not grow with the square of the number of features: a forward pass
    and two backward.

    References
    ----------
    .. [1] N. Papernot et al. (2016). The Limitations of Deep Learning in Adversarial Settings. IEEE
       EuroS&P.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import jsma
    >>> X = np.random.default_rng(0).normal(size=(100, 8))
    >>> clf = ERMClassifier(max_epochs=50, random_state=0).fit(X, X[:, 1] > 0)
    >>> moved = jsma(clf, X, target=True, theta=np.inf)
    >>> bool((moved != X).sum(axis=0)[1] > 40)  # the column that predicts the label
    True
    >>> bool(clf.predict(moved).mean() > 0.9)
    True
    """
    check_model(estimator, classifier=True)
    _check_move(theta, gamma, clip)
    checked = check_inputs(estimator, X, reset=False)
    target = class_codes("target", target, estimator, len(checked))
    move = partial(_move_to_target, theta=theta, gamma=gamma, clip=clip)
    return _attack(estimator, X, checked, target, mask, move)


def _check_move(theta: float, gamma: float, clip: Clip) -> None:
    if not isinstance(theta, Real) or isinstance(theta, bool) or theta == 0 or math.isnan(theta):
        raise ValueError(f"theta must be a number other than 0, got {theta!r}.")
    check_number("theta", abs(theta), infinite=True)
    check_number("gamma", gamma, positive=True)
    if gamma > 1:
        raise ValueError(f"gamma must be at most 1, got {gamma!r}.")
    check_box(0.0, clip)
    if math.isinf(theta) and clip is None:
        raise ValueError('theta may be infinite only with a finite clip, e.g. clip="data".')


def _attack(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    checked: np.ndarray,
    y: np.ndarray,
    mask: MaskLike | None,
    move: Callable[..., torch.Tensor],
) -> np.ndarray:
    """Move samples in batches, in float32; and return the others as they were."""
    check_gradient(estimator, checked)
    if mask is None:
        mask = np.full((1, *checked.shape[1:]), estimator.mask_marks == "irrelevant")
    module = estimator.module_.eval()
    result = checked.astype(np.result_type(checked.dtype, np.float32))
    start = 0
    for rows in masked_rows(estimator, X, mask):
        part = result[start : start + len(rows.x)]
        classes = torch.as_tensor(y[start : start + len(rows.x)], device=rows.x.device)
        moved = move(module, replace(rows, y=classes))
        changed = (moved != rows.x).cpu().numpy()
        part[changed] = moved.cpu().numpy()[changed]
        start += len(rows.x)
    return result


def _move_to_target(
    module: nn.Module, rows: Any, *, theta: float, gamma: float, clip: Clip
) -> torch.Tensor:
    """Move one feature of each sample after the other, until its target is predicted."""
    low, high = irrelevant_box(rows, math.inf, clip)
    x = rows.x.clone(memory_format=torch.contiguous_format)
    left = torch.arange(len(x), device=x.device)
    for _ in range(max(1, int(gamma * x[0].numel()))):
        logits, salience = _adversarial_saliency(
            module, x[left], rows.y[left], math.copysign(1, theta) * rows.unit
        )
        moved = (x[left] + theta * rows.unit).clamp(low[left], high[left])
        salience = torch.where(moved != x[left], salience, 0)
        largest, place = salience.flatten(1).max(1)
        going = (logits.argmax(1) != rows.y[left]) & (largest > 0)
        left, place = left[going], place[going]
        if not len(left):
            break
        x.flatten(1)[left, place] = moved.flatten(1)[going, place]
    return x


def _adversarial_saliency(
    module: nn.Module, x: torch.Tensor, target: torch.Tensor, step: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits, and equation 8 (a negative step: 9) of Papernot et al. for moves by `step`."""
    with torch.enable_grad():
        point = point_at(module, x)
        of_target = point.logits.gather(1, target[:, None])
        alpha = step * trainable_gradient(of_target, point.x)
        beta = step * trainable_gradient(point.logits.sum(1), point.x) - alpha
    return point.logits.detach(), (alpha.relu() * (-beta).relu()).detach()
