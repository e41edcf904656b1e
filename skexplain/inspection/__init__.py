"""Inspection of fitted models: saliency, audits, certificates, attacks and displays.

Numbers
-------
saliency
    How much each feature speaks for a class, by six methods.
largest_gradient_mask
    Features of the largest input gradients.
fgsm, jsma
    Inputs changed so that the model errs.
predict_bounds, certified_accuracy
    Statements on every change of the irrelevant features.

audit
    One report: does a model lean on features that must not matter?

query_explanations
    Which samples to annotate next.
suggest_masks, accept_suggestions, MaskSuggestion
    Candidate masks found without annotation.
suggest_words, WordSuggestion
    Words of texts that give predictions away.

Pictures
--------
MaskDisplay
    Masks on their samples.
SaliencyDisplay
    Saliency of a model, beside the features that must not matter.
GroupAccuracyDisplay
    Accuracy of every group, the worst in red.
PerturbationCurveDisplay
    Accuracy against the size of a change of the irrelevant features.
"""

from ..estimators._largest_gradients import largest_gradient_mask
from ._attacks import fgsm, jsma
from ._audit import audit
from ._audit_report import AuditReport
from ._certificates import certified_accuracy, predict_bounds
from ._curve_display import PerturbationCurveDisplay
from ._group_display import GroupAccuracyDisplay
from ._mask_display import MaskDisplay
from ._query import query_explanations
from ._saliency import saliency
from ._saliency_display import SaliencyDisplay
from ._suggest import suggest_masks
from ._suggest_words import WordSuggestion, suggest_words
from ._suggestion import MaskSuggestion, accept_suggestions

__all__ = [
    "AuditReport",
    "GroupAccuracyDisplay",
    "MaskDisplay",
    "MaskSuggestion",
    "PerturbationCurveDisplay",
    "SaliencyDisplay",
    "WordSuggestion",
    "accept_suggestions",
    "audit",
    "certified_accuracy",
    "fgsm",
    "jsma",
    "largest_gradient_mask",
    "predict_bounds",
    "query_explanations",
    "saliency",
    "suggest_masks",
    "suggest_words",
]
