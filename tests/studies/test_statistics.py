"""Means, spreads and paired differences, against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skexplain.studies._statistics import (
    by_seed,
    estimate,
    group,
    paired_difference,
    share_of_way,
)


def rows(*values, measure="accuracy"):
    return [{"seed": seed, measure: value} for seed, value in enumerate(values)]


def test_estimate_in_closed_form():
    # 1, ..., n: mean (n + 1) / 2, variance n (n + 1) / 12.
    n = 11
    figure = estimate(range(1, n + 1))
    assert figure.mean == pytest.approx(6)
    assert figure.sd == pytest.approx(math.sqrt(n * (n + 1) / 12))
    assert figure.se == pytest.approx(math.sqrt((n + 1) / 12))
    assert figure.n == n
    assert str(figure) == "6.000 ± 3.317"
    assert figure.as_difference() == "+6.000 (se 1.000)"


def test_one_repetition_has_no_spread_and_none_no_figure():
    one, none = estimate([0.25]), estimate([])
    assert (one.mean, one.n) == (0.25, 1)
    assert math.isnan(one.sd)
    assert math.isnan(one.se)
    assert (str(one), one.as_difference()) == ("0.250", "+0.250")
    assert (str(none), none.as_difference(), none.n) == ("", "", 0)


def test_a_repetition_that_is_nan_is_not_passed_over():
    figure = estimate(by_seed(rows(0.5, math.nan, 0.7), "accuracy").values())
    assert math.isnan(figure.mean)
    assert "nan" in str(figure)
    assert not figure.is_beyond_chance


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([], False),
        ([1.0], False),  # one repetition
        ([0.0, 0.0], False),  # a tie
        ([-0.1, -0.1, -0.1], False),
        ([0.1, 0.1, 0.1], True),  # no spread: any gain at all
        ([1e-16, 1e-16], False),  # but for what is rounding
        ([0.1 + 0.2 - 0.3, 0.1 + 0.2 - 0.3], False),
        ([1.0, 3.0], False),  # mean 2, se 1: exactly two standard errors
        ([1.01, 3.0], True),
        ([0.99, 3.0], False),
        ([math.nan, 1.0, 1.0], False),
    ],
)
def test_what_is_beyond_chance(differences, expected):
    assert estimate(differences).is_beyond_chance is expected


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=20),
    st.floats(-1, 1),
)
def test_a_difference_is_that_of_the_means_and_knows_no_common_part(pairs, shift):
    left, right = (np.array(values) for values in zip(*pairs, strict=True))
    found = paired_difference(rows(*left), rows(*right), "accuracy")
    assert found.mean == pytest.approx(left.mean() - right.mean(), abs=1e-12)
    # The textbook: var(a) + var(b) - 2 cov(a, b).
    (var_left, cov), (_, var_right) = np.cov(left, right)
    assert found.sd**2 == pytest.approx(var_left + var_right - 2 * cov, abs=1e-9)
    # What moves both, such as an easy seed, moves nothing.
    shifts = shift * np.arange(len(left))
    moved = paired_difference(rows(*(left + shifts)), rows(*(right + shifts)), "accuracy")
    assert moved.mean == pytest.approx(found.mean, abs=1e-9)
    assert moved.sd == pytest.approx(found.sd, abs=1e-7)


def test_seeds_that_only_one_side_has_are_left_out():
    ours = [{"seed": 3, "a": 0.9}, {"seed": 0, "a": 0.5}, {"seed": 1, "a": 0.7}]
    theirs = [{"seed": 1, "a": 0.6}, {"seed": 2, "a": 0.0}, {"seed": 3, "a": 0.6}]
    found = paired_difference(ours, theirs, "a")
    assert found.n == 2
    assert found.mean == pytest.approx((0.3 + 0.1) / 2)
    assert paired_difference(ours, [], "a").n == 0


def test_rows_without_the_measure_are_left_out():
    assert by_seed([*rows(0.5, None), {"seed": 2}], "accuracy") == {0: 0.5}


def test_rows_that_a_factor_should_tell_apart_are_not_mixed():
    mixed = [
        {"seed": 0, "test": "clean", "size": 50, "accuracy": 0.5},
        {"seed": 0, "test": "flipped", "size": 50, "accuracy": 0.1},
    ]
    with pytest.raises(ValueError, match=r"2 rows have 1 seeds: group by .*, such as \['test'\]"):
        by_seed(mixed, "accuracy")


def test_groups_are_in_the_order_of_the_rows():
    data = [{"a": 2, "b": "x"}, {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"b": "x"}]
    assert group(data, ["a"]) == {(2,): [data[0], data[2]], (1,): [data[1]], (None,): [data[3]]}
    assert list(group(data, ["b", "a"])) == [("x", 2), ("x", 1), ("y", 2), ("x", None)]
    assert group(data, []) == {(): data}


def test_share_of_the_way_in_closed_form():
    start, end = rows(0.1, 0.3, 0.5), rows(0.9, 0.9, 0.9)  # ways of .8, .6, .4
    for share in (-0.5, 0.0, 0.7, 1.0):
        ours = rows(*(a + share * (0.9 - a) for a in (0.1, 0.3, 0.5)))
        found = share_of_way(ours, start, end, "accuracy")
        assert found.mean == pytest.approx(share)
        assert found.se == pytest.approx(0, abs=1e-12)
        assert found.n == 3
    # Gone .4, .6, .2 of a mean way of .6: residuals 0, .2, -.2 from two thirds of each way.
    found = share_of_way(rows(0.5, 0.9, 0.7), start, end, "accuracy")
    residuals = np.array([0.4, 0.6, 0.2]) - 2 / 3 * np.array([0.8, 0.6, 0.4])
    assert found.mean == pytest.approx(2 / 3)
    assert found.se == pytest.approx(residuals.std(ddof=1) / math.sqrt(3) / 0.6)


def test_share_of_the_way_is_nan_where_there_is_none():
    for end in (rows(0.5, 0.7), rows(0.4, 0.7), []):
        assert math.isnan(share_of_way(rows(0.6, 0.8), rows(0.5, 0.7), end, "accuracy").mean)
    one = share_of_way(rows(0.6), rows(0.5), rows(0.7), "accuracy")
    assert one.mean == pytest.approx(0.5)
    assert math.isnan(one.se)


def test_share_of_the_way_stands_a_seed_without_a_way():
    start, end = rows(0.5, 0.1, 0.1), rows(0.5, 0.9, 0.9)
    assert share_of_way(rows(0.6, 0.9, 0.9), start, end, "accuracy").mean == pytest.approx(1.0625)
