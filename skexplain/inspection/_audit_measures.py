"""Measures of an audit: predictions when marked parts change, and labels from marked parts."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.utils import Bunch

from ..metrics._finite import measure_finite
from ..metrics._perturb import Perturber
from ..metrics._token_inputs import TokenMatrixInputs
from ._audit_tasks import task_of

# A class is annotated rarely if a smaller share of it has a mask, in that of the class with most.
_RARE = 0.2
_LEAST_ROWS = 5
_MAX_ROWS, _MAX_COLUMNS, _GRID = 1000, 2000, 12


def measure_swap(
    swap: Perturber, y: np.ndarray, predicted: np.ndarray, n_repeats: int, seed: int
) -> Bunch:
    """Measure what predictions do when samples exchange what they mark.

    Parameters
    ----------
    swap : Perturber
        Swaps.
    y, predicted : ndarray of shape (n,)
        True and predicted labels, or targets, of all samples.
    n_repeats, seed : int
        Number of swaps, and what draws them.

    Returns
    -------
    Bunch
        `lost`, `lost_interval`, `flips`, `flips_interval`, `before` and `after` (accuracies, or R2)
        are of the samples that change.  `toward` is by how much more often than by chance a
        prediction goes to the class of the sample that gives, `toward_predicted` to the class that
        is predicted for that sample; each with its interval.  Of a regressor `flips` is how far
        predictions move, and the others by what share they follow these.  `crossing` is the share
        of pairs of two classes with different marks in which marked parts could come and go.
    """
    task, rows = task_of(swap.estimator), swap.annotated
    draws = [swap.draw(each) for each in np.random.default_rng(seed).spawn(n_repeats)]
    after = np.stack([swap.predict_perturbed(rows, draw) for draw in draws])
    sources, exchanged = zip(*(swap.sources(rows, draw) for draw in draws), strict=True)
    sources = np.stack(sources)
    pairs = np.stack([draw.donors[rows] for draw in draws])
    strata = task.strata(y)
    between = strata[rows] != strata[pairs]
    measured = task.describe(rows, y, predicted, after, sources != rows)
    measured.update(
        rows=rows,
        after_each=after,
        changes=sources != rows,
        perturber=swap,
        draw=draws[0],
        crossing=float(np.mean(np.stack(exchanged)[between])) if between.any() else 0.0,
    )
    for name, labels in (("toward", y), ("toward_predicted", predicted)):
        measured.update(task.pull(name, predicted[rows], after, labels[sources], sources != rows))
    return measured


def measure_erasure(erase: Perturber, y: np.ndarray, predicted: np.ndarray, seed: int) -> Bunch:
    """Measure what predictions do when marked features are erased.

    Returns
    -------
    Bunch
        As of :func:`measure_swap`, without what depends on other samples.
    """
    rows, generator = erase.annotated, np.random.default_rng(seed)
    after = erase.predict_perturbed(rows, generator)[None]
    changes = np.isin(rows, erase.irrelevant)[None]
    measured = task_of(erase.estimator).describe(rows, y, predicted, after, changes)
    measured.update(rows=rows, after_each=after, changes=changes, perturber=erase, draw=generator)
    return measured


def among_all(swap: Perturber) -> Perturber:
    """Return a swap in which samples without a mask count as samples that mark nothing."""
    other = copy(swap)
    other.masks = replace(swap.masks, annotated=np.ones_like(swap.masks.annotated))
    return other


def unannotated_classes(swap: Perturber, y: np.ndarray) -> list[Any]:
    """List the classes of which far fewer samples have a mask than of others.

    A shortcut of the other classes can then be given to samples without a mask only.  Of a
    regressor quarters of the targets are taken for classes.

    Returns
    -------
    list
    """
    strata = task_of(swap.estimator).strata(y)
    classes, labels, counts = np.unique(strata, return_inverse=True, return_counts=True)
    annotated = np.bincount(labels[swap.annotated], minlength=len(classes)) / counts
    return list(classes[(annotated < _RARE * annotated.max()) & (counts >= _LEAST_ROWS)])


def predict_from_marks(swap: Perturber, y: np.ndarray, seed: int, values: bool = True) -> Bunch:
    """Predict labels, or targets, from the marked part alone, by a forest, in a cross-validation.

    Parameters
    ----------
    swap : Perturber
        What is marked.
    y : ndarray of shape (n,)
        True labels, or targets.
    seed : int
        Of the forest and of the folds.
    values : bool, default=True
        Whether it is shown what stands at the marked places, or the places alone.

    Returns
    -------
    Bunch
        `score` (accuracy, or R2), `chance` (share of the most frequent class, or 0) and
        `predictive`, whether the one is beyond doubt above the other.
    """
    task, rows, rng = task_of(swap.estimator), swap.annotated, np.random.default_rng(seed)
    if len(rows) > _MAX_ROWS:
        rows = np.sort(rng.choice(rows, _MAX_ROWS, replace=False))
    _, counts = np.unique(y[rows], return_counts=True)
    if len(counts) < 2 or len(rows) < 10 or (swap.masks.for_all_rows and not values):
        chance = task.chance(y[rows])
        return Bunch(score=chance, chance=chance, predictive=False)
    return task.guess(_marked_features(swap, rows, values), y[rows], seed % 2**32)


def can_erase_tokens(swap: Perturber) -> bool:
    """Return whether X holds tokens, and there is one that says nothing."""
    return isinstance(swap.inputs, TokenMatrixInputs) and swap.inputs.mask_id is not None


def reads_tokens(estimator: Any, swap: Perturber) -> bool:
    """Return whether an estimator of this package looks integers up in a table of embeddings."""
    module = getattr(getattr(estimator, "trainer_", None), "module_", None)
    if module is None or swap.inputs.ndim != 2 or getattr(swap.inputs, "X", None) is None:
        return False
    kind = getattr(getattr(swap.inputs.X, "dtype", None), "kind", "f")
    return kind in "iu" and any(isinstance(each, torch.nn.Embedding) for each in module.modules())


def why_no_arithmetic(estimator: Any, swap: Perturber) -> str | None:
    """Return why marked features cannot be set to their mean or given noise.

    Returns
    -------
    str or None
        None where they can.
    """
    if reads_tokens(estimator, swap):
        return "numbers are tokens, which have no mean"
    if swap.changes_text:
        return "marked columns hold no numbers"
    for change in ("erase", "gaussian"):
        try:
            swap.changed(change).predict_perturbed(swap.irrelevant[:1], np.random.default_rng(0))
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            return f"the model does not predict for changed numbers ({type(error).__name__})"
    return None


def is_training_data(estimator: Any, swap: Perturber) -> bool:
    """Return whether X has mean, std and range of the data that an estimator was trained on.

    Only estimators of this package keep these; no sample of X is kept.
    """
    kept = getattr(estimator, "input_statistics_", None)
    if kept is None or getattr(estimator, "input_shape_", None) != swap.inputs.shape[1:]:
        return False
    given = measure_finite(swap.inputs)
    names = ("mean", "sd", "lower", "upper")
    return all(
        np.allclose(getattr(kept, name), getattr(given, name), rtol=1e-6, atol=1e-9)
        for name in names
    )


def _marked_features(swap: Perturber, rows: np.ndarray, values: bool) -> np.ndarray:
    """Return degrees, and values times degrees, of few enough columns, shape (rows, k)."""
    columns = _most_marked_columns(swap, rows) if swap.inputs.ndim == 2 else slice(None)
    parts = []
    for part in swap.inputs.chunks(rows):
        a, _ = swap.masks.degrees_of(part)
        a = a.expand(len(part), *a.shape[1:]).numpy()[:, columns]
        features = [a]
        if values:
            x = np.nan_to_num(swap.in_units(part), nan=-9.0, posinf=9.0, neginf=-9.0)
            features.append(a * x[:, columns])
        parts.append(np.concatenate([_pool(each) for each in features], axis=1))
    features = np.concatenate(parts)
    varies = features.max(axis=0) > features.min(axis=0)
    return features[:, varies] if varies.any() else features[:, :1]


def _most_marked_columns(swap: Perturber, rows: np.ndarray) -> np.ndarray:
    """Return the columns of a table that are marked, the most marked ones if these are many."""
    total = np.zeros(swap.inputs.shape[1])
    for part in swap.inputs.chunks(rows):
        total += swap.masks.degrees_of(part)[0].sum(dim=0).numpy()
    most = np.argsort(-total, kind="stable")[:_MAX_COLUMNS]
    return np.sort(most[total[most] > 0])


def _pool(values: np.ndarray) -> np.ndarray:
    """Average images over the cells of a grid; flatten."""
    if values.ndim > 2:
        for axis in range(values.ndim - 2, values.ndim):
            size = values.shape[axis]
            if size > _GRID:
                starts = np.linspace(0, size, _GRID, endpoint=False).astype(int)
                widths = np.diff([*starts, size])
                shape = [1] * values.ndim
                shape[axis] = len(widths)
                values = np.add.reduceat(values, starts, axis=axis) / widths.reshape(shape)
    return values.reshape(len(values), -1)
