"""Small layers that are put into a network, and taken out again."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..training._outputs import first_output, replace_first_output


class Projection(nn.Module):
    """Takes directions out of features, around a mean: ``h - ((h - mean) M) V^T``.

    With ``M^T V`` the identity this is a projection: applied twice it is the same, along `V`
    nothing is left but the mean, and features at the mean stay.

    Parameters
    ----------
    directions : Tensor of shape (n_channels, k)
        V, what is taken out.
    readout : Tensor of shape (n_channels, k)
        M, how much of each direction is in the features; V itself for an orthogonal projection.
    mean : Tensor of shape (n_channels,)
        Mean of the features.
    channel_axis : int
        Axis of the features that holds the channels.
    detector : tuple of (Tensor of shape (n_channels,), float) or None, default=None
        Coefficients and intercept of a linear detector: samples at which it is negative, at the
        mean over positions, stay as they are.
    """

    directions: torch.Tensor
    readout: torch.Tensor
    mean: torch.Tensor
    # Only where there is a detector.
    detector: torch.Tensor
    intercept: torch.Tensor

    def __init__(
        self,
        directions: torch.Tensor,
        readout: torch.Tensor,
        mean: torch.Tensor,
        channel_axis: int,
        detector: tuple[torch.Tensor, float] | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("directions", directions)
        self.register_buffer("readout", readout)
        self.register_buffer("mean", mean)
        self.channel_axis = channel_axis
        self.detects = detector is not None
        if detector is not None:
            coefficients, intercept = detector
            self.register_buffer("detector", coefficients)
            self.register_buffer("intercept", torch.as_tensor(intercept).to(coefficients))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features without the directions.

        Parameters
        ----------
        features : Tensor
            With `n_channels` entries along the channel axis.

        Returns
        -------
        Tensor of the same shape
        """
        h = features.movedim(self.channel_axis, -1)
        corrected = h - ((h - self.mean) @ self.readout) @ self.directions.T
        if self.detects:
            pooled = h.flatten(1, -2).mean(1) if h.ndim > 2 else h
            fires = pooled @ self.detector + self.intercept > 0
            corrected = torch.where(fires.view(-1, *(1,) * (h.ndim - 1)), corrected, h)
        return corrected.movedim(-1, self.channel_axis)


class Spliced(nn.Module):
    """A layer of a network with a correction before or behind it, or another layer in its place.

    Parameters
    ----------
    layer : nn.Module
        The layer as it was.
    correction : nn.Module
        What is put in.
    where : {"before", "behind", "instead"}
        Where the correction stands.
    """

    def __init__(self, layer: nn.Module, correction: nn.Module, where: str) -> None:
        super().__init__()
        self.layer = layer
        self.correction = correction
        self.where = where

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the layer and the correction.

        Parameters
        ----------
        *args, **kwargs
            What the layer takes; features come first.

        Returns
        -------
        object
            As the layer returns it; of a tuple or list the first entry is corrected, of a dict or
            an object the logits.
        """
        if self.where == "instead":
            return self.correction(*args, **kwargs)
        if self.where == "before":
            return self.layer(self.correction(args[0]), *args[1:], **kwargs)
        output = self.layer(*args, **kwargs)
        return replace_first_output(output, self.correction(first_output(output)))


def splice(module: nn.Module, layer: str, correction: nn.Module, where: str) -> nn.Module:
    """Return a copy of a network with a correction at a layer.

    Parameters
    ----------
    module : nn.Module
        Not changed.
    layer : str
        Name of the layer, as in ``named_modules``; "" for the network itself.
    correction : nn.Module
        What is put in.
    where : {"before", "behind", "instead"}
        Where it stands.

    Returns
    -------
    nn.Module
    """
    module = copy.deepcopy(module)
    if not layer:
        return Spliced(module, correction, where)
    parent, _, name = layer.rpartition(".")
    parent = module.get_submodule(parent)
    setattr(parent, name, Spliced(getattr(parent, name), correction, where))
    return module


def unsplice(module: nn.Module, layer: str) -> nn.Module:
    """Return a copy of a network with the layer as it was before a correction was put there.

    Parameters
    ----------
    module : nn.Module
        From :func:`splice`; not changed.
    layer : str
        Name of the layer.

    Returns
    -------
    nn.Module
    """
    module = copy.deepcopy(module)
    if not layer:
        return module.get_submodule("layer")
    parent, _, name = layer.rpartition(".")
    parent = module.get_submodule(parent)
    setattr(parent, name, getattr(parent, name).layer)
    return module
