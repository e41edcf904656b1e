"""Check the influence penalty against closed forms, a loop by hand and finite differences."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call

from skexplain.penalties import Rows
from skexplain.penalties._base import point_at
from skexplain.penalties._influence import InfluencePenalty, _ComposedNorms
from skexplain.training._label_losses import CrossEntropyLoss


class Binary(nn.Module):
    """Logistic regression as two logits, 0 and z."""

    def __init__(self, d):
        super().__init__()
        self.linear = nn.Linear(d, 1)

    def forward(self, x):
        return nn.functional.pad(self.linear(x), (1, 0))


class Standardized(nn.Module):
    def __init__(self, net, scale):
        super().__init__()
        self.net, self.scale = net, scale

    def forward(self, x):
        return self.net(x / self.scale)


class ResidualNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.tanh(self.norm(self.first(x)))
        x = self.pool(x + nn.functional.gelu(self.second(x)))
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class Normalized(nn.Module):
    """Every norm whose statistics depend on the row, as layers and as functions."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(2, 4, 2)
        self.instance = nn.InstanceNorm1d(4, affine=True)
        self.tracked = nn.InstanceNorm1d(4, affine=True, track_running_stats=True)
        self.layer = nn.LayerNorm((4, 4))
        self.group = nn.GroupNorm(2, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = self.tracked(self.instance(torch.tanh(self.first(x))))
        x = nn.functional.layer_norm(torch.tanh(self.layer(x)), (4,))
        return self.head(torch.tanh(self.group(x)).mean(2))


def build(factory, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory().double().eval()


def perceptron():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def random_rows(shape=(6, 4), n_classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    irrelevance = torch.rand(shape, dtype=torch.float64, generator=generator)
    irrelevance *= torch.rand(shape, generator=generator) > 0.3
    one = torch.ones((), dtype=torch.float64)
    return Rows(
        x=torch.randn(shape, dtype=torch.float64, generator=generator),
        y=torch.randint(n_classes, shape[:1], generator=generator),
        irrelevance=irrelevance,
        known=None,
        unit=torch.rand((1, *shape[1:]), dtype=torch.float64, generator=generator) + 0.5,
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=CrossEntropyLoss(),
    )


def test_equals_the_closed_form_of_logistic_regression():
    """sum_j dl/dtheta_j = (sigma - y)(1 + sum_d x_d), as the weights and the bias see the error."""
    net, rows = build(lambda: Binary(4)), random_rows(n_classes=2)
    w = net.linear.weight
    sigma = net.linear(rows.x).sigmoid()
    through_sigma = sigma * (1 - sigma) * w * (1 + rows.x.sum(1, keepdim=True))
    influence = through_sigma + sigma - rows.y[:, None]
    gradient = (1 - 2 * sigma) * w
    expected = (rows.irrelevance * rows.unit**2 * influence * gradient).square().sum(1)
    value = InfluencePenalty()(net, rows)
    assert (value > 1e-4).any()
    torch.testing.assert_close(value, expected)


def test_errors_of_softmax_regression_cancel():
    """sum_k (p_k - y_k) = 0: a last linear layer has no influence in sum."""
    net, rows = build(lambda: nn.Linear(4, 3)), random_rows()
    assert InfluencePenalty()(net, rows).max() < 1e-25
    # So the head of a perceptron adds nothing either, and only what is below it counts.
    net = build(perceptron)
    value = InfluencePenalty()(net, rows)
    net[2].requires_grad_(False)
    assert (value > 1e-8).all()
    torch.testing.assert_close(InfluencePenalty()(net, rows), value)


def loop(net, rows):
    """Row by row and parameter by parameter."""
    values = []
    for i in range(len(rows.x)):
        one = rows.take(torch.tensor([i]))
        point = point_at(net, one.x)
        x, logits = point.x, point.logits
        loss = nn.functional.cross_entropy(logits, one.y)
        influence = torch.zeros_like(x)
        for parameter in net.parameters():
            if not parameter.requires_grad:
                continue
            (by_parameter,) = torch.autograd.grad(loss, parameter, create_graph=True)
            for entry in by_parameter.flatten():
                (by_x,) = torch.autograd.grad(entry, x, retain_graph=True, allow_unused=True)
                influence += 0 if by_x is None else by_x
        (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), x)
        product = one.irrelevance * one.unit * influence * one.unit * gradient
        values.append(product.square().sum())
    return torch.stack(values)


@pytest.mark.parametrize(
    ("factory", "shape"),
    [
        (perceptron, (6, 4)),
        (ResidualNet, (3, 2, 4, 4)),
        (Attention, (2, 3, 8)),
        (Normalized, (2, 2, 5)),
    ],
)
def test_equals_a_loop_over_rows_and_parameters(factory, shape):
    net, rows = build(factory), random_rows(shape)
    value = InfluencePenalty()(net, rows)
    assert (value > 1e-12).all()
    torch.testing.assert_close(value, loop(net, rows), atol=0, rtol=1e-7)


def test_parameters_that_are_not_trained_are_left_out():
    net, rows = build(perceptron), random_rows()
    everything = InfluencePenalty()(net, rows)
    net[0].weight.requires_grad_(False)
    value = InfluencePenalty()(net, rows)
    torch.testing.assert_close(value, loop(net, rows))
    assert ((value - everything).abs() > 1e-3 * everything).all()


def test_equals_finite_differences():
    """The influence, by moving each feature and all parameters together."""
    net, rows = build(perceptron), random_rows((3, 4))
    weights = [parameter.detach().clone() for parameter in net.parameters()]
    names = [name for name, _ in net.named_parameters()]
    step = 1e-4

    def loss(x, along):
        moved = dict(zip(names, [weight + along for weight in weights], strict=True))
        return nn.functional.cross_entropy(
            functional_call(net, moved, (x,)), rows.y, reduction="none"
        )

    def log_probability(x):
        return net(x).log_softmax(1).sum(1)

    expected = torch.zeros(3, dtype=torch.float64)
    for d in range(4):
        delta = step * torch.eye(4, dtype=torch.float64)[d]
        up, down = rows.x + delta, rows.x - delta
        slope = (log_probability(up) - log_probability(down)) / (2 * step)
        corners = loss(up, step) - loss(up, -step) - loss(down, step) + loss(down, -step)
        influence = corners / (4 * step**2)
        expected += (rows.irrelevance[:, d] * rows.unit[0, d] ** 2 * slope * influence).square()
    value = InfluencePenalty()(net, rows).detach()
    torch.testing.assert_close(value, expected.detach(), atol=0, rtol=1e-4)


@pytest.mark.parametrize(
    ("factory", "shape"),
    [
        (perceptron, (3, 4)),
        (ResidualNet, (2, 2, 4, 4)),
        (Attention, (2, 3, 8)),
        (Normalized, (2, 2, 5)),
    ],
)
def test_gradcheck(factory, shape):
    net, rows = build(factory), random_rows(shape)
    names = [name for name, _ in net.named_parameters()]

    class Called(nn.Module):
        def forward(self, rows):
            return InfluencePenalty()(self.net, rows)

    called = Called()
    called.net = net

    def value(*weights):
        weights = {f"net.{name}": w for name, w in zip(names, weights, strict=True)}
        return functional_call(called, weights, (rows,))

    weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
    fast = factory is not perceptron
    assert torch.autograd.gradcheck(value, weights, fast_mode=fast)
    if not fast:
        assert torch.autograd.gradgradcheck(value, weights, fast_mode=True)


def test_norms_are_composed_without_changing_the_output():
    net, rows = build(Normalized), random_rows((5, 2, 5))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.linspace(0, 1, parameter.numel()).view_as(parameter))
        net.tracked.running_mean += 0.5
        net.tracked.running_var += 1
        expected = net(rows.x)
        with _ComposedNorms():
            logits = net(rows.x)
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("scale", [0.01, 255.0])
def test_the_scale_of_the_input_does_not_matter(scale):
    net, rows = build(perceptron), random_rows()
    scaled = replace(rows, x=rows.x * scale, unit=rows.unit * scale)
    value = InfluencePenalty()(Standardized(net, scale), scaled)
    torch.testing.assert_close(value, InfluencePenalty()(net, rows))


def test_mask_of_nothing_and_dead_units_give_zero_and_no_nan():
    net = build(lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    rows = random_rows()
    blank = replace(rows, irrelevance=torch.zeros(1, 4, dtype=torch.float64))
    dead = build(lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    nn.init.constant_(dead[0].bias, -100.0)
    for case in [(net, blank), (dead, rows), (dead, blank)]:
        value = InfluencePenalty()(*case)
        assert torch.equal(value, torch.zeros(6, dtype=torch.float64))
        value.sum().backward()
        for parameter in case[0].parameters():
            torch.testing.assert_close(parameter.grad, torch.zeros_like(parameter))
            parameter.grad = None


def test_rows_do_not_couple_and_one_mask_serves_all():
    net, rows = build(ResidualNet), random_rows((4, 2, 4, 4))
    rows = replace(rows, irrelevance=rows.irrelevance[:1, :1])
    together = InfluencePenalty()(net, rows)
    alone = [InfluencePenalty()(net, rows.take(torch.tensor([i]))) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone))
    full = replace(rows, irrelevance=rows.irrelevance.expand(4, 2, 4, 4))
    torch.testing.assert_close(InfluencePenalty()(net, full), together)


def test_a_network_without_trained_parameters_is_refused():
    net = build(perceptron)
    x = torch.zeros(2, 4, dtype=torch.float64)
    InfluencePenalty().check_module(net, x)
    net.requires_grad_(False)
    with pytest.raises(ValueError, match="module must have parameters that require a gradient"):
        InfluencePenalty().check_module(net, x)
