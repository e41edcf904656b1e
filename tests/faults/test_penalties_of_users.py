"""A penalty or loss that cannot be right is a named error at the first step."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skexplain import AvgExClassifier, ERMClassifier, ERMRegressor, ExplanationClassifier
from skexplain.penalties import (
    AverageCasePenalty,
    InputGradientPenalty,
    Penalty,
    PerturbationPenalty,
)


class Given(Penalty):
    """A penalty that computes what it is told to."""

    def __init__(self, compute=None):
        self.compute = compute

    def __call__(self, module, rows, donors, generator):
        return self.compute(module, rows, donors)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] > 0).astype(int), np.eye(4)[3:]


def fit(compute, problem):
    X, y, mask = problem
    clf = ExplanationClassifier(penalties=[("given", Given(compute))], max_epochs=1)
    return clf.fit(X, y, mask=mask)


BAD = {
    "a scalar": (
        lambda module, rows, donors: module(rows.x).square().mean(),
        r"penalties: 'given' must return one value per sample, a tensor of shape \(60,\).*\(\)",
    ),
    "two values": (
        lambda module, rows, donors: module(rows.x).square(),
        r"'given' must return one value per sample.*\(60, 2\)",
    ),
    "no tensor": (lambda module, rows, donors: 1.0, r"'given' must return.*float"),
    "None": (lambda module, rows, donors: None, r"'given' must return.*NoneType"),
    "no gradient": (
        lambda module, rows, donors: rows.x.square().sum(1),
        r"'given' .*does not depend on the network",
    ),
    "detached": (
        lambda module, rows, donors: module(rows.x).detach().square().sum(1),
        r"'given' .*does not depend on the network",
    ),
    "donors": (
        lambda module, rows, donors: module(donors.x).square().sum(1),
        r"'given' .*needs_donors = True",
    ),
    "writes into x": (
        lambda module, rows, donors: module(rows.x.zero_()).square().sum(1),
        r"'given' writes into 'x' of the samples .*: change a copy, x[.]clone\(\)",
    ),
    "writes into the mask": (
        lambda module, rows, donors: module(rows.x * rows.irrelevance.neg_()).square().sum(1),
        r"'given' writes into 'irrelevance'",
    ),
    "writes into what all batches share": (
        lambda module, rows, donors: module(rows.x * rows.unit.mul_(2)).square().sum(1),
        r"'given' writes into 'unit'",
    ),
}


@pytest.mark.parametrize(("compute", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_right_is_an_error(compute, message, problem):
    X, y, mask = problem
    with pytest.raises((ValueError, TypeError), match=message):
        ExplanationClassifier(
            penalties=[("given", Given(compute))], max_epochs=1, batch_size=-1
        ).fit(X, y, mask=mask)


class Moved(PerturbationPenalty):
    """A perturbation that writes into the samples."""

    def move(self, module, rows, donors=None, generator=None):
        return rows.x.mul_(1 - rows.irrelevance)


def test_a_perturbation_moves_copies(problem):
    X, y, mask = problem
    for others in ([], [("gradient", InputGradientPenalty())]):  # alone, and as a host
        clf = ExplanationClassifier(
            penalties=[("moved", Moved()), *others],
            at={"gradient": "moved"} if others else None,
            max_epochs=1,
        )
        with pytest.raises(TypeError, match="'moved' writes into 'x' of the samples"):
            clf.fit(X, y, mask=mask)


def test_a_callable_perturbation_moves_copies(problem):
    def blank(rows, donors, generator):
        return rows.x.mul_(1 - rows.irrelevance)

    def blank_copy(rows, donors, generator):
        return rows.x * (1 - rows.irrelevance)

    X, y, mask = problem
    clf = AvgExClassifier(max_epochs=1, random_state=0)
    for alpha in (1.0, "replace"):
        clf.set_params(perturbation=blank, alpha=alpha)
        with pytest.raises(TypeError, match="writes into 'x' of the samples that it is given"):
            clf.fit(X, y, mask=mask)
        clf.set_params(perturbation=blank_copy).fit(X, y, mask=mask)


class Thousandfold(InputGradientPenalty):
    """What a user makes of a penalty of this package."""

    def __call__(self, *args):
        return 1000 * super().__call__(*args)


class Lossier(AverageCasePenalty):
    """A perturbation whose value is not the label loss alone."""

    def __call__(self, *args):
        return 1000 * super().__call__(*args)


def first_loss(name, problem, mask, *penalties, **params):
    X, y, _ = problem
    clf = ExplanationClassifier(
        penalties=penalties, max_epochs=1, batch_size=-1, random_state=0, **params
    )
    return clf.fit(X, y, mask=mask).history_[-1, f"train_{name}"]


def test_a_call_of_a_users_own_is_made_wherever_the_penalty_is_taken(problem):
    mask = problem[2]
    some = [None, *([mask[0]] * (len(problem[0]) - 1))]
    for given in (mask, some):  # on the label loss's own pass, and on one for samples with a mask
        plain, own = (
            first_loss("given", problem, given, ("given", kind(norm="l2")))
            for kind in (InputGradientPenalty, Thousandfold)
        )
        assert own == pytest.approx(1000 * plain, rel=1e-4)
    gradient = ("gradient", InputGradientPenalty())
    plain, own = (
        first_loss(
            "moved", problem, mask, ("moved", kind("none")), gradient, at={"gradient": "moved"}
        )
        for kind in (AverageCasePenalty, Lossier)
    )
    assert own == pytest.approx(1000 * plain, rel=1e-4)
    with pytest.raises(ValueError, match="without a __call__ of their own"):
        first_loss(
            "moved",
            problem,
            mask,
            ("moved", AverageCasePenalty("none")),
            ("gradient", Thousandfold()),
            at={"gradient": "moved"},
        )


class Looking(AverageCasePenalty):
    """A perturbation that runs the network."""

    def move(self, module, rows, donors=None, generator=None):
        x = super().move(module, rows, donors, generator)
        with torch.no_grad():
            module(x)
        return x


def test_a_perturbation_that_runs_the_network_does_not_train_its_statistics(problem):
    X, y, mask = problem
    network = nn.Sequential(nn.Linear(X.shape[1], 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    clf = ExplanationClassifier(
        network,
        penalties=[("moved", Looking("swap"))],
        alpha={"moved": "replace"},
        max_epochs=3,
        batch_size=-1,
    ).fit(X, y, mask=mask)
    assert clf.module_[1].num_batches_tracked == 3


def test_what_is_right_trains(problem):
    clf = fit(lambda module, rows, donors: module(rows.x).square().sum(1), problem)
    assert np.isfinite(clf.history_[-1, "train_given"])


# -- label losses ----------------------------------------------------------------------------------


def test_label_smoothing_is_torchs(problem):
    X, y, _ = problem

    def smoothed(logits, y):
        return functional.cross_entropy(logits, y, reduction="none", label_smoothing=0.2)

    given, own = (
        ERMClassifier(max_epochs=3, random_state=0, **params).fit(X, y)
        for params in ({"label_smoothing": 0.2}, {"label_loss": smoothed})
    )
    np.testing.assert_array_equal(given.predict_proba(X), own.predict_proba(X))
    plain = ERMClassifier(max_epochs=3, random_state=0).fit(X, y)
    assert not np.array_equal(plain.predict_proba(X), own.predict_proba(X))


REGRESSION = {
    "squared_error": lambda outputs, y: (outputs[:, 0] - y).square(),
    "absolute_error": lambda outputs, y: (outputs[:, 0] - y).abs(),
    "huber": lambda outputs, y: functional.huber_loss(outputs[:, 0], y, reduction="none"),
    "quantile": lambda outputs, y: torch.maximum(
        0.5 * (y - outputs[:, 0]), 0.5 * (outputs[:, 0] - y)
    ),
}


@pytest.mark.parametrize("name", REGRESSION)
def test_losses_of_regression(name, problem):
    X, _, _ = problem
    named, own = (
        ERMRegressor(label_loss=loss, max_epochs=3, random_state=0).fit(X, 3 * X[:, 0])
        for loss in (name, REGRESSION[name])
    )
    np.testing.assert_allclose(named.predict(X), own.predict(X), rtol=1e-5)


def test_a_quantile_is_met():
    """On noise alone the constant that minimises the loss is the quantile."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 1)), rng.exponential(size=400)
    reg = ERMRegressor(
        torch.nn.Sequential(torch.nn.Linear(1, 1)),
        label_loss="quantile",
        quantile=0.9,
        max_epochs=200,
        lr=0.02,
        random_state=0,
    )
    share = (y < reg.fit(X * 0, y).predict(X * 0)).mean()
    assert abs(share - 0.9) < 0.03  # measured below


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda logits, y: logits.square().mean(), r"label_loss must return one value per sample"),
        (lambda logits, y: logits, r"label_loss must .* given outputs of shape \(\d+, 2\)"),
        (nn.CrossEntropyLoss, r"label_loss must be called .* CrossEntropyLoss is a class"),
        (lambda logits, y: y.float(), r"label_loss .*do not depend on the network"),
        ("mse", r"label_loss.*parameter of ERMClassifier must be"),
    ],
    ids=["a mean", "one per class", "a class", "no gradient", "another name"],
)
def test_losses_that_cannot_be_right(loss, message, problem):
    X, y, _ = problem
    with pytest.raises((ValueError, TypeError), match=message):
        ERMClassifier(label_loss=loss, max_epochs=1).fit(X, y)
