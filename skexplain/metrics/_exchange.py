"""Which features a swap exchanges between samples, and by which values."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..masks._fill import leave_room, without_reasons


class Draw(NamedTuple):
    """Which samples give to which, of one swap.

    Attributes
    ----------
    donors : ndarray of int of shape (n_samples,)
        For each sample one of the annotated samples, with or without marks; itself where it takes
        part in nothing.
    marked_donors : ndarray of int of shape (n_samples,)
        The same among the samples with something irrelevant.
    givers : dict of int to ndarray of int of shape (n_samples,)
        For each column without numbers, what stands in for `marked_donors`.
    marks : bool ndarray of shape (n_samples, tokens) or None
        The tokens that are marked in this draw, each with the probability that its degree says;
        None: degrees are as they are.
    """

    donors: np.ndarray
    marked_donors: np.ndarray
    givers: dict
    marks: NDArray[np.bool_] | None = None


def draw_donors(
    annotated: NDArray[Any],
    marked: NDArray[Any],
    marked_by_column: dict[int, NDArray[np.bool_]],
    n_rows: int,
    generator: np.random.Generator,
) -> Draw:
    """Draw the sample that gives to each sample.

    Parameters
    ----------
    annotated, marked : ndarray of int
        Indices of the samples with a mask, and of those with something irrelevant.
    marked_by_column : dict of int to bool ndarray of shape (n_samples,)
        For each column without numbers, the samples that mark it.
    n_rows : int
        Number of samples.
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
        # Where the entry is a reason of the donor, another sample gives its own.
        others = _cycle(np.flatnonzero(rows), n_rows, generator)
        givers[column] = np.where(rows & ~rows[marked_donors], others, marked_donors)
        givers[column] = np.where(rows, givers[column], np.arange(n_rows))
    return Draw(donors, marked_donors, givers)


def exchanged(a: Tensor, donor_a: Tensor) -> tuple[Tensor, Tensor]:
    """Return where a sample takes the entries of its donor, so that marked parts can come and go.

    These are the features that either of the two samples marks.  So a sample that shows the
    shortcut may lose it, and a sample that does not may be given it, at the place where the donor
    has it.  Pairs that leave less than half of the features unmarked are left out: one sample would
    take over the reasons of the other.  So are pairs with equal marks, where nothing can come or
    go.

    Parameters
    ----------
    a, donor_a : Tensors of shape (n_samples, ...)
        Degree in [0, 1] to which a feature must not matter, in each sample and in its donor.

    Returns
    -------
    union : Tensor of the shape of `a`
        The larger of both degrees.
    applies : bool Tensor of shape (n_samples, 1, ...)
        Pairs to which the rule applies; all others are swapped as their own marks say.
    """
    union = torch.maximum(a, donor_a)
    fits = leave_room(union.double(), union.ndim)
    return union, fits & (a != donor_a).flatten(1).any(1).view(fits.shape)


def mix(x: Tensor, other: Tensor, degree: Tensor) -> Tensor:
    """Move samples towards others, to the degree of each feature.

    Whole entries are exchanged without arithmetic, so that NaN and infinity neither spread nor get
    lost.
    """
    whole = degree == 1
    if (whole | (degree == 0)).all():
        return torch.where(whole, other, x)
    mixed = torch.where(whole, other, x.lerp(other, degree))
    return torch.where(degree == 0, x, mixed)


def stand_ins(x: Tensor, a: Tensor, statistics: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """Return what samples give away, as :func:`without_reasons`, where values are missing, too.

    Parameters
    ----------
    x : Tensor of shape (n_samples, ...)
        The donors.
    a : Tensor, broadcastable to `x`
        Their degrees.
    statistics : tuple of Tensors
        Mean, unit, least and largest value of each column or channel.
    """
    present = torch.isfinite(x)
    if present.all():
        return without_reasons(x, a, *statistics)
    filled = torch.where(present, x, statistics[0])
    given = without_reasons(filled, a * present, *statistics)
    return torch.where(~present & (a == 1), x, given)


def _cycle(rows: NDArray[Any], n_rows: int, generator: np.random.Generator) -> NDArray[Any]:
    """Permute some samples in one cycle; all others keep their own index."""
    order = generator.permutation(rows)
    donors = np.arange(n_rows)
    donors[order] = np.roll(order, 1)
    return donors
