"""Spans of several people: union, majority, degree and agreement."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.masks import combine_spans, span_agreement

ANNA, BEN, CY = [[(0, 4), (3, 6)], None], [[(5, 8)], [(0, 2)]], [[(5, 6)], []]


def test_of_three_people():
    people = {"anna": ANNA, "ben": BEN, "cy": CY}
    assert combine_spans(people) == [[(0, 8)], [(0, 2)]]
    assert combine_spans(people, "majority") == [[(5, 6)], []]
    third = 1 / 3
    assert combine_spans(people, "degree") == [
        [(0, 5, third), (5, 6, 1.0), (6, 8, third)],
        [(0, 2, 0.5)],
    ]
    assert combine_spans([[None, []]]) == [None, []]


SPANS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 6)).map(lambda s: (s[0], s[0] + s[1])), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(people=st.lists(SPANS, min_size=1, max_size=4))
def test_against_counting_characters(people):
    """Each character has the share of people who marked it."""
    votes = np.zeros((len(people), 20))
    for row, spans in zip(votes, people, strict=True):
        for start, end in spans:
            row[start:end] = 1
    share = votes.mean(0)
    for how, expected in (
        ("union", share > 0),
        ("majority", share > 0.5),
        ("degree", share),
    ):
        (spans,) = combine_spans([[spans] for spans in people], how)
        found = np.zeros(20)
        for start, end, *degree in spans:
            assert not found[start:end].any()
            found[start:end] = degree[0] if degree else 1
        np.testing.assert_allclose(found, expected)
        assert spans == sorted(spans)


def alpha_by_hand(votes):
    """Krippendorff's alpha from all pairs; votes of shape (people, units), NaN is missing."""
    observed, pooled = 0.0, []
    for unit in votes.T:
        values = unit[~np.isnan(unit)]
        if len(values) > 1:
            pairs = sum(
                a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j
            )
            observed += pairs / (len(values) - 1)
            pooled += list(values)
    n = len(pooled)
    expected = sum(a != b for i, a in enumerate(pooled) for j, b in enumerate(pooled) if i != j)
    return 1 - (observed / n) / (expected / (n * (n - 1)))


def test_agreement_against_its_definition():
    texts = ["ab cd ef gh", "xyz", "alone"]
    people = [
        [[(0, 5)], [(0, 1)], None],
        [[(0, 2), (6, 8)], None, [(0, 1)]],
        [[(3, 8)], [(0, 3)], None],
    ]
    votes = np.full((3, 16), np.nan)  # ab cd ef gh: 8 letters, then 3 and 5
    votes[:, :8] = [[1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1, 0, 0]]
    votes[0, 8:11], votes[2, 8:11] = [1, 0, 0], [1, 1, 1]
    votes[1, 11:] = [1, 0, 0, 0, 0]
    agreement = span_agreement(people, texts)
    assert agreement.alpha == pytest.approx(alpha_by_hand(votes))
    # Pairs of the first text share 2 of 6 letters each; of the second 1 of 3.
    np.testing.assert_allclose(agreement.by_text, [1 / 3, 1 / 3, np.nan])
    assert agreement.iou == pytest.approx(1 / 3)
    assert agreement.n_texts == 2


def test_extremes_of_agreement():
    texts = ["ab", "cd"]
    same = [[(0, 1)], [(0, 2)]]
    assert span_agreement([same, same], texts).alpha == 1
    assert span_agreement([same, same], texts).iou == 1
    nothing = span_agreement([[[], []], [[], []]], texts)
    assert math.isnan(nothing.alpha)
    assert math.isnan(nothing.iou)
    assert math.isnan(span_agreement([same], texts).alpha)


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ([[[(2, 1)]]], r"annotators\[0\]\[0\]\[0\] must be \(start, end\) with 0 <= start < end"),
        ([[[(0, 1, 0.5)]]], r"must be \(start, end\)"),
        ({"anna": [["word"]]}, r"annotators\['anna'\]\[0\]\[0\] must be"),
        ([[None], [None, None]], r"an entry for each text; got lengths \[1, 2\]"),
        ([], "at least one person"),
    ],
)
def test_what_is_no_span(people, message):
    with pytest.raises(ValueError, match=message):
        combine_spans(people)


def test_bad_arguments():
    with pytest.raises(TypeError, match="annotators must be"):
        combine_spans("ab")
    with pytest.raises(ValueError, match="how must be one of"):
        combine_spans([[None]], "mean")
    with pytest.raises(ValueError, match="texts must have an entry"):
        span_agreement([[None]], ["a", "b"])
    with pytest.raises(
        ValueError, match=r"within the texts: text 0 has 2 characters; got \(0, 3\)"
    ):
        span_agreement([[[(0, 3)]], [[]]], ["ab"])
