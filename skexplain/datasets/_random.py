"""Random numbers that leave numpy's global state alone."""

import numpy as np
from sklearn.utils import check_random_state

from .._checks import check_seed
from .._typing import Seed


def private_random_state(random_state: Seed) -> np.random.RandomState:
    """Return a RandomState that is not numpy's global one."""
    check_seed(random_state)
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
