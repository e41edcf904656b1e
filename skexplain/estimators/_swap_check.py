"""The check after a fit: whether what the masks mark still changes the predictions."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from ..exceptions import ShortcutInUseWarning
from ..masks import Masks
from ..masks._meaning import Marks
from ..metrics._perturb import Perturber
from ..metrics._reliance import is_changed
from ._frame import fitted_tokens, outputs_of

# So many predictions may change by chance, such as those of samples between two classes: on the
# panel of docs/results/defaults.md 0 to 5 % of a fit that gave the shortcut up, 9 to 23 % of one
# that did not.
_TOLERATED, _STANDARD_ERRORS = 0.05, 2
_MOST_SAMPLES = 500


class _Network:
    """Predicts the codes of classes from arrays that are checked already."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        tokens = fitted_tokens(estimator)
        self.embedding_layer_ = tokens.embedding_layer
        self.pad_id_, self.mask_id_ = tokens.pad_id, tokens.mask_id

    def predict(self, X: np.ndarray) -> NDArray[Any]:
        return outputs_of(self._estimator, X).argmax(1).numpy()


def warn_if_swaps_matter(
    estimator: Any, X: np.ndarray, masks: Masks | None, stacklevel: int
) -> None:
    """Warn if predictions change when what the masks mark is exchanged between samples.

    The samples are those of the training: a model that relies on what is marked does so there.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted one; regressors are not checked.
    X : ndarray of shape (n_samples, ...)
        Inputs of the fit.
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
    rng = np.random.default_rng(0)
    rows = np.sort(rng.choice(rows, min(len(rows), _MOST_SAMPLES), replace=False))
    if np.count_nonzero(masks.has_irrelevant[rows]) < 2:
        return
    marks: Marks = "relevant" if masks.marks_relevant else "irrelevant"
    perturber = Perturber(_Network(estimator), X[rows], masks.take(rows), marks, "swap")
    draw = perturber.draw(rng)
    changed = perturber.annotated[is_changed(perturber, draw)]
    if not len(changed):
        return
    flips = np.mean(perturber.predict(changed) != perturber.predict_perturbed(changed, draw))
    error = np.sqrt(flips * (1 - flips) / len(changed))
    if flips - _STANDARD_ERRORS * error <= _TOLERATED:
        return
    name = type(estimator).__name__
    warnings.warn(
        f"{flips:.0%} of the predictions of {name} for {len(changed)} annotated samples change "
        f"when what their masks mark is exchanged with other samples: a part of the shortcut is "
        f"left. {_remedy(estimator)} See docs/masks.md#what-a-shortcut-survives.",
        ShortcutInUseWarning,
        stacklevel=stacklevel,
    )


def _remedy(estimator: Any) -> str:
    if estimator.trainer_.method.replaces:
        return "Train for more epochs (max_epochs), or annotate more samples."
    return "Use SwapExClassifier, a larger alpha, or more epochs (max_epochs)."
