"""Statistics of inputs that may have missing and infinite values."""

from typing import Any

import numpy as np

from ..masks._statistics import InputStatistics, measure_inputs
from ._inputs import ArrayInputs


def measure_finite(inputs: ArrayInputs) -> InputStatistics:
    """Measure each column or channel over its finite values; zero and one where there are none.

    Parameters
    ----------
    inputs : ArrayInputs
        From :func:`read_inputs`.

    Returns
    -------
    InputStatistics
    """
    with np.errstate(invalid="ignore", over="ignore"):
        statistics = measure_inputs(inputs)
    parts = (statistics.mean, statistics.sd, statistics.lower, statistics.upper)
    if all(np.isfinite(part).all() for part in parts):
        return statistics
    rows = np.arange(len(inputs))
    axes = (0,) if inputs.ndim == 2 else (0, *range(2 if inputs.ndim > 3 else 1, inputs.ndim))
    count: Any = 0
    total = squares = 0.0
    lower, upper = np.array(np.inf), np.array(-np.inf)
    for part in inputs.chunks(rows):
        x = inputs[part]
        finite = np.isfinite(x)
        count = count + finite.sum(axes, keepdims=True)
        total = total + np.where(finite, x, 0).sum(axes, keepdims=True)
        lower = np.minimum(lower, np.where(finite, x, np.inf).min(axes, keepdims=True))
        upper = np.maximum(upper, np.where(finite, x, -np.inf).max(axes, keepdims=True))
    mean = total / np.maximum(count, 1)
    for part in inputs.chunks(rows):
        x = inputs[part]
        centred = np.where(np.isfinite(x), x - mean, 0)
        squares = squares + (centred**2).sum(axes, keepdims=True)
    sd = np.sqrt(squares / np.maximum(count, 1))
    varies = upper > lower
    sd = np.where(varies, sd, sd[varies].mean() if varies.any() else 1.0)
    lower, upper = (np.where(count > 0, limit, 0.0) for limit in (lower, upper))
    return InputStatistics(mean, sd, lower, upper)
