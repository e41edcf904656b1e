"""Check group DRO against loops by hand, group labels of any kind,
and that it helps the worst group.
"""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from _estimators import make_problem, weights
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional

from skexplain import ERMClassifier, ExplanationClassifier, GroupDROClassifier
from skexplain.exceptions import DivergenceError
from skexplain.metrics import worst_group_accuracy
from skexplain.penalties import AverageCasePenalty
from skexplain.training._random import Streams

CV = StratifiedKFold(3)
QUICK = {"max_epochs": 4, "lr": 1e-2, "batch_size": 16, "random_state": 0}


@pytest.fixture(scope="module")
def problem():
    """Rows, labels, and four groups, the last of two rows."""
    X, y, _ = make_problem()
    groups = np.where(np.arange(60) < 2, 3, 2 * (X[:, 1] > 0) + y)
    groups[np.arange(60) >= 2] %= 3
    return X.astype(np.float32), y, groups


def by_hand(data, eta, epochs, batch_size, C=0.0):
    """Sagawa's online algorithm with rows weighted by 1 / p_g in place of drawing by group."""
    X, y, g = (torch.as_tensor(part) for part in data)
    streams = Streams(0)
    with torch.random.fork_rng():
        torch.manual_seed(streams.seed("module"))
        net = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    n = torch.bincount(g).double()
    q = torch.full_like(n, 1 / len(n))
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(X), generator=streams.generator("order", epoch))
        for index in order.split(batch_size):
            losses = functional.cross_entropy(net(X[index]), y[index], reduction="none")
            total = 0
            raised = q.clone()
            for k in range(len(n)):
                mean = losses[g[index] == k].sum() / len(index) * len(X) / n[k]
                raised[k] *= torch.exp(eta * (mean.detach() + C / n[k].sqrt()))
            q = raised / raised.sum()
            for k in range(len(n)):
                total = total + q[k] * losses[g[index] == k].sum() / len(index) * len(X) / n[k]
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    return net, q


@pytest.mark.parametrize(("batch_size", "C"), [(60, 0.0), (16, 0.0), (16, 2.0)])
def test_equals_a_loop_by_hand(problem, batch_size, C):
    X, y, groups = problem
    X = X / [1, 1, 1000, 1]
    net, q = by_hand((X.astype(np.float32), y, groups), 0.1, 5, batch_size, C)
    clf = GroupDROClassifier(
        nn.Linear,
        module__in_features=4,
        module__out_features=2,
        optimizer=torch.optim.SGD,
        lr=0.01,
        max_epochs=5,
        batch_size=batch_size,
        group_step_size=0.1,
        group_adjustment=C,
        random_state=0,
    ).fit(X.astype(np.float32), y, group_labels=groups)
    np.testing.assert_allclose(clf.group_weights_, q, rtol=1e-5)
    assert np.ptp(q.numpy()) > 0.02
    for ours, expected in zip(clf.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_groups_in_the_history(problem):
    X, y, groups = problem
    clf = GroupDROClassifier(**QUICK, group_step_size=0.1).fit(X, y, group_labels=groups)
    history = np.array(clf.history_[:, "group_weights"])
    assert history.shape == (4, 4)
    np.testing.assert_array_equal(history[-1], clf.group_weights_)
    np.testing.assert_allclose(history.sum(axis=1), 1)
    assert len({tuple(row) for row in history}) == 4


# -- labels of any kind ---------------------------------------------------------------------------


def as_tuples(groups):
    labels = np.empty(len(groups), dtype=object)
    labels[:] = [("group", int(g)) for g in groups]
    return labels


SPELLINGS = {
    "list": lambda g: [int(x) for x in g],
    "floats": lambda g: g / 2,
    "strings": lambda g: np.array(["a", "b", "c", "d"])[g],
    "list of strings": lambda g: ["abcd"[x] for x in g],
    "series": lambda g: pd.Series(g, index=np.arange(100, 100 + len(g))),
    "categories": lambda g: pd.Categorical(np.array(["a", "b", "c", "d"])[g]),
    "dates": lambda g: np.datetime64("2024-01-01") + g,
    "tuples": as_tuples,
    "list of tuples": lambda g: list(as_tuples(g)),
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_labels_of_any_kind_give_the_same_weights(problem, spell):
    X, y, groups = problem
    expected = GroupDROClassifier(**QUICK).fit(X, y, group_labels=groups)
    clf = GroupDROClassifier(**QUICK).fit(X, y, group_labels=spell(groups))
    assert torch.equal(weights(clf), weights(expected))
    np.testing.assert_array_equal(clf.group_weights_, expected.group_weights_)
    assert expected.groups_ == [0, 1, 2, 3]
    assert clf.groups_ == sorted(set(spell(groups)))


def test_labels_of_mixed_types(problem):
    X, y, groups = problem
    labels = np.array([1, "1", None, 2.5], dtype=object)
    labels[2] = "none"
    clf = GroupDROClassifier(**QUICK).fit(X, y, group_labels=list(labels[groups]))
    assert set(clf.groups_) == {1, "1", "none", 2.5}


def test_classes_are_the_groups_by_default(problem):
    X, y, _ = problem
    names = np.array(["wolf", "dog"])[y]
    clf = GroupDROClassifier(**QUICK).fit(X, names)
    assert clf.groups_ == ["dog", "wolf"]
    other = GroupDROClassifier(**QUICK).fit(X, names, group_labels=y == 0)
    assert torch.equal(weights(clf), weights(other))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros(59), "group_labels has 59 rows, but X has 60"),
        (np.zeros((60, 2)), r"group_labels must be one-dimensional; it has the shape \(60, 2\)"),
        ([None, *"a" * 59], "group_labels has 1 missing value.*row 0"),
        (np.r_[np.zeros(59), np.nan], "group_labels has 1 missing value.*row 59"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_group_labels_leave_the_last_fit_alone(problem, labels, told, method):
    X, y, groups = problem
    clf = GroupDROClassifier(**QUICK).fit(X, y, group_labels=groups)
    before = weights(clf)
    with pytest.raises(ValueError, match=told):
        getattr(clf, method)(X, y, group_labels=labels)
    assert torch.equal(weights(clf), before)
    assert clf.groups_ == [0, 1, 2, 3]
    clf.partial_fit(X, y, group_labels=groups)


@pytest.mark.parametrize(
    ("params", "told"),
    [({"group_step_size": -1}, "group_step_size"), ({"group_adjustment": "x"}, "group_adjustment")],
)
def test_bad_parameters(problem, params, told):
    X, y, _ = problem
    with pytest.raises(ValueError, match=f"The '{told}' parameter"):
        GroupDROClassifier(**params).fit(X, y)


# -- in a search ----------------------------------------------------------------------------------


class Recording(GroupDROClassifier):
    """Keeps whether each row came with its own group."""

    def fit(self, X, y, *, mask=None, sample_weight=None, group_labels=None):
        super().fit(X, y, mask=mask, sample_weight=sample_weight, group_labels=group_labels)
        ORDER.append((list(group_labels), list(np.asarray(X)[:, 1]), mask))
        return self


ORDER = []


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    ORDER.clear()
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def scale(values):
    return (values - np.mean(values)) / np.std(values)


@pytest.mark.parametrize("spelling", ["array", "list"])
def test_groups_are_handed_on_in_a_search(problem, routing, spelling):
    X, y, groups = problem
    given = list(groups) if spelling == "list" else groups
    search = GridSearchCV(Recording(max_epochs=1), {"group_step_size": [0, 1]}, cv=CV, refit=True)
    search.set_params(error_score="raise").fit(X, y, group_labels=given)
    parts = [train for train, _ in CV.split(X, y)] * 2 + [np.arange(60)]
    assert len(ORDER) == len(parts)
    for (received, column, _), rows in zip(ORDER, parts, strict=True):
        assert received == list(groups[rows])
        assert column == list(X[rows, 1])


def test_groups_go_with_masks_through_a_pipeline(problem, routing):
    X, y, groups = problem
    mask = np.arange(240).reshape(60, 4) / 240
    pipeline = make_pipeline(StandardScaler(), Recording(max_epochs=1))
    given = {"group_labels": groups, "mask": mask}
    if not routing:
        given = {f"recording__{key}": value for key, value in given.items()}
    pipeline.fit(X, y, **given)
    search = GridSearchCV(pipeline, {"recording__lr": [1e-3]}, cv=CV, error_score="raise")
    search.fit(X, y, **given)
    parts = [np.arange(60), *(train for train, _ in CV.split(X, y)), np.arange(60)]
    for (received, column, part), rows in zip(ORDER, parts, strict=True):
        assert received == list(groups[rows])
        np.testing.assert_allclose(column, scale(X[rows, 1]), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(part, mask[rows])


def test_a_group_may_be_missing_in_a_fold(problem, routing):
    """The two rows of group 3 are in one fold: the fit on the others knows three groups."""
    X, y, groups = problem
    folds = cross_validate(
        GroupDROClassifier(**QUICK),
        X,
        y,
        cv=CV,
        params={"group_labels": groups},
        return_estimator=True,
        error_score="raise",
    )["estimator"]
    assert [clf.groups_ for clf in folds] == [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert all(np.isfinite(clf.group_weights_).all() for clf in folds)


# -- going on -------------------------------------------------------------------------------------


def test_epochs_one_by_one(problem):
    X, y, groups = problem
    at_once = GroupDROClassifier(**QUICK, group_step_size=0.5, group_adjustment=1.0)
    step_by_step, warm = clone(at_once), clone(at_once).set_params(max_epochs=1, warm_start=True)
    at_once.fit(X, y, group_labels=groups)
    for _ in range(4):
        step_by_step.partial_fit(X, y, classes=[0, 1], group_labels=groups)
        warm.fit(X, y, group_labels=groups)
    for other in (step_by_step, warm):
        assert torch.equal(weights(other), weights(at_once))
        assert other.history_[:, "group_weights"] == at_once.history_[:, "group_weights"]


def test_new_groups_may_come_in_a_later_call(problem):
    X, y, groups = problem
    first = groups >= 2
    clf = GroupDROClassifier(**QUICK, group_step_size=0.0)
    clf.partial_fit(X[first], y[first], classes=[0, 1], group_labels=groups[first])
    assert clf.groups_ == [2, 3]
    clf.partial_fit(X, y, group_labels=groups)
    assert clf.groups_ == [2, 3, 0, 1]  # as their weights: known groups keep their place
    np.testing.assert_allclose(clf.group_weights_, 0.25)
    clf.partial_fit(X[first], y[first], group_labels=groups[first])  # and be missing in the next
    assert len(clf.group_weights_) == 4
    assert [len(q) for q in clf.history_[:, "group_weights"]] == [2, 4, 4]


def test_parameters_may_change_between_warm_starts(problem):
    X, y, groups = problem
    clf = GroupDROClassifier(**QUICK, group_step_size=0.0, warm_start=True)
    clf.fit(X, y, group_labels=groups)
    np.testing.assert_allclose(clf.group_weights_, 0.25)
    clf.set_params(group_adjustment=10.0).fit(X, y, group_labels=groups)
    np.testing.assert_allclose(clf.group_weights_, 0.25)
    clf.set_params(group_step_size=1.0).fit(X, y, group_labels=groups)
    assert clf.group_weights_[3] > 0.99  # of two rows


def test_a_diverged_step_does_not_spoil_the_weights_of_groups(problem):
    X, y, groups = problem
    clf = GroupDROClassifier(**QUICK, warm_start=True, group_step_size=0.1)
    clf.fit(X, y, group_labels=groups)
    q, learnt = clf.group_weights_, weights(clf)
    assert np.ptp(q) > 0.001
    clf.set_params(lr=1e38)
    with pytest.raises(DivergenceError):
        clf.fit(X, y, group_labels=groups)
    np.testing.assert_array_equal(clf.group_weights_, q)
    assert torch.equal(weights(clf), learnt)
    clf.set_params(lr=1e-2).fit(X, y, group_labels=groups)
    assert np.isfinite(clf.group_weights_).all()


# -- rows that are held out, weights --------------------------------------------------------------


def test_held_out_rows_hold_every_group():
    """Groups are stratified, and the held-out loss is the sum over groups of q_g L_g."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    rare = np.arange(400) % 20 == 0
    X = rng.normal(size=(400, 4)) + y[:, None]
    seen = []

    class Seeing(Callback):
        def on_epoch_end(self, net, dataset_valid, **kwargs):
            seen.append(dataset_valid.index.numpy())

    clf = GroupDROClassifier(**QUICK, early_stopping=True, callbacks=[Seeing()])
    clf.fit(X, y, group_labels=rare)
    valid = seen[0]
    assert len(valid) == 40
    assert rare[valid].sum() == 2  # 5 % of them, as of all
    best = np.argmin(clf.history_[:, "valid_loss"])  # whose weights are back
    losses = -np.log(clf.predict_proba(X[valid])[np.arange(40), y[valid]])
    means = [losses[rare[valid] == g].mean() for g in (False, True)]
    q = clf.history_[int(best), "group_weights"]
    assert clf.history_[int(best), "valid_label_loss"] == pytest.approx(np.dot(means, q))


def test_a_group_that_is_held_out_altogether(problem):
    X, y, _ = problem
    groups = np.arange(60)  # each row a group of its own
    clf = GroupDROClassifier(**QUICK, early_stopping=True, validation_fraction=0.3)
    clf.fit(X, y, group_labels=groups)
    assert len(clf.groups_) == len(clf.group_weights_) == 60
    assert clf.history_[0, "valid_loss"] == 0  # no row to train on in any of their groups


def test_rows_of_weight_zero_have_no_group(problem):
    X, y, groups = problem
    weight = (groups < 3).astype(float)
    clf = GroupDROClassifier(**QUICK).fit(X, y, sample_weight=weight, group_labels=groups)
    assert clf.groups_ == [0, 1, 2]


def test_sample_weights_count_within_groups_and_class_weights_between(problem):
    """Multiplying the sample weights of one group changes nothing; its class weight does."""
    X, y, _ = problem
    common = {**QUICK, "batch_size": -1, "group_step_size": 1.0}
    heavier = np.where(y == 1, 5.0, 1.0)
    plain = GroupDROClassifier(**common).fit(X, y)
    sampled = GroupDROClassifier(module=build, **common).fit(X, y, sample_weight=heavier)
    unsampled = GroupDROClassifier(module=build, **common).fit(X, y)
    np.testing.assert_allclose(sampled.group_weights_, unsampled.group_weights_, atol=1e-5)
    costly = GroupDROClassifier(class_weight={1: 5.0}, **common).fit(X, y)
    assert costly.group_weights_[1] > plain.group_weights_[1] + 0.2


def test_samples_in_whose_place_others_come_weigh_as_much_in_their_group(problem):
    X, y, groups = problem
    mask = [[0, 0, 0, 1] if row % 10 == 0 else None for row in range(60)]
    groups = np.where(np.arange(60) % 10 == 0, 0, 1 + groups)
    params = {"reduction": "group_dro", "group_step_size": 0.5, **QUICK}
    nothing = [("nothing", AverageCasePenalty("none"))]
    off, replaced = (
        ExplanationClassifier(penalties=nothing, alpha={"nothing": alpha}, **params)
        .fit(X, y, mask=mask, group_labels=groups)
        .group_weights_
        for alpha in (0.0, "replace")
    )
    np.testing.assert_allclose(replaced, off, atol=1e-5)


def build():
    """A network that does not standardise, as the built-in one does with sample weights."""
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


# -- where ERM fails ------------------------------------------------------------------------------


def make_shortcut(n_rows, rare, seed):
    """A weak reason, and a strong shortcut that is wrong in a share `rare` of the rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % 2
    wrong = rng.random(n_rows) < rare
    shortcut = 2 * (2 * np.where(wrong, 1 - y, y) - 1) + 0.5 * rng.normal(size=n_rows)
    reason = 2 * y - 1 + rng.normal(size=n_rows)
    X = np.c_[reason, shortcut, rng.normal(size=(n_rows, 3))]
    return X, y, 2 * y + wrong


@pytest.mark.parametrize("batch_size", [16, 64])
def test_the_worst_group_is_better_than_under_erm(batch_size):
    X, y, groups = make_shortcut(1000, rare=0.04, seed=0)
    X_new, y_new, groups_new = make_shortcut(4000, rare=0.5, seed=1)
    common = {
        "batch_size": batch_size,
        "lr": 3e-3,
        "max_epochs": 20,
        "optimizer__weight_decay": 1e-3,
        "random_state": 0,
    }
    erm = ERMClassifier(**common).fit(X, y)
    dro = GroupDROClassifier(**common).fit(X, y, group_labels=groups)
    worst = [worst_group_accuracy(y_new, clf.predict(X_new), groups_new) for clf in (erm, dro)]
    # Measured: 0.25 and 0.67 in batches of 16, 0.19 and 0.70 in batches of 64.
    assert worst[0] < 0.35
    assert worst[1] > 0.5
