"""A new head that is fitted to samples of which few have masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _corrections import MASK, Biased, D, make_data
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from skexplain._surroundings import one_thread_for_products
from skexplain.correction import correct
from skexplain.correction._methods import HeadPenalty, Material, _Design, choose_penalty


def make_material(n_samples=60, n_others=40, d=4, seed=0):
    """Return features of which the last one moves when samples are swapped."""
    rng = np.random.default_rng(seed)
    codes, other_codes = rng.integers(2, size=n_samples), rng.integers(2, size=n_others)
    clean = rng.normal(size=(n_samples, d)) + codes[:, None]
    swapped = np.stack([clean, clean])
    swapped[:, :, -1] = rng.normal(size=(2, n_samples)) + 0.5
    others = rng.normal(size=(n_others, d)) + other_codes[:, None]
    marked = np.ones(n_samples, dtype=bool)
    return Material(clean, swapped, codes, marked, 2, others, other_codes)


@pytest.mark.parametrize("along_swaps", [0.0, 30.0])
def test_the_penalised_loss_has_its_minimum_at_the_head(along_swaps):
    material = make_material()
    penalty = HeadPenalty(0.1, along_swaps)
    design = _Design(material, 0.25, along_swaps > 0)
    coefficients, intercept = design.fit(penalty)
    weights = coefficients[0] * design.sd
    logits = design.x @ weights + intercept[0] + coefficients[0] @ design.mean
    residuals = design.weight * (expit(logits) - design.codes)
    differences = (material.clean - material.swapped).reshape(-1, 4) / design.sd
    ridge = weights + along_swaps * (differences.T @ (differences @ weights)) / len(differences)
    gradient = penalty.strength * design.x.T @ residuals + ridge
    assert np.abs(gradient).max() < 1e-2 * np.abs(ridge).max()
    assert abs(residuals.sum()) < 1e-2 * np.abs(residuals).sum()
    # Samples without copies weigh as any sample once the head is kept from the shortcut.
    assert design.weight[-40:] == pytest.approx(1.0)


def test_what_swaps_move_is_penalised_where_samples_lack_masks():
    """Of samples without masks the last feature is the label."""
    material = make_material()
    material.other_features[:, -1] = 4.0 * material.other_codes
    assert choose_penalty(material, 0.25).along_swaps > 0
    nothing_moves = replace(material, swapped=material.clean[None])
    assert choose_penalty(nothing_moves, 0.25).along_swaps == 0
    all_have_masks = replace(
        material, other_features=np.zeros((0, 0)), other_codes=np.zeros(0, dtype=int)
    )
    assert choose_penalty(all_have_masks, 0.25).along_swaps == 0


def test_twenty_masks_repair_a_head_as_all_do():
    X, y = make_data(400)
    few = [MASK[0] if row < 20 else None for row in range(400)]
    lie, truth = make_data(500, seed=1, agreement=0.0)
    params = {"method": "refit_head", "exchange": False, "random_state": 0}
    scores = [
        correct(Biased(), X, masks, y, **params).score(lie, truth)
        for masks in (few, np.repeat(MASK, 400, axis=0))
    ]
    assert scores[1] > 0.9
    assert scores[0] > scores[1] - 0.03


def test_two_masks_are_enough_for_a_choice():
    """A detector of the marks needs two samples of each kind in each fold; so it is not tried."""
    X, y = make_data()
    mask = [MASK[0] if row < 2 else None for row in range(len(X))]
    corrected = correct(Biased(), X, mask, y, random_state=0)
    assert not any(name.startswith("reactive") for name in corrected.report_.candidates)


def test_annotated_samples_of_one_class_are_an_error():
    X, y = make_data()
    rng = np.random.default_rng(0)
    mask = [rng.random(X.shape[1]) < 0.5 if label == 1 else None for label in y]
    with pytest.raises(ValueError, match="mask must annotate samples of two classes or more"):
        correct(Biased(), X, mask, y, random_state=0)


def test_heads_are_fitted_on_one_thread_and_the_others_are_given_back(monkeypatch):
    """Also where one of two fits at once ends first."""

    def count():
        pools = threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    during = []

    class Noting(LogisticRegression):
        def fit(self, *args):
            with one_thread_for_products:
                super().fit(*args)
            during.append(count())
            return self

    monkeypatch.setattr("skexplain.correction._methods.LogisticRegression", Noting)
    with threadpool_limits(2, user_api="blas"):
        before = count()
        if before != {2}:
            pytest.skip("numpy multiplies matrices with what cannot be set here")
        X, y = make_data()
        correct(Biased(), X, MASK, y, method="refit_head", random_state=0)
        after = count()
    assert during
    assert all(counts == {1} for counts in during)
    assert after == before


def test_on_several_threads_the_head_and_the_report_are_the_same():
    X, y = make_data(300)
    mask = np.repeat(MASK, 300, axis=0)
    mask[::2] = np.arange(D) == D - 2
    fitted = []
    before = torch.get_num_threads()
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        try:
            params = {"method": "refit_head", "seen": True, "random_state": 0}
            fitted.append(correct(Biased(), X, mask, y, **params))
        finally:
            torch.set_num_threads(before)
    one, several = fitted
    assert np.array_equal(one.predict_proba(X), several.predict_proba(X))
    assert str(one.report_) == str(several.report_)
    assert one.report_.shuffled_gain is not None
