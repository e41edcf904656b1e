"""Check CDEP against values by hand, its sign, and what a mask means to it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skexplain.exceptions import UnsupportedOperationError
from skexplain.penalties import DecompositionPenalty, Rows
from skexplain.propagation import decompose

both_measures = pytest.mark.parametrize("measure", ["softmax", "l1"])


def make_rows(x, irrelevance):
    one = torch.ones(())
    return Rows(
        x=x,
        y=torch.zeros(len(x), dtype=torch.long),
        irrelevance=irrelevance,
        known=None,
        unit=one,
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=None,
    )


def linear(weight, bias=None):
    weight = torch.tensor(weight)
    net = nn.Linear(weight.shape[1], len(weight), bias=bias is not None)
    with torch.no_grad():
        net.weight.copy_(weight)
        if bias is not None:
            net.bias.copy_(torch.tensor(bias))
    return net


def convolutional():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        ).eval()


def random_images(n_rows=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, 2, 6, 6, generator=generator).relu()
    irrelevance = torch.rand(n_rows, 1, 6, 6, generator=generator)
    return make_rows(x, irrelevance * (irrelevance > 0.4))


# -- by hand ---------------------------------------------------------------------------------------


def test_value_by_hand():
    """x = (1, 2), the second irrelevant: beta = (4, -2, 0), gamma = (1, 3, 2); no bias.

    sigmoid(3), sigmoid(-5), sigmoid(-2) are .95257, .00669, .11920.
    """
    net = linear([[1.0, 2.0], [3.0, -1.0], [2.0, 0.0]])
    rows = make_rows(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 1.0]]))
    value = DecompositionPenalty()(net, rows)
    torch.testing.assert_close(value, torch.tensor([0.359490]), atol=1e-5, rtol=0)
    value = DecompositionPenalty("l1")(net, rows)
    torch.testing.assert_close(value, torch.tensor([2.0]))


def test_value_by_hand_with_degrees_and_a_bias():
    """x = (4, 2), a = (1/4, 1/2): a x = (1, 1), (1 - a) x = (3, 1).

    beta = (1 + 1, 1 - 3), gamma = (3 + 1, 3 - 3) before the biases (6, 5), which are shared 2 : 4
    and 2 : 0: beta = (4, 3), gamma = (8, 0).
    """
    net = linear([[1.0, 1.0], [1.0, -3.0]], bias=[6.0, 5.0])
    rows = make_rows(torch.tensor([[4.0, 2.0]]), torch.tensor([[0.25, 0.5]]))
    expected = (torch.tensor([-4.0, 3.0]).sigmoid()).mean()
    torch.testing.assert_close(DecompositionPenalty()(net, rows), expected[None])
    torch.testing.assert_close(DecompositionPenalty("l1")(net, rows), torch.tensor([3.5]))


def test_a_half_of_everything_contributes_a_half():
    value = DecompositionPenalty()(
        linear([[1.0, -2.0], [3.0, 1.0]], bias=[1.0, -1.0]),
        make_rows(torch.tensor([[1.0, 2.0], [-3.0, 0.5]]), torch.tensor([[0.5, 0.5]])),
    )
    assert value.tolist() == [0.5, 0.5]


# -- orientation -----------------------------------------------------------------------------------


@both_measures
def test_more_of_an_irrelevant_feature_is_worse(measure):
    """Not of a relevant one: one published reproduction has it the other way round."""
    x = torch.tensor([[1.0, 2.0], [0.5, 3.0]])
    rows = make_rows(x, torch.tensor([[0.0, 1.0]]))
    sizes = torch.linspace(0.1, 3, 10)
    growing = [[[1.0, float(size)]] * 3 for size in sizes]
    values = torch.stack([DecompositionPenalty(measure)(linear(w), rows) for w in growing])
    assert (values.diff(dim=0) > 0).all()
    if measure == "softmax":
        growing = [[[float(size), 1.0]] * 3 for size in sizes]
        values = torch.stack([DecompositionPenalty(measure)(linear(w), rows) for w in growing])
        assert (values.diff(dim=0) < 0).all()


@both_measures
def test_all_classes_count_alike(measure):
    net = linear([[1.0, 0.4], [-0.3, 1.2], [0.2, 0.7], [0.5, 0.1]])
    rows = make_rows(torch.tensor([[1.0, 2.0], [0.5, 3.0]]), torch.tensor([[0.0, 1.0]]))
    value = DecompositionPenalty(measure)(net, rows)
    value.sum().backward()
    assert (net.weight.grad[:, 1] > 0).all()
    if measure == "softmax":
        assert (net.weight.grad[:, 0] < 0).all()
    else:
        assert not net.weight.grad[:, 0].any()
    order = torch.tensor([2, 3, 0, 1])
    permuted = linear(net.weight[order].tolist())
    torch.testing.assert_close(DecompositionPenalty(measure)(permuted, rows), value)


def test_a_shift_of_all_classes_hides_a_shortcut_from_the_softmax_only():
    """The second feature tells the class, the third is always 1: both irrelevant."""
    x = torch.tensor([[0.1, 1.0, 1.0], [-0.1, -1.0, 1.0]])
    rows = make_rows(x, torch.tensor([[0.0, 1.0, 1.0]]))
    open_, hidden = (linear([[1.0, 3.0, shift], [-1.0, -3.0, shift]]) for shift in (0.0, -20.0))
    torch.testing.assert_close(open_(x).softmax(1), hidden(x).softmax(1))
    softmax, l1 = DecompositionPenalty(), DecompositionPenalty("l1")
    assert (softmax(open_, rows) > 0.49).all()
    assert (softmax(hidden, rows) < 1e-6).all()
    assert (l1(hidden, rows) > l1(open_, rows)).all()


# -- masks -----------------------------------------------------------------------------------------


@both_measures
@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_rows_do_not_couple_and_masks_broadcast(measure, seed):
    net, rows = convolutional(), random_images(seed=seed)
    penalty = DecompositionPenalty(measure)
    together = penalty(net, rows)
    assert together.shape == (4,)
    alone = torch.cat([penalty(net, rows.take(torch.tensor([i]))) for i in range(4)])
    torch.testing.assert_close(together, alone)
    full = replace(rows, irrelevance=rows.irrelevance.expand(4, 2, 6, 6))
    assert torch.equal(penalty(net, full), together)
    one = replace(rows, irrelevance=rows.irrelevance[:1])
    repeated = replace(rows, irrelevance=rows.irrelevance[:1].expand(4, 1, 6, 6))
    assert torch.equal(penalty(net, one), penalty(net, repeated))


def test_it_is_the_decomposition_of_the_irrelevant_features():
    net, rows = convolutional(), random_images()
    logits = decompose(net, rows.irrelevance * rows.x, (1 - rows.irrelevance) * rows.x)
    torch.testing.assert_close(logits.total, net(rows.x))
    pairs = torch.stack([logits.part, logits.rest], 2)
    torch.testing.assert_close(DecompositionPenalty()(net, rows), pairs.softmax(2)[..., 0].mean(1))


@both_measures
def test_gradients_are_finite_on_blank_images(measure):
    net, rows = convolutional(), random_images()
    rows.x[:2] = 0
    DecompositionPenalty(measure)(net, rows).sum().backward()
    for parameter in net.parameters():
        assert parameter.grad.isfinite().all()
        assert parameter.grad.any()


# -- what is refused -------------------------------------------------------------------------------


def test_a_network_that_cannot_be_decomposed_is_refused():
    x = torch.zeros(2, 4)
    DecompositionPenalty().check_module(linear([[1.0] * 4] * 2, bias=[1.0, 2.0]), x)
    net = nn.Sequential(nn.Linear(4, 4), nn.Softmax(1), nn.Linear(4, 2))
    with pytest.raises(UnsupportedOperationError, match="decompositions .* got 'softmax'"):
        DecompositionPenalty().check_module(net, x)


def test_an_unknown_measure_is_refused():
    for measure in ("l2", None):
        with pytest.raises(ValueError, match=r"measure must be one of \['softmax', 'l1'\], got "):
            DecompositionPenalty(measure).check_parameters()
