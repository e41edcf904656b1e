"""Bounds on what a network computes, and on the logits that decide."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from . import (  # noqa: F401, the rules
    _attention,
    _interval_activations,
    _interval_arithmetic,
    _interval_norms,
    _interval_shapes,
)
from ._interval import Interval
from ._run import run

# Up to so many classes all pairs at once are faster than class by class.
_FEW_CLASSES = 32


def propagate_interval(module: Callable[..., Any], center: Tensor, radius: Tensor) -> Interval:
    """Bound the outputs of a network for all inputs in a box around each sample.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    center : Tensor of shape (n_samples, ...)
        Inputs.
    radius : Tensor, broadcastable to `center`
        How far each entry may move, in units of the input; not negative.

    Returns
    -------
    Interval
        Of the shape of the module's output.

    Raises
    ------
    UnsupportedOperationError
        If the module does something that has no rule; it is named.
    ValueError
        If `radius` does not fit.

    Notes
    -----
    A pass costs about three forward passes.  Bounds hold in exact arithmetic: a result may lie
    outside by its rounding error.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import propagate_interval
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU())
    >>> _ = torch.nn.init.constant_(module[0].weight, 2.0)
    >>> output = propagate_interval(module, torch.ones(1, 2), torch.tensor([[0.0, 0.5]]))
    >>> output.lower, output.upper
    (tensor([[3.]], grad_fn=<ReluBackward0>), tensor([[5.]], grad_fn=<ReluBackward0>))
    """
    try:
        radius = radius.to(center.dtype).expand_as(center)
    except RuntimeError as error:
        raise ValueError(
            f"radius must be broadcastable to center, of shape {tuple(center.shape)}; "
            f"got shape {tuple(radius.shape)}."
        ) from error
    return run(module, Interval(center, radius))


def margins(logits: Interval, y: Tensor) -> Interval:
    """Bound by how much each logit exceeds that of the true class.

    Parameters
    ----------
    logits : Interval of shape (n_samples, classes)
        Bounds on logits.  As they come from a linear layer, the bound is that of the difference of
        two of its outputs, which is tighter than the difference of the bounds.
    y : int64 Tensor of shape (n_samples,)
        True classes.

    Returns
    -------
    Interval of shape (n_samples, classes)
        Bounds on z_k - z_y; 0 for k = y.  No input in the box changes the prediction y if all other
        upper bounds are negative.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval
    >>> from skexplain.propagation._bounds import margins
    >>> logits = Interval(torch.tensor([[3.0, 1.0]]), torch.tensor([[0.5, 0.5]]))
    >>> margins(logits, torch.tensor([0])).upper  # at most -1: class 0 stays
    tensor([[ 0., -1.]])
    """
    column = y.unsqueeze(1)
    center = logits.center - logits.center.gather(1, column)
    if logits.affine is None:
        radius = logits.radius + logits.radius.gather(1, column)
        return Interval(center, radius.scatter(1, column, 0.0))
    x, weight, _ = logits.affine
    return Interval(center, _radius_of_differences(x.radius, weight, y))


def _radius_of_differences(radius: Tensor, weight: Tensor, y: Tensor) -> Tensor:
    """Sum |W_k - W_y| r over the features."""
    if len(weight) <= _FEW_CLASSES:
        differences = (weight.unsqueeze(1) - weight).abs()
        sums = radius @ differences.flatten(0, 1).T
        every_pair = sums.view(-1, *differences.shape[:2])
        return every_pair[torch.arange(len(y), device=y.device), y]
    # One product of matrices per true class.
    order = y.argsort()
    classes, counts = y.unique(return_counts=True)
    blocks = [
        rows @ (weight - weight[k]).abs().T
        for k, rows in zip(classes, radius[order].split(counts.tolist()), strict=True)
    ]
    return torch.cat(blocks)[order.argsort()]


def worst_case_logits(
    logits: Interval, y: Tensor, bound: Literal["margin", "logits"] = "margin"
) -> Tensor:
    """Compute logits as bad for the true class as the bounds allow.

    Parameters
    ----------
    logits : Interval of shape (n_samples, classes)
        Bounds on logits.
    y : int64 Tensor of shape (n_samples,)
        True classes.
    bound : {"margin", "logits"}, default="margin"
        "logits": the lower bound of the true class and the upper bounds of the rest.  "margin": the
        upper bounds of z_k - z_y (see `margins`), never looser.

    Returns
    -------
    Tensor of shape (n_samples, classes)
        The cross entropy at them is at least that at every input in the box.

    Raises
    ------
    ValueError
        If `bound` is something else.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval
    >>> from skexplain.propagation._bounds import worst_case_logits
    >>> logits = Interval(torch.tensor([[3.0, 1.0]]), torch.tensor([[0.5, 0.5]]))
    >>> worst_case_logits(logits, torch.tensor([0]), bound="logits")
    tensor([[2.5000, 1.5000]])
    """
    if bound == "margin":
        return margins(logits, y).upper
    if bound != "logits":
        raise ValueError(f"bound must be 'margin' or 'logits'; got {bound!r}.")
    column = y.unsqueeze(1)
    return logits.upper.scatter(1, column, logits.lower.gather(1, column))
