"""Check gradients along the change of a swap against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _rows import make_rows
from _texts import Attending, make_texts
from scipy.optimize import minimize
from torch import nn

from skexplain import ExplanationClassifier
from skexplain.penalties import PatternPenalty
from skexplain.studies import compare

DOUBLE = torch.float64


def build(*layers, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(*(layer() for layer in layers)).double().eval()


def perceptron():
    return build(
        lambda: nn.Linear(4, 5),
        nn.Tanh,
        lambda: nn.Linear(5, 3),
    )


@pytest.fixture
def pair():
    """Samples, of which two features are irrelevant, and donors."""
    generator = torch.Generator().manual_seed(0)
    x, other = torch.randn(2, 6, 4, dtype=DOUBLE, generator=generator)
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    marks = torch.tensor([[1.0, 0.0, 1.0, 0.0]], dtype=DOUBLE)
    rows, donors = (
        make_rows(values, y, marks, torch.ones(1, 4, dtype=DOUBLE)) for values in (x, other)
    )
    return tuple(replace(each, share_hard_mask=True) for each in (rows, donors))


def swapped(rows, donors):
    return torch.where(rows.irrelevance > 0, donors.x, rows.x)


def test_behind_a_linear_head_it_is_the_squared_change_of_the_score(pair):
    net, (rows, donors) = perceptron(), pair
    scores = [
        (z.gather(1, rows.y[:, None])[:, 0] - z.mean(1))
        for z in (net(rows.x), net(swapped(rows, donors)))
    ]
    value = PatternPenalty("1", output="logit_true")(net, rows, donors)
    torch.testing.assert_close(value, (scores[0] - scores[1]).square())


def test_equals_the_closed_form_of_log_probabilities(pair):
    """d sum_k log p_k / dh = sum_k W_k - K sum_k p_k W_k."""
    net, (rows, donors) = perceptron(), pair
    direction = net[:2](rows.x) - net[:2](swapped(rows, donors))
    weight = net[2].weight
    gradient = weight.sum(0) - 3 * net(rows.x).softmax(1) @ weight
    value = PatternPenalty("1", "log_prob_sum")(net, rows, donors)
    torch.testing.assert_close(value, (direction * gradient).sum(1).square())


def test_signs_are_drawn(pair):
    """Each value is one of the four that signs of three changes give, and all of them occur."""
    net, (rows, donors) = perceptron(), pair
    changes = net(rows.x) - net(swapped(rows, donors))
    signs = torch.tensor([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]], dtype=DOUBLE)
    possible = (changes @ signs.T).square()
    penalty, generator = (
        PatternPenalty("1", "signed_logits"),
        torch.Generator().manual_seed(0),
    )
    drawn = torch.stack([penalty(net, rows, donors, generator) for _ in range(60)])
    distance = (drawn[:, :, None] - possible).abs()
    assert distance.amin(2).max() < 1e-12
    assert set(distance.argmin(2).flatten().tolist()) == {0, 1, 2, 3}


def test_a_layer_that_is_scaled_and_scaled_back_does_not_matter(pair):
    net = build(lambda: nn.Linear(4, 5), lambda: nn.Linear(5, 3))
    value = PatternPenalty("0")(net, *pair)
    assert value.gt(0).all()
    with torch.no_grad():
        net[0].weight *= 100
        net[0].bias *= 100
        net[1].weight /= 100
    torch.testing.assert_close(PatternPenalty("0")(net, *pair), value)


def test_gradients_reach_the_head_and_not_the_direction(pair):
    """The derivative by W of (W d)^2, with d a constant, is 2 (W d) d; that by the layer is 0."""
    net, (rows, donors) = perceptron(), pair
    rows = replace(rows, y=torch.zeros_like(rows.y))
    PatternPenalty("1", "logit_true")(net, rows, donors).sum().backward()
    direction = (net[:2](rows.x) - net[:2](swapped(rows, donors))).detach()
    of_class = torch.tensor([2 / 3, -1 / 3, -1 / 3], dtype=DOUBLE)
    slope = direction @ (of_class @ net[2].weight)
    expected = of_class[:, None] * (2 * slope[:, None] * direction).sum(0)
    torch.testing.assert_close(net[2].weight.grad, expected.detach())
    assert net[0].weight.grad is None


def test_places_of_a_feature_map_by_finite_differences(pair):
    convolution = lambda: nn.Conv2d(1, 2, 2)  # noqa: E731
    net = build(
        lambda: nn.Unflatten(1, (1, 2, 2)),
        lambda: nn.ZeroPad2d(1),
        convolution,
        nn.Tanh,
        nn.Flatten,
        lambda: nn.Linear(18, 3),
        nn.Softplus,
    )
    rows, donors = pair
    h, other = net[:3](rows.x), net[:3](swapped(rows, donors))
    step = 1e-6 * (h - other)
    up, down = (net[3:](h + sign * step).log_softmax(1).sum(1) for sign in (1, -1))
    value = PatternPenalty("2", "log_prob_sum")(net, rows, donors)
    torch.testing.assert_close(value, ((up - down) / 2e-6).square(), rtol=1e-6, atol=1e-9)


def test_samples_do_not_couple(pair):
    net, (rows, donors) = perceptron(), pair
    index = [torch.tensor([i]) for i in range(6)]
    alone = [PatternPenalty("1")(net, rows.take(i), donors.take(i)) for i in index]
    torch.testing.assert_close(PatternPenalty("1")(net, rows, donors), torch.cat(alone))


def test_where_nothing_changes_it_is_zero_with_finite_gradients(pair):
    net, (rows, donors) = perceptron(), pair
    blank = replace(rows, irrelevance=torch.zeros_like(rows.irrelevance))
    value = PatternPenalty("1")(net, blank, donors)
    assert torch.equal(value, torch.zeros(6, dtype=DOUBLE))
    value.sum().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


class FrozenFeatures(nn.Module):
    """Features of which the directions of a reason and of an artefact are known."""

    directions = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.5, -1.0], [2.0, 1.0]])

    def __init__(self):
        super().__init__()
        self.features, self.head = nn.Linear(2, 4, bias=False), nn.Linear(4, 2)
        with torch.no_grad():
            self.features.weight.copy_(self.directions)
        self.features.requires_grad_(False)

    def forward(self, x):
        return self.head(self.features(x))


def make_artefact():
    """Return a reason, an artefact that agrees with nine labels in ten, and the labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    artefact = np.where(rng.uniform(size=300) < 0.9, y, 1 - y)
    return np.column_stack([rng.normal(size=300) + y, artefact]), y


@pytest.mark.parametrize("alpha", [1.0, 100.0])
def test_a_fit_of_the_head_reaches_the_optimum_of_the_objective(alpha):
    """Its slopes on the reason and on the artefact t, with (w / 2)^2 E (t - t')^2 as penalty."""
    X, y = make_artefact()

    def objective(parameters):
        bias, *slopes = parameters
        log_odds = bias + X @ slopes
        loss = np.mean(np.logaddexp(0, log_odds) - y * log_odds)
        return loss + alpha * slopes[1] ** 2 / 4 * 2 * X[:, 1].var()

    expected = minimize(objective, np.zeros(3)).x[1:]
    clf = ExplanationClassifier(
        FrozenFeatures,
        penalties=[("pattern", PatternPenalty())],
        alpha=alpha,
        max_epochs=200,
        lr=0.03,
        batch_size=300,
        random_state=0,
    ).fit(X, y, mask=np.array([[0, 1]]))
    weight = clf.module_.head.weight.detach()
    slopes = (weight[1] - weight[0]) @ FrozenFeatures.directions
    np.testing.assert_allclose(slopes, expected, atol=0.05)


def test_a_fit_no_longer_reads_the_layer_along_the_swap():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column tells the label
    flipped = np.column_stack([X[:, 0], 2 - X[:, 1]])
    scores = {}
    for alpha in (0.0, 1.0):
        clf = ExplanationClassifier(
            penalties=[("pattern", PatternPenalty())],
            alpha=alpha,
            max_epochs=60,
            lr=0.01,
            random_state=0,
        ).fit(X, y, mask=np.array([[0, 1]]))
        scores[alpha] = np.abs(clf.predict_proba(X) - clf.predict_proba(flipped)).mean()
    assert scores[1.0] < 0.6 * scores[0.0], scores


def test_tokens_are_swapped_as_a_whole():
    X, y, mask = make_texts(20)
    clf = ExplanationClassifier(
        Attending,
        penalties=[("pattern", PatternPenalty("block"))],
        max_epochs=1,
        random_state=0,
    ).fit(X, y, mask=mask)
    assert clf.history_[-1, "train_pattern"] > 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layer": None}, "layer must"),
        ({"output": "typo"}, "output must be one of .*'signed_logits'.*got 'typo'"),
    ],
)
def test_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        PatternPenalty(**params).check_parameters()


def test_a_layer_that_is_not_there(pair):
    clf = ExplanationClassifier(penalties=[("pattern", PatternPenalty("nope"))], max_epochs=1)
    X = pair[0].x.numpy()
    with pytest.raises(ValueError, match="layer must name a submodule"):
        clf.fit(X, pair[0].y.numpy(), mask=np.array([[1, 0, 1, 0]]))


def test_it_is_compared_with_shuffled_masks():
    rows = compare(["decoy-half"], ["rr-clarc"], seeds=1, max_epochs=1)
    assert {row["masks"] for row in rows if row["estimator"] == "rr-clarc"} == {"given", "shuffled"}
