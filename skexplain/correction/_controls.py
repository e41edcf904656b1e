"""The report of a correction, held against shuffled masks and random directions."""

from __future__ import annotations

import numpy as np
import scipy.stats

from ._evaluation import Outcome, mean_and_error, n_effective
from ._place import shuffled_place
from ._report import CorrectionReport
from ._search import NOTHING, Choice, CorrectionSearch

# Shufflings of masks, at least and at most, whose scatter is part of the test; as many, and as many
# copies in each, as make so many copies in all.
_FEWEST_SHUFFLINGS, _MOST_SHUFFLINGS = 3, 5
_N_SHUFFLED = 1000


def make_report(
    search: CorrectionSearch,
    choice: Choice,
    changed: np.ndarray,
    outcome: Outcome | None,
    generator: np.random.Generator,
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

    Returns
    -------
    CorrectionReport
    """
    place = search.places[choice.place]
    n_samples, labels, weight = len(place.material.clean), search.codes, search.weight
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
            flip_rate=(before.flip_rate(weight), after.flip_rate(weight)),
            gain=None,
            gain_se=None,
            shuffled_gain=None,
            random_gain=None,
            p_value=None,
            changed=changed,
            candidates={},
            seen=search.seen,
        )
    before, after = search.outcome(NOTHING), search.outcome(choice)
    hits, hits_before = after.hits(labels), before.hits(labels)
    gains = hits - hits_before
    shuffled, random = (
        [outcome.hits(labels) for outcome in outcomes]
        for outcomes in _controls(search, choice, generator)
    )
    p_values = [_p_value(gains, weight)]
    controls = [np.stack(control) for control in (shuffled, random) if control]
    p_values += [_p_value(hits - control, weight) for control in controls]
    gain, gain_se = mean_and_error(gains, weight)
    return CorrectionReport(
        method=choice.method,
        n_directions=choice.n_directions,
        layer=layer,
        n_samples=n_samples,
        swap_accuracy=(mean_and_error(hits_before, weight)[0], mean_and_error(hits, weight)[0]),
        clean_accuracy=(before.accuracy(labels, weight), after.accuracy(labels, weight)),
        flip_rate=(before.flip_rate(weight), after.flip_rate(weight)),
        gain=gain,
        gain_se=gain_se,
        shuffled_gain=_mean_gain(shuffled, hits_before, weight),
        random_gain=_mean_gain(random, hits_before, weight),
        p_value=max(p_values),
        changed=changed,
        candidates=search.swap_accuracies(),
        seen=search.seen,
    )


def _controls(
    search: CorrectionSearch,
    choice: Choice,
    generator: np.random.Generator,
) -> tuple[list[Outcome], list[Outcome]]:
    """Return outcomes with the masks of other samples, and with random directions."""
    shuffled: list[Outcome] = []
    random: list[Outcome] = []
    if choice == NOTHING:
        return shuffled, random
    place = search.places[choice.place]
    n_copies, n_samples, d = place.material.swapped.shape
    n_shufflings = int(
        np.clip(_N_SHUFFLED // (n_copies * n_samples), _FEWEST_SHUFFLINGS, _MOST_SHUFFLINGS)
    )
    n_each = max(1, min(n_copies, _N_SHUFFLED // (n_shufflings * n_samples)))
    if choice.method == "finetune":  # each takes a training
        n_shufflings, n_each = 1, n_copies
    for _ in range(n_shufflings):
        source = shuffled_place(place, generator, n_each)
        if source is not None:
            shuffled.append(search.cross_validated(choice, source))
    if choice.n_directions:
        drawn = np.linalg.qr(generator.normal(size=(d, min(d, choice.n_directions))))[0]
        random.append(search.cross_validated(choice, place, drawn))
    return shuffled, random


def _mean_gain(
    hits: list[np.ndarray], hits_before: np.ndarray, weight: np.ndarray | None
) -> float | None:
    return mean_and_error(np.mean(hits, axis=0) - hits_before, weight)[0] if hits else None


def _p_value(differences: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the p-value of a one-sided t-test that a mean is positive.

    Parameters
    ----------
    differences : ndarray of shape (n_samples,) or (n_draws, n_samples)
        One line per draw of a control, if there are several.  What is compared with them would be
        another such draw if it were no better, so that their scatter counts once more.
    weight : ndarray of shape (n_samples,) or None, default=None
        Of the samples.

    Returns
    -------
    float
    """
    draws = np.atleast_2d(differences)
    of_samples, n_draws = draws.mean(0), len(draws)
    if weight is None:
        mean = of_samples.mean()
        variances = [of_samples.var(ddof=1) / len(of_samples)]
        freedoms = [len(of_samples) - 1.0]
    else:
        mean, error = mean_and_error(of_samples, weight)
        freedoms = [n_effective(weight) - 1]
        variances = [error**2 * (1 + 1 / freedoms[0])]
    if n_draws > 1:
        variances.append(np.average(draws, axis=1, weights=weight).var(ddof=1) * (1 + 1 / n_draws))
        freedoms.append(n_draws - 1)
    variance = sum(variances)
    if variance == 0:
        return 0.0 if mean > 0 else 1.0
    # Of Welch and Satterthwaite.
    freedom = variance**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return float(scipy.stats.t.sf(mean / np.sqrt(variance), freedom))
