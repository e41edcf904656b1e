"""How many masks buy how much."""

import warnings

import numpy as np

from skexplain.datasets import make_decoy_digits
from skexplain.estimators import MaskPropagator
from skexplain.exceptions import UnreliableMaskWarning
from skexplain.inspection import query_explanations
from skexplain.studies import Task, TestRows
from skexplain.studies.tools import flat

from .._study import TrialStudy
from .._trial import make_estimator
from ._repeat import repeat_rows

_FILLED = range(10, 101)  # numbers of masks from which others are predicted


class AnnotationBudget(TrialStudy):
    """Decoy digits of which only some training rows are annotated.

    Label-only fits know no masks: they are made once, and shown at every number of masks.  They are
    the control "off" of all methods: a weight of 0 gives the same bits.  No method is tuned, so
    none has a budget that label-only lacks.

    "swap, propagated" learns from the given masks what masks look like and fills in those of the
    other rows; "swap, typical rows" has its masks on the rows that `query_explanations` picks by
    the saliency of a label-only fit, all others on rows drawn at random.
    """

    name = "annotation-budget"
    title = "How many masks buy how much, on digits beside a decoy"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        "swap": {"estimator": "SwapExClassifier", "controls": ("shuffled", "reweighted")},
        "swap, typical rows": {
            "estimator": "SwapExClassifier",
            "rows": "typical",
            "controls": ("shuffled", "reweighted"),
        },
        "swap, propagated": {
            "estimator": "SwapExClassifier",
            "propagate": {"n_steps": 600},
            "controls": ("shuffled",),
        },
        "grad-reg": {"estimator": "GradRegClassifier", "controls": ("shuffled",)},
        "pgd": {"estimator": "PGDExClassifier", "controls": ("shuffled", "reweighted")},
        "pgd + grad-reg": {
            "estimator": "PGDExClassifier",
            "params": {"grad_alpha": 0.03},
            "controls": ("shuffled",),
        },
    }
    panels = ("decoy",)
    measure = "mean_group"
    x = "masks_given"

    def trials(self, scale):
        """Label-only once; then one budget at a time."""
        quick = scale == "quick"
        seeds = range(1 if quick else 5)
        settings = {"params": {"max_epochs": 10 if quick else 30}}
        for decoy in ("half", "corner"):
            yield {"decoy": decoy, "masks_given": 0}, [self.baseline], seeds, settings
            for n_masks in (20, 300) if quick else (1, 3, 10, 30, 100, 300, 1000):
                names = [
                    name
                    for name, method in self.methods.items()
                    if name != self.baseline and ("propagate" not in method or n_masks in _FILLED)
                ]
                yield {"decoy": decoy, "masks_given": n_masks}, names, seeds, settings

    def cells(self, scale):
        """All but swaps for a single row, which need another one's values."""
        return [cell for cell in super().cells(scale) if not _lacks_a_donor(cell)]

    def task(self, factors, settings):
        """Hide all masks but those of the budget, and perhaps predict the hidden ones."""
        seed, n_masks = factors["seed"], factors["masks_given"]
        digits = make_decoy_digits(factors["decoy"], random_state=seed)
        mask = np.full(digits.mask.shape, np.nan, dtype=np.float32)
        rows = np.arange(n_masks)  # the rows come in random order
        if settings.get("rows") == "typical":
            rows = _typical_rows(digits, n_masks, settings, seed)
        mask[rows] = digits.mask[rows]
        if "propagate" in settings:
            mask = _propagate(digits.data, mask, settings["propagate"], seed)
        test = TestRows(flat(digits.data_test), digits.target_test, digits.groups_test)
        return Task(
            flat(digits.data),
            digits.target,
            flat(mask),
            {"decoy lies": test},
            flat(digits.data_random),
        )

    def tables(self, rows):
        """Show label-only at every number of masks."""
        return super().tables(self._at_every_budget(rows))

    def pictures(self, rows):
        """Show label-only as lines across all numbers of masks, and no controls."""
        rows = [row for row in rows if row["masks"] in ("-", "given", "no shortcut")]
        return super().pictures(self._at_every_budget(rows))

    def _at_every_budget(self, rows):
        return repeat_rows(rows, (self.x,), lambda row: row["method"] == self.baseline)


def _lacks_a_donor(cell):
    is_swap = cell.settings["estimator"] == "SwapExClassifier"
    is_swap &= cell.factors["masks"] != "reweighted"
    return is_swap and cell.factors["masks_given"] < 2


def _typical_rows(digits, n_masks, settings, seed):
    """Pick rows to annotate by what a label-only fit looks at."""
    X = flat(digits.data)
    plain = make_estimator({**settings, "estimator": "ERMClassifier", "grid": {}}, seed)
    return query_explanations(plain.fit(X, digits.target), X, n_masks, random_state=seed)


def _propagate(images, mask, params, seed):
    """Fill in the masks that are missing."""
    propagator = MaskPropagator(cv=None, device="cpu", random_state=seed, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableMaskWarning)
        return propagator.fit(images, mask).fill(images, mask)
