"""Words of texts in any script, and where phrases stand in a text."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

# Scripts that put no space between words: Thai to Tibetan's neighbours, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)


@cache
def _marks() -> str:
    """Return all combining marks, which belong to the letter before, for a set of characters."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith("M"):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


@cache
def word_pattern() -> re.Pattern[str]:
    """Return the expression of a word, or of a sign that is none.

    A word is letters and digits with their marks, joined by apostrophes.  Of scripts without
    spaces each character is a word.
    """
    marks = _marks()
    word = rf"(?:[^\W{_UNSPACED}][{marks}]*)+"
    return re.compile(rf"{word}(?:['’]{word})*|\S[{marks}]*")


def _spellings(word: str) -> str:
    forms = [word, *(unicodedata.normalize(form, word) for form in ("NFC", "NFD"))]
    return f"(?:{'|'.join(re.escape(form) for form in dict.fromkeys(forms))})"


@cache
def phrase_pattern(phrase: str) -> re.Pattern[str]:
    """Return the expression that finds a phrase: whole words, in any case, across white space.

    Letters with marks are found however they are written: as one character or as several.
    """
    inside = r"\s+".join(map(_spellings, phrase.split()))
    letter = rf"[^\W{_UNSPACED}]"
    bare = phrase.strip()
    before = rf"(?<!{letter})" if re.match(letter, bare[0]) else ""
    after = rf"(?!{letter}|[{_marks()}])" if re.match(letter, bare[-1]) else ""
    return re.compile(before + inside + after, re.IGNORECASE)
