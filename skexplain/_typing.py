"""Types that several rooms annotate with."""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

# What `mask` may be: one array, or one mask or None per sample.
MaskLike: TypeAlias = ArrayLike | Sequence[ArrayLike | None]
# What `mask` may be beside texts: spans, phrases or expressions for each text, or for all.
SpansLike: TypeAlias = Sequence[Sequence[Any] | None] | re.Pattern[str]
# What seeds a generator, as in scikit-learn.
Seed: TypeAlias = int | np.random.RandomState | None
