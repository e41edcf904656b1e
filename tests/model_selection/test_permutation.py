"""Check the permutation test of masks: which masks its fits receive, its level and its power."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import make_scorer
from sklearn.model_selection import KFold

from skexplain import SwapExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.model_selection import mask_permutation_test


class MaskMatcher(ClassifierMixin, BaseEstimator):
    """Its score is the share of training rows that have their own mask; 0 without masks."""

    def fit(self, X, y, mask=None, sample_weight=None):
        self.classes_ = np.unique(y)
        if sample_weight is not None:
            assert np.array_equal(sample_weight, X[:, 0])
        if mask is not None:
            mask = np.array([[np.nan] if row is None else row for row in mask], dtype=float)
        self.fitted_ = mask
        self.share_ = 0.0 if mask is None else np.mean(mask[:, 0] == X[:, 0] / 100)
        return self

    def score(self, X, y, sample_weight=None):
        return self.share_

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


X = np.arange(60.0)[:, None]
Y = np.arange(60) % 2


def run(mask, **parameters):
    return mask_permutation_test(
        MaskMatcher(), X, Y, mask, **{"cv": KFold(3), "random_state": 0, **parameters}
    )


def test_bookkeeping():
    result = run(X / 100, n_permutations=19)
    assert result.scores.tolist() == [1.0] * 3
    assert result.scores_without_mask.tolist() == [0.0] * 3
    assert result.permutation_scores.shape == (19, 3)
    assert result.permutation_scores.max() < 0.3  # a permutation of 40 has one fixed point or two
    assert result.gain == result.score == 1.0
    assert result.gain_se == 0.0
    assert result.gain_over_permuted == pytest.approx(1 - result.permutation_scores.mean())
    by_split = 1 - result.permutation_scores.mean(axis=0)
    assert result.gain_over_permuted_se == pytest.approx(by_split.std(ddof=1) / np.sqrt(3))
    assert result.p_value == 1 / 20


@pytest.mark.parametrize("kind", ["list", "nan", "array", "series"])
def test_unannotated_rows_stay_unannotated(kind):
    masks = [row if i % 3 else None for i, row in enumerate(X / 100)]
    if kind == "nan":
        masks = np.array([[np.nan] if row is None else row for row in masks])
    if kind in ("array", "series"):
        masks = pd.Series(masks, index=np.arange(60)[::-1])
        masks = masks.to_numpy() if kind == "array" else masks
    seen = []

    class Spy(MaskMatcher):
        def fit(self, X, y, mask=None):
            super().fit(X, y, mask)
            if mask is not None:
                seen.append((X[:, 0], self.fitted_[:, 0]))
            return self

    mask_permutation_test(Spy(), X, Y, masks, cv=KFold(2), n_permutations=3, random_state=0)
    assert len(seen) == 2 * 4
    for rows, marks in seen:
        assert np.array_equal(np.isnan(marks), rows % 3 == 0)
        annotated = ~np.isnan(marks)
        assert np.array_equal(np.sort(marks[annotated]), np.sort(rows[annotated] / 100))


def test_metadata_is_sliced():
    rows_scored = []

    def scorer(estimator, X, y, group_labels, level):
        rows_scored.append(X[:, 0])
        assert np.array_equal(group_labels, X[:, 0])
        assert level == 3
        return 0.5

    result = run(
        X / 100,
        scoring=scorer,
        n_permutations=2,
        fit_params={"sample_weight": X[:, 0]},
        score_params={"group_labels": X[:, 0].tolist(), "level": 3},
    )
    assert len(rows_scored) == 3 * 4
    assert result.p_value == 1.0  # all scores are equal


def test_a_scorer_that_asks_for_masks_is_given_those_of_the_test_rows():
    def overlap(y_true, y_pred, mask):
        assert len(mask) == len(y_true) == 20
        return float(np.mean(mask))

    scorer = make_scorer(overlap)
    from sklearn import config_context

    with config_context(enable_metadata_routing=True):
        scorer.set_score_request(mask=True)
        result = run(X / 100, scoring=scorer, n_permutations=1)
    assert np.allclose(result.scores, (X / 100).reshape(3, 20).mean(axis=1))
    assert np.array_equal(result.permutation_scores[0], result.scores)


def test_random_state_and_processes():
    one = run(X / 100, n_permutations=3)
    with parallel_config(backend="threading"):
        two = run(X / 100, n_permutations=3, n_jobs=2)
    assert np.array_equal(one.permutation_scores, two.permutation_scores)
    assert not np.array_equal(
        one.permutation_scores, run(X / 100, n_permutations=3, random_state=1).permutation_scores
    )
    # Each permutation and split draws its own.
    assert len(np.unique(run(X / 100, n_permutations=30).permutation_scores)) > 1


def test_under_exchangeable_masks_small_p_values_are_rare():
    class Noise(MaskMatcher):
        def score(self, X, y, sample_weight=None):
            # A function of the masks alone that does not care whose they are.
            return 0.0 if self.fitted_ is None else float(np.sin(1e3 * self.fitted_[::2].sum()))

    rng = np.random.default_rng(0)
    p_values = [
        mask_permutation_test(
            Noise(), X, Y, rng.random((60, 1)), cv=KFold(2), n_permutations=9, random_state=seed
        ).p_value
        for seed in range(120)
    ]
    # Uniform on .1, .2, ..., 1; measured .085 of them at .1 and a mean of .57.
    assert np.mean(np.array(p_values) <= 0.1) < 0.16
    assert 0.48 < np.mean(p_values) < 0.64


def test_right_masks_matter_on_the_half_decoy():
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    n_train = len(digits.data)
    X = np.concatenate([digits.data, digits.data_test])
    y = np.concatenate([digits.target, digits.target_test])
    mask = np.concatenate([digits.mask, digits.mask_test])
    split = [(np.arange(600), np.arange(n_train, len(y)))]

    result = mask_permutation_test(
        SwapExClassifier(max_epochs=20, random_state=0),
        X,
        y,
        mask,
        cv=split,
        n_permutations=4,
        random_state=0,
    )
    # Measured: .91 with masks, .39 without, .56 to .61 with permuted ones.
    assert result.p_value == 1 / 5
    assert result.gain_over_permuted > 0.1
    assert np.isnan(result.gain_se)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "mask must hold a mask per sample, got None"),
        (np.ones((1, 1)), "mask must differ between annotated samples"),
        (np.ones((60, 1)), "mask must differ between annotated samples"),
        ([None] * 60, "mask must differ between annotated samples"),
        ([[1.0]] + [None] * 59, "mask must differ between annotated samples"),
        (np.array([None] * 60), "mask must differ between annotated samples"),
        (np.full((60, 1), 2.0), r"mask must hold bool, numbers in \[0, 1\]"),
        (np.ones((59, 1)), "mask must have shape"),
    ],
)
def test_bad_masks(mask, message):
    with pytest.raises(ValueError, match=message):
        run(mask)


def test_bad_number_of_permutations():
    with pytest.raises(ValueError, match="n_permutations must be a positive integer, got 0"):
        run(X / 100, n_permutations=0)


def test_scores_that_are_nan_raise():
    with pytest.raises(ValueError, match="score of nothing must be a number, got nan"):
        run(X / 100, scoring=nothing, n_permutations=1)


def nothing(estimator, X, y):
    return np.nan
