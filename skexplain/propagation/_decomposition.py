"""Contextual decomposition: what a part of the input and the rest contribute to each output."""

import torch
from torch.nn import functional

from ._dispatch import Propagated, call_rule, canonical_name, part_by_part, run


class Decomposition(Propagated):
    """A tensor as the sum of what a part of the input contributes, and the rest.

    It flows through a network in the place of an input tensor.

    Parameters
    ----------
    part, rest : Tensor
        The contributions, of one shape.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Decomposition
    >>> value = Decomposition(torch.tensor([1.0, -2.0]), torch.tensor([3.0, 1.0]))
    >>> value.relu().part, value.relu().rest
    (tensor([1., 0.]), tensor([3., 0.]))
    """

    kind = "decompositions"
    register = "register_decomposition_rule"
    rules: dict = {}

    def __init__(self, part, rest):
        super().__init__(part, rest)

    def __repr__(self):
        return f"Decomposition(part={self.part}, rest={self.rest})"

    @property
    def part(self):
        """Contribution of the part of the input in question."""
        return self.parts[0]

    @property
    def rest(self):
        """Contribution of the rest."""
        return self.parts[1]

    @property
    def middle(self):
        """The tensor that it stands for."""
        return self.total

    @property
    def total(self):
        """Sum of both: the value that the network computes."""
        return self.part + self.rest

    @classmethod
    def lift(cls, tensor, like):
        """Split a constant in halves, as a bias where nothing contributes."""
        nothing = torch.zeros_like(tensor, dtype=like.dtype)
        return _share(cls(nothing, nothing), tensor)


def decompose(module, part, rest):
    r"""Decompose what a network computes from the sum of two inputs into a contribution of each.

    Contextual decomposition [1]_ with the rules of [2]_ and [3]_: what is linear acts on both
    alike; a bias b is shared in the proportion of their magnitudes,

    .. math:: \beta + b \, \frac{|\beta|}{|\beta| + |\gamma|}, \quad
        \gamma + b \, \frac{|\gamma|}{|\beta| + |\gamma|},

    and in halves where both are 0; an activation gives :math:`s(\beta)` and
    :math:`s(\beta + \gamma) - s(\beta)`, where s(0) is a bias; max-pooling routes the entry that
    wins in the sum; what normalises takes its scale from the sum.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    part, rest : Tensor of the shape of the input
        Part of the input in question and the rest, such as ``a * x`` and ``(1 - a) * x``.

    Returns
    -------
    Decomposition
        Contributions to the output; they add up to ``module(part + rest)``, up to rounding.

    Raises
    ------
    UnsupportedOperationError
        If the network does something that has no rule, such as softmax or a product of two
        activations; the error names it.

    See Also
    --------
    register_decomposition_rule : Teaches another operation.

    Notes
    -----
    The published share has :math:`|\beta| + |\gamma| + 10^{-19}` below, so that a bias vanishes
    where both are 0, as on a black background, and the contributions no longer add up.  Here half
    of what rounding would lose beside the bias is added to either, which bounds the gradient, too.

    References
    ----------
    .. [1] W. J. Murdoch, P. J. Liu, B. Yu (2018). Beyond Word Importance: Contextual Decomposition
       to Extract Interactions from LSTMs. ICLR.
    .. [2] C. Singh, W. J. Murdoch, B. Yu (2019). Hierarchical Interpretations for Neural Network
       Predictions. ICLR.
    .. [3] L. Rieger, C. Singh, W. J. Murdoch, B. Yu (2020). Interpretations are Useful: Penalizing
       Explanations to Align Neural Networks with Prior Knowledge. ICML.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import decompose
    >>> net = torch.nn.Linear(2, 1)
    >>> with torch.no_grad():
    ...     _ = net.weight.copy_(torch.tensor([[1.0, 3.0]])), net.bias.fill_(8.0)
    >>> logits = decompose(net, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    >>> with torch.no_grad():  # 1 + 8 / 4 and 3 + 8 * 3 / 4
    ...     logits.part.round(decimals=4), logits.rest.round(decimals=4)
    (tensor([[3.]]), tensor([[9.]]))
    """
    return run(module, Decomposition(part, rest))


def register_decomposition_rule(operation, rule):
    """Teach contextual decomposition an operation, or another rule for a known one.

    Parameters
    ----------
    operation : str or callable
        Name as in the error that refused it, or the function or method itself.
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


# -- constants -----------------------------------------------------------------------------------


def _share(value, bias):
    """Add a constant, shared in the proportion of the magnitudes, in halves where both are 0."""
    part, rest = value.parts
    bias = torch.as_tensor(bias, dtype=part.dtype, device=part.device)
    # Less than this is lost beside the bias.  Where the bias is 0, `tiny` keeps 0 / 0 away.
    limits = torch.finfo(part.dtype)
    lost = limits.eps * bias.detach().abs() + limits.tiny
    magnitude = part.abs()
    to_part = bias * ((magnitude + lost / 2) / (magnitude + rest.abs() + lost))
    return Decomposition(part + to_part, rest + (bias - to_part))


def _add(input, other, *, alpha=1):
    if alpha != 1:
        other = other * alpha
    if _is(input) and _is(other):
        return Decomposition(input.part + other.part, input.rest + other.rest)
    return _share(input, other) if _is(input) else _share(other, input)


def _sub(input, other, *, alpha=1):
    return _add(input, other, alpha=-alpha)


def _rsub(input, other, *, alpha=1):
    return _add(other, input, alpha=-alpha)


def _is(value):
    return isinstance(value, Decomposition)


# -- linear layers -------------------------------------------------------------------------------


def _each(function, value):
    return Decomposition(function(value.part), function(value.rest))


def _multilinear(function, args, kwargs):
    """Apply a product, of which one factor is a decomposition and the others are constants."""
    if sum(map(_is, [*args, *kwargs.values()])) != 1:
        raise Decomposition.refusal(function, " of more than one decomposition")
    parts = [
        function(*Decomposition._part(args, k), **Decomposition._part(kwargs, k)) for k in (0, 1)
    ]
    return Decomposition(*parts)


def _div(function, args, kwargs):
    if not _is(args[0]) or kwargs.get("rounding_mode") is not None:
        raise Decomposition.refusal(function, " by a decomposition, or with rounding")
    return _multilinear(function, args, kwargs)


def _affine(function, args, kwargs):
    """Apply a linear layer or a convolution."""

    def layer(input, weight, bias=None, *others, **named):
        if not _is(input) or Decomposition.holds_one((weight, bias)):
            raise Decomposition.refusal(function, " with weights that depend on the input")
        value = _each(lambda part: function(part, weight, None, *others, **named), input)
        return value if bias is None else _share(value, _per_channel(bias, weight.ndim))

    return layer(*args, **kwargs)


def _per_channel(values, n_axes):
    """Let values per channel stand before the spatial axes."""
    return values.view(-1, *[1] * (n_axes - 2))


def _dropout(function, args, kwargs):
    """Drop the same entries of both."""

    def layer(input, p=0.5, training=True):
        return input * function(torch.ones_like(input.part), p, True) if training else input

    return layer(*args, **kwargs)


def _alpha_dropout(function, args, kwargs):
    def layer(input, p=0.5, training=False):
        if training:
            raise Decomposition.refusal(function, " in training mode")
        return input

    return layer(*args, **kwargs)


def _pad(input, pad, mode="constant", value=None):
    padded = _each(lambda part: functional.pad(part, pad, mode), input)
    if not value:
        return padded
    return _share(padded, functional.pad(torch.zeros_like(input.part), pad, mode, value))


# -- activations and pooling ---------------------------------------------------------------------


def _activation(function, args, kwargs):
    """Apply a function of each entry that is 0 at 0."""
    value, *others = args
    if not _is(value) or Decomposition.holds_one((others, kwargs)):
        raise Decomposition.refusal(function, " with a decomposition in another place")
    part = function(value.part, *others, **kwargs)
    return Decomposition(part, function(value.total, *others, **kwargs) - part)


def _shifted_activation(function, args, kwargs):
    """Apply a function of each entry; what it is at 0 is a bias."""
    value = _activation(function, args, kwargs)
    at_zero = function(torch.zeros_like(value.part), *args[1:], **kwargs)
    return _share(Decomposition(value.part - at_zero, value.rest), at_zero)


def _max_pool(function, args, kwargs):
    """Take both where their sum is largest."""
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


def _standardise(value, axes, eps):
    """Centre both; the scale is the sum's."""
    centred = _each(lambda part: part - part.mean(axes, keepdim=True), value)
    variance = centred.total.square().mean(axes, keepdim=True)
    return centred * (variance + eps).rsqrt()


def _scale_and_shift(value, weight, bias):
    if weight is not None:
        value = value * weight
    return value if bias is None else value + bias


def _layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    axes = tuple(range(-len(normalized_shape), 0))
    return _scale_and_shift(_standardise(input, axes, eps), weight, bias)


def _group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    groups = input.reshape(len(input), num_groups, -1)
    value = _standardise(groups, -1, eps).reshape(input.shape)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    if not use_input_stats:
        return _running_norm(input, running_mean, running_var, weight, bias, eps)
    value = _standardise(input, tuple(range(2, input.ndim)), eps)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _batch_norm(
    input,
    running_mean,
    running_var,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
):
    if not training:
        return _running_norm(input, running_mean, running_var, weight, bias, eps)
    value = _standardise(input, (0, *range(2, input.ndim)), eps)
    return _scale_and_shift(value, *_all_per_channel(input.ndim, weight, bias))


def _running_norm(input, mean, var, weight, bias, eps):
    """Apply one affine map, with one bias."""
    scale = (var + eps).rsqrt() if weight is None else weight * (var + eps).rsqrt()
    shift = -mean * scale if bias is None else bias - mean * scale
    return _scale_and_shift(input, *_all_per_channel(input.ndim, scale, shift))


def _all_per_channel(n_axes, *values):
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
