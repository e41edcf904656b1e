"""Where a saliency map lies: on the reasons, or on what must not matter."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_numbers, check_option
from .._typing import MaskLike
from ..masks import Masks, interpret_mask
from ..masks._labels import labels_beside
from ..masks._meaning import Marks


def wrong_reason_share(
    saliency: ArrayLike, mask: MaskLike, *, mask_marks: Marks = "irrelevant"
) -> float:
    """Share of the irrelevant features that a saliency map lights up.

    The wrong-reason metric of Friedrich et al. [1]_: the positive part of each sample's saliency is
    scaled to between 0 and 1; what lies above the mean over all samples is active; and the share of
    active features among the irrelevant ones is averaged over samples.  Samples without positive
    saliency are dropped.

    Parameters
    ----------
    saliency : array-like of shape (n_samples, ...)
        Saliency of each feature for the prediction, of the shape of X, or of a single channel.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide beside `saliency`.
        Degrees are weights.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mark of 1 says.

    Returns
    -------
    float
        In [0, 1]; smaller is better.  (The paper gives percentages.)  It is nan where no sample
        counts: those do that have something irrelevant, and whose positive saliency is not the same
        everywhere.

    Raises
    ------
    ValueError
        If saliency is not finite, or the mask does not fit it or marks nothing.

    See Also
    --------
    irrelevant_saliency_mass : No threshold, and both signs.

    Notes
    -----
    The threshold is the mean over all samples that have saliency, whether they have a mask or not.

    References
    ----------
    .. [1] F. Friedrich, W. Stammer, P. Schramowski, K. Kersting. "A typology for exploring
       the mitigation of shortcut behaviour". Nature Machine Intelligence 5 (2023).
       https://arxiv.org/abs/2203.03668

    Examples
    --------
    >>> from skexplain.metrics import wrong_reason_share
    >>> saliency = [[0, 2, 4], [3, -5, 0]]  # scaled [0, .5, 1] and [1, 0, 0]; mean 0.42
    >>> wrong_reason_share(saliency, [[1, 1, 0], [0, 1, 1]])
    0.25
    """
    saliency, masks = _check(saliency, mask, mask_marks)
    positive = np.maximum(saliency, 0)
    axes = tuple(range(1, saliency.ndim))
    low, high = positive.min(axes, keepdims=True), positive.max(axes, keepdims=True)
    has_saliency = (high > low).reshape(-1)
    scaled = (positive - low)[has_saliency] / (high - low)[has_saliency]
    active = np.zeros(saliency.shape)
    active[has_saliency] = scaled > scaled.mean() if len(scaled) else 0
    return _mean_over_rows(active, masks, has_saliency, of="mask")


def irrelevant_saliency_mass(
    saliency: ArrayLike, mask: MaskLike, *, mask_marks: Marks = "irrelevant"
) -> float:
    """Share of the absolute saliency that lies on irrelevant features, mean over samples.

    Parameters
    ----------
    saliency : array-like of shape (n_samples, ...)
        Saliency of each feature for the prediction, of the shape of X, or of a single channel.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide beside `saliency`.
        Degrees are weights.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mark of 1 says.

    Returns
    -------
    float
        In [0, 1]; smaller is better.  It is nan where no sample counts: those do that have
        something irrelevant, and whose saliency is not all zero.

    Raises
    ------
    ValueError
        If saliency is not finite, or the mask does not fit it or marks nothing.

    See Also
    --------
    wrong_reason_share : Share of the irrelevant features, rather than of the saliency.

    Notes
    -----
    Compare it with the share of features that are irrelevant: saliency spread evenly has that.

    Examples
    --------
    >>> from skexplain.metrics import irrelevant_saliency_mass
    >>> irrelevant_saliency_mass([[1, -3], [2, 2]], [[0, 1], [0, 1]])  # 3/4 and 1/2
    0.625
    """
    saliency, masks = _check(saliency, mask, mask_marks)
    size = np.abs(saliency)
    return _mean_over_rows(size, masks, size.reshape(len(size), -1).any(axis=1), of="values")


def _check(
    saliency: ArrayLike, mask: MaskLike, mask_marks: Marks
) -> tuple[NDArray[np.float64], Masks]:
    labels = labels_beside(saliency)
    saliency = as_numbers("saliency", saliency)
    if saliency.ndim < 2 or not saliency.size:
        raise ValueError(
            f"saliency must have a row per row of X, of at least one feature; got shape "
            f"{saliency.shape}."
        )
    if not np.isfinite(saliency).all():
        raise ValueError("saliency must be finite, got NaN or infinity.")
    check_option("mask_marks", mask_marks, ("irrelevant", "relevant"))
    masks = interpret_mask(mask, saliency.shape, marks=mask_marks, **labels)
    if masks is None or not masks.has_irrelevant.any():
        raise ValueError("mask must mark something irrelevant in at least one row, got nothing.")
    return saliency, masks


def _mean_over_rows(
    values: NDArray[Any],
    masks: Masks,
    has_saliency: Any,
    of: Literal["mask", "values"],
) -> float:
    """Return the mean share of the mask, or of the values, that irrelevant features have."""
    rows = np.flatnonzero(masks.has_irrelevant & has_saliency)
    if not len(rows):
        return float("nan")
    degrees, _ = masks.degrees_of(rows)
    a = degrees.expand(values[rows].shape).flatten(1).numpy()
    values = values[rows].reshape(len(rows), -1)
    whole = a if of == "mask" else values
    return float(np.mean((a * values).sum(axis=1) / whole.sum(axis=1)))
