"""Apple leaves on backgrounds that tell their disease: from scratch, and pretrained."""

from functools import lru_cache

import numpy as np

from skexplain.datasets import get_data_home
from skexplain.studies import Task, TestRows
from skexplain.studies.tools import gains_table, verdict_table

from .._study import TrialStudy
from ..heo._photographs import make_leaves
from ._default_tasks_images import exchange_backgrounds, read_apple
from ._leaf_models import ON_LITE0, Lite0Network, import_lite0

_INDEX = "plantvillage_apple/index.csv"
_SCRATCH, _LITE0 = "scratch", "lite0"
_N_SEEDS = 3
_BACKGROUND = "background alone"
_WITHOUT_MASKS = {"without_masks": True}
_SHUFFLED = {"controls": ("shuffled",)}
_REPLACED = {"alpha": "replace", "exchange": True}

_FROM_SCRATCH = {
    "label-only": {"estimator": "ERMClassifier", **_WITHOUT_MASKS, "ceiling": True},
    "augmentation": {"estimator": "AvgExClassifier", **_WITHOUT_MASKS},
    "swap": {"estimator": "SwapExClassifier", **_SHUFFLED},
    "grad-reg": {"estimator": "GradRegClassifier", **_SHUFFLED},
    "pgd + grad-reg": {"estimator": "PGDExClassifier", **_SHUFFLED},
    "two-stage": {"estimator": "TwoStageExplanationClassifier", **_SHUFFLED},
}
_PARAMS_FROM_SCRATCH = {
    "augmentation": {"perturbation": "whole-flip-and-shift", **_REPLACED},
    "swap": _REPLACED,
    "grad-reg": {"alpha": 2.0, "norm": "share"},
    "pgd + grad-reg": {"epsilon": 2.0, "n_steps": 3, "grad_alpha": 0.1},
}
_FROM_LITE0 = {
    "label-only": {"estimator": "head"},
    "augmentation": {"estimator": "head, moved copies"},
    "swap": {"estimator": "head, swapped copies"},
    "swap + augmentation": {"estimator": "head, swapped and moved copies"},
    "two-stage": {"estimator": "TwoStageExplanationClassifier"},
}


class Leaves(TrialStudy):
    """Apple leaves of four classes, photographed on backgrounds that tell the class.

    760 photographs to train on, 336 of other leaves for three tests: as they are; with the
    background of another photograph; and the background alone, where the leaf has the mean colour
    of the background and chance is .25.  Masks mark the background.  "augmentation" mirrors and
    shifts whole photographs, without masks; the ceiling of labels alone is trained on backgrounds
    exchanged once.

    From scratch a small convolutional network learns from 32x32 pixels.  "lite0" is
    EfficientNet-Lite0 with the weights of ImageNet, frozen, on 128x128 pixels; its features are
    computed once.  On them logistic regression (C = .01, standardised) is fitted on the photographs
    or on three copies of each: with the background of others, mirrored and shifted, or both; and
    two-stage on a linear head.  Penalties on gradients at pixels, which would run the network
    forwards and backwards at each step, are left out there.

    The quick scale draws discs on grey backgrounds, from scratch alone.
    """

    name = "leaves"
    title = "Apple leaves on backgrounds that tell the disease, pretrained and from scratch"
    defaults = "stored"
    methods = {**_FROM_SCRATCH, "swap + augmentation": {}}
    panels = ("start", "test")

    def prepare(self, scale):
        """Check that the pretrained network is there."""
        if scale == "paper" and not self.lacks({"start": _LITE0}):
            import_lite0()

    def lacks(self, factors):
        """Name the file that is missing."""
        path = get_data_home() / _INDEX
        return "" if factors["start"] == "drawn" or path.exists() else str(path)

    def trials(self, scale):
        """From the pretrained network, and from scratch; or drawn leaves."""
        quick = scale == "quick"
        if not quick:
            for name, own in _FROM_LITE0.items():
                params = {"params": {"max_epochs": 30}} if name == "two-stage" else {}
                settings = {**own, **params, "side": 128, "defaults": "package"}
                yield {"start": _LITE0}, [name], range(_N_SEEDS), settings
        start, side, epochs, seeds = ("drawn", 12, 10, 1) if quick else (_SCRATCH, 32, 30, _N_SEEDS)
        for name in ("label-only", "swap") if quick else _FROM_SCRATCH:
            params = {"max_epochs": epochs, "batch_size": 32, **_PARAMS_FROM_SCRATCH.get(name, {})}
            yield {"start": start}, [name], range(seeds), {"params": params, "side": side}

    def task(self, factors, settings):
        """Read or draw the leaves."""
        if factors["start"] == "drawn":
            return _drawn_task(settings["side"], factors["seed"])
        return _apple_task(settings["side"], factors["seed"])

    def run(self, factors, settings):
        """Fit and score; names of classifiers on the pretrained network stand for what they are."""
        if factors["start"] == _LITE0:
            if settings["estimator"] in ON_LITE0:
                made = ON_LITE0[settings["estimator"]]()
                settings = {**settings, "estimator": made}
            else:
                settings = {**settings, "module": Lite0Network}
        return super().run(factors, settings)

    def tables(self, rows):
        """Accuracy and the worst class; then who beats all controls."""
        judged = [row for row in rows if row["test"] != _BACKGROUND]
        return [
            gains_table(self, rows, self.panels, "accuracy", self.baseline),
            gains_table(self, judged, self.panels, "worst_group", self.baseline),
            verdict_table(judged, self.panels, self.measure),
        ]


@lru_cache(maxsize=1)  # cells of a start and seed follow one another
def _apple_task(side, seed):
    rng = np.random.RandomState(seed)
    X, y, mask = read_apple("train", None, rng, side)
    X_test, y_test, mask_test = read_apple("test", None, rng, side)
    without = exchange_backgrounds(X, mask, rng.permutation(len(X)))
    return Task(X, y, mask, _tests(X_test, y_test, mask_test, rng), without)


def _drawn_task(side, seed):
    leaves = make_leaves(side, seed)
    rng = np.random.RandomState(seed)
    X, y, mask = leaves.data, leaves.target, leaves.mask
    tests = _tests(leaves.data_test, leaves.target_test, leaves.mask_test, rng)
    without = exchange_backgrounds(X, mask, rng.permutation(len(X)))
    return Task(X, y, mask, tests, without)


def _tests(X, y, mask, rng):
    """Test photographs as they are, with exchanged backgrounds, and without the leaf."""
    background = mask[:, None]
    count = np.maximum(background.sum((2, 3), keepdims=True), 1)
    mean = np.where(background, X, 0.0).sum((2, 3), keepdims=True) / count
    alone = np.where(background, X, np.rint(mean).astype(X.dtype))
    return {
        "as they are": TestRows(X, y),
        "exchanged": TestRows(exchange_backgrounds(X, mask, rng.permutation(len(X))), y),
        _BACKGROUND: TestRows(alone, y),
    }
