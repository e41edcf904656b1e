"""Check that the samples to annotate next are spread over classes and explanations, without
repetition.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from skexplain import ERMClassifier
from skexplain.inspection import query_explanations, saliency
from skexplain.inspection._query import _deal, _entropy, _margin, _one_of_each_cluster


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    return X, ERMClassifier(max_epochs=20, lr=1e-2, random_state=0).fit(X, y)


def test_classes_get_equal_shares_and_annotated_rows_none(problem):
    X, clf = problem
    mask = [np.zeros(4) if row % 2 else None for row in range(90)]
    rows = query_explanations(clf, X, 9, mask=mask, random_state=0)
    assert len(np.unique(rows)) == 9
    assert not (rows % 2).any()
    assert np.unique(clf.predict(X[rows]), return_counts=True)[1].tolist() == [3, 3, 3]


def test_all_rows_without_a_mask_can_be_asked_for(problem):
    X, clf = problem
    mask = np.full((90, 4), np.nan)
    mask[5, 2] = 1
    rows = query_explanations(clf, X, 89, mask=mask, random_state=0)
    np.testing.assert_array_equal(rows, np.delete(np.arange(90), 5))
    with pytest.raises(ValueError, match="n must be at most .* without a mask, 89; got 90"):
        query_explanations(clf, X, 90, mask=mask)


def test_one_row_of_a_class_is_the_least_sure_or_the_widest_spread(problem):
    X, clf = problem
    predicted, probabilities = clf.predict(X), np.sort(clf.predict_proba(X), axis=1)
    maps = np.abs(saliency(clf, X))
    maps /= maps.sum(axis=1, keepdims=True)
    gaps = np.log(probabilities[:, -1] / probabilities[:, -2])
    entropies = -(maps * np.log(maps)).sum(axis=1)
    for pick, cost in {"margin": gaps, "spread": -entropies}.items():
        rows = query_explanations(clf, X, 3, pick=pick, random_state=0)
        assert len(rows) == 3
        for row in rows:
            assert cost[row] == pytest.approx(cost[predicted == predicted[row]].min(), abs=1e-5)


def test_of_each_cluster_the_row_nearest_its_centre():
    maps = np.array([[0.0], [0.1], [0.3], [9.0], [9.4], [9.5]])
    rows = _one_of_each_cluster(maps, np.arange(6), 2, None, seed=0)
    assert sorted(rows) == [1, 4]  # the means are 0.133 and 9.3
    cost = np.array([3, 2, 1, 4, 5, 6])
    assert sorted(_one_of_each_cluster(maps, np.arange(6), 2, cost, seed=0)) == [2, 3]
    # Equal maps make one cluster, from which all are taken, the cheapest first.
    assert list(_one_of_each_cluster(np.zeros((6, 1)), np.arange(6), 2, cost, seed=0)) == [2, 1]


def test_margin_and_entropy_by_hand():
    margin = _margin(np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]]))
    assert margin[0] == pytest.approx(np.log(5 / 3))
    assert np.isfinite(margin[1])
    np.testing.assert_allclose(_entropy(np.array([[0.5, 0.5], [1, 0]])), [np.log(2), 0])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_rows_are_dealt_out_as_evenly_as_classes_allow(sizes, data):
    n = data.draw(st.integers(0, sum(sizes)))
    counts = _deal(n, sizes)
    assert counts.sum() == n
    assert (counts <= sizes).all()
    below = counts[counts < sizes]  # only a class that is used up has less
    assert below.size == 0 or below.min() >= counts.max() - 1


def test_equal_seeds_give_equal_rows_of_images():
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(40, 3, 6, 6)), np.arange(40) % 2
    clf = ERMClassifier(max_epochs=2, random_state=0).fit(X, y)
    first, again = (query_explanations(clf, X, 5, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_bad_arguments_are_refused(problem):
    X, clf = problem
    with pytest.raises(ValueError, match="n must be a positive integer, got 0"):
        query_explanations(clf, X, 0)
    with pytest.raises(ValueError, match="pick must be one of .*'margin'.* got 'best'"):
        query_explanations(clf, X, 2, pick="best")
    with pytest.raises(ValueError, match="mask"):
        query_explanations(clf, X, 2, mask=np.full((90, 4), 7))
    with pytest.raises(TypeError, match="estimator must be one of skexplain"):
        query_explanations(LogisticRegression(), X, 2)
