"""The networks of the papers, by name."""

from functools import partial

from torch import nn


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


MODULES = {
    "small-cnn": small_cnn,
    "bird-cnn": bird_cnn,
    "ross-mlp": ross_mlp,
    "mlp": mlp,
}


def make_module(spec):
    """Return what an estimator takes as `module`.

    Parameters
    ----------
    spec : str or dict
        "auto", a name in `MODULES`, or a dict of ``name`` and arguments.

    Returns
    -------
    str or callable

    Raises
    ------
    ValueError
        If there is no such module.
    """
    if spec == "auto":
        return spec
    spec = {"name": spec} if isinstance(spec, str) else dict(spec)
    return partial(look_up("module", spec.pop("name"), MODULES), **spec)


def look_up(what, name, known):
    """Return what a name stands for in a declaration.

    Parameters
    ----------
    what : str
        Entry of the declaration, for the error.
    name : str
    known : dict of str to object

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if name not in known:
        raise ValueError(f"{what} must be one of {list(known)}, got {name!r}.")
    return known[name]
