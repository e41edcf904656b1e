"""The report of a correction, held against shuffled masks and random directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._evaluation import Outcome
from ._place import shuffled_place
from ._report import CorrectionReport
from ._search import NOTHING, Choice, CorrectionSearch


def make_report(
    search: CorrectionSearch,
    choice: Choice,
    changed: np.ndarray,
    outcome: Outcome | None,
    generator: np.random.Generator,
    exchange: bool,
    cache: Any,
) -> CorrectionReport:
    """Return what a correction changed, and what controls change.

    Parameters
    ----------
    search : CorrectionSearch
    choice : Choice
        What was done.
    changed : ndarray of int
        Samples that are predicted otherwise than before.
    outcome : Outcome or None
        What is predicted after, where there are no labels to cross-validate with.
    generator : numpy Generator
        Draws the controls.
    exchange : bool
        Whether parts are exchanged.
    cache : str, path-like, joblib.Memory or None
        Where features are kept.

    Returns
    -------
    CorrectionReport
    """
    place = search.places[choice.place]
    n_samples, labels = len(place.material.clean), search.codes
    layer = None if choice == NOTHING else place.site.layer
    if labels is None:
        before = Outcome.of(place.logits(None, np.arange(n_samples)))
        after = before if outcome is None else outcome
        return CorrectionReport(
            method=choice.method,
            n_directions=choice.n_directions,
            layer=layer,
            n_samples=n_samples,
            swap_accuracy=None,
            clean_accuracy=None,
            flip_rate=(before.flip_rate(), after.flip_rate()),
            gain=None,
            gain_se=None,
            shuffled_gain=None,
            random_gain=None,
            changed=changed,
            candidates={},
        )
    before, after = search.outcome(NOTHING), search.outcome(choice)
    hits, hits_before = after.hits(labels), before.hits(labels)
    gains = hits - hits_before
    shuffled_gain, random_gain = (
        None if control is None else float((control.hits(labels) - hits_before).mean())
        for control in _controls(search, choice, generator, exchange, cache)
    )
    return CorrectionReport(
        method=choice.method,
        n_directions=choice.n_directions,
        layer=layer,
        n_samples=n_samples,
        swap_accuracy=(float(hits_before.mean()), float(hits.mean())),
        clean_accuracy=(before.accuracy(labels), after.accuracy(labels)),
        flip_rate=(before.flip_rate(), after.flip_rate()),
        gain=float(gains.mean()),
        gain_se=float(gains.std() / np.sqrt(n_samples)),
        shuffled_gain=shuffled_gain,
        random_gain=random_gain,
        changed=changed,
        candidates=search.swap_accuracies(),
    )


def _controls(
    search: CorrectionSearch,
    choice: Choice,
    generator: np.random.Generator,
    exchange: bool,
    cache: Any,
) -> tuple[Outcome | None, Outcome | None]:
    """Return outcomes with the masks of other samples, and with random directions."""
    if choice == NOTHING:
        return None, None
    place = search.places[choice.place]
    source = shuffled_place(place, generator, exchange, cache)
    shuffled = None if source is None else search.cross_validated(choice, source)
    random = None
    if choice.n_directions:
        d = place.material.clean.shape[1]
        drawn = np.linalg.qr(generator.normal(size=(d, min(d, choice.n_directions))))[0]
        random = search.cross_validated(choice, place, drawn)
    return shuffled, random
