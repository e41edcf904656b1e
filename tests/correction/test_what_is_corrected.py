"""What is said about models and samples that cannot be corrected as they are."""

import numpy as np
import pandas as pd
import pytest
import torch
from _corrections import MASK, Biased, D, make_data, outputs
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from torch import nn

from skexplain import ERMClassifier, ERMRegressor, WithPropagatedMasks
from skexplain.correction import CorrectedClassifier, correct


class Wrapped(nn.Module):
    """Returns what a function makes of the logits."""

    def __init__(self, wrap):
        super().__init__()
        self.network, self.wrap = Biased(), wrap

    def forward(self, x):
        return self.wrap(self.network(x))


def test_a_model_without_a_network_that_takes_gaps_is_named():
    X = pd.DataFrame({"size": [1.0, np.nan] * 10, "ward": pd.Categorical(["A", "B"] * 10)})
    y = np.arange(20) % 2
    boosting = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=2)
    with pytest.raises(TypeError, match="got HistGradientBoostingClassifier.*SwapAugmented"):
        correct(boosting.fit(X, y), X, [[0, 1]], y)


class Ordered(ClassifierMixin, BaseEstimator):
    """A classifier of another library, whose classes are in an order of its own."""

    def __init__(self, classes):
        self.classes = classes

    def fit(self, X, y):
        self.classes_, self.module_ = np.array(self.classes), Biased()
        return self

    def predict(self, X):
        return self.classes_[outputs(self.module_, X).argmax(1)]


@pytest.mark.parametrize("method", ["project", "refit_head", "finetune"])
def test_classes_need_not_be_sorted(method):
    X, codes = make_data()
    layer = "body" if method == "finetune" else None
    found = []
    for names in (("abnormal", "normal"), ("normal", "abnormal")):
        y = np.array(names)[codes]
        clf = CorrectedClassifier(
            Ordered(names).fit(X, y), method=method, layer=layer, random_state=0
        ).fit(X, y, mask=MASK)
        found.append((clf.report_.clean_accuracy, clf.report_.swap_accuracy, clf.score(X, y)))
    assert found[0] == found[1]
    assert found[0][2] > 0.7


class Branches(nn.Module):
    """Two branches: what comes behind one depends on the samples in another way, too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(D, 6), nn.Linear(D, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(torch.relu(self.first(x)) + torch.relu(self.second(x)))


def test_the_first_samples_may_be_alike():
    X, y = make_data()
    X[:20], y[:20] = X[0], y[0]
    clf = CorrectedClassifier(
        Branches(), method="project", n_directions=1, layer="first", random_state=0
    ).fit(X, y, mask=MASK)
    before = np.mean(outputs(Branches(), X).argmax(1).numpy() == y)
    assert clf.report_.clean_accuracy == pytest.approx((before, clf.score(X, y)))


def test_a_regressor_is_named():
    X, y = make_data(40)
    regressor = ERMRegressor(max_epochs=1, random_state=0).fit(X, y.astype(float))
    with pytest.raises(TypeError, match="must be a classifier, got ERMRegressor"):
        correct(regressor, X, MASK, y)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda logits: logits.softmax(1),
        lambda logits: logits.to(torch.bfloat16).softmax(1),
        lambda logits: logits[:, 1:].sigmoid(),
        lambda logits: logits[:, 1].sigmoid(),
    ],
)
def test_probabilities_are_no_logits(wrap):
    X, y = make_data()
    with pytest.raises(ValueError, match="returns probabilities"):
        correct(Wrapped(wrap), X, MASK, y, method="project", layer="network.body")


def test_log_probabilities_and_single_logits_are_logits():
    X, y = make_data()
    params = {"method": "project", "layer": "network.body", "n_directions": 1, "random_state": 0}
    expected = correct(Wrapped(nn.Identity()), X, MASK, y, **params).predict_proba(X)
    for wrap in (lambda logits: logits.log_softmax(1), lambda logits: logits.diff()):
        corrected = correct(Wrapped(wrap), X, MASK, y, **params)
        assert corrected.predict_proba(X) == pytest.approx(expected, abs=1e-5)


def test_logits_in_a_dict_and_outputs_without_any():
    X, y = make_data()
    plain = correct(Biased(), X, MASK, y, random_state=0)
    in_dict = correct(Wrapped(lambda logits: {"logits": logits}), X, MASK, y, random_state=0)
    assert in_dict.predict_proba(X) == pytest.approx(plain.predict_proba(X), abs=1e-6)
    with pytest.raises(TypeError, match="must return a tensor of logits.*got dict"):
        correct(Wrapped(lambda logits: {"scores": logits}), X, MASK, y)


def test_samples_that_the_network_cannot_run():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 2))
    X = np.zeros((4, 8, 8, 3))
    with pytest.raises(ValueError, match=r"X must hold samples .*\(2, 8, 8, 3\).*transpose"):
        correct(network, X, np.zeros((4, 8, 8, 3)), [0, 1, 0, 1])


@pytest.mark.parametrize("freeze", [FrozenEstimator, lambda fitted: fitted.module_])
def test_few_masks_are_filled_in_around_a_correction(freeze):
    X, y = make_data()
    plain = freeze(ERMClassifier(max_epochs=3, random_state=0).fit(X, y))
    few = [MASK[0] if row < 20 else None for row in range(len(X))]
    corrector = CorrectedClassifier(plain, method="refit_head", seen=True, random_state=0)
    filled = WithPropagatedMasks(corrector).fit(X, y, mask=few)
    expected = clone(corrector).fit(X, y, mask=np.repeat(MASK, len(X), axis=0))
    assert filled.propagated_
    assert np.array_equal(filled.predict_proba(X), expected.predict_proba(X))
    assert filled.estimator_.report_.n_samples == len(X)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("method", ["project", "refit_head", "finetune"])
def test_a_network_of_another_precision_keeps_it(method, dtype):
    X, y = make_data()
    params = {"method": method, "random_state": 0}
    if method == "finetune":
        params["trainer"] = ERMClassifier(lr=0.05, max_epochs=5, random_state=0)
    corrected = correct(Biased().to(dtype), X, MASK, y, **params)
    assert {tensor.dtype for tensor in corrected.module_.state_dict().values()} == {dtype}
    single = correct(Biased(), X, MASK, y, **params)
    assert np.mean(corrected.predict(X) == single.predict(X)) > 0.95
    undone = corrected.undo().double()
    assert torch.equal(outputs(undone.float(), np.eye(D)), outputs(Biased(), np.eye(D)))
