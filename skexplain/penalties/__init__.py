"""Explanation terms: one callable object per penalty, one value per sample."""

from ._activations import ActivationPenalty
from ._attention import AttentionPenalty
from ._average_case import AverageCasePenalty
from ._base import Penalty, PerturbationPenalty, Rows
from ._certified import CertifiedPenalty
from ._concepts import ConceptGradientPenalty
from ._decomposition import DecompositionPenalty
from ._energy import EnergyPenalty
from ._grad_cam import GradCAMPenalty, HINTPenalty
from ._influence import InfluencePenalty
from ._input_gradient import InputGradientPenalty
from ._masked_features import MaskedFeaturePenalty
from ._patterns import PatternPenalty
from ._worst_case import WorstCasePenalty

__all__ = [
    "ActivationPenalty",
    "AttentionPenalty",
    "AverageCasePenalty",
    "CertifiedPenalty",
    "ConceptGradientPenalty",
    "DecompositionPenalty",
    "EnergyPenalty",
    "GradCAMPenalty",
    "HINTPenalty",
    "InfluencePenalty",
    "InputGradientPenalty",
    "MaskedFeaturePenalty",
    "PatternPenalty",
    "Penalty",
    "PerturbationPenalty",
    "Rows",
    "WorstCasePenalty",
]
