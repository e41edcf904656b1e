"""What an audit of a classifier and one of a regressor differ in: scores, changes and words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.utils import Bunch

from ..metrics import (
    group_accuracies,
    group_r2_scores,
    mean_group_accuracy,
    nuisance_flip_rate,
    nuisance_shift,
    worst_group_accuracy,
)
from ..metrics._groups import BESIDE_ESTIMATOR, check_correct
from ..metrics._kinds import is_tagged_regressor, r2_of, target_values
from ..metrics._regression import rounding_of
from ._group_display import group_counts, wilson_interval

Z = 1.96
# Of a difference that is looked for in every audit, not in one that was asked for.
_Z_PREDICTIVE = 2.58
# A prediction of a regressor has changed where it moved by more than this, in standard deviations.
_MOVED = 0.1


@dataclass(frozen=True)
class Words:
    """How a reason says what was measured.

    Attributes
    ----------
    score : str
        What `before` and `after` are.
    changes : str
        What predictions do, with a place for the number.
    percent : bool
        Whether that number is a share.
    follow : str
        By how much predictions follow the sample that gives, with places for the share and for
        what of that sample they follow.
    target : str
        What the marked part may predict.
    of_targets : str
        Beginning of a sentence on samples of some classes, with a place for these.
    """

    score: str
    changes: str
    percent: bool
    follow: str
    target: str
    of_targets: str


@dataclass(frozen=True)
class Task:
    """A kind of model, as an audit measures it.

    Attributes
    ----------
    words : Words
        For reasons.
    score : str
        Beginning of the names of scores in a report.
    change : str
        Beginning of the names of changes of predictions.
    by_feature : str
        Name of what is measured column by column.
    read : callable
        ``read(y, predicted)`` checks labels and returns them as they are compared.
    score_of : callable
        ``score_of(y, predicted)`` is the score of some samples.
    change_of_feature : callable
        The metric of a change, of a single column.
    strata : callable
        ``strata(y)`` divides samples into those that should all have masks.
    describe : callable
        ``describe(rows, y, predicted, after, changes)`` compares predictions with those before.
    pull : callable
        ``pull(name, before, after, given, changes)``: how much predictions follow what is given.
    chance : callable
        ``chance(y)`` is the score of a constant prediction.
    guess : callable
        ``guess(features, y, seed)``: scores of a forest and of chance, and whether it is above.
    by_group : callable
        ``by_group(y, predicted, group_labels)`` returns numbers of the report.
    moved : callable
        ``moved(before, after, predicted)``: which predictions change, among all that there are.
    shown : callable
        ``shown(values)`` returns labels or predictions as they are drawn.
    """

    words: Words
    score: str
    change: str
    by_feature: str
    read: Callable[..., Any]
    score_of: Callable[..., float]
    change_of_feature: Callable[..., float]
    strata: Callable[..., Any]
    describe: Callable[..., Bunch]
    pull: Callable[..., dict[str, Any]]
    chance: Callable[..., float]
    guess: Callable[..., Bunch]
    by_group: Callable[..., dict[str, Any]]
    moved: Callable[..., Any]
    shown: Callable[..., Any]


def task_of(estimator: Any) -> Task:
    """Return what an audit of an estimator measures."""
    return REGRESSION if is_tagged_regressor(estimator) else CLASSIFICATION


# -- classifiers ----------------------------------------------------------------------------------


def _read_labels(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    check_correct(y, predicted, BESIDE_ESTIMATOR)
    try:
        np.unique(y)
    except TypeError as error:
        raise ValueError(f"y must hold labels of one kind, which can be sorted: {error}") from error
    if any(isinstance(label, tuple) for label in y.flat):
        raise ValueError("y must hold one label per sample, got tuples.")
    return y


def _describe_labels(
    rows: np.ndarray, y: np.ndarray, predicted: np.ndarray, after: np.ndarray, changes: np.ndarray
) -> Bunch:
    was_right = np.broadcast_to(predicted[rows] == y[rows], after.shape)
    is_right, flips = after == y[rows], after != predicted[rows]
    by_row, n_rows = _mean_by_row(changes)
    lost = by_row(was_right & ~is_right) - by_row(is_right & ~was_right)
    to_wrong, to_right = by_row(was_right & ~is_right).mean(), by_row(is_right & ~was_right).mean()
    mean, error = _mean_and_error(lost)
    # Among few samples none may be lost by chance: Wilson's interval has a width then, too.
    high = max(mean + Z * error, wilson_interval(to_wrong, n_rows)[1] - to_right)
    flipped = float(by_row(flips).mean())
    return Bunch(
        n_rows=n_rows,
        score=float(is_right.mean()),
        before=float(by_row(was_right).mean()),
        after=float(by_row(is_right).mean()),
        lost=mean,
        lost_se=error,
        lost_interval=(mean - Z * error, float(high)),
        flips=flipped,
        flips_interval=tuple(map(float, wilson_interval(flipped, n_rows))),
    )


def _pull_labels(
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
    mean, error = _mean_and_error(gain)
    return {name: mean, f"{name}_interval": (mean - Z * error, mean + Z * error)}


def _largest_share(y: np.ndarray) -> float:
    _, counts = np.unique(y, return_counts=True)
    return float(counts.max() / len(y))


def _guess_labels(features: np.ndarray, y: np.ndarray, seed: int) -> Bunch:
    _, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    folds = StratifiedKFold if counts.min() >= 5 else KFold
    guessed = cross_val_predict(
        RandomForestClassifier(50, random_state=seed),
        features,
        labels,
        cv=folds(5, shuffle=True, random_state=seed),
    )
    accuracy, n_rows = float(np.mean(guessed == labels)), len(labels)
    low = accuracy - _Z_PREDICTIVE * np.sqrt(max(accuracy * (1 - accuracy), 1 / n_rows) / n_rows)
    chance = _largest_share(y)
    return Bunch(score=accuracy, chance=chance, predictive=bool(low > chance))


def _accuracies_by_group(y: np.ndarray, predicted: np.ndarray, groups: Any) -> dict[str, Any]:
    return {
        "mean_group_accuracy": mean_group_accuracy(y, predicted, groups),
        "worst_group_accuracy": worst_group_accuracy(y, predicted, groups),
        "group_accuracies": group_accuracies(y, predicted, groups),
        "group_counts": group_counts(groups),
    }


# -- regressors -----------------------------------------------------------------------------------


def _read_targets(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    values = target_values(y, "y")
    target_values(predicted, "what the estimator predicts", len(y), "y")
    if np.ptp(values) == 0:
        raise ValueError(f"y must vary, to score a regressor; got {values[0]} throughout.")
    return values


def _describe_targets(
    rows: np.ndarray, y: np.ndarray, predicted: np.ndarray, after: np.ndarray, changes: np.ndarray
) -> Bunch:
    # Squared errors in units of the variance of y, so that 1 minus their mean is R2.
    variance = float(np.var(y[rows] if np.ptp(y[rows]) else y))
    spread = float(np.std(predicted))
    if spread <= rounding_of(predicted):
        spread = float(np.std(y))  # the same for all samples: there is no other unit
    old = np.broadcast_to((predicted[rows] - y[rows]) ** 2 / variance, after.shape)
    new = (after - y[rows]) ** 2 / variance
    by_row, n_rows = _mean_by_row(changes)
    lost, moved = by_row(new - old), by_row(np.abs(after - predicted[rows]) / spread)
    mean, error = _mean_and_error(lost)
    shift, shift_error = _mean_and_error(moved)
    # Among few samples none may change by chance, and another one by a whole unit.
    worse, far = float(np.mean(lost > _MOVED)), float(np.mean(moved > _MOVED))
    high = mean + max(Z * error, wilson_interval(worse, n_rows)[1] - worse)
    far_high = shift + max(Z * shift_error, wilson_interval(far, n_rows)[1] - far)
    return Bunch(
        n_rows=n_rows,
        score=float(1 - new.mean()),
        before=float(1 - by_row(old).mean()),
        after=float(1 - by_row(new).mean()),
        lost=mean,
        lost_se=error,
        lost_interval=(mean - Z * error, float(high)),
        flips=shift,
        flips_interval=(max(shift - Z * shift_error, 0.0), float(far_high)),
    )


def _pull_targets(
    name: str, before: np.ndarray, after: np.ndarray, given: np.ndarray, changes: np.ndarray
) -> dict[str, Any]:
    """Return by what share predictions follow given values.

    It is the coefficient of what is given in the linear regression of predictions after the change
    on it and on those before: a change that merely disturbs does not depend on what is given.
    """
    sample = np.broadcast_to(np.arange(after.shape[1]), after.shape)[changes]
    old = np.broadcast_to(before, after.shape)[changes].astype(float)
    new, given = after[changes].astype(float), given[changes].astype(float)
    others = np.column_stack([np.ones(len(old)), old])
    rest = given - others @ np.linalg.lstsq(others, given, rcond=None)[0]
    power = float(rest @ rest)
    if power <= 1e-9 * max(float(given @ given), np.finfo(float).tiny) or len(old) < 4:
        return {name: 0.0, f"{name}_interval": (0.0, 0.0)}
    whole = np.column_stack([others, given])
    solution = np.linalg.lstsq(whole, new, rcond=None)[0]
    # Repeated swaps of a sample are not independent: their residuals are summed first.
    scores = np.bincount(sample, rest * (new - whole @ solution), minlength=after.shape[1])
    error = float(np.sqrt(scores @ scores) / power)
    share = float(solution[2])
    return {name: share, f"{name}_interval": (share - Z * error, share + Z * error)}


def _guess_targets(features: np.ndarray, y: np.ndarray, seed: int) -> Bunch:
    guessed = cross_val_predict(
        RandomForestRegressor(50, random_state=seed),
        features,
        y,
        cv=KFold(5, shuffle=True, random_state=seed),
    )
    gain = ((y - y.mean()) ** 2 - (y - guessed) ** 2) / np.var(y)
    mean, error = _mean_and_error(gain)
    return Bunch(score=mean, chance=0.0, predictive=bool(mean - _Z_PREDICTIVE * error > 0))


def _quarters(y: np.ndarray) -> np.ndarray:
    """Return the quarter of its target for each sample, as a text that says its ends."""
    edges = np.unique(np.quantile(y, [0.25, 0.5, 0.75]))
    places = np.searchsorted(edges, y, side="right")
    names = {
        place: f"{y[places == place].min():.3g} to {y[places == place].max():.3g}"
        for place in np.unique(places)
    }
    return np.array([names[place] for place in places])


def _r2_by_group(y: np.ndarray, predicted: np.ndarray, groups: Any) -> dict[str, Any]:
    scores = group_r2_scores(y, predicted, groups)
    values = list(scores.values())
    return {
        "mean_group_r2": float(np.mean(values)),
        "worst_group_r2": float(np.min(values)),
        "group_r2_scores": scores,
    }


# -- both -----------------------------------------------------------------------------------------


def _mean_by_row(changes: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """Return a mean over the repeats in which a sample changes, and how many samples ever do."""
    counts = changes.sum(axis=0)
    any_change = counts > 0

    def by_row(values: np.ndarray) -> np.ndarray:
        return (values * changes).sum(axis=0)[any_change] / counts[any_change]

    return by_row, int(any_change.sum())


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    mean = float(values.mean())
    return mean, float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.inf


CLASSIFICATION = Task(
    words=Words(
        score="accuracy",
        changes="{} of the predictions change",
        percent=True,
        follow="in {} more cases than by chance predictions go to {}",
        target="class",
        of_targets="Of class {}",
    ),
    score="accuracy",
    change="flips",
    by_feature="flip_rate_by_feature",
    read=_read_labels,
    score_of=lambda y, predicted: float(np.mean(y == predicted)),
    change_of_feature=nuisance_flip_rate,
    strata=lambda y: y,
    describe=_describe_labels,
    pull=_pull_labels,
    chance=_largest_share,
    guess=_guess_labels,
    by_group=_accuracies_by_group,
    moved=lambda before, after, predicted: after != before,
    shown=lambda values: values,
)
REGRESSION = Task(
    words=Words(
        score="R2",
        changes="predictions move by {} standard deviations on average",
        percent=False,
        follow="predictions follow {1} by {0} of the difference",
        target="target",
        of_targets="Of targets from {}",
    ),
    score="r2",
    change="shift",
    by_feature="shift_by_feature",
    read=_read_targets,
    score_of=r2_of,
    change_of_feature=nuisance_shift,
    strata=_quarters,
    describe=_describe_targets,
    pull=_pull_targets,
    chance=lambda y: 0.0,
    guess=_guess_targets,
    by_group=_r2_by_group,
    moved=lambda before, after, predicted: np.abs(after - before) > _MOVED * np.std(predicted),
    shown=lambda values: np.array([f"{value:.3g}" for value in values]),
)
