"""Label losses: one value per row."""

import torch
from torch import nn
from torch.nn import functional

from ..penalties._base import full_precision


class CrossEntropyLoss(nn.Module):
    """Cross entropy of logits of shape (rows, classes), one value per row."""

    def forward(self, logits, y):
        """Compute the loss, shape (rows,)."""
        return functional.cross_entropy(full_precision(logits), y, reduction="none")


class FocalLoss(nn.Module):
    """Focal loss ``(1 - p_y)^gamma * cross entropy``, one value per row.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly rows that are already right are played down; 0 is the cross entropy.

    References
    ----------
    T.-Y. Lin et al. (2017). Focal Loss for Dense Object Detection. ICCV, equation 4.
    """

    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, y):
        """Compute the loss, shape (rows,)."""
        loss = functional.cross_entropy(full_precision(logits), y, reduction="none")
        # 1 - p_y = 1 - exp(-loss), without cancellation for rows that are nearly right; kept off
        # zero, where a power below one has no gradient.
        missing = (-(-loss).expm1()).clamp(min=1e-12)
        return missing**self.gamma * loss


class SquaredError(nn.Module):
    """Squared error of predictions of shape (rows, 1), one value per row."""

    def forward(self, outputs, y):
        """Compute the loss, shape (rows,)."""
        return (full_precision(outputs)[:, 0] - y).square()


def weighted_mean(values, weight):
    """Mean of values of shape (rows,) under weights, or the plain mean for None."""
    if weight is None:
        return values.mean()
    # Rows whose class weighs nothing may fill a batch: its mean is then zero, not 0 / 0.
    return (values * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
