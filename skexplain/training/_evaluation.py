"""Losses of an epoch: of samples that are not trained on, and what depends on them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from ._batches import TrainingData, shuffled_passes
from ._callbacks import BatchWatchers
from ._objective import Objective, weights_of
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
        means.add("label_loss", loss, _total(trained_on.label_weight, n_rows))
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
        for term in objective.terms:
            total = _total(weights_of(term, penalised), len(index))
            means.add(term.name, values[term.name], total)
    return means.result()


def _total(weight: torch.Tensor | None, n_samples: int) -> float:
    return n_samples if weight is None else float(weight.sum())


def settle_alphas(trainer: "Trainer", data: TrainingData, objective: Objective) -> Objective:
    """Weigh each automatic term as the label loss, at the end of the first epoch with masks.

    Parameters
    ----------
    trainer : Trainer
        Its weights of terms and its history are changed.
    data : TrainingData
    objective : Objective

    Returns
    -------
    Objective
        The same with the new weights.
    """
    switched_on = {**trainer.alphas_, **dict.fromkeys(trainer.unsettled_, 1.0)}
    objective = objective.with_terms(trainer.method.weighted(switched_on))
    # A few thousand samples are enough to estimate the ratio.
    means = evaluate_losses(trainer, data, objective, max_rows=4096)
    label_loss = means.pop("label_loss")
    for name in trainer.unsettled_:
        trainer.alphas_[name] = label_loss / means[name] if means[name] > 0 else 0.0
        trainer.history.record(f"train_{name}", means[name])
    trainer.unsettled_ = set()
    # Early stopping compares this epoch with later ones, which have the penalty.
    settled = objective.with_terms(trainer.method.weighted(trainer.alphas_))
    trainer.history.record("train_loss", settled.total(label_loss, means))
    return settled


def with_all_penalties(
    losses: dict[str, float], before: Mapping[str, Any], objective: Objective
) -> dict[str, float]:
    """Complete the losses of an epoch in which some steps, or all, were without penalties.

    A penalty is the mean over the steps that had it, else that of the epoch before; the loss is the
    sum, so that early stopping compares epochs alike.

    Parameters
    ----------
    losses : dict of str to float
        By the names that they have in the history.
    before : dict of str to object
        Row of the epoch before in the history; empty: there is none.
    objective : Objective

    Returns
    -------
    dict of str to float
    """
    names = {f"train_{term.name}": term.name for term in objective.terms}
    kept = {key: before[key] for key in names if key in before and key not in losses}
    losses = {**losses, **kept}
    penalties = {name: losses[key] for key, name in names.items() if key in losses}
    return {**losses, "train_loss": objective.total(losses["train_label_loss"], penalties)}


def _sample(rows: torch.Tensor, max_rows: int | None, streams: Streams) -> torch.Tensor:
    """At most so many samples, drawn at random: they may be sorted by class; None: all."""
    if max_rows is None:
        return rows
    return shuffled_passes(rows, min(max_rows, len(rows)), streams.generator("order"))
