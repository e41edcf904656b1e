"""Choosing models when held-out samples carry the shortcut, too.

Splitters
---------
SubsampleSplit
    Small training sets of a given class ratio, beside a balanced test set.

Scorers for searches and cross-validation
-----------------------------------------
make_mask_scorer
    Make a scorer from a metric that takes masks.
mean_group_scorer
    Unweighted mean of the groups' accuracies.
swap_accuracy_scorer
    Accuracy when each sample has the irrelevant features of another.
worst_group_scorer
    Accuracy of the worst group.
worst_of_clean_and_swapped_scorer
    The lower of the accuracies of samples as they are, and after the swap.

Several seeds
-------------
fit_seeds
    Fit an estimator with several seeds at once.

Tests
-----
mask_permutation_test
    Does it matter which sample has which mask?
"""

from ._permutation import mask_permutation_test
from ._scorers import (
    make_mask_scorer,
    mean_group_scorer,
    swap_accuracy_scorer,
    worst_group_scorer,
    worst_of_clean_and_swapped_scorer,
)
from ._seeds import fit_seeds
from ._split import SubsampleSplit

__all__ = [
    "SubsampleSplit",
    "fit_seeds",
    "make_mask_scorer",
    "mask_permutation_test",
    "mean_group_scorer",
    "swap_accuracy_scorer",
    "worst_group_scorer",
    "worst_of_clean_and_swapped_scorer",
]
