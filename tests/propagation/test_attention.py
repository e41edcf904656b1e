"""Attention on intervals and decompositions; bounds of the functions are in _interval_rows."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skexplain.exceptions import UnsupportedOperationError
from skexplain.propagation import Decomposition, Interval, decompose, propagate_interval


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def block():
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).double().eval()


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.3])
def test_bounds_of_a_block_contain_every_sample(block, radius):
    x = draw(3, 5, 8)
    bounds = propagate_interval(block, x, torch.full_like(x, radius))
    for seed in range(60):
        step = (2 * torch.rand_like(x) - 1) if seed % 2 else torch.randn_like(x).sign()
        output = block(x + radius * step).detach()
        assert (bounds.lower <= output + 1e-9).all()
        assert (output <= bounds.upper + 1e-9).all()


def test_a_mean_of_values_never_leaves_them():
    q, v = draw(2, 4, 3), draw(2, 4, 3, seed=1)
    wide = Interval(10 * q, torch.full_like(q, 50.0))
    bounds = F.scaled_dot_product_attention(wide, wide, Interval(v, torch.full_like(v, 0.1)))
    assert (bounds.lower >= v.amin(1, keepdim=True) - 0.1 - 1e-12).all()
    assert (bounds.upper <= v.amax(1, keepdim=True) + 0.1 + 1e-12).all()


@pytest.mark.parametrize("padded", [False, True])
def test_contributions_to_a_block_add_up(block, padded):
    x, part = draw(3, 5, 8), torch.zeros(3, 5, 1, dtype=torch.float64)
    part[:, 1] = 1
    padding = torch.tensor([[False] * 4 + [padded]] * 3)

    def run(h):
        return block(h, src_key_padding_mask=padding)

    logits = decompose(run, part * x, (1 - part) * x)
    torch.testing.assert_close(logits.total, run(x))


def test_the_shares_of_a_product_are_shapley_values():
    q, k, v = (Decomposition(draw(2, 3, 4, seed=s), draw(2, 3, 4, seed=s + 9)) for s in range(3))
    linear = F.scaled_dot_product_attention(0 * q.total, 0 * k.total, v)  # uniform weights
    torch.testing.assert_close(linear.part, v.part.mean(1, keepdim=True).expand(2, 3, 4))
    # What the input in question does not reach contributes nothing, and the other way round.
    nothing = Decomposition(0 * v.part, v.total)
    keys = Decomposition(0 * k.part, k.total)
    out = F.scaled_dot_product_attention(Decomposition(0 * q.part, q.total), keys, nothing)
    assert out.part.abs().max() < 1e-12
    torch.testing.assert_close(out.rest, F.scaled_dot_product_attention(q.total, k.total, v.total))
    # v(whole) - v(rest) and v(part), averaged: of fixed weights times values that is their part.
    weights = (q.total @ k.total.mT / 2).softmax(-1)
    fixed = F.scaled_dot_product_attention(q.total, k.total, v)
    torch.testing.assert_close(fixed.part, weights @ v.part)


@pytest.mark.parametrize("kind", [Interval, Decomposition])
def test_what_has_no_rule_is_refused_by_name(kind):
    x = draw(2, 3, 4)
    value = kind(x, 0 * x)
    with pytest.raises(UnsupportedOperationError, match="'scaled_dot_product_attention'.*dropout"):
        F.scaled_dot_product_attention(value, value, value, dropout_p=0.5)
    attention = nn.MultiheadAttention(4, 2, add_bias_kv=True, batch_first=True).double().eval()
    with pytest.raises(UnsupportedOperationError, match="'multi_head_attention_forward'.*static"):
        attention(value, value, value, need_weights=False)
