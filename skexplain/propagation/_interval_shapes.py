"""Rules for what moves, picks, pads and averages entries."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ._dispatch import part_by_part
from ._interval import Interval, ends, of_first, rule

# What moves entries, or adds them up with weights that are not negative.
_BY_PART = (
    *("reshape", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze"),
    *("permute", "transpose", "movedim", "t", "flip", "roll", "rot90", "adjoint"),
    *("expand", "broadcast_to", "repeat", "tile", "repeat_interleave"),
    *("cat", "stack", "hstack", "vstack", "dstack"),
    *("chunk", "split", "split_with_sizes", "tensor_split", "unbind"),
    *("getitem", "select", "narrow", "index_select", "gather", "take_along_dim", "masked_select"),
    *("diagonal", "tril", "triu", "unfold", "fold"),
    *("pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    *("contiguous", "clone", "detach", "cpu", "cuda"),
    *("sum", "mean", "cumsum"),
    *(f"{kind}avg_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3)),
)
Interval.rules.maps[1].update(dict.fromkeys(_BY_PART, part_by_part(Interval)))

_Values = namedtuple("_Values", ["values", "indices"])


@rule(
    *("max", "min", "amax", "amin", "maximum", "minimum", "fmax", "fmin"),
    *("clamp", "clamp_min", "clamp_max", "logsumexp", "sort"),
    *(f"{kind}max_pool{d}d" for kind in ("", "adaptive_") for d in (1, 2, 3)),
)
def increasing(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Bound what increases in every interval among its arguments, exactly."""
    lower, upper = (function(*ends(args, end), **ends(kwargs, end)) for end in ("lower", "upper"))
    if isinstance(lower, torch.Tensor):
        return Interval.from_bounds(lower, upper)
    # The place of the largest value is not known.
    return _Values(Interval.from_bounds(lower[0], upper[0]), None)


@rule("view")
@of_first
def view(function: Callable[..., Any], x: Interval, *shape: Any) -> Interval:
    """Reshape both parts."""
    center = function(x.center, *shape)
    return Interval(center, x.radius.reshape(center.shape))  # it may lie differently in memory


@rule("expand_as", "view_as", "reshape_as", "type_as", "type", "to", "float", "double", "half")
def convert(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Convert a value to a shape, dtype or device, or to that of another value."""
    x, *rest = args
    rest, kwargs = ends(rest, "center"), ends(kwargs, "center")
    if not isinstance(x, Interval):
        return function(x, *rest, **kwargs)
    center, radius = (function(part, *rest, **kwargs) for part in x.parts)
    if not center.is_floating_point():
        raise Interval.no_rule(function, " to whole numbers")
    return Interval(center, radius)


@rule("pad")
@of_first
def pad(
    function: Callable[..., Any],
    x: Interval,
    widths: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Interval:
    """Pad the middle, and the radius with 0."""
    return Interval(function(x.center, widths, mode, value), function(x.radius, widths, mode))


@rule("interpolate", "upsample")
@of_first
def interpolate(function: Callable[..., Any], x: Interval, *args: Any, **kwargs: Any) -> Interval:
    """Interpolate both parts with weights that are not negative."""
    if "bicubic" in (*args, *kwargs.values()):
        raise Interval.no_rule(function, " of mode 'bicubic', which has negative weights")
    return Interval(*(function(part, *args, **kwargs) for part in x.parts))


@rule("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout")
@of_first
def dropout(function: Callable[..., Any], x: Interval, *args: Any, **kwargs: Any) -> Interval:
    """Drop the same entries from both parts."""
    kept = function(torch.ones_like(x.center), *args, **kwargs)
    return Interval(x.center * kept, x.radius * kept)


@rule("alpha_dropout", "feature_alpha_dropout")
@of_first
def alpha_dropout(
    function: Callable[..., Any], x: Interval, p: float = 0.5, training: bool = False
) -> Interval:
    """Leave the values as they are, which is what it does in evaluation mode."""
    if training:
        raise Interval.no_rule(function, " in training mode")
    return Interval(*x.parts)


@rule("where")
def where(function: Callable[..., Any], args: Any, kwargs: Any) -> Interval:
    """Choose by a condition that is a plain tensor."""
    arrange = _where_method if function is torch.Tensor.where else _where_function
    condition, *choices = arrange(*args, **kwargs)
    if isinstance(condition, Interval):
        raise Interval.no_rule(function, " with an interval as condition")
    (center, radius), (other_center, other_radius) = map(_parts, choices)
    return Interval(
        torch.where(condition, center, other_center), torch.where(condition, radius, other_radius)
    )


def _where_function(condition: Any, input: Any, other: Any) -> tuple[Any, Any, Any]:
    return condition, input, other


def _where_method(input: Any, condition: Any, other: Any) -> tuple[Any, Any, Any]:
    return condition, input, other


def _parts(value: Any) -> tuple[Any, ...]:
    if isinstance(value, Interval):
        return value.parts
    return value, torch.zeros_like(value) if isinstance(value, torch.Tensor) else 0.0


@rule("masked_fill")
@of_first
def masked_fill(function: Callable[..., Any], x: Interval, mask: Tensor, value: float) -> Interval:
    """Put a number where a mask is set."""
    return Interval(function(x.center, mask, value), function(x.radius, mask, 0))
