"""Missing values among objects and in columns of pandas, before scikit-learn reads them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics._groups import is_missing_object

# A list of these is left to scikit-learn, unless each holds one value.
_SEVERAL = (list, tuple, np.ndarray)


def check_none_missing(name: str, values: Any) -> None:
    """Check that no object is missing; scikit-learn does not say where, or does not see it.

    Parameters
    ----------
    name : str
        Of the argument.
    values : array-like or None
        NaN in arrays of numbers is left to scikit-learn.

    Raises
    ------
    ValueError
        If one is None, NaN, NaT or pandas.NA.
    """
    missing = _missing(values)
    if missing is not None and missing.any():
        raise ValueError(
            f"Input {name} contains NaN or other missing values, {missing.sum()} of "
            f"{missing.size}: impute them, or leave these samples out."
        )


def _missing(values: Any) -> NDArray[np.bool_] | None:
    """Return which values are missing; None where scikit-learn finds them."""
    if hasattr(values, "isna"):  # of pandas
        dtypes = getattr(values, "dtypes", None)
        columns = [dtypes] if values.ndim == 1 else list(dtypes)  # type: ignore[arg-type]
        if all(isinstance(dtype, np.dtype) and dtype.kind != "O" for dtype in columns):
            return None
        return np.asarray(values.isna())
    flat: Any = values
    if isinstance(values, np.ndarray) and values.dtype == object:
        flat = values.flat
    elif isinstance(values, list | tuple):
        flat = [each[0] if _is_single(each) else each for each in values]
        if any(isinstance(each, _SEVERAL) for each in flat):
            return None
    else:
        return None
    return np.fromiter(map(is_missing_object, flat), dtype=bool)


def _is_single(each: Any) -> bool:
    return isinstance(each, list | tuple) and len(each) == 1
