"""Papers that came after, and baselines that use no masks, on images with a decoy."""

import numpy as np

from skexplain import ERMClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.penalties import ActivationPenalty, EnergyPenalty, PatternPenalty
from skexplain.studies import Task, TestRows
from skexplain.studies.tools import flat, gains_table, verdict_table

from .._study import TrialStudy
from ..heo._decoy_mnist_methods import check_mnist, make_data
from ._baselines import InvariantRiskPenalty, JustTrainTwice, LastLayer, MixedRand

_N_TRAIN, _EPOCHS, _N_SEEDS = 1000, 20, 3
_IMAGES, _EPOCHS_OF_IMAGES = "digits as images", 30
#: Where the decoy fails in some samples: their share in each of two environments of equal size.
_FAILS = {"always": (0.0, 0.0), "mostly": (0.02, 0.18)}


def _with_masks(estimator, controls=(), **params):
    return {"estimator": estimator, "params": params, "controls": controls}


def _without(estimator, groups="", **params):
    """Describe a method without masks; `groups`: what it is given as its groups."""
    return {"estimator": estimator, "params": params, "without_masks": True, "groups": groups}


def _elsewhere(method):
    """Describe a method with masks of places where there is no decoy, as a control."""
    return {**method, "elsewhere": True, "controls": ()}


_SHARE = {"norm": "share", "alpha": 2.0}
_GRAD_REG = _with_masks("GradRegClassifier", **_SHARE, output="auto")
_RR_CLARC = _with_masks("rr-clarc", ("shuffled",), alpha=0.1)
_AT_FIRST = _with_masks("rr-clarc-first", ("shuffled",), alpha=0.1)
_SWAP = _with_masks("SwapExClassifier", alpha="replace", exchange=True)


class Successors(TrialStudy):
    """R4 and RR-ClArC beside Grad-Reg and the swap; reweighting and environments beside them.

    The decoy tells the digit in all training samples, or in nine of ten, as methods that learn from
    exceptions need.  Group DRO and DFR are told which samples these are, IRM in which of two
    environments a sample was drawn, 2 or 18 in 100 of which are exceptions; the others are told
    neither.  All have perceptrons of the package, but for methods that need images, on digits of
    8x8 pixels, where all have its small convolutional network; and default parameters but those
    stated.  The weights of TAP and of the energy loss were chosen on training samples of another
    split, in a range that a first look at test figures of one seed had set.  The others were not
    tuned on validation data; three choices followed a first look at test figures, see below; the
    weight and the radius of the certified form of R4 are small, as larger ones end at chance.  The
    decoy on "corner" is in one of four corners, so that masks of other samples are right in one of
    four; "elsewhere" marks the middle of an edge instead.
    """

    name = "successors"
    title = "Successors and baselines on a decoy"
    defaults = "stored"
    methods = {
        "label-only": {**_without("ERMClassifier"), "ceiling": True},
        "grad-reg": _GRAD_REG,
        "r4-random": _with_masks(
            "GradRegClassifier", **_SHARE, output="auto", robust="random", n_steps=3
        ),
        "r4-adversarial": _with_masks(
            "GradRegClassifier", **_SHARE, output="log_prob_sum", robust="adversarial", n_steps=3
        ),
        "r4-certified": _with_masks(
            "GradRegClassifier", robust="certified", norm="l2", alpha=0.01, epsilon=0.02
        ),
        "rr-clarc": _RR_CLARC,
        "rr-clarc, first layer": _AT_FIRST,
        "swap": _SWAP,
        "mixed-rand": _with_masks("AvgExClassifier", alpha="replace", perturbation="mixed-rand"),
        "group-dro": _without("GroupDROClassifier", "exceptions"),
        "dfr": _without("dfr", "exceptions"),
        "linear probe": _without("linear-probe"),
        "jtt": _without("jtt"),
        "irm": _without("irm", "environments", alpha=1.0),
        "grad-reg, elsewhere": _elsewhere(_GRAD_REG),
        "rr-clarc, elsewhere": _elsewhere(_RR_CLARC),
        "rr-clarc, first layer, elsewhere": _elsewhere(_AT_FIRST),
        "swap, elsewhere": _elsewhere(_SWAP),
        "tap": _with_masks("tap", ("shuffled",), alpha=0.003),
        "energy": _with_masks("energy", ("shuffled",), alpha=0.3),
    }
    panels = ("dataset", "decoy", "holds")
    measure = "worst_group"

    _always = ("label-only", "grad-reg", "r4-random", "r4-adversarial", "r4-certified")
    _masks = ("rr-clarc", "rr-clarc, first layer", "swap", "mixed-rand")
    _elsewhere = tuple(name for name in methods if name.endswith(", elsewhere"))
    _mostly = ("label-only", "grad-reg", "swap", "group-dro", "dfr", "linear probe", "jtt", "irm")
    _images = ("label-only", "grad-reg", "tap", "energy", "swap")

    def prepare(self, scale):
        """Check that MNIST is there."""
        if scale == "paper":
            check_mnist()

    def trials(self, scale):
        """List digits of 8x8 pixels, or MNIST: the decoy of R4's table, and a larger one."""
        quick = scale == "quick"
        settings = {"params": {"max_epochs": 5 if quick else _EPOCHS}, "rows": _N_TRAIN}
        for decoy, holds, names in (
            ("corner", "always", (*self._always, *self._masks, *self._elsewhere)),
            ("half", "mostly", self._mostly),
        ):
            factors = {"dataset": "digits" if quick else "mnist", "decoy": decoy, "holds": holds}
            yield factors, list(names), range(1 if quick else _N_SEEDS), settings
        factors = {"dataset": _IMAGES, "decoy": "half", "holds": "always"}
        settings = {"params": {"max_epochs": 5 if quick else _EPOCHS_OF_IMAGES}}
        yield factors, list(self._images), range(1 if quick else _N_SEEDS), settings

    def task(self, factors, settings):
        """Draw the exceptions, samples whose decoy is that of a random digit."""
        seed = factors["seed"]
        if factors["dataset"] == _IMAGES:
            return _images_task(factors["decoy"], seed)
        images = make_data(factors["dataset"], factors["decoy"], seed)
        rng = np.random.RandomState(seed)
        X, y = flat(images.data[: settings["rows"]]), images.target[: settings["rows"]]
        random = flat(images.data_random[: len(X)])
        environment = rng.randint(2, size=len(X))
        is_exception = rng.uniform(size=len(X)) < np.take(_FAILS[factors["holds"]], environment)
        groups = {"exceptions": 2 * y + is_exception, "environments": environment}
        name = settings.get("groups")
        mask = flat(images.mask[: len(X)])
        if settings.get("elsewhere"):
            mask = _move_from_corners(mask)
        return Task(
            np.where(is_exception[:, None], random, X),
            y,
            mask,
            {"decoy lies": TestRows(flat(images.data_test), images.target_test)},
            random,
            {"group_labels": groups[name]} if name else {},
        )

    def run(self, factors, settings):
        """Fit and score."""
        return super().run(factors, with_baselines(settings))

    def tables(self, rows):
        """Methods beside the ceiling, and who beats all controls."""
        return [
            gains_table(self, rows, self.panels, self.measure, self.baseline),
            gains_table(self, rows, self.panels, "mean_group", self.baseline),
            verdict_table(rows, self.panels, self.measure),
        ]


def _move_from_corners(mask):
    """Move marks along the upper and lower edges, to where no corner is marked."""
    side = round(mask.shape[1] ** 0.5)
    return flat(np.roll(mask.reshape(-1, side, side), side // 2, axis=2))


def _images_task(decoy, seed):
    """Digits of 8x8 pixels as images."""
    images = make_decoy_digits(decoy, flatten=False, random_state=seed)
    tests = {"decoy lies": TestRows(images.data_test, images.target_test)}
    return Task(images.data, images.target, images.mask, tests, images.data_random)


def with_baselines(method):
    """Replace the names of baselines, and of a perturbation, by what they stand for.

    Parameters
    ----------
    method : dict
        See `run_trial`; its ``estimator`` may also be a penalty or a baseline by its name here.

    Returns
    -------
    dict
    """
    name, params = method["estimator"], method["params"]
    if params.get("perturbation") == "mixed-rand":
        return {**method, "params": {**params, "perturbation": MixedRand()}}
    if name in _PENALTIES:
        penalties = {"penalties": [(name.replace("-", "_"), _PENALTIES[name])]}
        # A step of 0 would be no group DRO; so small a one leaves all environments alike.
        by_group = {"reduction": "group_dro", "group_step_size": 1e-12} if name == "irm" else {}
        described = {"estimator": "ExplanationClassifier"}
        return {**method, **described, "params": {**penalties, **by_group, **params}}
    if name in _WRAPPERS:
        network = ERMClassifier(device="cpu", **params)
        wrapped = {"estimator": _WRAPPERS[name](network), "params": {}, "defaults": "package"}
        return {**method, **wrapped}
    return method


_PENALTIES = {
    "rr-clarc": PatternPenalty(),
    "rr-clarc-first": PatternPenalty("features.1"),
    "tap": ActivationPenalty(),
    "energy": EnergyPenalty(),
    "irm": InvariantRiskPenalty(),
}
_WRAPPERS = {
    "jtt": JustTrainTwice,
    "dfr": lambda network: LastLayer(network, balanced=True),
    "linear-probe": LastLayer,
}
