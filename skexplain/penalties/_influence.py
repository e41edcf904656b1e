"""Influence penalty: right for better reasons, RBR."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ._base import Penalty, Rows, point_of
from ._input_gradient import _score
from ._layers import check_input_gradient, trainable_gradient
from ._tokens import at_embedding


class InfluencePenalty(Penalty):
    r"""Influence of irrelevant features on the fit, times their input gradient (RBR).

    Use it to ask not only that an irrelevant feature does not move the output, but that it does not
    move what the sample teaches, either.  For a sample x with irrelevance a and input unit u the
    value is

    .. math:: \sum_d \Big(a_d \; u_d \frac{\partial}{\partial x_d} \sum_j
        \frac{\partial \ell(x, y)}{\partial \theta_j} \; u_d \frac{\partial}{\partial x_d}
        \sum_k \log p_k(x) \Big)^2

    where j runs over all parameters that are trained (Shao et al. 2021 [1]_, with the identity in
    place of the inverse Hessian of the influence function, as published).

    Both gradients are per input unit, so a network that standardises inside has the same value
    whatever the scale of X.  The value is of fourth order in the gradients, so that alpha may have
    to be large: up to 1e6 is published.

    Notes
    -----
    A step differentiates three times and costs several times `InputGradientPenalty`.

    The sum over parameters is zero over a last linear layer under the cross entropy, as the errors
    p - y of a sample add up to zero.  A linear model therefore has value zero: the network needs a
    hidden layer.

    References
    ----------
    .. [1] X. Shao, A. Skryagin, W. Stammer, P. Schramowski, K. Kersting (2021). Right for Better
       Reasons: Training Differentiable Models by Constraining their Influence Functions. AAAI.

    Examples
    --------
    >>> from skexplain.penalties import InfluencePenalty
    >>> InfluencePenalty()
    InfluencePenalty()
    """

    needs_double_backward = True
    allows_mixed_precision = False
    allows_stacking = True
    sharding = "samples"
    reads_embedding = True

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that something is trained, and that there is a gradient at the input."""
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ValueError(
                "module must have parameters that require a gradient: their influence is "
                "penalised; got none."
            )
        check_input_gradient(module, x)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the penalty at the clean samples, shape (n_samples,)."""
        with _ComposedNorms():
            point = point_of(module, rows)
        rows = at_embedding(rows, point.x)
        loss = rows.label_loss(point.logits, rows.y)
        influence = trainable_gradient(_parameter_gradient(module, loss), point.x)
        score = _score("log_prob_sum", point.logits, rows.y)
        gradient = trainable_gradient(score, point.x)
        product = rows.irrelevance * (rows.unit * influence) * (rows.unit * gradient)
        return product.square().flatten(1).sum(1)


def _parameter_gradient(module: nn.Module, loss: torch.Tensor) -> torch.Tensor:
    """Sum of the derivatives of a loss by each trained parameter."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(
        loss.sum(), parameters, create_graph=True, allow_unused=True, materialize_grads=True
    )
    total: Any = sum(gradient.sum() for gradient in gradients)
    return total


class _ComposedNorms(TorchFunctionMode):
    """Computes layer norm and instance norm by group norm, which is the same.

    torch takes the statistics of the first two for constants from the third derivative on, and so
    has it silently wrong (pytorch issues 175754 and 186256); that of group norm is right.
    """

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        function = _COMPOSED.get(function, function)
        return function(*args, **(kwargs or {}))


def _layer_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> torch.Tensor:
    flat = input.reshape(-1, math.prod(normalized_shape))
    weight, bias = (None if part is None else part.flatten() for part in (weight, bias))
    return torch.group_norm(flat, 1, weight, bias, eps).view(input.shape)


def _instance_norm(
    input: torch.Tensor,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    if use_input_stats:
        return torch.group_norm(input, input.shape[1], weight, bias, eps)
    return functional.batch_norm(input, running_mean, running_var, weight, bias, eps=eps)


_COMPOSED = {
    functional.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    functional.instance_norm: _instance_norm,
}
