"""The networks of the papers."""

import math

from torch import nn

from skexplain.training._architectures import Standardize


def small_cnn(n_channels=1, side=64, n_classes=2):
    """Three convolutions of 8, 16 and 16 channels with max-pooling, and a linear layer.

    Tao & Shokri say "3 conv + 1 FC" for their synthetic data; the widths are ours.

    Parameters
    ----------
    n_channels, side, n_classes : int
        Of the images, and of the output.

    Returns
    -------
    nn.Module
    """
    return _conv_net((8, 16, 16), n_channels, side, n_classes)


def shapes_cnn(init="torch", output="softmax"):
    """Return `small_cnn` with other initial weights or one output.

    Parameters
    ----------
    init : {"torch", "glorot", "normal"}, default="torch"
        Initial weights: those of torch; uniform as by Glorot and Bengio, the default of Keras; or
        normal with standard deviation .05.  With the latter two biases are 0.
    output : {"softmax", "sigmoid"}, default="softmax"
        Two outputs, or one, whose sigmoid is the probability of class 1: beside a 0 for class 0 its
        cross entropy is the binary one.

    Returns
    -------
    nn.Sequential
    """
    network = small_cnn(n_classes=2 if output == "softmax" else 1)
    if init != "torch":
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif init == "glorot":
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.normal_(parameter, std=0.05)
    return network if output == "softmax" else nn.Sequential(*network, _BesideZero())


class _BesideZero(nn.Module):
    """Put a 0 before the one output of a network: the logits of two classes."""

    def forward(self, x):
        return nn.functional.pad(x, (1, 0))


def bird_cnn(n_channels=3, side=64, n_classes=2):
    """Two convolutions of 8 and 16 channels with max-pooling, and a linear layer.

    Tao & Shokri say "2 conv + 1 FC" for their birds; the widths are ours.

    Parameters
    ----------
    n_channels, side, n_classes : int
        Of the images, and of the output.

    Returns
    -------
    nn.Module
    """
    return _conv_net((8, 16), n_channels, side, n_classes)


def _conv_net(widths, n_channels, side, n_classes):
    """Convolve and halve the side once per width, then a linear layer."""
    layers = []
    for n_in, n_out in zip((n_channels, *widths), widths, strict=False):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    n_features = widths[-1] * (side // 2 ** len(widths)) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_features, n_classes))


def ross_mlp(n_features=784, n_classes=10, hidden=(50, 30)):
    """Perceptron of Ross et al.: all weights and biases are drawn from N(0, 0.1^2).

    Parameters
    ----------
    n_features, n_classes : int
    hidden : tuple of int

    Returns
    -------
    nn.Module
    """
    network = mlp(n_features, n_classes, hidden)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


def mlp(n_features, n_classes, hidden):
    """Perceptron with ReLU on flattened inputs.

    Parameters
    ----------
    n_features, n_classes : int
    hidden : tuple of int

    Returns
    -------
    nn.Module
    """
    widths = [n_features, *hidden]
    layers = [nn.Flatten()]
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], n_classes))


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
