"""Audits of regressors, against closed forms of linear models."""

import re

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from skexplain import ERMRegressor
from skexplain.inspection import PerturbationCurveDisplay, audit
from skexplain.metrics import nuisance_shift

MASK = np.array([[False, True, False]])


def problem(n=400, seed=0):
    """Return a target and three columns: its reason with noise, a shortcut, and noise."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    noise = rng.normal(size=(n, 3)) * [0.7, 0.1, 1]
    return np.column_stack([y, y, np.zeros(n)]) + noise, y


def linear(*weights):
    X = np.vstack([np.zeros(len(weights)), np.eye(len(weights))])
    return LinearRegression().fit(X, X @ weights)


def test_a_regressor_of_the_shortcut_leans():
    X, y = problem()
    report = audit(linear(0, 1, 0), X, y, MASK, n_repeats=20, random_state=0)
    assert report.verdict == "leans"
    assert report.r2 == report.r2_annotated == pytest.approx(r2_score(y, X[:, 1]))
    # A prediction from elsewhere: twice the variance of the target, and that of the noise.
    assert report.r2_after_swap == pytest.approx(1 - 2, abs=0.1)
    assert report.lost_by_swap == pytest.approx(report.r2 - report.r2_after_swap)
    assert report.deciding.before == pytest.approx(report.r2)
    # |a - b| of two normal values is 2 / sqrt(pi) standard deviations on average.
    assert report.shift_by_swap == pytest.approx(2 / np.sqrt(np.pi), abs=0.05)
    assert report.shift_by_feature == {"x1": pytest.approx(report.shift_by_swap, abs=0.03)}
    assert report.toward_donor_by_swap == pytest.approx(1, abs=0.02)
    assert report.r2_of_marks > 0.9
    # Erased, the prediction is the mean.
    assert report.r2_after_erasure == pytest.approx(0, abs=0.05)
    assert "R2 goes from 0.99 to -" in report.reason
    assert "predictions follow the target of that sample by" in report.reason
    assert "chance" not in report
    assert "accuracy" not in repr(report)


@pytest.mark.parametrize("model", [linear(1, 0, 0), DummyRegressor().fit([[0, 0, 0]], [0.0])])
def test_a_regressor_without_the_shortcut_does_not_lean(model):
    X, y = problem()
    report = audit(model, X, y, MASK, random_state=0)
    assert report.verdict == "does not lean"
    numbers = [report.shift_by_swap, report.lost_by_swap, report.shift_by_erasure]
    assert numbers == pytest.approx([0, 0, 0], abs=1e-9)
    assert report.r2_after_swap == pytest.approx(report.r2)


def test_few_samples_are_unclear():
    X, y = problem(8)
    assert audit(linear(1, 0, 0), X, y, MASK, random_state=0).verdict == "unclear"


def test_where_marks_predict_nothing_predictions_follow_what_is_predicted_for_the_donor():
    """Of x0 + 2 x1 with independent columns, a swap of x1 moves the share 4 / 5 of a variance."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    report = audit(linear(1, 2, 0), X, X[:, 2], MASK, random_state=0)
    assert report.verdict == "leans"
    assert "the marked part does not predict the target, so that R2 cannot show it" in report.reason
    share = re.search(
        "predictions follow what it predicts for that sample by (.*) %", report.reason
    )
    assert float(share[1]) == pytest.approx(80, abs=3)


def test_what_disturbs_is_not_said_to_lean():
    """Noise that comes and goes with the sign of the column moves predictions, in no direction."""
    rng = np.random.default_rng(1)
    X, y = problem()

    class Disturbed(LinearRegression):
        def predict(self, X):
            return X[:, 0] + np.random.default_rng(0).normal(size=len(X)) * (X[:, 1] > 0)

    X[:, 1] = rng.normal(size=len(X))
    assert audit(Disturbed().fit(X, y), X, y, MASK, random_state=0).verdict == "unclear"


def test_targets_that_have_no_masks_are_named():
    """Where only samples of high targets are annotated, the shortcut comes to the others."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 1, size=400)
    X = rng.uniform(0, 0.1, size=(400, 6))
    X[y > 0.75, 2] = y[y > 0.75]
    mask = [np.eye(6)[2] if value > 0.75 else None for value in y]
    report = audit(linear(0, 0, 1, 0, 0, 0), X, y, mask, random_state=0)
    assert report.decided_by == "swap_among_all"
    assert any(note.startswith("Of targets from ") for note in report.notes)
    assert report.verdict == "leans"


def test_groups_saliency_pages_and_curves(tmp_path):
    pytest.importorskip("matplotlib")
    X, y = problem()
    clf = ERMRegressor(max_epochs=10, random_state=0).fit(X[:200], y[:200])
    groups = np.where(X[200:, 0] > 0, "high", "low")
    report = audit(clf, X[200:], y[200:], MASK, group_labels=groups, random_state=0)
    assert report.worst_group_r2 == min(report.group_r2_scores.values())
    assert 0.2 < report.irrelevant_saliency_mass < 1
    report.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "R2 before and after marked parts are swapped" in page
    assert "R2 under noise on the irrelevant features" in page
    shift = nuisance_shift(clf, X[200:], MASK, n_repeats=20, random_state=1)
    assert report.shift_by_swap == pytest.approx(shift, rel=0.1)
    display = PerturbationCurveDisplay.from_estimator(
        clf, X[200:], y[200:], MASK, epsilons=[0, 20], random_state=0
    )
    assert display.accuracies[0].mean() == pytest.approx(clf.score(X[200:], y[200:]))
    assert display.ax_.get_ylabel() == "R2"
    assert display.ax_.get_ylim()[0] <= display.accuracies.min() < 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"epsilon": 1.0}, "epsilon must be None for a regressor: certificates are of class"),
        ({"y": np.ones(400)}, r"y must vary, to score a regressor; got 1\.0 throughout"),
        ({"y": ["a"] * 400}, "y must hold numbers"),
        ({"y": np.full(400, np.inf)}, "y must be finite in every sample"),
    ],
)
def test_bad_arguments(changes, text):
    X, y = problem()
    with pytest.raises(ValueError, match=text):
        audit(linear(1, 0, 0), **{"X": X, "y": y, "mask": MASK, **changes})
