"""Metrics that a model with a shortcut does not pass.

Accuracy by group
-----------------
group_accuracies
    Accuracy of every group of rows.
mean_group_accuracy
    Unweighted mean over the groups.
worst_group_accuracy
    Minimum over the groups.
"""

from ._groups import group_accuracies, mean_group_accuracy, worst_group_accuracy

__all__ = ["group_accuracies", "mean_group_accuracy", "worst_group_accuracy"]
