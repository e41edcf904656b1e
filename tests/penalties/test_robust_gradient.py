"""Check the input-gradient penalty at its largest near a sample: drawn, climbed and bounded."""

import dataclasses

import numpy as np
import pytest
import torch
from _rows import make_rows, random_case
from torch import nn

from skexplain import GradRegClassifier, GradRegRegressor
from skexplain.exceptions import UnsupportedOperationError
from skexplain.penalties import InputGradientPenalty
from skexplain.penalties._box import irrelevant_box
from skexplain.penalties._robust import ROBUST

EPSILON = 0.4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def deep_case(seed=0, activation=nn.ReLU):
    _, rows = random_case(seed, n_classes=3)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(5, 9), activation(), nn.Linear(9, 3)).double()
    return module, rows


def value(module, rows, robust, seed=0, **params):
    penalty = InputGradientPenalty(**{"robust": robust, "epsilon": EPSILON, **params})
    penalty.check_parameters()
    return penalty(module, rows, generator=generator(seed)).detach()


# -- a linear model --------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("robust", ROBUST)
def test_the_gradient_of_a_logit_of_a_linear_model_is_the_same_everywhere(robust, norm):
    module, rows = random_case(0, n_classes=3)
    clean = value(module, rows, None, norm=norm, output="logit_true")
    torch.testing.assert_close(value(module, rows, robust, norm=norm, output="logit_true"), clean)


def two_classes(seed=0):
    """One irrelevant column: the largest gradient of a log-odds model is known in closed form."""
    module, rows = random_case(seed)
    irrelevance = torch.zeros_like(rows.irrelevance)
    irrelevance[:, 0] = 1.0
    return module, dataclasses.replace(rows, irrelevance=irrelevance)


def largest_by_hand(module, rows):
    """For two classes the gradient of sum_k log p_k is (1 - 2 p_1) (w_1 - w_0)."""
    with torch.no_grad():
        logits, weight = module(rows.x), (module.weight[1] - module.weight[0])
        reach = EPSILON * rows.unit[0, 0] * weight[0].abs()
        odds = logits[:, 1] - logits[:, 0]
        steepest = torch.maximum((odds - reach).abs(), (odds + reach).abs())
        return ((1 - 2 * steepest.sigmoid()) * weight[0] * rows.unit[0, 0]).square()


def test_the_ascent_reaches_the_closed_form_of_a_logistic_regression():
    module, rows = two_classes()
    expected = largest_by_hand(module, rows)
    torch.testing.assert_close(value(module, rows, "adversarial"), expected)
    assert (expected > value(module, rows, None)).all()


def test_the_bound_is_the_closed_form_of_a_logistic_regression():
    """Its slope in the probability is exact, as one number decides."""
    module, rows = two_classes(1)
    torch.testing.assert_close(value(module, rows, "certified"), largest_by_hand(module, rows))


# -- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_each_form_is_at_least_the_one_before(norm, activation):
    module, rows = deep_case(activation=activation)
    clean, drawn, climbed, bound = (
        value(module, rows, robust, norm=norm) for robust in (None, *ROBUST)
    )
    assert (drawn >= clean).all()
    assert (climbed >= clean).all()
    assert climbed.mean() > drawn.mean() > clean.mean()
    assert (bound >= climbed - 1e-9).all()
    assert (bound >= drawn - 1e-9).all()


def test_more_draws_find_more():
    module, rows = deep_case()
    few, many = (value(module, rows, "random", n_steps=n) for n in (1, 50))
    assert many.mean() > few.mean()


@pytest.mark.parametrize("sign", ["both", "positive", "negative"])
@pytest.mark.parametrize("output", ["log_prob_sum", "log_prob_true", "logit_sum", "logit_true"])
def test_the_bound_contains_every_sample_of_the_box(output, sign):
    if sign != "both" and output != "log_prob_true":
        return
    module, rows = deep_case(3)
    bound = value(module, rows, "certified", output=output, sign=sign)
    low, high = irrelevant_box(rows, EPSILON, None)
    plain = InputGradientPenalty(output, sign=sign)
    for seed in range(50):
        noise = torch.rand(low.shape, generator=generator(seed), dtype=low.dtype)
        moved = dataclasses.replace(rows, x=low + noise * (high - low))
        assert (plain(module, moved).detach() <= bound + 1e-9).all()


@pytest.mark.parametrize("robust", ROBUST)
def test_without_room_it_is_the_plain_penalty(robust):
    module, rows = deep_case()
    torch.testing.assert_close(
        value(module, rows, robust, epsilon=0.0), value(module, rows, None), atol=1e-10, rtol=1e-6
    )


@pytest.mark.parametrize("robust", ["random", "adversarial"])
def test_points_stay_in_the_box_and_relevant_features_where_they_are(robust, monkeypatch):
    module, rows = deep_case()
    seen = []
    original = InputGradientPenalty.at_point

    def watched(self, point, rows):
        seen.append(point.x.detach())
        return original(self, point, rows)

    monkeypatch.setattr(InputGradientPenalty, "at_point", watched)
    value(module, rows, robust, n_steps=4)
    low, high = irrelevant_box(rows, EPSILON, None)
    assert len(seen) == {"random": 6, "adversarial": 7}[robust]
    for x in seen:
        assert ((low <= x) & (x <= high)).all()
        fixed = rows.irrelevance == 0
        assert torch.equal(x[fixed], rows.x[fixed])


def test_a_share_is_taken_where_it_is_largest():
    module, rows = deep_case(activation=nn.Tanh)
    clean, drawn, climbed = (
        value(module, rows, robust, norm="share") for robust in (None, "random", "adversarial")
    )
    assert (drawn >= clean).all()
    assert climbed.mean() > clean.mean()
    assert climbed.max() <= 1  # of a share, whose scale is 1 here


@pytest.mark.parametrize("robust", ROBUST)
def test_gradients_of_weights_by_finite_differences(robust):
    """At a fixed point: a draw or an ascent may move when the weights do."""
    module, rows = deep_case(activation=nn.Tanh)
    params = {"norm": "l2", "epsilon": 0.01 if robust == "certified" else 0.0, "robust": robust}
    names = [name for name, _ in module.named_parameters()]

    def total(*weights):
        given = dict(zip(names, weights, strict=True))
        return InputGradientPenalty(**params, n_steps=1)(
            lambda x: torch.func.functional_call(module, given, (x,)), rows, generator=generator()
        ).sum()

    assert torch.autograd.gradcheck(total, list(module.parameters()), atol=1e-4, rtol=1e-3)


# -- in a fit -------------------------------------------------------------------------------------


def fit(cls=GradRegClassifier, **params):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    X = rng.normal(size=(80, 2)) + 2 * y[:, None]
    common = {"norm": "l2", "max_epochs": 20, "lr": 0.01, "n_steps": 3, "random_state": 0}
    return cls(**{**common, **params}).fit(X, y, mask=np.array([[0, 1]])), X


@pytest.mark.parametrize("robust", ROBUST)
def test_a_fit_reacts_less_to_large_moves(robust):
    plain, X = fit(robust=None, alpha=10.0, max_epochs=40)
    clf, _ = fit(robust=robust, epsilon=2.0, alpha=10.0, max_epochs=40)
    moved = X + [0, 2]

    def change(estimator):
        return np.abs(estimator.predict_proba(moved) - estimator.predict_proba(X)).mean()

    assert change(clf) < 0.7 * change(plain)


@pytest.mark.parametrize("robust", ["random", "certified"])
def test_a_regressor_takes_it_too(robust):
    reg, X = fit(GradRegRegressor, robust=robust, epsilon=1.0)
    assert np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3


# -- what is not legal ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"robust": "worst"}, "robust must be one of"),
        ({"robust": "random", "epsilon": -1.0}, "epsilon must be"),
        ({"robust": "random", "epsilon": float("inf")}, "epsilon must be"),
        ({"robust": "random", "n_steps": 0}, "n_steps must be"),
        ({"robust": "certified", "norm": "share"}, 'norm must be "l2" or "l1"'),
        ({"robust": "certified", "output": "prob_max"}, "output must be one of"),
    ],
)
def test_parameters_are_checked(params, match):
    with pytest.raises(ValueError, match=match):
        fit(**params)


def test_an_ascent_needs_a_gradient_that_changes():
    with pytest.raises(ValueError, match='robust must be None, "random" or "certified"'):
        fit(robust="adversarial", norm="share")
    fit(robust="adversarial", norm="share", output="log_prob_sum", max_epochs=1)
    smooth = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    fit(module=smooth, robust="adversarial", norm="share", max_epochs=1)


def test_a_network_without_bounds_is_refused():
    gelu = nn.Sequential(nn.Linear(2, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(UnsupportedOperationError, match="gelu"):
        fit(module=gelu, robust="certified")


def test_bounds_are_not_for_half_the_precision():
    with pytest.raises(ValueError, match="mixed_precision"):
        fit(robust="certified", mixed_precision=True)


def test_it_cannot_be_taken_where_another_penalty_has_moved_the_samples():
    assert InputGradientPenalty().reads_logits
    assert not InputGradientPenalty(robust="random").reads_logits


def test_rows_of_one_value_have_a_bound():
    x = torch.zeros(2, 3, dtype=torch.float64)
    rows = make_rows(x, torch.tensor([0, 1]), torch.ones(1, 3).double(), torch.ones(1, 3).double())
    module = nn.Linear(3, 2).double()
    assert value(module, rows, "certified").shape == (2,)
