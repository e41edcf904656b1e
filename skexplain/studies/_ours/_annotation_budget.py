"""How many masks buy how much."""

import numpy as np

from ...datasets import make_decoy_digits
from .._trial import Task, TestRows
from .._trial_study import TrialStudy


class AnnotationBudget(TrialStudy):
    """Decoy digits of which only some training rows are annotated."""

    name = "annotation-budget"
    title = "How many masks buy how much, on digits beside a decoy"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        "swap": {
            "estimator": "SwapExClassifier",
            "controls": ("off", "shuffled", "reweighted"),
            "off": {"alpha": 0.0},
        },
        "grad-reg": {
            "estimator": "GradRegClassifier",
            "controls": ("off", "shuffled"),
            "off": {"alpha": 0.0},
        },
        "pgd": {
            "estimator": "PGDExClassifier",
            "controls": ("off", "shuffled", "reweighted"),
            "off": {"alpha": 0.0},
        },
    }
    panels = ("decoy",)
    measure = "mean_group"
    x = "masks_given"

    def trials(self, scale):
        """One budget at a time."""
        quick = scale == "quick"
        for decoy in ("half", "corner"):
            for n_masks in (20, 300) if quick else (1, 3, 10, 30, 100, 300, 1000):
                factors = {"decoy": decoy, "masks_given": n_masks}
                settings = {"params": {"max_epochs": 10 if quick else 30}}
                yield factors, list(self.methods), range(1 if quick else 10), settings

    def task(self, factors, settings):
        """Hide all masks but the first of the budget."""
        digits = make_decoy_digits(factors["decoy"], flatten=True, random_state=factors["seed"])
        mask = digits.mask.astype(np.float32)
        mask[factors["masks_given"] :] = np.nan
        return Task(
            digits.data,
            digits.target,
            mask,
            {"decoy lies": TestRows(digits.data_test, digits.target_test, digits.groups_test)},
            digits.data_random,
        )
