"""Rules for functions of single entries."""

import math
from collections.abc import Callable
from numbers import Number
from typing import Any

import torch
from torch import Tensor

from ._dispatch import Rule, call_rule
from ._interval import Interval, hull, of_first, rule
from ._interval_arithmetic import inverse
from ._interval_shapes import increasing

rule(
    *("relu", "relu6", "hardtanh", "selu", "celu", "sigmoid", "tanh", "logsigmoid"),
    *("hardsigmoid", "softsign", "hardshrink", "softshrink", "tanhshrink"),
    *("exp", "exp2", "expm1", "erf", "atan", "sinh", "asinh"),
    *("floor", "ceil", "round", "trunc", "sign"),
)(increasing)


def nearest(x: Interval, point: float) -> Tensor:
    """Return the values in an interval that come nearest to a number."""
    return torch.minimum(x.lower.clamp(min=point), x.upper)


def valley(
    function: Callable[..., Any], x: Interval, bottom: float, *args: Any, **kwargs: Any
) -> Interval:
    """Bound a function exactly that decreases up to some point and increases from there."""
    at_ends = (function(end, *args, **kwargs) for end in (x.lower, x.upper))
    lowest = function(nearest(x, bottom), *args, **kwargs)
    return Interval.from_bounds(lowest, torch.maximum(*at_ends))


def _valley_rule(bottom: float) -> Rule:
    return of_first(lambda function, x: valley(function, x, bottom))


# Where each is smallest.
rule("abs", "square")(_valley_rule(0.0))
rule("silu")(_valley_rule(-1.2784645427610738))
rule("mish")(_valley_rule(-1.1924312145154952))
rule("hardswish")(_valley_rule(-1.5))


@rule("gelu")
@of_first
def gelu(function: Callable[..., Any], x: Interval, approximate: str = "none") -> Interval:
    """Bound both forms of GELU exactly."""
    bottom = -0.7524614220710163 if approximate == "tanh" else -0.7517915246935645
    return valley(function, x, bottom, approximate=approximate)


def _bent(function: Callable[..., Any], x: Interval, slope: float, *args: Any) -> Interval:
    """Bound a function exactly that increases above 0, and below by the sign of a slope."""
    if slope < 0:
        return valley(function, x, 0.0, *args)
    return increasing(function, (x, *args), {})


@rule("leaky_relu")
@of_first
def leaky_relu(function: Callable[..., Any], x: Interval, negative_slope: float = 0.01) -> Interval:
    """Bound leaky ReLU."""
    return _bent(function, x, negative_slope, negative_slope)


@rule("elu")
@of_first
def elu(function: Callable[..., Any], x: Interval, alpha: float = 1.0) -> Interval:
    """Bound ELU."""
    return _bent(function, x, alpha, alpha)


@rule("rrelu")
@of_first
def rrelu(
    function: Callable[..., Any],
    x: Interval,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
) -> Interval:
    """Bound the leaky ReLU that it is in evaluation mode."""
    if training:
        raise Interval.no_rule(function, " in training mode")
    return _bent(function, x, lower + upper, lower, upper)


@rule("prelu")
@of_first
def prelu(function: Callable[..., Any], x: Interval, weight: Tensor) -> Interval:
    """Bound leaky ReLU with slopes that are learned, of either sign."""
    return hull(*(function(point, weight) for point in (x.lower, x.upper, nearest(x, 0.0))))


@rule("softplus")
@of_first
def softplus(
    function: Callable[..., Any], x: Interval, beta: float = 1.0, threshold: float = 20.0
) -> Interval:
    """Bound softplus; where it becomes the identity, it falls by exp(-threshold) / beta."""
    if threshold < 20:
        raise Interval.no_rule(function, " with a threshold below 20")
    return increasing(function, (x, beta, threshold), {})


@rule("threshold")
@of_first
def threshold(
    function: Callable[..., Any], x: Interval, threshold: float, value: float
) -> Interval:
    """Bound it where it increases."""
    if value > threshold:
        raise Interval.no_rule(function, " with a value above the threshold")
    return increasing(function, (x, threshold, value), {})


@rule("glu")
@of_first
def glu(function: Callable[..., Any], x: Interval, dim: int = -1) -> Interval:
    """Bound one half times the sigmoid of the other."""
    half, gate = x.chunk(2, dim)
    return half * gate.sigmoid()


@rule("log", "log2", "log10", "log1p")
@of_first
def logarithm(function: Callable[..., Any], x: Interval) -> Interval:
    """Bound a logarithm of what is positive."""
    if not torch.isfinite(function(x.lower)).all():
        raise Interval.no_rule(function, " of an interval that is not positive")
    return increasing(function, (x,), {})


def _root(t: Tensor, exponent: float) -> Tensor:
    """Compute t ** exponent, 0 with derivative 0 where t is not positive."""
    positive = t > 0
    return torch.where(positive, torch.where(positive, t, 1.0) ** exponent, 0.0)


def power(function: Callable[..., Any], x: Interval, exponent: Any) -> Interval:
    """Bound a power with a number as exponent, exactly; a root of the positive part of the box."""
    is_number = isinstance(exponent, Number)
    if not is_number:
        raise Interval.no_rule(function, " with an exponent that is not a number")
    if exponent < 0:
        return inverse(function, power(function, x, -exponent))
    if exponent % 1:
        return Interval.from_bounds(_root(x.lower, exponent), _root(x.upper, exponent))
    if exponent % 2:
        return increasing(torch.pow, (x, exponent), {})
    return valley(torch.pow, x, 0.0, exponent)


rule("pow")(of_first(power))
rule("sqrt")(of_first(lambda function, x: power(function, x, 0.5)))
rule("rsqrt")(of_first(lambda function, x: power(function, x, -0.5)))


@rule("rpow")
@of_first
def exponential(function: Callable[..., Any], x: Interval, base: Any) -> Interval:
    """Bound ``base ** x`` for a positive number."""
    is_number = isinstance(base, Number)
    if not is_number or base <= 0:
        raise Interval.no_rule(function, " with a base that is not a positive number")
    return (x * math.log(base)).exp()


def cosine(x: Interval) -> Interval:
    """Bound a cosine: 1 and -1 are reached where a multiple of pi is in the interval."""
    lower, upper = x.lower, x.upper
    bounds = hull(lower.cos(), upper.cos())

    def reaches(phase: float) -> Tensor:
        turn = 2 * math.pi
        return ((lower - phase) / turn).ceil() <= ((upper - phase) / turn).floor()

    return Interval.from_bounds(
        bounds.lower.masked_fill(reaches(math.pi), -1.0),
        bounds.upper.masked_fill(reaches(0.0), 1.0),
    )


Interval.rules.maps[1].update(
    cos=call_rule(cosine), sin=call_rule(lambda x: cosine(x - math.pi / 2))
)
