"""Metrics of regressors: how far predictions move, and R2 by group."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_count
from .._typing import MaskLike, Seed
from ..masks._meaning import Marks
from ._groups import check_groups, means_by_group
from ._kinds import check_regressor, target_values
from ._perturb import Perturbation, Perturber, make_generator
from ._reliance import check_epsilon, mean_change


def nuisance_shift(
    estimator: Any,
    X: Any,
    mask: MaskLike,
    *,
    perturbation: Perturbation = "swap",
    epsilon: float = 1.0,
    input_unit: Literal["sd", "input"] = "sd",
    mask_marks: Marks | None = None,
    n_repeats: int = 5,
    random_state: Seed = None,
) -> float:
    """How far a regressor's predictions move when irrelevant features change; needs no targets.

    The mean absolute change of a prediction, in standard deviations of the predictions of X as it
    is: what :func:`nuisance_flip_rate` is for a classifier.

    Parameters
    ----------
    estimator : regressor
        A fitted one, of any library, with ``predict``.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Inputs of two or more axes.  They are perturbed in chunks and may be memory-mapped.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide.  Degrees scale the
        change.  Samples with nothing irrelevant do not count.
    perturbation : {"swap", "erase", "gaussian", "uniform", "offset"}, default="swap"
        How the irrelevant features change, as in :func:`nuisance_flip_rate`.
    epsilon : float, default=1.0
        Size of the change, in `input_unit`; "swap" and "erase" have none.  Zero or more, and of any
        sign for "offset".
    input_unit : {"sd", "input"}, default="sd"
        Unit of `epsilon`: the standard deviation of each column, or of each channel of an image,
        over this X; or X as it is.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says.  None: what the estimator's parameter `mask_marks` says, looked up
        within pipelines and searches, and "irrelevant" where there is none.
    n_repeats : int, default=5
        How many times the change is drawn; the mean over the draws is returned.
    random_state : int, RandomState instance or None, default=None
        Draws the changes.  None is fresh randomness.

    Returns
    -------
    float
        Zero or more; smaller is better.  If predictions depend on nothing else, a swap moves them
        by 1.13 (normally distributed predictions).

    Raises
    ------
    TypeError
        If the estimator is no regressor, or X does not hold numbers where it is to change.
    ValueError
        If the mask does not fit X, too few samples have something irrelevant, a parameter is out
        of range, or predictions change that are equal for all samples of X, so that they have no
        standard deviation.

    See Also
    --------
    accuracy_after_swap : Of a regressor it is the coefficient of determination after a swap.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skexplain.metrics import nuisance_shift
    >>> X = np.random.default_rng(0).normal(size=(1000, 2))
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> leans_on_first = LinearRegression().fit(X, X[:, 0])
    >>> leans_on_second = LinearRegression().fit(X, X[:, 1])
    >>> round(nuisance_shift(leans_on_first, X, mask, random_state=0), 2)
    0.0
    >>> round(nuisance_shift(leans_on_second, X, mask, random_state=0), 1)
    1.1
    """
    check_epsilon(epsilon, perturbation)
    check_count("n_repeats", n_repeats)
    check_regressor(estimator)
    perturber = Perturber(estimator, X, mask, mask_marks, perturbation, epsilon, input_unit)
    generator = make_generator(random_state)
    moved = mean_change(perturber, n_repeats, generator, lambda old, new: np.abs(new - old))
    predicted = perturber.predict(np.arange(len(perturber.inputs)))
    spread, least = float(np.std(predicted)), rounding_of(predicted)
    if moved <= least:
        return 0.0
    if spread <= least:
        raise ValueError(
            f"X must be samples for which predictions differ, since their standard deviation is "
            f"the unit; {type(estimator).__name__} predicts the same for all of them."
        )
    return moved / spread


def group_r2_scores(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    group_labels: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> dict[Any, float]:
    """Coefficient of determination of every group of samples.

    With the mean squared error e_g of a group, and the variance v of the targets of *all* samples,
    it is 1 - e_g / v.  So groups compare, also those of one sample or of one target, and the mean
    over the groups, weighted by their sizes, is the coefficient of determination of all samples.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Targets; they must not all be equal.
    y_pred : array-like of shape (n_samples,)
        Predictions.
    group_labels : array-like of shape (n_samples,)
        The group of every sample, see :func:`group_accuracies`.
    labels : array-like of shape (n_groups,), default=None
        The groups to report, in this order; None: those in `group_labels`, sorted.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights, zero or more.  None weighs all samples alike.

    Returns
    -------
    scores : dict
        At most 1, by group label, as Python objects; nan for a group without samples, or whose
        samples all have weight zero.

    Raises
    ------
    ValueError
        If targets or predictions are no finite numbers, targets do not vary, or as
        :func:`group_accuracies`.

    See Also
    --------
    skexplain.model_selection.worst_group_scorer : Of a regressor, the minimum over the groups.

    Examples
    --------
    >>> from skexplain.metrics import group_r2_scores
    >>> group_r2_scores([0, 2, 0, 2], [0, 2, 1, 1], ["a", "a", "b", "b"])
    {'a': 1.0, 'b': 0.0}
    """
    y_true = target_values(y_true, "y_true")
    y_pred = target_values(y_pred, "y_pred", len(y_true))
    codes, groups, weights = check_groups(group_labels, sample_weight, len(y_true))
    counted = y_true[weights > 0]
    if np.ptp(counted) == 0:  # of which the variance may be rounding instead of 0
        raise ValueError(
            f"y_true must vary: the unit of the errors is its variance; got {counted[0]} "
            f"throughout."
        )
    with np.errstate(over="ignore"):
        variance = np.average((y_true - np.average(y_true, weights=weights)) ** 2, weights=weights)
    if not 0 < variance < np.inf:
        raise ValueError(
            f"y_true must have a variance that float64 can hold; it lies from {counted.min()} to "
            f"{counted.max()}: scale targets and predictions."
        )
    scores = 1 - (y_true - y_pred) ** 2 / variance
    return means_by_group(scores, codes, groups, weights, labels)


def rounding_of(predicted: NDArray[Any]) -> float:
    """Return below which differences of predictions are rounding, also of a float32 network."""
    is_single = np.array_equal(predicted, predicted.astype(np.float32))
    eps = np.finfo(np.float32 if is_single else np.float64).eps
    return float(eps * np.max(np.abs(predicted)))
