"""Units and range of the inputs, measured once, in chunks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Chunks that fit into the cache are several times faster than large ones.
_CHUNK_VALUES = 1 << 16


@dataclass(frozen=True)
class InputStatistics:
    """Moments and range of each column (2-D X) or channel (axis 1 of X with four or more axes).

    A 3-D X is one channel.  All arrays are float64 and broadcast to X.

    Attributes
    ----------
    mean, sd, lower, upper : ndarray
        Where a column never changes, `sd` is the mean of the others (1 if there are none), so that
        no unit is zero and all scale with X.
    """

    mean: np.ndarray
    sd: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def measure_inputs(
    X: Any, rows: NDArray[Any] | None = None, sample_weight: NDArray[Any] | None = None
) -> InputStatistics:
    """Measure the columns or channels of X without a copy of the whole.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Numeric data of any dtype.
    rows : ndarray of int or None, default=None
        Indices of the samples to measure; None: all.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        A sample of weight two counts as two samples; None: all count once.

    Returns
    -------
    InputStatistics
    """
    every = list(range(X.ndim))
    axes = (0, 1, 2) if X.ndim == 3 else (0, *range(2, X.ndim))
    kept = [axis for axis in every if axis not in axes]
    count, spread = 0.0, 0.0
    mean: Any = None
    lower, upper = np.array(np.inf), np.array(-np.inf)
    for part in _chunks(X, len(X) if rows is None else len(rows)):
        taken = part if rows is None else rows[part]
        chunk = np.asarray(X[taken])
        if mean is None:
            mean = chunk.mean(axes, np.float64, keepdims=True)
            room = np.empty(chunk.shape)  # of the largest chunk, used again by all others
        centred = np.subtract(chunk, mean, out=room[: len(chunk)])
        weighted, size = centred, chunk.size / mean.size
        if sample_weight is not None:
            weight = sample_weight[taken]
            weighted = centred * weight.reshape(-1, *(1,) * (X.ndim - 1))
            size *= weight.mean(dtype=np.float64)
        # Chan's pairwise update, for squares about the mean so far: stable, and independent of
        # where the chunks are cut.
        shift = weighted.sum(axes, keepdims=True) / size
        squares = np.einsum(centred, every, weighted, every, kept).reshape(mean.shape)
        spread = spread + squares - shift**2 * (size**2 / (count + size))
        mean = mean + shift * (size / (count + size))
        count += size
        lower = np.minimum(lower, chunk.min(axes, keepdims=True))
        upper = np.maximum(upper, chunk.max(axes, keepdims=True))
    sd = np.sqrt(np.maximum(spread, 0) / count)
    varies = upper > lower
    sd = np.where(varies, sd, sd[varies].mean() if varies.any() else 1.0)
    return InputStatistics(mean, sd, lower, upper)


def check_float32(X: NDArray[Any], name: str = "X") -> None:
    """Check that values fit into float32, in which networks compute.

    Raises
    ------
    ValueError
        If a value of X is beyond the range of float32.
    """
    if X.dtype.kind != "f" or X.dtype.itemsize <= 4:
        return
    limit = np.finfo(np.float32).max
    for part in _chunks(X, len(X)):
        chunk = X[part]
        largest = max(abs(chunk.max()), abs(chunk.min()))
        if largest > limit:
            raise ValueError(
                f"{name} must hold values that fit into float32 (at most {limit:.3g} in size), "
                f"got {largest:.3g}."
            )


def _chunks(X: Any, n_rows: int) -> list[slice]:
    """Slices of samples that hold few enough values of X."""
    step = max(1, _CHUNK_VALUES // max(1, X[:1].size))
    return [slice(start, start + step) for start in range(0, n_rows, step)]
