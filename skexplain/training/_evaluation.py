"""Losses of samples under an objective, without training on them."""

from typing import TYPE_CHECKING

import torch

from ._batches import TrainingData, shuffled_passes
from ._callbacks import BatchWatchers
from ._objective import Objective
from ._random import Streams
from ._reductions import RunningMeans
from ._steps import evaluation_steps, read_step

if TYPE_CHECKING:
    from ._trainer import Trainer


def evaluate_losses(
    trainer: "Trainer",
    data: TrainingData,
    objective: Objective,
    max_rows: int | None = None,
    watchers: BatchWatchers | None = None,
) -> dict[str, float]:
    """Mean label loss and penalties over samples, with the same draws at every call.

    Parameters
    ----------
    trainer : Trainer
        Whose network, streams and batch size are used.
    data : TrainingData
    objective : Objective
    max_rows : int or None, default=None
        At most so many samples, and so many penalised ones, drawn at random; None: all.
    watchers : BatchWatchers or None, default=None
        Serve callbacks that use single batches.

    Returns
    -------
    dict of str to float
        ``label_loss`` and each penalty by its name.
    """
    means = RunningMeans()
    generators = trainer.generators(0)
    size = trainer.effective_batch_size(data)
    trainer.module_.eval()
    index = _sample(data.index, max_rows, trainer.streams)
    for step in evaluation_steps(data, objective, trainer.streams, index.split(size)):
        batch, penalised, donors = read_step(data, objective, step)
        n_rows, trained_on = len(batch.y), batch
        if watchers:
            watchers.begin(batch, training=False)
        if penalised is not None:
            trained_on, _ = objective.replace_clean(batch, penalised, donors, generators)
        with torch.no_grad():
            loss, logits, _ = objective.label_term(trained_on)
            if watchers and watchers.active and penalised is not None:
                # Scores of held-out samples are of what `predict` says of them.
                _, logits, _ = objective.label_term(batch)
        means.add("label_loss", loss, n_rows)
        if watchers:
            watchers.end(batch, loss, logits, training=False)
    rows = _sample(data.penalised, max_rows if objective.terms else 0, trainer.streams)
    if not len(rows):  # none of the samples held out is penalised
        return means.result()
    donors = shuffled_passes(data.penalised, len(rows), trainer.streams.generator("donors"))
    size = min(size, trainer.penalty_chunk_size or size)
    for index, donor_index in zip(rows.split(size), donors.split(size), strict=True):
        penalised = data.rows(index, with_masks=True)
        with_donors = None
        if objective.takes_donors(data.masks):
            with_donors = data.rows(donor_index, with_masks=True)
        values = objective.penalty_terms(penalised, with_donors, generators)
        for name, value in values.items():
            means.add(name, value, len(index))
    return means.result()


def _sample(rows: torch.Tensor, max_rows: int | None, streams: Streams) -> torch.Tensor:
    """At most so many samples, drawn at random: they may be sorted by class; None: all."""
    if max_rows is None:
        return rows
    return shuffled_passes(rows, min(max_rows, len(rows)), streams.generator("order"))
