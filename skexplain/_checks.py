"""Checks of arguments in all rooms, which name the argument, what is legal and what came."""

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_number(
    name: str, value: Any, *, least: float = 0, positive: bool = False, infinite: bool = False
) -> None:
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
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    legal = (
        is_number
        and (value > 0 if positive else value >= least)
        and (infinite or math.isfinite(value))
    )
    if not legal:
        kind = "positive" if positive else "non-negative" if least == 0 else "finite"
        raise ValueError(f"{name} must be a {kind} number, got {value!r}.")


def check_count(name: str, value: Any, *, low: int = 1, high: int | None = None) -> None:
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


def check_option(name: str, value: object, options: Iterable[str]) -> None:
    """Refuse what is none of the strings that are legal."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {list(options)}, got {value!r}.")


def check_seed(random_state: Any) -> None:
    """Refuse what seeds nothing: all but an int from 0, a RandomState and None."""
    is_seed = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return
    if not is_seed or random_state < 0:
        raise ValueError(
            f"random_state must be an int of at least 0, a numpy.random.RandomState or None, got "
            f"{random_state!r}."
        )
