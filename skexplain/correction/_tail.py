"""What a network computes behind a site, as a network of the features there alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ._network import Network, Site, as_logits, first_tensor
from ._sites import Calls, find_head, find_layers, find_site

# Samples on which a tail is held against the whole network.
_N_PROBES = 8


class Tail(nn.Module):
    """The part of a network behind a site: from features there to logits.

    Parameters
    ----------
    body : nn.Module
        Computes the outputs from the features.
    prefix : str
        What the names of its weights begin with in the network.
    """

    def __init__(self, body: nn.Module, prefix: str) -> None:
        super().__init__()
        self.body = body
        self.prefix = prefix

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the logits of features at the site.

        Parameters
        ----------
        features : Tensor of shape (n_samples, ...)

        Returns
        -------
        Tensor of shape (n_samples, n_classes)
        """
        return as_logits(first_tensor(self.body(features)))

    @property
    def layers(self) -> nn.Module:
        """What holds the weights, under their names in the network behind the prefix."""
        return self.body.network if isinstance(self.body, _Rest) else self.body

    def with_head(self, name: str, head: nn.Module) -> Tail:
        """Return a copy with another layer in the place of the last one, of this name."""
        if not isinstance(self.body, _Rest):
            return Tail(head, self.prefix)
        other = copy.deepcopy(self)
        parent, _, last = name.rpartition(".")
        setattr(other.layers.get_submodule(parent), last, head)
        return other

    def with_weights(self, weights: dict[str, torch.Tensor]) -> Tail:
        """Return a copy with other weights, by their names in the network."""
        other = copy.deepcopy(self)
        own = {name.removeprefix(self.prefix): tensor for name, tensor in weights.items()}
        other.layers.load_state_dict(own, strict=False)
        return other


class _Feed:
    """Features that are handed to the middle of a network."""

    value: torch.Tensor


class _Source(nn.Module):
    """Stands in for the layer at the site: returns the features."""

    def __init__(self, feed: _Feed) -> None:
        super().__init__()
        self.feed = feed

    def forward(self, *_: Any, **__: Any) -> torch.Tensor:
        """Return the features, whatever it is given."""
        return self.feed.value


class _Skipped(nn.Module):
    """Stands in for a layer before the site: returns what it has returned, of the right shape."""

    def __init__(self, feed: _Feed, outputs: list[torch.Tensor]) -> None:
        super().__init__()
        self.feed = feed
        for number, output in enumerate(outputs):
            self.register_buffer(f"output_{number}", output[:1].detach(), persistent=False)
        self.n_outputs = len(outputs)
        self.call = 0

    def forward(self, *_: Any, **__: Any) -> torch.Tensor:
        """Return the output of one sample, for each of the features."""
        output = getattr(self, f"output_{self.call % self.n_outputs}")
        self.call += 1
        return output.expand(len(self.feed.value), *output.shape[1:])


class _Rest(nn.Module):
    """A network that runs from the features at a layer on; what comes before is not computed."""

    x: torch.Tensor

    def __init__(self, network: nn.Module, feed: _Feed, x: torch.Tensor) -> None:
        super().__init__()
        self.network = network
        self.feed = feed
        self.register_buffer("x", x, persistent=False)

    def forward(self, features: torch.Tensor) -> Any:
        """Run the network on a sample that stands in for all, with these features."""
        self.feed.value = features
        return self.network(self.x.expand(len(features), *self.x.shape[1:]))


def find_tail(network: Network, site: Site, X: np.ndarray) -> Tail | None:
    """Cut a network at a site.

    Layers that run before the site are replaced by ones that compute nothing.  Whether what
    comes later depends on the features alone is tried on a few samples.

    Parameters
    ----------
    network : Network
    site : Site
    X : ndarray of shape (n_samples, ...)
        A few samples are run.

    Returns
    -------
    Tail or None
        None: the network cannot be cut there, as between two ends of a skip connection.
    """
    if site.is_head:
        return Tail(network.module.get_submodule(site.layer), _prefix(site.layer))
    if site.where == "before":
        return None
    x = X[_probes(network, X)]
    calls = Calls(network, x)
    try:
        ((features,),) = network.at_once(len(x)).read([x], [site])
        tail = Tail(_cut(network, site.layer, calls, x), "")
        tail.eval()
        with torch.no_grad():
            found = tail(features.to(network.device)).cpu()
    except Exception:  # whatever a forward raises whose layers return nothing of use
        return None
    whole = as_logits(calls.whole)
    if found.shape != whole.shape or not torch.allclose(found, whole, rtol=1e-4, atol=1e-5):
        return None
    return tail


def _probes(network: Network, X: np.ndarray) -> np.ndarray:
    """Return a few samples, of texts of all lengths: later layers may leave out padding."""
    rows, pad_id = np.arange(len(X)), network.tokens(X).pad_id
    if pad_id is None:
        # Of all samples: the first ones may be alike.
        return np.random.default_rng(0).permutation(rows)[:_N_PROBES]
    by_length = np.argsort(np.equal(X, pad_id).sum(axis=1), kind="stable")
    return np.unique(by_length[np.linspace(0, len(X) - 1, _N_PROBES).astype(int)])


def _prefix(layer: str) -> str:
    return f"{layer}." if layer else ""


def find_sites(
    network: Network, X: np.ndarray, layer: str | Sequence[str] | None, channel_axis: int | None
) -> list[Site]:
    """Find the sites among which is chosen.

    Parameters
    ----------
    network : Network
    X : ndarray of shape (n_samples, ...)
        A few samples are run.
    layer : str, list of str or None
        One layer, None for the last; "auto" for the last and a few before it; a list for the last
        and those in it.
    channel_axis : int or None
        Axis of the channels.

    Returns
    -------
    list of Site
    """
    if layer is None or (isinstance(layer, str) and layer != "auto"):
        return [find_site(network, X, layer, channel_axis)]
    names: list[str] = []
    for name in [layer] if isinstance(layer, str) else layer:
        if not isinstance(name, str):
            raise TypeError(f"layer must be a name, a list of names or None, got {layer!r}.")
        names += find_layers(network, X, _can_be_cut(network, X)) if name == "auto" else [name]
    wanted: list[str | None] = list(dict.fromkeys(names))
    if find_head(network, X) is not None or not wanted:
        wanted = [None, *wanted]
    return [find_site(network, X, name, channel_axis) for name in wanted]


def _can_be_cut(network: Network, X: np.ndarray) -> Callable[[str], bool]:
    def check(layer: str) -> bool:
        site = Site(layer, "behind", 1, is_head=False)
        return find_tail(network, site, X) is not None

    return check


def _cut(network: Network, layer: str, calls: Calls, x: np.ndarray) -> _Rest:
    feed, module = _Feed(), copy.deepcopy(network.module)
    replacements: dict[str, nn.Module] = {layer: _Source(feed)}
    for name in sorted(calls.returned, key=lambda name: name.count(".")):
        outputs = calls.returned[name]
        if (
            name
            and calls.ends[name] < calls.starts[layer]
            and not any(name.startswith(f"{other}.") for other in replacements)
            and all(isinstance(output, torch.Tensor) for output in outputs)
        ):
            replacements[name] = _Skipped(feed, outputs)
    for name, stub in replacements.items():
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, stub)
    return _Rest(module, feed, network.as_tensor(x[:1]))
