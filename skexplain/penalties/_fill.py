"""What stands in for irrelevant features."""

from dataclasses import replace
from typing import Literal, TypeAlias

import torch
from numpy.typing import ArrayLike

from ..masks._fill import exchange_parts, leave_room, pooled_axes, without_reasons
from ._base import Rows

__all__ = ["exchange", "fill_value", "irrelevant_values", "pooled_axes"]


# A constant, an array that broadcasts to a sample, or the mean of each column or channel.
Fill: TypeAlias = float | ArrayLike | Literal["mean"]


def exchange(rows: Rows, donors: Rows | None) -> Rows:
    """Exchange parts between samples, and mark as irrelevant what either of the two marks.

    A perturbation of its own marked part alone leaves a sample that has a part different from one
    that has none; from here it starts at samples whose parts say nothing about the label.

    Parameters
    ----------
    rows, donors : Rows
        The samples, and a donor for each (or None).

    Returns
    -------
    Rows
        The same where samples do not mark parts of their own, or there are no donors.
    """
    if donors is None or not rows.marks_parts:
        return rows
    union = torch.maximum(rows.irrelevance, donors.irrelevance)
    x = exchange_parts(rows.x, rows.irrelevance, donors.x, donors.irrelevance, rows.x)
    marks = torch.where(leave_room(union, union.ndim), union, rows.irrelevance)
    return replace(rows, x=x, irrelevance=marks)


def fill_value(fill: Fill, rows: Rows) -> torch.Tensor:
    """Return a fill as a tensor that broadcasts to ``rows.x``.

    Parameters
    ----------
    fill : float, "mean" or array-like
        A number, the training mean of each column or channel, or an array that broadcasts to a
        sample.
    rows : Rows
        Samples to be filled.
    """
    if isinstance(fill, str) and fill == "mean":
        return rows.mean
    return torch.as_tensor(fill, dtype=rows.x.dtype, device=rows.x.device)


def irrelevant_values(rows: Rows) -> torch.Tensor:
    """Return the samples with their reasons replaced, so that they can be given to other samples.

    Where a feature is relevant, the mean of the sample's own irrelevant features stands in.

    Returns
    -------
    Tensor of the shape of ``rows.x``
    """
    return without_reasons(rows.x, rows.irrelevance, rows.mean, rows.unit, rows.lower, rows.upper)
