"""Checks of what comes in, on top of scikit-learn's own."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..masks import Masks
from ..training import check_float32


@dataclass
class FitData:
    """What a fit learns from, checked.

    Attributes
    ----------
    X : ndarray of shape (n, ...)
    y : ndarray of shape (n,)
        Encoded targets.
    masks : Masks or None
    sample_weight : ndarray of shape (n,) or None
        Weights; None: all equal.
    rows : ndarray of int
        Rows of positive weight.
    """

    X: np.ndarray
    y: np.ndarray
    masks: Masks | None
    sample_weight: np.ndarray | None
    rows: np.ndarray


def check_inputs(estimator, X, y="no_validation", reset=True):
    """Validate X (and y) without a copy, whatever the numeric dtype.

    Raises
    ------
    ValueError
        If X is no finite dense array with rows, or, at prediction, of another shape than at fit.
    """
    checked = validate_data(
        estimator, X, y, reset=reset, dtype="numeric", allow_nd=True, ensure_all_finite=True
    )
    array = checked if isinstance(y, str) and y == "no_validation" else checked[0]
    _check_channel_axis(array.shape)
    if not reset and array.shape[1:] != estimator.input_shape_:
        raise ValueError(
            f"X must have rows of shape {estimator.input_shape_} as at fit, got {array.shape[1:]}."
        )
    check_float32(array)
    return checked


def _check_channel_axis(shape):
    if len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) > 4:
        raise ValueError(
            f"X must have its channels on axis 1, got images of shape {shape[1:]}, which looks "
            f"like channels last: use X.transpose(0, 3, 1, 2)."
        )


def check_weights(sample_weight, X):
    """Validate sample weights; return them (None: all equal) and the rows of positive weight.

    Raises
    ------
    ValueError
        If a weight is negative, their number is wrong, or all are zero.
    """
    everything = np.arange(len(X))
    if sample_weight is None:
        return None, everything
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    rows = np.flatnonzero(weight > 0)
    if not len(rows):
        raise ValueError("sample_weight must be positive for some row, got zeros only.")
    # Equal weights cancel; without them the result is the unweighted one to the bit.
    return (None if np.ptp(weight[rows]) == 0 else weight), rows


def resolve_device(device):
    """Return the torch device; "auto" is a CUDA device if there is one.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()
    except Exception as error:  # torch raises many kinds, and AssertionError without CUDA
        raise ValueError(
            f'device must be "auto", "cpu" or an accelerator of this machine, got {device!r}: '
            f"{str(error).splitlines()[0]}"
        ) from error
    return resolved
