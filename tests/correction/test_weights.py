"""Sample weights of a correction: an integer is as good as so many equal samples."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn
import torch
from _corrections import MASK, Biased, D, make_data
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from skexplain import ERMClassifier, SwapExClassifier, WithPropagatedMasks
from skexplain.correction import CorrectedClassifier, SwapAugmentedClassifier, correct
from skexplain.correction._controls import _p_value
from skexplain.correction._evaluation import Outcome, mean_and_error, n_effective
from skexplain.correction._methods import (
    HeadPenalty,
    Material,
    _Design,
    choose_penalty,
    make_projection,
    row_weights,
)
from skexplain.correction._network import Site


def make_materials():
    """Features with integer weights, and the same with so many equal samples."""
    rng = np.random.default_rng(0)
    m, d, n_others = 60, 5, 20
    codes = np.arange(m) % 2
    clean = rng.normal(size=(m, d)) + codes[:, None] * [1, 0.5, 0, 0, 0]
    swapped = clean + rng.normal(size=(3, m, 1)) * [0, 0.3, 1, 0.5, 0]
    marked, other_codes = rng.random(m) < 0.5, np.arange(n_others) % 2
    others = rng.normal(size=(n_others, d)) + 1
    weight, of_others = rng.integers(1, 5, m), rng.integers(0, 4, n_others)
    weighted = Material(
        clean, swapped, codes, marked, 2, others, other_codes, None,
        weight.astype(float), of_others.astype(float),
    )  # fmt: skip
    rows, other_rows = np.repeat(np.arange(m), weight), np.repeat(np.arange(n_others), of_others)
    repeated = replace(
        weighted.take(rows),
        other_features=others[other_rows],
        other_codes=other_codes[other_rows],
        sample_weight=None,
        other_sample_weight=None,
    )
    return weighted, repeated


@pytest.mark.parametrize("method", ["project", "oblique", "reactive"])
def test_projections_are_those_of_repeated_samples(method):
    features = torch.as_tensor(np.random.default_rng(1).normal(size=(30, 5)), dtype=torch.float32)
    site = Site("head", "before", -1, is_head=True)
    found, expected = (
        make_projection(method, 2, material.directions(2), material, site)(features).numpy()
        for material in make_materials()
    )
    np.testing.assert_allclose(found, expected, atol=1e-4 if method == "reactive" else 1e-5)
    unweighted = replace(make_materials()[0], sample_weight=None)
    other = make_projection(method, 2, unweighted.directions(2), unweighted, site)(features)
    assert np.abs(other.numpy() - expected).max() > 1e-2


@pytest.mark.parametrize("penalty", [HeadPenalty(0.1), HeadPenalty(1.0, 10.0)], ids=str)
@pytest.mark.parametrize("clean_share", [0.0, 0.25])
def test_a_head_is_that_of_repeated_samples(penalty, clean_share):
    weighted, repeated = make_materials()

    def fit(material):
        coefficients, intercept = _Design(material, clean_share, penalty.along_swaps > 0).fit(
            penalty
        )
        return np.append(coefficients, intercept)

    expected = fit(repeated)
    np.testing.assert_allclose(fit(weighted), expected, atol=5e-3)
    assert np.abs(fit(replace(weighted, sample_weight=None)) - expected).max() > 0.03
    assert choose_penalty(weighted, clean_share) in [
        HeadPenalty(strength, factor)
        for strength in (1e-3, 1e-2, 1e-1, 1.0)
        for factor in (0.0, 1.0, 10.0, 100.0, 1000.0)
    ]


def test_weights_of_copies_clean_samples_and_others_by_hand():
    codes = np.array([0, 1])
    material = Material(
        np.zeros((2, 3)), np.zeros((2, 2, 3)), codes, codes > 0, 2, np.zeros((4, 3)),
        np.zeros(4, dtype=int), None, np.array([1.0, 3.0]), np.array([2.0, 0.0, 4.0, 2.0]),
    )  # fmt: skip
    _, weight = row_weights(material, 0.2)
    # Two copies with 0.4 each, the sample itself with 0.2; others no more than 4 together.
    expected = [0.4, 1.2, 0.4, 1.2, 0.2, 0.6, 1, 0, 2, 1]
    np.testing.assert_allclose(weight, expected)


def test_means_and_errors_of_weighted_samples():
    rng = np.random.default_rng(0)
    weight, values = rng.integers(1, 4, 30).astype(float), rng.random(30)
    repeated = np.repeat(values, weight.astype(int))
    mean, error = mean_and_error(values, weight)
    assert mean == pytest.approx(repeated.mean())
    assert error == pytest.approx(repeated.std() / np.sqrt(weight.sum() ** 2 / (weight**2).sum()))
    assert n_effective(np.full(7, 2.0)) == 7
    assert mean_and_error(values, np.full(30, 2.0)) == pytest.approx(mean_and_error(values, None))
    draws = rng.random((3, 30)) - 0.4
    for differences in (values - 0.4, draws):
        assert _p_value(differences, np.full(30, 2.0)) == pytest.approx(_p_value(differences))
    outcome = Outcome(np.array([0, 1]), np.array([[0, 0], [1, 0]]))
    assert outcome.accuracy(np.array([0, 0]), np.array([1.0, 3.0])) == 0.25
    assert outcome.flip_rate(np.array([1.0, 3.0])) == (0.5 + 3) / 4


def of_weight_zero():
    """Samples of which a third does not count, and the same with other values there."""
    X, y = make_data()
    counts = np.arange(len(X)) % 3 > 0
    other_X, other_y = np.where(counts[:, None], X, 5 - X), np.where(counts, y, 1 - y)
    mask = [MASK[0] if row % 2 else None for row in range(len(X))]
    return X, y, other_X, other_y, mask, counts


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize(
    ("method", "trainer"),
    [
        ("project", None),
        ("oblique", None),
        ("refit_head", None),
        ("finetune", ERMClassifier(max_epochs=2)),
        ("finetune", SwapExClassifier(max_epochs=2)),
    ],
)
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.ShortcutInUseWarning")
def test_samples_of_weight_zero_take_part_in_nothing(method, trainer, exchange):
    X, y, other_X, other_y, mask, counts = of_weight_zero()
    params = {"method": method, "trainer": trainer, "exchange": exchange, "random_state": 0}
    params |= {"layer": "body"} if method == "finetune" else {}
    clf, other = (
        correct(Biased(), each, mask, labels, sample_weight=counts, **params)
        for each, labels in ((X, y), (other_X, other_y))
    )
    np.testing.assert_allclose(other.predict_proba(X), clf.predict_proba(X), atol=1e-6)
    assert other.report_.swap_accuracy == clf.report_.swap_accuracy
    assert other.report_.p_value == clf.report_.p_value
    assert clf.report_.n_samples <= counts.sum()
    plain = correct(Biased(), X, mask, y, **params)
    assert np.abs(plain.predict_proba(X) - clf.predict_proba(X)).max() > 1e-6


@pytest.mark.parametrize("kind", ["corrected", "augmented"])
def test_values_of_samples_of_weight_zero_change_nothing(kind):
    X, y = make_data()
    counts = np.arange(len(X)) % 4 > 0
    other = np.where(counts[:, None], X, 100 * X)
    # Half of the samples mark one more feature, for which donors have nothing to give.
    mask = np.repeat(MASK, len(X), axis=0)
    mask[::2, 1] = True
    params = {"exchange": False, "random_state": 0}
    if kind == "augmented":
        clf = SwapAugmentedClassifier(LogisticRegression(), **params)
    else:
        clf = CorrectedClassifier(Biased(), method="refit_head", **params)
    found, expected = (
        clf.fit(each, y, mask=mask, sample_weight=counts).predict_proba(X) for each in (other, X)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_others_of_weight_zero_choose_no_penalty():
    weighted = make_materials()[0]
    zero = np.zeros(len(weighted.other_codes))
    without = replace(
        weighted,
        other_features=weighted.other_features[:0],
        other_codes=weighted.other_codes[:0],
        other_sample_weight=None,
    )
    expected = choose_penalty(without, 0.25)
    assert expected.along_swaps == 0
    assert choose_penalty(replace(weighted, other_sample_weight=zero), 0.25) == expected
    # Those that count may choose one.
    assert choose_penalty(replace(weighted, other_sample_weight=zero + 5), 0.25) != expected


def test_weights_of_one_are_none_to_the_bit_and_are_handed_on():
    X, y = make_data()
    plain = ERMClassifier(max_epochs=5, random_state=0).fit(X, y)
    params = {"method": "refit_head", "random_state": 0}
    clf = CorrectedClassifier(FrozenEstimator(plain), **params)
    expected = clf.fit(X, y, mask=MASK).predict_proba(X)
    ones = clf.fit(X, y, mask=MASK, sample_weight=np.ones(len(X), dtype=int)).predict_proba(X)
    np.testing.assert_array_equal(ones, expected)
    weight = 1.0 + y
    weighted = clf.fit(X, y, mask=MASK, sample_weight=weight).predict_proba(X)
    assert weighted[:, 1].mean() > expected[:, 1].mean()
    filled = WithPropagatedMasks(clf)
    few = [MASK[0] if row < 100 else None for row in range(len(X))]
    filled.fit(X, y, mask=few, sample_weight=weight)
    assert filled.predict_proba(X)[:, 1].mean() > expected[:, 1].mean()
    with sklearn.config_context(enable_metadata_routing=True):
        requesting = clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        given = {"mask": np.repeat(MASK, len(X), axis=0), "sample_weight": weight}
        scores = cross_validate(requesting, X, y, cv=2, params=given, error_score="raise")
    assert (scores["test_score"] > 0.5).all()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(200, 1e-9), "sample_weight must say how often samples count.*got 1e-09"),
        (np.full(200, 1e9), "sample_weight must say how often samples count.*got 1e[+]09"),
        (np.zeros(200), "[Ss]ample.weights? must"),
        (-np.ones(200), "Negative values"),
        (np.ones(199), r"sample_weight.shape == \(199,\)"),
        (["a"] * 200, "sample_weight must hold numbers"),
        (np.arange(200) < 1, "at least 2 samples"),
    ],
)
def test_bad_weights(weight, message):
    X, y = make_data()
    assert X.shape == (200, D)
    mask = np.repeat(MASK, 200, axis=0)
    with pytest.raises(ValueError, match=message):
        correct(Biased(), X, mask, y, sample_weight=weight, random_state=0)
