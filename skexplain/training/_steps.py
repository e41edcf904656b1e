"""Which rows each step of an epoch sees: the batch, the penalised rows and their donors."""

from ._batches import batch_sizes, concatenate, penalised_sizes, shuffled_passes


def fetch_rows(data, replaces, indices):
    """Rows of a step: the batch, the penalised rows, which may be the same, and the donors.

    Where penalised samples are replaced, the first index is of the others of the batch.
    """
    index, penalised_index, donor_index = indices
    everywhere = penalised_index is index
    if replaces and penalised_index is not None:
        batch = penalised = data.batch(penalised_index, with_masks=True)
        if len(index):
            batch = concatenate(data.batch(index), penalised)
        donors = None if donor_index is None else data.batch(donor_index, with_masks=True).rows
        return batch, penalised, donors
    batch = penalised = data.batch(index, with_masks=everywhere)
    if not everywhere:
        penalised = None
        if penalised_index is not None:
            penalised = data.batch(penalised_index, with_masks=True)
    donors = None if donor_index is None else data.batch(donor_index, with_masks=True).rows
    return batch, penalised, donors


def epoch_indices(data, objective, streams, epoch, batch_size, per_batch=None):
    """Draw the rows of each step: the batch, the penalised rows and the donors (or None).

    Parameters
    ----------
    data : TrainingData
    objective : Objective
    streams : Streams
    epoch : int
    batch_size : int
    per_batch : int or None, default=None
        Penalised rows of a step; None: in proportion to their share.

    Returns
    -------
    list of tuple of (LongTensor or None)
    """
    order = shuffled_passes(data.index, len(data), streams.generator("order", epoch))
    batches = order.split(batch_sizes(len(data), batch_size))
    n_penalised = len(data.penalised) if objective.terms or objective.replacing else 0
    if n_penalised and objective.replacing:
        return replaced_indices(data, objective, streams, batches, epoch, per_batch)
    sizes = penalised_sizes([len(batch) for batch in batches], len(data), n_penalised, per_batch)
    if not n_penalised:
        return [(batch, None, None) for batch in batches]
    if data.all_penalised and per_batch is None:
        penalised = batches
    else:
        generator = streams.generator("penalised", epoch)
        penalised = shuffled_passes(data.penalised, sum(sizes), generator).split(sizes)
    donors = [None] * len(batches)
    if objective.takes_donors(data.masks):
        generator = streams.generator("donors", epoch)
        donors = shuffled_passes(data.penalised, sum(sizes), generator).split(sizes)
    return list(zip(batches, penalised, donors, strict=True))


def replaced_indices(data, objective, streams, batches, epoch, per_batch=None):
    """Draw the rows of each step where perturbed samples take the place of the penalised ones."""
    parts = [data.split_penalised(batch) for batch in batches]
    sizes = [len(penalised) for _, penalised in parts]
    if per_batch is not None:
        # Where no sample is clean, two if there are: batch norm cannot train on one.
        sizes = [
            per_batch if len(clean) else max(per_batch, min(2, len(penalised)))
            for clean, penalised in parts
        ]
        generator = streams.generator("penalised", epoch)
        drawn = shuffled_passes(data.penalised, sum(sizes), generator).split(sizes)
        parts = [(clean, penalised) for (clean, _), penalised in zip(parts, drawn, strict=True)]
    donors = [None] * len(parts)
    if objective.takes_donors(data.masks):
        generator = streams.generator("donors", epoch)
        donors = shuffled_passes(data.penalised, sum(sizes), generator).split(sizes)
    return [
        (clean, penalised, of_step) if len(penalised) else (clean, None, None)
        for (clean, penalised), of_step in zip(parts, donors, strict=True)
    ]
