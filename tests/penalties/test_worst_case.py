"""Check PGD-Ex against the closed form of a linear model, and that nothing moves but what may."""

import math

import hypothesis.strategies as st
import pytest
import torch
from _rows import make_rows, random_case
from hypothesis import given, settings
from torch import nn

from skexplain.penalties import WorstCasePenalty
from skexplain.training._label_losses import CrossEntropyLoss


@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize("step_size", [None, 0.1])
def test_linear_model_loses_the_dual_norm_of_its_margin(random_start, step_size):
    """The worst margin is lowered by exactly epsilon * |w * u * a|_1."""
    module, rows = random_case(0)
    epsilon = 0.3
    penalty = WorstCasePenalty(epsilon, 10, step_size, random_start, clip=None)
    moved = penalty.move(module, rows, generator=torch.Generator().manual_seed(0))

    def margin(x):
        logits = module(x)
        true = logits.gather(1, rows.y[:, None])[:, 0]
        other = logits.gather(1, 1 - rows.y[:, None])[:, 0]
        return true - other

    difference = module.weight[rows.y] - module.weight[1 - rows.y]
    lost = epsilon * (difference * rows.unit * rows.irrelevance).abs().sum(1)
    torch.testing.assert_close(margin(moved), margin(rows.x) - lost)
    expected = nn.functional.softplus(-(margin(rows.x) - lost))
    generator = torch.Generator().manual_seed(0)
    torch.testing.assert_close(penalty(module, rows, generator=generator), expected)


@given(
    seed=st.integers(0, 1000),
    epsilon=st.sampled_from([0.0, 0.1, 1.0, 10.0, math.inf]),
    n_steps=st.integers(1, 4),
    step_size=st.sampled_from([None, 0.05, 3.0]),
    random_start=st.booleans(),
    clip=st.sampled_from(["data", (-1.0, 1.0)]),
)
@settings(max_examples=60)
def test_every_iterate_stays_in_the_box(seed, epsilon, n_steps, step_size, random_start, clip):
    module, rows = random_case(seed)
    iterates = []

    def recording(x):
        iterates.append(x.detach().clone())
        return module(x)

    penalty = WorstCasePenalty(epsilon, n_steps, step_size, random_start, clip)
    moved = penalty.move(recording, rows, generator=torch.Generator().manual_seed(seed))
    lower, upper = (-3.0, 3.0) if clip == "data" else clip
    still = rows.irrelevance == 0
    for x in [*iterates, moved]:
        # Not even rounding may touch a relevant feature.
        assert torch.equal(x[still], rows.x[still])
        radius = torch.where(still, 0.0, epsilon * rows.irrelevance * rows.unit)
        assert ((x - rows.x).abs() <= radius + 1e-12).all()
        inside = (x >= rows.x.clamp(max=lower)) & (x <= rows.x.clamp(min=upper))
        assert inside.all()
    assert len(iterates) == n_steps


def test_without_irrelevant_features_it_is_the_label_loss():
    module, rows = random_case(1)
    blank = make_rows(rows.x, rows.y, torch.zeros(1, 5, dtype=torch.float64), rows.unit)
    value = WorstCasePenalty(epsilon=math.inf)(
        module, blank, generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(value, CrossEntropyLoss()(module(rows.x), rows.y))


def test_ascent_takes_gradients_of_the_input_only():
    module, rows = random_case(2)
    WorstCasePenalty(1.0, 3).move(module, rows, generator=torch.Generator().manual_seed(0))
    assert all(parameter.grad is None for parameter in module.parameters())


def test_ascent_does_not_lower_the_loss_of_a_smooth_net():
    """More steps find a loss at least as high, and higher than the clean one."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    _, rows = random_case(3, n_rows=50)
    clean = CrossEntropyLoss()(module(rows.x), rows.y)
    worst = WorstCasePenalty(1.0, 10, 0.1, random_start=False)(module, rows)
    # Measured: 0.25 higher on average.
    assert (worst - clean).mean() > 0.1
    movable = (rows.irrelevance > 0).any(1)
    assert (worst >= clean - 1e-9)[movable].double().mean() > 0.95


def test_equal_generators_give_equal_moves():
    module, rows = random_case(4)
    penalty = WorstCasePenalty(1.0, 1)
    moves = [
        penalty.move(module, rows, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(moves[0], moves[1])
    assert (
        WorstCasePenalty(1.0, 1, 1e-6)
        .move(module, rows, generator=torch.Generator().manual_seed(0))
        .ne(
            WorstCasePenalty(1.0, 1, 1e-6).move(
                module, rows, generator=torch.Generator().manual_seed(1)
            )
        )
        .any()
    )
