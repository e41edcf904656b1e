"""Random numbers that leave numpy's global state alone."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from .._checks import check_count, check_seed
from .._typing import Seed


def private_random_state(random_state: Seed) -> np.random.RandomState:
    """Return a RandomState that is not numpy's global one."""
    check_seed(random_state)
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def check_size(name: str, value: Any) -> None:
    """Check that a number of samples, or of pixels, is an integer of at least 1.

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below 1, or True.
    """
    check_scalar(value, name, Integral, min_val=1)
    check_count(name, value)  # True is an integer, too
