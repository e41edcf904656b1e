"""Check bounds on input gradients: they contain what is sampled, and nothing else at radius 0."""

import pytest
import torch
from torch import nn

from skexplain.exceptions import UnsupportedOperationError
from skexplain.propagation import Interval
from skexplain.propagation._gradient_bounds import bound_input_gradient


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x):
        h = torch.relu(self.first((x - 0.3) / 2))
        return self.head(h - 0.5 * torch.sigmoid(self.second(h)).mul(2.0))


NETWORKS = {
    "perceptron": lambda: nn.Sequential(
        nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), nn.Tanh(), nn.Linear(7, 3)
    ),
    "activations": lambda: nn.Sequential(
        *(nn.Linear(5, 7), nn.ELU(1.5), nn.Linear(7, 7), nn.Softplus(), nn.Linear(7, 7)),
        *(nn.LeakyReLU(-0.2), nn.Linear(7, 3)),
    ),
    "residual": Residual,
    "convolutions": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 4, 3), nn.LeakyReLU(0.1), nn.BatchNorm2d(4), nn.MaxPool2d((2, 1), 1)),
        *(nn.Dropout(), nn.AvgPool2d((2, 3)), nn.Flatten(), nn.Linear(4, 3)),
    ),
}


def make(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = NETWORKS[name]().double().eval()
        shape = (4, 2, 10, 10) if name == "convolutions" else (4, 5)
        return net, torch.randn(shape, dtype=torch.float64)


def of_log_probs(logits):
    return 1 - 3 * logits.softmax(1)


def gradient_at(net, x):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).log_softmax(1).sum(), x)
    return gradient


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_are_the_gradient_where_nothing_moves(name):
    net, x = make(name)
    bounds = bound_input_gradient(net, x, torch.zeros_like(x), of_log_probs)
    torch.testing.assert_close(bounds.center, gradient_at(net, x), atol=1e-9, rtol=1e-6)
    assert bounds.radius.max() < 1e-9


@pytest.mark.parametrize("epsilon", [0.02, 0.3])
@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_contain_the_gradients_of_the_box(name, epsilon):
    net, x = make(name)
    generator = torch.Generator().manual_seed(1)
    radius = epsilon * torch.rand(x.shape, generator=generator, dtype=x.dtype)
    bounds = bound_input_gradient(net, x, radius, of_log_probs)
    differ = False
    for _ in range(50):
        move = 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1
        gradient = gradient_at(net, x + radius * move)
        assert (bounds.lower <= gradient + 1e-9).all()
        assert (gradient <= bounds.upper + 1e-9).all()
        differ |= not torch.allclose(gradient, gradient_at(net, x))
    assert differ


@pytest.mark.parametrize("name", ["perceptron", "residual"])
def test_they_can_be_differentiated(name):
    """By finite differences: also through the slopes of activations and the probabilities."""
    net, x = make(name)
    radius = torch.full_like(x, 0.05)
    weights = list(net.parameters())

    def width(*values):
        bounds = bound_input_gradient(
            lambda t: torch.func.functional_call(net, dict(zip(names, values, strict=True)), (t,)),
            x,
            radius,
            of_log_probs,
        )
        return torch.maximum(bounds.upper.abs(), bounds.lower.abs()).square().sum()

    names = [key for key, _ in net.named_parameters()]
    assert torch.autograd.gradcheck(width, weights, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("layer", [nn.GELU(), nn.Softmax(1), nn.LayerNorm(5)])
def test_an_operation_without_a_rule_is_named(layer):
    x = torch.zeros(2, 5)
    with pytest.raises(UnsupportedOperationError, match=r"linear, ReLU.*got '\w+'.*random"):
        bound_input_gradient(layer, x, x, lambda outputs: outputs)


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(2, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, dilation=2)],
)
def test_other_pooling_is_refused(pool):
    x = torch.zeros(2, 1, 5, 5)
    with pytest.raises(UnsupportedOperationError, match="max_pool2d.*with padding"):
        bound_input_gradient(pool, x, x, lambda outputs: outputs)


def test_products_of_values_are_refused():
    x = torch.zeros(2, 5)
    with pytest.raises(UnsupportedOperationError, match="mul.*two values"):
        bound_input_gradient(lambda t: t * torch.relu(t), x, x, lambda outputs: outputs)


def test_a_divisor_that_depends_on_the_input_is_refused():
    x = torch.zeros(2, 5)
    with pytest.raises(UnsupportedOperationError, match="div.*by a value"):
        bound_input_gradient(lambda t: torch.div(x, torch.tanh(t) + 2), x, x, lambda outputs: x)


def test_wide_bounds_of_elu_have_finite_gradients():
    weight = torch.ones(3, requires_grad=True)
    x = torch.full((1, 3), 200.0)
    bounds = bound_input_gradient(
        lambda t: nn.functional.elu(weight * t), x, x + 50, lambda _: Interval(x, 0 * x)
    )
    (gradient,) = torch.autograd.grad(bounds.upper.sum(), weight)
    assert gradient.isfinite().all()


def test_what_does_not_depend_on_the_input_has_no_gradient():
    x = torch.ones(2, 3)
    bounds = bound_input_gradient(
        lambda t: 0 * t.detach() + 1, x, x, lambda outputs: Interval(x, 0 * x)
    )
    assert not bounds.center.any()
    assert not bounds.radius.any()
