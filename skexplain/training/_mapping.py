"""The mapping layer between features and head that two-stage optimisation trains."""

from typing import Any

import torch
from torch import nn

# A square matrix beyond this is larger than the networks that masks are used with.
_MAX_WEIGHTS = 1 << 24


class LinearMapping(nn.Module):
    """Linear map of the flattened features to as many features, in their own shape.

    Parameters
    ----------
    shape : tuple of int
        Shape of the features of one sample.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        size = int(torch.Size(shape).numel())
        if size * size > _MAX_WEIGHTS:
            raise ValueError(
                f'mapping="linear" needs {size} x {size} weights for features of shape '
                f'{tuple(shape)}, more than 2^24: use mapping="low_rank", mapping="conv1x1", or a '
                f"feature_layer with fewer features."
            )
        self.linear = nn.Linear(size, size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map the features, shape unchanged."""
        return self.linear(features.flatten(1)).view_as(features)


class LowRankMapping(nn.Module):
    r"""The flattened features and a linear map of them through a few numbers.

    .. math:: m(f) = f + U V f + b

    Parameters
    ----------
    shape : tuple of int
        Shape of the features of one sample.
    rank : int, default=32
        Number of rows of V, at most; there are no more than features.
    """

    def __init__(self, shape: tuple[int, ...], rank: int = 32) -> None:
        super().__init__()
        size = int(torch.Size(shape).numel())
        self.down = nn.Linear(size, min(rank, size), bias=False)
        self.up = nn.Linear(min(rank, size), size)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map the features, shape unchanged."""
        return features + self.up(self.down(features.flatten(1))).view_as(features)


class _FeaturesReached(Exception):
    def __init__(self, features: torch.Tensor) -> None:
        self.features = features


class MappedModule(nn.Module):
    """A module with a mapping layer put behind (or before) one of its layers.

    Parameters
    ----------
    module : nn.Module
        The network; the layer in it is replaced.
    layer_name : str
        Name of the layer, as in ``named_modules``; "" is the whole module.
    mapping : nn.Module
        The mapping layer.
    before : bool, default=False
        Whether the mapping goes before the layer instead of behind it.
    """

    def __init__(
        self, module: nn.Module, layer_name: str, mapping: nn.Module, before: bool = False
    ) -> None:
        super().__init__()
        self.module = module
        self.layer_name = layer_name
        parent_name, _, name = layer_name.rpartition(".")
        parent = module.get_submodule(parent_name)
        layer = getattr(parent, name)
        setattr(parent, name, MappedLayer(layer, mapping, before))

    @property
    def _layer(self) -> "MappedLayer":
        layer: Any = self.module.get_submodule(self.layer_name)
        return layer

    @property
    def mapping(self) -> nn.Module:
        """The mapping layer."""
        return self._layer.mapping

    def replace_mapping(self, mapping: nn.Module) -> None:
        """Put another mapping layer in its place."""
        self._layer.mapping = mapping

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the whole network."""
        return self.module(x)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the samples: what the mapping layer is given; the head is not run."""
        layer = self._layer
        layer.stops = True  # a hook at the mapping, which does the same, takes a tenth of the pass
        try:
            self.module(x)
        except _FeaturesReached as reached:
            return reached.features
        finally:
            layer.stops = False
        raise ValueError(f"feature_layer {self.layer_name!r} is not reached by the module.")


class MappedLayer(nn.Module):
    """A layer with the mapping behind it (or before it)."""

    #: Whether the forward ends here, by an exception that holds the features.
    stops = False

    def __init__(self, layer: nn.Module, mapping: nn.Module, before: bool) -> None:
        super().__init__()
        self.layer = layer
        self.mapping = mapping
        self.before = before

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run both."""
        features = x if self.before else self.layer(x)
        if self.stops:
            raise _FeaturesReached(features)
        mapped = self.mapping(features)
        return self.layer(mapped) if self.before else mapped


def find_feature_layer(
    module: nn.Module, feature_layer: str | None, x: torch.Tensor
) -> tuple[str, bool]:
    """Return where the features are: the layer's name, and whether its input is meant.

    Parameters
    ----------
    module : nn.Module
        The network.
    feature_layer : str or None
        Name of a submodule; None: its ``features`` child, else the input of the last linear layer.
    x : Tensor
        A few samples to run.

    Returns
    -------
    name : str
    before : bool

    Raises
    ------
    ValueError
        If there is no such layer, or more than one may be meant; the error lists the names.
    """
    names = [name for name, _ in module.named_modules() if name]
    if feature_layer is not None:
        if feature_layer not in names:
            raise ValueError(
                f"feature_layer must name a submodule, one of {names}; got {feature_layer!r}."
            )
        return feature_layer, False
    if isinstance(getattr(module, "features", None), nn.Module):
        return "features", False
    name = _final_linear(module, x)
    if name is None:
        raise ValueError(
            "feature_layer must be given: the module has no child named 'features' and its "
            f"output is not that of a linear layer. Name one of {names}."
        )
    return name, True


def _final_linear(module: nn.Module, x: torch.Tensor) -> str | None:
    """Name of the linear layer whose output is the module's own."""
    calls = []
    handles = [
        layer.register_forward_hook(lambda _, __, output, name=name: calls.append((name, output)))
        for name, layer in module.named_modules()
        if name and isinstance(layer, nn.Linear)
    ]
    try:
        with torch.no_grad():
            output = module(x)
    finally:
        for handle in handles:
            handle.remove()
    return next((name for name, result in reversed(calls) if result is output), None)


def build_mapping(mapping: str | nn.Module | None, shape: tuple[int, ...], init: str) -> nn.Module:
    """Build the mapping layer for features of a shape.

    Parameters
    ----------
    mapping : {"linear", "low_rank", "conv1x1"}, nn.Module or None
        None is the identity, without weights.
    shape : tuple of int
        Shape of the features of one sample.
    init : {"default", "identity"}
        Start from torch's random values or from the identity.

    Returns
    -------
    nn.Module
    """
    if mapping is None:
        return nn.Identity()
    if isinstance(mapping, nn.Module):
        return mapping
    if mapping == "linear":
        layer = LinearMapping(shape)
        if init == "identity":
            nn.init.eye_(layer.linear.weight)
            nn.init.zeros_(layer.linear.bias)
        return layer
    if mapping == "low_rank":
        low_rank = LowRankMapping(shape)
        if init == "identity":
            nn.init.zeros_(low_rank.up.weight)
            nn.init.zeros_(low_rank.up.bias)
        return low_rank
    if len(shape) < 2:
        raise ValueError(
            f'mapping="conv1x1" needs features of shape (channels, ...), got {tuple(shape)}: use '
            f'mapping="linear".'
        )
    convolution: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(shape) - 2](shape[0], shape[0], 1)
    if init == "identity":
        nn.init.dirac_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    return convolution
