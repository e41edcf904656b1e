"""What can be compared: data sets and estimators by name."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..datasets import make_decoy_digits
from ..estimators import (
    AvgExClassifier,
    CDEPClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    GradCAMRegClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from ._stored_defaults import stored_defaults


@dataclass(frozen=True)
class Task:
    """Data of one repetition of a comparison.

    Attributes
    ----------
    X, y, mask : ndarray
        Training rows, with the shortcut.
    X_without : ndarray of the shape of X
        The same rows without it.
    X_test, y_test, groups_test : ndarray
        Test rows, in which the shortcut tells nothing, and their groups.
    """

    X: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    X_without: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    groups_test: np.ndarray


def _decoy_digits(decoy, flatten=True):
    def make(seed):
        digits = make_decoy_digits(decoy, flatten=flatten, random_state=seed)
        return Task(
            digits.data,
            digits.target,
            digits.mask,
            digits.data_random,
            digits.data_test,
            digits.target_test,
            digits.groups_test,
        )

    return make


#: Data sets: name to a function of the seed.  Flat rows get a perceptron, which falls for the
#: shortcut in both variants; a small convolutional network does for "half" alone.
DATASETS = {
    "decoy-corner": _decoy_digits("corner"),
    "decoy-half": _decoy_digits("half"),
    "decoy-half-images": _decoy_digits("half", flatten=False),
}


def _as_stored(estimator, **params):
    """Return a function that builds the estimator as the stored results were computed."""
    return partial(estimator, **{**stored_defaults(estimator.__name__), **params})


#: Estimators: name to a function of parameters, `max_epochs` and `random_state` among them.  Their
#: settings were chosen on training rows, by accuracy after repainting what the masks mark; all else
#: is as in the stored comparison, whatever the defaults of the package are by now.
ESTIMATORS = {
    "erm": _as_stored(ERMClassifier),
    "group-dro": _as_stored(GroupDROClassifier),
    "swap-ex": _as_stored(SwapExClassifier),
    "avg-ex": _as_stored(AvgExClassifier),
    "counterexample": _as_stored(CounterexampleClassifier),
    "grad-reg": _as_stored(GradRegClassifier),
    "pgd-ex": _as_stored(PGDExClassifier),
    "pgd-ex+grad-reg": _as_stored(PGDExClassifier, grad_alpha=0.03),
    "ibp-ex": _as_stored(IBPExClassifier),
    "ibp-ex+grad-reg": _as_stored(IBPExClassifier, epsilon=1.0, alpha=0.25, grad_alpha=0.3),
    "cdep": _as_stored(CDEPClassifier),
    "hint": _as_stored(HINTClassifier, attribution="input_gradient"),
    "influence": _as_stored(InfluenceRegClassifier),
    "grad-cam": _as_stored(GradCAMRegClassifier),
    "two-stage": _as_stored(TwoStageExplanationClassifier),
}

#: Estimators that never look at a mask: shuffling theirs would be no control.
WITHOUT_MASKS = ("erm", "group-dro")

#: What is compared on a data set by default: Grad-CAM needs images.
DEFAULTS = {
    "decoy-corner": [name for name in ESTIMATORS if name != "grad-cam"],
    "decoy-half": [name for name in ESTIMATORS if name != "grad-cam"],
    "decoy-half-images": ["swap-ex", "grad-cam"],
}
