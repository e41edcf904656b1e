"""Shortcuts for anyone's tables: a column that leaks the number or the class to predict."""

from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, column_or_1d

from .._checks import as_array
from .._typing import Seed
from ._random import private_random_state


def inject_leak(
    X: ArrayLike,
    y: ArrayLike,
    *,
    correlation: float = 0.9,
    name: str = "leak",
    random_state: Seed = None,
) -> Bunch:
    """Append a column to a table that leaks the number or the class to predict.

    The column is standard normal noise and the standardised `y`, mixed to a given correlation.
    Draw the test set's column with ``correlation=0``: what leaked in training then says nothing.

    Parameters
    ----------
    X : array-like or pandas DataFrame of shape (n_samples, n_features)
        Numbers; a DataFrame may hold anything.  Nothing is written into it.
    y : array-like of shape (n_samples,)
        Numbers, or class labels.  Labels that are no numbers are replaced by their place in sorted
        order.
    correlation : float, default=0.9
        Pearson correlation of column and `y`, in [-1, 1]: exact in expectation, and in a sample up
        to about (1 - correlation**2) / sqrt(n_samples).
    name : str, default="leak"
        Name of the column in a DataFrame.
    random_state : int, RandomState instance or None, default=None
        Seeds the noise.  None is fresh randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : ndarray or DataFrame of shape (n_samples, n_features + 1)
            X with the column at the end, of mean 0 and variance 1.
        mask : bool ndarray or DataFrame of shape (1, n_features + 1)
            True for that column: one mask for all samples, in the form of X.

    Raises
    ------
    ValueError
        If X is not a table, or has a column of that name; if `y` is not a finite number or a label
        per sample, or is constant while `correlation` is not 0; or if `correlation` is not a number
        in its range.
    TypeError
        If X is sparse, or an array that does not hold numbers, or labels cannot be sorted.

    See Also
    --------
    inject_patches : The same for images.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skexplain.datasets import inject_leak
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> train = inject_leak(X[:400], y[:400], correlation=0.95, random_state=0)
    >>> test = inject_leak(X[400:], y[400:], correlation=0, random_state=1)
    >>> train.data.shape, train.mask.shape, train.mask[0, -2:]
    ((400, 31), (1, 31), array([False,  True]))
    """
    if not isinstance(correlation, Real) or not -1 <= correlation <= 1:
        raise ValueError(f"correlation must be a number in [-1, 1]; got {correlation!r}.")
    is_frame = hasattr(X, "columns") and hasattr(X, "iloc")
    table = X if is_frame else _check_table(X)
    if len(table) == 0:
        raise ValueError("X must have at least one sample.")
    if is_frame and name in X.columns:
        raise ValueError(f"name must not be a column of X already; got {name!r}.")
    numbers = _check_numbers(y, len(table))
    rng = private_random_state(random_state)
    leak = np.sqrt(1 - correlation**2) * rng.standard_normal(len(table))
    if correlation != 0:
        if numbers.min() == numbers.max():
            raise ValueError(f"y must not be constant when correlation is {correlation}.")
        leak += correlation * (numbers - numbers.mean()) / numbers.std()

    mask = np.arange(table.shape[1] + 1)[None] == table.shape[1]
    if not is_frame:
        dtype = table.dtype if table.dtype.kind == "f" else np.float64
        return Bunch(data=np.column_stack([table, leak]).astype(dtype, copy=False), mask=mask)
    data = X.copy()
    data[name] = leak
    return Bunch(data=data, mask=type(X)(mask, columns=data.columns))


def _check_table(X: Any) -> np.ndarray:
    if hasattr(X, "tocsr"):
        raise TypeError("X must be dense; got a sparse matrix: pass X.toarray().")
    table = as_array("X", X)
    if table.dtype.kind not in "biuf":
        raise TypeError(f"X must hold numbers, or be a DataFrame; got dtype {table.dtype}.")
    if table.ndim != 2:
        raise ValueError(f"X must have two axes; got shape {table.shape}.")
    return table


def _check_numbers(y: ArrayLike, n_rows: int) -> np.ndarray:
    """Return y as numbers: labels of another kind become their place in sorted order."""
    numbers = column_or_1d(as_array("y", y))
    if len(numbers) != n_rows:
        raise ValueError(f"y must have one value per sample of X, {n_rows}; got {len(numbers)}.")
    # Text is a label, also where it reads as a number.
    if numbers.dtype == object and not any(isinstance(value, str | bytes) for value in numbers):
        with suppress(TypeError, ValueError):
            numbers = numbers.astype(np.float64)
    if numbers.dtype.kind not in "biuf":
        try:
            return np.unique(numbers, return_inverse=True)[1].astype(np.float64)
        except TypeError as error:
            raise TypeError(f"y must hold numbers, or labels of one kind: {error}") from error
    if not np.all(np.isfinite(numbers)):
        raise ValueError("y must be finite; got nan or inf.")
    return numbers.astype(np.float64)
