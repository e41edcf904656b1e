"""Random numbers that leave numpy's global state alone."""

import numpy as np
from sklearn.utils import check_random_state


def private_random_state(random_state):
    """Return a RandomState that is not numpy's global one."""
    if random_state is None:
        return np.random.RandomState()
    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state must be an int, a numpy.random.RandomState or None; got"
            f" {random_state!r}."
        ) from error
