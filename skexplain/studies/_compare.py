"""Train estimators on the same splits, beside their controls."""

import time
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import accuracy_score

from ..metrics import mean_group_accuracy, worst_group_accuracy
from ._catalogue import DATASETS, DEFAULTS, ESTIMATORS, WITHOUT_MASKS
from ._parallel import one_thread
from ._parallel import warm_up as _warm_up
from ._progress import progress_bar

#: Measures of a row, all better when higher.
SCORES = ("accuracy", "mean_group", "worst_group")

#: What an estimator is given: the masks; masks of other rows; or data without the shortcut, the
#: ceiling of what can be reached.
MASKS = ("given", "shuffled", "no shortcut")


@dataclass(frozen=True)
class Cell:
    """One fit of a comparison."""

    dataset: str
    estimator: str
    masks: str
    seed: int


def compare(datasets=None, estimators=None, *, seeds=3, max_epochs=30, n_jobs=1, progress=False):
    """Train estimators on the same splits and score them by group.

    Each estimator that learns from masks is fitted with them and, as a control, with masks shuffled
    between rows.  The baseline "erm" is added where it is missing, with and without the shortcut in
    its training data.

    Parameters
    ----------
    datasets : list of str or None, default=None
        Names from the catalogue; None: all.
    estimators : list of str or None, default=None
        Names from the catalogue; None: all that suit the data set.
    seeds : int or list of int, default=3
        Number of repetitions, or their seeds; each has a split and initial weights of its own.
    max_epochs : int, default=30
        Epochs of every fit.
    n_jobs : int, default=1
        Processes; each computes on one thread.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    list of dict
        A row per fit: dataset, estimator, masks ("given", "shuffled" or "no shortcut"), seed,
        accuracy, mean_group, worst_group and seconds.

    Examples
    --------
    >>> from skexplain.studies import compare
    >>> rows = compare(["decoy-corner"], ["grad-reg"], seeds=1, max_epochs=1)
    >>> [(row["estimator"], row["masks"]) for row in rows]
    [('erm', 'given'), ('erm', 'no shortcut'), ('grad-reg', 'given'), ('grad-reg', 'shuffled')]
    """
    cells = _cells(datasets, estimators, range(seeds) if isinstance(seeds, int) else seeds)
    run = Parallel(n_jobs=n_jobs, return_as="generator")
    rows = run(delayed(run_cell)(cell, max_epochs) for cell in cells)
    bar = progress_bar(rows, total=len(cells), unit="fit", disable=not progress, leave=False)
    return list(bar)


def _cells(datasets, estimators, seeds):
    _known("estimators", estimators, ESTIMATORS)
    return [
        Cell(dataset, name, masks, seed)
        for dataset in _known("datasets", datasets, DATASETS)
        for seed in seeds
        for name in dict.fromkeys(["erm", *(estimators or DEFAULTS[dataset])])
        for masks in _kinds_of_masks(name)
    ]


def _kinds_of_masks(name):
    if name == "erm":
        return ("given", "no shortcut")
    return ("given",) if name in WITHOUT_MASKS else ("given", "shuffled")


def _known(argument, names, catalogue):
    for name in names or ():
        if name not in catalogue:
            raise ValueError(f"{argument} must be among {list(catalogue)}, got {name!r}.")
    return list(catalogue) if names is None else names


def run_cell(cell, max_epochs):
    """Fit and score one cell; returns its row."""
    task = DATASETS[cell.dataset](cell.seed)
    estimator = ESTIMATORS[cell.estimator](max_epochs=max_epochs, random_state=cell.seed)
    X, mask = task.X, task.mask
    if cell.masks == "shuffled":
        mask = np.random.default_rng(cell.seed).permutation(mask)
    elif cell.masks == "no shortcut":
        X = task.X_without
    with one_thread():
        _warm_up()
        start = time.perf_counter()
        estimator.fit(X, task.y, mask=mask)
        seconds = time.perf_counter() - start
        predicted = estimator.predict(task.X_test)
    return {
        "dataset": cell.dataset,
        "estimator": cell.estimator,
        "masks": cell.masks,
        "seed": cell.seed,
        "accuracy": accuracy_score(task.y_test, predicted),
        "mean_group": mean_group_accuracy(task.y_test, predicted, task.groups_test),
        "worst_group": worst_group_accuracy(task.y_test, predicted, task.groups_test),
        "seconds": seconds,
    }


def summarise(rows):
    """Summarise a comparison over its seeds.

    Differences are paired: taken seed by seed, on the mean over groups, then averaged.

    Parameters
    ----------
    rows : list of dict
        As `compare` returns them.

    Returns
    -------
    list of dict
        Per data set, estimator and kind of masks: mean and sd (``*_sd``) of each score, the
        difference to "erm" and to the shuffled masks with its standard error (``*_se``; nan for
        one seed), seconds, and their multiple of "erm".

    Examples
    --------
    >>> from skexplain.studies import compare, summarise
    >>> rows = compare(["decoy-corner"], ["swap-ex"], seeds=1, max_epochs=1)
    >>> [(line["estimator"], line["masks"]) for line in summarise(rows)][-2:]
    [('swap-ex', 'given'), ('swap-ex', 'shuffled')]
    """
    groups = {}
    for row in rows:
        groups.setdefault((row["dataset"], row["estimator"], row["masks"]), {})[row["seed"]] = row
    return [_summary(key, by_seed, groups) for key, by_seed in groups.items()]


def _summary(key, by_seed, groups):
    dataset, estimator, masks = key
    summary = {"dataset": dataset, "estimator": estimator, "masks": masks, "seeds": len(by_seed)}
    for score in SCORES:
        values = [row[score] for row in by_seed.values()]
        summary[score] = float(np.mean(values))
        summary[f"{score}_sd"] = _sd(values)
    erm = groups.get((dataset, "erm", "given"), {})
    shuffled = groups.get((dataset, estimator, "shuffled"), {})
    for name, other in (("vs_erm", erm), ("vs_shuffled", shuffled if masks == "given" else {})):
        differences = [
            by_seed[seed]["mean_group"] - other[seed]["mean_group"]
            for seed in by_seed
            if seed in other
        ]
        summary[name] = float(np.mean(differences)) if differences else float("nan")
        summary[f"{name}_se"] = _sd(differences) / max(1, len(differences)) ** 0.5
    summary["seconds"] = float(np.median([row["seconds"] for row in by_seed.values()]))
    ratios = [by_seed[s]["seconds"] / erm[s]["seconds"] for s in by_seed if s in erm]
    summary["times_erm"] = float(np.median(ratios)) if ratios else float("nan")
    return summary


def _sd(values):
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
