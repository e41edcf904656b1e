"""Contextual decomposition: what a part of the input and the rest contribute to each output."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ._dispatch import Propagated
from ._run import run


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

    def __init__(self, part: Tensor, rest: Tensor) -> None:
        super().__init__(part, rest)

    def __repr__(self) -> str:
        return f"Decomposition(part={self.part}, rest={self.rest})"

    @property
    def part(self) -> Tensor:
        """Contribution of the part of the input in question."""
        return self.parts[0]

    @property
    def rest(self) -> Tensor:
        """Contribution of the rest."""
        return self.parts[1]

    @property
    def middle(self) -> Tensor:
        """The tensor that it stands for."""
        return self.total

    @property
    def total(self) -> Tensor:
        """Sum of both: the value that the network computes."""
        return self.part + self.rest

    @classmethod
    def lift(cls, tensor: Tensor, like: Any) -> "Decomposition":
        """Split a constant in halves, as a bias where nothing contributes."""
        nothing = torch.zeros_like(tensor, dtype=like.dtype)
        return share(cls(nothing, nothing), tensor)


def decompose(module: Callable[..., Any], part: Tensor, rest: Tensor) -> Decomposition:
    r"""Decompose what a network computes from the sum of two inputs into a contribution of each.

    Contextual decomposition [1]_ with the rules of [2]_ and [3]_: what is linear acts on both
    alike; a bias b is shared in the proportion of their magnitudes,

    .. math:: \beta + b \, \frac{|\beta|}{|\beta| + |\gamma|}, \quad
        \gamma + b \, \frac{|\gamma|}{|\beta| + |\gamma|},

    and in halves where both are 0; an activation gives :math:`s(\beta)` and
    :math:`s(\beta + \gamma) - s(\beta)`, where s(0) is a bias; a maximum routes the entry that
    wins in the sum; what normalises takes its scale from the sum.  In attention, softmax is such an
    activation, and of a product of two sums, of weights and values say, what both parts have in
    common goes to each by half, as in Shapley values.

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
        If the network does something that has no rule, such as a softmax of its own or a product of
        two activations; the error names it.

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


def share(value: Decomposition, bias: Any) -> Decomposition:
    """Add a constant, shared in the proportion of the magnitudes, in halves where both are 0."""
    part, rest = value.parts
    bias = torch.as_tensor(bias, dtype=part.dtype, device=part.device)
    # Less than this is lost beside the bias.  Where the bias is 0, `tiny` keeps 0 / 0 away.
    limits = torch.finfo(part.dtype)
    lost = limits.eps * bias.detach().abs() + limits.tiny
    magnitude = part.abs()
    to_part = bias * ((magnitude + lost / 2) / (magnitude + rest.abs() + lost))
    return Decomposition(part + to_part, rest + (bias - to_part))
