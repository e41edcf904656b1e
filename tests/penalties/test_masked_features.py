"""Check the divergence of two-stage optimisation by hand, and that it is zero where nothing is
irrelevant.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from skexplain.penalties import MaskedFeaturePenalty, Rows

FILLS = [0.0, 2.5, "mean", [1.0, 2.0, 3.0, 4.0]]


class Mapped(nn.Module):
    """Features and a mapping, as the penalty needs them."""

    def __init__(self, mapping):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 6), nn.Tanh()).double()
        self.mapping = mapping.double()


def make_case(seed, irrelevance=None, mapping=None):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(5, 4, dtype=torch.float64, generator=generator)
    if irrelevance is None:
        irrelevance = torch.rand(5, 4, dtype=torch.float64, generator=generator)
        irrelevance *= torch.rand(5, 4, generator=generator) > 0.4
    one = torch.ones(1, 4, dtype=torch.float64)
    rows = Rows(
        x=x,
        y=torch.zeros(5, dtype=torch.long),
        irrelevance=irrelevance,
        known=None,
        unit=one,
        mean=0.3 * one,
        lower=-one,
        upper=one,
        label_loss=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Mapped(nn.Linear(6, 6) if mapping is None else mapping), rows


@given(st.integers(0, 1000), st.sampled_from(FILLS))
def test_fills_what_is_irrelevant_and_leaves_the_rest_to_the_bit(seed, fill):
    _, rows = make_case(seed)
    filled = MaskedFeaturePenalty(fill).mask_rows(rows)
    still = rows.irrelevance == 0
    assert torch.equal(filled[still], rows.x[still])
    value = torch.tensor(0.3 if fill == "mean" else fill, dtype=torch.float64).expand(5, 4)
    between = torch.lerp(rows.x, value, rows.irrelevance)
    torch.testing.assert_close(filled, between)


def test_equals_the_divergence_by_hand():
    module, rows = make_case(0)
    inside = module.features(rows.x * (1 - rows.irrelevance)).softmax(1)
    mapped = module.mapping(module.features(rows.x)).softmax(1)
    expected = (inside * (inside / mapped).log()).sum(1)
    value = MaskedFeaturePenalty()(module, rows)
    torch.testing.assert_close(value, expected)
    assert (value > 0).all()


@pytest.mark.parametrize("fill", FILLS)
def test_nothing_irrelevant_and_no_mapping_is_no_divergence(fill):
    blank = torch.zeros(1, 4, dtype=torch.float64)
    module, rows = make_case(0, blank, nn.Identity())
    value = MaskedFeaturePenalty(fill)(module, rows)
    assert torch.equal(value, torch.zeros(5, dtype=torch.float64))
    value.sum().backward()
    for parameter in module.parameters():
        torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter))


@pytest.mark.parametrize("train_features", [True, False])
def test_gradients_reach_the_features_on_request(train_features):
    module, rows = make_case(0)
    MaskedFeaturePenalty(train_features=train_features)(module, rows).sum().backward()
    assert all(parameter.grad is not None for parameter in module.mapping.parameters())
    reached = [parameter.grad is not None for parameter in module.features.parameters()]
    assert reached == [train_features] * 2


def test_rows_do_not_couple():
    module, rows = make_case(0)
    _, one = make_case(0)
    one = Rows(**{**vars(one), "x": one.x[2:3], "irrelevance": one.irrelevance[2:3]})
    penalty = MaskedFeaturePenalty()
    torch.testing.assert_close(penalty(module, one)[0], penalty(module, rows)[2])
