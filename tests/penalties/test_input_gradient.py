"""Check Grad-Reg against closed forms and finite differences, also through layers without a simple
second derivative.
"""

import numpy as np
import pytest
import torch
from torch import nn

from skexplain.penalties import InputGradientPenalty, Rows
from skexplain.penalties._input_gradient import OUTPUTS


def make_rows(x, y, irrelevance, unit=1.0):
    one = torch.ones((), dtype=x.dtype)
    return Rows(
        x=x,
        y=y,
        irrelevance=irrelevance,
        known=None,
        unit=unit * one,
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=None,
    )


@pytest.fixture
def softmax_regression():
    """A linear model with 3 classes on 5 columns, in double precision, and rows for it."""
    torch.manual_seed(0)
    module = nn.Linear(5, 3).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    y = torch.randint(3, (7,))
    irrelevance = torch.rand(7, 5, dtype=torch.float64) * (torch.rand(7, 5) > 0.3)
    unit = torch.rand(1, 5, dtype=torch.float64) + 0.5
    return module, make_rows(x, y, irrelevance, unit)


def closed_form_gradient(output, module, rows):
    """Gradient of the output by hand: d log p_k / dx = W_k - sum_j p_j W_j."""
    weight = module.weight.detach()
    p = module(rows.x).softmax(1).detach()
    mean_weight = p @ weight  # (rows, d)
    winner = p.argmax(1)
    n_classes = len(weight)
    if output in ("auto", "log_prob_sum"):
        return weight.sum(0) - n_classes * mean_weight
    if output == "logit_true":
        return weight[rows.y] - weight.mean(0)
    if output == "log_prob_max":
        return weight[winner] - mean_weight
    if output == "log_prob_true":
        return weight[rows.y] - mean_weight
    if output == "prob_max":
        return p.amax(1, keepdim=True) * (weight[winner] - mean_weight)
    if output == "prob_sum":
        return torch.zeros_like(mean_weight)
    return weight.sum(0).expand_as(mean_weight)


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_equals_the_closed_form_of_softmax_regression(output, norm, softmax_regression):
    module, rows = softmax_regression
    scaled = rows.irrelevance * rows.unit * closed_form_gradient(output, module, rows)
    expected = (scaled.abs() if norm == "l1" else scaled**2).sum(1)
    value = InputGradientPenalty(output, norm)(module, rows)
    torch.testing.assert_close(value.detach(), expected, atol=1e-12, rtol=1e-9)


def test_one_sided_gradients_add_up_to_both(softmax_regression):
    module, rows = softmax_regression
    positive, negative, both = (
        InputGradientPenalty("log_prob_true", "l1", sign)(module, rows).detach()
        for sign in ("positive", "negative", "both")
    )
    assert (positive > 0).any()
    assert (negative > 0).any()
    torch.testing.assert_close(positive + negative, both)
    gradient = closed_form_gradient("log_prob_true", module, rows)
    scaled = rows.irrelevance * rows.unit * gradient
    torch.testing.assert_close(positive, scaled.clamp(min=0).sum(1))


def test_log_prob_sum_is_the_gradient_of_cross_entropy_to_uniform():
    """grad sum_k log p_k = -K grad CE(uniform || p) = K grad(mean z - logsumexp z)."""
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 5)).double()
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    logits = module(x)
    n_classes = 5
    uniform = torch.full_like(logits, 1 / n_classes)
    cross_entropy = nn.functional.cross_entropy(logits, uniform, reduction="sum")
    (by_entropy,) = torch.autograd.grad(cross_entropy, x, retain_graph=True)
    mean_minus_lse = (logits.mean(1) - logits.logsumexp(1)).sum()
    (by_logits,) = torch.autograd.grad(mean_minus_lse, x)
    rows = make_rows(x.detach(), torch.zeros(6, dtype=torch.long), torch.ones(1, 4).double())
    value = InputGradientPenalty()(module, rows).detach()
    torch.testing.assert_close(value, (n_classes * by_entropy).square().sum(1))
    torch.testing.assert_close(value, (n_classes * by_logits).square().sum(1))


def test_gradgradcheck():
    """The derivative of the penalty with respect to the weights, by finite differences."""
    torch.manual_seed(2)
    x = torch.randn(3, 4, dtype=torch.float64)
    y = torch.tensor([0, 1, 2])
    rows = make_rows(x, y, torch.rand(3, 4, dtype=torch.float64))

    def module_of(w1, w2):
        return lambda inputs: torch.tanh(inputs @ w1) @ w2

    def penalty(w1, w2):
        return InputGradientPenalty()(module_of(w1, w2), rows)

    weights = [torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((4, 6), (6, 3))]
    assert torch.autograd.gradcheck(penalty, weights)
    assert torch.autograd.gradgradcheck(penalty, weights)


@pytest.mark.parametrize("norm", ["l2", "l1"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_zero_masks_give_zero_and_no_nan(output, norm):
    torch.manual_seed(3)
    # A dead ReLU and a mask of nothing: where a norm with a root has no gradient.
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.constant_(module[0].bias, -100.0)
    x = torch.randn(5, 4)
    rows = make_rows(x, torch.zeros(5, dtype=torch.long), torch.zeros(1, 4))
    value = InputGradientPenalty(output, norm)(module, rows)
    assert torch.equal(value, torch.zeros(5))
    if value.requires_grad:
        value.sum().backward()
    for parameter in module.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_prob_sum_has_no_gradient(softmax_regression):
    module, rows = softmax_regression
    value = InputGradientPenalty("prob_sum")(module, rows)
    assert value.abs().max() < 1e-25


class SmallTransformer(nn.Module):
    def __init__(self, n_classes=3):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1)
        self.head = nn.Linear(8, n_classes)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class FusedAttention(nn.Module):
    """Calls the fused kernel as a user's own forward would."""

    def __init__(self, n_classes=3):
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.head = nn.Linear(8, n_classes)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.head(nn.functional.scaled_dot_product_attention(q, k, v).mean(1))


class ResidualNet(nn.Module):
    def __init__(self, n_classes=3):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, n_classes)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = x + nn.functional.dropout(torch.relu(self.second(x)), 0.5, self.training)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("module_class", "shape"),
    [(SmallTransformer, (5, 8)), (FusedAttention, (5, 8)), (ResidualNet, (2, 6, 6))],
)
def test_differentiates_twice_through(module_class, shape):
    torch.manual_seed(4)
    module = module_class().double().eval()
    x = torch.randn(4, *shape, dtype=torch.float64)
    rows = make_rows(x, torch.zeros(4, dtype=torch.long), torch.ones(1, 1, 1).double())
    penalty = InputGradientPenalty()
    penalty(module, rows).sum().backward()
    parameter = next(p for p in module.parameters() if p.grad is not None and p.grad.abs().max())
    # One weight by central differences.
    index = tuple(
        i.item() for i in torch.nonzero(parameter.grad.abs() == parameter.grad.abs().max())[0]
    )
    step, values = 1e-5, []
    with torch.no_grad():
        original = parameter[index].item()
    for sign in (1, -1):
        with torch.no_grad():
            parameter[index] = original + sign * step
        values.append(penalty(module, rows).sum().item())
    numeric = (values[0] - values[1]) / (2 * step)
    assert numeric == pytest.approx(parameter.grad[index].item(), rel=1e-4)


def test_rows_do_not_couple():
    torch.manual_seed(5)
    module = ResidualNet().eval()
    x = torch.randn(6, 2, 6, 6)
    y = torch.zeros(6, dtype=torch.long)
    mask = torch.ones(1, 1, 6, 6)
    together = InputGradientPenalty()(module, make_rows(x, y, mask)).detach()
    alone = [InputGradientPenalty()(module, make_rows(x[i : i + 1], y[:1], mask)) for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone).detach())


def test_shared_forward_gives_the_same_terms():
    from skexplain.penalties._base import point_at
    from skexplain.training._method import Term
    from skexplain.training._terms import evaluate_terms

    torch.manual_seed(6)
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    rows = make_rows(torch.randn(5, 4), torch.zeros(5, dtype=torch.long), torch.ones(1, 4))
    terms = [Term("input_gradient", InputGradientPenalty(), 1.0)]
    own = evaluate_terms(terms, module, rows)["input_gradient"]
    shared = evaluate_terms(terms, module, rows, clean=point_at(module, rows.x))["input_gradient"]
    np.testing.assert_array_equal(own.detach(), shared.detach())
