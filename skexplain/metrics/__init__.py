"""Metrics that a model with a shortcut does not pass.

Accuracy by group
-----------------
group_accuracies
    Accuracy of every group of samples.
mean_group_accuracy
    Unweighted mean over the groups.
worst_group_accuracy
    Minimum over the groups.
group_r2_scores
    Coefficient of determination of every group, for a regressor.

What a model of any library leans on
-----------------------------------------
accuracy_after_swap
    Accuracy when each sample has the irrelevant features of another.
accuracy_under_noise
    Accuracy with noise on the irrelevant features, or on the core ones.
nuisance_flip_rate
    Share of predictions that change with the irrelevant features.
nuisance_shift
    How far a regressor's predictions move with the irrelevant features.
relative_core_sensitivity
    How much more core features matter than irrelevant ones, from two accuracies.
prediction_agreement
    Share of samples on which models agree.

Where saliency lies
-------------------
irrelevant_saliency_mass
    Share of the saliency that lies on irrelevant features.
wrong_reason_share
    Share of the irrelevant features that saliency lights up.
"""

from ._agreement import prediction_agreement
from ._attributions import irrelevant_saliency_mass, wrong_reason_share
from ._groups import group_accuracies, mean_group_accuracy, worst_group_accuracy
from ._regression import group_r2_scores, nuisance_shift
from ._reliance import (
    accuracy_after_swap,
    accuracy_under_noise,
    nuisance_flip_rate,
    relative_core_sensitivity,
)

__all__ = [
    "accuracy_after_swap",
    "accuracy_under_noise",
    "group_accuracies",
    "group_r2_scores",
    "irrelevant_saliency_mass",
    "mean_group_accuracy",
    "nuisance_flip_rate",
    "nuisance_shift",
    "prediction_agreement",
    "relative_core_sensitivity",
    "worst_group_accuracy",
    "wrong_reason_share",
]
