"""A fit and a prediction are the same whatever state of torch surrounds the call, and leave it."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
    SwapExRegressor,
    TwoStageExplanationClassifier,
)
from skexplain.inspection import saliency


@contextmanager
def float64_by_default():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "float64 by default": float64_by_default,
}
ESTIMATORS = [
    SwapExClassifier(max_epochs=3, random_state=0),
    AvgExClassifier(perturbation="gaussian", max_epochs=3, random_state=0),
    GradRegClassifier(max_epochs=3, random_state=0),
    TwoStageExplanationClassifier(max_epochs=3, random_state=0),
    SwapExRegressor(max_epochs=3, random_state=0),
]


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=100)
    X = rng.normal(size=(100, 6))
    X[:, 0] += 2 * y
    return X, y, np.eye(6)[1:2]


@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_fit_and_predict_are_the_same(estimator, surroundings, problem):
    X, y, mask = problem
    alone = estimator.fit(X, y, mask=mask).predict(X)
    losses = estimator.history_[:, "train_loss"]
    with surroundings():
        grad_mode, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
        np.testing.assert_array_equal(estimator.predict(X), alone)
        within = estimator.fit(X, y, mask=mask).predict(X)
        assert torch.is_grad_enabled() == grad_mode
        assert torch.get_default_dtype() == dtype
    np.testing.assert_array_equal(within, alone)
    assert estimator.history_[:, "train_loss"] == losses


@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_saliency_is_the_same(surroundings, problem):
    X, y, mask = problem
    clf = ERMClassifier(max_epochs=3, random_state=0).fit(X, y)
    alone = saliency(clf, X[:5])
    with surroundings():
        within = saliency(clf, X[:5])
    np.testing.assert_array_equal(within, alone)


@pytest.mark.parametrize("surroundings", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_propagated_masks_are_the_same(surroundings):
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=(12, 8, 8)), rng.random((12, 8, 8)) < 0.3
    propagator = MaskPropagator(n_steps=5, cv=None, random_state=0)
    alone = propagator.fit(X, mask).fill(X)
    with surroundings():
        within = propagator.fit(X, mask).fill(X)
    np.testing.assert_array_equal(within, alone)
