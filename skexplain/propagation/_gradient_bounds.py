"""Bounds on the input gradient of a network, over a box of inputs around each sample."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..exceptions import UnsupportedOperationError
from . import _bounds  # noqa: F401, which has all rules
from ._dispatch import Propagated, Rule, canonical_name
from ._interval import Interval
from ._interval_activations import nearest
from ._interval_shapes import _BY_PART
from ._run import run

# Linear in what flows through.  The middle of the result depends on the middle alone, the radius on
# the radius, by the absolute weights: so torch's gradients of the two are the middle and the radius
# of the gradient's interval.
_LINEAR = (
    *(f"conv{transposed}{d}d" for transposed in ("", "_transpose") for d in (1, 2, 3)),
    *("linear", "add", "sub", "rsub", "neg", "mul", "div", "batch_norm"),
    *("view", "pad", "dropout", "expand_as", "view_as", "to", "float", "double"),
    *_BY_PART,
)


class _Box(Propagated):
    """Bounds of values (middle and radius), and tensors whose gradients are bounds of gradients.

    Of the latter only the gradients matter: those of the middle and of the radius of a result are
    the middle and the radius of an interval, and so are those of what it was computed from.
    """

    kind = "bounds of input gradients"
    rules: dict[str, Rule] = {}

    @classmethod
    def no_rule(cls, function: Callable[..., Any], because: str = "") -> UnsupportedOperationError:
        """Make the error about an operation without a rule."""
        name = canonical_name(function)
        return UnsupportedOperationError(
            f"module must be made of operations that {cls.kind} have a rule for: layers that are "
            f"linear, ReLU, leaky ReLU, ELU, softplus, sigmoid, tanh and max-pooling of images; "
            f'got {name!r}{because}. Use robust="random" or "adversarial", which run any network.'
        )

    def half(self, k: int) -> Interval:
        """Return the bounds of values (0), or what carries gradients (1)."""
        return Interval(*self.parts[2 * k : 2 * k + 2])


def bound_input_gradient(
    module: Callable[..., Any],
    center: Tensor,
    radius: Tensor,
    output_gradient: Callable[[Interval], Interval],
) -> Interval:
    """Bound the input gradient of a score of the outputs, for all inputs in a box.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    center : Tensor of shape (n_samples, ...)
        Inputs.
    radius : Tensor of the same shape
        How far each entry may move.
    output_gradient : callable
        From bounds of the outputs to bounds of the gradient of the score at the outputs.

    Returns
    -------
    Interval
        Of the shape of `center`.  It can be differentiated.

    Raises
    ------
    UnsupportedOperationError
        If the module does something that has no rule; it is named.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval
    >>> from skexplain.propagation._gradient_bounds import bound_input_gradient
    >>> def twice(x):
    ...     return 2 * torch.relu(x)
    >>> def of_sum(outputs):
    ...     return Interval(torch.ones(1, 3), torch.zeros(1, 3))
    >>> x = torch.tensor([[-1.0, 0.0, 1.0]])
    >>> box = bound_input_gradient(twice, x, torch.full((1, 3), 0.5), of_sum)
    >>> box.lower.tolist(), box.upper.tolist()  # the slope is 0 below 0, and 2 above
    ([[0.0, 0.0, 2.0]], [[0.0, 2.0, 2.0]])
    """
    carriers = [part.detach().clone().requires_grad_() for part in (center, radius)]
    with torch.enable_grad():
        outputs = run(module, _Box(center.detach(), radius.detach(), *carriers))
        gradient = output_gradient(outputs.half(0))
        if not outputs.parts[2].requires_grad:
            return Interval(torch.zeros_like(center), torch.zeros_like(center))
        bounds = torch.autograd.grad(
            outputs.half(1).parts,
            carriers,
            [part.expand_as(outputs.parts[0]) for part in gradient.parts],
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    return Interval(*bounds)


class _Multiply(torch.autograd.Function):
    """Backwards: an interval of gradients times an interval of slopes.  Forwards: nothing."""

    @staticmethod
    def forward(ctx: Any, center: Tensor, radius: Tensor, low: Tensor, high: Tensor) -> Any:
        ctx.save_for_backward(low, high)
        return center.clone(), radius.clone()

    @staticmethod
    def backward(ctx: Any, center: Tensor, radius: Tensor) -> Any:
        corners = [
            slope * (center + side * radius) for slope in ctx.saved_tensors for side in (-1, 1)
        ]
        lower, upper = (
            extreme(extreme(*corners[:2]), extreme(*corners[2:]))
            for extreme in (torch.minimum, torch.maximum)
        )
        return (upper + lower) / 2, (upper - lower) / 2, None, None


def _half(arguments: Any, k: int) -> Any:
    """Replace the boxes in (nested) arguments by one half of them."""
    if isinstance(arguments, _Box):
        return arguments.half(k)
    if isinstance(arguments, dict):
        return {key: _half(value, k) for key, value in arguments.items()}
    if type(arguments) in (list, tuple):
        return type(arguments)(_half(value, k) for value in arguments)
    return arguments


def _linear_rule(name: str) -> Rule:
    rule = Interval.rules.maps[1][name]

    def apply(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if name in ("mul", "div") and all(isinstance(factor, _Box) for factor in args):
            raise _Box.no_rule(function, " of two values that depend on the input")
        if name == "div" and isinstance(args[1], _Box):
            raise _Box.no_rule(function, " by a value that depends on the input")
        bounds, carrier = (rule(function, _half(args, k), _half(kwargs, k)) for k in (0, 1))
        if isinstance(bounds, Interval):
            return _Box(*bounds.parts, *carrier.parts)
        return tuple(_Box(*b.parts, *c.parts) for b, c in zip(bounds, carrier, strict=True))

    return apply


def _slope_rule(name: str, slopes: Callable[..., tuple[Tensor, Tensor]]) -> Rule:
    """Make the rule of a function of single entries whose slope has bounds in an interval."""
    rule = Interval.rules.maps[1][name]

    def apply(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        x, *rest = args
        bounds = x.half(0)
        low, high = slopes(bounds, *rest, **kwargs)
        carriers = _Multiply.apply(*x.half(1).parts, low, high)
        return _Box(*rule(function, (bounds, *rest), kwargs).parts, *carriers)

    return apply


def _leaky(x: Interval, negative_slope: float = 0.01) -> tuple[Tensor, Tensor]:
    ends = [torch.where(end > 0, 1.0, negative_slope).to(end.dtype) for end in (x.lower, x.upper)]
    return torch.minimum(*ends), torch.maximum(*ends)


def _elu(x: Interval, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    # Clamped, as a gradient is NaN where what is not chosen is infinite.
    ends = [torch.where(end > 0, 1.0, alpha * end.clamp(max=0).exp()) for end in (x.lower, x.upper)]
    # It jumps at 0.
    at_zero = torch.where((x.lower <= 0) & (x.upper >= 0), torch.full_like(x.lower, alpha), ends[0])
    return torch.minimum(*ends), torch.maximum(torch.maximum(*ends), at_zero)


def _softplus(x: Interval, beta: float = 1.0, threshold: float = 20.0) -> tuple[Tensor, Tensor]:
    low, high = (torch.sigmoid(beta * end) for end in (x.lower, x.upper))
    # It becomes the identity above the threshold.
    return low, torch.where(beta * x.upper > threshold, torch.ones_like(high), high)


def _peak(slope: Callable[[Tensor], Tensor]) -> Callable[[Interval], tuple[Tensor, Tensor]]:
    """Bound a slope that is largest at 0."""
    return lambda x: (torch.minimum(slope(x.lower), slope(x.upper)), slope(nearest(x, 0.0)))


def _max_pool2d(
    function: Callable[..., Any],
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> _Box:
    """Bound max-pooling: the sum of a window's entries, each times 1 where it is the largest."""
    plain = padding in (0, (0, 0)) and dilation in (1, (1, 1))
    if not plain or ceil_mode or return_indices or x.ndim != 4:
        raise _Box.no_rule(function, " with padding, dilation, ceil_mode, indices or three axes")
    sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
    rule = Interval.rules.maps[1]["max_pool2d"]
    bounds = rule(functional.max_pool2d, (x.half(0), sides, stride), {})
    windows = [
        functional.unfold(part, sides, stride=stride or sides)
        .unflatten(1, (x.shape[1], -1))
        .unflatten(3, bounds.shape[2:])
        for part in x.parts
    ]
    low, high = _largest_of(Interval(*windows[:2]))
    carriers = _Multiply.apply(*windows[2:], low, high)
    return _Box(*bounds.parts, *(part.sum(2) for part in carriers))


def _largest_of(windows: Interval) -> tuple[Tensor, Tensor]:
    """Return whether each entry must be the largest of its window, and whether it may."""
    may = windows.upper >= windows.lower.amax(2, keepdim=True)
    if windows.shape[2] == 1:
        return may.to(windows.dtype), may.to(windows.dtype)
    first, second = windows.upper.topk(2, dim=2).values.split(1, 2)
    must = windows.lower > torch.where(windows.upper == first, second, first)
    return must.to(windows.dtype), may.to(windows.dtype)


_Box.rules.update({name: _linear_rule(name) for name in _LINEAR})
_SLOPES = {
    "relu": lambda x: _leaky(x, 0.0),
    "leaky_relu": _leaky,
    "elu": _elu,
    "softplus": _softplus,
    "sigmoid": _peak(lambda t: t.sigmoid() * (1 - t.sigmoid())),
    "tanh": _peak(lambda t: 1 - t.tanh().square()),
}
_Box.rules.update({name: _slope_rule(name, slopes) for name, slopes in _SLOPES.items()})
_Box.rules["max_pool2d"] = lambda function, args, kwargs: _max_pool2d(function, *args, **kwargs)
