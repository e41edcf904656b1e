"""The box in which the irrelevant features of a sample may move."""

from typing import Literal, TypeAlias

import torch

from ._base import Rows

# The range of the training data, a range of one's own, or none.
Clip: TypeAlias = Literal["data"] | tuple[float, float] | None


def irrelevant_box(rows: Rows, epsilon: float, clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the bounds of each feature under a perturbation of the irrelevant ones.

    Parameters
    ----------
    rows : Rows
        Samples of shape (n_samples, ...).
    epsilon : float
        Radius in input units, for irrelevance 1; it may be infinite where `clip` is finite.
    clip : "data", (float, float) or None
        Range that a moved feature may not leave: that of the training data in each column or
        channel, a pair of numbers, or none.

    Returns
    -------
    low, high : Tensors of the shape of ``rows.x``
        Both equal x, to the bit, where the irrelevance is zero.

    Examples
    --------
    >>> import torch
    >>> from torch.nn.functional import cross_entropy
    >>> from skexplain.penalties import Rows
    >>> from skexplain.penalties._box import irrelevant_box
    >>> rows = Rows(
    ...     x=torch.tensor([[0.5, 0.5]]),
    ...     y=torch.tensor([1]),
    ...     irrelevance=torch.tensor([[0.0, 1.0]]),
    ...     known=None,
    ...     unit=torch.ones(1, 2),
    ...     mean=torch.zeros(1, 2),
    ...     lower=torch.full((1, 2), -1.0),
    ...     upper=torch.ones(1, 2),
    ...     label_loss=lambda logits, y: cross_entropy(logits, y, reduction="none"),
    ... )
    >>> irrelevant_box(rows, epsilon=2.0, clip="data")
    (tensor([[ 0.5000, -1.0000]]), tensor([[0.5000, 1.0000]]))
    """
    x, movable = rows.x, rows.irrelevance > 0
    # Where nothing may move, an infinite epsilon would make a NaN of the zero.
    radius = torch.where(movable, epsilon * rows.irrelevance, 0.0)
    low, high = x - radius * rows.unit, x + radius * rows.unit
    if clip is not None:
        lower, upper = (rows.lower, rows.upper) if isinstance(clip, str) else clip
        # A sample outside the range stays inside its own box.
        low = torch.maximum(low, torch.clamp(x, max=lower))
        high = torch.minimum(high, torch.clamp(x, min=upper))
    return torch.where(movable, low, x), torch.where(movable, high, x)
