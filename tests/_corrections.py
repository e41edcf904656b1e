"""Small networks whose corrections are known, and data that lead them astray."""

import numpy as np
import torch
from torch import nn

D = 6
MASK = np.arange(D)[None] == D - 1


class Biased(nn.Module):
    """The truth from the first column, and a shortcut from the last."""

    def __init__(self, shortcut=3.0):
        super().__init__()
        self.body = nn.Identity()
        self.head = nn.Linear(D, 2)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight[1, 0], self.head.weight[1, -1] = 1.0, shortcut
            self.head.bias.zero_()

    def forward(self, x):
        return self.head(self.body(x))


def make_data(n_samples=200, seed=0, agreement=0.9):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_samples)
    X = rng.normal(size=(n_samples, D))
    X[:, 0] += 2 * (2 * y - 1)
    X[:, -1] += 2 * (2 * np.where(rng.random(n_samples) < agreement, y, 1 - y) - 1)
    return X, y


def outputs(module, X):
    with torch.no_grad():
        return module(torch.from_numpy(X.astype(np.float32)))
