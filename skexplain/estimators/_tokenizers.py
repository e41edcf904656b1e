"""Tokenizers: words with a vocabulary of their own, and those of Hugging Face behind one face."""

import copy
import unicodedata
from collections import Counter
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from .._checks import is_iterable
from ..masks._rows import shorten
from ..masks._spans._words import word_pattern
from ._parameters import COUNT

if TYPE_CHECKING:
    from typing_extensions import Self

PAD, UNKNOWN = 0, 1
_N_SPECIAL = 2

# Names by which tokenizers without attributes for them have their special tokens.
_PADDING = ("[PAD]", "<pad>", "<|padding|>")
_NEUTRAL = ("[MASK]", "<mask>", "[UNK]", "<unk>")


class Encoded(NamedTuple):
    """The tokens of a text: ids of shape (n_tokens,), and where they stand, (n_tokens, 2)."""

    ids: NDArray[np.int64]
    offsets: NDArray[np.int64]


class SpecialIds(NamedTuple):
    """The id of padding, that of a token that says nothing (None: there is none), all ids."""

    pad: int
    neutral: int | None
    n_ids: int


class WordTokenizer(BaseEstimator):
    """Split texts into words and signs, with a vocabulary learnt from the training texts.

    Words are letters and digits with their combining marks, in any script; apostrophes join them.
    Any other character that is no white space is a token of its own, and so is each character of
    scripts without spaces between words.

    Parameters
    ----------
    lowercase : bool, default=True
        Whether words that differ in case are one.
    max_words : int, default=20_000
        Largest number of words; the most frequent are kept.
    min_count : int, default=1
        How often a word must occur in the training texts.
    split : callable or None, default=None
        How to split instead: it is given a text and returns its tokens, either as (start, end) in
        characters or as str, each of which stands in the text behind the one before.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        The id of each word.  Id 0 is padding, 1 is any other word.

    See Also
    --------
    WithTokenizer : An estimator on texts.

    Examples
    --------
    >>> from skexplain.estimators import WordTokenizer
    >>> tokenizer = WordTokenizer().fit(["A good film!", "a bad one"])
    >>> tokenizer.encode(["A bad film, really"])[0].ids.tolist()
    [2, 6, 4, 1, 1]
    """

    _parameter_constraints: dict = {
        "lowercase": ["boolean"],
        "max_words": [COUNT],
        "min_count": [COUNT],
        "split": [callable, None],
    }

    def __init__(
        self,
        *,
        lowercase: bool = True,
        max_words: int = 20_000,
        min_count: int = 1,
        split: Callable[..., Any] | None = None,
    ) -> None:
        self.lowercase = lowercase
        self.max_words = max_words
        self.min_count = min_count
        self.split = split

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn: inputs are texts."""
        return of_texts(super().__sklearn_tags__())

    def fit(self, X: Any, y: Any = None) -> "Self":
        """Learn the vocabulary.

        Parameters
        ----------
        X : sequence of str
            Texts.
        y : object, default=None
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is not as described, or X is not a sequence of texts.
        """
        self._validate_params()
        counts: Counter[str] = Counter()
        for text in check_texts(X):
            counts.update(self._words(text)[0])
        # Those that are equally frequent stay in the order in which they occur.
        kept = [word for word, n in counts.most_common(self.max_words) if n >= self.min_count]
        self.vocabulary_ = {word: position + _N_SPECIAL for position, word in enumerate(kept)}
        return self

    def encode(self, X: Any) -> list[Encoded]:
        """Return the ids of the words of texts, and where they stand.

        Parameters
        ----------
        X : sequence of str
            Texts.

        Returns
        -------
        list of (ids, offsets)
            For each text ids of shape (n_tokens,) and (start, end) of shape (n_tokens, 2).

        Raises
        ------
        ValueError
            If X is not a sequence of texts.
        """
        check_is_fitted(self)
        encoded = []
        for text in check_texts(X):
            words, bounds = self._words(text)
            ids = [self.vocabulary_.get(word, UNKNOWN) for word in words]
            encoded.append(_encoded(ids, bounds))
        return encoded

    def _words(self, text: str) -> tuple[list[str], list[tuple[int, int]]]:
        """Return the words of a text as the vocabulary has them, and where they stand."""
        if self.split is None:
            bounds = [match.span() for match in word_pattern().finditer(text)]
        else:
            bounds = _bounds(self.split(text), text)
        words = [unicodedata.normalize("NFC", text[start:end]) for start, end in bounds]
        return [word.lower() for word in words] if self.lowercase else words, bounds


def _bounds(tokens: Any, text: str) -> list[tuple[int, int]]:
    """Return where the tokens of a user's function stand."""
    bounds: list[tuple[int, int]] = []
    end = 0
    if not is_iterable(tokens):
        raise ValueError(
            f"tokenizer must return the tokens of a text, as a list; got {shorten(tokens)}."
        )
    for token in tokens:
        if isinstance(token, str):
            start = text.find(token, end)
            bound = (start, start + len(token))
        else:
            bound = tuple(token)
        whole = len(bound) == 2 and all(isinstance(position, Integral) for position in bound)
        if not whole or not end <= bound[0] < bound[1] <= len(text):
            raise ValueError(
                f"tokenizer must return the tokens of a text in order, as (start, end) in "
                f"characters or as str of at least one; got {shorten(token)} behind character "
                f"{end} of {shorten(text)}."
            )
        end = int(bound[1])
        bounds.append((int(bound[0]), end))
    return bounds


def _encoded(ids: Any, offsets: Any) -> Encoded:
    return Encoded(np.array(ids, dtype=np.int64), np.array(offsets, dtype=np.int64).reshape(-1, 2))


def of_texts(tags: Any) -> Any:
    """Return the tags of scikit-learn for an estimator on texts."""
    tags.input_tags.string = True
    tags.input_tags.two_d_array = tags.input_tags.three_d_array = False
    return tags


def check_takes_no_texts(estimator: Any, instead: str) -> None:
    """Check that an estimator is not one on texts.

    Parameters
    ----------
    estimator : object
        What is passed as `estimator`, of scikit-learn's kind or not.
    instead : str
        What the error recommends.

    Raises
    ------
    TypeError
        If it takes texts.
    """
    if hasattr(estimator, "__sklearn_tags__") and get_tags(estimator).input_tags.string:
        raise _takes_texts(estimator, instead)


def check_has_no_tokenizer(estimator: Any, use: str) -> None:
    """Check that an estimator is no `WithTokenizer`, which has one inside for arrays.

    Parameters
    ----------
    estimator : object
        What is passed as `estimator`.
    use : str
        What is done with the estimator inside, for the error.

    Raises
    ------
    TypeError
        If it is one.
    """
    if callable(getattr(estimator, "tokenize", None)):
        instead = f"with t = clf.tokenize(X, mask) of a fitted clf, {use}"
        raise _takes_texts(estimator, instead)


def _takes_texts(estimator: object, instead: str) -> TypeError:
    return TypeError(
        f"estimator must take arrays, not texts as {type(estimator).__name__} does: {instead}."
    )


def check_texts(X: Any) -> list[str]:
    """Return texts as a list, also those of a table with one column.

    Raises
    ------
    ValueError
        If X is not a sequence of str.
    """
    if isinstance(X, dict | set | frozenset) or not is_iterable(X):
        raise ValueError(f"X must be a sequence of texts; got {shorten(X)}.")
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) > 1:
        if len(shape) != 2 or shape[1] != 1:
            raise ValueError(f"X must be one column of texts; got shape {tuple(shape)}.")
        X = np.asarray(X)[:, 0]
    texts = list(X)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(
                f"X must hold texts (str), and '' where one is missing; got {shorten(text)} at "
                f"position {row}."
            )
    if not texts:
        raise ValueError("X must have at least one text; got none.")
    return texts


def make_tokenizer(tokenizer: Any, texts: list[str]) -> Any:
    """Return a tokenizer that is ready: words learn their vocabulary, others are as they are.

    Raises
    ------
    TypeError
        If `tokenizer` is none.
    ValueError
        If it gives no offsets, or has no id for padding.
    """
    if isinstance(tokenizer, str):
        if tokenizer != "words":
            raise ValueError(f'tokenizer must be "words" or a tokenizer; got {tokenizer!r}.')
        return WordTokenizer().fit(texts)
    if isinstance(tokenizer, WordTokenizer):
        return copy.deepcopy(tokenizer).fit(texts)
    if _is_transformers(tokenizer):
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(
                f"tokenizer must be a fast one, which says where tokens stand in the text; got "
                f"{type(tokenizer).__name__}: pass use_fast=True to from_pretrained."
            )
    elif not _is_rust(tokenizer):
        if not callable(tokenizer) or isinstance(tokenizer, type):
            raise TypeError(
                f'tokenizer must be "words", a WordTokenizer, a fast tokenizer of Hugging Face or '
                f"a function that splits a text; got {type(tokenizer).__name__}."
            )
        return WordTokenizer(split=tokenizer).fit(texts)
    special_ids(tokenizer)
    return tokenizer


def learns_words(tokenizer: Any) -> bool:
    """Whether a tokenizer has a vocabulary of its own to learn."""
    return not (_is_transformers(tokenizer) or _is_rust(tokenizer))


def _is_transformers(tokenizer: Any) -> bool:
    return hasattr(tokenizer, "is_fast") and hasattr(tokenizer, "pad_token_id")


def _is_rust(tokenizer: Any) -> bool:
    """Whether this is a ``tokenizers.Tokenizer``."""
    return hasattr(tokenizer, "encode_batch") and hasattr(tokenizer, "token_to_id")


def special_ids(tokenizer: Any) -> SpecialIds:
    """Return the special ids of a tokenizer."""
    if isinstance(tokenizer, WordTokenizer):
        return SpecialIds(PAD, UNKNOWN, len(tokenizer.vocabulary_) + _N_SPECIAL)
    if _is_transformers(tokenizer):
        pad, neutral, n_ids = tokenizer.pad_token_id, tokenizer.mask_token_id, len(tokenizer)
        neutral = tokenizer.unk_token_id if neutral is None else neutral
    else:
        by_name = [tokenizer.token_to_id(name) for name in (*_PADDING, *_NEUTRAL)]
        padding, neutrals = by_name[: len(_PADDING)], by_name[len(_PADDING) :]
        pad = (tokenizer.padding or {}).get("pad_id", _first(padding))
        neutral, n_ids = _first(neutrals), tokenizer.get_vocab_size()
    if pad is None:
        raise ValueError(
            "tokenizer must have a token for padding; got none: set "
            "tokenizer.pad_token = tokenizer.eos_token."
        )
    return SpecialIds(int(pad), None if neutral is None else int(neutral), int(n_ids))


def _first(ids: list[int | None]) -> int | None:
    return next((one for one in ids if one is not None), None)


def longest(tokenizer: Any) -> int | None:
    """Return how many tokens the tokenizer's network takes; None: any number."""
    limit = getattr(tokenizer, "model_max_length", None)
    return limit if isinstance(limit, int) and limit < 1 << 20 else None


def encode(
    tokenizer: Any, texts: list[str], limit: int | None
) -> tuple[list[Encoded], list[Encoded]]:
    """Return the tokens of texts, all of them and those up to a limit.

    Parameters
    ----------
    tokenizer : WordTokenizer or tokenizer of Hugging Face
    texts : list of str
    limit : int or None
        Largest number of tokens, those at the ends of a text included.

    Returns
    -------
    whole, kept : list of Encoded
    """
    whole = _encode(tokenizer, texts, None)
    if limit is None:
        return whole, whole
    long = [row for row, encoded in enumerate(whole) if len(encoded.ids) > limit]
    kept = list(whole)
    # Anew, so that a token that closes the text stays.
    again = _encode(tokenizer, [texts[row] for row in long], limit) if long else []
    for row, encoded in zip(long, again, strict=True):
        kept[row] = encoded
    return whole, kept


def _encode(tokenizer: Any, texts: list[str], limit: int | None) -> list[Encoded]:
    if isinstance(tokenizer, WordTokenizer):
        encoded = tokenizer.encode(texts)
        return [Encoded(ids[:limit], offsets[:limit]) for ids, offsets in encoded]
    if _is_transformers(tokenizer):
        found = tokenizer(
            texts,
            return_offsets_mapping=True,
            truncation=limit is not None,
            max_length=limit,
            verbose=False,
        )
        return list(map(_encoded, found["input_ids"], found["offset_mapping"]))
    own = copy.deepcopy(tokenizer)
    own.no_padding()
    own.no_truncation() if limit is None else own.enable_truncation(limit)
    return [_encoded(found.ids, found.offsets) for found in own.encode_batch(texts)]
