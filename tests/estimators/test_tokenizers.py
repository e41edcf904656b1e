"""Words with a vocabulary of their own, and tokenizers of Hugging Face behind the same face."""

import pickle

import numpy as np
import pytest
from _hugging_face import fast, word_pieces
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skexplain import WordTokenizer
from skexplain.estimators._tokenizers import check_texts, encode, make_tokenizer, special_ids

TEXTS = ["A good film, a GOOD one", "a bad film"]


def words_of(tokenizer, text):
    (encoded,) = tokenizer.encode([text])
    return [text[start:end] for start, end in encoded.offsets]


def test_words():
    tokenizer = WordTokenizer().fit(TEXTS)
    # By frequency, then as they occur.
    assert list(tokenizer.vocabulary_) == ["a", "good", "film", ",", "one", "bad"]
    assert list(tokenizer.vocabulary_.values()) == [2, 3, 4, 5, 6, 7]
    (encoded,) = tokenizer.encode(["Bad, new film"])
    assert encoded.ids.tolist() == [7, 5, 1, 4]
    assert encoded.offsets.tolist() == [[0, 3], [3, 4], [5, 8], [9, 13]]
    assert special_ids(tokenizer) == (0, 1, 8)


def test_parameters_of_words():
    assert list(WordTokenizer(max_words=2).fit(TEXTS).vocabulary_) == ["a", "good"]
    assert list(WordTokenizer(min_count=2).fit(TEXTS).vocabulary_) == ["a", "good", "film"]
    cased = WordTokenizer(lowercase=False).fit(TEXTS).vocabulary_
    assert {"A", "a", "good", "GOOD"} <= set(cased)
    for bad in ({"max_words": 0}, {"min_count": 0}, {"split": 3}, {"lowercase": "yes"}):
        with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
            WordTokenizer(**bad).fit(TEXTS)


def test_letters_with_accents_are_one_word_however_they_are_written():
    tokenizer = WordTokenizer().fit(["caf\u00e9"])
    (encoded,) = tokenizer.encode(["Cafe\u0301!"])
    assert encoded.ids.tolist() == [2, 1]
    assert encoded.offsets.tolist() == [[0, 5], [5, 6]]


@pytest.mark.parametrize(
    "split", [str.split, lambda text: [(0, 4), (5, 6)], lambda text: np.array([[0, 4], [5, 6]])]
)
def test_functions_that_split(split):
    tokenizer = WordTokenizer(split=split).fit(["good a"])
    assert words_of(tokenizer, "good a") == ["good", "a"]


@pytest.mark.parametrize(
    "tokens",
    [
        [(0, 7)],
        [(3, 3)],
        [(2, 4), (1, 3)],
        [(0.0, 1.0)],
        ["other"],
        ["a", "good"],
        ["good", ""],
        [(1, 2, 3)],
    ],
)
def test_functions_that_do_not_split(tokens):
    with pytest.raises(ValueError, match="tokenizer must return the tokens of a text in order"):
        WordTokenizer(split=lambda text: tokens).fit(["good a"])


def test_texts():
    pd = pytest.importorskip("pandas")
    for X in (TEXTS, tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, dtype=object)[:, None]):
        assert check_texts(X) == TEXTS
    series = pd.Series(TEXTS, index=[5, 4])
    assert check_texts(series) == check_texts(series.to_frame()) == TEXTS
    for X, message in (
        ("text", "a sequence of texts; got 'text'"),
        ({"a", "b"}, "a sequence of texts; got {"),  # in no order
        ([], "at least one text"),
        (["a", None], "must hold texts .* got None at position 1"),
        (["a", float("nan")], "got nan at position 1"),
        (np.array([["a", "b"]]), r"one column of texts; got shape \(1, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            check_texts(X)


def test_of_scikit_learn():
    tokenizer = WordTokenizer(max_words=3)
    assert clone(tokenizer).get_params() == tokenizer.get_params()
    with pytest.raises(NotFittedError):
        tokenizer.encode(TEXTS)
    tokenizer.fit(TEXTS)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert again.vocabulary_ == tokenizer.vocabulary_
    assert tokenizer.__sklearn_tags__().input_tags.string


def test_given_tokenizers_are_not_changed():
    given = WordTokenizer(max_words=2)
    made = make_tokenizer(given, TEXTS)
    assert made.vocabulary_
    assert not hasattr(given, "vocabulary_")
    for bad, error in (("word", ValueError), (3, TypeError), (None, TypeError)):
        with pytest.raises(error, match='tokenizer must be "words"'):
            make_tokenizer(bad, TEXTS)


# -- Hugging Face ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [word_pieces, fast])
def test_word_pieces(make):
    tokenizer = make()
    assert make_tokenizer(tokenizer, TEXTS) is tokenizer
    assert special_ids(tokenizer) == (0, 4, 10)
    text = "🙂 Portable film, x"
    (whole,), (kept,) = encode(tokenizer, [text], 5)
    assert whole.ids.tolist() == [2, 1, 5, 6, 7, 8, 1, 3]
    ends = [[0, 0], [0, 1], [2, 6], [6, 10], [11, 15], [15, 16], [17, 18], [0, 0]]
    assert whole.offsets.tolist() == ends
    assert kept.ids.tolist() == [2, 1, 5, 6, 3]  # the token that closes a text stays
    assert kept.offsets.tolist() == [*ends[:4], [0, 0]]
    (whole,), (kept,) = encode(tokenizer, ["film"], 5)
    assert kept.ids.tolist() == whole.ids.tolist() == [2, 7, 3]


def test_tokenizers_that_do_not_fit():
    tokenizer = fast()
    tokenizer.pad_token = None
    with pytest.raises(ValueError, match="must have a token for padding"):
        make_tokenizer(tokenizer, TEXTS)

    class Slow:
        is_fast, pad_token_id = False, 0

    with pytest.raises(ValueError, match="must be a fast one"):
        make_tokenizer(Slow(), TEXTS)
