"""Measures of an audit: predictions when marked parts change, and labels from marked parts."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.utils import Bunch

from ..metrics._finite import measure_finite
from ..metrics._perturb import Perturber
from ..metrics._token_inputs import TokenMatrixInputs
from ._group_display import wilson_interval

Z = 1.96
# Of a difference that is looked for in every audit, not in one that was asked for.
_Z_PREDICTIVE = 2.58
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
        True and predicted labels of all samples.
    n_repeats, seed : int
        Number of swaps, and what draws them.

    Returns
    -------
    Bunch
        `lost`, `lost_interval`, `flips`, `flips_interval`, `before` and `after` (accuracies) are of
        the samples that change.  `toward` is by how much more often than by chance a prediction
        goes to the class of the sample that gives, `toward_predicted` to the class that is
        predicted for that sample; each with its interval.  `crossing` is the share of pairs of two
        classes with different marks in which marked parts could come and go.
    """
    rows = swap.annotated
    draws = [swap.draw(each) for each in np.random.default_rng(seed).spawn(n_repeats)]
    after = np.stack([swap.predict_perturbed(rows, draw) for draw in draws])
    sources, exchanged = zip(*(swap.sources(rows, draw) for draw in draws), strict=True)
    sources = np.stack(sources)
    pairs = np.stack([draw.donors[rows] for draw in draws])
    between = y[rows] != y[pairs]
    measured = _describe(rows, y, predicted, after, sources != rows)
    measured.update(
        perturber=swap,
        draw=draws[0],
        crossing=float(np.mean(np.stack(exchanged)[between])) if between.any() else 0.0,
    )
    for name, labels in (("toward", y), ("toward_predicted", predicted)):
        measured.update(_pull(name, predicted[rows], after, labels[sources], sources != rows))
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
    measured = _describe(rows, y, predicted, after, changes)
    measured.update(perturber=erase, draw=generator)
    return measured


def among_all(swap: Perturber) -> Perturber:
    """Return a swap in which samples without a mask count as samples that mark nothing."""
    other = copy(swap)
    other.masks = replace(swap.masks, annotated=np.ones_like(swap.masks.annotated))
    return other


def unannotated_classes(swap: Perturber, y: np.ndarray) -> list[Any]:
    """List the classes of which far fewer samples have a mask than of others.

    A shortcut of the other classes can then be given to samples without a mask only.

    Returns
    -------
    list
    """
    classes, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    annotated = np.bincount(labels[swap.annotated], minlength=len(classes)) / counts
    return list(classes[(annotated < _RARE * annotated.max()) & (counts >= _LEAST_ROWS)])


def predict_from_marks(swap: Perturber, y: np.ndarray, seed: int, values: bool = True) -> Bunch:
    """Predict the label from the marked part alone, by a forest, in a cross-validation.

    Parameters
    ----------
    swap : Perturber
        What is marked.
    y : ndarray of shape (n,)
        True labels.
    seed : int
        Of the forest and of the folds.
    values : bool, default=True
        Whether it is shown what stands at the marked places, or the places alone.

    Returns
    -------
    Bunch
        `accuracy`, `chance` (share of the most frequent class) and `predictive`, whether the one is
        beyond doubt above the other.
    """
    rows, rng = swap.annotated, np.random.default_rng(seed)
    if len(rows) > _MAX_ROWS:
        rows = np.sort(rng.choice(rows, _MAX_ROWS, replace=False))
    _, labels, counts = np.unique(y[rows], return_inverse=True, return_counts=True)
    chance = float(counts.max() / len(rows))
    if len(counts) < 2 or len(rows) < 10 or (swap.masks.for_all_rows and not values):
        return Bunch(accuracy=chance, chance=chance, predictive=False)
    folds = StratifiedKFold if counts.min() >= 5 else KFold
    guessed = cross_val_predict(
        RandomForestClassifier(50, random_state=seed % 2**32),
        _marked_features(swap, rows, values),
        labels,
        cv=folds(5, shuffle=True, random_state=seed % 2**32),
    )
    accuracy = float(np.mean(guessed == labels))
    low = accuracy - _Z_PREDICTIVE * np.sqrt(
        max(accuracy * (1 - accuracy), 1 / len(rows)) / len(rows)
    )
    return Bunch(accuracy=accuracy, chance=chance, predictive=bool(low > chance))


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


def _describe(
    rows: np.ndarray, y: np.ndarray, predicted: np.ndarray, after: np.ndarray, changes: np.ndarray
) -> Bunch:
    """Compare predictions with those before, among the samples that change."""
    was_right = np.broadcast_to(predicted[rows] == y[rows], after.shape)
    is_right, flips = after == y[rows], after != predicted[rows]
    counts = changes.sum(axis=0)
    any_change = counts > 0
    n_rows = int(any_change.sum())

    def by_row(values: np.ndarray) -> np.ndarray:
        return (values * changes).sum(axis=0)[any_change] / counts[any_change]

    lost = by_row(was_right & ~is_right) - by_row(is_right & ~was_right)
    to_wrong, to_right = by_row(was_right & ~is_right).mean(), by_row(is_right & ~was_right).mean()
    mean = float(lost.mean())
    error = float(lost.std(ddof=1) / np.sqrt(n_rows)) if n_rows > 1 else np.inf
    # Among few samples none may be lost by chance: Wilson's interval has a width then, too.
    high = max(mean + Z * error, wilson_interval(to_wrong, n_rows)[1] - to_right)
    flipped = float(by_row(flips).mean())
    return Bunch(
        rows=rows,
        after_each=after,
        changes=changes,
        n_rows=n_rows,
        accuracy=float(is_right.mean()),
        before=float(by_row(was_right).mean()),
        after=float(by_row(is_right).mean()),
        lost=mean,
        lost_se=error,
        lost_interval=(mean - Z * error, float(high)),
        flips=flipped,
        flips_interval=tuple(map(float, wilson_interval(flipped, n_rows))),
    )


def _pull(
    name: str, before: np.ndarray, after: np.ndarray, given: np.ndarray, changes: np.ndarray
) -> dict[str, Any]:
    """Return by how much more often than by chance predictions go to given classes.

    Chance is how often they go to a class that neither is given nor was predicted: a change that
    merely disturbs leads there as well.  Among two classes: how often a prediction changes although
    the other sample is of the same class.
    """
    before = np.broadcast_to(before, after.shape)
    chance = np.zeros(after.shape)
    for label in np.unique(given):
        others = changes & (given != label) & (before != label)
        chance[given == label] = np.mean(after[others] == label) if others.any() else 0.0
    eligible = changes & (given != before)
    counts = eligible.sum(axis=0)
    some = counts > 0
    if not some.any():
        return {name: 0.0, f"{name}_interval": (0.0, 0.0)}
    gain = (((after == given) - chance) * eligible).sum(axis=0)[some] / counts[some]
    mean = float(gain.mean())
    error = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else np.inf
    return {name: mean, f"{name}_interval": (mean - Z * error, mean + Z * error)}


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
