"""Check Grad-CAM penalties by hand and by finite differences, also where maps are constant or marks
unknown.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call

from skexplain.masks import interpret_mask
from skexplain.penalties import ConceptGradientPenalty, Rows
from skexplain.penalties._base import point_at
from skexplain.penalties._grad_cam import GradCAMPenalty, HINTPenalty, grad_cam
from skexplain.penalties._layers import (
    find_layers,
    keep_outputs,
    run_to_layer,
    trainable_gradient,
)
from skexplain.training._label_losses import CrossEntropyLoss
from skexplain.training._mapping import MappedModule
from skexplain.training._method import Term
from skexplain.training._terms import evaluate_terms

BOTH = [GradCAMPenalty(), HINTPenalty()]


class SmallNet(nn.Module):
    """Two convolutions, not registered in the order in which they run."""

    def __init__(self, n_axes=2, channels=2, n_classes=3, activation=nn.Tanh):
        super().__init__()
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[n_axes - 1]
        pool = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[n_axes - 1]
        self.last = convolution(3, 4, 3, padding=1)
        self.first = convolution(channels, 3, 3, padding=1)
        self.pool, self.activation = pool(2), activation()
        self.head = nn.Linear(4, n_classes)

    def forward(self, x):
        x = self.pool(torch.tanh(self.first(x)))
        return self.head(self.activation(self.last(x)).square().flatten(2).mean(2))


class Unsqueeze(nn.Module):
    def forward(self, x):
        return x.unsqueeze(1)


def make_net(seed=0, **kwargs):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SmallNet(**kwargs).double().eval()


def make_rows(x, y, irrelevance, known=None, unit=1.0):
    one = torch.ones((), dtype=x.dtype)
    return Rows(
        x=x,
        y=y,
        irrelevance=irrelevance,
        known=known,
        unit=unit * one,
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=CrossEntropyLoss(),
    )


def random_rows(shape=(5, 2, 6, 6), mask_shape=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, dtype=torch.float64, generator=generator)
    y = torch.randint(3, shape[:1], generator=generator)
    irrelevance = torch.rand(mask_shape or shape, dtype=torch.float64, generator=generator)
    irrelevance *= torch.rand(mask_shape or shape, generator=generator) > 0.4
    return make_rows(x, y, irrelevance)


@pytest.fixture
def hand_net():
    """A 1x1 convolution to two channels, x and -2x, and a head on their means."""
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)
    ).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -2.0]).view(2, 1, 1, 1))
        net[3].weight.copy_(torch.tensor([[3.0, 1.0], [0.0, -1.0]]))
        net[3].bias.zero_()
    return net


def test_by_hand(hand_net):
    # The gradient of logit c is head[c, k] / 4 at each of four positions: class 0 has the map
    # (3 x - 2 x) / 4, class 1 has 2 x / 4.  Scaled to [0, 1] both are x / 4 for these values.
    x = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]], dtype=torch.float64)
    scaled = torch.tensor([[0.0, 0.25], [0.5, 1.0]], dtype=torch.float64)
    for c, spread in [(0, 1.0), (1, 2.0)]:
        point, activations = run_to_layer(hand_net, x)
        heat = grad_cam(point.logits, activations, torch.tensor([c]), point.x)
        torch.testing.assert_close(heat[0], scaled * spread / (spread + 1e-6))
    irrelevance = torch.tensor([[[[1.0, 0.5], [0.0, 0.5]]]], dtype=torch.float64)
    rows = make_rows(x, torch.tensor([1]), irrelevance)
    value = GradCAMPenalty()(hand_net, rows)
    assert value.item() == pytest.approx(0.125**2 + 0.5**2, rel=1e-5)
    distance = HINTPenalty()(hand_net, rows)
    errors = np.array([0.0 - 0.0, 0.25 - 0.5, 0.5 - 1.0, 1.0 - 0.5])
    assert distance.item() == pytest.approx((errors**2).mean(), rel=1e-5)


def test_right_class():
    """RRR-G explains what is predicted, HINT what is true."""
    net, rows = make_net(), random_rows()
    predicted = net(rows.x).argmax(1)
    assert (predicted != rows.y).any()
    pushed, pulled = GradCAMPenalty(), HINTPenalty()
    right = replace(rows, y=predicted)
    assert torch.equal(pushed(net, rows), pushed(net, right))
    different = pulled(net, rows) != pulled(net, right)
    assert torch.equal(different, predicted != rows.y)


def slow_heat(net, x, c):
    """Grad-CAM of one row, position by position."""
    activations = torch.tanh(net.first(x[None]))
    activations = net.last(net.pool(activations)).detach().requires_grad_()
    logits = net.head(net.activation(activations).square().flatten(2).mean(2))
    (gradient,) = torch.autograd.grad(logits[0, c], activations)
    heat = torch.zeros_like(activations[0, 0])
    for k in range(activations.shape[1]):
        heat = heat + gradient[0, k].mean() * activations[0, k]
    heat = heat.detach()
    return (heat - heat.min()) / (heat.max() - heat.min() + 1e-6)


@pytest.mark.parametrize("mask_shape", [(5, 2, 6, 6), (5, 1, 6, 6), (1, 1, 6, 6), (1, 1, 1, 1)])
def test_equals_a_loop_over_rows(mask_shape):
    net, rows = make_net(), random_rows(mask_shape=mask_shape)
    full = rows.irrelevance.expand(5, 2, 6, 6)
    pushed, pulled = GradCAMPenalty()(net, rows), HINTPenalty()(net, rows)
    for i in range(5):
        heat = slow_heat(net, rows.x[i], net(rows.x[i : i + 1]).argmax().item())
        small = full[i].mean(0).view(3, 2, 3, 2).mean((1, 3))
        torch.testing.assert_close(pushed[i], (small * heat).square().sum())
        heat = slow_heat(net, rows.x[i], rows.y[i].item())
        large = nn.functional.interpolate(heat[None, None], size=(6, 6), mode="bilinear")[0, 0]
        torch.testing.assert_close(pulled[i], (large - (1 - full[i])).square().mean())


@pytest.mark.parametrize("penalty", BOTH)
@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_no_channel_axis_is_one_channel(penalty, n_axes):
    net = make_net(n_axes=n_axes, channels=1)
    rows = random_rows((4, *(6,) * n_axes))
    with_axis = replace(rows, x=rows.x[:, None], irrelevance=rows.irrelevance[:, None])
    value = penalty(nn.Sequential(Unsqueeze(), net), rows)
    assert (value > 0).all()
    assert torch.equal(value, penalty(net, with_axis))
    for_all = replace(rows, irrelevance=rows.irrelevance[:1])
    repeated = replace(rows, irrelevance=rows.irrelevance[:1].repeat(4, *(1,) * n_axes))
    net = nn.Sequential(Unsqueeze(), net)
    torch.testing.assert_close(penalty(net, for_all), penalty(net, repeated))


def test_area_averaging_sees_a_single_pixel():
    """Bilinear resizing from 9 to 3 pixels would sample every third pixel only."""
    net = nn.Sequential(nn.Conv2d(1, 3, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(27, 3)).double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.randn(1, 1, 9, 9, dtype=torch.float64)
        for parameter in net.parameters():
            nn.init.normal_(parameter)
    _, activations = run_to_layer(net, x)
    assert activations.shape == (1, 3, 3, 3)
    heat = grad_cam(*_logits_and_map(net, x), net(x).argmax(1), x)[0]
    for i, j in np.ndindex(9, 9):
        mask = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
        mask[0, 0, i, j] = 1
        value = GradCAMPenalty()(net, make_rows(x, torch.tensor([0]), mask))
        torch.testing.assert_close(value[0], (heat[i // 3, j // 3] / 9).square())


def _logits_and_map(net, x):
    point, activations = run_to_layer(net, x)
    return point.logits, activations


@pytest.mark.parametrize(
    "penalty", [*BOTH, GradCAMPenalty("first"), HINTPenalty("input_gradient")], ids=str
)
def test_gradgradcheck(penalty):
    net = make_net()
    rows = random_rows((2, 2, 4, 4), seed=1)
    names = [name for name, _ in net.named_parameters()]

    class Called(nn.Module):
        # The penalty looks for layers in a module; functional_call swaps its weights.
        def forward(self, rows):
            return penalty(self.net, rows)

    called = Called()
    called.net = net

    def value(*weights):
        weights = {f"net.{name}": w for name, w in zip(names, weights, strict=True)}
        return functional_call(called, weights, (rows,))

    weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
    assert torch.autograd.gradcheck(value, weights)
    assert torch.autograd.gradgradcheck(value, weights, fast_mode=True)


@pytest.mark.parametrize("penalty", [*BOTH, HINTPenalty("input_gradient")], ids=str)
def test_rows_do_not_couple(penalty):
    net, rows = make_net(), random_rows()
    together = penalty(net, rows)
    alone = [penalty(net, rows.take(torch.tensor([i]))) for i in range(5)]
    torch.testing.assert_close(together, torch.cat(alone))


def assert_finite_gradients(value, net):
    value.sum().backward()
    for parameter in net.parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_mask_of_nothing_is_exactly_zero():
    net, rows = make_net(), random_rows(mask_shape=(1, 1, 6, 6))
    value = GradCAMPenalty()(net, replace(rows, irrelevance=0 * rows.irrelevance))
    assert torch.equal(value, torch.zeros(5, dtype=torch.float64))
    assert_finite_gradients(value, net)
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("kind", ["dead", "constant", "zero"])
@pytest.mark.parametrize("penalty", [*BOTH, HINTPenalty("input_gradient")], ids=str)
def test_constant_maps_are_zero_with_finite_gradients(penalty, kind):
    net, rows = make_net(activation=nn.ReLU).float(), random_rows()
    rows = make_rows(rows.x.float(), rows.y, torch.ones(1, 1, 6, 6))
    with torch.no_grad():
        if kind == "dead":
            net.last.bias.fill_(-100.0)
        elif kind == "constant":
            net.first.weight.zero_()
            net.last.weight.zero_()
            net.last.bias.fill_(1.0)
        else:
            for parameter in net.parameters():
                parameter.zero_()
    value = penalty(net, rows)
    # Everything is irrelevant: no heat is right.
    assert torch.equal(value, torch.zeros(5))
    assert_finite_gradients(value, net)
    assert_finite_gradients(penalty(net, replace(rows, irrelevance=torch.zeros(1, 1, 6, 6))), net)


@given(st.integers(0, 1000), st.sampled_from([(5, 2, 6, 6), (5, 1, 6, 6), (1, 1, 6, 6)]))
def test_heat_is_between_zero_and_one(seed, mask_shape):
    net, rows = make_net(seed), random_rows(mask_shape=mask_shape, seed=seed)
    heat = grad_cam(*_logits_and_map(net, rows.x), rows.y, rows.x).detach().flatten(1)
    assert torch.equal(heat.amin(1), torch.zeros(5, dtype=torch.float64))
    assert (heat <= 1).all()
    assert (heat.amax(1) > 0.9).all()
    pushed, pulled = GradCAMPenalty()(net, rows), HINTPenalty()(net, rows)
    assert ((pushed >= 0) & (pushed <= 9)).all()
    assert ((pulled >= 0) & (pulled <= 1)).all()


# -- HINT's known marks ----------------------------------------------------------------------------


@pytest.mark.parametrize("attribution", ["grad_cam", "input_gradient"])
@pytest.mark.parametrize("mask_shape", [(5, 2, 6, 6), (5, 1, 6, 6), (1, 1, 6, 6)])
def test_unknown_marks_are_left_out(attribution, mask_shape):
    net, rows = make_net(), random_rows(mask_shape=mask_shape)
    known = torch.rand(mask_shape, generator=torch.Generator().manual_seed(1)) > 0.5
    known[0] = len(known) == 1  # a row of its own without any known mark
    known[..., 0] = False
    rows = replace(rows, irrelevance=rows.irrelevance * known, known=known)
    value = HINTPenalty(attribution)(net, rows)
    if attribution == "grad_cam":
        heat = grad_cam(*_logits_and_map(net, rows.x), rows.y, rows.x)[:, None]
        heat = nn.functional.interpolate(heat, size=(6, 6), mode="bilinear").expand_as(rows.x)
    else:
        point = point_at(net, rows.x)
        (heat,) = torch.autograd.grad(point.logits.log_softmax(1).sum(), point.x)
    for i in range(5):
        k = known.expand_as(rows.x)[i]
        relevance = 1 - rows.irrelevance.expand_as(rows.x)[i]
        error = (heat[i][k] - relevance[k]).square()
        expected = error.mean() if k.any() else torch.zeros((), dtype=torch.float64)
        torch.testing.assert_close(value[i], expected)
    assert_finite_gradients(value, net)
    everywhere = replace(rows, known=torch.ones(mask_shape, dtype=torch.bool))
    blind = replace(rows, known=None)
    penalty = HINTPenalty(attribution)
    torch.testing.assert_close(penalty(net, everywhere), penalty(net, blind))


def test_hint_takes_rows_with_nothing_irrelevant():
    marks = np.full((3, 2, 2), np.nan)
    marks[0], marks[1] = 0, 1
    masks = interpret_mask(marks, (3, 2, 2))
    assert HINTPenalty().applies_to(masks).tolist() == [True, True, False]
    assert GradCAMPenalty().applies_to(masks).tolist() == [False, True, False]


def test_input_gradient_of_softmax_regression_per_unit():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Linear(4, 3).double()
    rows = random_rows((5, 4))
    rows = replace(rows, unit=torch.tensor([[0.5, 1.0, 2.0, 3.0]], dtype=torch.float64))
    p = net(rows.x).softmax(1)
    gradient = net.weight.sum(0) - 3 * p @ net.weight
    expected = (rows.unit * gradient - 1 + rows.irrelevance).square().mean(1)
    torch.testing.assert_close(HINTPenalty("input_gradient")(net, rows), expected)


def test_only_input_gradients_are_taken_from_logits():
    assert HINTPenalty("input_gradient").reads_logits
    assert not HINTPenalty("grad_cam").reads_logits
    net, rows = make_net(), random_rows()
    terms = [Term("hint", HINTPenalty("input_gradient"), 1.0)]
    own = evaluate_terms(terms, net, rows)["hint"]
    shared = evaluate_terms(terms, net, rows, clean=point_at(net, rows.x))["hint"]
    assert torch.equal(own, shared)


@pytest.mark.parametrize(
    "penalty", [*BOTH, GradCAMPenalty("first"), ConceptGradientPenalty("last", norm="l1")]
)
def test_a_shared_forward_gives_the_same_terms_without_another(penalty):
    net, rows = make_net(), random_rows()
    if isinstance(penalty, ConceptGradientPenalty):
        rows = replace(rows, irrelevance=torch.tensor([[1.0, 0.5, 0.0, 1.0]]).double())
    terms = [Term("maps", penalty, 1.0)]
    own = evaluate_terms(terms, net, rows)["maps"]
    with keep_outputs(net, [penalty.layer]) as outputs:
        point = replace(point_at(net, rows.x), outputs=outputs)
    net.first.register_forward_pre_hook(lambda *_: pytest.fail("the network has run again"))
    shared = evaluate_terms(terms, net, rows, clean=point)["maps"]
    assert own.any()
    assert torch.equal(own, shared)


# -- layers ----------------------------------------------------------------------------------------


def test_default_is_the_convolution_that_runs_last():
    net, rows = make_net(), random_rows()
    last = GradCAMPenalty("last")(net, rows)
    assert torch.equal(GradCAMPenalty()(net, rows), last)
    assert not torch.equal(GradCAMPenalty("first")(net, rows), last)


def test_a_layer_that_overwrites_its_input_changes_nothing():
    rows = random_rows()
    penalties = [*BOTH, GradCAMPenalty("last"), HINTPenalty(layer="last")]
    plain = make_net(activation=nn.ReLU)
    inplace = make_net(activation=lambda: nn.ReLU(inplace=True))
    _, activations = run_to_layer(plain, rows.x)
    assert (activations < 0).any()
    for penalty in penalties:
        value = penalty(plain, rows)
        assert value.any()
        assert torch.equal(penalty(inplace, rows), value)


def test_frozen_layers_pass_gradients_on():
    net, rows = make_net(), random_rows()
    expected = GradCAMPenalty()(net, rows)
    net.first.requires_grad_(False)
    net.last.requires_grad_(False)
    value = GradCAMPenalty()(net, rows)
    assert torch.equal(value, expected)
    value.sum().backward()
    assert net.head.weight.grad.any()


class Twice(nn.Module):
    """Runs a layer twice, one never, one without gradients, and one that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.unused = nn.Linear(3, 3)
        self.blind = nn.Linear(3, 3)
        self.recurrent = nn.LSTM(3, 3, batch_first=True)

    def forward(self, x):
        x = self.layer(torch.tanh(self.layer(x)))
        with torch.no_grad():
            offset = self.blind(x)
        return offset + self.recurrent(x[:, None])[0][:, 0]


def test_the_last_call_counts():
    net, x = Twice().eval(), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    _, activations = run_to_layer(net, x, "layer")
    torch.testing.assert_close(activations, net.layer(torch.tanh(net.layer(x))))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("nothing", r"layer must name a submodule, one of \['layer', .*; got 'nothing'"),
        (None, r"layer must be named.*one of \['layer'.*got None"),
        ("unused", "layer must be one that the network runs; got 'unused', not reached"),
        ("recurrent", "layer must return one tensor .*got 'recurrent', which returns .*tuple"),
        ("blind", "layer must return a tensor through which gradients flow; got 'blind'"),
    ],
)
def test_layers_that_cannot_be_used(layer, message):
    net, x = Twice().eval(), torch.zeros(4, 3)
    for penalty in (GradCAMPenalty(layer), HINTPenalty(layer=layer)):
        with pytest.raises(ValueError, match=message):
            penalty.check_module(net, x)
    HINTPenalty("input_gradient", layer).check_module(net, x)


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nn.Sequential(nn.Linear(3, 2)), (4, 3), "spatial axes.*which returns"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()), (4, 1, 3, 3), "more than one position"),
        (
            nn.Sequential(nn.Unflatten(1, (1, 3, 3)), nn.Conv2d(1, 2, 2), nn.Flatten()),
            (4, 9),
            r"spatial axes of X, whose samples have shape \(9,\)",
        ),
    ],
)
def test_layers_without_a_map(net, shape, message):
    layer = "0" if len(net) == 1 else None
    for penalty in (GradCAMPenalty(layer), HINTPenalty(layer=layer)):
        with pytest.raises(ValueError, match=f"layer must.*{message}"):
            penalty.check_module(net, torch.zeros(shape))


def test_a_name_may_lack_the_prefix_of_a_wrapper():
    net = make_net()
    wrapped = MappedModule(net, "head", nn.Identity())
    assert find_layers(wrapped, "last") == [net.last]
    assert find_layers(wrapped, "module.last") == [net.last]
    wrapped.last = nn.Identity()
    assert find_layers(wrapped, "last") == [wrapped.last]


def test_no_hook_is_left_behind():
    def hooks(net):
        return [hook for layer in net.modules() for hook in layer._forward_hooks]

    net, rows = make_net(), random_rows()
    GradCAMPenalty()(net, rows)
    assert not hooks(net)
    net.head = nn.Linear(99, 3).double()  # the forward fails behind the layer
    with pytest.raises(RuntimeError):
        GradCAMPenalty()(net, rows)
    assert not hooks(net)


class Words(nn.Module):
    """Embeds ids, through which no gradient flows, and runs a convolution over them."""

    def __init__(self):
        super().__init__()
        self.embed, self.conv = nn.Embedding(9, 4), nn.Conv1d(4, 5, 3, padding=1)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.conv(self.embed(x.long()).mT)).mean(2))


def test_a_layer_behind_frozen_ones_alone_has_gradients():
    """The value, and the gradient of what is trained, are those of the network as a whole."""
    net, x = Words().eval(), torch.arange(12.0).reshape(2, 6) % 9
    gradients = []
    for frozen in (False, True):
        net.conv.requires_grad_(not frozen)
        net.embed.requires_grad_(not frozen)
        point, activations = run_to_layer(net, x, "conv")
        score = (trainable_gradient(point.logits[:, 0], activations) * activations).square().sum()
        gradients.append([score.detach(), *torch.autograd.grad(score, [net.head.weight])])
    for whole, frozen in zip(*gradients, strict=True):
        assert torch.equal(whole, frozen)
    assert gradients[1][1].any()
