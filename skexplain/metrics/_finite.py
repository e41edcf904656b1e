"""Statistics of inputs that may have missing and infinite values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..masks._statistics import InputStatistics, measure_inputs
from ._inputs import ArrayInputs


def measure_finite(
    inputs: ArrayInputs,
    taking_part: NDArray[Any] | None = None,
    sample_weight: NDArray[Any] | None = None,
) -> InputStatistics:
    """Measure each column or channel over its finite values; zero and one where there are none.

    Parameters
    ----------
    inputs : ArrayInputs
        From :func:`read_inputs`.
    taking_part : ndarray of bool of shape (n_samples,) or None, default=None
        Samples to measure; None: all.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        A sample of weight two counts as two samples; None: all count once.

    Returns
    -------
    InputStatistics
    """
    rows = None if taking_part is None else np.flatnonzero(taking_part)
    with np.errstate(invalid="ignore", over="ignore"):
        statistics = measure_inputs(inputs, rows, sample_weight)
    parts = (statistics.mean, statistics.sd, statistics.lower, statistics.upper)
    if all(np.isfinite(part).all() for part in parts):
        return statistics
    rows = np.arange(len(inputs)) if rows is None else rows
    weight = np.ones(len(inputs)) if sample_weight is None else sample_weight
    weight = weight.reshape(-1, *(1,) * (inputs.ndim - 1))
    axes = (0,) if inputs.ndim == 2 else (0, *range(2 if inputs.ndim > 3 else 1, inputs.ndim))
    count: Any = 0
    total = squares = 0.0
    lower, upper = np.array(np.inf), np.array(-np.inf)
    for part in inputs.chunks(rows):
        x = inputs[part]
        finite = np.isfinite(x)
        count = count + (finite * weight[part]).sum(axes, keepdims=True)
        total = total + (np.where(finite, x, 0) * weight[part]).sum(axes, keepdims=True)
        lower = np.minimum(lower, np.where(finite, x, np.inf).min(axes, keepdims=True))
        upper = np.maximum(upper, np.where(finite, x, -np.inf).max(axes, keepdims=True))
    mean = total / np.where(count > 0, count, 1)
    for part in inputs.chunks(rows):
        x = inputs[part]
        centred = np.where(np.isfinite(x), x - mean, 0)
        squares = squares + (centred**2 * weight[part]).sum(axes, keepdims=True)
    sd = np.sqrt(squares / np.where(count > 0, count, 1))
    varies = upper > lower
    sd = np.where(varies, sd, sd[varies].mean() if varies.any() else 1.0)
    lower, upper = (np.where(count > 0, limit, 0.0) for limit in (lower, upper))
    return InputStatistics(mean, sd, lower, upper)
