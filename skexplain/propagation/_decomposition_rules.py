"""The rules of contextual decomposition, operation by operation."""

from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.nn import functional

from ._decomposition import Decomposition, share
from ._decomposition_choices import CHOICES
from ._dispatch import call_rule, canonical_name, part_by_part


def register_decomposition_rule(
    operation: str | Callable[..., Any], rule: Callable[..., Decomposition]
) -> None:
    """Register a rule of contextual decomposition for an operation.

    Parameters
    ----------
    operation : str or callable
        Name as in the error about it, or the function or method itself.
    rule : callable
        Takes the arguments of the operation, of which some are a `Decomposition`, and returns a
        `Decomposition` whose `part` and `rest` should add up to what the operation gives.

    See Also
    --------
    decompose : Runs a network by the rules.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Decomposition, register_decomposition_rule
    >>> def sinc(value):
    ...     part = torch.sinc(value.part) - 1  # sinc(0) = 1 is a constant
    ...     return Decomposition(part, torch.sinc(value.total) - 1 - part) + 1
    >>> register_decomposition_rule(torch.sinc, sinc)
    >>> x = torch.randn(3)
    >>> torch.allclose(torch.sinc(Decomposition(x, 2 * x)).total, torch.sinc(3 * x), atol=1e-6)
    True
    """
    if not callable(rule):
        raise TypeError(f"rule must be callable, got {type(rule).__name__}.")
    name = operation if isinstance(operation, str) else canonical_name(operation)
    Decomposition.rules[name] = call_rule(rule)


# -- sums ----------------------------------------------------------------------------------------


def _add(input: Any, other: Any, *, alpha: float = 1) -> Decomposition:
    if alpha != 1:
        other = other * alpha
    if _is(input) and _is(other):
        return Decomposition(input.part + other.part, input.rest + other.rest)
    return share(input, other) if _is(input) else share(other, input)


def _sub(input: Any, other: Any, *, alpha: float = 1) -> Decomposition:
    return _add(input, other, alpha=-alpha)


def _rsub(input: Any, other: Any, *, alpha: float = 1) -> Decomposition:
    return _add(other, input, alpha=-alpha)


def _is(value: object) -> TypeGuard[Decomposition]:
    return isinstance(value, Decomposition)


# -- linear layers -------------------------------------------------------------------------------


def _each(function: Callable[..., Any], value: Decomposition) -> Decomposition:
    return Decomposition(function(value.part), function(value.rest))


def _multilinear(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Apply a product, of which one factor is a decomposition and the others are constants."""
    if sum(map(_is, [*args, *kwargs.values()])) != 1:
        raise Decomposition.no_rule(function, " of more than one decomposition")
    parts = [
        function(*Decomposition._part(args, k), **Decomposition._part(kwargs, k)) for k in (0, 1)
    ]
    return Decomposition(*parts)


def _div(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    if not _is(args[0]) or kwargs.get("rounding_mode") is not None:
        raise Decomposition.no_rule(function, " by a decomposition, or with rounding")
    return _multilinear(function, args, kwargs)


def _affine(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Apply a linear layer or a convolution."""

    def layer(
        input: Any, weight: Tensor, bias: Tensor | None = None, *others: Any, **named: Any
    ) -> Decomposition:
        if not _is(input) or Decomposition.holds_one((weight, bias)):
            raise Decomposition.no_rule(function, " with weights that depend on the input")
        value = _each(lambda part: function(part, weight, None, *others, **named), input)
        return value if bias is None else share(value, _per_channel(bias, weight.ndim))

    return layer(*args, **kwargs)


def _per_channel(values: Tensor, n_axes: int) -> Tensor:
    """Reshape values per channel to broadcast over the spatial axes."""
    return values.view(-1, *[1] * (n_axes - 2))


def _dropout(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Drop the same entries of both."""

    def layer(input: Any, p: float = 0.5, training: bool = True) -> Decomposition:
        return input * function(torch.ones_like(input.part), p, True) if training else input

    return layer(*args, **kwargs)


def _alpha_dropout(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    def layer(input: Any, p: float = 0.5, training: bool = False) -> Decomposition:
        if training:
            raise Decomposition.no_rule(function, " in training mode")
        return input

    return layer(*args, **kwargs)


def _pad(
    input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Decomposition:
    padded = _each(lambda part: functional.pad(part, pad, mode), input)
    if not value:
        return padded
    return share(padded, functional.pad(torch.zeros_like(input.part), pad, mode, value))


# -- activations and pooling ---------------------------------------------------------------------


def _activation(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Apply a function of each entry that is 0 at 0."""
    value, *others = args
    if not _is(value) or Decomposition.holds_one((others, kwargs)):
        raise Decomposition.no_rule(function, " with a decomposition in another place")
    part = function(value.part, *others, **kwargs)
    return Decomposition(part, function(value.total, *others, **kwargs) - part)


def _shifted_activation(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Apply a function of each entry; what it is at 0 is a bias."""
    value = _activation(function, args, kwargs)
    at_zero = function(torch.zeros_like(value.part), *args[1:], **kwargs)
    return share(Decomposition(value.part - at_zero, value.rest), at_zero)


def _max_pool(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Select both parts where their sum is largest."""
    name = canonical_name(function)
    value, *others = args
    n_axes = int(name[-2])  # max_pool2d
    pool = getattr(functional, f"{name}_with_indices")
    _, winners = pool(value.total.detach(), *others, **kwargs)
    return _each(
        lambda part: part.flatten(-n_axes).gather(-1, winners.flatten(-n_axes)).view_as(winners),
        value,
    )


# -- normalisation -------------------------------------------------------------------------------


def _standardise(value: Any, axes: int | tuple[int, ...], eps: float) -> Any:
    """Centre both; the scale is the sum's."""
    centred = _each(lambda part: part - part.mean(axes, keepdim=True), value)
    variance = centred.total.square().mean(axes, keepdim=True)
    return centred * (variance + eps).rsqrt()


def _scale_and_shift(value: Any, weight: Tensor | None, bias: Tensor | None) -> Decomposition:
    if weight is not None:
        value = value * weight
    return value if bias is None else value + bias


def _layer_norm(
    input: Any,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Decomposition:
    axes = tuple(range(-len(normalized_shape), 0))
    return _scale_and_shift(_standardise(input, axes, eps), weight, bias)


def _group_norm(
    input: Any,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Decomposition:
    groups = input.reshape(len(input), num_groups, -1)
    value = _standardise(groups, -1, eps).reshape(input.shape)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _instance_norm(
    input: Any,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Decomposition:
    if not use_input_stats:
        return _running_norm(input, running_mean, running_var, weight, bias, eps)
    value = _standardise(input, tuple(range(2, input.ndim)), eps)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _batch_norm(
    input: Any,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Decomposition:
    if not training:
        return _running_norm(input, running_mean, running_var, weight, bias, eps)
    value = _standardise(input, (0, *range(2, input.ndim)), eps)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _running_norm(
    input: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float
) -> Decomposition:
    """Apply one affine map, with one bias."""
    scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
    shift = -mean * scale if bias is None else bias - mean * scale
    return _scale_and_shift(input, *_all_per_channel(input.ndim, scale, shift))


def _all_per_channel(n_axes: int, *values: Tensor | None) -> list[Tensor | None]:
    return [None if value is None else _per_channel(value, n_axes) for value in values]


# -- the rules -----------------------------------------------------------------------------------

_PART_BY_PART = (
    *("view", "reshape", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze", "expand"),
    *("broadcast_to", "repeat", "tile", "repeat_interleave", "permute", "transpose", "t"),
    *("movedim", "flip", "roll", "rot90", "cat", "stack", "hstack", "vstack", "chunk", "split"),
    *("tensor_split", "unbind", "getitem", "select", "narrow", "index_select", "diagonal"),
    *("contiguous", "clone", "detach", "to", "float", "double", "cpu", "neg", "positive"),
    *("sum", "mean", "cumsum", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    *("unfold", "fold", "interpolate"),
    *("avg_pool1d", "avg_pool2d", "avg_pool3d"),
    *("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"),
)
_LINEAR_LAYERS = (
    *("linear", "conv1d", "conv2d", "conv3d"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
)
_PRODUCTS = ("mul", "matmul", "rmatmul", "mm", "bmm", "mv", "einsum")
_ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("hardswish", "tanh", "softsign", "tanhshrink", "softshrink", "hardshrink", "erf"),
    *("sin", "abs", "square"),
)
_SHIFTED_ACTIVATIONS = (
    *("sigmoid", "logsigmoid", "hardsigmoid", "softplus", "hardtanh", "threshold", "clamp"),
    *("exp", "cos"),
)
_DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d")
_MAX_POOLS = (
    *("max_pool1d", "max_pool2d", "max_pool3d"),
    *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
)

Decomposition.rules.update(
    {
        **dict.fromkeys(_PART_BY_PART, part_by_part(Decomposition)),
        **dict.fromkeys(_LINEAR_LAYERS, _affine),
        **dict.fromkeys(_PRODUCTS, _multilinear),
        **dict.fromkeys(_ACTIVATIONS, _activation),
        **dict.fromkeys(_SHIFTED_ACTIVATIONS, _shifted_activation),
        **dict.fromkeys(_DROPOUTS, _dropout),
        **dict.fromkeys(("alpha_dropout", "feature_alpha_dropout"), _alpha_dropout),
        **dict.fromkeys(_MAX_POOLS, _max_pool),
        **CHOICES,
        "div": _div,
        "add": call_rule(_add),
        "sub": call_rule(_sub),
        "rsub": call_rule(_rsub),
        "pad": call_rule(_pad),
        "layer_norm": call_rule(_layer_norm),
        "group_norm": call_rule(_group_norm),
        "instance_norm": call_rule(_instance_norm),
        "batch_norm": call_rule(_batch_norm),
    }
)
