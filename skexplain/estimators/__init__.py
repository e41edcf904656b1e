"""The public face: estimators that take a mask beside X and y."""

from ._attribution import (
    CDEPClassifier,
    GradCAMRegClassifier,
    HINTClassifier,
    InfluenceRegClassifier,
)
from ._average_case import (
    AvgExClassifier,
    AvgExRegressor,
    CounterexampleClassifier,
    SwapExClassifier,
    SwapExRegressor,
)
from ._certified import IBPExClassifier, IBPExRegressor
from ._combined import ExplanationClassifier
from ._concept_grad_reg import ConceptGradRegClassifier, ConceptGradRegRegressor
from ._erm import ERMClassifier, ERMRegressor
from ._find_another import FindAnotherExplanationClassifier
from ._grad_reg import GradRegClassifier, GradRegRegressor
from ._group_dro import GroupDROClassifier
from ._mask_propagation import MaskPropagator
from ._perturbation import PGDExClassifier, PGDExRegressor
from ._tokenizers import WordTokenizer
from ._two_stage import TwoStageExplanationClassifier
from ._with_propagated_masks import WithPropagatedMasks
from ._with_tokenizer import WithTokenizer

__all__ = [
    "AvgExClassifier",
    "AvgExRegressor",
    "CDEPClassifier",
    "ConceptGradRegClassifier",
    "ConceptGradRegRegressor",
    "CounterexampleClassifier",
    "ERMClassifier",
    "ERMRegressor",
    "ExplanationClassifier",
    "FindAnotherExplanationClassifier",
    "GradCAMRegClassifier",
    "GradRegClassifier",
    "GradRegRegressor",
    "GroupDROClassifier",
    "HINTClassifier",
    "IBPExClassifier",
    "IBPExRegressor",
    "InfluenceRegClassifier",
    "MaskPropagator",
    "PGDExClassifier",
    "PGDExRegressor",
    "SwapExClassifier",
    "SwapExRegressor",
    "TwoStageExplanationClassifier",
    "WithPropagatedMasks",
    "WithTokenizer",
    "WordTokenizer",
]
