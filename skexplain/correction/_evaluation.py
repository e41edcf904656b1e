"""Features of samples and of their swapped copies, and how a corrected network fares on them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from ._copies import SwappedCopies
from ._features import FeatureReader, Features
from ._network import Network, Site
from ._splice import splice, unsplice
from ._tail import Tail


class Correction(Protocol):
    """What is done to a network at a site."""

    def apply(self, module: nn.Module) -> nn.Module:
        """Return a corrected copy of a network."""

    def undo(self, module: nn.Module) -> nn.Module:
        """Return a copy of a corrected network as it was before."""

    def on_tail(self, tail: Tail) -> nn.Module:
        """Return what computes the corrected logits from features at the site."""


@dataclass
class Splice:
    """A layer that is put into a network.

    Attributes
    ----------
    layer : nn.Module
        The projection, or the new head.
    where : {"before", "behind", "instead"}
        Where it stands.
    site : Site
        At which layer of the network.
    """

    layer: nn.Module
    where: str
    site: Site

    def apply(self, module: nn.Module) -> nn.Module:
        """Return a corrected copy of a network."""
        return splice(module, self.site.layer, self.layer, self.where)

    def undo(self, module: nn.Module) -> nn.Module:
        """Return a copy of a corrected network as it was before."""
        return unsplice(module, self.site.layer)

    def on_tail(self, tail: Tail) -> nn.Module:
        """Return what computes the corrected logits from features at the site."""
        if self.where == "instead":
            return Tail(self.layer, tail.prefix)
        return nn.Sequential(self.layer, tail)


@dataclass
class Retrained:
    """Weights of the layers behind a site, trained further.

    Attributes
    ----------
    new, old : dict of str to Tensor
        Weights by their names in the network: those that have changed.
    """

    new: dict[str, torch.Tensor]
    old: dict[str, torch.Tensor]

    def apply(self, module: nn.Module) -> nn.Module:
        """Return a corrected copy of a network."""
        return _with_weights(module, self.new)

    def undo(self, module: nn.Module) -> nn.Module:
        """Return a copy of a corrected network as it was before."""
        return _with_weights(module, self.old)

    def on_tail(self, tail: Tail) -> nn.Module:
        """Return what computes the corrected logits from features at the site."""
        return tail.with_weights(self.new)


def _with_weights(module: nn.Module, weights: dict[str, torch.Tensor]) -> nn.Module:
    other = deepcopy(module)
    other.load_state_dict(weights, strict=False)
    return other


class Swaps:
    """Swapped copies of the samples that a swap may change; drawn again, they are the same.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
    copies : SwappedCopies
    n_copies : int
    seed : int
    """

    def __init__(self, X: np.ndarray, copies: SwappedCopies, n_copies: int, seed: int) -> None:
        self.X = X
        self.copies = copies
        self.n_copies = n_copies
        self.seed = seed
        #: Numbers of the samples in X.
        self.rows = copies.rows

    def on(self, rows: np.ndarray) -> Swaps:
        """Return the same copies of other samples, of these numbers in X."""
        other = copy(self)
        other.rows = rows
        return other

    def clean(self) -> Iterator[np.ndarray]:
        """Yield the samples as they are, in blocks."""
        yield from _blocks(self.X, self.rows)

    def swapped(self, number: int) -> Iterator[np.ndarray]:
        """Yield the copies of one number, in blocks."""
        generator = np.random.default_rng([self.seed, number])
        yield from self.copies.draw(self.rows, generator)

    def read_clean(self, reader: FeatureReader) -> list[Features]:
        """Read the features of the samples as they are, per site."""
        return reader.read(self.clean, len(self.rows), self.rows)

    def read_swapped(self, reader: FeatureReader) -> list[list[Features]]:
        """Read the features of the copies, per number and site."""
        marks = self.copies.masks
        drawn = (marks.stored, marks.place, marks.annotated, marks.has_irrelevant)
        drawn += (marks.marks_relevant, marks.taking_part, marks.absent)
        drawn += (self.copies.exchange, self.seed)
        return [
            reader.read(partial(self.swapped, k), len(self.rows), self.rows, *drawn, k)
            for k in range(self.n_copies)
        ]

    def logits(self, network: Network, module: Any) -> tuple[np.ndarray, np.ndarray]:
        """Compute logits of the samples, and of the copies, of a corrected network."""
        clean = network.logits(self.clean(), module)
        swapped = [network.logits(self.swapped(k), module) for k in range(self.n_copies)]
        return clean, np.stack(swapped)


def _blocks(X: np.ndarray, rows: np.ndarray, size: int = 256) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), size):
        yield X[rows[start : start + size]]


@dataclass
class Outcome:
    """What a network predicts on samples and on their swapped copies.

    Attributes
    ----------
    clean : ndarray of int of shape (m,)
        Predicted codes of the samples.
    swapped : ndarray of int of shape (n_copies, m)
        Those of their copies.
    """

    clean: np.ndarray
    swapped: np.ndarray

    @classmethod
    def of(cls, logits: tuple[np.ndarray, np.ndarray]) -> Outcome:
        """Return the predictions that logits make."""
        return cls(logits[0].argmax(-1), logits[1].argmax(-1))

    def hits(self, codes: np.ndarray) -> np.ndarray:
        """Return the share of the copies of each sample that is predicted right."""
        return (self.swapped == codes).mean(0)

    def accuracy(self, codes: np.ndarray, weight: np.ndarray | None = None) -> float:
        """Return the accuracy on the samples as they are."""
        return float(np.average(self.clean == codes, weights=weight))

    def flip_rate(self, weight: np.ndarray | None = None) -> float:
        """Return the share of the copies that is predicted otherwise than the sample."""
        changed = self.swapped != self.clean
        return float(
            changed.mean() if weight is None else np.average(changed.mean(0), weights=weight)
        )


def mean_and_error(values: np.ndarray, weight: np.ndarray | None) -> tuple[float, float]:
    """Return the mean of values, one per sample, and its standard error.

    Parameters
    ----------
    values : ndarray of shape (m,)
    weight : ndarray of shape (m,) or None
        A sample that weighs more is still one observation.

    Returns
    -------
    mean, error : float
    """
    if weight is None:
        return float(values.mean()), float(values.std() / np.sqrt(len(values)))
    share = weight / weight.sum()
    mean = float(share @ values)
    variance = float(share @ (values - mean) ** 2)
    return mean, float(np.sqrt(variance / n_effective(weight)))


def n_effective(weight: np.ndarray) -> float:
    """Return of how many equal samples the mean would scatter as that of weighted ones."""
    return float(weight.sum() ** 2 / (weight**2).sum())
