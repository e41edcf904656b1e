"""Data and networks that the benchmarks share."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

N_CLASSES, BATCH_SIZE, RANGE = 10, 64, (-4.0, 4.0)
#: Shape of a row of each network.
SHAPES = {"MLP": (784,), "CNN": (1, 28, 28)}


def make_network(name, n_columns=784):
    """Build one of two networks; the last convolution of the CNN is its layer 3."""
    if name == "MLP":
        return nn.Sequential(
            nn.Linear(n_columns, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, N_CLASSES),
        )
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, N_CLASSES),
    )


@dataclass(frozen=True)
class Data:
    """Rows of noise with labels and marks, half of the features irrelevant."""

    X: np.ndarray
    y: np.ndarray
    mask: np.ndarray

    def tensors(self, device):
        """Inputs, labels and irrelevance as a loop by hand has them: all on the device."""
        return (
            torch.from_numpy(self.X).to(device),
            torch.from_numpy(self.y).to(device),
            torch.from_numpy(self.mask).to(device, torch.float32),
        )


def make_data(n_rows, shape):
    """Draw rows of a shape."""
    rng = np.random.default_rng(0)
    return Data(
        rng.normal(size=(n_rows, *shape)).clip(*RANGE).astype(np.float32),
        rng.permutation(np.arange(n_rows) % N_CLASSES),
        rng.random((n_rows, *shape), dtype=np.float32) > 0.5,
    )
