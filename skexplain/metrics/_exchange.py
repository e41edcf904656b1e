"""What a swap puts into a row: the marked part of another row, or nothing where that has none."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..masks._fill import leave_room, without_reasons


class Draw(NamedTuple):
    """Which rows give to which, of one swap.

    Attributes
    ----------
    donors : ndarray of int of shape (n,)
        For each row one of the annotated rows, with or without marks; itself where it takes part
        in nothing.
    marked_donors : ndarray of int of shape (n,)
        The same among the rows with something irrelevant.
    givers : dict of int to ndarray of int of shape (n,)
        For each column without numbers, what stands in for `marked_donors`.
    """

    donors: np.ndarray
    marked_donors: np.ndarray
    givers: dict


def draw_donors(
    annotated: NDArray[Any],
    marked: NDArray[Any],
    marked_by_column: dict[int, NDArray[np.bool_]],
    n_rows: int,
    generator: np.random.Generator,
) -> Draw:
    """Draw the row that gives to each row.

    Parameters
    ----------
    annotated, marked : ndarray of int
        Numbers of the rows with a mask, and of those with something irrelevant.
    marked_by_column : dict of int to bool ndarray of shape (n,)
        For each column without numbers, the rows that mark it.
    n_rows : int
        Number of rows.
    generator : numpy Generator

    Returns
    -------
    Draw
    """
    donors = _cycle(annotated, n_rows, generator)
    marked_donors = donors
    if len(marked) < len(annotated):
        marked_donors = _cycle(marked, n_rows, generator)
    givers = {}
    for column, rows in marked_by_column.items():
        # Where the entry is a reason of the donor, another row gives its own.
        others = _cycle(np.flatnonzero(rows), n_rows, generator)
        givers[column] = np.where(rows & ~rows[marked_donors], others, marked_donors)
        givers[column] = np.where(rows, givers[column], np.arange(n_rows))
    return Draw(donors, marked_donors, givers)


def exchanged(a: Tensor, donor_a: Tensor) -> tuple[Tensor, Tensor]:
    """Tell where a row takes the entries of its donor, so that marked parts can come and go.

    These are the features that either of the two rows marks.  So a row that shows the trap may lose
    it, and a row that does not may be given it, at the place where the donor has it.  Pairs that
    leave less than half of the features unmarked are left out: one row would take over the reasons
    of the other.  So are pairs with equal marks, where nothing can come or go.

    Parameters
    ----------
    a, donor_a : Tensors of shape (rows, ...)
        Degree in [0, 1] to which a feature must not matter, in each row and in its donor.

    Returns
    -------
    union : Tensor of the shape of `a`
        The larger of both degrees.
    applies : bool Tensor of shape (rows, 1, ...)
        Pairs to which the rule applies; all others are swapped as their own marks say.
    """
    union = torch.maximum(a, donor_a)
    fits = leave_room(union.double(), union.ndim)
    return union, fits & (a != donor_a).flatten(1).any(1).view(fits.shape)


def mix(x: Tensor, other: Tensor, degree: Tensor) -> Tensor:
    """Move rows towards others, to the degree of each feature.

    Whole entries are exchanged without arithmetic, so that NaN and infinity neither spread nor get
    lost.
    """
    mixed = torch.where(degree == 1, other, x.lerp(other, degree))
    return torch.where(degree == 0, x, mixed)


def stand_ins(x: Tensor, a: Tensor, statistics: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Return what rows give away, as :func:`without_reasons`, where values are missing, too.

    Parameters
    ----------
    x : Tensor of shape (rows, ...)
        The donors.
    a : Tensor, broadcastable to `x`
        Their degrees.
    statistics : tuple of Tensors
        Mean, unit, least and largest value of each column or channel.
    """
    present = torch.isfinite(x)
    filled = torch.where(present, x, statistics[0])
    given = without_reasons(filled, a * present, *statistics)
    return torch.where(~present & (a == 1), x, given)


def _cycle(rows: NDArray[Any], n_rows: int, generator: np.random.Generator) -> NDArray[Any]:
    """Hand each of some rows to another of them, in one cycle; all others keep their own."""
    order = generator.permutation(rows)
    donors = np.arange(n_rows)
    donors[order] = np.roll(order, 1)
    return donors
