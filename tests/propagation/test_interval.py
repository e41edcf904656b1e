"""Check that interval bounds of whole networks hold, are exact where they can be, and can be
trained.
"""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn
from torch.nn import functional as F

from skexplain.exceptions import UnsupportedOperationError
from skexplain.propagation import (
    Interval,
    propagate_interval,
    register_interval_rule,
)
from skexplain.propagation._bounds import margins, worst_case_logits


class Residual(nn.Module):
    """In functional style: a skipped connection, a scaled one, and a gate."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, x):
        h = F.relu(self.inner(x), inplace=True)
        h += 0.5 * x
        first, second = h.chunk(2, dim=1)
        return torch.cat([first * torch.sigmoid(second), second - first.mean(1, keepdim=True)], 1)


LAYERS = {
    "relu": lambda width: nn.ReLU(inplace=True),
    "gelu": lambda width: nn.GELU(),
    "tanh": lambda width: nn.Tanh(),
    "leaky": lambda width: nn.LeakyReLU(),
    "batch norm": nn.BatchNorm1d,
    "layer norm": nn.LayerNorm,
    "dropout": lambda width: nn.Dropout(),
    "residual": Residual,
    "softmax": lambda width: nn.Softmax(dim=1),
}


def perceptron(names, seed, d=5, width=6, n_classes=4):
    """Build a network from names of layers, with statistics of batch norm that are not 0 and 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(d, width)]
        for name in names:
            layers += [LAYERS[name](width), nn.Linear(width, width)]
        module = nn.Sequential(*layers, nn.ReLU(), nn.Linear(width, n_classes)).double()
        for _ in range(3):
            module(torch.randn(8, d, dtype=torch.float64))
    return module.eval()


def convolutional(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.SiLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, padding="same", groups=2),
            nn.GroupNorm(2, 4),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(),
            nn.Linear(16, 3),
        ).double()
        module(torch.randn(8, 1, 6, 6, dtype=torch.float64))
    return module.eval()


def random_rows(shape, seed, epsilon=0.3):
    """Draw rows, a mask with whole degrees and fractions, and the classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    mask = torch.rand(shape, generator=generator, dtype=torch.float64)
    mask = mask.where(mask < 0.8, torch.ones(())) * (mask > 0.3)
    return x, epsilon * mask, torch.randint(3, (shape[0],), generator=generator)


def samples(x, radius, n=40):
    """Draw points in a box, every other one a corner."""
    generator = torch.Generator().manual_seed(0)
    for k in range(n):
        step = 2 * torch.rand(x.shape, generator=generator, dtype=torch.float64) - 1
        yield x + radius * (step.sign() if k % 2 else step)


def margins_of(logits, y):
    return logits - logits.gather(1, y.unsqueeze(1))


def check_bounds(module, x, radius, y):
    bounds = propagate_interval(module, x, radius)
    differences = margins(bounds, y)
    for point in samples(x, radius):
        logits = module(point)
        assert (bounds.lower <= logits + 1e-10).all()
        assert (bounds.upper >= logits - 1e-10).all()
        assert (differences.lower <= margins_of(logits, y) + 1e-10).all()
        assert (differences.upper >= margins_of(logits, y) - 1e-10).all()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(sorted(LAYERS)), max_size=3),
    st.integers(0, 1000),
    st.sampled_from([0.01, 0.3, 3.0]),
)
def test_bounds_contain_every_sample(names, seed, epsilon):
    check_bounds(perceptron(names, seed), *random_rows((4, 5), seed, epsilon))


@pytest.mark.parametrize("epsilon", [0.01, 0.5])
def test_bounds_of_a_convolutional_network_contain_every_sample(epsilon):
    check_bounds(convolutional(), *random_rows((3, 1, 6, 6), 0, epsilon))


class Attention(nn.Module):
    """Self-attention written out."""

    def __init__(self):
        super().__init__()
        self.queries, self.keys, self.values = (nn.Linear(3, 3) for _ in range(3))
        self.norm, self.head = nn.LayerNorm(3), nn.Linear(3, 3)

    def forward(self, x):
        scores = self.queries(x) @ self.keys(x).transpose(-2, -1) / x.size(-1) ** 0.5
        x = self.norm(x + F.softmax(scores, dim=-1) @ self.values(x))
        return self.head(x.mean(1))


def test_attention_written_out_has_bounds():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = Attention().double()
    check_bounds(module, *random_rows((2, 4, 3), 0, 0.2))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(sorted(LAYERS)), max_size=3), st.integers(0, 1000))
def test_radius_zero_is_the_forward(names, seed):
    module = perceptron(names, seed)
    x, _, y = random_rows((4, 5), seed)
    bounds = propagate_interval(module, x, torch.zeros(()))
    torch.testing.assert_close(bounds.lower, module(x))
    torch.testing.assert_close(bounds.upper, module(x))
    torch.testing.assert_close(worst_case_logits(bounds, y), margins_of(module(x), y))
    torch.testing.assert_close(worst_case_logits(bounds, y, "logits"), module(x))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(sorted(LAYERS)), max_size=3), st.integers(0, 1000))
def test_a_larger_box_contains_the_bounds_of_a_smaller(names, seed):
    module = perceptron(names, seed)
    x, radius, _ = random_rows((4, 5), seed)
    small, large = (propagate_interval(module, x, scale * radius) for scale in (0.7, 1.0))
    assert (large.lower <= small.lower + 1e-10).all()
    assert (large.upper >= small.upper - 1e-10).all()


def test_linear_networks_are_bounded_exactly():
    """z_k moves by epsilon * |w_k * a|_1, and z_k - z_y by that of w_k - w_y."""
    module = nn.Linear(5, 3).double()
    x, radius, y = random_rows((6, 5), 0)
    bounds = propagate_interval(module, x, radius)
    reach = (module.weight.abs() * radius.unsqueeze(1)).sum(2)
    torch.testing.assert_close(bounds.lower, module(x) - reach)
    torch.testing.assert_close(bounds.upper, module(x) + reach)
    between = module.weight - module.weight[y].unsqueeze(1)
    reach = (between.abs() * radius.unsqueeze(1)).sum(2)
    differences = margins(bounds, y)
    torch.testing.assert_close(differences.lower, margins_of(module(x), y) - reach)
    torch.testing.assert_close(differences.upper, margins_of(module(x), y) + reach)


def test_hand_computed_network():
    """With x in [-1, 3] x {2}, relu(x_1 - x_2, x_1 + x_2) = h is in [0, 1] x [1, 5]."""
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1.0], [1.0, 1.0]]))
        second.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 1.0]]))  # z = (h_1 - h_2, h_2)
    module = nn.Sequential(first, nn.ReLU(), second)
    bounds = propagate_interval(module, torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 0.0]]))
    assert bounds.lower.tolist() == [[-5.0, 1.0]]
    assert bounds.upper.tolist() == [[0.0, 5.0]]
    y = torch.tensor([1])
    assert worst_case_logits(bounds, y, "logits").tolist() == [[0.0, 1.0]]
    # z_1 - z_2 = h_1 - 2 h_2 lies in [-10, -1].
    assert margins(bounds, y).lower.tolist() == [[-10.0, 0.0]]
    assert worst_case_logits(bounds, y, "margin").tolist() == [[-1.0, 0.0]]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_margins_through_the_last_layer_are_never_looser(seed):
    x, radius, y = random_rows((6, 5), seed, 1.0)
    logits = propagate_interval(perceptron(["relu"], seed), x, radius)
    apart = Interval(logits.center, logits.radius)  # the last layer is forgotten
    assert apart.affine is None
    tight, loose = margins(logits, y), margins(apart, y)
    assert (tight.upper <= loose.upper + 1e-10).all()
    assert (tight.lower >= loose.lower - 1e-10).all()
    assert (tight.upper < loose.upper - 1e-3).any()
    plain = worst_case_logits(logits, y, "logits")
    torch.testing.assert_close(loose.upper, margins_of(plain, y))
    for bound in ("margin", "logits"):
        worst = F.cross_entropy(worst_case_logits(logits, y, bound), y, reduction="none")
        for point in samples(x, radius, 5):
            clean = F.cross_entropy(perceptron(["relu"], seed)(point), y, reduction="none")
            assert (worst >= clean - 1e-10).all()


def test_margins_are_zero_for_the_true_class():
    x, radius, y = random_rows((6, 5), 0, 1.0)
    logits = propagate_interval(perceptron(["relu"], 0), x, radius)
    for bounds in (logits, Interval(logits.center, logits.radius)):
        for end in (margins(bounds, y).lower, margins(bounds, y).upper):
            assert (end.gather(1, y.unsqueeze(1)) == 0).all()


def test_what_was_done_after_the_last_layer_counts():
    """An operation in place makes the last linear layer one among others."""
    layer = nn.Linear(5, 3).double()
    x, radius, y = random_rows((6, 5), 0)
    logits = propagate_interval(layer, x, radius)
    assert logits.affine is not None
    logits.mul_(torch.tensor([1.0, 2.0, 3.0]))
    assert logits.affine is None
    for point in samples(x, radius):
        values = margins_of(layer(point) * torch.tensor([1.0, 2.0, 3.0]), y)
        assert (margins(logits, y).upper >= values - 1e-10).all()


def test_the_input_of_the_last_layer_may_be_overwritten():
    x = Interval(-torch.ones(1, 2), torch.ones(1, 2))
    layer = nn.Linear(2, 2)
    logits = layer(x)
    x.relu_()
    assert x.radius.sum() == 0
    assert logits.affine[0].radius.tolist() == [[1.0, 1.0]]


def test_unknown_bound_is_refused():
    logits = Interval(torch.zeros(1, 2), torch.ones(1, 2))
    with pytest.raises(ValueError, match="bound must be 'margin' or 'logits'; got 'tight'"):
        worst_case_logits(logits, torch.tensor([0]), "tight")


def test_radius_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"radius .* \(4, 5\).*\(4, 3\)"):
        propagate_interval(nn.Identity(), torch.zeros(4, 5), torch.zeros(4, 3))


@pytest.mark.parametrize("bound", ["margin", "logits"])
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (perceptron(["relu", "batch norm", "layer norm", "residual"], 0), (8, 5)),
        (convolutional(), (8, 1, 6, 6)),
    ],
    ids=["perceptron", "convolutional"],
)
def test_gradients_reach_every_parameter(module, shape, bound):
    x, radius, y = random_rows(shape, 0, 0.1)
    module.zero_grad()
    logits = propagate_interval(module, x, radius)
    F.cross_entropy(worst_case_logits(logits, y, bound), y).backward()
    for name, parameter in module.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        if not (bound == "margin" and name == f"{len(module) - 1}.bias"):
            assert (parameter.grad != 0).any(), name


def test_gradcheck_of_bounds():
    module = nn.Sequential(
        nn.Linear(3, 4),
        nn.Tanh(),
        nn.BatchNorm1d(4),
        nn.GELU(),
        nn.LayerNorm(4),
        nn.Softplus(),
        nn.Softmax(dim=1),
        nn.Linear(4, 3),
    )
    module = module.double().eval()
    x, radius, y = random_rows((2, 3), 0)
    names, parameters = zip(*module.named_parameters(), strict=True)

    class Network(nn.Module):
        def forward(self, x):
            return torch.func.functional_call(module, dict(zip(names, self.values, strict=True)), x)

    def bounds(x, radius, *values):
        network = Network()
        network.values = values
        logits = propagate_interval(network, x, radius)
        differences = margins(logits, y)
        return logits.lower, logits.upper, differences.lower, differences.upper

    inputs = [part.detach().clone().requires_grad_() for part in (x, radius + 0.1, *parameters)]
    assert torch.autograd.gradcheck(bounds, inputs)


def test_training_on_bounds_makes_them_tighter():
    """A few steps on the worst-case loss alone; measured 1.47 -> 0.007."""
    module = perceptron(["relu"], 0, d=5)
    x, radius, y = random_rows((16, 5), 0)
    y = (x[:, 0] > 0).long()
    radius[:, 0] = 0.0
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    losses = []
    for _ in range(60):
        logits = propagate_interval(module, x, radius)
        losses.append(F.cross_entropy(worst_case_logits(logits, y), y))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0]


def ndtr(x):
    return Interval.from_bounds(torch.special.ndtr(x.lower), torch.special.ndtr(x.upper))


@pytest.mark.parametrize("operation", [torch.special.ndtr, "special_ndtr"])
def test_an_own_rule_serves_until_it_is_taken_away(operation):
    class Network(nn.Module):
        def forward(self, x):
            return torch.special.ndtr(x)

    x, radius, _ = random_rows((2, 3), 0)
    with pytest.raises(UnsupportedOperationError, match=r"register_interval_rule\('special_ndtr'"):
        propagate_interval(Network(), x, radius)
    register_interval_rule(operation, ndtr)
    try:
        bounds = propagate_interval(Network(), x, radius)
    finally:
        register_interval_rule(operation, None)
    torch.testing.assert_close(bounds.lower, torch.special.ndtr(x - radius))
    torch.testing.assert_close(bounds.upper, torch.special.ndtr(x + radius))
    with pytest.raises(UnsupportedOperationError, match="'special_ndtr'"):
        propagate_interval(Network(), x, radius)


def test_an_own_rule_goes_before_one_that_is_built_in():
    x = Interval(torch.zeros(1), torch.ones(1))
    register_interval_rule("relu_", lambda x: x + 5)
    try:
        assert torch.relu(x).center == F.relu(x, inplace=True).center == 5
    finally:
        register_interval_rule(torch.relu, None)
    assert x.relu().upper == 6
    register_interval_rule("relu", None)  # nothing is left to take away


def test_a_rule_must_be_callable():
    with pytest.raises(TypeError, match="rule must be callable or None; got str"):
        register_interval_rule("relu", "relu")


def test_bounds_given_are_bounds_kept():
    """Rounding does not make what is positive negative."""
    lower, upper = torch.tensor([1e-9]), torch.tensor([1e3])
    interval = Interval.from_bounds(lower, upper)
    assert interval.lower == lower
    assert interval.upper == upper
    assert torch.isfinite(interval.log().center)


def test_both_parts_are_shown():
    interval = Interval(torch.zeros(1), torch.ones(1))
    assert repr(interval) == "Interval(center=tensor([0.]), radius=tensor([1.]))"
