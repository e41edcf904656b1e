"""What can be compared: data sets and estimators by name."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..datasets import make_decoy_digits
from ..estimators import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)


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


def _decoy_digits(decoy):
    # Flat: a perceptron falls for the shortcut in both variants, a small CNN only for "half".
    def make(seed):
        digits = make_decoy_digits(decoy, flatten=True, random_state=seed)
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


#: Data sets: name to a function of the seed.
DATASETS = {
    "decoy-corner": _decoy_digits("corner"),
    "decoy-half": _decoy_digits("half"),
}

#: Estimators: name to a function of parameters, `max_epochs` and `random_state` among them.  Their
#: settings were chosen on training rows, by accuracy after repainting what the masks mark.
ESTIMATORS = {
    "erm": ERMClassifier,
    "grad-reg": GradRegClassifier,
    "pgd-ex": PGDExClassifier,
    "pgd-ex+grad-reg": partial(PGDExClassifier, grad_alpha=0.03),
    "two-stage": TwoStageExplanationClassifier,
}
