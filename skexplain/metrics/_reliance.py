"""How predictions change when irrelevant features change."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_count, check_number
from .._typing import MaskLike, Seed
from ..masks._meaning import Marks
from ._exchange import Draw
from ._groups import check_weights, row_labels
from ._kinds import check_classifier, check_predictor, score_of
from ._perturb import Perturbation, Perturber, make_generator


def accuracy_under_noise(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    mask: MaskLike,
    scale: float,
    *,
    where: Literal["irrelevant", "core"] = "irrelevant",
    input_unit: Literal["sd", "input"] = "sd",
    mask_marks: Marks | None = None,
    n_repeats: int = 5,
    sample_weight: ArrayLike | None = None,
    random_state: Seed = None,
) -> float:
    """Accuracy with Gaussian noise on the irrelevant features, or on the core ones.

    With noise on the irrelevant (spurious) features this is the core accuracy of Singla et al.
    [1]_: what is left is due to the core features.  With noise on the core features it is their
    spurious accuracy.

    Parameters
    ----------
    estimator : classifier or regressor
        A fitted one, of any library, with ``predict``.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Inputs of two or more axes.  They are perturbed in chunks and may be memory-mapped.
    y : array-like of shape (n_samples,)
        True labels, or targets of a regressor.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide.  Degrees scale the
        noise.  Samples without annotation do not count.
    scale : float
        Standard deviation of the noise, in `input_unit`; zero or more.
    where : {"irrelevant", "core"}, default="irrelevant"
        Which features get noise: the irrelevant ones, or those that are known not to be.
    input_unit : {"sd", "input"}, default="sd"
        Unit of `scale`: the standard deviation of each column, or of each channel of an image, over
        this X; or X as it is.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says.  None: what the estimator's parameter `mask_marks` says, looked up
        within pipelines and searches, and "irrelevant" where there is none.
    n_repeats : int, default=5
        How many times noise is drawn; the mean over the draws is returned.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.  None weighs all samples alike.
    random_state : int, RandomState instance or None, default=None
        Draws the noise.  None is fresh randomness.

    Returns
    -------
    float
        In [0, 1]; of a regressor the coefficient of determination, at most 1.

    Raises
    ------
    TypeError
        If the estimator is neither classifier nor regressor, or X does not hold numbers where it is
        to change.
    ValueError
        If mask or y do not fit X, the mask marks nothing, or a parameter is out of range.

    See Also
    --------
    accuracy_after_swap : Needs no scale, and stays on the data.
    relative_core_sensitivity : One number from both kinds of noise.

    References
    ----------
    .. [1] S. Singla, M. Moayeri, S. Feizi. "Core Risk Minimization using Salient ImageNet". 2022.
       https://arxiv.org/abs/2203.15566

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skexplain.metrics import accuracy_under_noise
    >>> y = np.arange(100) % 2
    >>> X = np.column_stack([y, y]) * 1.0  # both columns predict the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = LogisticRegression().fit(X * [1, 0], y)  # leans on the first
    >>> accuracy_under_noise(clf, X, y, mask, scale=2.0, random_state=0)
    1.0
    >>> accuracy_under_noise(clf, X, y, mask, scale=2.0, where="core", random_state=0) < 0.9
    True
    """
    check_number("scale", scale)
    check_predictor(estimator)
    perturber = Perturber(estimator, X, mask, mask_marks, "gaussian", scale, input_unit, where)
    return _perturbed_accuracy(perturber, y, n_repeats, sample_weight, random_state)


def accuracy_after_swap(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    mask: MaskLike,
    *,
    mask_marks: Marks | None = None,
    n_repeats: int = 5,
    sample_weight: ArrayLike | None = None,
    random_state: Seed = None,
) -> float:
    """Accuracy when each sample has the irrelevant features of another sample.

    The annotated samples are put in a random order, and each is given the features that it or the
    sample before it marks, with the values of that sample.  So a sample that shows the shortcut may
    lose it, and a sample without one may be given one: what a model can read from the shortcut
    belongs to another sample.  Where both together mark more than half of the features, where their
    marks are equal, or where marks say what is relevant, a sample is given the features that it
    marks itself, by another sample with something irrelevant; of that sample's own reasons nothing
    is given away: the mean of its irrelevant features stands in, as in
    :class:`~skexplain.SwapExClassifier`.

    Parameters
    ----------
    estimator : classifier or regressor
        A fitted one, of any library, with ``predict``.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Inputs of two or more axes.  They are perturbed in chunks and may be memory-mapped.  Columns
        of a DataFrame that hold no numbers may be marked with 0 and 1.  Missing values are
        exchanged like others.
    y : array-like of shape (n_samples,)
        True labels, or targets of a regressor.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide.  A degree mixes the
        two samples.  Samples without annotation neither give nor count.  Annotate samples that have
        no shortcut, too, with a mask of zeros: where only samples with a shortcut have a mask, a
        shortcut is exchanged for a shortcut.
    mask_marks : {"irrelevant", "relevant"}, default=None
        What a mark of 1 says.  None: what the estimator's parameter `mask_marks` says, looked up
        within pipelines and searches, and "irrelevant" where there is none.
    n_repeats : int, default=5
        How many orders are drawn; the mean over them is returned.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.  None weighs all samples alike.
    random_state : int, RandomState instance or None, default=None
        Draws the orders.  None is fresh randomness.

    Returns
    -------
    float
        In [0, 1]; of a regressor the coefficient of determination, at most 1.

    Raises
    ------
    TypeError
        If the estimator is neither classifier nor regressor, or X does not hold numbers where it is
        to change.
    ValueError
        If mask or y do not fit X, fewer than two samples have something irrelevant, or a parameter
        is out of range.

    See Also
    --------
    skexplain.model_selection.swap_accuracy_scorer : The same for searches and cross-validation.
    nuisance_flip_rate : Needs no labels.

    Notes
    -----
    Where classes are few, a sample is often given the shortcut of its own label.  A model that
    follows nothing else keeps about the share of the most frequent labels, not zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skexplain.metrics import accuracy_after_swap
    >>> y = np.arange(100) % 2
    >>> X = np.column_stack([y, y])  # both columns predict the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> leans_on_first = DecisionTreeClassifier().fit(X * [1, 0], y)
    >>> leans_on_second = DecisionTreeClassifier().fit(X * [0, 1], y)
    >>> accuracy_after_swap(leans_on_first, X, y, mask, random_state=0)
    1.0
    >>> accuracy_after_swap(leans_on_second, X, y, mask, random_state=0) < 0.6
    True
    """
    check_predictor(estimator)
    perturber = Perturber(estimator, X, mask, mask_marks, "swap")
    return _perturbed_accuracy(perturber, y, n_repeats, sample_weight, random_state)


def nuisance_flip_rate(
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
    """Share of predictions that change when irrelevant features change; no labels are needed.

    Parameters
    ----------
    estimator : classifier
        A fitted one, of any library, with ``predict``.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Inputs of two or more axes.  They are perturbed in chunks and may be memory-mapped.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide.  Degrees scale the
        change.  Samples with nothing irrelevant do not count.
    perturbation : {"swap", "erase", "gaussian", "uniform", "offset"}, default="swap"
        - "swap": the irrelevant features of another sample, see :func:`accuracy_after_swap`; the
          share is of the annotated samples in which anything changes;
        - "erase": in an image the mean of its other pixels, per channel, in a table the mean of the
          column over this X; unlike a swap it shows the use of a shortcut that is the same in all
          samples;
        - "gaussian": Gaussian noise of standard deviation `epsilon`;
        - "uniform": noise drawn uniformly between plus and minus `epsilon`;
        - "offset": `epsilon` is added.
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
        In [0, 1]; smaller is better.

    Raises
    ------
    TypeError
        If the estimator is no classifier, or X does not hold numbers where it is to change.
    ValueError
        If the mask does not fit X, too few samples have something irrelevant, or a parameter is out
        of range.

    See Also
    --------
    nuisance_shift : The same for regressors.
    skexplain.inspection.certified_accuracy : What holds for every change within epsilon.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skexplain.metrics import nuisance_flip_rate
    >>> y = np.arange(100) % 2
    >>> X = np.column_stack([y, y])  # both columns predict the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> leans_on_first = DecisionTreeClassifier().fit(X * [1, 0], y)
    >>> leans_on_second = DecisionTreeClassifier().fit(X * [0, 1], y)
    >>> nuisance_flip_rate(leans_on_first, X, mask, random_state=0)
    0.0
    >>> nuisance_flip_rate(leans_on_second, X, mask, random_state=0) > 0.4
    True
    """
    check_epsilon(epsilon, perturbation)
    check_count("n_repeats", n_repeats)
    check_classifier(estimator, of_regressor="nuisance_shift")
    perturber = Perturber(estimator, X, mask, mask_marks, perturbation, epsilon, input_unit)
    generator = make_generator(random_state)
    return mean_change(perturber, n_repeats, generator, np.not_equal)


def check_epsilon(epsilon: float, perturbation: str) -> None:
    """Check the size of a change; an offset may have any sign."""
    moves_either_way = isinstance(perturbation, str) and perturbation == "offset"
    check_number("epsilon", epsilon, least=-np.inf if moves_either_way else 0)


def mean_change(
    perturber: Perturber,
    n_repeats: int,
    generator: np.random.Generator,
    change: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
) -> float:
    """Return the mean of ``change(before, after)`` over draws and the samples that are changed."""
    if perturber.perturbation != "swap":
        rows = perturber.irrelevant
        before = perturber.predict(rows)
        draws = range(n_repeats)
        changes = [change(before, perturber.predict_perturbed(rows, generator)) for _ in draws]
        return float(np.mean(changes))
    rows = perturber.annotated
    before, means = perturber.predict(rows), []
    for _ in range(n_repeats):
        draw = perturber.draw(generator)
        changed = is_changed(perturber, draw)
        after = perturber.predict_perturbed(rows[changed], draw)
        means.append(np.mean(change(before[changed], after)))
    return float(np.mean(means))


def is_changed(perturber: Perturber, draw: Draw) -> NDArray[np.bool_]:
    """Return in which of the annotated samples a swap changes anything."""
    rows = perturber.annotated
    if draw.marked_donors is draw.donors:  # whatever is exchanged, one donor gives it
        return draw.donors[rows] != rows
    return perturber.sources(rows, draw)[0] != rows


def relative_core_sensitivity(core_accuracy: float, spurious_accuracy: float) -> float:
    """How much more a model leans on core features than on irrelevant ones, relative to its skill.

    With a_C the accuracy under noise on irrelevant features, a_S that under noise on core features,
    and m their mean::

        RCS = (a_C - a_S) / (2 min(m, 1 - m))

    The denominator is the greatest difference that two accuracies of mean m can have, so that
    models of different accuracy compare (Singla et al. 2022 [1]_).

    Parameters
    ----------
    core_accuracy : float
        Accuracy when irrelevant features are noisy: ``accuracy_under_noise(where="irrelevant")``.
    spurious_accuracy : float
        Accuracy when core features are noisy: ``accuracy_under_noise(where="core")``.

    Returns
    -------
    float
        In [-1, 1]: 1 for a model that the core alone decides, -1 for one that the irrelevant
        features do.  It is nan where both accuracies are 0 or both are 1: nothing is to be seen of
        either then.

    Raises
    ------
    ValueError
        If an accuracy is not in [0, 1].

    References
    ----------
    .. [1] S. Singla, M. Moayeri, S. Feizi. "Core Risk Minimization using Salient ImageNet". 2022.
       https://arxiv.org/abs/2203.15566

    Examples
    --------
    >>> from skexplain.metrics import relative_core_sensitivity
    >>> relative_core_sensitivity(0.75, 0.25)
    0.5
    """
    for name, accuracy in (
        ("core_accuracy", core_accuracy),
        ("spurious_accuracy", spurious_accuracy),
    ):
        check_number(name, accuracy)
        if accuracy > 1:
            raise ValueError(f"{name} must be in [0, 1]; got {accuracy!r}.")
    mean = (core_accuracy + spurious_accuracy) / 2
    if mean in (0, 1):
        return float("nan")
    return float((core_accuracy - spurious_accuracy) / (2 * min(mean, 1 - mean)))


def _perturbed_accuracy(
    perturber: Perturber,
    y: ArrayLike,
    n_repeats: int,
    sample_weight: ArrayLike | None,
    random_state: Seed,
) -> float:
    """Mean accuracy, or R2 of a regressor, over draws, in the samples that are annotated."""
    score = score_of(perturber.estimator)
    check_count("n_repeats", n_repeats)
    rows, n_rows = perturber.annotated, len(perturber.inputs)
    y = row_labels(y, "y", n_rows, "X")[rows]
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, n_rows)[rows]
    generator = make_generator(random_state)
    return float(
        np.mean(
            [
                score(y, perturber.predict_perturbed(rows, generator), sample_weight=sample_weight)
                for _ in range(n_repeats)
            ]
        )
    )
