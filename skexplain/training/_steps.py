"""Which samples each step of an epoch sees: the batch, the penalised samples and their donors."""

from collections.abc import Sequence
from typing import TypeAlias

import torch

from ..penalties import Rows
from ._batches import TrainingData, batch_sizes, concatenate, penalised_sizes, shuffled_passes
from ._lengths import shorten, split_by_length
from ._objective import Objective
from ._random import Streams

# Of the batch, of the penalised samples and of their donors: see `epoch_steps`.
Positions: TypeAlias = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


def epoch_steps(
    data: TrainingData,
    objective: Objective,
    streams: Streams,
    epoch: int,
    *,
    batch_size: int,
    annotated_per_batch: int | None = None,
    penalty_every: int = 1,
    first_step: int = 0,
) -> list[Positions]:
    """Draw the samples of each step of an epoch.

    Parameters
    ----------
    data : TrainingData
    objective : Objective
        Says whether there are penalties, and whether they replace the clean samples.
    streams : Streams
        Random streams.
    epoch : int
        Number of the epoch.
    batch_size : int
        Samples per step.
    annotated_per_batch : int or None, default=None
        Penalised samples per step; None: in proportion to their share.
    penalty_every : int, default=1
        Steps from one with penalties to the next; the others draw no penalised samples, unless
        these are replaced.
    first_step : int, default=0
        Number of the first step; those whose number `penalty_every` divides have penalties.

    Returns
    -------
    list of (LongTensor, LongTensor or None, LongTensor or None)
        Positions in X of the batch, of the penalised samples (the same object where these are the
        batch) and of their donors.  Where penalised samples are replaced, the first are those of
        the batch that are not penalised.
    """
    generator = streams.generator("order", epoch)
    order = shuffled_passes(data.index, len(data), generator)
    batches: Sequence[torch.Tensor] = order.split(sizes := batch_sizes(len(data), batch_size))
    if data.lengths is not None:
        batches = split_by_length(order, data.lengths, sizes, generator)
    if not len(data.penalised) or not (objective.terms or objective.replacing):
        return [(batch, None, None) for batch in batches]
    if objective.replacing:
        return _replaced(data, objective, streams, epoch, batches, annotated_per_batch)
    due = slice(-first_step % penalty_every, None, penalty_every)
    sizes = penalised_sizes(
        [len(batch) for batch in batches[due]], len(data), len(data.penalised), annotated_per_batch
    )
    if data.all_penalised and annotated_per_batch is None:
        penalised = batches[due]
    else:
        penalised = _draw(data, streams, "penalised", epoch, sizes)
    donors = _draw_donors(data, objective, streams, epoch, sizes)
    steps: list[Positions] = [(batch, None, None) for batch in batches]
    steps[due] = zip(batches[due], penalised, donors, strict=True)
    return steps


def evaluation_steps(
    data: TrainingData, objective: Objective, streams: Streams, batches: Sequence[torch.Tensor]
) -> list[Positions]:
    """Return the samples of each step of an evaluation, with the same donors at every call."""
    if not objective.replacing or not len(data.penalised):
        return [(batch, None, None) for batch in batches]
    return _replaced(data, objective, streams, 0, batches)


def read_step(
    data: TrainingData, objective: Objective, positions: Positions
) -> tuple[Rows, Rows | None, Rows | None]:
    """Read the samples of a step; texts are cut to the longest, where batches are made by length.

    Parameters
    ----------
    data : TrainingData
    objective : Objective
    positions : tuple
        An item of what `epoch_steps` returns.

    Returns
    -------
    batch, penalised : Rows
        All samples, and the penalised ones (the same object, others, or None), which are the last
        of the batch where they are replaced.
    donors : Rows or None
    """
    batch, penalised, donors = _read_whole(data, objective, positions)
    if data.lengths is None:
        return batch, penalised, donors
    of_texts = [index for index in positions[:2] if index is not None]
    n_tokens = int(data.lengths[torch.cat(of_texts)].max())
    short = shorten(batch, n_tokens)
    same = penalised is batch
    return short, short if same else shorten(penalised, n_tokens), shorten(donors, n_tokens)


def _read_whole(
    data: TrainingData, objective: Objective, positions: Positions
) -> tuple[Rows, Rows | None, Rows | None]:
    index, penalised_index, donor_index = positions
    donors = None if donor_index is None else data.rows(donor_index, with_masks=True)
    if penalised_index is None:
        return data.rows(index), None, None
    if penalised_index is index:
        batch = data.rows(index, with_masks=True)
        return batch, batch, donors
    penalised = data.rows(penalised_index, with_masks=True)
    if not objective.replacing:
        return data.rows(index), penalised, donors
    if not len(index):
        return penalised, penalised, donors
    return concatenate(data.rows(index), penalised), penalised, donors


def _replaced(
    data: TrainingData,
    objective: Objective,
    streams: Streams,
    epoch: int,
    batches: Sequence[torch.Tensor],
    per_batch: int | None = None,
) -> list[Positions]:
    """Split each batch into its samples without and with a penalty."""
    clean, penalised = zip(*map(data.split_penalised, batches), strict=True)
    if per_batch is not None:
        # Where no sample is clean, two if there are: batch norm cannot train on one.
        sizes = [
            per_batch if len(others) else max(per_batch, min(2, len(of_step)))
            for others, of_step in zip(clean, penalised, strict=True)
        ]
        penalised = _draw(data, streams, "penalised", epoch, sizes)
    sizes = [len(of_step) for of_step in penalised]
    donors = _draw_donors(data, objective, streams, epoch, sizes)
    return [
        step if len(step[1]) else (step[0], None, None)
        for step in zip(clean, penalised, donors, strict=True)
    ]


def _draw_donors(
    data: TrainingData, objective: Objective, streams: Streams, epoch: int, sizes: Sequence[int]
) -> Sequence[torch.Tensor | None]:
    if not objective.takes_donors(data.masks):
        return [None] * len(sizes)
    return _draw(data, streams, "donors", epoch, sizes)


def _draw(
    data: TrainingData, streams: Streams, purpose: str, epoch: int, sizes: Sequence[int]
) -> Sequence[torch.Tensor]:
    """Draw penalised samples for each step, in shuffled passes."""
    generator = streams.generator(purpose, epoch)
    return shuffled_passes(data.penalised, sum(sizes), generator).split(sizes)
