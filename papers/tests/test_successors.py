"""Baselines without masks against closed forms and loops by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from _studies import run_quick
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from skexplain import ERMClassifier, ExplanationClassifier
from skexplain.penalties import Rows
from skexplain_papers.ours._baselines import (
    InvariantRiskPenalty,
    JustTrainTwice,
    LastLayer,
    MixedRand,
    group_balance,
)
from skexplain_papers.ours._successors import Successors, with_baselines


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    X = rng.normal(size=(80, 3)).astype(np.float32)
    X[:, 0] += y
    return X, y


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 4, generator=generator)
    one = torch.ones(1, 4)
    return Rows(
        x=x,
        y=torch.tensor([0, 1, 2, 0, 1, 2]),
        irrelevance=torch.tensor([[1.0, 0.0, 0.25, 0.0]]),
        known=None,
        unit=one,
        mean=0 * one,
        lower=-one,
        upper=one,
        label_loss=None,
        groups=torch.tensor([0, 0, 2, 0, 2, 2]),
    )


def test_the_second_fit_weighs_what_the_first_misclassifies(table):
    X, y = table
    network = ERMClassifier(max_epochs=6, random_state=0, device="cpu")
    found = JustTrainTwice(network, first_epochs=2, weight=7.0).fit(X, y)
    wrong = ERMClassifier(max_epochs=2, random_state=0, device="cpu").fit(X, y).predict(X) != y
    assert wrong.any()
    assert not wrong.all()
    again = ERMClassifier(max_epochs=6, random_state=0, device="cpu")
    again.fit(X, y, sample_weight=np.where(wrong, 7.0, 1.0))
    np.testing.assert_array_equal(
        found.estimator_.predict_proba(X), again.predict_proba(X), strict=True
    )


def test_groups_are_balanced_by_hand():
    np.testing.assert_allclose(group_balance(np.array([5, 5, 5, 8])), [2 / 3, 2 / 3, 2 / 3, 2])


def test_the_last_layer_by_hand(table):
    X, y = table
    groups = (X[:, 1] > 1).astype(int)
    network = ERMClassifier(max_epochs=3, random_state=0, device="cpu")
    found = LastLayer(network, balanced=True).fit(X, y, group_labels=groups)
    with torch.no_grad():
        features = network.fit(X, y).module_.features(torch.from_numpy(X)).numpy()
    features = (features - features.mean(0)) / np.where(features.std(0) > 0, features.std(0), 1)
    head = LogisticRegression(C=0.1, max_iter=1000).fit(features, y, group_balance(groups))
    np.testing.assert_allclose(found.head_.coef_, head.coef_, atol=1e-3)
    plain = LastLayer(network).fit(X, y)
    assert np.abs(plain.head_.coef_ - head.coef_).max() > 0.01
    assert plain.predict(X).shape == y.shape


def test_the_penalty_of_environments_is_the_derivative_by_a_scale(rows):
    logits = 2 * rows.x[:, :3]
    scale = torch.ones((), requires_grad=True)
    loss = functional.cross_entropy(scale * logits, rows.y, reduction="none")
    squares = {}
    for group in (0, 2):
        risk = loss[rows.groups == group].mean()
        squares[group] = torch.autograd.grad(risk, scale, retain_graph=True)[0] ** 2
    expected = torch.stack([squares[int(group)] for group in rows.groups])
    value = InvariantRiskPenalty()(lambda x: 2 * x[:, :3], rows)
    torch.testing.assert_close(value, expected)


def test_mixed_rand_by_hand(rows):
    donors = dataclasses.replace(rows, x=torch.full((6, 4), 9.0))
    moved = MixedRand()(rows, donors, None)
    expected = rows.x.clone()
    expected[:, 0] = 9
    expected[:, 2] = 0.75 * rows.x[:, 2] + 0.25 * 9
    torch.testing.assert_close(moved, expected)


def test_environments_count_alike():
    """With a penalty of weight 0 the objective is the mean of both environments' losses."""
    described = with_baselines({"estimator": "irm", "params": {"alpha": 0.0, "max_epochs": 2}})
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    clf = ExplanationClassifier(random_state=0, device="cpu", **described["params"])
    clf.fit(X, y, group_labels=np.arange(40) // 20, mask=np.ones((1, 3)))
    np.testing.assert_allclose(clf.group_weights_, 0.5)


def test_exceptions_are_as_many_as_declared():
    study = Successors()
    shares = {}
    for holds in ("always", "mostly"):
        factors = {"dataset": "digits", "decoy": "half", "holds": holds, "seed": 0}
        task = study.task(factors, {"rows": 1000, "groups": "exceptions"})
        exceptions = task.fit_params["group_labels"] % 2
        shares[holds] = exceptions.mean()
        np.testing.assert_array_equal(task.fit_params["group_labels"] // 2, task.y)
        changed = (task.X != study.task({**factors, "holds": "always"}, {"rows": 1000}).X).any(1)
        assert not changed[exceptions == 0].any()
    assert shares["always"] == 0
    assert 0.07 < shares["mostly"] < 0.13


def test_marks_elsewhere_are_where_no_decoy_is():
    factors = {"dataset": "digits", "decoy": "corner", "holds": "always", "seed": 0}
    given, elsewhere = (
        Successors().task(factors, {"rows": 1000, "elsewhere": moves}).mask
        for moves in (False, True)
    )
    assert (elsewhere.sum(1) == given.sum(1)).all()
    assert not (elsewhere.any(0) & given.any(0)).any()


@pytest.mark.slow
def test_the_quick_scale(tmp_path):
    rows = run_quick(Successors(), tmp_path)
    assert {row["method"] for row in rows} == set(Successors.methods)
