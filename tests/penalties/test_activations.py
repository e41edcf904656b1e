"""Check the penalty on activations against sums by hand, and what it asks of a network."""

import dataclasses

import numpy as np
import pytest
import torch
from _rows import make_rows
from _texts import Attending, make_texts
from torch import nn

from skexplain import ExplanationClassifier
from skexplain.penalties import ActivationPenalty


def make_case(channels=2):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, channels, 4, 4, generator=generator, dtype=torch.float64)
    irrelevance = torch.rand(3, 1, 4, 4, generator=generator, dtype=torch.float64)
    irrelevance *= irrelevance > 0.6
    unit = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    return make_rows(x, torch.tensor([0, 1, 0]), irrelevance, unit)


def network():
    """One convolution of one pixel, and one that halves the map."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 2, stride=2), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(8, 2)).double()


def by_hand(net, rows):
    """Place by place, with the largest irrelevance of each block of four."""
    first = net[0](rows.x).detach()
    second = net[2](first.relu()).detach()
    values = []
    for n in range(len(rows.x)):
        a, total = rows.irrelevance[n, 0], 0.0
        for i in range(4):
            for j in range(4):
                total += float(a[i, j] * first[n, :, i, j].abs().sum()) ** 2
        for i in range(2):
            for j in range(2):
                block = a[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max()
                total += float(block * second[n, :, i, j].abs().sum()) ** 2
        values.append(total)
    return torch.tensor(values, dtype=torch.float64)


def test_equals_the_sum_by_hand():
    net, rows = network(), make_case()
    value = ActivationPenalty()(net, rows).detach()
    torch.testing.assert_close(value, by_hand(net, rows))
    parts = sum(ActivationPenalty([name])(net, rows).detach() for name in ("0", "2"))
    torch.testing.assert_close(parts, value)


def test_a_mask_with_channels_counts_with_its_largest_value():
    net, rows = network(), make_case()
    several = torch.cat([rows.irrelevance, 0.5 * rows.irrelevance], dim=1)
    value = ActivationPenalty()(net, dataclasses.replace(rows, irrelevance=several))
    torch.testing.assert_close(value, ActivationPenalty()(net, rows))


def test_its_gradient_by_finite_differences():
    net, rows = network(), make_case()
    assert not ActivationPenalty().needs_double_backward
    value = ActivationPenalty(["0"])(net, rows).sum()
    (gradient,) = torch.autograd.grad(value, net[0].bias)
    step = 1e-6
    for k in range(3):
        moved = []
        for sign in (1, -1):
            with torch.no_grad():
                net[0].bias[k] += sign * step
            moved.append(ActivationPenalty(["0"])(net, rows).sum().item())
            with torch.no_grad():
                net[0].bias[k] -= sign * step
        assert gradient[k].item() == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize(("axes", "conv"), [(1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)])
def test_samples_without_a_channel_axis(axes, conv):
    x = torch.ones(2, *(4,) * axes)
    unit = torch.ones(1, *(1,) * axes)
    rows = make_rows(x, torch.tensor([0, 1]), torch.ones_like(x), unit)
    layer = conv(1, 1, 1)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 0.0)
    net = nn.Sequential(nn.Unflatten(1, (1, 4)), layer)
    value = ActivationPenalty()(net, rows).detach()
    torch.testing.assert_close(value, torch.full((2,), 4.0 * 4**axes))


def fit(**params):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1, 6, 6)).astype(np.float32)
    y = np.arange(40) % 2
    X[:, :, :2, :2] += 3 * y[:, None, None, None]
    mask = np.zeros((1, 1, 6, 6))
    mask[:, :, :2, :2] = 1
    penalty = ActivationPenalty(**params.pop("penalty", {}))
    clf = ExplanationClassifier(penalties=[("tap", penalty)], lr=0.01, random_state=0, **params)
    return clf.fit(X, y, mask=mask)


def test_a_fit_holds_activations_down():
    held, free = (fit(alpha=alpha, max_epochs=20).history_ for alpha in (0.1, 1e-6))
    assert held[-1, "train_tap"] < 0.1 * free[-1, "train_tap"]


@pytest.mark.parametrize(
    ("params", "atol"),
    [({"mixed_precision": True}, 0.02), ({"compile": True, "compile__backend": "eager"}, 1e-5)],
    ids=["bfloat16", "compiled"],
)
def test_it_goes_with_bfloat16_and_with_compiled_networks(params, atol):
    plain, fast = (fit(alpha=0.1, max_epochs=5, **each) for each in ({}, params))
    assert plain.history_[-1, "train_tap"] < 0.9 * plain.history_[0, "train_tap"]
    for name in ("train_tap", "train_loss"):
        expected = plain.history_[:, name]
        np.testing.assert_allclose(fast.history_[:, name], expected, rtol=atol)


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ("features.1", "layers must be a list of names"),
        ([], "layers must be a list of names"),
        ([3], "layers must be a list of names"),
        (["features.77"], "layer must name a submodule"),
        (["head"], "layers must return maps"),
    ],
)
def test_layers_are_checked(layers, match):
    with pytest.raises(ValueError, match=match):
        fit(penalty={"layers": layers}, max_epochs=1)


def test_a_table_has_no_maps():
    X, y = np.zeros((10, 4)), np.arange(10) % 2
    clf = ExplanationClassifier(penalties=[("tap", ActivationPenalty())])
    with pytest.raises(ValueError, match="layers must be named, as the network has no conv"):
        clf.fit(X, y, mask=np.ones((1, 4)))


def test_frozen_layers_alone_cannot_be_trained():
    case, module = make_case(), network()
    module[0].requires_grad_(False)
    assert ActivationPenalty()(module, case).requires_grad  # the second convolution is trained
    with pytest.raises(ValueError, match="layers must name some that training changes"):
        ActivationPenalty(["0"])(module, case)


def test_tokens_are_places_and_no_channels():
    X, y, mask = make_texts(20)
    penalty = ActivationPenalty(["embedding"])
    clf = ExplanationClassifier(Attending, penalties=[("tap", penalty)], max_epochs=1)
    with pytest.raises(ValueError, match=r"layers must return maps, \(n_samples, units, tokens"):
        clf.fit(X, y, mask=mask)
