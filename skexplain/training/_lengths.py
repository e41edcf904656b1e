"""Batches of texts of about one length, cut to the longest of them: less padding is computed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..penalties import Rows

# As many batches are sorted by length at a time: more save hardly more padding, and fewer leave
# more of the order to chance.
_GROUP = 20

_OF_COLUMNS = ("x", "irrelevance", "known", "unit", "mean", "lower", "upper")


def text_lengths(X: np.ndarray, pad_id: int) -> torch.Tensor:
    """Return for each sample the number of tokens up to its last one, at least 1.

    Parameters
    ----------
    X : ndarray of shape (n_samples, tokens)
        Ids.
    pad_id : int
        Id of padding.

    Returns
    -------
    LongTensor of shape (n_samples,)
    """
    real = X[:, ::-1] != pad_id
    return torch.from_numpy(np.where(real.any(1), X.shape[1] - real.argmax(1), 1))


def split_by_length(
    order: torch.Tensor, lengths: torch.Tensor, sizes: Sequence[int], generator: torch.Generator
) -> list[torch.Tensor]:
    """Split samples in random order into batches of about one length, in random order.

    Parameters
    ----------
    order : LongTensor
        Positions of the samples.
    lengths : LongTensor
        Length at each position.
    sizes : list of int
        Sizes of the batches.
    generator : torch.Generator

    Returns
    -------
    list of LongTensor
        Each sample once.
    """
    batches: list[torch.Tensor] = []
    for first in range(0, len(sizes), _GROUP):
        of_group = list(sizes[first : first + _GROUP])
        group, order = order.split([sum(of_group), len(order) - sum(of_group)])
        batches += group[lengths[group].argsort(stable=True)].split(of_group)
    return [batches[place] for place in torch.randperm(len(batches), generator=generator)]


def shorten(rows: Rows | None, n_tokens: int) -> Any:
    """Return samples without the tokens behind the first ones."""
    if rows is None:
        return None
    width = rows.x.shape[1]
    cut = {
        name: values[..., :n_tokens]
        for name in _OF_COLUMNS
        if (values := getattr(rows, name)) is not None and values.shape[-1] == width
    }
    return replace(rows, **cut)


def outputs_by_length(
    outputs: Callable[[np.ndarray], torch.Tensor], X: np.ndarray, pad_id: int, batch_size: int
) -> torch.Tensor:
    """Return the outputs of samples that are computed in the order of their lengths.

    Parameters
    ----------
    outputs : callable
        Of a network, ``outputs(X)``.
    X : ndarray of shape (n_samples, tokens)
    pad_id : int
    batch_size : int
        Samples at a time.

    Returns
    -------
    Tensor of shape (n_samples, n_outputs)
        In the order of X.
    """
    lengths = text_lengths(X, pad_id)
    order = lengths.argsort(stable=True)
    found = [outputs(X[part.numpy(), : lengths[part[-1]]]) for part in order.split(batch_size)]
    return torch.cat(found)[order.argsort()]


def check_lengths(module: nn.Module, X: np.ndarray, pad_id: int | None, device: Any) -> None:
    """Check that the outputs of a network do not depend on padding behind a text.

    Parameters
    ----------
    module : nn.Module
        On the device; its mode stays as it is.
    X : ndarray of shape (n_samples, tokens)
        Ids.
    pad_id : int or None
    device : torch.device

    Raises
    ------
    ValueError
        If they do, or there is no padding.
    """
    if pad_id is None:
        raise ValueError(
            "batches_by_length must be False where the id of padding is not known: pass pad_id."
        )
    lengths = text_lengths(X, pad_id)
    shortest = lengths.argsort(stable=True)[:2]
    n_tokens = int(lengths[shortest].max())
    x = torch.as_tensor(X[shortest.numpy()].astype(np.float32), device=device)
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            whole, cut = module(x), module(x[:, :n_tokens])
        same = torch.allclose(whole, cut, rtol=1e-3, atol=1e-4)
    except RuntimeError:  # it takes one number of tokens alone
        same = False
    finally:
        module.train(was_training)
    if not same:
        raise ValueError(
            f"batches_by_length must be False for a network whose outputs depend on padding; those "
            f"of {type(module).__name__} change where padding behind a text is left out."
        )
