"""Check reliance scores by hand, and on models of which the reliance is known."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skexplain import ERMClassifier
from skexplain.metrics import (
    accuracy_after_swap,
    accuracy_under_noise,
    nuisance_flip_rate,
    prediction_agreement,
    relative_core_sensitivity,
)


class FirstAbove(ClassifierMixin, BaseEstimator):
    """Predicts whether one feature is above a threshold."""

    def __init__(self, feature=0, threshold=0.5, mask_marks="irrelevant"):
        self.feature = feature
        self.threshold = threshold
        self.mask_marks = mask_marks

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return (np.asarray(X).reshape(len(X), -1)[:, self.feature] > self.threshold).astype(int)


def both_tell(n_rows=400):
    """Return a table both columns of which tell the label, of which the second must not matter."""
    y = np.arange(n_rows) % 2
    return np.column_stack([y, y]) * 1.0, y, np.array([[False, True]])


# -- accuracy after a swap ------------------------------------------------------------------------


def test_swapped_accuracy_by_hand():
    """Two rows can only change places: with labels 0 and 1, a model of the column is always wrong.

    The third row is right and has nothing irrelevant; the fourth is wrong, and has no mask.
    """
    X, y = np.array([[0.0], [1.0], [1.0], [1.0]]), [0, 1, 1, 0]
    mask = [[1], [1], [0], None]
    assert accuracy_after_swap(FirstAbove(), X, y, mask) == pytest.approx(1 / 3)
    weights = [1, 1, 6, 5]
    weighted = accuracy_after_swap(FirstAbove(), X, y, mask, sample_weight=weights)
    assert weighted == pytest.approx(6 / 8)


def test_swapped_accuracy_of_models_that_lean_on_one_column():
    X, y, mask = both_tell()
    assert accuracy_after_swap(FirstAbove(0), X, y, mask) == 1
    # Of 399 other rows, 199 have the same label; standard error .025 per draw.
    swapped = accuracy_after_swap(FirstAbove(1), X, y, mask, n_repeats=20, random_state=0)
    assert abs(swapped - 199 / 399) < 0.03


def test_repeats_are_averaged():
    """The first draw of many is that of one; the mean over them is less noisy."""
    X, y, mask = both_tell(40)
    model = FirstAbove(1)
    for n_repeats, least, most in ((1, 0.03, 0.2), (30, 0.002, 0.03)):
        scores = [
            accuracy_after_swap(model, X, y, mask, n_repeats=n_repeats, random_state=seed)
            for seed in range(20)
        ]
        assert least < np.std(scores) < most


# -- accuracy under noise -------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("input_unit", ["sd", "input"])
def test_accuracy_under_noise_in_closed_form(scale, input_unit):
    """A class is kept as long as the noise does not cross the threshold, half a unit away."""
    X, y, mask = both_tell(4000)
    kwargs = {"input_unit": input_unit, "n_repeats": 3, "random_state": 0}
    noise_sd = scale * (0.5 if input_unit == "sd" else 1)
    expected = norm.cdf(0.5 / noise_sd)
    # Standard error at most .005.
    on_second = accuracy_under_noise(FirstAbove(1), X, y, mask, scale, **kwargs)
    assert abs(on_second - expected) < 0.02
    assert accuracy_under_noise(FirstAbove(0), X, y, mask, scale, **kwargs) == 1
    on_core = accuracy_under_noise(FirstAbove(0), X, y, mask, scale, where="core", **kwargs)
    assert abs(on_core - expected) < 0.02
    assert accuracy_under_noise(FirstAbove(1), X, y, mask, scale, where="core", **kwargs) == 1


def test_no_noise_is_the_accuracy():
    X, y, mask = both_tell()
    flipped = np.where(np.arange(400) < 100, 1 - y, y)
    assert accuracy_under_noise(FirstAbove(1), X, flipped, mask, 0) == 0.75


def test_rows_without_a_mask_do_not_count_under_noise():
    X, y = np.array([[0.0], [1.0], [1.0]]), [0, 1, 0]
    assert accuracy_under_noise(FirstAbove(), X, y, [[1], [1], None], 0) == 1
    assert accuracy_under_noise(FirstAbove(), X, y, [[1], [1], [0]], 0) == pytest.approx(2 / 3)


# -- flips ----------------------------------------------------------------------------------------


def test_flip_rate_by_hand():
    """An offset of one half carries one of three marked rows over the threshold."""
    X = np.array([[0.1], [0.4], [0.9], [0.4]])
    mask = [[1], [1], [1], [0]]
    kwargs = {"perturbation": "offset", "input_unit": "input"}
    assert nuisance_flip_rate(FirstAbove(), X, mask, epsilon=0.3, **kwargs) == pytest.approx(1 / 3)
    assert nuisance_flip_rate(FirstAbove(), X, mask, epsilon=-0.6, **kwargs) == pytest.approx(1 / 3)
    assert nuisance_flip_rate(FirstAbove(), X, mask, epsilon=0.0, **kwargs) == 0
    # In standard deviations of all four rows, about .29.
    in_sd = nuisance_flip_rate(FirstAbove(), X, mask, perturbation="offset", epsilon=0.2 / X.std())
    assert in_sd == pytest.approx(1 / 3)


def test_flip_rate_of_a_swap_by_hand():
    X = np.array([[0.0], [1.0], [7.0]])
    assert nuisance_flip_rate(FirstAbove(), X, [[1], [1], [0]]) == 1
    assert nuisance_flip_rate(FirstAbove(), X, [[0], [1], [1]]) == 0


def one_class_has_it(n_rows=60):
    """A shortcut that class 1 alone has and marks; class 0 is annotated with nothing marked."""
    y = np.arange(n_rows) % 2
    X = np.zeros((n_rows, 4))
    X[:, 0], X[:, 1] = y, y
    return X, y, np.column_stack([0 * y, y, 0 * y, 0 * y])


def test_a_shortcut_of_one_class_comes_and_goes():
    """Each of the annotated rows may give: half of the donors of class 1 show no shortcut.

    Where rows without the shortcut are not annotated, a shortcut is exchanged for a shortcut.
    """
    X, y, mask = one_class_has_it()
    told = {"n_repeats": 20, "random_state": 0}
    # Among 59 other rows 29 have the same label; the standard error is at most .015.
    swapped = accuracy_after_swap(FirstAbove(1), X, y, mask, **told)
    assert abs(swapped - 29 / 59) < 0.05
    assert accuracy_after_swap(FirstAbove(0), X, y, mask, **told) == 1
    # All rows that exchange something have taken the class of the other.
    assert nuisance_flip_rate(FirstAbove(1), X, mask, **told) > 0.6
    assert nuisance_flip_rate(FirstAbove(0), X, mask, **told) == 0
    alone = [row if row.any() else None for row in mask]
    assert accuracy_after_swap(FirstAbove(1), X, y, alone, **told) == 1
    # With a mask of the reasons nothing may come over what others do not mark.
    kept = accuracy_after_swap(FirstAbove(1), X, y, 1 - mask, mask_marks="relevant", **told)
    assert kept == 1


def test_flips_are_counted_among_rows_that_change():
    """Of three rows one marks something: it changes, and the row to which its shortcut is given."""
    X, mask = np.eye(4)[:, :3], np.zeros((4, 3))
    mask[0, 0] = mask[1, 0] = 1
    # Rows 0 and 1 each lose their mark, or exchange it; who changes has a flip where it differs.
    rate = nuisance_flip_rate(FirstAbove(0), X, mask, random_state=0, n_repeats=50)
    draws = []
    for order in permutations(range(4)):
        donor = {order[k]: order[k - 1] for k in range(4)}
        changed = [r for r in range(4) if mask[r].any() or mask[donor[r]].any()]
        draws.append(np.mean([X[r, 0] != X[donor[r], 0] for r in changed]))
    assert rate == pytest.approx(np.mean(draws), abs=0.05)


@pytest.mark.parametrize("perturbation", ["gaussian", "uniform"])
def test_flip_rate_under_noise_in_closed_form(perturbation):
    X, _, mask = both_tell(4000)
    expected = {"gaussian": norm.sf(0.5 / 2), "uniform": (2 - 0.5) / 4}[perturbation]
    kwargs = {"epsilon": 2.0, "input_unit": "input", "random_state": 0}
    rate = nuisance_flip_rate(FirstAbove(1), X, mask, perturbation=perturbation, **kwargs)
    assert abs(rate - expected) < 0.02
    assert nuisance_flip_rate(FirstAbove(0), X, mask, perturbation=perturbation, **kwargs) == 0


# -- any estimator, any X -------------------------------------------------------------------------


def test_images_in_bytes_and_text_labels():
    """A grey patch tells the label: a forest leans on it, and a swap of the patch shows it."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(200) % 2, "sick", "well")
    X = rng.integers(0, 100, size=(200, 6, 6), dtype=np.uint8)
    X[y == "sick", :2, :2] += 150
    mask = np.zeros((1, 6, 6), dtype=bool)
    mask[:, :2, :2] = True
    forest = RandomForestClassifier(10, random_state=0).fit(X.reshape(200, -1), y)
    flat, flat_mask = X.reshape(200, -1), mask.reshape(1, -1)
    assert accuracy_score(y, forest.predict(flat)) == 1
    # Chance is .5.
    assert accuracy_after_swap(forest, flat, y, flat_mask, random_state=0) < 0.6
    clf = ERMClassifier(max_epochs=10, random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.95
    assert accuracy_after_swap(clf, X, y, mask, random_state=0) < 0.6


def test_frames_with_text_through_a_pipeline():
    y = np.arange(60) % 2
    frame = pd.DataFrame({"site": np.where(y, "a", "b"), "scanner": np.where(y, "p", "q")})
    clf = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(frame, y)
    mask = pd.DataFrame({"scanner": [True], "site": [True]})
    assert accuracy_after_swap(clf, frame, y, mask, random_state=0) < 0.65
    assert nuisance_flip_rate(clf, frame, mask, random_state=0) > 0.35
    assert nuisance_flip_rate(clf, frame, [[1, 0]], random_state=0) == pytest.approx(
        nuisance_flip_rate(clf, frame, [[0, 1]], random_state=0)
    )


def test_marks_follow_the_estimator_unless_they_are_given():
    X, y, mask = both_tell()
    marks = ~mask  # the first column is the reason: the same in other words
    relevant = FirstAbove(1, mask_marks="relevant")
    for estimator in (relevant, make_pipeline(FunctionTransformer(), relevant)):
        assert accuracy_after_swap(estimator, X, y, marks) < 0.7
        assert accuracy_under_noise(estimator, X, y, marks, 9) < 0.7
        assert nuisance_flip_rate(estimator, X, marks) > 0.3
        assert accuracy_after_swap(estimator, X, y, marks, mask_marks="irrelevant") == 1
        assert accuracy_under_noise(estimator, X, y, marks, 9, mask_marks="irrelevant") == 1
        assert nuisance_flip_rate(estimator, X, marks, mask_marks="irrelevant") == 0


def measure(metric, seed):
    X, y, mask = both_tell(50)
    labels = () if metric is nuisance_flip_rate else (y,)
    kwargs = {"scale": 2.0} if metric is accuracy_under_noise else {}
    return metric(FirstAbove(1), X, *labels, mask, random_state=seed, **kwargs)


METRICS = [accuracy_after_swap, accuracy_under_noise, nuisance_flip_rate]


@pytest.mark.parametrize("metric", METRICS)
def test_seeds_decide(metric):
    assert measure(metric, 0) == measure(metric, 0)
    seeded = [measure(metric, np.random.RandomState(1)) for _ in range(2)]
    assert seeded[0] == seeded[1]
    assert len({measure(metric, seed) for seed in range(10)}) > 1
    assert len({measure(metric, None) for _ in range(10)}) > 1


def test_regressors_are_scored_by_r2():
    """A regressor of the irrelevant column of two rows gets each other's target."""
    X, y = np.array([[0.0], [2.0], [5.0]]), [0.0, 2.0, 5.0]
    reader = LinearRegression().fit(X, y)
    mask = [[1], [1], [0]]
    expected = r2_score(y, [2, 0, 5])
    assert accuracy_after_swap(reader, X, y, mask) == pytest.approx(expected)
    assert accuracy_under_noise(reader, X, y, mask, 0) == pytest.approx(1)
    X, y, mask = both_tell()
    honest = LinearRegression().fit(X * [1, 0], y)
    assert accuracy_after_swap(honest, X, y, mask) == pytest.approx(1)


@pytest.mark.parametrize("metric", METRICS)
def test_what_does_not_predict_is_refused(metric):
    X, y, mask = both_tell()
    args = (X, mask) if metric is nuisance_flip_rate else (X, y, mask)
    kwargs = {"scale": 1} if metric is accuracy_under_noise else {}
    with pytest.raises(
        TypeError, match="must be a fitted classifier( or regressor)?, got StandardScaler"
    ):
        metric(StandardScaler().fit(X), *args, **kwargs)


def test_flips_are_of_classes():
    X, y, mask = both_tell()
    regressor = LinearRegression().fit(X, y)
    with pytest.raises(TypeError, match="got LinearRegression: of a regressor use nuisance_shift"):
        nuisance_flip_rate(regressor, X, mask)


@pytest.mark.parametrize(
    ("metric", "kwargs", "text"),
    [
        (
            accuracy_under_noise,
            {"scale": -1},
            "scale must be a non-negative number, got -1",
        ),
        (accuracy_under_noise, {"scale": "big"}, "scale must be a non-negative number"),
        (accuracy_under_noise, {"scale": 1, "where": "all"}, "where must be one of"),
        (
            accuracy_after_swap,
            {"n_repeats": 0},
            "n_repeats must be a positive integer, got 0",
        ),
        (accuracy_after_swap, {"n_repeats": True}, "n_repeats must be a positive integer"),
        (accuracy_after_swap, {"y": [0, 1]}, "y has 2 rows, but X has 400"),
        (accuracy_after_swap, {"sample_weight": [1.0]}, "sample_weight has 1 rows"),
        (accuracy_after_swap, {"mask": None}, "mask must say"),
        (nuisance_flip_rate, {"epsilon": np.nan}, "epsilon must be a non-negative number"),
        (
            nuisance_flip_rate,
            {"epsilon": -1, "perturbation": "uniform"},
            "epsilon must be a non-negative number",
        ),
        (nuisance_flip_rate, {"n_repeats": 1.5}, "n_repeats must be a positive integer"),
        (nuisance_flip_rate, {"perturbation": "shake"}, "perturbation must be one of"),
    ],
)
def test_bad_arguments_are_named(metric, kwargs, text):
    X, y, mask = both_tell()
    given = {"X": X, "mask": mask} | ({} if metric is nuisance_flip_rate else {"y": y})
    with pytest.raises(ValueError, match=text):
        metric(FirstAbove(), **{**given, **kwargs})


# -- relative core sensitivity --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("core", "spurious", "expected"),
    [
        (0.75, 0.25, 0.5),
        (0.5, 0.5, 0),
        (1, 0, 1),
        (0, 1, -1),
        (1.0, 0.6, 1.0),  # mean .8, and .4 is as far apart as can be
        (0.3, 0.1, 0.5),
    ],
)
def test_relative_core_sensitivity_by_hand(core, spurious, expected):
    assert relative_core_sensitivity(core, spurious) == pytest.approx(expected)


def test_published_relative_core_sensitivity():
    """A run of Heo et al.: 89.3 % and 69.6 % give .479."""
    assert relative_core_sensitivity(0.893, 0.696) == pytest.approx(0.479, abs=1e-3)


@given(st.integers(0, 20), st.integers(0, 20))
@settings(max_examples=60)
def test_relative_core_sensitivity_is_bounded_and_odd(core, spurious):
    sensitivity = relative_core_sensitivity(core / 20, spurious / 20)
    if core == spurious and core in (0, 20):
        assert np.isnan(sensitivity)
    else:
        assert -1 - 1e-9 <= sensitivity <= 1 + 1e-9
        assert relative_core_sensitivity(spurious / 20, core / 20) == -sensitivity


@pytest.mark.parametrize("accuracies", [(1.1, 0.5), (0.5, -0.1), (0.5, np.nan), ("a", 1)])
def test_accuracies_are_checked(accuracies):
    with pytest.raises(ValueError, match="(core|spurious)_accuracy must be"):
        relative_core_sensitivity(*accuracies)


# -- agreement ------------------------------------------------------------------------------------


def test_agreement_by_hand():
    predictions = [[0, 1, 2, 0], [0, 1, 1, 1], [0, 0, 2, 1]]
    # Pairs: 2 of 4, 2 of 4, 2 of 4 rows.
    assert prediction_agreement(predictions) == 0.5
    assert prediction_agreement([["a", "b"], ["a", "c"]]) == 0.5
    assert prediction_agreement(np.array([[1, 1], [1, 1]])) == 1


def test_agreement_of_fitted_models():
    X, y, _ = both_tell()
    leaning = [DecisionTreeClassifier().fit(X * keep, y) for keep in ([1, 0], [0, 1])]
    swapped = np.column_stack([X[:, 0], np.roll(X[:, 1], 1)])
    assert prediction_agreement([model.predict(X) for model in leaning]) == 1
    assert prediction_agreement([model.predict(swapped) for model in leaning]) == 0


class SecondAbove:
    """A model of a library that knows nothing of scikit-learn."""

    def predict(self, X):
        return (np.asarray(X)[:, 1] > 0.5).astype(int)


def test_models_of_any_library_with_predict():
    X, y, mask = both_tell()
    ours, told = FirstAbove(1), {"n_repeats": 2, "random_state": 0}
    for metric, *labels in ((accuracy_after_swap, y), (nuisance_flip_rate,)):
        assert metric(SecondAbove(), X, *labels, mask, **told) == metric(
            ours, X, *labels, mask, **told
        )
    for other in ({}, StandardScaler(), None):
        with pytest.raises(
            TypeError, match="estimator must be a fitted classifier or regressor, got "
        ):
            accuracy_after_swap(other, X, y, mask)
    tables = type("Tables", (), {"predict": lambda self, X: np.asarray(X)[:, :1]})()
    with pytest.raises(ValueError, match=r"must predict one label per row, got .* \(400, 1\)"):
        nuisance_flip_rate(tables, X, mask)


@given(st.integers(2, 6), st.integers(1, 20), st.integers(0, 1000))
@settings(max_examples=30)
def test_agreement_counts_pairs(n_models, n_rows, seed):
    """By votes: k equal labels of m are k (k - 1) of m (m - 1) pairs."""
    predictions = np.random.default_rng(seed).integers(3, size=(n_models, n_rows))
    votes = np.array([(predictions == label).sum(axis=0) for label in range(3)])
    expected = (votes * (votes - 1)).sum() / (n_rows * n_models * (n_models - 1))
    assert prediction_agreement(predictions) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predictions", "text"),
    [
        ([[0, 1]], "predictions must hold those of two models or more; got 1"),
        ([[0, 1], [0]], r"predictions\[1\] has 1 rows, but predictions\[0\] has 2"),
        ([0, 1], r"predictions\[0\] must be one-dimensional"),
    ],
)
def test_bad_predictions_are_named(predictions, text):
    with pytest.raises(ValueError, match=text):
        prediction_agreement(predictions)
