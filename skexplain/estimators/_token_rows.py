"""Rows of token ids and marks of one length, from the tokens of texts."""

import re
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import TruncatedTextsWarning
from ..masks._labels import check_row_order, is_series
from ..masks._spans._tokens import mark_tokens, resolve_spans

_ROOM = 8
_MANY = 0.1  # of the texts without annotation


def read_mask(mask: Any, texts: Any, index: NDArray[Any]) -> Any:
    """Return the spans of each text, None without a mask."""
    if mask is None:
        return None
    if is_series(mask):
        check_row_order(mask.index, index)
    spans = resolve_spans(mask, texts, "mask")
    one_for_all = isinstance(mask, re.Pattern) or len(mask) == 1 < len(texts)
    if one_for_all and None not in spans and not any(spans):
        warnings.warn(
            f"mask has one list for all of {len(texts)} texts, and nothing in it is in any of "
            f"them: {mask!r:.200}.",
            UserWarning,
            stacklevel=3,
        )
    return spans


def check_vocabulary(module: Any, n_ids: int) -> None:
    """Check that a pretrained network is not given the ids of a vocabulary learnt from the texts.

    Parameters
    ----------
    module : object
        The parameter `module` of an estimator; networks within ``functools.partial`` are found.
    n_ids : int
        Number of ids of the vocabulary.

    Raises
    ------
    ValueError
        If it has a vocabulary of its own, of another size.
    """
    for network in (module, *(module.args if isinstance(module, partial) else ())):
        config: Any = getattr(network, "config", None)
        name = getattr(config, "name_or_path", "")
        if name and getattr(config, "vocab_size", n_ids) != n_ids:
            raise ValueError(
                f"tokenizer must be that of the pretrained network, such as "
                f"AutoTokenizer.from_pretrained({name!r}): the {config.vocab_size} ids of "
                f"{type(network).__name__} are not those of words learnt from the texts."
            )


def with_room(n_tokens: Any, limit: Any) -> Any:
    """Leave a little room for texts to predict that are longer than those of the training."""
    room = -(-max(n_tokens, 1) // _ROOM) * _ROOM
    return room if limit is None else min(room, limit)


def stack_ids(encoded: Any, n_tokens: Any, pad: Any) -> Any:
    """Return the ids of texts as rows of one length."""
    ids = np.full((len(encoded), n_tokens), pad, dtype=np.int64)
    for row, each in zip(ids, encoded, strict=True):
        row[: len(each.ids)] = each.ids
    return ids


def token_rows(spans: Any, encoded: Any) -> Any:
    """Return the degree of each token of each text, None where it is not annotated."""
    return [
        None if marks is None else mark_tokens(marks, tokens.offsets)
        for marks, tokens in zip(spans, encoded, strict=True)
    ]


def spread_marks(rows: Sequence[NDArray[Any] | None], encoded: Any, n_ids: Any) -> Any:
    """Return the rows, with those of texts without annotation made from the others."""
    there, marked = np.zeros(n_ids), np.zeros(n_ids)
    for row, tokens in zip(rows, encoded, strict=True):
        if row is not None:
            known = ~np.isnan(row)
            np.add.at(there, tokens.ids[known], 1)
            np.add.at(marked, tokens.ids[known], row[known])
    if not there.any():
        return rows
    of_id = np.where(there > 0, 2 * marked > there, np.nan).astype(np.float32)
    return [
        of_id[tokens.ids] if row is None else row for row, tokens in zip(rows, encoded, strict=True)
    ]


def warn_of_marked_words(rows: Any, spread: Any, stacklevel: int) -> None:
    """Warn where many texts without annotation have words that annotated ones mark."""
    of_others = [marks for row, marks in zip(rows, spread, strict=True) if row is None]
    n_found = sum(marks is not None and bool((marks > 0).any()) for marks in of_others)
    if n_found and n_found >= _MANY * len(of_others):
        warnings.warn(
            f"mask leaves {len(of_others)} texts without annotation, and {n_found} of them have "
            f"words that the annotated ones mark in most places: these texts go on to reward "
            f"them. spread=True marks them there, too; spread=False says that they may count.",
            UserWarning,
            stacklevel=stacklevel,
        )


def warn_of_cuts(whole: Any, kept: Any, spans: Any, stacklevel: Any) -> None:
    """Warn of tokens that were cut, in numbers, and of those among them that were marked."""
    cut = [len(a.ids) - len(b.ids) for a, b in zip(whole, kept, strict=True)]
    if not any(cut):
        return
    marked = ""
    if spans is not None:
        before, after = (
            sum(np.count_nonzero(row > 0) for row in token_rows(spans, encoded) if row is not None)
            for encoded in (whole, kept)
        )
        marked = f", {before - after} of {before} marked ones among them"
    total = sum(len(encoded.ids) for encoded in whole)
    longest_kept = max(len(encoded.ids) for encoded in kept)
    warnings.warn(
        f"{np.count_nonzero(cut)} of {len(cut)} texts have more than {longest_kept} tokens: "
        f"{sum(cut)} of {total} tokens ({sum(cut) / total:.1%}) are cut{marked}. max_length, or "
        f"the longest training text, says how many are kept.",
        TruncatedTextsWarning,
        stacklevel=stacklevel,
    )
