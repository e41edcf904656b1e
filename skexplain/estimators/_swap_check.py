"""The check after a fit: whether what the masks mark still changes the predictions."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from .._surroundings import isolated_random_state
from ..exceptions import ShortcutInUseWarning
from ..masks import Masks
from ..masks._meaning import Marks
from ..metrics._perturb import Perturber
from ..metrics._reliance import is_changed
from ..training._random import seed_layers
from ._frame import fitted_tokens, outputs_of

# So many predictions may change by chance, such as those of samples between two classes: on the
# panel of docs/results/defaults.md 0 to 5 % of a fit that gave the shortcut up, 9 to 23 % of one
# that did not.
_TOLERATED, _STANDARD_ERRORS = 0.05, 2
# Samples are exchanged in blocks: in most fits the first one shows that nothing is left, and large
# photographs are not in memory all at once.
_MOST_SAMPLES, _BLOCK_SAMPLES, _BLOCK_VALUES = 500, 100, 1 << 24
# A class counts as much as any other from so many samples on: one or two must not decide.
_FULL_CLASS = 20


class _Network:
    """Predicts the codes of classes from arrays that are checked already."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        tokens = fitted_tokens(estimator)
        self.embedding_layer_ = tokens.embedding_layer
        self.pad_id_, self.mask_id_ = tokens.pad_id, tokens.mask_id

    def predict(self, X: np.ndarray) -> NDArray[Any]:
        device = self._estimator.trainer_.device
        with isolated_random_state(device):
            seed_layers(0, device)  # a network with noise of its own gets the same in both passes
            return outputs_of(self._estimator, X).argmax(1).numpy()


def warn_if_swaps_matter(
    estimator: Any, X: np.ndarray, y: NDArray[Any], masks: Masks | None, stacklevel: int
) -> None:
    """Warn if predictions change when what the masks mark is exchanged between samples.

    The samples are those of the training: a model that relies on what is marked does so there.
    Each class counts the same, so that it shows in a rare one, too.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted one; regressors are not checked.
    X : ndarray of shape (n_samples, ...)
        Inputs of the fit.
    y : ndarray of int of shape (n_samples,)
        Its targets; codes of classes.
    masks : Masks or None
        Those of the fit; without a penalty for them, nothing is checked.
    stacklevel : int
        Of the caller of `fit`.
    """
    terms = estimator.trainer_.method.active_terms
    of_features = bool(terms) and not any(term.penalty.marks_units for term in terms)
    if masks is None or not (of_features and is_classifier(estimator)):
        return
    # Where all is marked, all is exchanged: that says nothing of a shortcut.
    rows = np.flatnonzero(masks.annotated & ~masks.marks_alike())
    marks: Marks = "relevant" if masks.marks_relevant else "irrelevant"
    rng = np.random.default_rng(0)
    rows = _of_all_classes(rng.permutation(rows), y)[:_MOST_SAMPLES]
    size = max(2, min(_BLOCK_SAMPLES, _BLOCK_VALUES // X[0].size))
    labels, before, after = np.zeros((3, 0), dtype=int)
    share, error = 0.0, 0.0
    for start in range(0, len(rows), size):
        block = np.sort(rows[start : start + size])
        if np.count_nonzero(masks.has_irrelevant[block]) < 2:
            continue
        codes = _predict_exchanged(estimator, X[block], y[block], masks.take(block), marks, rng)
        labels, before, after = np.append([labels, before, after], codes, axis=1)
        share, error = _mean_over_classes(before != after, labels)
        if share + _STANDARD_ERRORS * error <= _TOLERATED:
            return
    if share - _STANDARD_ERRORS * error <= _TOLERATED:
        return
    # Predictions at chance change at the least move, as often towards the label as away from it.
    drift = (before == labels).astype(int) - (after == labels)
    if abs(drift.sum()) <= _STANDARD_ERRORS * np.sqrt(np.abs(drift).sum()):
        return
    name = type(estimator).__name__
    warnings.warn(
        f"{share:.0%} of the predictions of {name} for {len(labels)} annotated samples (mean "
        f"over the classes) change when what their masks mark is exchanged with other samples: a "
        f"part of the shortcut is left. {_remedy(estimator)} See "
        f"docs/masks.md#what-a-shortcut-survives.",
        ShortcutInUseWarning,
        stacklevel=stacklevel,
    )


def _of_all_classes(rows: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Order samples so that one of each class comes after the other, while there are any."""
    place = np.empty(len(rows), dtype=int)
    for code in np.unique(y[rows]):
        of_class = y[rows] == code
        place[of_class] = np.arange(of_class.sum())
    return rows[np.argsort(place, kind="stable")]


def _predict_exchanged(
    estimator: Any,
    X: np.ndarray,
    y: NDArray[Any],
    mask: NDArray[Any],
    marks: Marks,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return labels of the samples that an exchange changes, and predictions before and after."""
    perturber = Perturber(_Network(estimator), X, mask, marks, "swap")
    draw = perturber.draw(rng)
    changed = perturber.annotated[is_changed(perturber, draw)]
    if not len(changed):
        return changed, changed, changed
    return y[changed], perturber.predict(changed), perturber.predict_perturbed(changed, draw)


def _mean_over_classes(changed: NDArray[Any], y: NDArray[Any]) -> tuple[float, float]:
    """Return the share of changed predictions, a mean over classes, and its standard error."""
    if not len(changed):
        return 0.0, 0.0
    _, codes, n_samples = np.unique(y, return_inverse=True, return_counts=True)
    n_changed = np.bincount(codes, changed)
    # One change and one that was none are added, so that two of two are no certainty.
    smooth = (n_changed + 1) / (n_samples + 2)
    weight = np.minimum(n_samples, _FULL_CLASS)
    error = np.sqrt((weight**2 * smooth * (1 - smooth) / n_samples).sum()) / weight.sum()
    return float(np.average(n_changed / n_samples, weights=weight)), float(error)


def _remedy(estimator: Any) -> str:
    if estimator.trainer_.method.replaces:
        return "Train for more epochs (max_epochs), or annotate more samples."
    return "Use SwapExClassifier, a larger alpha, or more epochs (max_epochs)."
