"""Check that penalties stay on the device of their samples, also where there is no such device.

Network and samples are on a device of torch's own that computes nothing; there, a tensor of the CPU
is an error.
"""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from skexplain._surroundings import differentiable_attention
from skexplain.penalties import (
    ActivationPenalty,
    AttentionPenalty,
    AverageCasePenalty,
    CertifiedPenalty,
    ConceptGradientPenalty,
    DecompositionPenalty,
    EnergyPenalty,
    GradCAMPenalty,
    HINTPenalty,
    InfluencePenalty,
    InputGradientPenalty,
    PatternPenalty,
    Penalty,
    Rows,
    WorstCasePenalty,
)
from skexplain.penalties._tokens import Tokens
from skexplain.training._label_losses import CrossEntropyLoss

pytestmark = pytest.mark.slow

ELSEWHERE = torch.device("meta")
N, CHANNELS, SIDE, TOKENS = 4, 3, 8, 6


class Convolutions(nn.Sequential):
    def __init__(self):
        super().__init__()
        self.add_module("first", nn.Conv2d(CHANNELS, 5, 3, padding=1))
        self.add_module("norm", nn.BatchNorm2d(5))
        self.add_module("relu", nn.ReLU())
        self.add_module("pool", nn.MaxPool2d(2))
        self.add_module("flat", nn.Flatten())
        self.add_module("head", nn.Linear(5 * SIDE**2 // 4, 3))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        x = self.embedding(ids.long())
        return self.head(self.attention(x, x, x)[0].mean(1))


def rows_elsewhere(shape, mask_shape, unit_shape, **values):
    unit, irrelevance = torch.empty(1, *unit_shape), torch.empty(N, *mask_shape)
    return Rows(
        x=torch.empty(N, *shape),
        y=torch.empty(N, dtype=torch.long),
        irrelevance=irrelevance,
        known=torch.empty(irrelevance.shape, dtype=torch.bool),
        unit=unit,
        mean=torch.empty_like(unit),
        lower=torch.empty_like(unit),
        upper=torch.empty_like(unit),
        label_loss=CrossEntropyLoss(),
        marks_parts=True,
        label_weight=torch.empty(N),
        sample_weight=torch.empty(N),
        **values,
    )


def images(n_marks=None):
    mask = (1, SIDE, SIDE) if n_marks is None else (n_marks,)
    return rows_elsewhere((CHANNELS, SIDE, SIDE), mask, (CHANNELS, 1, 1))


def texts(module):
    tokens = Tokens(module.embedding, None, 1)
    return rows_elsewhere((TOKENS,), (TOKENS,), (TOKENS,), tokens=tokens)


def value_elsewhere(penalty, module_class, make_rows):
    """Compute a penalty and its gradient; no number is computed, yet devices are compared."""
    penalty.check_parameters()
    with FakeTensorMode(allow_non_fake_inputs=True), ELSEWHERE:
        module = module_class().eval()
        rows, donors = make_rows(module), make_rows(module)
    # From here on, a tensor without a device is one of the CPU.
    with FakeTensorMode(allow_non_fake_inputs=True), differentiable_attention():
        value = penalty(module, rows, donors, torch.Generator())
        value.sum().backward()
    return value


PENALTIES = [
    *(
        AverageCasePenalty(perturbation, n_draws=2)
        for perturbation in ("swap", "gaussian", "uniform", "constant", "refill", "blank", "shift")
    ),
    AverageCasePenalty("blank", fill="mean"),
    AverageCasePenalty("shift", background="donor"),
    WorstCasePenalty(),
    WorstCasePenalty(random_start=False, clip=None),
    CertifiedPenalty(),
    CertifiedPenalty(bound="logits", clip=(0.0, 1.0)),
    InputGradientPenalty(),
    InputGradientPenalty(norm="share"),
    InputGradientPenalty(norm="l1", output="logit_true"),
    *(InputGradientPenalty(robust=kind) for kind in ("random", "adversarial", "certified")),
    DecompositionPenalty(),
    DecompositionPenalty("l1"),
    GradCAMPenalty("first"),
    EnergyPenalty("first"),
    HINTPenalty(layer="first"),
    HINTPenalty("input_gradient"),
    InfluencePenalty(),
    ActivationPenalty(["first"]),
    PatternPenalty("relu"),
    PatternPenalty("relu", output="signed_logits"),
]


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_of_images(penalty):
    value = value_elsewhere(penalty, Convolutions, lambda _: images())
    assert value.shape == (N,)
    assert value.device.type == ELSEWHERE.type


def test_of_concepts():
    penalty = ConceptGradientPenalty("relu", concepts=[[1.0] * 5, [0.0, 1.0, 0.0, 0.0, 0.0]])
    value = value_elsewhere(penalty, Convolutions, lambda _: images(n_marks=2))
    assert value.device.type == ELSEWHERE.type


# Which tokens an exchange draws depends on numbers, which are not there.
@pytest.mark.parametrize("query", [None, 0])
def test_of_the_attention_to_tokens(query):
    value = value_elsewhere(AttentionPenalty(query=query), Reader, texts)
    assert value.shape == (N,)
    assert value.device.type == ELSEWHERE.type


def test_a_tensor_of_the_cpu_is_found():
    class Careless(Penalty):
        def __call__(self, module, rows, donors=None, generator=None):
            return module(rows.x).sum(1) * torch.ones(len(rows.y))

    with pytest.raises(RuntimeError, match="device"):
        value_elsewhere(Careless(), Convolutions, lambda _: images())
