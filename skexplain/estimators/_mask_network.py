"""A small convolutional network that predicts which pixels of an image are irrelevant."""

import math

import torch
from torch import nn

_N_BINS = 8
_WIDTH = 16


class MaskNetwork(nn.Module):
    """Predicts the degree of irrelevance of each pixel, as a logit.

    Pixels enter as soft memberships in bins of their values: a faint grey then differs from black
    as clearly as white does, and a rule may hold for some greys alone.  Dilations double until they
    span the image, each block also sees the mean of all pixels, and two channels hold the place:
    what is in one half may depend on the other half only.

    Parameters
    ----------
    n_channels, n_outputs : int
        Channels of the image and of the mask.
    side : int
        Length of the longer side of the images.
    """

    def __init__(self, n_channels: int, n_outputs: int, side: int) -> None:
        super().__init__()
        self.arguments = n_channels, n_outputs, side
        self.stem = nn.Conv2d(n_channels * _N_BINS + 2, _WIDTH, 3, padding=1)
        n_blocks = max(1, math.ceil(math.log2(side)))
        self.blocks = nn.Sequential(*(_Block(1 << i) for i in range(n_blocks)))
        self.head = nn.Conv2d(_WIDTH, n_outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits (n_samples, n_outputs, h, w) from values that mostly lie in [0, 1]."""
        bins = torch.arange(_N_BINS, device=x.device).view(1, 1, -1, 1, 1)
        distance = x.clamp(0, 1).unsqueeze(2) * (_N_BINS - 1) - bins
        encoded = torch.exp(-distance.square()).flatten(1, 2)
        inputs = torch.cat([encoded, _places(x)], dim=1)
        return self.head(self.blocks(torch.relu(self.stem(inputs))))


class _Block(nn.Module):
    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.local = nn.Conv2d(_WIDTH, _WIDTH, 3, padding=dilation, dilation=dilation)
        self.context = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        context = self.context(x.mean((2, 3)))[:, :, None, None]
        return x + torch.relu(self.local(x) + context)


def _places(x: torch.Tensor) -> torch.Tensor:
    """Row and column of each pixel, from -1 to 1; shape (n_samples, 2, h, w)."""
    axes = [torch.linspace(-1, 1, length, device=x.device) for length in x.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).expand(len(x), -1, -1, -1)
