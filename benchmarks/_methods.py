"""The estimators that are measured, with what a training step of each must do."""

from dataclasses import dataclass
from typing import Any

from _data import BATCH_SIZE
from sklearn.base import clone

from skexplain import (
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


@dataclass(frozen=True)
class Method:
    """An estimator and its cost.

    Attributes
    ----------
    estimator : classifier
    passes : str
        Passes of a step: F forward, B backward, I a pass of intervals or of a decomposition,
        f forward through the features alone.
    goal : float or None
        At most so many times as long as ERM.
    networks : tuple of str
        Maps over places need convolutions.
    """

    estimator: Any
    passes: str
    goal: float | None = None
    networks: tuple = ("MLP", "CNN")

    def prepare(self, module, device, **params):
        """Return a new estimator for a network."""
        common = {"module": module, "batch_size": BATCH_SIZE, "device": device, "random_state": 0}
        return clone(self.estimator).set_params(**common, **params)


PLAIN = Method(ERMClassifier(), "1 F, 1 B")
METHODS = {
    "ERM": PLAIN,
    "swap": Method(SwapExClassifier(alpha=1.0), "2 F, 2 B", 2),
    "swap, in place": Method(SwapExClassifier(), "1 F, 1 B", 1.15),
    "Avg-Ex": Method(AvgExClassifier(), "2 F, 2 B", 2),
    "counterexamples": Method(CounterexampleClassifier(alpha=1.0), "2 F, 2 B", 2),
    "Grad-Reg": Method(
        GradRegClassifier(norm="l2", alpha=1.0), "1 F, 1 B, and B through both", 3.5
    ),
    "PGD-Ex, 3 steps": Method(PGDExClassifier(alpha=1.0, n_steps=3), "5 F, 5 B", 5),
    "PGD-Ex, 5 steps": Method(PGDExClassifier(alpha=1.0, n_steps=5), "7 F, 7 B", 7),
    "PGD-Ex, 5 steps, + Grad-Reg": Method(
        PGDExClassifier(alpha=1.0, n_steps=5, grad_alpha=0.1), "7 F, 7 B, and B through 1 F, 1 B"
    ),
    "IBP-Ex": Method(IBPExClassifier(), "1 F, 1 B, 1 I (2 F), B through it", 3.5),
    "IBP-Ex + Grad-Reg": Method(
        IBPExClassifier(grad_alpha=0.1), "as IBP-Ex and Grad-Reg, 1 F, 1 B shared"
    ),
    "CDEP": Method(CDEPClassifier(), "1 F, 1 B, 1 I (2 F), B through it", 4),
    "HINT, input gradient": Method(
        HINTClassifier(attribution="input_gradient"), "1 F, 1 B, and B through both"
    ),
    "Grad-CAM": Method(
        GradCAMRegClassifier(), "1 F, 1 B to a layer, and B through all", networks=("CNN",)
    ),
    "influence": Method(InfluenceRegClassifier(), "2 F, 3 B, two of them to be differentiated"),
    "two-stage": Method(TwoStageExplanationClassifier(), "1 F, 1 B, 2 f, mapping twice", 2),
    "two-stage, low rank": Method(
        TwoStageExplanationClassifier(mapping="low_rank"),
        "1 F, 1 B, 2 f, mapping twice",
        2,
        ("CNN",),
    ),
    "two-stage, conv1x1": Method(
        TwoStageExplanationClassifier(mapping="conv1x1", feature_layer="5"),
        "1 F, 1 B, 2 f, mapping twice",
        2,
        ("CNN",),
    ),
    "group DRO": Method(GroupDROClassifier(), "1 F, 1 B"),
}
