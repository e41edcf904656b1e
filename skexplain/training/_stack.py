"""Several networks of one kind as one, which computes their layers together."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """Linear layers of several networks, each for an equal part of the samples.

    Parameters
    ----------
    layers : sequence of nn.Linear
        Of one shape.
    """

    bias: nn.Parameter | None

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = _stack([layer.weight for layer in layers])
        biases = [layer.bias for layer in layers if layer.bias is not None]
        self.register_parameter("bias", _stack(biases) if biases else None)

    def forward(self, x: Tensor) -> Tensor:
        """Map the samples of each network by its own layer; one after the other in `x`."""
        of_each = x.unflatten(0, (len(self.weight), -1)).flatten(1, -2)
        if self.bias is None:
            mapped = torch.bmm(of_each, self.weight.mT)
        else:
            mapped = torch.baddbmm(self.bias.unsqueeze(1), of_each, self.weight.mT)
        return mapped.view(*x.shape[:-1], -1)


def _stack(parameters: Sequence[Tensor]) -> nn.Parameter:
    stacked = torch.stack([parameter.detach() for parameter in parameters])
    return nn.Parameter(stacked, requires_grad=parameters[0].requires_grad)


def stack_networks(modules: Sequence[nn.Module], x: Tensor) -> nn.Module:
    """Make one network of several: it takes their samples one network after the other.

    Parameters
    ----------
    modules : sequence of nn.Module
        Networks of one architecture, in training mode; they are not changed.
    x : Tensor of shape (n_samples, ...)
        A few samples to try it on.

    Returns
    -------
    nn.Module
        Its parameters have the names of theirs, and their shapes with the network as first axis.

    Raises
    ------
    ValueError
        If a layer that is trained is not ``nn.Linear``, or the stacked network computes anything
        else than the networks do, in training mode (dropout, batch norm) or in evaluation mode.
    """
    stacked = copy.deepcopy(modules[0])
    for name, layer in modules[0].named_modules():
        if type(layer) is nn.Linear:
            same: Any = [module.get_submodule(name) for module in modules]
            if not name:
                stacked = StackedLinear(same)
            else:
                stacked.set_submodule(name, StackedLinear(same))
        elif any(parameter.requires_grad for parameter in layer.parameters(recurse=False)):
            raise ValueError(
                f"module must have no trained layers but torch.nn.Linear if several seeds are "
                f"trained at once; got {type(layer).__name__} at {name!r}. Fit one seed after the "
                f"other."
            )
    for training in (True, False):
        stacked.train(training)
        _compare(stacked, [module.train(training) for module in modules], x)
    for module in modules:
        module.train()
    return stacked.train()


def _compare(stacked: nn.Module, modules: Sequence[nn.Module], x: Tensor) -> None:
    """Check that the stacked network returns what the networks return.

    Each network is given another sample, so that what depends on other samples differs.
    """
    of_each = [x[[number % len(x)] * len(x)] for number in range(len(modules))]
    with torch.no_grad():
        expected = torch.cat(
            [module(own.clone()) for module, own in zip(modules, of_each, strict=True)]
        )
        try:
            got = stacked(torch.cat(of_each))
        except (RuntimeError, IndexError, AttributeError) as error:
            raise _differs(f"an error: {error}") from error
    tolerance = 1e-4 * float(expected.abs().max())
    if got.shape != expected.shape or not torch.allclose(got, expected, rtol=0, atol=tolerance):
        raise _differs("other outputs than from each network alone")


def _differs(what: str) -> ValueError:
    return ValueError(
        f"module must treat samples one by one and draw no random numbers (no dropout, no batch "
        f"norm) if several seeds are trained at once; got {what}. Fit one seed after the other."
    )


def hand_back(stacked: nn.Module, modules: Sequence[nn.Module]) -> None:
    """Copy the weights of a stacked network to the networks that it was made of."""
    weights = dict(stacked.named_parameters())
    with torch.no_grad():
        for number, module in enumerate(modules):
            for name, parameter in module.named_parameters():
                if weights[name].shape != parameter.shape:  # else a frozen one, shared by all
                    parameter.copy_(weights[name][number])


def hand_back_state(stacked: torch.optim.Optimizer, own: torch.optim.Optimizer, i: int) -> None:
    """Put the optimizer of one network in its part of the state of that of a stacked network."""
    for ours, theirs in zip(stacked.param_groups, own.param_groups, strict=True):
        for parameter, part in zip(ours["params"], theirs["params"], strict=True):
            own.state[part] = {
                key: value[i].clone() if value.shape == parameter.shape else value.clone()
                for key, value in stacked.state[parameter].items()
            }
