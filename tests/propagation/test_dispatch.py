"""Check that all ways to call an operation follow one rule, and that operations without one raise
an error with their name.
"""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skexplain import CDEPClassifier, ERMClassifier, IBPExClassifier
from skexplain.exceptions import UnsupportedOperationError
from skexplain.inspection import certified_accuracy
from skexplain.propagation import (
    Decomposition,
    Interval,
    propagate_interval,
    register_interval_rule,
)
from skexplain.propagation._dispatch import _OPERATORS, Propagated, canonical_name
from skexplain.propagation._run import check_outputs

CENTER = torch.tensor([[-2.0, 1.0, 0.5], [3.0, -0.5, 1.5]])
RADIUS = torch.tensor([[1.0, 2.0, 0.0], [0.5, 1.0, 0.25]])


def make_interval():
    return Interval(CENTER.clone(), RADIUS.clone())


def assert_same(left, right):
    torch.testing.assert_close(left.center, right.center, rtol=0, atol=0)
    torch.testing.assert_close(left.radius, right.radius, rtol=0, atol=0)


@pytest.mark.parametrize(
    "call",
    [
        torch.relu,
        F.relu,
        nn.ReLU(),
        nn.ReLU(inplace=True),
        torch.relu_,
        lambda x: x.relu(),
        lambda x: x.relu_(),
        lambda x: F.relu(x, True),
        lambda x: F.relu(x, inplace=True),
        lambda x: torch.relu(input=x),
    ],
)
def test_all_ways_to_call_an_operation_are_one(call):
    result = call(make_interval())
    torch.testing.assert_close(result.lower, (CENTER - RADIUS).relu())
    torch.testing.assert_close(result.upper, (CENTER + RADIUS).relu())


@pytest.mark.parametrize("name", sorted(_OPERATORS))
def test_operators_have_the_names_they_stand_for(name):
    """Torch knows some of its own operators by other names."""
    expected = _OPERATORS[name].removesuffix("_")
    assert canonical_name(getattr(torch.Tensor, name)) == expected


@pytest.mark.parametrize(
    ("operation", "center"),
    [
        (lambda x: x + 1, CENTER + 1),
        (lambda x: 1 + x, CENTER + 1),
        (lambda x: CENTER + x, 2 * CENTER),
        (lambda x: x - 1, CENTER - 1),
        (lambda x: 1 - x, 1 - CENTER),
        (lambda x: CENTER - 2 * x, -CENTER),
        (lambda x: x * 2, 2 * CENTER),
        (lambda x: CENTER * x, CENTER * CENTER),
        (lambda x: x / 2, CENTER / 2),
        (lambda x: -x, -CENTER),
        (lambda x: x @ CENTER.T, CENTER @ CENTER.T),
        (lambda x: CENTER.T @ x, CENTER.T @ CENTER),
        (lambda x: x.T, CENTER.T),
        (lambda x: x.mT, CENTER.T),
        (lambda x: x[:, 1], CENTER[:, 1]),
        (lambda x: list(x)[1], CENTER[1]),
        (lambda x: sum(x), CENTER.sum(0)),
    ],
)
def test_operators(operation, center):
    torch.testing.assert_close(operation(make_interval()).center, center)


@pytest.mark.parametrize(
    ("in_place", "plain"),
    [
        (lambda x: x.add_(2), lambda x: x + 2),
        (lambda x: x.mul_(-2), lambda x: x * -2),
        (lambda x: x.clamp_(0, 1), lambda x: x.clamp(0, 1)),
        (lambda x: x.sub_(CENTER, alpha=2), lambda x: x - 2 * CENTER),
        (lambda x: F.leaky_relu_(x, 0.3), lambda x: F.leaky_relu(x, 0.3)),
        (lambda x: F.elu(x, 0.5, True), lambda x: F.elu(x, 0.5)),
        (lambda x: F.hardtanh(x, -1, 2, True), lambda x: F.hardtanh(x, -1, 2)),
        (lambda x: x.unsqueeze_(1), lambda x: x.unsqueeze(1)),
        (lambda x: x.masked_fill_(CENTER > 0, 1), lambda x: x.masked_fill(CENTER > 0, 1)),
    ],
)
def test_in_place_operations_change_the_value_but_not_its_parts(in_place, plain):
    x = make_interval()
    center, radius = x.parts
    assert in_place(x) is x
    assert_same(x, plain(make_interval()))
    torch.testing.assert_close(center, CENTER)
    torch.testing.assert_close(radius, RADIUS)


def test_operators_in_place():
    x = y = make_interval()
    x += 1
    x -= CENTER
    x *= 3
    x /= 2
    assert y is x
    assert_same(x, ((make_interval() + 1 - CENTER) * 3) / 2)


class SkippedAfterReLU(nn.Module):
    """In a tensor's network too, ``h`` is what the ReLU has made of it when it is added."""

    def forward(self, x):
        h = x * 1
        return F.relu(h, inplace=True) + h


def test_what_is_in_place_is_seen_by_who_holds_the_value():
    bounds = propagate_interval(SkippedAfterReLU(), CENTER, RADIUS)
    torch.testing.assert_close(bounds.upper, 2 * (CENTER + RADIUS).relu())
    torch.testing.assert_close(bounds.lower, 2 * (CENTER - RADIUS).relu())


def test_the_input_is_not_overwritten():
    center, radius = CENTER.clone(), RADIUS.clone()
    propagate_interval(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten()), center, radius)
    torch.testing.assert_close(center, CENTER)
    torch.testing.assert_close(radius, RADIUS)


def test_metadata_is_that_of_a_tensor():
    x = make_interval()
    assert (x.shape, x.size(), x.size(1), len(x)) == ((2, 3), (2, 3), 3, 2)
    assert (x.dtype, x.device.type, x.ndim, x.dim(), x.numel()) == (torch.float32, "cpu", 2, 2, 6)
    assert (x.is_floating_point(), x.is_cuda, x.requires_grad) == (True, False, False)
    for made in (torch.zeros_like(x), x.new_zeros(2, 3), torch.zeros_like(input=x)):
        assert type(made) is torch.Tensor
        torch.testing.assert_close(made, torch.zeros(2, 3))
    assert x.double().dtype == torch.float64
    assert len({x, x, make_interval()}) == 2


def test_metadata_that_converts_converts_all_parts():
    """``x.type(dtype)`` must not give the middle alone."""
    assert_same(make_interval().type(torch.float64), make_interval().double())


SEQUENCE = Interval(torch.zeros(2, 5, 4), torch.ones(2, 5, 4))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x.cumprod(1), "cumprod"),
        (lambda x: torch.special.ndtr(x), "special_ndtr"),
        (lambda x: x > 0, "gt"),
        (lambda x: x == 0, "eq"),
        (lambda x: x >= 0, "ge"),
        (lambda x: x % 2, "remainder"),
        (lambda x: x // 2, "floor_divide"),
        (lambda x: x.argmax(1), "argmax"),
        (lambda x: x.item(), "item"),
        (lambda x: float(x), "item"),
        (lambda x: bool(x), "bool"),
        (lambda x: 1 if x else 0, "bool"),
        (lambda x: x.numpy(), "numpy"),
        (lambda x: np.asarray(x), "numpy"),
        (lambda x: x.tolist(), "tolist"),
        (lambda x: x.__setitem__(0, 1.0), "setitem"),
        (lambda x: torch.zeros(2, 3)[x], "getitem"),
        (lambda x: torch.cat([x, x], dim=x), "cat"),
        (lambda x: torch.add(x, 1, out=torch.zeros(2, 3)), "add"),
        (lambda x: torch.zeros(2, 3).add_(x), "add"),
        (lambda x: nn.Embedding(4, 3)(x), "embedding"),
        (lambda x: nn.Bilinear(3, 3, 2)(x, x), "bilinear"),
        (lambda x: nn.LSTMCell(3, 2)(x), "lstm_cell"),
        (lambda x: nn.LSTM(4, 3)(SEQUENCE), "lstm"),
        (lambda x: nn.GRU(4, 3, batch_first=True)(SEQUENCE), "gru"),
        (lambda x: nn.RNN(4, 3)(SEQUENCE), "rnn_tanh"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(function, name):
    message = rf"interval bounds have a rule for; got '{name}' .*register_interval_rule\('{name}'"
    with pytest.raises(UnsupportedOperationError, match=message):
        function(make_interval())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # scripting itself
@pytest.mark.parametrize("script", [torch.jit.script, lambda m: torch.jit.trace(m, CENTER)])
def test_scripted_modules_are_refused(script):
    module = script(nn.Sequential(nn.Linear(3, 2), nn.ReLU()))
    with pytest.raises(UnsupportedOperationError, match="register_interval_rule"):
        propagate_interval(module, CENTER, RADIUS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what torch imports for it
@pytest.mark.parametrize("within", [False, True])
def test_compiled_modules_are_refused(within):
    """Whether they are another module or themselves compiled; nothing is traced for this test."""
    module = nn.Linear(3, 2)
    if within:
        module.compile()
    else:
        module = torch.compile(module)
    with pytest.raises(UnsupportedOperationError, match="must not be compiled for interval bounds"):
        propagate_interval(nn.Sequential(module, nn.ReLU()), CENTER, RADIUS)


class Constant(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 2)


def test_output_that_does_not_come_from_the_input_is_refused():
    with pytest.raises(UnsupportedOperationError, match="module must return .*; got Tensor"):
        propagate_interval(Constant(), CENTER, RADIUS)


def test_attributes_that_tensors_do_not_have_or_that_have_no_meaning_are_missing():
    for name in ("data", "grad_fn", "nonsense", "__nonsense__"):
        with pytest.raises(AttributeError, match=f"Interval has no '{name}'"):
            getattr(make_interval(), name)


def test_a_kind_must_say_what_a_constant_is():
    class Kind(Propagated):
        pass

    with pytest.raises(TypeError, match="Kind does not say what a constant is"):
        Kind.lift(CENTER, None)


# -- what flows through gives what the network gives ----------------------------------------------


class WritesThroughView(nn.Module):
    """Which no value can follow: the tensor that was viewed does not hear of it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        hidden = x.clone()
        hidden[:, 1].mul_(100.0)
        return self.linear(hidden)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 4)).astype(np.float32), np.arange(40) % 2, [[0, 1, 0, 0]]


@pytest.mark.parametrize("cls", [IBPExClassifier, CDEPClassifier])
def test_a_network_that_writes_through_a_view_is_refused(cls, table):
    X, y, mask = table
    with pytest.raises(UnsupportedOperationError, match="must compute the same.*differ by"):
        cls(WritesThroughView).fit(X, y, mask=mask)


def test_what_cannot_be_followed_is_not_certified(table):
    X, y, mask = table
    clf = ERMClassifier(WritesThroughView, max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(UnsupportedOperationError, match="must compute the same"):
        certified_accuracy(clf, X, y, mask, epsilon=1.0)


def test_outputs_are_held_against_those_of_tensors(monkeypatch):
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(3, 2))
    interval = Interval(x, torch.zeros_like(x))
    check_outputs(net, x, interval)
    check_outputs(net, x, Decomposition(x / 3, 2 * x / 3))
    with monkeypatch.context() as patch:
        patch.setattr(Interval, "rules", Interval.rules.new_child())
        register_interval_rule("relu", lambda x, inplace=False: x + 1)
        with pytest.raises(UnsupportedOperationError, match="register_interval_rule wrong"):
            check_outputs(net, x, interval)
