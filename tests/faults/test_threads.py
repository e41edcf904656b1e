"""Fits and predictions at once in threads are those of one thread, and leave torch as it was."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skexplain import (
    AvgExClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
)
from skexplain.correction import CorrectedClassifier
from skexplain.inspection import saliency


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 8)).astype(np.float32)
    X[:, 0] += 2 * y
    return X, y, np.eye(8)[1:2]


def with_dropout():
    return nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 2))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(64, 2)

    def forward(self, x):
        tokens = self.embed(x[:, :, None])
        return self.head(self.attend(tokens, tokens, tokens, need_weights=False)[0].flatten(1))


def draws_by_itself():
    class Draws(nn.Sequential):
        def forward(self, x):
            return super().forward(x + 0.1 * torch.randn_like(x) if self.training else x)

    return Draws(nn.Linear(8, 2))


CASES = {
    "built-in": lambda: SwapExClassifier(max_epochs=6, random_state=0),
    "dropout": lambda: SwapExClassifier(with_dropout, max_epochs=6, random_state=0),
    "a forward that draws": lambda: SwapExClassifier(draws_by_itself, max_epochs=6, random_state=0),
    "attention": lambda: GradRegClassifier(Attention, max_epochs=3, random_state=0),
    "noise": lambda: AvgExClassifier(perturbation="gaussian", max_epochs=6, random_state=0),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_fits_in_threads_are_fits_alone(make, problem):
    X, y, mask = problem
    alone = make().fit(X, y, mask=mask).predict_proba(X)
    torch.manual_seed(3)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    attention = (
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
    )

    def fit(_):
        return make().fit(X, y, mask=mask).predict_proba(X)

    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(fit, range(6)):
            np.testing.assert_array_equal(found, alone)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert attention == (
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
    )


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_one_model_serves_six_threads(make, problem):
    X, y, mask = problem
    clf = make().fit(X, y, mask=mask)
    alone = clf.predict_proba(X)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: clf.predict_proba(X), range(24)):
            np.testing.assert_array_equal(found, alone)


def test_predictions_go_on_beside_fits(problem):
    X, y, mask = problem
    clf = GradRegClassifier(Attention, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    alone = clf.predict_proba(X)
    maps = saliency(clf, X[:4])

    def work(i):
        if i % 3 == 0:
            CASES["attention"]().fit(X, y, mask=mask)
        if i % 3 == 1:
            np.testing.assert_array_equal(saliency(clf, X[:4]), maps)
        np.testing.assert_array_equal(clf.predict_proba(X), alone)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(9)))


def test_propagators_in_threads(problem):
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=(12, 8, 8)), rng.random((12, 8, 8)) < 0.3

    def fill(_):
        return MaskPropagator(n_steps=8, cv=None, random_state=0).fit(X, mask).fill(X)

    alone = fill(0)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(fill, range(6)):
            np.testing.assert_array_equal(found, alone)


def correct(clf, problem):
    X, y, mask = problem
    corrected = CorrectedClassifier(clf, method="refit_head", n_copies=1, random_state=0)
    return corrected.fit(X, y, mask=mask).predict_proba(X)


def test_a_corrected_network_serves_six_threads(problem):
    """A bare network is in training mode: no thread may switch dropout on for the others."""
    X, y, mask = problem
    corrected = CorrectedClassifier(with_dropout(), n_copies=1, batch_size=4, random_state=0)
    corrected.fit(X, y, mask=mask)
    assert not any(module.training for module in corrected.module_.modules())
    alone = corrected.predict_proba(X)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: corrected.predict_proba(X), range(24)):
            np.testing.assert_array_equal(found, alone)


def test_corrections_in_threads_are_corrections_alone(problem):
    """Their hooks hear no passes of other threads, and they draw nothing amid the fits of these."""
    X, y, mask = problem
    base = SwapExClassifier(max_epochs=3, random_state=0)
    clf = base.fit(X, y, mask=mask)
    alone, fitted = correct(clf, problem), clf.predict_proba(X)
    state = torch.random.get_rng_state()

    def work(number):
        if number % 3 == 0:
            return clone(base).fit(X, y, mask=mask).predict_proba(X), fitted
        if number % 3 == 1:
            return [clf.predict_proba(X) for _ in range(20)][-1], fitted
        return correct(clf, problem), alone

    with ThreadPoolExecutor(6) as pool:
        for found, expected in pool.map(work, range(12)):
            np.testing.assert_array_equal(found, expected)
    assert torch.equal(torch.random.get_rng_state(), state)
