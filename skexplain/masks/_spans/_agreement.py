"""How far people agree on what they mark in texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from .._rows import as_texts
from ._combine import check_annotators


def span_agreement(
    annotators: Mapping[str, Sequence[Any]] | Sequence[Sequence[Any]], texts: Sequence[str]
) -> Bunch:
    r"""Measure how far people agree on what they mark.

    Each character that is no white space is a unit, marked or not marked by each person who
    annotated its text.

    Parameters
    ----------
    annotators : dict of str to list, or sequence of list
        For each person a list with an entry for each text: spans (start, end) in characters, or
        None where this person has not annotated the text.
    texts : sequence of str of length n_texts
        The texts.

    Returns
    -------
    Bunch
        - ``alpha``: Krippendorff's alpha: 1 is agreement, 0 what chance gives, NaN if no text has
          two annotators, or all or none is marked.
        - ``iou``: mean intersection over union of pairs of people, over the texts that both have
          annotated and where one of them has marked something.
        - ``n_texts``: number of texts with at least two annotators.
        - ``by_text``: ndarray of shape (n_texts,), the mean intersection over union of each text,
          NaN where it is not defined: texts to look at again.

    Raises
    ------
    ValueError
        If lists are of different lengths, or a span lies outside of its text.

    See Also
    --------
    combine_spans : Union, majority or degree.

    Notes
    -----
    With :math:`D_o` the share of pairs of values of one unit that differ, and :math:`D_e` the share
    of all pairs of values, of units with at least two, alpha is :math:`1 - D_o / D_e`; a unit with
    :math:`m` values counts :math:`m`, in pairs weighted by :math:`1 / (m - 1)`.

    References
    ----------
    .. [1] Krippendorff, K., "Content Analysis: An Introduction to Its Methodology", chapter 11,
       2004.

    Examples
    --------
    >>> from skexplain.masks import span_agreement
    >>> anna, ben = [[(0, 4)]], [[(0, 9)]]
    >>> agreement = span_agreement({"anna": anna, "ben": ben}, ["good film , really"])
    >>> round(agreement.iou, 2), round(agreement.alpha, 2)
    (0.5, 0.46)
    """
    people = check_annotators(annotators)
    texts = as_texts("texts", texts)
    if len(texts) != len(people[0]):
        raise ValueError(
            f"texts must have an entry for each of {len(people[0])}; got {len(texts)}."
        )
    by_text = np.full(len(texts), np.nan)
    # Over units with at least two values: values, marked ones, and pairs that differ.
    total, marked, differing = 0, 0, 0.0
    n_texts = 0
    for row, text in enumerate(texts):
        words = np.array([not character.isspace() for character in text], dtype=bool)
        votes = [
            _characters(spans[row], words, f"text {row}")
            for spans in people
            if spans[row] is not None
        ]
        m = len(votes)
        if m < 2:
            continue
        n_texts += 1
        ones = np.sum(votes, axis=0)
        total += m * len(ones)
        marked += int(ones.sum())
        differing += float((2 * ones * (m - ones) / (m - 1)).sum())
        overlaps = [
            (a & b).sum() / (a | b).sum() for a, b in combinations(votes, 2) if (a | b).any()
        ]
        if overlaps:
            by_text[row] = np.mean(overlaps)
    expected = 2 * marked * (total - marked) / (total - 1) if total > 1 else 0.0
    return Bunch(
        alpha=1 - differing / expected if expected else np.nan,
        iou=float(np.nanmean(by_text)) if not np.isnan(by_text).all() else np.nan,
        n_texts=n_texts,
        by_text=by_text,
    )


def _characters(
    spans: list[tuple[int, int]] | None, words: NDArray[np.bool_], where: str
) -> NDArray[np.bool_]:
    """Return which characters of a text that are no white space are marked."""
    found = np.zeros(len(words), dtype=bool)
    for start, end in spans or ():
        if end > len(words):
            raise ValueError(
                f"annotators must have spans within the texts: {where} has {len(words)} "
                f"characters; got ({start}, {end})."
            )
        found[start:end] = True
    return found[words]
