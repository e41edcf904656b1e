"""Mend what is there already: any estimator of scikit-learn's kind, any fitted network.

Any estimator, fitted anew on swapped copies
    :class:`SwapAugmentedClassifier`, :class:`SwapAugmentedRegressor`, :func:`swapped_copies`
A network that is fitted already
    :class:`CorrectedClassifier`, :func:`correct`, :class:`CorrectionReport`
"""

from ._copies import swapped_copies
from ._correct import correct
from ._corrected import CorrectedClassifier
from ._report import CorrectionReport
from ._swap_augmented import SwapAugmentedClassifier, SwapAugmentedRegressor

__all__ = [
    "CorrectedClassifier",
    "CorrectionReport",
    "SwapAugmentedClassifier",
    "SwapAugmentedRegressor",
    "correct",
    "swapped_copies",
]
