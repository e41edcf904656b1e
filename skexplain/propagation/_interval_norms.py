"""Rules for what couples the entries of a sample: softmax and normalisation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ._interval import Interval, of_first, rule


def _log_sum_of_others(z: Tensor, dim: int) -> Tensor:
    """Compute log sum_{j != i} exp(z_j) for each i, without cancellation.

    It is the logarithm of the whole sum but for the share of entry i.  The largest entry alone can
    have more than half of it: the sum of its others is computed without it.
    """
    low = torch.finfo(z.dtype).min / 4  # -inf has no gradient
    z = z.clamp(min=low)
    largest, place = z.max(dim, keepdim=True)
    rest = z.scatter(dim, place, low).logsumexp(dim, keepdim=True)
    whole = torch.logaddexp(rest, largest)
    # Where numbers are so large that they do not change by log 2, rounding makes shares larger.
    shares = (z - whole).exp().clamp(max=0.9)
    return (whole + torch.log1p(-shares)).scatter(dim, place, rest)


def _log_odds(x: Interval, dim: int | None, dtype: torch.dtype | None) -> tuple[Tensor, Tensor]:
    """Bound z_i - log sum_{j != i} exp(z_j) exactly: an entry at one end, the rest at the other."""
    if dim is None:  # as torch guesses
        dim = 0 if x.ndim in (0, 1, 3) else 1
    x = x if dtype is None else x.to(dtype)
    lower = x.lower - _log_sum_of_others(x.upper, dim)
    return lower, x.upper - _log_sum_of_others(x.lower, dim)


@rule("softmax")
@of_first
def softmax(
    function: Callable[..., Any],
    x: Interval,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Interval:
    """Bound the softmax exactly."""
    return Interval.from_bounds(*(odds.sigmoid() for odds in _log_odds(x, dim, dtype)))


@rule("log_softmax")
@of_first
def log_softmax(
    function: Callable[..., Any],
    x: Interval,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: torch.dtype | None = None,
) -> Interval:
    """Bound the logarithm of the softmax exactly."""
    odds = _log_odds(x, dim, dtype)
    return Interval.from_bounds(*map(functional.logsigmoid, odds))


@rule("batch_norm")
@of_first
def batch_norm(
    function: Callable[..., Any],
    x: Interval,
    running_mean: Any,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    *args: Any,
    **kwargs: Any,
) -> Interval:
    """Bound batch norm on its running statistics, where it is affine."""
    if training or running_var is None or function is not functional.batch_norm:
        raise Interval.no_rule(function, " on the statistics of a batch, which couples its rows")
    center = function(x.center, running_mean, running_var, weight, bias, False, *args, **kwargs)
    scale = None if weight is None else weight.abs()
    none = torch.zeros_like(running_mean)
    radius = function(x.radius, none, running_var, scale, None, False, *args, **kwargs)
    return Interval(center, radius)


def _standardise(x: Any, eps: float, centered: bool = True) -> Any:
    """Bound (x - mean) / sqrt(var + eps) over the last axis; without the mean if not `centered`.

    Each result is d_i / sqrt(d_i^2 / n + rest_i), where the deviations d from the mean are linear
    in x.  It increases in d_i and comes closer to 0 as the mean of the others' squares grows.  As
    deviations add up to 0, none is over sqrt(n - 1).
    """
    n = x.shape[-1]
    if centered:
        center = x.center - x.center.mean(-1, keepdim=True)
        radius = x.radius * (1 - 2 / n) + x.radius.mean(-1, keepdim=True)
        x = Interval(center, radius.clamp(min=0))
    size, lower, upper = x.center.abs(), x.lower, x.upper
    fewest, most = (
        (squares.sum(-1, keepdim=True) - squares).clamp(min=0) / n + eps
        for squares in ((size - x.radius).clamp(min=0).square(), (size + x.radius).square())
    )

    def bound(d: Tensor, rest: Tensor) -> Tensor:
        return d / (d.square() / n + rest).sqrt()

    lower = bound(lower, torch.where(lower < 0, fewest, most))
    upper = bound(upper, torch.where(upper < 0, most, fewest))
    if centered:
        limit = (n - 1) ** 0.5
        lower, upper = lower.clamp(-limit, limit), upper.clamp(-limit, limit)
    return Interval.from_bounds(lower, upper)


def _scale(x: Any, weight: Tensor | None, bias: Tensor | None) -> Interval:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


@rule("layer_norm")
@of_first
def layer_norm(
    function: Callable[..., Any],
    x: Any,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Interval:
    """Bound layer norm."""
    x = _standardise(x.flatten(-len(normalized_shape)), eps).unflatten(-1, tuple(normalized_shape))
    return _scale(x, weight, bias)


@rule("rms_norm")
@of_first
def rms_norm(
    function: Callable[..., Any],
    x: Any,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Interval:
    """Bound root-mean-square norm."""
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    x = _standardise(x.flatten(-len(normalized_shape)), eps, centered=False).unflatten(
        -1, tuple(normalized_shape)
    )
    return _scale(x, weight, None)


def _per_channel(parameter: Tensor | None, x: Interval) -> Tensor | None:
    return None if parameter is None else parameter.view(-1, *[1] * (x.ndim - 2))


@rule("group_norm")
@of_first
def group_norm(
    function: Callable[..., Any],
    x: Any,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Interval:
    """Bound group norm."""
    grouped = x.reshape(len(x), num_groups, -1)
    result = _standardise(grouped, eps).reshape(x.shape)
    return _scale(result, _per_channel(weight, x), _per_channel(bias, x))


@rule("instance_norm")
@of_first
def instance_norm(
    function: Callable[..., Any],
    x: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Bound instance norm, by group norm or, on running statistics, by batch norm."""
    if function is not functional.instance_norm:
        raise Interval.no_rule(function, " called past torch.nn.functional")
    if use_input_stats:
        return functional.group_norm(x, x.shape[1], weight, bias, eps)
    return functional.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)
