"""Rules for what adds and multiplies: linear layers, convolutions, arithmetic."""

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._dispatch import Rule, call_rule
from ._interval import Interval, hull, of_first, rule


def center_of(value: Any) -> Any:
    """Return the middle of a box, or a constant as it is."""
    return value.center if isinstance(value, Interval) else value


def magnitude(value: Any) -> Any:
    """Return |value| of a tensor, a mask or a number."""
    is_mask = isinstance(value, torch.Tensor) and value.dtype is torch.bool
    return value if is_mask else abs(value)


@rule("linear")
@of_first
def linear(
    function: Callable[..., Any], x: Interval, weight: Tensor, bias: Tensor | None = None
) -> Interval:
    """Bound a linear layer exactly, and remember it for margins."""
    center = function(x.center, weight, bias)
    result = Interval(center, function(x.radius, weight.abs()))
    # An operation in place would change x, not its parts.
    result.affine = Interval(*x.parts), weight, bias
    return result


@rule(*(f"conv{transposed}{d}d" for transposed in ("", "_transpose") for d in (1, 2, 3)))
@of_first
def convolution(
    function: Callable[..., Any],
    x: Interval,
    weight: Tensor,
    bias: Tensor | None = None,
    *args: Any,
    **kwargs: Any,
) -> Interval:
    """Bound a convolution exactly."""
    center = function(x.center, weight, bias, *args, **kwargs)
    return Interval(center, function(x.radius, weight.abs(), None, *args, **kwargs))


def _sum(a: Any, b: Any, combine: Callable[[Any, Any], Any]) -> Interval:
    center = combine(center_of(a), center_of(b))
    radii = [value.radius for value in (a, b) if isinstance(value, Interval)]
    return Interval(center, sum(radii[1:], radii[0]).to(center.dtype).expand_as(center))


def add(input: Any, other: Any, *, alpha: float = 1) -> Interval:
    """Bound input + alpha * other."""
    return _sum(input, other if alpha == 1 else other * alpha, operator.add)


def subtract(input: Any, other: Any, *, alpha: float = 1) -> Interval:
    """Bound input - alpha * other."""
    return _sum(input, other if alpha == 1 else other * alpha, operator.sub)


def multiply(input: Any, other: Any) -> Interval:
    """Bound a product exactly: the extremes of that of two intervals are at corners."""
    if input is other:
        return input.square()
    if isinstance(input, Interval) and isinstance(other, Interval):
        corners = [a * b for a in (input.lower, input.upper) for b in (other.lower, other.upper)]
        return hull(*corners)
    x, factor = (input, other) if isinstance(input, Interval) else (other, input)
    return Interval(x.center * factor, x.radius * magnitude(factor))


def inverse(function: Callable[..., Any], x: Interval) -> Interval:
    """Bound 1 / x exactly, where 0 is not in the interval."""
    if ((x.lower <= 0) & (x.upper >= 0)).any():
        raise Interval.no_rule(function, " by an interval that contains 0")
    return Interval.from_bounds(1 / x.upper, 1 / x.lower)


def divide(input: Any, other: Any, *, rounding_mode: str | None = None) -> Interval:
    """Bound a quotient exactly."""
    if rounding_mode is not None:
        raise Interval.no_rule(torch.div, " with a rounding mode")
    if isinstance(other, Interval):
        return input * inverse(torch.div, other)
    return Interval(input.center / other, input.radius / magnitude(other))


def _swapped(rule: Callable[..., Any]) -> Rule:
    return call_rule(lambda input, other, **kwargs: rule(other, input, **kwargs))


def add_product(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Interval:
    """Bound beta * input + alpha * (mat1 @ mat2)."""
    return beta * input + alpha * (mat1 @ mat2)


Interval.rules.maps[1].update(
    {
        "add": call_rule(add),
        "sub": call_rule(subtract),
        "rsub": _swapped(subtract),
        "mul": call_rule(multiply),
        "div": call_rule(divide),
        "rdiv": _swapped(divide),
        "reciprocal": lambda function, args, kwargs: inverse(function, *args),
        "neg": call_rule(lambda x: Interval(-x.center, x.radius)),
        "addmm": call_rule(add_product),
        "baddbmm": call_rule(add_product),
    }
)


def _bilinear(function: Callable[..., Any], a: Any, b: Any) -> Interval:
    """Bound what is linear in each of two arguments, exactly where one is a constant."""
    center = function(center_of(a), center_of(b))
    if not isinstance(b, Interval):
        return Interval(center, function(a.radius, magnitude(b)))
    radius = function(magnitude(center_of(a)), b.radius)
    if isinstance(a, Interval):
        radius = radius + function(a.radius, b.center.abs() + b.radius)
    return Interval(center, radius)


@rule("matmul", "bmm", "mm", "mv", "dot", "inner", "outer")
def product(function: Callable[..., Any], args: Any, kwargs: Any) -> Interval:
    """Bound a product of matrices."""
    return _bilinear(function, *args, *kwargs.values())


@rule("rmatmul")
def reversed_product(function: Callable[..., Any], args: Any, kwargs: Any) -> Interval:
    """Bound ``other @ x``."""
    return _bilinear(torch.matmul, *reversed(args))


@rule("einsum")
def einsum(function: Callable[..., Any], args: Any, kwargs: Any) -> Interval:
    """Bound a sum of products of at most two factors."""
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    if len(operands) == 1:
        return Interval(*(function(equation, part) for part in operands[0].parts))
    if len(operands) != 2:
        raise Interval.no_rule(function, " of more than two factors")
    return _bilinear(lambda a, b: function(equation, a, b), *operands)
