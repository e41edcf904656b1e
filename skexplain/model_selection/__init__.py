"""Choosing models when held-out rows carry the shortcut, too.

Splitters
---------
SubsampleSplit
    Small training sets of a given class ratio, beside a balanced test set.

Tests
-----
mask_permutation_test
    Does it matter which row has which mask?
"""

from ._permutation import mask_permutation_test
from ._split import SubsampleSplit

__all__ = ["mask_permutation_test", "SubsampleSplit"]
