"""Which correction to make: cross-validated accuracy on swapped copies, held against controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..masks import Masks
from ._copies import SwappedCopies
from ._evaluation import Correction, Outcome, Swaps
from ._methods import (
    PROJECTIONS,
    Material,
    as_correction,
    choose_strength,
    fit_head,
    folds,
    make_projection,
)
from ._network import Network, Site, as_logits
from ._report import CorrectionReport

# Numbers of directions among which is chosen.
_NUMBERS = (1, 2, 3, 5, 10, 20, 30)


class Choice(NamedTuple):
    """What is done to a network.

    Attributes
    ----------
    method : str
        "nothing", one of the projections or "refit_head".
    n_directions : int
        Directions taken out; 0 for the others.
    """

    method: str
    n_directions: int = 0

    @property
    def name(self) -> str:
        """Method and number."""
        return f"{self.method} {self.n_directions}" if self.n_directions else self.method


NOTHING = Choice("nothing")


class CorrectionSearch:
    """Computes corrections from features of samples and of their copies, and compares them.

    Parameters
    ----------
    network : Network
    site : Site
    swaps : Swaps
    masks : Masks
    codes : ndarray of int of shape (n_samples,) or None
        Encoded labels of all samples.
    n_classes : int
    exchange : bool
        Whether parts are exchanged.
    seen : bool
        Whether the network was trained on the samples.
    """

    def __init__(
        self,
        network: Network,
        site: Site,
        swaps: Swaps,
        masks: Masks,
        codes: np.ndarray | None,
        n_classes: int,
        exchange: bool,
        seen: bool,
    ) -> None:
        if seen and (codes is None or not site.is_head):
            raise ValueError(
                "seen must be False without y or at another layer than the last: it takes a head "
                "that is fitted on labels as a stand-in; got seen=True."
            )
        self.network = network
        self.site = site
        self.swaps = swaps
        self.masks = masks
        self.exchange = exchange
        self.seen = seen
        self.codes = None if codes is None else codes[swaps.rows]
        clean, swapped = swaps.features(network, site)
        marked = masks.has_irrelevant[swaps.rows]
        self.material = Material(clean, swapped, self.codes, marked, n_classes)
        others = np.setdiff1d(np.arange(len(swaps.X)), swaps.rows)
        if codes is not None and len(others) and site.is_head:
            self.material.other_features = network.features([swaps.X[others]], site)
            self.material.other_codes = codes[others]
        self._outcomes: dict[Choice, Outcome] = {}
        # Without labels nothing is cross-validated.
        self._folds = [] if codes is None else folds(self.material.labels)

    # -- what is chosen ---------------------------------------------------------------------------

    def choose(self, method: str, n_directions: int | str) -> Choice:
        """Choose what to do.

        Parameters
        ----------
        method : str
            A method, or "auto".
        n_directions : int or "auto"

        Returns
        -------
        Choice
        """
        if method == "refit_head" and not self.site.is_head:
            raise ValueError(
                'layer must be None with method="refit_head", and the network must end with a '
                f"linear layer, whose weights are fitted anew; got the layer {self.site.layer!r}."
            )
        needs_labels = method in ("auto", "refit_head") or n_directions == "auto"
        if self.codes is None and needs_labels:
            raise ValueError(
                f"y must be given with method={method!r} and n_directions={n_directions!r}. "
                f'Without labels pass method="project" and a number of directions.'
            )
        candidates = self._candidates(method, n_directions)
        if len(candidates) == 1:
            return candidates[0]
        hits = {choice: self.outcome(choice).hits(self.material.labels) for choice in candidates}
        best = max(candidates, key=lambda choice: hits[choice].mean())
        for choice in candidates:
            short = hits[best] - hits[choice]
            if short.mean() <= short.std() / np.sqrt(len(short)):
                return choice
        return best

    def _candidates(self, method: str, n_directions: int | str) -> list[Choice]:
        """List what may be chosen, the simplest first."""
        if method == "refit_head":
            return [Choice("refit_head")]
        methods = [method]
        if method == "auto":
            both = 2 <= self.material.marked.sum() <= len(self.material.marked) - 2
            methods = [name for name in PROJECTIONS if name != "reactive" or both]
        most = self.material.directions(max(_NUMBERS)).shape[1]
        numbers = (
            [k for k in _NUMBERS if k <= most] if isinstance(n_directions, str) else [n_directions]
        )
        found = [Choice(name, k) for k in numbers for name in methods]
        if method == "auto":
            found = [NOTHING, *found]
            every = len(np.unique(self.material.labels)) == self.material.n_classes
            if self.site.is_head and every:
                found.append(Choice("refit_head"))
        return found or [NOTHING]

    def make(self, choice: Choice) -> Correction | None:
        """Compute a correction from all samples; None where nothing is done."""
        return self._make(choice, self.material)

    def _make(
        self, choice: Choice, material: Material, directions: np.ndarray | None = None
    ) -> Correction | None:
        if choice.method == "nothing":
            return None
        if choice.method == "refit_head":
            head = fit_head(material, self.network, self.site, self._strength)
            return as_correction(head, self.site, self.network)
        if directions is None:
            directions = material.directions(choice.n_directions)
        if not directions.shape[1]:
            return None  # nothing moves
        layer = make_projection(choice.method, choice.n_directions, directions, material, self.site)
        return as_correction(layer, self.site, self.network)

    @cached_property
    def _strength(self) -> float:
        """Inverse strength of the ridge penalty of a new head."""
        return choose_strength(self.material)

    # -- how it fares -----------------------------------------------------------------------------

    def outcome(self, choice: Choice) -> Outcome:
        """Return what is predicted at samples from which the correction is not computed."""
        if choice not in self._outcomes:
            self._outcomes[choice] = self._cross_validated(
                lambda train: self._make(choice, self.material.take(train))
            )
        return self._outcomes[choice]

    def _cross_validated(self, make: Callable[[np.ndarray], Correction | None]) -> Outcome:
        n_copies, m, _ = self.material.swapped.shape
        whole = Outcome(np.zeros(m, dtype=int), np.zeros((n_copies, m), dtype=int))
        for train, test in self._folds:
            part = Outcome.of(self._logits(make(train), test, self._head(train)))
            whole.clean[test], whole.swapped[:, test] = part.clean, part.swapped
        return whole

    def _head(self, train: np.ndarray) -> nn.Module:
        """Return the last layer, or what stands in for it at samples that it was trained on."""
        head = self.network.module.get_submodule(self.site.layer)
        if not self.seen:
            return head
        part = self._as_they_are.take(train)
        return fit_head(part, self.network, self.site, self._clean_strength).to(
            self.network.device, self.network.dtype
        )

    @cached_property
    def _as_they_are(self) -> Material:
        """The samples in place of their copies."""
        return replace(self.material, swapped=self.material.clean[None])

    @cached_property
    def _clean_strength(self) -> float:
        return choose_strength(self._as_they_are)

    def _logits(
        self, correction: Correction | None, rows: np.ndarray, head: nn.Module
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compute logits of some samples and of their copies under a correction."""
        if not self.site.is_head:
            swaps = self.swaps.on(self.swaps.rows[rows])
            module = self.network.module
            module = module if correction is None else correction.apply(module, self.site)
            return swaps.logits(self.network, module)
        part = self.material.take(rows)
        return self._head_logits(head, correction, part.clean), self._head_logits(
            head, correction, part.swapped
        )

    def _head_logits(
        self, head: nn.Module, correction: Correction | None, features: np.ndarray
    ) -> np.ndarray:
        """Run the last layer alone: features are known."""
        h = torch.from_numpy(features.reshape(-1, features.shape[-1]))
        h = h.to(self.network.device, self.network.dtype)
        with torch.no_grad():
            if correction is None:
                logits = head(h)
            elif correction.where == "instead":
                logits = correction.layer(h)
            else:
                logits = head(correction.layer(h))
        logits = as_logits(logits).cpu().double().numpy()
        return logits.reshape(*features.shape[:-1], -1)

    # -- what is reported -------------------------------------------------------------------------

    def report(
        self,
        choice: Choice,
        changed: np.ndarray,
        outcome: Outcome | None,
        generator: np.random.Generator,
    ) -> CorrectionReport:
        """Return what a correction changed, and what controls change.

        Parameters
        ----------
        choice : Choice
            What was done.
        changed : ndarray of int
            Samples that are predicted otherwise than before.
        outcome : Outcome or None
            What is predicted after, where there are no labels to cross-validate with.
        generator : numpy Generator
            Draws the controls.

        Returns
        -------
        CorrectionReport
        """
        n_samples = len(self.swaps.rows)
        labels = self.codes
        if labels is None:
            head = self.network.module.get_submodule(self.site.layer)
            before = Outcome.of(self._logits(None, np.arange(n_samples), head))
            after = before if outcome is None else outcome
            flips = (before.flip_rate(), after.flip_rate())
            return CorrectionReport(
                *choice, n_samples, None, None, flips, None, None, None, None, changed, {}
            )
        before, after = self.outcome(NOTHING), self.outcome(choice)
        hits, hits_before = after.hits(labels), before.hits(labels)
        gains = hits - hits_before
        shuffled_gain, random_gain = (
            None if control is None else float((control.hits(labels) - hits_before).mean())
            for control in self._controls(choice, generator)
        )
        return CorrectionReport(
            *choice,
            n_samples,
            (float(hits_before.mean()), float(hits.mean())),
            (before.accuracy(labels), after.accuracy(labels)),
            (before.flip_rate(), after.flip_rate()),
            float(gains.mean()),
            float(gains.std() / np.sqrt(n_samples)),
            shuffled_gain,
            random_gain,
            changed,
            {c.name: float(o.hits(labels).mean()) for c, o in self._outcomes.items()},
        )

    def _controls(
        self, choice: Choice, generator: np.random.Generator
    ) -> tuple[Outcome | None, Outcome | None]:
        """Return outcomes with the masks of other samples, and with random directions."""
        if choice == NOTHING:
            return None, None
        shuffled, random = self._shuffled(choice, generator), None
        if choice.n_directions:
            d = self.material.clean.shape[1]
            drawn = np.linalg.qr(generator.normal(size=(d, min(d, choice.n_directions))))[0]
            random = self._cross_validated(
                lambda train: self._make(choice, self.material.take(train), drawn)
            )
        return shuffled, random

    def _shuffled(self, choice: Choice, generator: np.random.Generator) -> Outcome | None:
        """Return the outcome with the masks of other samples, None where all are alike."""
        masks = shuffle_masks(self.masks, generator)
        if masks is None:
            return None
        copies = SwappedCopies(self.swaps.X, masks, self.exchange)
        rows = self.swaps.rows
        # The samples that the shuffled masks annotate are the same.
        swaps = Swaps(self.swaps.X, copies, self.swaps.n_copies, self.swaps.seed).on(rows)
        clean, swapped = swaps.features(self.network, self.site)
        marked = masks.has_irrelevant[rows]
        material = replace(self.material, clean=clean, swapped=swapped, marked=marked)
        return self._cross_validated(lambda train: self._make(choice, material.take(train)))


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
