"""Built-in networks, sized from the data, that standardise their inputs inside."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..masks._statistics import InputStatistics
from ._mapping import LinearMapping, LowRankMapping, MappedLayer, MappedModule
from ._stack import StackedLinear


class Standardize(nn.Module):
    """Subtract the training mean and divide by the training sd of each column or channel.

    Parameters
    ----------
    mean, sd : array-like
        Broadcastable to a batch of inputs; kept as buffers.
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, mean: Any, sd: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("sd", torch.as_tensor(sd, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise, shape unchanged."""
        return (x - self.mean) / self.sd


class Rescale(nn.Module):
    """Multiply by the sd of the training targets and add their mean.

    Parameters
    ----------
    mean, sd : float
        Kept as buffers.
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, mean: Any, sd: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("sd", torch.tensor(sd, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Rescale, shape unchanged."""
        return x * self.sd + self.mean


class Network(nn.Module):
    """A feature extractor and a linear head.

    Parameters
    ----------
    features : nn.Module
        From inputs to features.
    head : nn.Module
        From features to outputs.
    """

    def __init__(self, features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the outputs, shape (n_samples, outputs)."""
        return self.head(self.features(x))


def build_network(
    input_shape: tuple[int, ...],
    n_outputs: int,
    statistics: InputStatistics,
    target_scale: tuple[float, float] | None = None,
) -> nn.Module:
    """Build the network that ``module="auto"`` stands for.

    Two-dimensional X gets a perceptron with two hidden layers of 32 to 256 units (the power of two
    from twice the number of columns); images, (n, h, w) or (n, channels, h, w), get blocks of
    3x3 convolution, ReLU and 2x2 max-pooling until the shorter side is below six pixels.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    n_outputs : int
        Number of outputs.
    statistics : InputStatistics
        Of the training inputs.
    target_scale : (float, float) or None, default=None
        Mean and standard deviation of the training targets, for regression.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If the samples are neither vectors nor images.
    """
    standardize = Standardize(statistics.mean, statistics.sd)
    if len(input_shape) == 1:
        network = _perceptron(input_shape[0], n_outputs, standardize)
    elif len(input_shape) == 2:
        network = _convolutional((1, *input_shape), n_outputs, [standardize, _AddChannel()])
    elif len(input_shape) == 3:
        network = _convolutional(input_shape, n_outputs, [standardize])
    else:
        raise ValueError(
            'module="auto" takes X of shape (n, d), (n, h, w) or (n, channels, h, w); got samples '
            f"of shape {tuple(input_shape)}: pass a torch module."
        )
    if target_scale is not None:
        network.head = nn.Sequential(network.head, Rescale(*target_scale))
    return network


class _AddChannel(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.unsqueeze(1)


def _perceptron(n_columns: int, n_outputs: int, standardize: nn.Module) -> Network:
    width = min(256, max(32, 1 << (2 * n_columns - 1).bit_length()))
    features = nn.Sequential(
        standardize,
        nn.Linear(n_columns, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
    )
    return Network(features, nn.Linear(width, n_outputs))


def _convolutional(shape: tuple[int, ...], n_outputs: int, stem: list[nn.Module]) -> Network:
    channels, height, width = shape
    layers = list(stem)
    for n_filters in (16, 32, 64, 64, 64, 64):
        layers += [nn.Conv2d(channels, n_filters, 3, padding=1), nn.ReLU()]
        channels = n_filters
        if min(height, width) >= 2:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        if min(height, width) < 6 and n_filters > 16:
            break
    head = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, n_outputs))
    return Network(nn.Sequential(*layers), head)


# Layers of torch that compute the same in training and evaluation mode.
_SAME_IN_BOTH_MODES = {
    nn.Sequential,
    nn.Flatten,
    nn.Unflatten,
    nn.Identity,
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.LayerNorm,
    nn.GroupNorm,
    Standardize,
    Rescale,
    Network,
    _AddChannel,
    LinearMapping,
    LowRankMapping,
    MappedLayer,
    MappedModule,
    StackedLinear,
}


def mode_matters(module: nn.Module) -> bool:
    """Whether training mode may change what the module computes, or couple its samples.

    Only layers known not to care are trusted; a forward or a hook of a user's own may do anything.
    """
    return any(
        type(layer) not in _SAME_IN_BOTH_MODES or layer._forward_pre_hooks or layer._forward_hooks
        for layer in module.modules()
    )


def set_training(module: nn.Module) -> None:
    """Put a network in training mode, but for normalisation whose weights are frozen.

    Its running statistics belong to the weights: they stay as they are with
    ``requires_grad_(False)``.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    """
    module.train()
    for layer in module.modules():
        if isinstance(layer, _NormBase):
            weights = list(layer.parameters())
            if weights and not any(weight.requires_grad for weight in weights):
                layer.eval()


# Where the hooks are made that are there for a single pass.
_READING_HOOKS = "skexplain.penalties."


def let_go_of_graphs(module: nn.Module) -> None:
    """Detach what a forward has kept in attributes: graphs can be neither copied nor stored.

    An interrupt may also have left a hook behind by which penalties read a layer, or a forward that
    ends at the features: both are undone.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    """
    for layer in module.modules():
        if isinstance(layer, MappedLayer):
            layer.stops = False
        for name, value in vars(layer).items():
            if not name.startswith("_"):
                layer.__dict__[name] = _detached(value)
        for hooks in (layer._forward_pre_hooks, layer._forward_hooks):
            for key, hook in list(hooks.items()):
                function = getattr(hook, "func", hook)  # it may be a partial
                if getattr(function, "__module__", "").startswith(_READING_HOOKS):
                    del hooks[key]


def _detached(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach() if value.grad_fn is not None else value
    if type(value) in (list, tuple, set):
        return type(value)(map(_detached, value))
    if type(value) is dict:
        return {key: _detached(item) for key, item in value.items()}
    return value
