"""Which samples a person should explain next."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans

from .._checks import check_count, check_option
from .._typing import MaskLike, Seed
from ..estimators._classifier import BaseExplanationClassifier
from ..estimators._parameters import root_seed
from ..estimators._validation import check_inputs
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ..metrics._token_inputs import of_tokens
from ._checks import check_model
from ._saliency import saliency

_PICKS = ("centre", "margin", "spread")
_MAX_WORDS = 256


def query_explanations(
    estimator: BaseExplanationClassifier,
    X: ArrayLike,
    n: int,
    *,
    mask: MaskLike | None = None,
    pick: Literal["centre", "margin", "spread"] = "centre",
    random_state: Seed = None,
) -> NDArray[np.intp]:
    r"""Choose samples whose masks a person should draw next.

    The samples are dealt out evenly over the predicted classes.  Within a class, the saliency maps
    (:math:`|` input gradient :math:`|` per input unit, of sum one) are clustered by k-means into as
    many clusters as samples are wanted, and one sample of each is picked, so that a person sees
    every way in which the model looks at every class once.  Of texts the saliency of a word counts
    wherever it stands, for the 256 words that have most.

    Parameters
    ----------
    estimator : classifier of this package
        A fitted one, `WithTokenizer` among them, whose X are texts.
    X : array-like of the shape of the training inputs
        Samples to choose from.
    n : int
        How many samples to choose.
    mask : array-like, list of (array-like or None), DataFrame or None, default=None
        Masks there are already, as in ``fit``: samples annotated in it are not chosen.
    pick : {"centre", "margin", "spread"}, default="centre"
        Which sample of a cluster is picked:

        - "centre": the one nearest its centre, the most typical;
        - "margin": the one where log p of the two most probable classes differs least, of which the
          model is least sure;
        - "spread": the one whose saliency is spread widest, by its entropy.
    random_state : int, RandomState instance or None, default=None
        For clustering, and for which classes are given one sample more.  None: fresh entropy.

    Returns
    -------
    ndarray of int of shape (n,)
        Sample numbers of X, ascending.

    Raises
    ------
    TypeError
        If `estimator` is no classifier of this package.
    ValueError
        If fewer than n samples are not annotated, or an argument is not legal.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    suggest_masks : Candidate masks, to be accepted rather than drawn.
    skexplain.WithPropagatedMasks : Learns from few masks what the others look like.

    Notes
    -----
    Twenty samples of decoy digits, 64 columns, `SwapExClassifier` on their masks alone, mean-group
    and worst-group accuracy, eight seeds: with the half decoy, "centre" .76 and .51, "spread" .72
    and .42, "margin" .67 and .41, samples drawn at random .68 and .39; with the corner decoy .92
    and .78, .93 and .77, .92 and .74, .92 and .75.  So samples that are typical help, those of
    which the model is unsure no more than random ones.  Where masks are propagated to the other
    samples, the choice hardly matters: those of the half decoy are then right whichever samples are
    annotated.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import query_explanations
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> clf = ERMClassifier(max_epochs=5, random_state=0).fit(X, X[:, 0] > 0)
    >>> rows = query_explanations(clf, X, 4, random_state=0)
    >>> len(rows), int(clf.predict(X[rows]).sum())  # two samples of either class
    (4, 2)
    """
    estimator, X, mask = of_tokens(estimator, X, mask)
    check_model(estimator, classifier=True)
    check_count("n", n)
    check_option("pick", pick, _PICKS)
    seed = root_seed(random_state)
    free = _not_annotated(estimator, X, mask)
    if len(free) < n:
        raise ValueError(
            f"n must be at most the number of samples without a mask, {len(free)}; got {n}."
        )
    probabilities = estimator.predict_proba(X)
    maps = np.abs(saliency(estimator, X)).reshape(len(probabilities), -1).astype(np.float64)
    maps /= np.maximum(maps.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if getattr(estimator, "embedding_layer_", None) is not None:
        maps = _by_word(maps, np.asarray(X))
    cost = {"centre": None, "margin": _margin(probabilities), "spread": -_entropy(maps)}[pick]
    predicted = probabilities.argmax(axis=1)
    classes = [free[predicted[free] == code] for code in np.unique(predicted[free])]
    np.random.RandomState(seed % 2**32).shuffle(classes)
    chosen = [
        _one_of_each_cluster(maps, rows, count, cost, seed)
        for rows, count in zip(classes, _deal(n, [len(rows) for rows in classes]), strict=True)
        if count
    ]
    return np.sort(np.concatenate(chosen))


def _not_annotated(
    estimator: BaseExplanationClassifier, X: ArrayLike, mask: MaskLike | None
) -> np.ndarray:
    values = check_inputs(estimator, X, reset=False)
    labels = labels_beside(X, fitted=estimator)
    masks = interpret_mask(mask, values.shape, marks=estimator.mask_marks, **labels)
    return np.arange(len(values)) if masks is None else np.flatnonzero(~masks.annotated)


def _by_word(maps: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Sum the shares of each word of a text, for the words that have most in all texts."""
    words, number = np.unique(ids, return_inverse=True)
    number = number.reshape(ids.shape)
    total = np.bincount(number.ravel(), weights=maps.ravel(), minlength=len(words))
    kept = np.argsort(-total, kind="stable")[:_MAX_WORDS]
    column = np.full(len(words), len(kept))
    column[kept] = np.arange(len(kept))
    of_words = np.zeros((len(ids), len(kept) + 1))
    np.add.at(of_words, (np.arange(len(ids))[:, None], column[number]), maps)
    return of_words[:, :-1]


def _margin(probabilities: np.ndarray) -> np.ndarray:
    """Return the difference of log p of the two most probable classes."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    return np.log(np.maximum(first, 1e-300)) - np.log(np.maximum(second, 1e-300))


def _entropy(shares: np.ndarray) -> np.ndarray:
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)


def _deal(n: int, sizes: list[int]) -> np.ndarray:
    """Return shares of n that are as even as sizes allow, the first ones larger by one."""
    counts = np.zeros(len(sizes), dtype=int)
    while n:
        open_ones = np.flatnonzero(counts < sizes)[:n]
        counts[open_ones] += 1
        n -= len(open_ones)
    return counts


def _one_of_each_cluster(
    maps: np.ndarray, rows: np.ndarray, count: int, cost: np.ndarray | None, seed: int
) -> np.ndarray:
    """Pick `count` samples, the cheapest of each cluster; maps may be equal, and clusters fewer."""
    points = maps[rows]
    n_clusters = min(count, len(np.unique(points, axis=0)))
    clusters = KMeans(n_clusters, n_init=3, random_state=seed).fit(points)
    to_centre = clusters.transform(points).min(axis=1)
    order = np.lexsort([to_centre if cost is None else cost[rows]])
    labels = clusters.labels_[order]
    # The first of every cluster, then the second, should there be too few clusters.
    nth = np.array([np.sum(labels[:i] == label) for i, label in enumerate(labels)])
    return rows[order[np.argsort(nth, kind="stable")[:count]]]
