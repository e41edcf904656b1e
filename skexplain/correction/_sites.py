"""Where a network can be corrected: at a named layer, at its head, at layers that are found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from ._network import Network, Site, first_tensor

# Layers besides the last one that "auto" finds, and how many it tries on the way.
_N_FOUND, _N_TRIED = 3, 12


def find_site(network: Network, X: np.ndarray, layer: str | None, channel_axis: int | None) -> Site:
    """Find where to correct: at a layer, or at what the last linear layer is given.

    Parameters
    ----------
    network : Network
    X : ndarray of shape (n_samples, ...)
        A few samples are run.
    layer : str or None
        Name; None: the input of the head.
    channel_axis : int or None
        Axis of the channels; None: axis 1 of four or more, else the last one.

    Returns
    -------
    Site
    """
    names = [name for name, _ in network.module.named_modules() if name]
    if layer is not None and layer not in names:
        raise ValueError(
            f"layer must be None or one of {names}, a list of these, or 'auto'; got {layer!r}."
        )
    head = find_head(network, X)
    if layer is None:
        if head is None:
            raise ValueError(
                f"layer must be named, since the network does not end with a linear layer: one "
                f"of {names}; got None."
            )
        layer, where = head, "before"
    else:
        where = "behind"
    shape = _feature_shape(network, X, layer, where)
    if channel_axis is None:
        channel_axis = 1 if len(shape) > 3 else -1
    n_axes = len(shape)
    if n_axes < 2 or not -n_axes < channel_axis < n_axes or channel_axis == 0:
        raise ValueError(
            f"channel_axis must be an axis of the features other than the first, which have "
            f"shape {shape}; got {channel_axis}."
        )
    return Site(layer, where, channel_axis, is_head=layer == head and where == "before")


def find_head(network: Network, X: np.ndarray) -> str | None:
    """Return the name of the linear layer whose outputs are those of the network, or None."""
    # More than a few: an activation behind the layer changes nothing where all is positive.
    x = X[: min(64, network.batch_size)]
    calls = Calls(network, x, nn.Linear)
    for name, output in calls.outputs.items():
        if output.shape == calls.whole.shape and torch.equal(output.cpu(), calls.whole):
            return name
    return None


def _feature_shape(network: Network, X: np.ndarray, layer: str, where: str) -> tuple[int, ...]:
    shapes: list[tuple[int, ...]] = []
    m = network.module.get_submodule(layer)

    def keep(_: nn.Module, args: Any, output: Any) -> None:
        shapes.append(tuple(first_tensor(args if where == "before" else output).shape))

    handle = m.register_forward_hook(keep)
    try:
        for _ in network.run(network.module, [X[:2]]):
            pass
    finally:
        handle.remove()
    if not shapes:
        raise ValueError(f"layer must be part of a pass of the network, but {layer!r} is not.")
    return shapes[0]


class Calls:
    """What the layers of a network return in one pass, and in which order they run.

    Parameters
    ----------
    network : Network
    x : ndarray of shape (n_samples, ...)
        Samples to run.
    kind : type, default=nn.Module
        Layers to listen to.

    Attributes
    ----------
    whole : Tensor
        What the network returns.
    outputs : dict of str to Tensor
        What each layer returns at its last call, the layer that ends first at the beginning; only
        of layers that return a tensor.
    starts, ends : dict of str to int
        When each layer starts for the first and ends for the last time.
    returned : dict of str to list
        All that each layer returns, call by call.
    """

    def __init__(self, network: Network, x: np.ndarray, kind: type[nn.Module] = nn.Module) -> None:
        self.outputs: dict[str, torch.Tensor] = {}
        self.starts: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.returned: dict[str, list[Any]] = {}
        self._clock = 0
        handles = []
        for name, layer in network.module.named_modules():
            if isinstance(layer, kind):
                handles.append(
                    layer.register_forward_pre_hook(lambda _, __, name=name: self._begin(name))
                )
                handles.append(
                    layer.register_forward_hook(
                        lambda _, __, output, name=name: self._end(name, output)
                    )
                )
        try:
            (self.whole,) = network.at_once(len(x)).run(network.module, [x])
        finally:
            for handle in handles:
                handle.remove()

    def _begin(self, name: str) -> None:
        self._clock += 1
        self.starts.setdefault(name, self._clock)

    def _end(self, name: str, output: Any) -> None:
        self._clock += 1
        self.ends[name] = self._clock
        self.returned.setdefault(name, []).append(output)
        if isinstance(output, torch.Tensor):
            self.outputs.pop(name, None)
            self.outputs[name] = output


def find_layers(network: Network, X: np.ndarray, can_be_cut: Callable[[str], bool]) -> list[str]:
    """Find layers behind which a network can be corrected, the last ones first.

    Candidates have weights of two axes or more (themselves or within), at most half of all of
    them, since others are wrappers of the whole network; they are not within another candidate; and
    all that the network computes later depends on what they return.

    Parameters
    ----------
    network : Network
    X : ndarray of shape (n_samples, ...)
        A few samples are run.
    can_be_cut : callable
        ``can_be_cut(name)`` says whether what comes later depends on this layer alone.

    Returns
    -------
    list of str
        At most three names.
    """
    head = find_head(network, X)
    outputs = Calls(network, X[:4]).outputs
    modules = dict(network.module.named_modules())
    n_all = _n_weights(network.module)
    found: list[str] = []
    n_tried = 0
    for name in reversed(outputs):
        is_part = 0 < _n_weights(modules[name]) <= n_all / 2
        within = any(name.startswith(f"{other}.") for other in found)
        if not name or not is_part or within or name == head or outputs[name].ndim < 2:
            continue
        n_tried += 1
        if can_be_cut(name):
            found.append(name)
        if len(found) == _N_FOUND or n_tried == _N_TRIED:
            break
    return found


def _n_weights(module: nn.Module) -> int:
    return sum(parameter.ndim > 1 for parameter in module.parameters())
