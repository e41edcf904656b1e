"""LIME beside gradients: measures by hand, and a linear model on which both must agree."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from skexplain.studies import run_study
from skexplain_papers._published import published_figures
from skexplain_papers.ross import _lime
from skexplain_papers.ross._lime import GRADIENT, LIME, OTHER_ROW, PRODUCT, Lime
from skexplain_papers.ross._map_measures import (
    rank_correlation,
    share_of_features,
    top_overlap,
)


def test_rank_correlation_is_scipys_of_sizes():
    one, other = np.random.default_rng(0).normal(size=(2, 6, 20))
    other[0, :7] = 0.5  # ties
    expected = [spearmanr(abs(a), abs(b)).statistic for a, b in zip(one, other, strict=True)]
    np.testing.assert_allclose(rank_correlation(one, other), expected)
    assert np.isnan(rank_correlation(np.ones((1, 3)), np.arange(3.0)[None])).all()


def test_top_overlap_by_hand():
    one = np.array([[4.0, -3, 2, 1], [0, 0, 1, 2]])
    other = np.array([[4.0, 1, -3, 2], [2, 1, 0, 0]])
    np.testing.assert_array_equal(top_overlap(one, other, 2), [0.5, 0])
    np.testing.assert_array_equal(top_overlap(one, other, 1), [1, 0])
    np.testing.assert_array_equal(top_overlap(one, -one, 2), [1, 1])


def test_share_of_features_by_hand():
    values = np.array([[9.0, -1, 0, 0], [1, 1, 1, 1], [5, 4, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(share_of_features(values), [0.25, 1, 0.5, 0.25])
    assert share_of_features(np.ones((1, 10)))[0] == pytest.approx(0.9)


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_cells_are_plain_and_distinct(scale):
    cells = Lime().cells(scale)
    for cell in cells:
        plain = json.loads(json.dumps([cell.factors, cell.settings]))
        assert plain == [cell.factors, cell.settings]
    assert len({cell.key("ross-lime") for cell in cells}) == len(cells)
    assert len(cells) == (3 if scale == "quick" else 30)


def test_on_a_linear_model_lime_is_gradient_times_distance(monkeypatch):
    pytest.importorskip("captum")
    rng = np.random.default_rng(0)
    X = rng.normal(3, 1, size=(300, 8)) * [1, 10, 1, 10, 1, 10, 1, 10]
    y = (X - X.mean(axis=0)) @ [4, 0.1, -3, 0.2, 2, -0.3, 1, 0.05] > 0
    monkeypatch.setitem(_lime._DATA, "linear", lambda seed: (X[:200], X[200:], y[:200], y[200:]))
    settings = {
        "estimator": "ERMClassifier",
        "module": {"name": "mlp", "n_features": 8, "n_classes": 2, "hidden": []},
        "params": {"max_epochs": 20, "lr": 0.01},
        "explained": 6,
    }
    rows = Lime().run({"data": "linear", "samples": 500, "seed": 0}, settings)
    correlation = {row["explanation"]: row.get("rank_correlation") for row in rows}
    assert correlation[PRODUCT] > 0.95  # measured 1.0; what is left is LIME's ridge
    # Weights are the same in all rows, and say nothing of how far a value is from the mean.
    assert correlation[OTHER_ROW] == pytest.approx(correlation[GRADIENT])
    assert correlation[GRADIENT] < 0.85


def test_quick_scale_runs_agrees_and_tells_the_cost(tmp_path):
    pytest.importorskip("captum")
    pytest.importorskip("matplotlib")
    results = run_study(Lime(), "quick", folder=tmp_path, progress=False)
    assert results.is_complete
    of_digits = {r["explanation"]: r for r in results.rows if r["data"] == "8x8 digits"}
    correlation = {name: row.get("rank_correlation") for name, row in of_digits.items()}
    assert correlation[PRODUCT] > 0.7  # measured .84
    assert correlation[GRADIENT] > correlation[OTHER_ROW] + 0.1  # measured .59 and .29
    # Fifty times dearer even where the machine is busy; measured thousands.
    assert of_digits[LIME]["seconds_per_row"] > 50 * of_digits[GRADIENT]["seconds_per_row"]
    agreement, cost = results.tables()
    assert all(len(row) == len(agreement.columns) for row in agreement.rows)
    assert all(len(row) == len(cost.columns) for row in cost.rows)
    published = {row[:3]: row[cost.columns.index("published")] for row in cost.rows}
    assert published["toy colours", "500", LIME] == "1.8"
    assert published["toy colours", "500", GRADIENT] == "4.9e-05"
    assert published["8x8 digits", "500", LIME] == ""
    assert len(results.pictures()["ross-lime"].axes) == 6


def test_published_figures_belong_to_its_rows():
    figures = [figure for figure in published_figures() if figure.study == "ross-lime"]
    assert {figure.factors["explanation"] for figure in figures} == {LIME, GRADIENT}
    assert {figure.measure for figure in figures} == {"seconds_per_row"}
