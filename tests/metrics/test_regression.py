"""Metrics of regressors, against numbers that were computed by hand."""

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score

from skexplain.metrics import accuracy_after_swap, group_r2_scores, nuisance_shift
from skexplain.model_selection import mean_group_scorer, worst_group_scorer

MASK = [[False, True]]


def linear(*weights):
    """Return a regressor with these weights."""
    X = np.vstack([np.zeros(len(weights)), np.eye(len(weights))])
    return LinearRegression().fit(X, X @ weights)


def test_two_samples_exchange_the_marked_column():
    """A swap of two gives each the other's value: predictions 0 and 4 of std 2 move by 4."""
    X = np.array([[5.0, 0.0], [5.0, 4.0]])
    assert nuisance_shift(linear(0, 1), X, MASK) == pytest.approx(2)
    assert nuisance_shift(linear(0, -3), X, MASK) == pytest.approx(2)  # the unit cancels
    assert nuisance_shift(linear(1, 0), X, MASK) == 0


def test_an_offset_and_an_erasure():
    X = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    spread = np.std(X @ [1, 2])
    kwargs = {"perturbation": "offset", "epsilon": 3.0, "input_unit": "input"}
    assert nuisance_shift(linear(1, 2), X, MASK, **kwargs) == pytest.approx(6 / spread)
    moved = np.mean([2, 2, 4])  # to the mean of the column, 2
    assert nuisance_shift(linear(1, 2), X, MASK, perturbation="erase") == pytest.approx(
        moved / spread
    )


def test_a_regressor_that_predicts_a_constant():
    X = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    assert nuisance_shift(DummyRegressor().fit(X, [1, 2, 3]), X, MASK) == 0
    X[:, 0] = 1 - X[:, 1]  # so that the two columns cancel
    with pytest.raises(ValueError, match="LinearRegression predicts the same for all of them"):
        nuisance_shift(linear(1, 1), X, MASK)


def test_a_shift_is_of_regressors():
    X = np.array([[0.0, 1.0], [2.0, 1.0]])
    with pytest.raises(TypeError, match="got LogisticRegression: of a classifier use nuisance_fl"):
        nuisance_shift(LogisticRegression().fit(X, [0, 1]), X, MASK)


def test_groups_by_hand():
    """The variance of 0, 2, 4 and 6 is 5; squared errors are 0 and 4, 1 and 9."""
    y, predicted, groups = [0, 2, 4, 6], [0, 4, 5, 3], ["a", "a", "b", "b"]
    assert group_r2_scores(y, predicted, groups) == {"a": 1 - 2 / 5, "b": 1 - 5 / 5}
    only = group_r2_scores(y, predicted, groups, labels=["b", "c"])
    assert only["b"] == 0
    assert np.isnan(only["c"])


@pytest.mark.parametrize("weigh", [False, True])
def test_the_mean_over_samples_is_that_of_scikit_learn(weigh):
    rng = np.random.default_rng(0)
    y, predicted, groups = rng.normal(size=50), rng.normal(size=50), rng.integers(4, size=50)
    weights = rng.uniform(size=50) if weigh else np.ones(50)
    scores = group_r2_scores(y, predicted, groups, sample_weight=weights if weigh else None)
    sizes = [weights[groups == group].sum() for group in scores]
    mean = np.average(list(scores.values()), weights=sizes)
    assert mean == pytest.approx(r2_score(y, predicted, sample_weight=weights))


def test_scorers_of_groups_score_regressors():
    X = np.array([[0.0], [2.0], [4.0], [6.0]])
    y, groups = [0, 2, 4, 8], ["a", "a", "b", "b"]
    scores = group_r2_scores(y, linear(1).predict(X), groups).values()
    assert worst_group_scorer()(linear(1), X, y, group_labels=groups) == min(scores)
    assert mean_group_scorer()(linear(1), X, y, group_labels=groups) == pytest.approx(
        sum(scores) / 2
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"y_true": [1.0, 1.0]}, r"y_true must vary: .* got 1\.0 throughout"),
        ({"y_true": [0.1] * 3, "y_pred": [0] * 3, "group_labels": [0] * 3}, "y_true must vary"),
        ({"y_true": [0.0, 1e200]}, "y_true must have a variance that float64 can hold"),
        ({"y_true": ["a", "b"]}, "y_true must hold numbers"),
        ({"y_pred": [0.0, np.inf]}, "y_pred must be finite in every sample"),
        ({"y_pred": [0.0]}, "y_pred has 1 rows, but y_true has 2"),
        ({"group_labels": ["a"]}, "group_labels has 1 rows"),
    ],
)
def test_bad_targets_and_predictions(changes, text):
    good = {"y_true": [0.0, 1.0], "y_pred": [0.0, 1.0], "group_labels": ["a", "b"]}
    with pytest.raises(ValueError, match=text):
        group_r2_scores(**{**good, **changes})


def test_equal_targets_have_no_rounding_for_a_unit():
    """The mean of some 0.1 is not 0.1: errors in units of that variance were 1e33."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.full(60, 0.1)
    assert accuracy_after_swap(linear(1, 1), X, y, MASK, random_state=0) == 0
    constant = DummyRegressor(strategy="constant", constant=0.1).fit(X, y)
    assert accuracy_after_swap(constant, X, y, MASK, random_state=0) == 1


class _Predicting(LinearRegression):
    """A regressor whose predictions are of another type."""

    def predict(self, X):
        return self.cast(super().predict(X))


@pytest.mark.parametrize("dtype", [np.uint8, str, object])
def test_predictions_are_numbers_of_any_type(dtype):
    X = np.array([[5.0, 0.0], [5.0, 4.0]])
    estimator = _Predicting().fit([[0, 0], [0, 4]], [0, 4])
    estimator.cast = lambda values: np.round(values, 6).astype(dtype)
    assert nuisance_shift(estimator, X, MASK) == pytest.approx(2)


def test_predictions_that_are_no_numbers_raise():
    estimator = _Predicting().fit([[0, 0], [0, 4]], [0, 4])
    X = np.array([[5.0, 0.0], [5.0, 4.0]])
    for value, text in ((np.nan, "missing"), (np.inf, "finite"), ("high", "hold numbers")):
        estimator.cast = lambda values, value=value: np.full(len(values), value)
        with pytest.raises(ValueError, match=f"what the estimator predicts .*{text}"):
            nuisance_shift(estimator, X, MASK)


def test_targets_far_from_zero():
    """Float64 holds differences of seconds between dates, which are no rounding."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    near = LinearRegression().fit(X, X.sum(1))
    far = LinearRegression().fit(X, X.sum(1) + 1.7e9)
    expected = nuisance_shift(near, X, MASK, random_state=0)
    assert expected > 0.5
    assert nuisance_shift(far, X, MASK, random_state=0) == pytest.approx(expected, rel=1e-4)
