"""A correction as weights of the network itself, which then has the layers that it had."""

from __future__ import annotations

import copy
from typing import Any

import torch
from sklearn.frozen import FrozenEstimator
from torch import nn

from ._evaluation import Correction, Retrained, Splice
from ._splice import Projection

# Axis of the output that holds the channels, of layers that are linear in their weights.
_CHANNEL_AXES: dict[type[nn.Module], tuple[int, ...]] = {
    nn.Linear: (-1,),
    nn.Conv1d: (1, -2),
    nn.Conv2d: (1, -3),
    nn.Conv3d: (1, -4),
}


def folded_weights(correction: Correction, module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights with which a network computes what it computes with a correction.

    Parameters
    ----------
    correction : Correction
    module : nn.Module
        The network without it.

    Returns
    -------
    dict of str to Tensor
        By their names in the network.

    Raises
    ------
    ValueError
        If no weights do, as where a correction is in force for some samples alone.
    """
    if isinstance(correction, Retrained):
        return correction.new
    assert isinstance(correction, Splice)
    site, layer = correction.site, module.get_submodule(correction.site.layer)
    axes = _CHANNEL_AXES.get(type(layer), ())
    projection = correction.layer
    if isinstance(projection, nn.Linear):
        weight, bias = projection.weight.double(), projection.bias.double()
    elif (
        not isinstance(projection, Projection)
        or projection.detects
        or (site.where == "behind" and site.channel_axis not in axes)
    ):
        raise ValueError(
            f"method must be no 'reactive' one, and layer None or a linear layer or convolution, "
            f"for a correction in the weights of the network; got a correction at "
            f"{site.layer!r}, {type(layer).__name__}."
        )
    else:
        v, m, mean = (
            t.double() for t in (projection.directions, projection.readout, projection.mean)
        )
        weight = torch.as_tensor(layer.weight).double()
        old = torch.zeros(len(weight), dtype=torch.float64, device=weight.device)
        bias = old if layer.bias is None else torch.as_tensor(layer.bias).double()
        if site.where == "before":
            read = weight @ v
            weight, bias = weight - read @ m.T, bias + read @ (m.T @ mean)
        else:
            flat = weight.flatten(1)
            weight = (flat - v @ (m.T @ flat)).view_as(weight)
            bias = bias - v @ (m.T @ (bias - mean))
    if layer.bias is None and bias.abs().max() > 1e-6 * weight.abs().max():
        raise ValueError(
            f"layer must have a bias for a correction in the weights of the network; "
            f"{site.layer!r} has none."
        )
    prefix = f"{site.layer}." if site.layer else ""
    found = {f"{prefix}weight": weight} | ({} if layer.bias is None else {f"{prefix}bias": bias})
    own = module.state_dict()
    return {name: values.detach().to(own[name]) for name, values in found.items()}


def around_network(estimator: Any, network: nn.Module) -> Any:
    """Return a copy of a fitted estimator with the weights of a network that has its layers.

    Parameters
    ----------
    estimator : nn.Module or fitted estimator, also within ``FrozenEstimator``
    network : nn.Module

    Returns
    -------
    fitted estimator

    Raises
    ------
    TypeError
        If it is a torch module.
    """
    if isinstance(estimator, nn.Module):
        raise TypeError("estimator must be no torch module here; see fold(), which returns one.")
    inner = estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator
    inner = copy.deepcopy(inner)
    inner.module_.load_state_dict(network.state_dict())
    return inner
