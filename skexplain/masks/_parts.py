"""Marks of parts: a ruler in some images, a word in some texts, each sample with its own marks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ._fill import _LEAST_ROOM, leave_room_on_average

if TYPE_CHECKING:
    from ._meaning import Masks

# Pairs of samples that decide whether marks are parts of a sample.
_N_PAIRS = 256
# Samples that are read at once.
_CHUNK_ROWS = 1024
# Places are known where this share of all marks lies at features that another sample marks, too.
_LEAST_AGREEMENT = 0.9


def mark_parts(masks: "Masks") -> bool:
    """Return whether samples mark parts of their own, such as a patch or some words.

    What either of two samples marks then leaves at least half of the features, on average over
    pairs.  Where marks say what the reason is, everything else is irrelevant: there are no parts.
    Nor are there where all samples mark the same, which is one mask for all.

    Parameters
    ----------
    masks : Masks

    Returns
    -------
    bool
    """
    rows = np.flatnonzero(masks.has_irrelevant)
    if masks.marks_relevant or masks.for_all_rows or not len(rows):
        return False
    pairs = np.random.default_rng(0).choice(rows, (2, _N_PAIRS))
    every_row_marks = len(rows) == masks.annotated.sum() and not masks.some_lack_one
    if masks.stored.dtype == bool and masks.absent is None:
        # The same in an eighth of the memory: float64 for hundreds of photographs are a gigabyte.
        ones, others = (masks.take(part) for part in pairs)
        if every_row_marks and np.array_equal(ones, others):
            return False
        union = np.logical_or(ones, others)
        return bool(np.count_nonzero(union) / union.size <= 1 - _LEAST_ROOM)
    first, second = (masks.degrees_of(part)[0] for part in pairs)
    if every_row_marks and torch.equal(first, second):
        return False
    present = None if masks.absent is None else torch.from_numpy(~masks.absent[pairs[0]])
    return leave_room_on_average(first, second, present)


def pooled_marks(masks: "Masks") -> Tensor | None:
    """Pool the marks of all samples where they show that the places are always the same ones.

    Parameters
    ----------
    masks : Masks
        Whose samples mark parts of their own.

    Returns
    -------
    float32 Tensor of shape (1, ...) or None
        Degree of each feature, the largest of all samples.  None where less than 90 % of the marks
        are at features that another sample marks, too, or where the places leave less than half of
        the features.
    """
    rows = np.flatnonzero(masks.has_irrelevant)
    counts: Any = 0
    largest: Any = 0
    for start in range(0, len(rows), _CHUNK_ROWS):
        degrees, _ = masks.degrees_of(rows[start : start + _CHUNK_ROWS])
        counts = counts + (degrees > 0).sum(0, keepdim=True)
        chunk_largest = degrees.amax(0, keepdim=True)
        largest = torch.maximum(chunk_largest, torch.as_tensor(largest).to(chunk_largest))
    agreement = int(counts[counts > 1].sum()) / int(counts.sum())
    present = None
    if masks.absent is not None:  # how often there is a feature at each place
        present = torch.from_numpy(1 - masks.absent[rows].mean(axis=0, keepdims=True))
    if agreement < _LEAST_AGREEMENT or not leave_room_on_average(largest, largest, present):
        return None
    return largest.float()
