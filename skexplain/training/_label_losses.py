"""Label losses: one value per sample."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from ..penalties._base import full_precision


class CrossEntropyLoss(nn.Module):
    """Cross entropy of logits of shape (n_samples, n_classes), one value per sample.

    Parameters
    ----------
    smoothing : float, default=0.0
        Share of a label that is spread over all classes (Szegedy et al. 2016).
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    @property
    def worst_at_worst_logits(self) -> bool:
        """Whether it is largest where the logit of the label is least and the others greatest."""
        return self.smoothing == 0

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute the loss, shape (n_samples,)."""
        return functional.cross_entropy(
            full_precision(logits), y, reduction="none", label_smoothing=self.smoothing
        )


class FocalLoss(nn.Module):
    """Focal loss ``(1 - p_y)^gamma * cross entropy``, one value per sample.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly samples that are already right are played down; 0 is the cross entropy.

    References
    ----------
    T.-Y. Lin et al. (2017). Focal Loss for Dense Object Detection. ICCV, equation 4.
    """

    worst_at_worst_logits = True

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute the loss, shape (n_samples,)."""
        loss = functional.cross_entropy(full_precision(logits), y, reduction="none")
        # 1 - p_y = 1 - exp(-loss), without cancellation for samples that are nearly right; kept off
        # zero, where a power below one has no gradient.
        missing = (-(-loss).expm1()).clamp(min=1e-12)
        return missing**self.gamma * loss


class ErrorLoss(nn.Module):
    """A loss of the error of predictions of shape (n_samples, 1), one value per sample.

    Parameters
    ----------
    of_error : callable
        From the errors, prediction minus target, to losses; convex.
    """

    worst_at_worst_logits = True

    def __init__(self, of_error: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.of_error = of_error

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute the loss, shape (n_samples,)."""
        return self.of_error(full_precision(outputs)[:, 0] - y)


def regression_loss(name: str, quantile: float = 0.5, huber_delta: float = 1.0) -> ErrorLoss:
    """Return a loss of regression by its name.

    Parameters
    ----------
    name : {"squared_error", "absolute_error", "huber", "quantile"}
    quantile : float, default=0.5
        Which quantile of the targets ``"quantile"`` predicts, between 0 and 1.
    huber_delta : float, default=1.0
        Error from which ``"huber"`` grows linearly instead of quadratically.

    Returns
    -------
    ErrorLoss
    """
    if name == "huber":
        return ErrorLoss(partial(_huber, delta=huber_delta))
    if name == "quantile":
        return ErrorLoss(partial(_pinball, quantile=quantile))
    return ErrorLoss({"squared_error": torch.square, "absolute_error": torch.abs}[name])


def _huber(error: torch.Tensor, delta: float) -> torch.Tensor:
    return functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=delta)


def _pinball(error: torch.Tensor, quantile: float) -> torch.Tensor:
    return torch.maximum((1 - quantile) * error, -quantile * error)


class OwnLoss(nn.Module):
    """A loss of the user's, whose values are checked.

    Parameters
    ----------
    function : callable
        ``function(outputs, y)`` gives one value per sample.
    """

    worst_at_worst_logits = False  # nothing is known of it

    def __init__(self, function: Callable) -> None:
        super().__init__()
        if isinstance(function, type):
            raise TypeError(
                f"label_loss must be called with outputs and y, but {function.__name__} is a "
                f"class: pass an instance, of torch's losses with reduction='none'."
            )
        self.function = function

    def forward(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute the loss, shape (n_samples,).

        Raises
        ------
        TypeError
            If the function does not return one value per sample that depends on the outputs.
        """
        losses = self.function(full_precision(outputs), y)
        if not isinstance(losses, torch.Tensor) or losses.shape != y.shape:
            got = tuple(losses.shape) if isinstance(losses, torch.Tensor) else type(losses).__name__
            raise TypeError(
                f"label_loss must return one value per sample, a tensor of shape "
                f"{tuple(y.shape)}; got {got}. It is given outputs of shape "
                f"{tuple(outputs.shape)}. torch's losses do with reduction='none'."
            )
        if outputs.requires_grad and torch.is_grad_enabled() and not losses.requires_grad:
            raise TypeError(
                "label_loss returned values that do not depend on the network: compute them from "
                "the outputs, with operations of torch."
            )
        return losses


def weighted_mean(values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    """Mean of values of shape (n_samples,) under weights, or the plain mean for None."""
    if weight is None:
        return values.mean()
    # Samples whose class weighs nothing may fill a batch: its mean is then zero, not 0 / 0.
    return (values * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
