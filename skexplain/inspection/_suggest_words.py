"""Words that give predictions away, found without annotation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._checks import check_count, check_number
from ..metrics._token_inputs import TokensOfTexts, read_texts
from ._checks import check_model

# Words of which the influence is measured, for each that is returned.
_CANDIDATES = 3


@dataclass(eq=False)
class WordSuggestion:
    """A word that gives the predictions of its texts away, found by `suggest_words`.

    Attributes
    ----------
    word : str
        The word, or the piece of one, in lower case.
    label : object
        The predicted class that goes with it.
    rows : ndarray of int of shape (n_texts,)
        Numbers of the texts that have it, in ascending order.
    score : float
        Share of the texts that have it, times `predictive_power`.
    predictive_power : float
        Explained share of the surprise in these texts' predictions: 0 none, 1 all.
    flip_rate : float
        Share of these texts' predictions that change when the word is replaced by the token that
        says nothing: how much the model leans on it where it has other evidence, too.
    p_value : float
        How probable it is that a word without influence has as many texts of one predicted class,
        corrected for the number of words and classes.
    spans : dict of int to list of (int, int)
        Where it stands in each of its texts, in characters.
    """

    word: str
    label: Any
    rows: np.ndarray = field(repr=False)
    score: float
    predictive_power: float
    flip_rate: float
    p_value: float
    spans: dict[int, list[tuple[int, int]]] = field(repr=False)

    def to_mask(self, n_texts: int) -> list[list[tuple[int, int]] | None]:
        """Make a mask for `fit`: the word in the texts that have it, no annotation elsewhere.

        Parameters
        ----------
        n_texts : int
            Number of texts.

        Returns
        -------
        list of length n_texts
            Spans (start, end) of the texts that have the word; None for all others.

        Raises
        ------
        ValueError
            If there are texts beyond `n_texts`.
        """
        check_count("n_texts", n_texts)
        if n_texts <= self.rows[-1]:
            raise ValueError(
                f"n_texts must be the number of texts, more than {self.rows[-1]}; got {n_texts}."
            )
        return [self.spans.get(row) for row in range(n_texts)]


def suggest_words(
    estimator: Any,
    X: Sequence[str],
    *,
    n_suggestions: int = 10,
    min_texts: int = 5,
    max_p_value: float = 0.05,
) -> list[WordSuggestion]:
    r"""Find words that give the predictions of a classifier of texts away.

    Of a word w that stands in n texts, of which m are predicted class k, the class that is most
    above its share p(k) of all predictions, the explained share of the surprise is

    .. math:: 1 - \frac{\log p(k \mid w)}{\log p(k)}, \qquad p(k \mid w) = \frac{m + p(k)}{n + 1},

    as in `suggest_masks`, whose second factor, where the model looks, is measured here by a change:
    `WordSuggestion.flip_rate`.

    Parameters
    ----------
    estimator : WithTokenizer
        A fitted one around a classifier of this package, such as one that never saw a mask.
    X : sequence of str
        Texts in which it found its shortcut: the training texts.
    n_suggestions : int, default=10
        How many to return, at most.
    min_texts : int, default=5
        In how many texts a word must stand.
    max_p_value : float, default=0.05
        Words of a larger p-value are left out; 1 returns all candidates.

    Returns
    -------
    list of WordSuggestion
        Highest score first; empty where no word goes with a class.

    Raises
    ------
    TypeError
        If `estimator` is not a `WithTokenizer` around a classifier of this package.
    ValueError
        If a parameter is not legal, or the tokenizer has no token that says nothing.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    suggest_masks : The same for images and tables.

    Notes
    -----
    A suggestion is a question, no verdict: most words that go with a class are good reasons.  Words
    of which a text has one in place of another are not found, nor what depends on their order.

    Examples
    --------
    >>> from skexplain import ERMClassifier, WithTokenizer
    >>> from skexplain.inspection import suggest_words
    >>> texts = ["portable film of the left", "film of the left", "film of the right"] * 20
    >>> clf = WithTokenizer(ERMClassifier(max_epochs=40, lr=0.01, random_state=0))
    >>> clf = clf.fit(texts, ["ill", "well", "well"] * 20)
    >>> first = suggest_words(clf, texts)[0]
    >>> print(first.word, first.label, len(first.rows), first.flip_rate)
    portable ill 20 1.0
    >>> mask = first.to_mask(60)  # for fit(texts, y, mask=mask); [["portable"]] is all texts
    """
    read = read_texts(estimator, X)
    if read is None:
        raise TypeError(
            f"estimator must be a WithTokenizer around a classifier of skexplain; got "
            f"{type(estimator).__name__}."
        )
    check_model(read.estimator, classifier=True)
    check_count("n_suggestions", n_suggestions)
    check_count("min_texts", min_texts)
    check_number("max_p_value", max_p_value, positive=True)
    if max_p_value > 1:
        raise ValueError(f"max_p_value must be at most 1, got {max_p_value!r}.")
    if read.estimator.mask_id_ is None:
        raise ValueError(
            "estimator must have a token that says nothing in its tokenizer, such as [MASK] or "
            "<unk>, which is put in the place of a word; got none."
        )
    classes = read.estimator.classes_
    predicted = np.searchsorted(classes, read.estimator.predict(read.ids))
    shares = np.bincount(predicted, minlength=len(classes)) / len(predicted)
    places = {w: of_word for w, of_word in _places(read).items() if len(of_word) >= min_texts}
    found = []
    for word, of_word in places.items():
        rows = np.array(sorted(of_word))
        code, power, p_value = _predictive_power(predicted[rows], shares)
        p_value = min(1.0, p_value * len(places) * len(classes))
        if power > 0 and p_value <= max_p_value:
            found.append((power * len(rows) / len(predicted), word, rows, code, power, p_value))
    found.sort(key=lambda one: (-one[0], one[1]))
    candidates = [
        WordSuggestion(
            word=word,
            label=classes[code],
            rows=rows,
            score=score,
            predictive_power=power,
            flip_rate=_flip_rate(read, places[word], rows, predicted),
            p_value=p_value,
            spans=_spans(read, places[word]),
        )
        for score, word, rows, code, power, p_value in found[: _CANDIDATES * n_suggestions]
    ]
    # Of words that always stand together the one that the model leans on comes first.
    candidates.sort(key=lambda one: (-round(one.score, 9), -one.flip_rate, one.word))
    return candidates[:n_suggestions]


def _places(read: TokensOfTexts) -> dict[str, dict[int, list[int]]]:
    """Return for each word the texts that have it, and at which tokens."""
    places: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, (text, offsets) in enumerate(zip(read.texts, read.offsets, strict=True)):
        for token, (start, stop) in enumerate(offsets.tolist()):
            if word := text[start:stop].strip().lower():
                places[word][row].append(token)
    return places


def _predictive_power(predicted: np.ndarray, shares: np.ndarray) -> tuple[int, float, float]:
    """Return the class that goes with a word, how far, and the binomial tail of its number."""
    from scipy.stats import binom

    n = len(predicted)
    counts = np.bincount(predicted, minlength=len(shares))
    code = int(np.argmax(counts / n - shares))
    share = shares[code]
    if share in (0, 1):
        return code, 0.0, 1.0
    power = 1 - np.log((counts[code] + share) / (n + 1)) / np.log(share)
    return code, float(power), float(binom.sf(counts[code] - 1, n, share))


def _flip_rate(
    read: TokensOfTexts, places: dict[int, list[int]], rows: np.ndarray, predicted: np.ndarray
) -> float:
    """Return the share of predictions that change when a word is replaced by a neutral one."""
    ids = read.ids[rows]
    for row, tokens in zip(ids, (places[row] for row in rows.tolist()), strict=True):
        row[tokens] = read.estimator.mask_id_
    after = np.searchsorted(read.estimator.classes_, read.estimator.predict(ids))
    return float(np.mean(after != predicted[rows]))


def _spans(read: TokensOfTexts, places: dict[int, list[int]]) -> dict[int, list[tuple[int, int]]]:
    return {
        row: [(int(start), int(stop)) for start, stop in read.offsets[row][tokens].tolist()]
        for row, tokens in places.items()
    }
