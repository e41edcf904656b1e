"""What can be compared: data sets and estimators by name."""

from typing import Any

from ..datasets import make_decoy_digits
from ..penalties import ActivationPenalty, EnergyPenalty, PatternPenalty
from ._trial import Task, TestRows


def _decoy_digits(decoy: Any, flatten: bool = True) -> Any:
    def make(seed: int) -> Any:
        digits = make_decoy_digits(decoy, flatten=flatten, random_state=seed)
        test = TestRows(digits.data_test, digits.target_test, digits.groups_test)
        return Task(digits.data, digits.target, digits.mask, {"test": test}, digits.data_random)

    return make


#: Data sets: name to a function of the seed.  Flat rows get a perceptron, which falls for the
#: shortcut in both variants; a small convolutional network does for "half" alone.
DATASETS = {
    "decoy-corner": _decoy_digits("corner"),
    "decoy-half": _decoy_digits("half"),
    "decoy-half-images": _decoy_digits("half", flatten=False),
}


def _as_stored(estimator: Any, **params: Any) -> dict[Any, Any]:
    """Describe a method with the defaults with which the stored results were computed."""
    return {"estimator": estimator, "params": params, "defaults": "stored"}


#: Descriptions of estimators by name, see `run_trial`.  Their settings were chosen on training
#: rows, by accuracy after repainting what the masks mark; all else is as in the stored comparison,
#: whatever the defaults of the package are by now.
ESTIMATORS = {
    "erm": _as_stored("ERMClassifier"),
    "group-dro": _as_stored("GroupDROClassifier"),
    "swap-ex": _as_stored("SwapExClassifier"),
    "avg-ex": _as_stored("AvgExClassifier"),
    "counterexample": _as_stored("CounterexampleClassifier"),
    "grad-reg": _as_stored("GradRegClassifier"),
    "grad-reg-random": _as_stored("GradRegClassifier", robust="random", n_steps=5),
    "grad-reg-adversarial": _as_stored("GradRegClassifier", robust="adversarial", n_steps=5),
    "grad-reg-certified": _as_stored(
        "GradRegClassifier", robust="certified", alpha=0.01, epsilon=0.02
    ),
    "rr-clarc": _as_stored(
        "ExplanationClassifier", penalties=[("pattern", PatternPenalty())], alpha=0.1
    ),
    "tap": _as_stored(
        "ExplanationClassifier", penalties=[("tap", ActivationPenalty())], alpha=0.003
    ),
    "energy": _as_stored(
        "ExplanationClassifier", penalties=[("energy", EnergyPenalty())], alpha=0.3
    ),
    "pgd-ex": _as_stored("PGDExClassifier"),
    "pgd-ex+grad-reg": _as_stored("PGDExClassifier", grad_alpha=0.03),
    "ibp-ex": _as_stored("IBPExClassifier"),
    "ibp-ex+grad-reg": _as_stored("IBPExClassifier", epsilon=1.0, alpha=0.25, grad_alpha=0.3),
    "cdep": _as_stored("CDEPClassifier"),
    "hint": _as_stored("HINTClassifier", attribution="input_gradient"),
    "influence": _as_stored("InfluenceRegClassifier"),
    "grad-cam": _as_stored("GradCAMRegClassifier"),
    "two-stage": _as_stored("TwoStageExplanationClassifier"),
}

#: Estimators that do not use masks: shuffling theirs would be no control.
WITHOUT_MASKS = ("erm", "group-dro")

#: What is compared on a data set by default: Grad-CAM and what is like it need images, and stored
#: results are older than the others that are left out.
_NOT_BY_DEFAULT = (
    *("grad-cam", "tap", "energy"),
    *("grad-reg-random", "grad-reg-adversarial", "grad-reg-certified", "rr-clarc"),
)
_BY_DEFAULT = [name for name in ESTIMATORS if name not in _NOT_BY_DEFAULT]
DEFAULTS = {
    "decoy-corner": _BY_DEFAULT,
    "decoy-half": _BY_DEFAULT,
    "decoy-half-images": ["swap-ex", "grad-cam"],
}
