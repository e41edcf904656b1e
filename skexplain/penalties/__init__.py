"""Explanation terms: one callable object per penalty, one value per row."""

from ._base import Penalty, PerturbationPenalty, Point, Rows, Term, evaluate_terms
from ._input_gradient import InputGradientPenalty
from ._masked_features import MaskedFeaturePenalty
from ._worst_case import WorstCasePenalty

__all__ = [
    "InputGradientPenalty",
    "MaskedFeaturePenalty",
    "Penalty",
    "PerturbationPenalty",
    "Point",
    "Rows",
    "Term",
    "WorstCasePenalty",
    "evaluate_terms",
]
