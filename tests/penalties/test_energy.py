"""Check the energy loss against shares by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from _rows import make_rows
from _texts import Attending, make_texts
from torch import nn

from skexplain import ExplanationClassifier
from skexplain.penalties import EnergyPenalty, GradCAMPenalty
from skexplain.penalties._base import point_at
from skexplain.training._method import Term
from skexplain.training._terms import evaluate_terms


class Scaled(nn.Module):
    """Logits are weighted sums of the map of a convolution that copies its input."""

    def __init__(self, weights):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)
        self.weights = torch.tensor(weights, dtype=torch.float32)

    def forward(self, x):
        return self.conv(x).sum((1, 2, 3))[:, None] * self.weights


@pytest.fixture
def rows():
    """Maps are the inputs themselves: two samples of 2 x 2 pixels."""
    x = torch.tensor([[[[3.0, 1.0], [-5.0, 4.0]]], [[[-1.0, -2.0], [-4.0, -1.0]]]])
    irrelevance = torch.tensor([[[[1.0, 0.5], [1.0, 0.0]]], [[[1.0, 0.0], [0.0, 0.0]]]])
    return make_rows(x, torch.tensor([0, 0]), irrelevance, torch.ones(1, 1, 1, 1))


def test_the_share_by_hand(rows):
    """Of the positive 3, 1 and 4 lie 3 + 0.5 outside; the second map has nothing positive."""
    value = EnergyPenalty()(Scaled([2.0, 0.0]), rows).detach()
    torch.testing.assert_close(value, torch.tensor([3.5 / 8, 0.0]))


def test_it_is_one_less_the_energy_inside(rows):
    outside = EnergyPenalty()(Scaled([1.0, 0.0]), rows)
    swapped = dataclasses.replace(rows, irrelevance=1 - rows.irrelevance)
    inside = EnergyPenalty()(Scaled([1.0, 0.0]), swapped)
    torch.testing.assert_close((outside + inside)[:1], torch.ones(1))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_scale_of_the_logits_does_not_matter(scale, rows):
    value = EnergyPenalty()(Scaled([scale, 0.0]), rows).detach()
    torch.testing.assert_close(value, torch.tensor([3.5 / 8, 0.0]))


def test_it_is_of_the_true_class(rows):
    """Whose map is negative: of the second sample all is positive then, of the first the -5."""
    value = EnergyPenalty()(Scaled([-1.0, 9.0]), rows).detach()
    torch.testing.assert_close(value, torch.tensor([1.0, 1 / 8]))


def test_unknown_places_count_in_neither_sum(rows):
    known = torch.tensor([[[[True, True], [True, False]]], [[[True] * 2] * 2]])
    value = EnergyPenalty()(Scaled([2.0, 0.0]), dataclasses.replace(rows, known=known)).detach()
    torch.testing.assert_close(value[0], torch.tensor(3.5 / 4))


def test_the_gradient_is_finite_where_nothing_is_positive(rows):
    net = Scaled([2.0, 0.0])
    EnergyPenalty()(net, rows).sum().backward()
    assert net.conv.weight.grad.isfinite().all()


def test_it_shares_the_forward_pass_of_the_clean_samples(rows):
    from skexplain.penalties._layers import run_to_layer

    net = Scaled([2.0, 0.0])
    terms = [Term("energy", EnergyPenalty(), 1.0)]
    own = evaluate_terms(terms, net, rows)["energy"]
    shared = evaluate_terms(terms, net, rows, clean=run_to_layer(net, rows.x)[0])["energy"]
    assert torch.equal(own, shared)
    assert not EnergyPenalty().reads(point_at(net, rows.x))


def test_a_fit_moves_the_map_into_the_boxes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1, 6, 6)).astype(np.float32)
    y = np.arange(60) % 2
    X[:, :, :3, :3] += 2 * y[:, None, None, None]
    X[:, :, 3:, 3:] += 2 * y[:, None, None, None]
    boxes = np.zeros((1, 1, 6, 6))
    boxes[:, :, :3, :3] = 1  # either corner tells the label; this one is the reason
    shares = []
    for alpha in (1e-6, 5.0):
        clf = ExplanationClassifier(
            penalties=[("energy", EnergyPenalty("features.1"))],
            alpha=alpha,
            mask_marks="relevant",
            lr=0.01,
            max_epochs=60,
            random_state=0,
        ).fit(X, y, mask=boxes)
        shares.append(clf.history_[-1, "train_energy"])
    assert shares[1] < 0.8 * shares[0], shares


def test_tokens_are_places_and_no_channels():
    X, y, mask = make_texts(20)
    params = {"max_epochs": 1, "random_state": 0}
    losses = []
    for module, axis in ((Attending, -1), (Turned, 1)):
        penalty = EnergyPenalty("embedding" if axis == -1 else "turned", axis)
        clf = ExplanationClassifier(module, penalties=[("energy", penalty)], **params)
        losses.append(clf.fit(X, y, mask=mask).history_[-1, "train_energy"])
    assert 0 < losses[0] == pytest.approx(losses[1], abs=1e-6)
    for penalty in (EnergyPenalty("embedding"), GradCAMPenalty("embedding")):
        clf = ExplanationClassifier(Attending, penalties=[("map", penalty)], **params)
        with pytest.raises(ValueError, match="channel_axis must be the axis of the units"):
            clf.fit(X, y, mask=mask)


class Turned(Attending):
    """Also returns embeddings with their units on axis 1."""

    def __init__(self):
        super().__init__()
        self.turned = nn.Identity()

    def forward(self, ids):
        embedded = self.turned(self.embedding(ids).transpose(1, 2)).transpose(1, 2)
        return self.head(self.block(embedded).mean(1))
