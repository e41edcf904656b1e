"""A test of whether the right masks help more than masks of other samples."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch, _safe_indexing, indexable
from sklearn.utils.parallel import Parallel, delayed

from .._checks import check_count
from .._typing import MaskLike, Seed
from ..estimators._parameters import root_seed
from ..estimators._tokenizers import check_has_no_tokenizer
from ..exceptions import MissingExplanationWarning, ShortcutInUseWarning
from ..masks import interpret_mask
from ..masks._labels import labels_beside, own_labels, row_labels
from ..masks._meaning import mask_shape
from ._scorers import finite_score


def mask_permutation_test(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    mask: MaskLike,
    *,
    scoring: str | Callable[..., float] | None = None,
    cv: Any = None,
    n_permutations: int = 20,
    fit_params: dict[str, Any] | None = None,
    score_params: dict[str, Any] | None = None,
    n_jobs: int | None = None,
    random_state: Seed = None,
) -> Bunch:
    r"""Test whether a model owes its score to the masks of its samples or to masks of any samples.

    A mask that is given to the wrong sample is as large, as smooth and as costly as the right one,
    but explains nothing.  So a gain that stays when the masks are shuffled between samples is that
    of a regulariser, not of explanations.  In every split the model is fitted with the masks as
    they are, without masks, and with the masks of the annotated training samples permuted; test
    samples keep their own masks.  With S the mean score over splits and S_b that of permutation b,

    .. math:: p = \frac{1 + \#\{b: S_b \ge S\}}{1 + B}

    is a valid p-value for the hypothesis that masks are exchangeable between samples [1]_ [2]_.

    Parameters
    ----------
    estimator : estimator with ``fit(X, y, mask=...)``
        The model.  With an int as `random_state`, its fits differ in their masks alone, which makes
        the comparison paired; a Pipeline needs metadata routing.
    X : array-like of shape (n_samples, ...)
        Inputs.
    y : array-like of shape (n_samples,)
        Targets.
    mask : array-like, list of (array-like or None) or DataFrame
        A mask per sample, as in ``fit``.
    scoring : str, callable or None, default=None
        Scorer; greater is better.  One that asks for `mask` is given those of the test samples.  On
        held-out samples that carry the shortcut plain accuracy rewards it: prefer a score that
        swaps or repaints what the masks mark.
    cv : int, splitter or None, default=None
        How to split; None: five folds.
    n_permutations : int, default=20
        Permutations B.  The smallest p-value is 1 / (B + 1).
    fit_params, score_params : dict or None, default=None
        Further arguments of ``fit`` and of the scorer; those with a value per sample are sliced.
    n_jobs : int or None, default=None
        Processes.
    random_state : int, RandomState instance or None, default=None
        Seeds the permutations.  None is fresh randomness.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        With the attributes:

        score : float
            Mean score with the masks as they are.
        scores : ndarray of shape (n_splits,)
            Score in each split.
        scores_without_mask : ndarray of shape (n_splits,)
            Scores of label-only fits.
        permutation_scores : ndarray of shape (n_permutations, n_splits)
            Scores with permuted masks.
        gain, gain_se : float
            Mean difference to label-only fits, and its standard error over splits (nan with one
            split; folds overlap in training samples, so that it is a rough guide).
        gain_over_permuted, gain_over_permuted_se : float
            The same against the mean over permutations: what is due to the right masks.
        p_value : float
            Share of the permutations, and the masks as they are counted among them, that reach
            `score`.

    Raises
    ------
    ValueError
        If all annotated samples have the same mask, or an argument is not legal.

    References
    ----------
    .. [1] M. Ojala, G. C. Garriga (2010). Permutation Tests for Studying Classifier Performance.
       Journal of Machine Learning Research 11.
    .. [2] B. Phipson, G. K. Smyth (2010). Permutation P-values Should Never Be Zero. Statistical
       Applications in Genetics and Molecular Biology 9.

    Examples
    --------
    >>> from skexplain import GradRegClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.model_selection import mask_permutation_test
    >>> digits = make_decoy_digits("half", flatten=True, random_state=0)
    >>> X, y, mask = digits.data[:200], digits.target[:200], digits.mask[:200]
    >>> clf = GradRegClassifier(max_epochs=5, random_state=0)
    >>> result = mask_permutation_test(clf, X, y, mask, cv=2, n_permutations=4, random_state=0)
    >>> result.permutation_scores.shape
    (4, 2)
    """
    check_count("n_permutations", n_permutations)
    check_has_no_tokenizer(estimator, "test clf.estimator_ on t.ids and t.mask")
    X, targets = indexable(X, y)
    annotated = _check_masks(mask, len(targets), labels_beside(X, targets)["index"])
    scorer = check_scoring(estimator, scoring)
    splits = list(check_cv(cv, targets, classifier=is_classifier(estimator)).split(X, targets))
    rng = np.random.default_rng(root_seed(random_state))

    jobs: list[tuple[Any, Any]] = [(split, "given") for split in splits] + [
        (split, None) for split in splits
    ]
    seeds = rng.integers(2**63, size=(n_permutations, len(splits)))
    jobs += [(split, int(seed)) for row in seeds for split, seed in zip(splits, row, strict=True)]
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_score)(
            clone(estimator), X, targets, mask, annotated, scorer, *job, fit_params, score_params
        )
        for job in jobs
    )
    given, without, *permuted = np.reshape(scores, (-1, len(splits)))
    return _summarise(given, without, np.array(permuted))


def _check_masks(mask: Any, n_rows: int, index: Any) -> NDArray[np.bool_]:
    """Return which samples are annotated, after checking that their masks differ."""
    if mask is None:
        raise ValueError("mask must hold a mask per sample, got None.")
    _, *row_shape = mask_shape(mask) or (n_rows,)
    masks = interpret_mask(mask, (n_rows, *row_shape), feature_names=own_labels(mask), index=index)
    if masks.for_all_rows or _all_alike(masks.values[masks.annotated]):
        raise ValueError(
            "mask must differ between annotated samples: to shuffle equal masks changes nothing."
        )
    return masks.annotated


def _all_alike(values: NDArray[Any]) -> bool:
    rows = values.reshape(len(values), -1).astype(float)
    return len(rows) < 2 or all(np.array_equal(row, rows[0], equal_nan=True) for row in rows[1:])


def _fit_and_score(
    estimator: Any,
    X: Any,
    y: Any,
    mask: Any,
    annotated: NDArray[np.bool_],
    scorer: Callable[..., float],
    split: tuple[NDArray[Any], NDArray[Any]],
    masks: Literal["given"] | int | None,
    fit_params: dict[str, Any] | None,
    score_params: dict[str, Any] | None,
) -> float:
    """Fit with masks as given, permuted by a seed, or None; test samples keep their masks."""
    train, test = split
    arguments = _slice(fit_params, train, len(y))
    if masks is not None:
        given = arguments["mask"] = _safe_indexing(mask, train)
        if masks != "given":
            permuted = _safe_indexing(mask, _permuted(train, annotated, masks))
            # Another sample's mask is meant to be read as this sample's, so it takes its label.
            index = row_labels(given)
            arguments["mask"] = permuted if index is None else permuted.set_axis(index, axis=0)
    with warnings.catch_warnings():
        if masks is None:
            warnings.simplefilter("ignore", MissingExplanationWarning)
        elif masks != "given":  # masks of other samples leave the shortcut in use
            warnings.simplefilter("ignore", ShortcutInUseWarning)
        estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **arguments)
    arguments = _slice(score_params, test, len(y))
    if _asks_for_mask(scorer):
        arguments.setdefault("mask", _safe_indexing(mask, test))
    score = scorer(estimator, _safe_indexing(X, test), _safe_indexing(y, test), **arguments)
    return finite_score(score, scorer)


def _permuted(rows: NDArray[Any], annotated: NDArray[np.bool_], seed: int) -> NDArray[Any]:
    """Return for each sample the one whose mask it gets; unannotated ones keep their own."""
    source = rows.copy()
    movable = annotated[rows]
    source[movable] = np.random.default_rng(seed).permutation(rows[movable])
    return source


def _slice(params: dict[str, Any] | None, rows: NDArray[Any], n_rows: int) -> dict[str, Any]:
    """Index all values that have one entry per sample."""
    params = params or {}
    return {
        name: _safe_indexing(value, rows) if _n_rows(value) == n_rows else value
        for name, value in params.items()
    }


def _n_rows(value: Any) -> int | None:
    shape = getattr(value, "shape", None)
    if shape is None:
        return len(value) if isinstance(value, list | tuple) else None
    return shape[0] if len(shape) else None


def _asks_for_mask(scorer: object) -> bool:
    routing = getattr(scorer, "get_metadata_routing", None)
    return routing is not None and bool(routing().consumes("score", ["mask"]))


def _summarise(given: NDArray[Any], without: NDArray[Any], permuted: NDArray[Any]) -> Bunch:
    score, by_permutation = given.mean(), permuted.mean(axis=1)
    # Sums in another order may differ in the last digit.
    as_good = by_permutation >= score - 1e-12
    return Bunch(
        score=float(score),
        scores=given,
        scores_without_mask=without,
        permutation_scores=permuted,
        **_mean_and_error("gain", given - without),
        **_mean_and_error("gain_over_permuted", given - permuted.mean(axis=0)),
        p_value=float((1 + as_good.sum()) / (1 + len(permuted))),
    )


def _mean_and_error(name: str, differences: NDArray[Any]) -> dict[str, float]:
    n = len(differences)
    error = differences.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return {name: float(differences.mean()), f"{name}_se": float(error)}
