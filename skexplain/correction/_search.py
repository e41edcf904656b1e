"""Which correction to make: cross-validated accuracy on swapped copies, held against controls."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from torch import nn

from ._directions import NothingLeft
from ._evaluation import Correction, Outcome, mean_and_error
from ._finetune import Finetuning
from ._material import Material
from ._methods import (
    HeadPenalty,
    as_splice,
    choose_penalty,
    fit_head,
    folds,
    make_projection,
    on_threads,
)
from ._place import Place
from ._tail import Tail

# Numbers of directions among which is chosen; at layers further down, where each takes longer.
_NUMBERS = (1, 2, 3, 5, 10, 20, 30)
_NUMBERS_BELOW = (1, 3, 10)
# A training on the inputs takes long.
_FEW_FOLDS = 3


class Choice(NamedTuple):
    """What is done to a network.

    Attributes
    ----------
    method : str
        "nothing", one of the projections, "refit_head" or "finetune".
    n_directions : int
        Directions taken out; 0 for the others.
    place : int
        Number of the place at which.
    """

    method: str
    n_directions: int = 0
    place: int = 0


NOTHING = Choice("nothing")


class CorrectionSearch:
    """Computes corrections from features of samples and of their copies, and compares them.

    Parameters
    ----------
    places : list of Place
        Where the network can be corrected, the one that is preferred first.
    finetuning : Finetuning
    seen : bool
        Whether the network was trained on the samples.
    """

    def __init__(self, places: list[Place], finetuning: Finetuning, seen: bool) -> None:
        self.places = places
        self.finetuning = finetuning
        self.seen = seen
        self.network = places[0].network
        self.codes = places[0].material.codes
        self.weight = places[0].material.sample_weight
        self._heads = [place for place in places if place.site.is_head]
        can_stand_in = self._heads and all(place.tail is not None for place in places)
        if seen and (self.codes is None or not can_stand_in):
            raise ValueError(
                "seen must be False without y or at another layer than the last alone: it takes a "
                "head that is fitted on labels as a stand-in; got seen=True."
            )
        self._outcomes: dict[Choice, Outcome] = {}
        self._stand_ins: dict[bytes, nn.Module] = {}
        # Without labels nothing is cross-validated.
        self._folds = [] if self.codes is None else folds(self._labels)

    @property
    def _labels(self) -> np.ndarray:
        return self.places[0].material.labels

    def name(self, choice: Choice) -> str:
        """Return method, number, and layer where there are several."""
        name = f"{choice.method} {choice.n_directions}" if choice.n_directions else choice.method
        if choice == NOTHING or len(self.places) == 1:
            return name
        return f"{name} at {self.places[choice.place].site.layer}"

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
        if method == "refit_head" and not self._heads:
            raise ValueError(
                'layer must be None with method="refit_head", and the network must end with a '
                f"linear layer, whose weights are fitted anew; got the layer "
                f"{self.places[0].site.layer!r}."
            )
        trained = ("refit_head", "finetune")
        several = len(self.places) > 1 and method != "refit_head"
        automatic = n_directions == "auto" and method not in trained
        if self.codes is None and (method in ("auto", *trained) or automatic or several):
            raise ValueError(
                f"y must be given with method={method!r}, n_directions={n_directions!r} and "
                f"{len(self.places)} layer(s). Without labels pass one layer, "
                f'method="project" and a number of directions.'
            )
        n_classes = 0 if self.codes is None else len(np.unique(self._labels))
        if n_classes == 1 and method != "finetune":  # which needs samples of all classes
            raise ValueError(
                "mask must annotate samples of two classes or more where y is given, since a "
                "network that always predicts one class is right for all samples of that class; "
                f"got {len(self._labels)} samples of one class."
            )
        candidates = self._candidates(method, n_directions)
        if len(candidates) == 1:
            return candidates[0]
        hits = {}
        for choice in candidates:
            with suppress(NothingLeft):  # an oblique projection that does not exist is no candidate
                hits[choice] = self.outcome(choice).hits(self._labels)
        if not hits:
            return NOTHING
        best = max(hits, key=lambda choice: mean_and_error(hits[choice], self.weight)[0])
        for choice in hits:
            short, error = mean_and_error(hits[best] - hits[choice], self.weight)
            if short <= error:
                return choice
        return best

    def _candidates(self, method: str, n_directions: int | str) -> list[Choice]:
        """List what may be chosen, the simplest first."""
        places = list(enumerate(self.places))
        heads = [Choice("refit_head", 0, k) for k, place in places if place.site.is_head]
        finetuned = [Choice("finetune", 0, number) for number, _ in places]
        if method in ("refit_head", "finetune"):
            return heads if method == "refit_head" else finetuned
        found: list[Choice] = []
        automatic = isinstance(n_directions, str)
        for k in _NUMBERS if isinstance(n_directions, str) else (n_directions,):
            for number, _ in places:
                if automatic and k not in self._numbers[number]:
                    continue
                names = [method]
                if automatic or method == "auto":
                    names = self._projections(method, number, k)
                found += [Choice(name, k, number) for name in names]
        if method == "auto":
            found = [NOTHING, *found]
            if len(np.unique(self._labels)) == self.places[0].material.n_classes:
                found += heads
                # It takes long, so that it has to be asked for.
                found += finetuned if self.finetuning.trainer is not None else []
        return found or [NOTHING]

    @cached_property
    def _numbers(self) -> list[list[int]]:
        """Numbers of directions that are tried at each place: no more than move there."""
        found = []
        for number, place in enumerate(self.places):
            most = place.material.directions(max(_NUMBERS)).shape[1]
            found.append([k for k in (_NUMBERS_BELOW if number else _NUMBERS) if k <= most])
        return found

    def _projections(self, method: str, number: int, k: int) -> list[str]:
        material = self.places[number].material
        has_room = k + material.n_classes <= material.clean.shape[1]  # for what it keeps
        if method != "auto":
            return [method] if method != "oblique" or has_room else []
        names = ["project", "oblique"] if has_room else ["project"]
        marked = [material.marked[train] for train, _ in self._folds]
        if number == 0 and all(2 <= part.sum() <= len(part) - 2 for part in marked):
            names.append("reactive")
        return names

    def make(self, choice: Choice) -> Correction | None:
        """Compute a correction from all samples; None where nothing is done."""
        place = self.places[choice.place]
        return self._make(choice, place, np.arange(len(place.material.clean)))

    def _make(
        self,
        choice: Choice,
        place: Place,
        rows: np.ndarray,
        head: nn.Module | None = None,
        directions: np.ndarray | None = None,
    ) -> Correction | None:
        """Compute a correction from some of the samples, for the network with another head."""
        if choice.method == "nothing":
            return None
        if choice.method == "finetune":
            stand_in = None if head is None else (self._heads[0].site.layer, head)
            return self.finetuning.fit(place, rows, stand_in)
        material = place.material.take(rows)
        if choice.method == "refit_head":
            share = self.finetuning.clean_share
            layer: nn.Module = fit_head(material, self.network, place.site, self._penalty, share)
            return as_splice(layer, place.site, self.network)
        if directions is None:
            directions = material.directions(choice.n_directions)
        if not directions.shape[1]:
            return None  # nothing moves
        layer = make_projection(
            choice.method, choice.n_directions, directions, material, place.site
        )
        return as_splice(layer, place.site, self.network)

    @cached_property
    def _penalty(self) -> HeadPenalty:
        """Ridge penalty of a new head."""
        return choose_penalty(self._heads[0].material, self.finetuning.clean_share)

    # -- how it fares -----------------------------------------------------------------------------

    def outcome(self, choice: Choice) -> Outcome:
        """Return what is predicted at samples from which the correction is not computed."""
        if choice not in self._outcomes:
            self._outcomes[choice] = self.cross_validated(choice, self.places[choice.place])
        return self._outcomes[choice]

    def swap_accuracies(self) -> dict[str, float]:
        """Return the accuracy on swapped copies of everything that was tried, by name."""
        return {
            self.name(choice): mean_and_error(outcome.hits(self._labels), self.weight)[0]
            for choice, outcome in self._outcomes.items()
        }

    def cross_validated(
        self, choice: Choice, source: Place, directions: np.ndarray | None = None
    ) -> Outcome:
        """Return what is predicted at samples from which a correction is not computed.

        Parameters
        ----------
        choice : Choice
        source : Place
            What the correction is computed from: the place itself, or a control.
        directions : ndarray of shape (n_channels, k) or None, default=None
            Directions to take out; None: those of the samples.

        Returns
        -------
        Outcome
            On the copies of the place itself.
        """
        place = self.places[choice.place]
        n_copies, m, _ = place.material.swapped.shape
        whole = Outcome(np.zeros(m, dtype=int), np.zeros((n_copies, m), dtype=int))
        slow = choice.method == "finetune" and not self.finetuning.uses_features(place)

        def compute(fold: tuple[np.ndarray, np.ndarray]) -> None:
            train, test = fold
            head = self._stand_in(train) if self.seen else None
            tail: Tail | None = None
            if head is not None and place.tail is not None:
                tail = place.tail.with_head(self._heads[0].site.layer, head)
            correction = self._make(choice, source, train, head, directions)
            part = Outcome.of(place.logits(correction, test, tail))
            whole.clean[test], whole.swapped[:, test] = part.clean, part.swapped

        parts = folds(self._labels, _FEW_FOLDS) if slow else self._folds
        only_heads = choice.method in ("nothing", "refit_head") and place.site.is_head
        if not only_heads or place.tail is None:  # other layers may not bear threads
            for part in parts:
                compute(part)
            return whole
        # What all folds share is computed before threads ask for it.
        if self.seen:
            _ = self._clean_penalty
        if choice.method == "refit_head":
            _ = self._penalty
        on_threads(compute, parts)
        return whole

    def _stand_in(self, train: np.ndarray) -> nn.Module:
        """Return a last layer that has not seen the other samples; the same for all candidates."""
        key = train.tobytes()
        if key not in self._stand_ins:
            part = self._as_they_are.take(train)
            site = self._heads[0].site
            head = fit_head(part, self.network, site, self._clean_penalty, 0.0)
            self._stand_ins[key] = head.to(self.network.device, self.network.dtype)
        return self._stand_ins[key]

    @cached_property
    def _as_they_are(self) -> Material:
        """The samples in place of their copies."""
        material = self._heads[0].material
        return replace(material, swapped=material.clean[None], others_weight=1.0)

    @cached_property
    def _clean_penalty(self) -> HeadPenalty:
        return choose_penalty(self._as_they_are, 0.0)
