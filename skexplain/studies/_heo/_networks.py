"""The networks of Heo et al., by name."""

import math

from torch import nn

from ...training._architectures import Standardize
from .._modules import MODULES, mlp


def decoy_mlp(mean, sd, n_features=784, n_classes=10, width=256):
    """Perceptron with three hidden layers, on pixels of one channel that it standardises.

    Heo et al. have layers of 512 units, for three equal channels.

    Parameters
    ----------
    mean, sd : float
        Of all pixels.
    n_features, n_classes, width : int

    Returns
    -------
    nn.Sequential
    """
    flatten, *layers = mlp(n_features, n_classes, [width] * 3)
    return nn.Sequential(flatten, Standardize(mean, sd), *layers)


def four_layer_cnn(side, n_classes, width, mean=0.0, sd=1.0, n_channels=3, init_factor=None):
    """Four convolutions, two of which halve the picture, and two hidden layers.

    Parameters
    ----------
    side, n_classes, width : int
        Pixels along an edge, classes, and units of a hidden layer.
    mean, sd : float or array-like of shape (n_channels, 1, 1), default=0.0, 1.0
        Of the pixels: the network standardises.
    n_channels : int, default=3
    init_factor : float or None, default=None
        Draw weights with a standard deviation of ``init_factor * sqrt(2 / weight.shape[1])`` and
        set biases to 0; None: as torch does.

    Returns
    -------
    nn.Sequential
    """
    network = nn.Sequential(
        Standardize(mean, sd),
        *(nn.Conv2d(n_channels, 32, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 32, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(64, 64, 4, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64 * (side // 4) ** 2, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, n_classes),
    )
    if init_factor is not None:
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=init_factor * math.sqrt(2 / parameter.shape[1]))
    return network


MODULES.update({"decoy-mlp": decoy_mlp, "four-layer-cnn": four_layer_cnn})
