"""Spans of characters, phrases and expressions mark the tokens that they touch."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.masks import mask_from_spans
from skexplain.masks._spans._words import phrase_pattern, word_pattern

TEXT = "Portable film, portable"
OFFSETS = [(0, 8), (9, 13), (13, 14), (15, 23)]


def marks(*entries, text=TEXT, offsets=OFFSETS):
    return mask_from_spans([list(entries)], [text], [offsets])[0].astype(float).tolist()


def test_partial_overlap_counts():
    assert marks((7, 10)) == [1, 1, 0, 0]
    assert marks((8, 9)) == [0, 0, 0, 0]  # the space between them
    assert marks((13, 14), (0, 1)) == [1, 0, 1, 0]
    assert marks() == [0, 0, 0, 0]


def test_white_space_at_the_ends_of_a_span_does_not_count():
    offsets = [(0, 8), (8, 13), (13, 14), (14, 23)]  # tokens that begin with the space before
    assert marks((0, 9), offsets=offsets) == [1, 0, 0, 0]
    assert marks((8, 13), offsets=offsets) == [0, 1, 0, 0]
    assert marks((8, 9), offsets=offsets) == [0, 1, 0, 0]


def test_degrees():
    assert marks((0, 13, 0.25), (10, 11, 0.5)) == [0.25, 0.5, 0, 0]
    assert marks((0, 13, 0.25), (10, 11)) == [0.25, 1, 0, 0]


def test_phrases_and_expressions():
    assert marks("portable") == [1, 0, 0, 1]
    assert marks("PORTABLE  film") == [1, 1, 0, 0]
    assert marks(re.compile("port|,")) == [0, 0, 1, 1]
    assert marks(re.compile("(?=x)")) == [0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"spans\[0\]\[0\] must be a phrase of its text"):
        mask_from_spans([["port"], None], [TEXT, TEXT], [OFFSETS, OFFSETS])


def test_one_list_for_all_texts():
    texts, offsets = ["a film", "an x-ray", "film"], [[(0, 1), (2, 6)], [(0, 2), (3, 8)], [(0, 4)]]
    expected = [[0, 1], [0, 0], [1, np.nan]]
    for spans in ([["film"]], [[re.compile("fil")]], re.compile("film")):
        np.testing.assert_array_equal(mask_from_spans(spans, texts, offsets), expected)


def test_what_is_not_annotated_or_no_word_is_unknown():
    offsets = [[(0, 0), (0, 1), (2, 3), (0, 0)], [(0, 0), (0, 1), (0, 0)]]
    mask = mask_from_spans([[(0, 1)], None], ["a b", "c"], offsets)
    nan = np.nan
    np.testing.assert_array_equal(mask, [[nan, 1, 0, nan], [nan] * 4])
    assert mask.dtype == np.float32
    cut = mask_from_spans([[(0, 1)], None], ["a b", "c"], offsets, n_tokens=2)
    np.testing.assert_array_equal(cut, [[nan, 1], [nan, nan]])


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=25), data=st.data())
def test_a_token_is_marked_if_one_of_its_characters_is(text, data):
    offsets = [match.span() for match in word_pattern().finditer(text)]
    bounds = st.integers(0, len(text))
    ends = data.draw(st.lists(st.tuples(bounds, bounds), max_size=3))
    spans = [(start, end) for start, end in ends if start < end]
    characters = np.zeros(len(text), dtype=bool)
    for start, end in spans:
        characters[start:end] = True
    expected = [characters[start:end].any() for start, end in offsets]
    np.testing.assert_array_equal(mask_from_spans([spans], [text], [offsets])[0], expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, Zoë’s 2nd", ["Don't", "stop", ",", "Zoë’s", "2nd"]),
        ("e\u0301te\u0301 na\u00efve", ["e\u0301te\u0301", "na\u00efve"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("我喜欢film片", ["我", "喜", "欢", "film", "片"]),
        ("good 👍🏽!", ["good", "👍", "🏽", "!"]),
        ("a_b c-d\r\ne", ["a_b", "c", "-", "d", "e"]),
        ("❤\ufe0f", ["❤\ufe0f"]),
        ("", []),
    ],
)
def test_words(text, words):
    assert word_pattern().findall(text) == words


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=30))
def test_words_cover_all_but_white_space(text):
    """No character that is no white space is lost, and no token is empty or holds any."""
    found = word_pattern().findall(text)
    assert "".join(found) == "".join(text.split())
    assert all(found)


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("film", "Film films film", ["Film", "film"]),
        ("chest tube", "chest\n tube", ["chest\n tube"]),
        ("#film", "#film #films", ["#film"]),
        ("喜欢", "我喜欢你", ["喜欢"]),
        ("a+b", "a+b aab", ["a+b"]),
        ("ete", "ete\u0301 ete", ["ete"]),
        ("caf\u00e9", "cafe\u0301 caf\u00e9 cafe", ["cafe\u0301", "caf\u00e9"]),
        ("cafe\u0301", "caf\u00e9", ["caf\u00e9"]),
    ],
)
def test_phrases_are_whole_words(phrase, text, found):
    assert phrase_pattern(phrase).findall(text) == found


@pytest.mark.parametrize(
    ("spans", "error", "message"),
    [
        ("portable", TypeError, "spans must have a list of spans .* or one list for all texts"),
        ({"portable"}, TypeError, "spans must have a list"),
        (["portable"], TypeError, r"spans\[0\] must be a list of spans"),
        ([[(0, 24)]], ValueError, r"spans\[0\]\[0\] must lie within its text of 23 characters"),
        ([[(-1, 2)]], ValueError, r"spans\[0\]\[0\] must be \(start, end\) with 0 <= start < end"),
        ([[(2, 2)]], ValueError, r"spans\[0\]\[0\] must be"),
        ([(2, 4)], ValueError, r"spans\[0\] must be a list .* got one span, \(2, 4\): put it"),
        ([[(0, 1, 2.0)]], ValueError, r"spans\[0\]\[0\] must be"),
        ([[(0.0, 1)]], ValueError, r"spans\[0\]\[0\] must be"),
        ([[" "]], ValueError, r"spans\[0\]\[0\] must be"),
        ([[], []], ValueError, "an entry for each of 1 texts, or one for all; got 2"),
    ],
)
def test_what_is_no_span(spans, error, message):
    with pytest.raises(error, match=message):
        mask_from_spans(spans, [TEXT], [OFFSETS])


def test_offsets_must_be_those_of_the_texts():
    with pytest.raises(ValueError, match="offsets must have an entry for each of 1 texts; got 2"):
        mask_from_spans([[]], [TEXT], [OFFSETS, OFFSETS])
