"""The public face: estimators that take a mask beside X and y."""

from ._erm import ERMClassifier
from ._grad_reg import GradRegClassifier
from ._perturbation import PGDExClassifier
from ._two_stage import TwoStageExplanationClassifier

__all__ = [
    "ERMClassifier",
    "GradRegClassifier",
    "PGDExClassifier",
    "TwoStageExplanationClassifier",
]
