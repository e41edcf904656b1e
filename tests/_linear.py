"""A linear network whose weights are given, so that explanations are known in closed form."""

import torch
from torch import nn

from skexplain import ERMClassifier


class FixedLinear(nn.Module):
    """Outputs linear in the flattened row; training leaves the weights alone."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return nn.functional.linear(x.flatten(1), self.weight) + 0 * self.shift


def fixed_linear(weight, X, y, estimator=ERMClassifier, **params):
    return estimator(lambda: FixedLinear(weight), max_epochs=1, **params).fit(X, y)
