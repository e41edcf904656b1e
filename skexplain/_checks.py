"""Checks of arguments: errors name the argument, what is legal and what was given."""

import math
import os
import re
import reprlib
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_number(
    name: str, value: Any, *, least: float = 0, positive: bool = False, infinite: bool = False
) -> None:
    """Check that an argument is a number within its range.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        Its value.
    least : {0, -inf}, default=0
        Least legal value.
    positive : bool, default=False
        Whether the value must be greater than zero.
    infinite : bool, default=False
        Whether infinity is legal.

    Raises
    ------
    ValueError
        With the name.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if is_number and isinstance(value, Integral) and abs(int(value)) >= 2**63:
        raise ValueError(f"{name} must be a number that fits into 64 bits, got {value!r}.")
    legal = (
        is_number
        and (value > 0 if positive else value >= least)
        and (infinite or math.isfinite(value))
    )
    if not legal:
        kind = "positive" if positive else "non-negative" if least == 0 else "finite"
        raise ValueError(f"{name} must be a {kind} number, got {value!r}.")


def check_count(name: str, value: Any, *, low: int = 1, high: int | None = None) -> None:
    """Check that an argument is an integer from `low` to `high` (None: no upper end).

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
    """Check that an argument is one of the legal strings."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {list(options)}, got {value!r}.")


def check_flag(name: str, value: Any) -> None:
    """Check that a value is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r}.")


def check_nothing_hidden(name: str, values: Any) -> None:
    """Check that values are no masked array with masked entries.

    numpy and scikit-learn read what lies beneath the mask as if nothing were masked.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : object
        Its value: an array, or a list of arrays.

    Raises
    ------
    ValueError
        With the name.
    """
    parts = values if isinstance(values, list | tuple) else (values,)
    n_masked = sum(np.ma.count_masked(p) for p in parts if isinstance(p, np.ma.MaskedArray))
    if n_masked:
        raise ValueError(
            f"{name} must have no masked entries, got a numpy masked array with {n_masked}: pass "
            f"{name}.filled(value), or leave these samples out."
        )


def check_no_dates(name: str, values: Any) -> None:
    """Check that values are no dates or time spans, nor records, where numbers are expected.

    numpy turns dates to numbers in their unit, which is days here and nanoseconds there, and a
    missing one to a huge negative number.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : object
        Its value; what has no dtype passes.

    Raises
    ------
    ValueError
        With the name.
    """
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind in ("m", "M", "V"):
        what = "records" if kind == "V" else "dates or time spans"
        raise ValueError(f"{name} must hold numbers, got {what} of dtype {values.dtype}.")


def as_array(name: str, values: Any) -> NDArray[Any]:
    """Return values as an array, or raise an error if numpy cannot read them as one.

    Raises
    ------
    ValueError
        With the name.
    """
    check_nothing_hidden(name, values)
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must be an array, or lists of equal lengths; got {reprlib.repr(values)}."
        ) from error
    except (TypeError, RuntimeError) as error:  # tensors that require grad, sparse or bfloat16 ones
        raise ValueError(
            f"{name} must be an array that numpy can read, got {type(values).__name__}: {error}"
        ) from error


def as_numbers(name: str, values: Any) -> NDArray[np.float64]:
    """Return values as an array of float64, or raise an error if they are no numbers.

    Raises
    ------
    ValueError
        With the name.
    """
    array = as_array(name, values)
    if array.dtype.kind not in "buifO":
        raise ValueError(f"{name} must hold numbers; got {reprlib.repr(values)}.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        shown = reprlib.repr(values)
        raise ValueError(f"{name} must hold numbers; got {shown}: {error}.") from error


def check_text(name: str, value: Any) -> None:
    """Check that an argument is text or None."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} must be text or None, got {value!r}.")


def is_iterable(value: Any) -> bool:
    """Whether a value holds others; text does not, nor does an array without axes."""
    if isinstance(value, str | bytes | type) or getattr(value, "ndim", 1) == 0:
        return False
    return hasattr(value, "__iter__")


def check_path(name: str, value: Any) -> Path:
    """Check that an argument is a path, and return it; a number would be an open file of Python's.

    Raises
    ------
    TypeError
        If it is neither text nor path-like.
    ValueError
        If it is empty or has null characters, which no file system allows.
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, text or path-like, got {value!r}.")
    if not os.fspath(value) or "\0" in str(value):
        raise ValueError(f"{name} must be the path of a file or folder, got {value!r}.")
    return Path(value)


def check_seed(random_state: Any) -> None:
    """Check that an argument is an int from 0 to 2**63 - 1, a RandomState or None."""
    is_seed = isinstance(random_state, Integral) and not isinstance(random_state, bool)
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return
    if not is_seed or not 0 <= random_state < 2**63:
        raise ValueError(
            f"random_state must be an int from 0 to 2**63 - 1, a numpy.random.RandomState or None, "
            f"got {random_state!r}."
        )


def memory_bytes(amount: str) -> float:
    """Return the bytes of an amount of memory such as "512MB" or "1.5 GB"; 0 if it is none.

    Parameters
    ----------
    amount : str

    Returns
    -------
    float

    Examples
    --------
    >>> memory_bytes("1.5GB")
    1500000000.0
    """
    parts = re.fullmatch(r"(\d+(?:\.\d+)?) ?([MG])B", amount)
    return float(parts[1]) * {"M": 1e6, "G": 1e9}[parts[2]] if parts else 0.0
