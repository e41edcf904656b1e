"""Types that several rooms annotate with."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

# What `mask` may be: one array, or one mask or None per sample.
MaskLike: TypeAlias = ArrayLike | Sequence[ArrayLike | None]
# What seeds a generator, as in scikit-learn.
Seed: TypeAlias = int | np.random.RandomState | None
