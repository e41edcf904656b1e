"""Checks of arguments in all rooms, which name the argument, what is legal and what came."""

import math
from numbers import Integral, Real

import numpy as np


def check_number(name, value, *, least=0, positive=False, infinite=False):
    """Refuse what is no number, or one out of range.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        What it was set to.
    least : {0, -inf}, default=0
        Least legal value.
    positive : bool, default=False
        Whether zero is refused, too.
    infinite : bool, default=False
        Whether infinity is legal.

    Raises
    ------
    ValueError
        With the name.
    """
    legal = (
        isinstance(value, Real)
        and not isinstance(value, bool | np.bool_)
        and (value > 0 if positive else value >= least)
        and (infinite or math.isfinite(value))
    )
    if not legal:
        kind = "positive" if positive else "non-negative" if least == 0 else "finite"
        raise ValueError(f"{name} must be a {kind} number, got {value!r}.")


def check_count(name, value, *, low=1, high=None):
    """Refuse what is no whole number from `low` to `high` (None: no upper end).

    Raises
    ------
    ValueError
        With the name.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if is_whole and value >= low and (high is None or value <= high):
        return
    expected = f"an integer of at least {low}" if high is None else f"an integer, {low} to {high}"
    if (low, high) == (1, None):
        expected = "a positive integer"
    raise ValueError(f"{name} must be {expected}, got {value!r}.")


def check_option(name, value, options):
    """Refuse what is none of the strings that are legal."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {list(options)}, got {value!r}.")


def check_seed(random_state):
    """Refuse what seeds nothing: all but an int from 0, a RandomState and None."""
    is_seed = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return
    if not is_seed or random_state < 0:
        raise ValueError(
            f"random_state must be an int of at least 0, a numpy.random.RandomState or None, got "
            f"{random_state!r}."
        )
