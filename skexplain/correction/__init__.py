"""Mend what is there already: any estimator of scikit-learn's kind, any fitted network.

Any estimator, fitted anew on swapped copies
    :class:`SwapAugmentedClassifier`, :class:`SwapAugmentedRegressor`, :func:`swapped_copies`
"""

from ._copies import swapped_copies
from ._swap_augmented import SwapAugmentedClassifier, SwapAugmentedRegressor

__all__ = ["SwapAugmentedClassifier", "SwapAugmentedRegressor", "swapped_copies"]
