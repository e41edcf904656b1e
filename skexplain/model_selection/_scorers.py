"""Scorers that take masks, or groups, beside X and y."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import signature
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.metadata_routing import MetadataRequest

from .._checks import check_flag
from .._typing import MaskLike, Seed
from ..metrics import accuracy_after_swap, group_accuracies, group_r2_scores
from ..metrics._groups import BESIDE_ESTIMATOR, check_correct, check_weights, row_labels
from ..metrics._kinds import check_predictor, is_tagged_regressor, score_of, target_values


def make_mask_scorer(
    metric: Callable[..., float],
    *,
    greater_is_better: bool = True,
    mask: ArrayLike | None = None,
    **kwargs: Any,
) -> "MetadataScorer":
    """Make a scorer from a metric that takes masks.

    It works wherever scikit-learn takes ``scoring=``.  With metadata routing on
    (``sklearn.set_config(enable_metadata_routing=True)``) it asks for the ``mask`` that is passed
    beside X and y, and is handed the masks of the samples it scores.  Without routing scikit-learn
    hands a scorer X and y alone, so that only one mask for all samples can be used, given here.

    Parameters
    ----------
    metric : callable
        ``metric(estimator, X, y, mask, **kwargs)``, or without y, returns a number: one of
        :mod:`skexplain.metrics`, such as `accuracy_under_noise`, or one's own.  Scorers are
        pickled where their metric can be.
    greater_is_better : bool, default=True
        Whether a greater value is better; if not, the score is its negative.
    mask : array-like of shape (1, ...) or (n_features,), default=None
        One mask for all samples; the scorer then asks for none.  So is a `Pipeline` scored that
        makes other columns of X: a scorer sees X before it, `fit` takes the masks of what comes
        out.
    **kwargs
        Further arguments of the metric.  Give an integer `random_state`: all candidates of a search
        then meet the same perturbations.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, mask=mask)`` returns a float.  Its method ``set_score_request``
        changes what it asks for, as those of scikit-learn's scorers do.

    Raises
    ------
    TypeError
        If the metric cannot be called or takes no mask.

    See Also
    --------
    swap_accuracy_scorer, worst_of_clean_and_swapped_scorer : Ready-made ones.

    Notes
    -----
    A score that is nan is an error.  A search replaces the score of a scorer that fails by nan and
    warns, also where all fail, unless ``error_score="raise"`` is set.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from skexplain.metrics import nuisance_flip_rate
    >>> from skexplain.model_selection import make_mask_scorer
    >>> y = np.arange(100) % 2
    >>> X = np.column_stack([y, y]) * 1.0  # both columns predict the label
    >>> mask = [[False, True]]  # the second must not matter, in all samples
    >>> scorer = make_mask_scorer(
    ...     nuisance_flip_rate, greater_is_better=False, mask=mask, epsilon=3, perturbation="offset"
    ... )
    >>> cross_val_score(LogisticRegression(), X, y, scoring=scorer)
    array([-0.5, -0.5, -0.5, -0.5, -0.5])
    """
    if not callable(metric):
        raise TypeError(f"metric must be callable, got {metric!r}.")
    check_flag("greater_is_better", greater_is_better)
    if isinstance(metric, type) or "mask" not in signature(metric).parameters:
        raise TypeError(f"metric must take an argument mask, which {metric!r} does not.")
    return MetadataScorer(metric, "mask", default=mask, sign=greater_is_better or -1, kwargs=kwargs)


def swap_accuracy_scorer(
    *, mask: ArrayLike | None = None, n_repeats: int = 5, random_state: Seed = 0
) -> "MetadataScorer":
    """Make a scorer of the accuracy when each sample has the irrelevant features of another.

    It selects models without group labels: a model that follows a shortcut in the irrelevant
    features scores low, since they belong to another sample then.  The shortcut comes to samples
    that have none, and goes from those that do, where both are annotated.  Of a regressor the score
    is R2.

    Parameters
    ----------
    mask : array-like of shape (1, ...) or (n_features,), default=None
        One mask for all samples, in place of those that are passed, see :func:`make_mask_scorer`.
    n_repeats : int, default=5
        Over how many random swaps the mean is taken.
    random_state : int, RandomState instance or None, default=0
        Draws the swaps.  With an integer all candidates of a search meet the same ones.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, mask=mask)`` returns a float.  It asks for ``mask`` when metadata
        routing is on, unless it was made with one.

    See Also
    --------
    skexplain.metrics.accuracy_after_swap : The metric.
    worst_of_clean_and_swapped_scorer : Counts the samples as they are, too.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skexplain import GradRegClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.model_selection import swap_accuracy_scorer
    >>> digits = make_decoy_digits("half", flatten=True, random_state=0)
    >>> search = GridSearchCV(
    ...     GradRegClassifier(max_epochs=5, lr=0.01, random_state=0),
    ...     {"alpha": [0, 1]},
    ...     scoring=swap_accuracy_scorer(),
    ...     cv=2,
    ... )
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     search = search.fit(digits.data, digits.target, mask=digits.mask)
    >>> search.best_params_
    {'alpha': 1}
    """
    return make_mask_scorer(
        accuracy_after_swap, mask=mask, n_repeats=n_repeats, random_state=random_state
    )


def worst_of_clean_and_swapped_scorer(
    *, mask: ArrayLike | None = None, n_repeats: int = 5, random_state: Seed = 0
) -> "MetadataScorer":
    """Make a scorer of the lower of two accuracies: of samples as they are, and after a swap.

    The first is over all samples, the second, that of :func:`swap_accuracy_scorer`, over the
    annotated ones.

    Parameters
    ----------
    mask : array-like of shape (1, ...) or (n_features,), default=None
        One mask for all samples, in place of those that are passed, see :func:`make_mask_scorer`.
    n_repeats : int, default=5
        Over how many random swaps the mean is taken.
    random_state : int, RandomState instance or None, default=0
        Draws the swaps.  With an integer all candidates of a search meet the same ones.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, mask=mask)`` returns a float.  It asks for ``mask`` when metadata
        routing is on, unless it was made with one.

    See Also
    --------
    swap_accuracy_scorer : The accuracy after the swap alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skexplain.model_selection import worst_of_clean_and_swapped_scorer
    >>> y = np.arange(100) % 2
    >>> X = np.column_stack([y, y])  # both columns predict the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> leans_on_second = DecisionTreeClassifier().fit(X * [0, 1], y)
    >>> worst_of_clean_and_swapped_scorer()(leans_on_second, X, y, mask=mask) < 0.6
    True
    """
    return make_mask_scorer(
        lower_of_clean_and_swapped, mask=mask, n_repeats=n_repeats, random_state=random_state
    )


def worst_group_scorer() -> "MetadataScorer":
    """Make a scorer of the accuracy of the worst group, of a regressor of its R2.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, group_labels=group_labels)`` returns a float.  It asks for
        ``group_labels`` when metadata routing is on, and works in no search without.

    See Also
    --------
    skexplain.metrics.worst_group_accuracy : The metric.
    skexplain.metrics.group_r2_scores : Its values for a regressor.
    swap_accuracy_scorer : Needs masks, not groups.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skexplain.model_selection import worst_group_scorer
    >>> X, y = [[0], [1], [2], [3]], [0, 0, 0, 1]
    >>> always_0 = DummyClassifier().fit(X, y)
    >>> worst_group_scorer()(always_0, X, y, group_labels=["a", "a", "b", "b"])
    0.5
    """
    return MetadataScorer(worst_group, "group_labels")


def mean_group_scorer() -> "MetadataScorer":
    """Make a scorer of the unweighted mean of the groups' accuracies, of a regressor of their R2.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, group_labels=group_labels)`` returns a float.  It asks for
        ``group_labels`` when metadata routing is on, and works in no search without.

    See Also
    --------
    skexplain.metrics.mean_group_accuracy : The metric.
    skexplain.metrics.group_r2_scores : Its values for a regressor.
    worst_group_scorer : Their minimum, noisier.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skexplain.model_selection import mean_group_scorer
    >>> X, y = [[0], [1], [2], [3]], [0, 0, 0, 1]
    >>> always_0 = DummyClassifier().fit(X, y)
    >>> mean_group_scorer()(always_0, X, y, group_labels=["a", "a", "b", "b"])
    0.75
    """
    return MetadataScorer(mean_group, "group_labels")


class MetadataScorer:
    """A scorer that requests one more argument by metadata routing.

    Scorers of :func:`sklearn.metrics.make_scorer` see predictions alone, and request nothing by
    default.

    Parameters
    ----------
    metric : callable
        ``metric(estimator, X, y, ..., **kwargs)``, or without y.
    needs : {"mask", "group_labels"}
        The argument it needs.
    default : object, default=None
        Its value, so that none is asked for; None: one must be passed.
    sign : {1, -1}, default=1
        -1 where smaller values are better.
    kwargs : dict, default={}
        Further arguments of the metric.
    """

    def __init__(
        self,
        metric: Callable[..., float],
        needs: Literal["mask", "group_labels"],
        *,
        default: Any = None,
        sign: int = 1,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.metric = metric
        self.needs = needs
        self.default = default
        self.sign = int(sign)
        self.kwargs = dict(kwargs or {})
        self._requests: dict[str, bool | str | None] = {needs: default is None}
        if self._accept_sample_weight():
            self._requests["sample_weight"] = None

    def __call__(
        self, estimator: Any, X: Any, y: ArrayLike | None = None, **metadata: Any
    ) -> float:
        """Score a fitted estimator on X and y."""
        arguments = {self.needs: self.default, **self.kwargs, **metadata}
        if arguments[self.needs] is None:
            raise ValueError(self._describe_missing())
        if "y" in signature(self.metric).parameters:
            arguments["y"] = y
        return self.sign * finite_score(self.metric(estimator, X=X, **arguments), self.metric)

    def _describe_missing(self) -> str:
        of_all = ", or make the scorer with one for all samples, mask=..."
        return (
            f"{self.needs} must be passed to the scorer, got None. In a search or cross-validation "
            f"turn metadata routing on, sklearn.set_config(enable_metadata_routing=True), and pass "
            f"{self.needs} beside X and y{of_all if self.needs == 'mask' else ''}."
        )

    def __repr__(self) -> str:
        arguments = {**self.kwargs, **({} if self.sign > 0 else {"greater_is_better": False})}
        listed = "".join(f", {name}={value!r}" for name, value in arguments.items())
        return f"{type(self).__name__}({_name(self.metric)}, {self.needs!r}{listed})"

    def _accept_sample_weight(self) -> bool:
        # What scikit-learn asks all scorers of a search when routing is off.
        return "sample_weight" in signature(self.metric).parameters

    def get_metadata_routing(self) -> MetadataRequest:
        """Return the metadata that scikit-learn must pass.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRequest
        """
        routing = MetadataRequest(owner=self)
        for name, alias in self._requests.items():
            routing.score.add_request(param=name, alias=alias)
        return routing

    def set_score_request(self, **requests: bool | str | None) -> "MetadataScorer":
        """Change what is asked for.

        Parameters
        ----------
        **requests : bool, None or str
            By named argument of the metric: True to request it, False to ignore it, None to raise
            an error if it is passed, and a name to request it under that name.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If the metric has no argument of a name.
        """
        legal = _named_arguments(self.metric) - {"estimator", "X", "y"}
        unknown = sorted(set(requests) - legal)
        if unknown:
            raise TypeError(
                f"set_score_request must be given arguments of the metric, {sorted(legal)}; got "
                f"{unknown}."
            )
        self._requests = {**self._requests, **requests}
        return self


def finite_score(value: Any, metric: Any) -> float:
    """Return a score as a float; one that is NaN compares with nothing, so that no model wins."""
    with suppress(TypeError, ValueError):
        if not np.isnan(score := float(value)):
            return score
    raise ValueError(f"the score of {_name(metric)} must be a number, got {value!r}.")


def lower_of_clean_and_swapped(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    mask: MaskLike,
    *,
    sample_weight: ArrayLike | None = None,
    **kwargs: Any,
) -> float:
    """Return the lower of the accuracies of samples as they are, and after the swap."""
    check_predictor(estimator)
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, len(row_labels(y, "y")))
    clean = score_of(estimator)(y, estimator.predict(X), sample_weight=sample_weight)
    swapped = accuracy_after_swap(estimator, X, y, mask, sample_weight=sample_weight, **kwargs)
    return min(clean, swapped)


def worst_group(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    group_labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the score of the worst group from a fitted estimator."""
    return float(np.nanmin(_scores_by_group(estimator, X, y, group_labels, sample_weight)))


def mean_group(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    group_labels: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the mean of the groups' scores from a fitted estimator."""
    return float(np.nanmean(_scores_by_group(estimator, X, y, group_labels, sample_weight)))


def _scores_by_group(estimator: Any, X: Any, y: Any, group_labels: Any, sample_weight: Any) -> Any:
    """Return the accuracy of each group, of a regressor its coefficient of determination."""
    check_predictor(estimator)
    read = target_values if is_tagged_regressor(estimator) else row_labels
    predicted = read(estimator.predict(X), BESIDE_ESTIMATOR[1])
    y = read(y, "y", len(predicted), "X")
    if read is row_labels:
        check_correct(y, predicted, BESIDE_ESTIMATOR)
    scores = group_accuracies if read is row_labels else group_r2_scores
    return list(scores(y, predicted, group_labels, sample_weight=sample_weight).values())


def _named_arguments(function: Callable[..., Any]) -> set[str]:
    parameters = signature(function).parameters.values()
    return {each.name for each in parameters if not str(each).startswith("*")}


def _name(function: object) -> str:
    return getattr(function, "__name__", repr(function))
