"""Check accuracy by group on values by hand, on bad input, and by its properties."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import cross_validate

from skexplain.metrics import group_accuracies, mean_group_accuracy, worst_group_accuracy

SCORES = [mean_group_accuracy, worst_group_accuracy]
FUNCTIONS = [group_accuracies, *SCORES]

# Group a: 2 of 3 right; group b: 1 of 4 right; group c: 1 of 1 right.
Y_TRUE = np.array([0, 1, 2, 0, 1, 2, 0, 1])
Y_PRED = np.array([0, 1, 0, 1, 1, 1, 2, 1])
GROUPS = np.array(["a", "a", "a", "b", "b", "b", "b", "c"])
BY_HAND = {"a": 2 / 3, "b": 1 / 4, "c": 1.0}


@st.composite
def scored_rows(draw):
    """True labels, predictions and groups of up to 40 rows."""
    n_rows = draw(st.integers(1, 40))
    column = hnp.arrays(np.int64, n_rows, elements=st.integers(-2, 2))
    return draw(column), draw(column), draw(column)


def test_hand_computed_case():
    assert group_accuracies(Y_TRUE, Y_PRED, GROUPS) == BY_HAND
    assert mean_group_accuracy(Y_TRUE, Y_PRED, GROUPS) == pytest.approx(23 / 36)
    assert worst_group_accuracy(Y_TRUE, Y_PRED, GROUPS) == 1 / 4


def test_weights_count_within_their_group():
    weights = [3, 0, 1, 1, 1, 0, 0, 7]
    assert group_accuracies(Y_TRUE, Y_PRED, GROUPS, sample_weight=weights) == {
        "a": 3 / 4,
        "b": 1 / 2,
        "c": 1.0,
    }
    assert mean_group_accuracy(Y_TRUE, Y_PRED, GROUPS, sample_weight=weights) == 3 / 4
    assert worst_group_accuracy(Y_TRUE, Y_PRED, GROUPS, sample_weight=weights) == 1 / 2


@pytest.mark.parametrize("score", SCORES)
def test_group_without_weight_does_not_count(score):
    weights = np.where(GROUPS == "b", 0.0, 1.0)
    kept = GROUPS != "b"
    assert np.isnan(group_accuracies(Y_TRUE, Y_PRED, GROUPS, sample_weight=weights)["b"])
    assert score(Y_TRUE, Y_PRED, GROUPS, sample_weight=weights) == score(
        Y_TRUE[kept], Y_PRED[kept], GROUPS[kept]
    )


def test_labels_choose_and_order_groups_and_show_empty_ones():
    accuracies = group_accuracies(Y_TRUE, Y_PRED, GROUPS, labels=["c", "z", "a"])
    assert list(accuracies) == ["c", "z", "a"]
    assert accuracies["c"] == 1
    assert np.isnan(accuracies["z"])
    assert accuracies["a"] == 2 / 3


@pytest.mark.parametrize(
    ("group_labels", "expected"),
    [
        ([2, 10, 2], [2, 10]),
        ([2.5, -1.0, 2.5], [-1.0, 2.5]),
        ([True, False, True], [False, True]),
        (["b", "a", "b"], ["a", "b"]),
        (["b", 10, 2], [2, 10, "b"]),
        (["1", 1, 1.5], [1.5, 1, "1"]),
        (np.array([b"b", b"a", b"b"]), [b"a", b"b"]),
        (np.array([1, "1", 1], dtype=object), [1, "1"]),
        (pd.Series(["b", "a", "b"], index=[7, 8, 9]), ["a", "b"]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (pd.Series([2, 1, 2], dtype="Int64"), [1, 2]),
    ],
    ids=repr,
)
def test_any_labels_come_back_sorted_as_python_objects(group_labels, expected):
    groups = list(group_accuracies([0, 1, 0], [0, 1, 0], group_labels))
    assert groups == expected
    assert [type(group) for group in groups] == [type(group) for group in expected]


def test_dates_are_labels():
    days = np.array(["2026-01-02", "2026-01-01", "2026-01-02"], dtype="datetime64[ns]")
    assert group_accuracies([0, 1, 1], [0, 1, 0], days) == {days[1]: 1.0, days[0]: 0.5}


@pytest.mark.parametrize("convert", [list, np.asarray, pd.Series, lambda y: y.astype(object)])
def test_labels_of_rows_may_be_text_in_any_container(convert):
    names = np.array(["cat", "dog", "fox"])
    y_true, y_pred = convert(names[Y_TRUE]), convert(names[Y_PRED])
    assert group_accuracies(y_true, y_pred, GROUPS) == BY_HAND


def test_whole_floats_are_labels():
    assert group_accuracies(Y_TRUE, Y_PRED.astype(float), GROUPS) == BY_HAND


@given(scored_rows())
def test_each_group_has_sklearns_accuracy(rows):
    y_true, y_pred, groups = rows
    accuracies = group_accuracies(y_true, y_pred, groups)
    assert list(accuracies) == np.unique(groups).tolist()
    for group, accuracy in accuracies.items():
        kept = groups == group
        assert accuracy == pytest.approx(accuracy_score(y_true[kept], y_pred[kept]))


@given(scored_rows(), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, random):
    order = random.sample(range(len(rows[0])), len(rows[0]))
    for function in FUNCTIONS:
        assert function(*(column[order] for column in rows)) == function(*rows)


@given(scored_rows())
def test_worst_is_at_most_mean_and_both_are_accuracies(rows):
    worst, mean = worst_group_accuracy(*rows), mean_group_accuracy(*rows)
    assert 0 <= worst <= mean + 1e-12 <= 1 + 2e-12
    assert worst <= accuracy_score(*rows[:2]) + 1e-12


@given(scored_rows(), st.floats(0.01, 100))
def test_equal_weights_change_nothing(rows, weight):
    weights = np.full(len(rows[0]), weight)
    for score in SCORES:
        assert_allclose(score(*rows, sample_weight=weights), score(*rows))


@given(scored_rows())
def test_integer_weights_are_repeats(rows):
    repeats = 1 + np.arange(len(rows[0])) % 3
    for score in SCORES:
        repeated = score(*(np.repeat(column, repeats) for column in rows))
        assert_allclose(score(*rows, sample_weight=repeats), repeated)


@pytest.mark.parametrize("score", SCORES)
def test_make_scorer_routes_the_groups(score):
    X = np.zeros((8, 1))
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(score).set_score_request(group_labels=True)
        result = cross_validate(
            DummyClassifier(strategy="constant", constant=1),
            X,
            Y_TRUE,
            scoring=scorer,
            cv=[(np.arange(8), [0, 1, 2]), (np.arange(8), [3, 4, 7])],
            params={"group_labels": GROUPS},
        )
    # Test set 1 is group a, where 1 of 3 is of class 1; test set 2 is b (1 of 2) and c (1 of 1).
    expected = {mean_group_accuracy: [1 / 3, 3 / 4], worst_group_accuracy: [1 / 3, 1 / 2]}
    assert_allclose(result["test_score"], expected[score])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_true": []}, "y_true is empty"),
        ({"y_pred": [0, 1]}, "y_pred has 2 rows, but y_true has 3"),
        ({"group_labels": ["a"]}, "group_labels has 1 rows, but y_true has 3"),
        ({"y_true": [[0], [1], [0]]}, "y_true must be one-dimensional; it has the shape (3, 1)"),
        ({"y_pred": 1}, "y_pred must be one-dimensional; it has the shape ()"),
        ({"group_labels": [["a", "b"]] * 3}, "group_labels must be one-dimensional"),
        (
            {"group_labels": [["a"], ["a", "b"], ["b"]]},
            "group_labels must be an array, or lists of equal",
        ),
        (
            {"group_labels": pd.Series([["a"], ["b"], "a"])},
            "group_labels must hold labels, as text",
        ),
        ({"group_labels": pd.Series([np.ones(2), "b", "a"])}, "group_labels must hold labels"),
        ({"group_labels": [0.0, np.nan, np.nan]}, "group_labels has 2 missing value(s)"),
        ({"group_labels": ["a", np.nan, "b"]}, "the first in row 1"),
        ({"group_labels": ["a", "b", None]}, "group_labels has 1 missing value(s)"),
        ({"group_labels": pd.Series([pd.NA, 1, 2], dtype="Int64")}, "the first in row 0"),
        ({"group_labels": np.array(["2026-01-01", "NaT", "NaT"], "M8[D]")}, "2 missing value(s)"),
        ({"y_true": [0, 1, np.nan]}, "y_true has 1 missing value(s)"),
        ({"y_pred": [0.1, 0.9, 1.0]}, "pass what predict returns"),
        ({"y_pred": ["0", "1", "0"]}, "y_pred must be labels of the kind of y_true, number"),
        ({"sample_weight": [1, 1]}, "sample_weight has 2 rows"),
        ({"sample_weight": [1, -1, 1]}, "sample_weight must be finite and zero or more"),
        ({"sample_weight": [1, np.nan, 1]}, "sample_weight must be finite"),
        ({"sample_weight": ["x", "y", "z"]}, "sample_weight must be numbers"),
        ({"sample_weight": [0, 0, 0]}, "sample_weight is zero in every row"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_names_the_argument(function, changed, message):
    arguments = {"y_true": [0, 1, 0], "y_pred": [0, 1, 1], "group_labels": ["a", "b", "b"]}
    with pytest.raises(ValueError, match=re.escape(message)):
        function(**(arguments | changed))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "labels must be distinct"),
        ([], "labels is empty"),
        ("a", "labels must be one-dimensional"),
        ([0, 1], "labels must hold at least one label of group_labels"),
        (pd.Series([["a"], "b"]), "labels must hold labels, as text or numbers"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        group_accuracies(Y_TRUE, Y_PRED, GROUPS, labels=labels)
