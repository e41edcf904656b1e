"""Rows as penalties see them, for tests that call a penalty by itself."""

import torch
from torch import nn

from skexplain.penalties import Rows
from skexplain.training._label_losses import CrossEntropyLoss


def make_rows(x, y, irrelevance, unit, lower=-3.0, upper=3.0):
    return Rows(
        x=x,
        y=y,
        irrelevance=irrelevance,
        known=None,
        unit=unit,
        mean=torch.zeros_like(unit),
        lower=torch.full_like(unit, lower),
        upper=torch.full_like(unit, upper),
        label_loss=CrossEntropyLoss(),
    )


def random_case(seed, n_rows=6, d=5, n_classes=2):
    generator = torch.Generator().manual_seed(seed)
    module = nn.Linear(d, n_classes).double()
    with torch.no_grad():
        module.weight.copy_(torch.randn(n_classes, d, generator=generator))
    x = torch.randn(n_rows, d, generator=generator, dtype=torch.float64)
    y = torch.randint(n_classes, (n_rows,), generator=generator)
    irrelevance = torch.rand(n_rows, d, generator=generator, dtype=torch.float64)
    irrelevance *= torch.rand(n_rows, d, generator=generator) > 0.4
    unit = torch.rand(1, d, generator=generator, dtype=torch.float64) + 0.5
    with torch.no_grad():  # last, so that nothing else is drawn otherwise
        module.bias.copy_(torch.randn(n_classes, generator=generator))
    return module, make_rows(x, y, irrelevance, unit)
