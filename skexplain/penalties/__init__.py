"""Explanation terms: one callable object per penalty, one value per sample."""

from ._average_case import AverageCasePenalty
from ._base import Penalty, PerturbationPenalty, Rows
from ._certified import CertifiedPenalty
from ._concepts import ConceptGradientPenalty
from ._decomposition import DecompositionPenalty
from ._grad_cam import GradCAMPenalty, HINTPenalty
from ._influence import InfluencePenalty
from ._input_gradient import InputGradientPenalty
from ._masked_features import MaskedFeaturePenalty
from ._worst_case import WorstCasePenalty

__all__ = [
    "AverageCasePenalty",
    "CertifiedPenalty",
    "ConceptGradientPenalty",
    "DecompositionPenalty",
    "GradCAMPenalty",
    "HINTPenalty",
    "InfluencePenalty",
    "InputGradientPenalty",
    "MaskedFeaturePenalty",
    "Penalty",
    "PerturbationPenalty",
    "Rows",
    "WorstCasePenalty",
]
