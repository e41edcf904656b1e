"""Check IBP-Ex against the closed form of a linear model, and that its bound holds for every
perturbation.
"""

import dataclasses

import hypothesis.strategies as st
import pytest
import torch
from _rows import make_rows, random_case
from hypothesis import given, settings
from torch import nn

from skexplain.exceptions import UnsupportedOperationError
from skexplain.penalties import CertifiedPenalty, WorstCasePenalty
from skexplain.penalties._box import irrelevant_box
from skexplain.training._label_losses import FocalLoss, regression_loss


def deep_case(seed):
    """The rows of a random case beside a network with a hidden layer and three classes."""
    _, rows = random_case(seed, n_classes=3)
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module, rows


@pytest.mark.parametrize("bound", ["margin", "logits"])
def test_closed_form_of_a_linear_model(bound):
    """The margin falls by epsilon |(w_1 - w_0) u a|_1; bounds on each logit add their radii."""
    module, rows = random_case(0)
    epsilon = 0.3
    value = CertifiedPenalty(epsilon, bound, clip=None)(module, rows)
    logits = module(rows.x)
    margin = (logits.gather(1, rows.y[:, None]) - logits.gather(1, 1 - rows.y[:, None]))[:, 0]
    reach = epsilon * rows.unit * rows.irrelevance
    if bound == "margin":
        lost = (reach * (module.weight[0] - module.weight[1]).abs()).sum(1)
    else:
        lost = (reach * module.weight.abs().sum(0)).sum(1)
    torch.testing.assert_close(value, nn.functional.softplus(lost - margin))


def test_the_ascent_reaches_the_bound_of_a_linear_model():
    module, rows = random_case(1)
    found = WorstCasePenalty(0.7, clip="data", n_steps=10)(
        module, rows, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(CertifiedPenalty(0.7)(module, rows), found)


@given(
    seed=st.integers(0, 1000),
    epsilon=st.sampled_from([0.0, 0.1, 1.0, float("inf")]),
    bound=st.sampled_from(["margin", "logits"]),
    focal=st.booleans(),
)
@settings(max_examples=25)
def test_no_perturbation_costs_more(seed, epsilon, bound, focal):
    module, rows = deep_case(seed)
    if focal:
        rows = dataclasses.replace(rows, label_loss=FocalLoss())
    value = CertifiedPenalty(epsilon, bound)(module, rows)
    low, high = irrelevant_box(rows, epsilon, "data")
    generator = torch.Generator().manual_seed(seed)
    for _ in range(20):
        share = torch.rand(low.shape, generator=generator, dtype=low.dtype)
        for moved in (low.lerp(high, share), torch.where(share < 0.5, low, high)):
            assert (rows.label_loss(module(moved), rows.y) <= value + 1e-9).all()
    margin = CertifiedPenalty(epsilon, "margin")(module, rows)
    assert (margin <= CertifiedPenalty(epsilon, "logits")(module, rows) + 1e-9).all()


@given(seed=st.integers(0, 1000), bound=st.sampled_from(["margin", "logits"]))
@settings(max_examples=15)
def test_grows_with_epsilon_from_the_label_loss(seed, bound):
    module, rows = deep_case(seed)
    values = [CertifiedPenalty(e, bound, clip=None)(module, rows) for e in (0, 0.1, 0.5, 2.0)]
    torch.testing.assert_close(values[0], rows.label_loss(module(rows.x), rows.y))
    for smaller, larger in zip(values, values[1:], strict=False):
        assert (smaller <= larger + 1e-9).all()


def test_the_ramp_grows_the_box():
    module, rows = deep_case(0)
    whole = CertifiedPenalty(0.8, clip=None)
    torch.testing.assert_close(
        whole.at_progress(0.25)(module, rows), CertifiedPenalty(0.2, clip=None)(module, rows)
    )
    torch.testing.assert_close(
        whole.at_progress(0)(module, rows), rows.label_loss(module(rows.x), rows.y)
    )
    assert whole.at_progress(0.25).get_params() == whole.get_params()
    infinite = CertifiedPenalty(float("inf")).at_progress(0.5)
    assert infinite(module, rows).isfinite().all()


@pytest.mark.parametrize("bound", ["margin", "logits"])
def test_squared_error_at_the_farther_end(bound):
    module = nn.Linear(2, 1).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[2.0, -3.0]]))
        module.bias.zero_()
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([5.0, 0.0, 0.0], dtype=torch.float64)
    a = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    rows = make_rows(x, y, a, torch.ones(1, 2, dtype=torch.float64))
    rows = dataclasses.replace(rows, label_loss=regression_loss("squared_error"))
    # Predictions 2 +- 1.5 and 0 +- 1.5: the ends farther from 5, 0, 0 are .5, 3.5 and 1.5 away.
    value = CertifiedPenalty(0.5, bound, clip=None)(module, rows)
    assert value.tolist() == pytest.approx([4.5**2, 3.5**2, 1.5**2])


def test_gradients_reach_every_weight():
    module, rows = deep_case(3)
    module.insert(1, nn.BatchNorm1d(7).double())
    module.eval()
    CertifiedPenalty(0.5)(module, rows).sum().backward()
    for name, parameter in module.named_parameters():
        # A bias that all logits share cancels in the margins, no other does.
        assert parameter.grad.abs().max() > 0, name


def test_what_intervals_do_not_know_is_refused_before_training():
    class Bessel(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(x)

    with pytest.raises(
        UnsupportedOperationError, match=r"'special_bessel_j0'.*register_interval_rule"
    ):
        CertifiedPenalty().check_module(Bessel(), torch.zeros(2, 3))
