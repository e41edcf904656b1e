"""A site with the features of samples and copies there, and what a correction makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..masks import Masks
from ._evaluation import Correction, Swaps
from ._features import FeatureReader, Features
from ._material import Material
from ._network import Network, Site, as_logits, evaluating
from ._tail import Tail

# Values of features that a tail runs on at once.
_BLOCK_VALUES = 1 << 22


@dataclass
class Place:
    """A site, the features there, and the part of the network behind it.

    Attributes
    ----------
    network : Network
    site : Site
    tail : Tail or None
        What the network computes from the features; None: it runs on the inputs instead.
    swaps : Swaps
    masks : Masks
        The masks under which the copies were drawn.
    reader : FeatureReader
        Reads features at the site.
    material : Material
        The features, pooled over positions.
    clean : ndarray of shape (m, ...) or None
        Features of the samples that a swap may change, as the tail takes them.
    swapped : list of ndarray
        Those of their copies.
    others : ndarray or None
        Those of all other samples.
    """

    network: Network
    site: Site
    tail: Tail | None
    swaps: Swaps
    masks: Masks
    reader: FeatureReader
    material: Material
    clean: np.ndarray | None
    swapped: list[np.ndarray]
    others: np.ndarray | None

    def logits(
        self, correction: Correction | None, rows: np.ndarray, tail: Tail | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute logits of some samples and of their copies under a correction.

        Parameters
        ----------
        correction : Correction or None
            None: of the network as it is.
        rows : ndarray of int
            Among the samples that a swap may change.
        tail : Tail or None, default=None
            With another head; None: the network's own.

        Returns
        -------
        clean : ndarray of shape (len(rows), n_classes)
        swapped : ndarray of shape (n_copies, len(rows), n_classes)
        """
        tail = self.tail if tail is None else tail
        if tail is None or self.clean is None:
            swaps = self.swaps.on(self.swaps.rows[rows])
            module = self.network.module
            return swaps.logits(
                self.network, module if correction is None else correction.apply(module)
            )
        runs = tail if correction is None else correction.on_tail(tail)
        swapped = np.stack([self._run(runs, features[rows]) for features in self.swapped])
        return self._run(runs, self.clean[rows]), swapped

    def predictions(self, correction: Correction | None) -> np.ndarray:
        """Return the codes that are predicted for all samples as they are.

        Parameters
        ----------
        correction : Correction or None
            None: of the network as it is.

        Returns
        -------
        ndarray of int of shape (n_samples,)
        """
        rows, n_samples = self.swaps.rows, len(self.swaps.X)
        rest = np.setdiff1d(np.arange(n_samples), rows)
        if self.tail is None or self.clean is None or (len(rest) and self.others is None):
            module = self.network.module
            module = module if correction is None else correction.apply(module)
            return self.network.logits([self.swaps.X], module).argmax(1)
        runs = self.tail if correction is None else correction.on_tail(self.tail)
        codes = np.empty(n_samples, dtype=np.intp)
        codes[rows] = self._run(runs, self.clean).argmax(1)
        if self.others is not None:
            codes[rest] = self._run(runs, self.others).argmax(1)
        return codes

    def _run(self, module: nn.Module, features: np.ndarray) -> np.ndarray:
        step = max(1, _BLOCK_VALUES // max(1, features[:1].size))
        found = []
        with evaluating(module):
            for start in range(0, len(features), step):
                h = torch.from_numpy(np.array(features[start : start + step]))
                found.append(as_logits(module(h.to(self.network.device, self.network.dtype))).cpu())
        return torch.cat(found).double().numpy()


def read_places(
    network: Network,
    sites: Sequence[Site],
    tails: Sequence[Tail | None],
    swaps: Swaps,
    masks: Masks,
    codes: np.ndarray | None,
    n_classes: int,
    cache: Any,
    weight: np.ndarray | None = None,
) -> list[Place]:
    """Read the features of samples and copies at some sites, in one pass each.

    Parameters
    ----------
    network : Network
    sites : sequence of Site
    tails : sequence of (Tail or None)
        What the network computes behind each.
    swaps : Swaps
    masks : Masks
    codes : ndarray of int of shape (n_samples,) or None
        Encoded labels of all samples.
    n_classes : int
    cache : str, path-like, joblib.Memory or None
        Where features are kept.
    weight : ndarray of shape (n_samples,) or None, default=None
        Of all samples.

    Returns
    -------
    list of Place
    """
    n_passes = 1 + swaps.n_copies
    cut = [tail is not None for tail in tails]
    reader = FeatureReader(network, sites, cut, n_passes, swaps.X, cache)
    clean, swapped = swaps.read_clean(reader), swaps.read_swapped(reader)
    rest = np.setdiff1d(np.arange(len(swaps.X)), swaps.rows)
    others: list[Features] | None = None
    if codes is not None and len(rest) and any(cut):
        others = reader.read(swaps.on(rest).clean, len(rest), rest)
    places = []
    for number, (site, tail) in enumerate(zip(sites, tails, strict=True)):
        copies = [features[number] for features in swapped]
        material = Material(
            clean[number].pooled,
            np.stack([features.pooled for features in copies]),
            None if codes is None else codes[swaps.rows],
            masks.has_irrelevant[swaps.rows],
            n_classes,
        )
        if codes is not None:
            material.other_codes = codes[rest]
        if weight is not None:
            material.sample_weight = weight[swaps.rows]
            material.other_sample_weight = weight[rest]
        if others is not None:
            material.other_features = others[number].pooled
        whole = None if tail is None else clean[number].whole
        places.append(
            Place(
                network,
                site,
                None if whole is None else tail,
                swaps,
                masks,
                reader.at(number),
                material,
                whole,
                [features.whole for features in copies if features.whole is not None],
                None if others is None else others[number].whole,
            )
        )
    return places


def shuffled_place(place: Place, generator: np.random.Generator, n_copies: int) -> Place | None:
    """Return a place whose copies are drawn under the masks of other samples.

    Parameters
    ----------
    place : Place
    generator : numpy Generator
        Draws who is given whose mask.
    n_copies : int
        Copies of each sample.

    Returns
    -------
    Place or None
        None where all masks are alike, or are always at the same places and stand in for those that
        are lacking, so that there is nothing to shuffle.
    """
    own = place.swaps
    masks = None if own.copies.pools else shuffle_masks(place.masks, generator)
    if masks is None:
        return None
    # The samples that the shuffled masks annotate are the same; they themselves are read already.
    swaps = Swaps(own.X, own.copies.under(masks), n_copies, own.seed).on(own.rows)
    swapped = [features for (features,) in swaps.read_swapped(place.reader)]
    material = replace(
        place.material,
        swapped=np.stack([features.pooled for features in swapped]),
        marked=masks.has_irrelevant[own.rows],
    )
    whole = [features.whole for features in swapped if features.whole is not None]
    return replace(place, swaps=swaps, masks=masks, material=material, swapped=whole)


def shuffle_masks(masks: Masks, generator: np.random.Generator) -> Masks | None:
    """Hand the masks of annotated samples to others of them.

    Parameters
    ----------
    masks : Masks
    generator : numpy Generator

    Returns
    -------
    Masks or None
        None where all are alike, so that there is nothing to shuffle.
    """
    rows = np.flatnonzero(masks.annotated)
    place = np.arange(len(masks.annotated)) if masks.place is None else masks.place.copy()
    if masks.for_all_rows or len(rows) < 2:
        return None
    givers = generator.permutation(rows)
    own, other = masks.stored[place[rows]], masks.stored[place[givers]]
    if np.array_equal(own, other, equal_nan=own.dtype.kind == "f"):
        return None
    place[rows] = place[givers]
    has_irrelevant = masks.has_irrelevant.copy()
    has_irrelevant[rows] = masks.has_irrelevant[givers]
    return replace(masks, place=place, has_irrelevant=has_irrelevant)
