"""Check concept gradients against closed forms, Grad-Reg and finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from skexplain.penalties import InputGradientPenalty, Rows
from skexplain.penalties._concepts import ConceptGradientPenalty
from skexplain.penalties._input_gradient import OUTPUTS

NORMS = ["l2", "l1"]


class ImageNet(nn.Module):
    """Identity, two convolutions and a head."""

    def __init__(self):
        super().__init__()
        self.input = nn.Identity()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.tanh(self.first(self.input(x)))
        return self.head(torch.tanh(self.second(x)).mean((2, 3)))


def table_net():
    return nn.Sequential(nn.Identity(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))


def build(factory, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return factory().double().eval()


def random_rows(shape, n_columns, n_masks=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    one = torch.ones((), dtype=torch.float64)
    mask_shape = (shape[0] if n_masks is None else n_masks, n_columns)
    irrelevance = torch.rand(mask_shape, dtype=torch.float64, generator=generator)
    return Rows(
        x=torch.randn(shape, dtype=torch.float64, generator=generator),
        y=torch.randint(3, shape[:1], generator=generator),
        irrelevance=irrelevance * (torch.rand(mask_shape, generator=generator) > 0.3),
        known=None,
        unit=7 * one,  # activations have none: it must not matter
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=None,
    )


def directions(k, n_units, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(k, n_units, dtype=torch.float64, generator=generator).numpy()


@pytest.mark.parametrize("norm", NORMS)
def test_equals_the_closed_form_of_a_linear_head(norm):
    """d sum_k log p_k / dh = sum_k W_k - K sum_k p_k W_k at the features of the head."""
    net, rows = build(table_net), random_rows((6, 4), 3)
    concepts = directions(3, 5)
    weight, p = net[3].weight, net(rows.x).softmax(1)
    gradient = weight.sum(0) - 3 * p @ weight
    scaled = rows.irrelevance * (gradient @ torch.as_tensor(concepts).T)
    expected = (scaled.abs() if norm == "l1" else scaled**2).sum(1)
    value = ConceptGradientPenalty("2", concepts, norm=norm)(net, rows)
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("factory", "shape"), [(table_net, (6, 4)), (ImageNet, (6, 2, 4, 4))])
def test_at_the_input_it_is_the_input_gradient_penalty(factory, shape, output, norm):
    net, rows = build(factory), random_rows(shape, shape[1])
    spatial = (1,) * (len(shape) - 2)
    of_input = replace(
        rows,
        irrelevance=rows.irrelevance.view(*rows.irrelevance.shape, *spatial),
        unit=torch.ones((), dtype=torch.float64),
    )
    name = "0" if factory is table_net else "input"
    value = ConceptGradientPenalty(name, output=output, norm=norm)(net, rows)
    torch.testing.assert_close(value, InputGradientPenalty(output, norm)(net, of_input))


@pytest.mark.parametrize("norm", NORMS)
def test_identity_concepts_are_the_units(norm):
    net, rows = build(ImageNet), random_rows((5, 2, 4, 4), 4)
    units = ConceptGradientPenalty("first", norm=norm)(net, rows)
    for concepts in (np.eye(4), np.eye(4).tolist(), torch.eye(4)):
        value = ConceptGradientPenalty("first", concepts, norm=norm)(net, rows)
        torch.testing.assert_close(value, units)


@pytest.mark.parametrize("n_masks", [None, 1])
@pytest.mark.parametrize("norm", NORMS)
def test_equals_a_loop_over_rows_concepts_and_positions(norm, n_masks):
    net, rows = build(ImageNet), random_rows((3, 2, 4, 4), 2, n_masks)
    concepts = directions(2, 4)
    value = ConceptGradientPenalty("first", concepts, norm=norm)(net, rows)
    for i in range(3):
        hidden = net.first(rows.x[i : i + 1]).detach()
        expected = 0.0
        for j, direction in enumerate(concepts):
            a = rows.irrelevance[i if n_masks is None else 0, j].item()
            for position in np.ndindex(4, 4):
                step = torch.zeros_like(hidden)
                step[0, :, position[0], position[1]] = 1e-5 * torch.as_tensor(direction)
                scores = [
                    net.head(torch.tanh(net.second(torch.tanh(h))).mean((2, 3)))
                    .log_softmax(1)
                    .sum()
                    for h in (hidden + step, hidden - step)
                ]
                slope = a * (scores[0] - scores[1]).item() / 2e-5
                expected += abs(slope) if norm == "l1" else slope**2
        assert value[i].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("concepts", [None, directions(2, 4)], ids=["units", "concepts"])
def test_gradgradcheck(concepts):
    net = build(ImageNet)
    rows = random_rows((2, 2, 3, 3), 4 if concepts is None else 2)
    names = [name for name, _ in net.named_parameters()]

    class Called(nn.Module):
        def forward(self, rows):
            return ConceptGradientPenalty("first", concepts)(self.net, rows)

    called = Called()
    called.net = net

    def value(*weights):
        weights = {f"net.{name}": w for name, w in zip(names, weights, strict=True)}
        return functional_call(called, weights, (rows,))

    weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
    assert torch.autograd.gradcheck(value, weights)
    assert torch.autograd.gradgradcheck(value, weights, fast_mode=True)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_mask_of_nothing_and_dead_units_give_zero_and_no_nan(output, norm):
    net = build(lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    rows = random_rows((6, 4), 5)
    blank = replace(rows, irrelevance=torch.zeros(1, 5, dtype=torch.float64))
    dead = build(lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    nn.init.constant_(dead[0].bias, -100.0)
    for module, case in [(net, blank), (dead, rows), (dead, blank)]:
        value = ConceptGradientPenalty("0", output=output, norm=norm)(module, case)
        assert torch.equal(value, torch.zeros(6, dtype=torch.float64))
        value.sum().backward()
        for parameter in module.parameters():
            assert parameter.grad is None or torch.isfinite(parameter.grad).all()


def test_rows_do_not_couple():
    net, rows = build(ImageNet), random_rows((5, 2, 4, 4), 4)
    penalty = ConceptGradientPenalty("second")
    alone = [penalty(net, rows.take(torch.tensor([i]))) for i in range(5)]
    torch.testing.assert_close(penalty(net, rows), torch.cat(alone))


@pytest.mark.parametrize(
    ("layer", "concepts", "k", "of"),
    [
        ("first", None, 4, "unit of layer 'first'"),
        ("head", None, 3, "unit of layer 'head'"),
        ("first", directions(7, 4), 7, "row of concepts"),
    ],
)
@pytest.mark.parametrize("n_masks", [None, 1])
def test_a_mask_has_one_column_per_unit_or_concept(layer, concepts, k, of, n_masks):
    net, penalty = build(ImageNet), ConceptGradientPenalty(layer, concepts)
    assert penalty(net, random_rows((5, 2, 4, 4), k, n_masks)).shape == (5,)
    # A single column would be broadcast.
    for wrong in (1, k - 1, k + 1):
        match = (
            rf"mask must have shape \(n, {k}\) or \(1, {k}\), one column per {of}; got {wrong} c"
        )
        with pytest.raises(ValueError, match=match):
            penalty(net, random_rows((5, 2, 4, 4), wrong, n_masks))


@pytest.mark.parametrize(
    ("concepts", "message"),
    [
        (np.ones(4), r"got shape \(4,\)"),
        (np.ones((2, 3)), r"got shape \(2, 3\)"),
        (np.ones((0, 4)), r"got shape \(0, 4\)"),
        ([[0.0, 1.0, np.nan, 0.0]], "got infinite or missing values"),
        ([[1.0, 2.0], [3.0]], "got list"),
        ([list("abcd")], "got list"),
    ],
)
def test_concepts_that_do_not_fit(concepts, message):
    net, x = build(ImageNet), torch.zeros(2, 2, 4, 4, dtype=torch.float64)
    expected = rf"concepts must be finite numbers of shape \(k, 4\).*{message}"
    with pytest.raises(ValueError, match=expected):
        ConceptGradientPenalty("first", concepts).check_module(net, x)
    with pytest.raises(ValueError, match="layer must name a submodule"):
        ConceptGradientPenalty("third", concepts).check_module(net, x)
