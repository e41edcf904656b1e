"""Where around a sample an input-gradient penalty is largest, and a bound on it there."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..propagation import Interval
from ..propagation._gradient_bounds import bound_input_gradient
from ._base import Point, Rows
from ._box import irrelevant_box

Robust = Literal["random", "adversarial", "certified"]
ROBUST = get_args(Robust)

# From inputs to the point there, and the penalty of each sample as a function of its inputs.
Value = Callable[[Tensor], tuple[Point, Tensor]]


def worst_of_draws(
    value: Value, rows: Rows, epsilon: float, n_draws: int, generator: torch.Generator | None
) -> Tensor:
    """Return of each sample and its random perturbations the one with the largest penalty.

    Parameters
    ----------
    value : callable
        The point at given inputs, and the penalty of each sample there.
    rows : Rows
    epsilon : float
        Radius of the box in input units, for irrelevance 1.
    n_draws : int
        Number of perturbations, uniform in the box.
    generator : torch.Generator or None
        Of the draws.

    Returns
    -------
    Tensor of the shape of ``rows.x``
    """
    best = _Best(rows.x, value(rows.x)[1])
    for _ in range(n_draws):
        x = _draw(rows, epsilon, generator)
        best.offer(x, value(x)[1])
    return best.x


def climb(
    value: Value, rows: Rows, epsilon: float, n_steps: int, generator: torch.Generator | None
) -> Tensor:
    """Return of each sample, and the points that an ascent visits, that with the largest penalty.

    Projected gradient ascent on the penalty starts at a random point of the box.

    Parameters
    ----------
    value, rows, epsilon, generator
        See `worst_of_draws`.
    n_steps : int
        Number of steps, of 2.5 / `n_steps` of the radius.

    Returns
    -------
    Tensor of the shape of ``rows.x``
    """
    low, high = irrelevant_box(rows, epsilon, clip=None)
    step = 2.5 / n_steps * (high - low) / 2
    best = _Best(rows.x, value(rows.x)[1])
    x = _draw(rows, epsilon, generator)
    for left in reversed(range(n_steps + 1)):
        point, values = value(x)
        best.offer(x, values)
        if left:
            (slope,) = torch.autograd.grad(
                values.sum(), point.x, allow_unused=True, materialize_grads=True
            )
            x = (x + step * slope.sign()).clamp(low, high)
    return best.x


class _Best:
    """Keeps of each sample the point with the largest value."""

    def __init__(self, x: Tensor, values: Tensor) -> None:
        self.x = x
        self.values = values.detach()

    def offer(self, x: Tensor, values: Tensor) -> None:
        """Replace the points whose value is lower than that of the new ones."""
        values = values.detach()
        better = values > self.values
        self.x = torch.where(better.view(-1, *(1,) * (x.ndim - 1)), x, self.x)
        self.values = torch.where(better, values, self.values)


def _draw(rows: Rows, epsilon: float, generator: torch.Generator | None) -> Tensor:
    """Draw a point of each sample's box."""
    low, high = irrelevant_box(rows, epsilon, clip=None)
    noise = torch.rand(low.shape, generator=generator, device=low.device, dtype=low.dtype)
    return (low + noise * (high - low)).clamp(low, high)


def gradient_bounds(module: Any, rows: Rows, epsilon: float, output: str) -> Interval:
    """Bound the gradient of the score of a penalty over the box of each sample.

    Parameters
    ----------
    module : nn.Module
    rows : Rows
    epsilon : float
        Radius of the box in input units, for irrelevance 1.
    output : {"log_prob_sum", "log_prob_true", "logit_sum", "logit_true"}
        The score.

    Returns
    -------
    Interval
        Of the shape of ``rows.x``.
    """
    low, high = irrelevant_box(rows, epsilon, clip=None)

    def output_gradient(logits: Interval) -> Interval:
        n_classes = logits.shape[1]
        ones = torch.ones_like(logits.center)
        if output == "logit_sum":
            return Interval(ones, 0 * ones)
        if output == "log_prob_sum":
            return 1 - n_classes * logits.softmax(1)
        true = torch.zeros_like(ones).scatter(1, rows.y[:, None], 1.0)
        if output == "logit_true":
            return Interval(true - 1 / n_classes, 0 * ones)
        return true - logits.softmax(1)

    return bound_input_gradient(module, (low + high) / 2, (high - low) / 2, output_gradient)


#: Scores whose gradient at the logits has bounds.
BOUNDED_OUTPUTS = ("log_prob_sum", "log_prob_true", "logit_sum", "logit_true")
