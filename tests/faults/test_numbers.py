"""Weights, targets and probabilities at the edge of what float32 can hold."""

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    ERMRegressor,
    GroupDROClassifier,
    SwapExClassifier,
)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    return X, (X[:, 0] > 0).astype(int), np.eye(5)[4:], rng.uniform(0.5, 2, size=80)


@pytest.mark.parametrize("scale", [2.0**-140, 2.0**-30, 4.0, 2.0**90, 2.0**120])
@pytest.mark.parametrize(
    "cls", [ERMClassifier, SwapExClassifier, GroupDROClassifier], ids=lambda cls: cls.__name__
)
def test_the_scale_of_weights_cancels_to_the_bit(cls, scale, problem):
    X, y, mask, weight = problem
    fits = [
        cls(max_epochs=3, random_state=0).fit(
            X, y, sample_weight=w, **({} if cls is ERMClassifier else {"mask": mask})
        )
        for w in (weight, weight * scale)
    ]
    np.testing.assert_array_equal(fits[0].predict_proba(X), fits[1].predict_proba(X))
    assert fits[0].history_[:, "train_loss"] == fits[1].history_[:, "train_loss"]


@pytest.mark.parametrize("scale", [1e-46, 1e-300, 1e37, 1e300])
def test_any_scale_of_weights_trains(scale, problem):
    X, y, _, weight = problem
    plain = ERMClassifier(max_epochs=20, random_state=0).fit(X, y, sample_weight=weight)
    clf = ERMClassifier(max_epochs=20, random_state=0).fit(X, y, sample_weight=weight * scale)
    np.testing.assert_allclose(clf.predict_proba(X), plain.predict_proba(X), atol=1e-4)


def test_the_scale_of_class_weights_cancels(problem):
    X, y, mask, _ = problem
    fits = [
        AvgExClassifier(class_weight={0: scale, 1: 3 * scale}, max_epochs=3, random_state=0)
        for scale in (1.0, 2.0**-140, 2.0**120)
    ]
    found = [clf.fit(X, y, mask=mask).predict_proba(X) for clf in fits]
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_weights_that_differ_by_more_than_float32_can_hold(problem):
    """A sample of 1e-60 of the weight of another is as good as none, and no error."""
    X, y, _, _ = problem
    weight = np.where(np.arange(80) < 40, 1.0, 1e-60)
    few = ERMClassifier(max_epochs=5, random_state=0).fit(X, y, sample_weight=weight)
    assert np.isfinite(few.predict_proba(X)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_other_weights_are_an_error(bad, problem):
    X, y, _, weight = problem
    weight = np.where(np.arange(80) == 3, bad, weight)
    with pytest.raises(ValueError, match="sample_weight"):
        ERMClassifier(max_epochs=1).fit(X, y, sample_weight=weight)


def test_probabilities_that_are_not_a_number_are_no_class(problem):
    X, y, _, _ = problem
    clf = ERMClassifier(max_epochs=2, random_state=0).fit(X, y)
    for parameter in clf.module_.parameters():
        parameter.data.fill_(float("nan"))
    for method in (clf.predict, clf.predict_proba):
        with pytest.raises(ValueError, match=r"outputs.*not finite.*80 of 80 samples"):
            method(X)
    # One sample among others is enough.
    far = X.astype(np.float32)
    far[3] = 3e38
    clf = ERMClassifier(nn.Linear(X.shape[1], 2), max_epochs=1, random_state=0).fit(X, y)
    with torch.no_grad():
        clf.module_.weight.fill_(10.0)
    with pytest.raises(ValueError, match=r"outputs.*not finite for 1 of 80 samples"):
        clf.predict(far)
    reg = ERMRegressor(max_epochs=2, random_state=0).fit(X, X[:, 0])
    for parameter in reg.module_.parameters():
        parameter.data.fill_(float("inf"))
    with pytest.raises(ValueError, match=r"outputs.*not finite"):
        reg.predict(X)
