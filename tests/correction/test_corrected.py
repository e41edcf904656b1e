"""A fitted network, corrected: closed forms, controls, and that it is a network again."""

import copy
import io
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
import torch
from _corrections import MASK, Biased, D, make_data, outputs
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from torch import nn

from skexplain import ERMClassifier, SwapExClassifier, WithPropagatedMasks
from skexplain.correction import CorrectedClassifier, correct
from skexplain.correction._directions import (
    leading_directions,
    readout,
    target_covariance,
    whitening,
)
from skexplain.correction._methods import Material, row_weights
from skexplain.correction._splice import Projection
from skexplain.exceptions import MissingExplanationWarning


class Additive(nn.Module):
    """Features are those of the core plus an artefact along one direction; then a linear head."""

    def __init__(self, n_classes=3):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.core = nn.Linear(D - 1, 8)
        self.head = nn.Linear(8, n_classes)
        self.register_buffer("artefact", torch.randn(8, generator=generator))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)

    def features(self, x):
        return torch.tanh(self.core(x[:, :-1])) + x[:, -1:] ** 3 * self.artefact

    def forward(self, x):
        return self.head(self.features(x))


# -- closed forms ----------------------------------------------------------------------------------


def test_an_additive_artefact_is_gone_exactly():
    X = np.random.default_rng(0).normal(size=(50, D))
    clf = correct(Additive(), X, MASK, method="project", n_directions=1, random_state=0)
    other = X.copy()
    other[:, -1] = np.random.default_rng(1).normal(size=50)
    before = outputs(Additive(), X) - outputs(Additive(), other)
    after = outputs(clf.module_, X) - outputs(clf.module_, other)
    assert before.abs().max() > 1
    assert after.abs().max() < 1e-4
    assert clf.report_.flip_rate[1] == 0


def test_a_linear_model_is_the_one_at_the_mean_of_the_column():
    X, y = make_data()
    clf = correct(Biased(), X, MASK, y, method="project", n_directions=1, random_state=0)
    at_mean = np.where(MASK, X.mean(0), X)
    torch.testing.assert_close(outputs(clf.module_, X), outputs(Biased(), at_mean))


def test_directions_are_the_leading_singular_vectors():
    rng = np.random.default_rng(0)
    for shape in ((40, 7), (5, 30)):
        differences = rng.normal(size=shape) @ np.diag(np.arange(1.0, shape[1] + 1))
        _, _, expected = np.linalg.svd(differences, full_matrices=False)
        found = leading_directions(differences, 3)
        np.testing.assert_allclose(np.abs(found.T @ expected[:3].T), np.eye(3), atol=1e-8)
    assert leading_directions(np.zeros((5, 4)), 3).shape == (4, 0)
    assert leading_directions(np.outer(np.arange(5), [0, 1, 0]), 3).shape == (3, 1)


def test_projections_are_projections_and_keep_what_they_should():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 8)) @ rng.normal(size=(8, 8))
    codes = (features @ rng.normal(size=8) > 0).astype(int)
    v = np.linalg.qr(rng.normal(size=(8, 2)))[0]
    whiten, of_targets = whitening(features), target_covariance(features, codes, 2)
    for m in (readout(v), readout(v, whiten), readout(v, whiten, of_targets)):
        p = np.eye(8) - v @ m.T
        np.testing.assert_allclose(p @ p, p, atol=1e-8)
        np.testing.assert_allclose(p @ v, 0, atol=1e-8)
    np.testing.assert_allclose(p @ of_targets, of_targets, atol=1e-8)  # the last one, SPLINCE
    # LEACE: of all that take v out it changes features least, in their covariance.
    for other in (readout(v), m):
        moved = [
            whiten @ v @ each.T @ np.linalg.inv(whiten) for each in (readout(v, whiten), other)
        ]
        assert np.linalg.norm(moved[0]) <= np.linalg.norm(moved[1]) + 1e-9


def test_what_is_kept_needs_room_beside_what_is_taken_out():
    X, y = make_data()
    mask = np.arange(D)[None] > 0
    clf = correct(Biased(), X, mask, y, method="auto", random_state=0)  # tries those with room
    assert "project 5" in clf.report_.candidates
    assert "oblique 5" not in clf.report_.candidates
    given = correct(Biased(), X, mask, y, method="auto", n_directions=2, random_state=0)
    assert {"project 2", "oblique 2", "refit_head"} < set(given.report_.candidates)
    chosen = correct(Biased(), X, mask, y, method="oblique", random_state=0)
    assert "oblique 3" in chosen.report_.candidates
    params = {"method": "oblique", "n_directions": 6, "random_state": 0}
    nothing_left = pytest.warns(MissingExplanationWarning, match="mark every feature")
    with nothing_left, pytest.raises(ValueError, match=r"must be at most 5 with .* 6 channels"):
        correct(Biased(), X, np.ones((1, D)), y, **params)


@pytest.mark.parametrize("n_samples", [500, 5])
def test_whitening_is_the_inverse_root_of_the_shrunk_covariance(n_samples):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_samples, 8)) @ rng.normal(size=(8, 8))
    covariance = np.cov(features.T, ddof=0)
    shrunk = 0.95 * covariance + 0.05 * np.trace(covariance) / 8 * np.eye(8)
    root = whitening(features)
    np.testing.assert_allclose(root @ shrunk @ root, np.eye(8), atol=1e-8)
    np.testing.assert_allclose(root, root.T)


def test_the_layer_is_idempotent_and_leaves_the_mean():
    generator = torch.Generator().manual_seed(0)
    v = torch.linalg.qr(torch.randn(4, 2, generator=generator))[0]
    mean = torch.randn(4, generator=generator)
    for axis, shape in ((1, (5, 4)), (1, (5, 4, 3, 3)), (-1, (5, 7, 4))):
        layer, h = Projection(v, v, mean, axis), torch.randn(shape, generator=generator)
        once = layer(h)
        torch.testing.assert_close(layer(once), once)
        at_mean = mean.view(*(-1 if a == axis % len(shape) else 1 for a in range(len(shape))))
        torch.testing.assert_close(layer(at_mean.expand(shape)), at_mean.expand(shape))
        left = once.movedim(axis, -1) @ v
        torch.testing.assert_close(left, (mean @ v).expand_as(left))


@pytest.mark.parametrize("method", ["project", "oblique"])
def test_a_linear_probe_cannot_read_what_was_taken_out(method):
    X, y = make_data(400, agreement=0.5)
    artefact = X[:, -1] > 0
    clf = correct(Additive(2), X, MASK, y, method=method, n_directions=1, random_state=0)
    features = Additive(2).features(torch.from_numpy(X.astype(np.float32)))
    corrected = clf.module_.head.correction(features)
    readable, left = (
        cross_val_score(LogisticRegression(max_iter=1000), h.detach().numpy(), artefact).mean()
        for h in (features, corrected)
    )
    assert readable > 0.9
    assert left < 0.6


def test_a_new_head_is_logistic_regression_on_swapped_copies():
    X, y = make_data()
    params = {"method": "refit_head", "clean_share": 0.0, "random_state": 0}
    clf = correct(Biased(), X, MASK, y, n_copies=4, **params)
    assert abs(clf.module_.head.correction.weight[1, -1]) < 0.15
    assert clf.module_.head.correction.weight[1, 0] > 0.4
    lie, truth = make_data(500, seed=1, agreement=0.0)
    assert correct(Biased(), X, [[0] * 5 + [1]], y, **params).score(lie, truth) > 0.95
    by_hand = LogisticRegression(max_iter=1000).fit(X[:, :-1], y)
    agree = clf.predict(lie) == by_hand.predict(lie[:, :-1])
    assert agree.mean() > 0.98
    # With clean samples beside them it goes on to read some of the last column.
    mixed = correct(Biased(), X, MASK, y, **{**params, "clean_share": 0.5})
    weight = mixed.module_.head.correction.weight[1]
    assert weight[-1] > 2 * clf.module_.head.correction.weight[1, -1].abs()


def test_reactive_corrects_where_the_artefact_is_alone():
    X, y = make_data(400)
    mask = np.zeros((400, D), dtype=bool)
    mask[::2, -1] = True
    X[:, -1] = np.where(mask[:, -1], 6 + 0.1 * X[:, -1], 0.0)
    params = {"n_directions": 1, "random_state": 0}
    clf = correct(Biased(), X, mask, y, method="reactive", **params)
    before, after = (outputs(module, X) for module in (Biased(), clf.module_))
    torch.testing.assert_close(after[1::2], before[1::2])
    assert (after - before)[::2].abs().max(1).values.min() > 1
    with pytest.raises(ValueError, match="400 samples with and 0 without a mark"):
        correct(Biased(), X, MASK, y, method="reactive", **params)


# -- nothing to do ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, [None] * 200, np.zeros((1, D)), np.full((200, D), np.nan)])
@pytest.mark.parametrize("method", ["auto", "refit_head"])
def test_masks_that_mark_nothing_change_no_bit(mask, method):
    X, y = make_data()
    with pytest.warns(MissingExplanationWarning, match="the network stays as it is"):
        clf = correct(Biased(), X, mask, y, method=method)
    assert torch.equal(outputs(clf.module_, X), outputs(Biased(), X))
    assert list(clf.module_.state_dict()) == list(Biased().state_dict())
    assert clf.method_ == "nothing"
    assert clf.report_ is None


def test_the_given_network_is_never_changed():
    X, y = make_data()
    network = Biased().train()
    state = copy.deepcopy(network.state_dict())
    clf = correct(network, X, MASK, y, random_state=0)
    assert all(m.training for m in network.modules())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert clf.method_ != "nothing"
    assert torch.equal(outputs(clf.undo(), X), outputs(network, X))
    assert list(clf.undo().state_dict()) == list(state)
    # Of a network that was corrected before, the earlier correction stays.
    again = correct(clf.module_, X, MASK, y, method="project", n_directions=1, random_state=0)
    assert torch.equal(outputs(again.undo(), X), outputs(clf.module_, X))


# -- what is chosen, and what is claimed -----------------------------------------------------------


def test_auto_repairs_a_shortcut_and_says_so():
    X, y = make_data(400)
    clf = correct(Biased(), X, MASK, y, random_state=0)
    lie, truth = make_data(500, seed=1, agreement=0.0)
    assert (outputs(Biased(), lie).argmax(1).numpy() == truth).mean() < 0.2
    assert clf.score(lie, truth) > 0.95
    report = clf.report_
    assert report.is_repair
    assert report.shuffled_gain is None  # one mask for all: nothing to shuffle
    assert report.swap_accuracy[1] > report.swap_accuracy[0]
    assert "nothing" in report.candidates
    assert "helps, and more than its controls" in str(report)


def test_auto_leaves_a_network_that_leans_on_nothing_marked():
    X, y = make_data(400)
    clf = correct(Biased(shortcut=0.0), X, MASK, y, random_state=0)
    assert clf.method_ == "nothing"
    assert torch.equal(outputs(clf.module_, X), outputs(Biased(shortcut=0.0), X))
    assert not clf.report_.is_repair
    assert not len(clf.report_.changed)


def test_a_head_that_has_seen_the_samples_is_not_compared_with_one_that_has_not():
    """The head knows the labels of its samples by heart, whatever the features say."""
    rng = np.random.default_rng(0)
    X, y = make_data(120)
    noise = np.concatenate([X, rng.normal(size=(120, 200))], axis=1)
    head = LogisticRegression(C=1e4, max_iter=5000).fit(noise, y)
    network = nn.Sequential(nn.Identity(), nn.Linear(206, 2))
    with torch.no_grad():
        network[1].weight.copy_(torch.from_numpy(np.concatenate([-head.coef_, head.coef_]) / 2))
    mask = np.arange(206)[None] == D - 1
    blind, told = (
        correct(network, noise, mask, y, method="refit_head", seen=seen, random_state=0).report_
        for seen in (False, True)
    )
    assert blind.clean_accuracy[0] == 1
    assert "set seen=True" in str(blind)
    assert told.clean_accuracy[0] < 0.95
    assert "set seen=True" not in str(replace(told, clean_accuracy=(1.0, 1.0)))
    assert told.swap_accuracy[1] == blind.swap_accuracy[1]
    assert told.gain > blind.gain
    with pytest.raises(ValueError, match="seen must be False without y"):
        correct(network, noise, mask, method="project", n_directions=1, seen=True)


def test_random_directions_reach_less():
    X, y = make_data(400)
    clf = correct(Biased(), X, MASK, y, method="project", random_state=0)
    assert clf.n_directions_ == 1  # no more move
    assert clf.report_.random_gain < clf.report_.gain - 0.1
    assert clf.report_.is_repair


def test_what_shuffled_masks_reach_is_no_repair():
    """One column is marked in all samples, another one in each: whose mask it is tells nothing."""
    X, y = make_data(300)
    mask = np.repeat(MASK, 300, axis=0)
    mask[np.arange(300), np.random.default_rng(0).integers(1, D - 1, size=300)] = True
    report = correct(Biased(), X, mask, y, method="project", n_directions=1, random_state=0).report_
    assert report.gain > 0.05
    assert report.shuffled_gain == pytest.approx(report.gain, abs=0.02)
    assert not report.is_repair
    assert "Not shown to be a repair" in str(report)


@pytest.mark.parametrize("method", ["project", "oblique"])
def test_without_labels_flips_are_reported(method):
    X, _ = make_data()
    clf = correct(Biased(), X, MASK, method=method, n_directions=1, random_state=0)
    before, after = clf.report_.flip_rate
    assert before > 0.2
    assert after == 0
    assert clf.report_.is_repair is None
    assert clf.classes_.tolist() == [0, 1]
    assert "Without labels" in str(clf.report_)


def test_the_shuffled_control_works_with_marks_of_some_samples():
    X, y = make_data(300)
    X[:, -1] = np.where(np.arange(300) % 3, 4.0 * (2 * y - 1), 0.0)
    mask = np.zeros((300, D), dtype=bool)
    mask[np.arange(300) % 3 > 0, -1] = True
    clf = correct(Biased(), X, mask, y, random_state=0)
    assert clf.report_.is_repair in (True, False)
    assert clf.report_.shuffled_gain is not None
    assert clf.report_.gain > 0.05


# -- networks as users have them -------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ERMClassifier, SwapExClassifier])
def test_estimators_of_the_package(cls):
    X, y = make_data()
    names = np.array(["no", "yes"])[y]
    plain = cls(max_epochs=15, random_state=0).fit(X, names, **_mask_for(cls))
    clf = CorrectedClassifier(FrozenEstimator(plain), random_state=0).fit(X, names, mask=MASK)
    assert clf.classes_.tolist() == ["no", "yes"]
    assert set(clf.predict(X)) == {"no", "yes"}
    np.testing.assert_allclose(clf.predict_proba(X).sum(1), 1)
    accuracy = clf.report_.swap_accuracy
    assert accuracy[1] >= accuracy[0] - 0.01
    np.testing.assert_allclose(
        outputs(clf.undo(), X).softmax(1).numpy(), plain.predict_proba(X), atol=1e-6
    )


def _mask_for(cls):
    return {"mask": MASK} if cls is SwapExClassifier else {}


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU())
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.features(x / 255).mean((2, 3)))


@pytest.mark.parametrize("layer", [None, "features.0", "features"])
def test_images_at_any_layer(layer):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, size=(60, 3, 10, 10), dtype=np.uint8)
    y, mask = np.arange(60) % 2, np.zeros((60, 10, 10), dtype=bool)
    for row, (top, left) in enumerate(rng.integers(7, size=(60, 2))):
        X[row, y[row], top : top + 3, left : left + 3] = 255
        mask[row, top : top + 3, left : left + 3] = True
    clf = CorrectedClassifier(
        Convolution(), method="project", layer=layer, n_directions=2, random_state=0
    ).fit(X, y, mask=mask)
    assert clf.method_ == "project"
    assert (outputs(clf.module_, X) - outputs(Convolution(), X)).abs().max() > 1e-3
    assert torch.equal(outputs(clf.undo(), X), outputs(Convolution(), X))
    assert clf.report_.flip_rate[1] <= clf.report_.flip_rate[0] + 0.05


class Transformer(nn.Module):
    """Returns an object with logits, as transformers' models do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(20, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.classifier = nn.Linear(8, 2)

    def forward(self, tokens):
        return SimpleNamespace(logits=self.classifier(self.block(self.embed(tokens)).mean(1)))


@pytest.mark.parametrize("layer", [None, "block"])
def test_tokens(layer):
    rng = np.random.default_rng(0)
    X, y = rng.integers(2, 20, size=(60, 5)), np.arange(60) % 2
    X[:, 0] = y
    clf = correct(
        Transformer(),
        X,
        np.arange(5)[None] == 0,
        y,
        method="oblique",
        layer=layer,
        n_directions=1,
        random_state=0,
    )
    assert clf.predict(X).shape == (60,)
    assert clf.report_.candidates.keys() == {"nothing", "oblique 1"}


def test_it_is_saved_exported_and_trained_on(tmp_path):
    X, y = make_data()
    clf = correct(Biased(), X, MASK, y, random_state=0)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    stream = io.BytesIO()
    torch.save(clf.module_.state_dict(), stream)
    stream.seek(0)
    other = copy.deepcopy(clf.module_)
    other.load_state_dict(torch.load(stream))
    x = torch.from_numpy(X.astype(np.float32))
    exported = torch.export.export(clf.module_, (x,)).module()
    torch.testing.assert_close(exported(x), clf.module_(x))
    clf.module_(x).sum().backward()


def test_one_output_is_that_of_the_second_class():
    X, y = make_data()
    network = nn.Linear(D, 1)
    clf = correct(network, X, MASK, y, method="refit_head", random_state=0)
    assert clf.module_.correction.out_features == 1
    assert clf.score(X, y) > 0.9


def test_clones_routing_and_batches():
    X, y = make_data()
    plain = ERMClassifier(max_epochs=5, random_state=0).fit(X, y)
    clf = CorrectedClassifier(FrozenEstimator(plain), random_state=0, batch_size=7)
    mask = np.repeat(MASK, 200, axis=0)
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(clf, X, y, cv=2, params={"mask": mask})
    assert (scores > 0.5).all()
    whole = clone(clf).set_params(batch_size=500).fit(X, y, mask=mask)
    np.testing.assert_allclose(
        clf.fit(X, y, mask=mask).predict_proba(X), whole.predict_proba(X), atol=1e-5
    )
    assert clf.decision_function(X).shape == (200,)
    with pytest.raises(NotFittedError):
        clone(clf).predict(X)


def test_a_fitted_estimator_stays_fitted_in_clones():
    X, y = make_data()
    plain = ERMClassifier(max_epochs=5, random_state=0).fit(X, y)
    clf = CorrectedClassifier(plain, method="project", n_directions=1, random_state=0)
    copied = clone(clf)
    assert copied.estimator.estimator is plain
    assert clf.estimator is plain
    expected = clf.fit(X, y, mask=MASK).predict_proba(X)
    np.testing.assert_array_equal(copied.fit(X, y, mask=MASK).predict_proba(X), expected)
    np.testing.assert_array_equal(
        clone(copied).fit(X, y, mask=MASK).to_estimator().predict_proba(X),
        clf.to_estimator().predict_proba(X),
    )
    few = [MASK[0] if row < 100 else None for row in range(len(X))]
    filled = WithPropagatedMasks(clf).fit(X, y, mask=few)
    assert filled.estimator_.report_.n_samples == len(X)
    # A search over parameters of a training that is over would compare equals.
    with pytest.raises(ValueError, match="frozen"):
        copied.set_params(estimator__lr=1.0)
    with pytest.raises(NotFittedError):
        clone(CorrectedClassifier(ERMClassifier())).fit(X, y, mask=MASK)


# -- errors ----------------------------------------------------------------------------------------


class Unusual(ERMClassifier):
    def predict_proba(self, X):
        return np.sqrt(super().predict_proba(X))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"layer": "hed"}, ValueError, "layer must be None or one of .*'head'"),
        ({"layer": "body", "method": "refit_head"}, ValueError, "layer must be None with"),
        ({"channel_axis": 0}, ValueError, "channel_axis must be an axis"),
        ({"method": "sideways"}, ValueError, "'method' parameter"),
        ({"estimator": LogisticRegression()}, NotFittedError, "not fitted"),
        ({"estimator": nn.Sequential(nn.Linear(D, 3), nn.ReLU())}, ValueError, "must be named"),
    ],
)
def test_errors_name_what_was_expected(params, error, message):
    X, y = make_data()
    params = {"estimator": Biased(), "random_state": 0, **params}
    if isinstance(params["estimator"], nn.Sequential):
        y = np.arange(200) % 3
    with pytest.raises(error, match=message):
        CorrectedClassifier(**params).fit(X, y, mask=MASK)


def test_models_that_are_no_networks_and_data_that_do_not_fit():
    X, y = make_data()
    with pytest.raises(TypeError, match="anew by SwapAugmentedClassifier"):
        correct(LogisticRegression().fit(X, y), X, MASK, y)
    unusual = Unusual(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="must predict the softmax"):
        correct(unusual, X, MASK, y)
    with pytest.raises(ValueError, match="y must be given with method='auto'"):
        correct(Biased(), X, MASK)
    with pytest.raises(ValueError, match="one label per output of the network, 2"):
        correct(Biased(), X, MASK, np.arange(200) % 3)
    plain = ERMClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match=r"classes of the estimator, \[0, 1\], got \[2\]"):
        correct(plain, X, MASK, np.arange(200) % 3)


def test_weights_of_copies_of_clean_samples_and_of_others():
    """Copies and the sample itself weigh one; the others half of all, or as they are told."""
    codes, others = np.array([0, 1]), np.array([1, 1, 0, 0])
    material = Material(np.zeros((2, 3)), np.zeros((3, 2, 3)), codes, codes > 0, 2)
    found, weight = row_weights(material, 0.25)
    assert found.tolist() == [0, 1] * 4
    np.testing.assert_allclose(weight, [0.25] * 8)
    assert len(row_weights(material, 0.0)[0]) == 6
    material.other_codes = others
    np.testing.assert_allclose(row_weights(material, 0.4)[1], [0.2] * 6 + [0.4] * 2 + [0.5] * 4)
    material.others_weight = 1.0
    np.testing.assert_allclose(row_weights(material.take(codes), 0.0)[1][6:], [1.0] * 4)
