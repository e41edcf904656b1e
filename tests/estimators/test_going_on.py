"""Check what a fit leaves behind when it fails, and what a fit that goes on takes over."""

from functools import partial

import numpy as np
import pytest
import torch
from _estimators import make_problem, quick
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skexplain import (
    ERMClassifier,
    ExplanationClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
)
from skexplain.exceptions import MissingExplanationWarning, UnsupportedOperationError
from skexplain.penalties import (
    AverageCasePenalty,
    CertifiedPenalty,
    HINTPenalty,
    InputGradientPenalty,
)

CLASSES = [0, 1]


@pytest.fixture(scope="module")
def problem():
    X, y, mask = make_problem(n_rows=60)
    return X, y % 2, mask


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x):
        return self.layers(x)


# -- a fit that fails while it trains -------------------------------------------------------------


def test_a_refit_that_fails_in_training_leaves_the_earlier_model(problem):
    X, y, _ = problem
    clf = quick(ERMClassifier, module=Normalised, random_state=0, max_epochs=4).fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        clf.set_params(batch_size=1).fit(X, y)
    assert np.array_equal(clf.predict_proba(X), before)
    assert clf.n_iter_ == 4


def test_a_first_fit_that_fails_in_training_leaves_nothing(problem):
    X, y, _ = problem
    clf = quick(ERMClassifier, module=Normalised, batch_size=1)
    with pytest.raises(ValueError, match="Expected more than 1 value"):
        clf.fit(X, y)
    assert not hasattr(clf, "trainer_")


def test_a_mask_propagator_whose_refit_fails_still_fills(problem):
    X, _, mask = problem
    propagator = MaskPropagator(n_steps=2, cv=None, random_state=0).fit(X, mask)
    before = propagator.fill(X)
    with pytest.raises(ValueError, match="at least one sample"):
        propagator.fit(X[:, :2], None)
    assert np.array_equal(propagator.fill(X), before)


# -- settings of an optimizer --------------------------------------------------------------------


class Demanding(torch.optim.SGD):
    """An optimizer with a parameter that has no default."""

    def __init__(self, params, lr, momentum):
        super().__init__(params, lr=lr, momentum=momentum)


def test_settings_of_an_optimizer_are_checked_together(problem):
    X, y, mask = problem
    params = {"optimizer": Demanding, "optimizer__momentum": 0.5, "random_state": 0}
    twice = quick(GradRegClassifier, **params)
    for _ in range(2):
        twice.partial_fit(X, y, mask=mask, classes=CLASSES)
    once = quick(GradRegClassifier, **params).set_params(max_epochs=2).fit(X, y, mask=mask)
    assert np.array_equal(twice.predict_proba(X), once.predict_proba(X))
    # Nesterov's form needs the momentum that the optimizer has.
    clf = quick(ERMClassifier, optimizer=torch.optim.SGD, optimizer__momentum=0.9, warm_start=True)
    clf.fit(X, y).set_params(optimizer__nesterov=True).fit(X, y)
    assert clf.trainer_.optimizer_.param_groups[0]["nesterov"]


def rate_of(clf):
    return clf.trainer_.optimizer_.param_groups[0]["lr"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"callbacks": [LRScheduler("StepLR", step_size=1, gamma=0.5)]}, 0.1 / 2**6),
        ({"callbacks": [LRScheduler("StepLR", step_size=1, gamma=1.0)]}, 0.1 / 2**3),
        ({"callbacks": [LRScheduler("ExponentialLR", gamma=0.9)]}, 0.1 / 2**3 * 0.9**3),
    ],
)
def test_a_schedule_goes_on_unless_it_has_changed(params, expected, problem):
    X, y, _ = problem
    halved = LRScheduler("StepLR", step_size=1, gamma=0.5)
    clf = ERMClassifier(lr=0.1, max_epochs=3, callbacks=[halved], warm_start=True).fit(X, y)
    assert rate_of(clf.set_params(**params).fit(X, y)) == pytest.approx(expected)


def halve(epoch):
    return 0.5**epoch


@pytest.mark.parametrize(
    "schedule",
    [
        {"policy": "LambdaLR", "lr_lambda": halve},
        {"policy": "LambdaLR", "lr_lambda": partial(pow, 0.5)},
        {"policy": "StepLR", "step_size": 1, "gamma": 0.5},
        {"policy": "CosineAnnealingLR", "T_max": 4},
    ],
)
def test_a_schedule_begins_at_a_rate_that_was_set(schedule, problem):
    X, y, _ = problem
    params = {"callbacks": [LRScheduler(**schedule)], "max_epochs": 2, "random_state": 0}
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    params |= {"optimizer__param_groups": [("0.*", {"lr": 0.01})]}
    first = ERMClassifier(network, lr=0.001, **params).fit(X, y)
    clf = ERMClassifier(network, lr=0.1, warm_start=True, **params).fit(X, y)
    assert rate_of(clf.fit(X, y)) < rate_of(first)  # it goes on
    clf.set_params(lr=0.001).fit(X, y)
    rates, expected = (
        [group["lr"] for group in each.trainer_.optimizer_.param_groups] for each in (clf, first)
    )
    assert rates == pytest.approx(expected)


def test_a_plateau_begins_at_a_rate_that_was_set(problem):
    X, y, _ = problem
    # Each epoch counts as one without an improvement.
    plateau = LRScheduler(
        "ReduceLROnPlateau", monitor="train_loss", patience=0, threshold=10.0, factor=0.5
    )
    clf = ERMClassifier(lr=0.1, max_epochs=3, callbacks=[plateau], warm_start=True).fit(X, y)
    reached = rate_of(clf)
    assert reached < 0.1
    assert rate_of(clf.set_params(lr=0.01).fit(X, y)) == pytest.approx(reached / 10)


class Halving(Callback):
    """A rate that a user sets, without a schedule of torch."""

    def on_epoch_end(self, net, **kwargs):
        net.optimizer_.param_groups[0]["lr"] /= 2


def test_a_rate_that_was_set_leaves_others_where_they_are_without_a_schedule(problem):
    X, y, _ = problem
    clf = ERMClassifier(
        nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        lr=0.1,
        optimizer__param_groups=[("0.*", {"lr": 0.08})],
        callbacks=[Halving()],
        max_epochs=1,
        warm_start=True,
    )
    clf.fit(X, y).fit(X, y).set_params(lr=0.01).fit(X, y)
    rates = [group["lr"] for group in clf.trainer_.optimizer_.param_groups]
    assert rates == pytest.approx([0.08 / 2**3, 0.01])


def test_a_schedule_may_come_later(problem):
    X, y, _ = problem
    clf = ERMClassifier(lr=0.1, max_epochs=2, warm_start=True).fit(X, y)
    halved = LRScheduler("StepLR", step_size=1, gamma=0.5)
    assert rate_of(clf.set_params(callbacks=[halved]).fit(X, y)) == pytest.approx(0.1 / 2**2)


def test_groups_of_an_optimizer_keep_what_is_their_own(problem):
    X, y, _ = problem
    frozen = [("0.*", {"lr": 0.0})]
    clf = ERMClassifier(
        nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)),
        optimizer__param_groups=frozen,
        max_epochs=1,
        warm_start=True,
    ).fit(X, y)
    before = clf.module_[0].weight.detach().clone()
    clf.set_params(lr=0.5, optimizer__weight_decay=0.1).fit(X, y)
    assert [group["lr"] for group in clf.trainer_.optimizer_.param_groups] == [0.0, 0.5]
    assert torch.equal(clf.module_[0].weight, before)
    clf.set_params(optimizer__param_groups=[("0.*", {"lr": 0.1})])
    with pytest.raises(ValueError, match="optimizer__param_groups must stay"):
        clf.fit(X, y)
    assert torch.equal(clf.module_[0].weight, before)


# -- automatic weights ----------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [GradRegClassifier, SwapExClassifier])
def test_an_automatic_weight_waits_for_the_first_masks(cls, problem):
    X, y, mask = problem
    clf = quick(cls, alpha="auto", random_state=0)
    with pytest.warns(MissingExplanationWarning):
        clf.partial_fit(X, y, classes=CLASSES)
    assert clf.alpha_ == 0
    clf.partial_fit(X, y, mask=mask)
    settled = clf.alpha_
    assert settled > 0
    clf.partial_fit(X, y, mask=mask)
    assert clf.alpha_ == settled


def test_a_weight_may_become_automatic_later(problem):
    X, y, mask = problem
    clf = quick(GradRegClassifier, alpha=2.0, warm_start=True, random_state=0)
    clf.fit(X, y, mask=mask).set_params(alpha="auto").fit(X, y, mask=mask)
    assert clf.alpha_ not in (0, 2)
    assert clf.set_params(alpha=3.0).fit(X, y, mask=mask).alpha_ == 3


# -- penalties of weight zero ---------------------------------------------------------------------


def test_a_penalty_of_weight_zero_chooses_no_rows(problem):
    X, y, mask = problem
    mask = mask.copy()
    mask[20:] = 0  # HINT would look at these rows, a swap does not
    swap = ("swap", AverageCasePenalty("swap"))
    alone, beside = (
        ExplanationClassifier(
            penalties=penalties, alpha={"hint": 0.0}, max_epochs=2, random_state=0
        )
        for penalties in ([swap], [swap, ("hint", HINTPenalty("input_gradient"))])
    )
    alone.set_params(alpha=1.0)
    proba = [clf.fit(X, y, mask=mask).predict_proba(X) for clf in (alone, beside)]
    assert np.array_equal(*proba)


class Sorting(nn.Module):
    """Which has no bounds."""

    def __init__(self):
        super().__init__()
        self.linear = nn.LazyLinear(2)

    def forward(self, x):
        return self.linear(x.topk(x.shape[1]).values)


def test_a_penalty_of_weight_zero_is_not_computed_for_automatic_ones(problem):
    X, y, mask = problem
    penalties = [("swap", AverageCasePenalty("swap")), ("bound", CertifiedPenalty())]
    clf = ExplanationClassifier(Sorting, penalties=penalties, max_epochs=1)
    clf.set_params(alpha={"swap": "auto", "bound": 0.0}).fit(X, y, mask=mask)
    assert clf.alphas_["swap"] > 0
    with pytest.raises(UnsupportedOperationError, match="topk"):
        clone(clf).set_params(alpha={"swap": "auto", "bound": 1.0}).fit(X, y, mask=mask)


class WithMapping(nn.Module):
    def __init__(self):
        super().__init__()
        self.mapping = nn.LazyLinear(8)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.mapping(x).relu())


def test_a_network_may_have_a_mapping_of_its_own(problem):
    X, y, mask = problem
    penalties = [("gradient", InputGradientPenalty())]
    clf = ExplanationClassifier(WithMapping, penalties=penalties)
    clf.partial_fit(X, y, classes=CLASSES, mask=mask).partial_fit(X, y, mask=mask)
    assert clf.n_iter_ == 2


# -- class weights --------------------------------------------------------------------------------


def balanced(X, y, sample_weight=None):
    """A convex problem, solved."""
    solver = {"optimizer": torch.optim.LBFGS, "lr": 1.0, "batch_size": -1, "max_epochs": 20}
    clf = ERMClassifier(nn.Linear(X.shape[1], 2), class_weight="balanced", **solver)
    return clf.fit(X, y, sample_weight=sample_weight).predict_proba(X[:30])


def test_balanced_class_weights_count_a_row_of_weight_two_twice():
    X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = (np.arange(60) % 3 == 0).astype(int)
    repeated = np.flatnonzero(y == 1)
    weighted = balanced(X, y, np.where(y == 1, 2.0, 1.0))
    again = balanced(np.r_[X, X[repeated]], np.r_[y, y[repeated]])
    np.testing.assert_allclose(weighted, again, atol=1e-4)


def test_balanced_class_weights_leave_out_a_class_of_weight_zero(problem):
    X, y, _ = problem
    three, weight = y.copy(), np.ones(len(y))
    three[:5], weight[:5] = 2, 0
    clf = quick(ERMClassifier, class_weight="balanced").fit(X, three, sample_weight=weight)
    assert list(clf.classes_) == [0, 1, 2]


def test_balanced_class_weights_are_refused_batch_by_batch(problem):
    X, y, _ = problem
    with pytest.raises(ValueError, match="class_weight must be a dict or None in partial_fit"):
        quick(ERMClassifier, class_weight="balanced").partial_fit(X, y, classes=CLASSES)


# -- subclasses of a user's own -------------------------------------------------------------------


class Strict(GradRegClassifier):
    """With an ``__init__`` of the usual kind."""

    def __init__(self, strength=1.0, max_epochs=1):
        super().__init__(alpha=strength, max_epochs=max_epochs)
        self.strength = strength


class Stricter(Strict):
    """Without one."""


@pytest.mark.parametrize("cls", [Strict, Stricter])
def test_a_subclass_may_name_its_own_parameters(cls, problem):
    X, y, mask = problem
    assert set(cls(2.0).get_params()) == {"strength", "max_epochs"}
    assert clone(cls(2.0)).alpha == 2
    assert clone(cls(3.0)).fit(X, y, mask=mask).alpha_ == 3
