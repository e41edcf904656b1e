"""From spans of characters, phrases and expressions to marks of tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._checks import as_array, check_count, is_iterable
from .._rows import as_list, as_texts, shorten
from ._combine import is_span
from ._words import phrase_pattern

_ENTRIES = "spans (start, end), phrases or regular expressions"


def mask_from_spans(
    spans: Any, texts: Sequence[str], offsets: Sequence[Any], *, n_tokens: int | None = None
) -> NDArray[np.bool_] | NDArray[np.float32]:
    """Mark the tokens of texts that spans of characters, or phrases, touch.

    A token is marked if at least one of its characters is; of several degrees it has the greatest.
    White space at the ends of a span does not count, since some tokens begin with the space before.

    Parameters
    ----------
    spans : sequence of length n_texts or 1
        For each text a list, or None where it was not annotated; or one list for all texts.  Its
        entries are spans (start, end) in characters, `end` exclusive; (start, end, degree) with a
        degree in [0, 1]; phrases, which mark all their occurrences as whole words, in any case;
        or compiled regular expressions.
    texts : sequence of str of length n_texts
        The texts.
    offsets : sequence of length n_texts
        For each text the (start, end) of its tokens, as tokenizers give them.
    n_tokens : int, default=None
        Tokens of a row; more are cut.  None: as many as the longest text has.

    Returns
    -------
    mask : ndarray of shape (n_texts, n_tokens)
        bool; or float32 with degrees, and with NaN for texts without annotation, padding, and
        tokens that stand for no characters, such as those at the ends of a text.

    Raises
    ------
    TypeError
        If `spans` is neither None nor lists, or a text is no str.
    ValueError
        If a span lies outside of its text, a phrase that is given for one text is not in it, or
        offsets are no pairs of whole numbers.

    See Also
    --------
    read_spans : Reads what annotation tools export.
    mask_from_words : Columns of a vectorizer.

    Examples
    --------
    >>> from skexplain.masks import mask_from_spans
    >>> offsets = [[(0, 8), (9, 13)]]
    >>> mask_from_spans([[(10, 12)]], ["portable film"], offsets)
    array([[False,  True]])
    >>> mask_from_spans([["Portable"]], ["portable film"], offsets)
    array([[ True, False]])
    """
    texts = as_texts("texts", texts)
    offsets = _check_offsets(offsets)
    if len(offsets) != len(texts):
        raise ValueError(
            f"offsets must have an entry for each of {len(texts)} texts; got {len(offsets)}."
        )
    if n_tokens is not None:
        check_count("n_tokens", n_tokens, low=0, high=2**31 - 1)
    width = max(map(len, offsets), default=0) if n_tokens is None else n_tokens
    rows = [
        None if marks is None else mark_tokens(marks, tokens)
        for marks, tokens in zip(resolve_spans(spans, texts, "spans"), offsets, strict=True)
    ]
    return stack_tokens(rows, width)


def _check_offsets(offsets: Any) -> list[NDArray[np.int64]]:
    """Return the offsets of each text as an array of shape (n_tokens, 2)."""
    checked = []
    for number, tokens in enumerate(as_list("offsets", offsets, "lists of (start, end)")):
        bounds = as_array(f"offsets[{number}]", tokens)
        is_pairs = bounds.dtype.kind in "iu" and bounds.shape[1:] == (2,)
        if not is_pairs and (bounds.size or not bounds.ndim):
            raise ValueError(
                f"offsets[{number}] must hold (start, end) for each token; got {shorten(tokens)}."
            )
        checked.append(bounds.reshape(-1, 2).astype(np.int64))
    return checked


def stack_tokens(
    rows: Sequence[NDArray[np.float32] | None], width: int
) -> NDArray[np.bool_] | NDArray[np.float32]:
    """Stack marks of tokens; what is missing or padding is NaN."""
    mask = np.full((len(rows), width), np.nan, dtype=np.float32)
    for target, row in zip(mask, rows, strict=True):
        if row is not None:
            target[: len(row)] = row[:width]
    whole = np.isin(mask, (0, 1)).all()
    return mask.astype(bool) if whole else mask


def mark_tokens(
    spans: Sequence[tuple[int, int, float]], offsets: Sequence[Any] | NDArray[Any]
) -> NDArray[np.float32]:
    """Return the degree of each token; NaN of those that stand for no characters."""
    bounds = np.asarray(offsets, dtype=np.int64).reshape(-1, 2)
    starts, ends = bounds.T
    marks = np.where(starts < ends, 0, np.nan).astype(np.float32)
    for start, end, degree in spans:
        touched = (starts < end) & (ends > start) & (starts < ends)
        marks[touched] = np.maximum(marks[touched], degree)
    return marks


def resolve_spans(
    spans: Any, texts: Sequence[str], name: str
) -> list[list[tuple[int, int, float]] | None]:
    """Return the spans of each text, phrases and expressions resolved.

    Parameters
    ----------
    spans : sequence of length n_texts or 1, or compiled regular expression
        As in `mask_from_spans`.
    texts : sequence of str
        The texts.
    name : str
        What errors call `spans`.
    """
    if isinstance(spans, re.Pattern):
        spans = [[spans]]
    is_listed = is_iterable(spans) and hasattr(spans, "__len__")
    if isinstance(spans, dict | set) or not is_listed:
        raise TypeError(
            f"{name} must have a list of {_ENTRIES} for each text, None where it is not annotated, "
            f"or one list for all texts, such as [['portable']]; got {shorten(spans)}."
        )
    entries = [None if _is_missing(entry) else entry for entry in spans]
    if len(entries) not in (1, len(texts)):
        raise ValueError(
            f"{name} must have an entry for each of {len(texts)} texts, or one for all; got "
            f"{len(entries)}."
        )
    checked = [
        None if entry is None else _check_entry(entry, f"{name}[{row}]")
        for row, entry in enumerate(entries)
    ]
    if len(entries) == len(texts):
        return [
            None if entry is None else _resolve(entry, text, f"{name}[{row}]", alone=True)
            for row, (entry, text) in enumerate(zip(checked, texts, strict=True))
        ]
    (entry,) = checked
    if entry is None:
        return [None] * len(texts)
    return [_resolve(entry, text, f"{name}[0]", alone=False) for text in texts]


def _is_missing(entry: object) -> bool:
    """Whether an entry is a missing value of a column, which pandas may have made of a None."""
    is_nan = isinstance(entry, float) and entry != entry
    return entry is None or is_nan or type(entry).__name__ == "NAType"


def _check_entry(entry: Any, where: str) -> list[Any]:
    """Return the spans, phrases and expressions of a text."""
    if isinstance(entry, str | bytes | dict) or not hasattr(entry, "__iter__"):
        raise TypeError(
            f"{where} must be a list of {_ENTRIES}, or None; got {shorten(entry)}. A list for all "
            f"texts is a list of one list, such as [['portable']]."
        )
    if is_span(entry):
        raise ValueError(
            f"{where} must be a list of {_ENTRIES}, or None; got one span, {shorten(entry)}: put "
            f"it into a list."
        )
    found = list(entry)
    for place, item in enumerate(found):
        is_phrase = isinstance(item, str) and bool(item.strip())
        if not (is_phrase or isinstance(item, re.Pattern) or is_span(item)):
            raise ValueError(
                f"{where}[{place}] must be (start, end) with 0 <= start < end in integers, and a "
                f"degree in [0, 1] behind them if there is one; a phrase; or a regular expression; "
                f"got {shorten(item)}."
            )
    return found


def _resolve(
    entry: Sequence[Any], text: str, where: str, *, alone: bool
) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    for place, item in enumerate(entry):
        if isinstance(item, str | re.Pattern):
            pattern = phrase_pattern(item) if isinstance(item, str) else item
            matches = [match.span() for match in pattern.finditer(text) if match.group()]
            if isinstance(item, str) and alone and not matches:
                raise ValueError(
                    f"{where}[{place}] must be a phrase of its text, in whole words; {item!r} is "
                    f"not in {shorten(text)}."
                )
            found += [(*_trimmed(start, end, text), 1.0) for start, end in matches]
            continue
        if item[1] > len(text):
            raise ValueError(
                f"{where}[{place}] must lie within its text of {len(text)} characters; got "
                f"{shorten(tuple(item))}."
            )
        degree = float(item[2]) if len(item) == 3 else 1.0
        found.append((*_trimmed(int(item[0]), int(item[1]), text), degree))
    return found


def _trimmed(start: int, end: int, text: str) -> tuple[int, int]:
    """Return a span without the white space at its ends, unless it has nothing else."""
    words = text[start:end].strip()
    if not words:
        return start, end
    first = text.index(words[0], start)
    return first, first + len(words)
