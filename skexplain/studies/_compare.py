"""Train estimators on the same splits, beside their controls."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from ._catalogue import DATASETS, DEFAULTS, ESTIMATORS, WITHOUT_MASKS
from ._parallel import run_unordered
from ._progress import progress_bar
from ._statistics import by_seed, group, mean_of, paired_difference
from ._study import Cell
from ._trial import has_parameter, make_estimator, run_trial, takes_mask

#: Measures of a row, all better when higher.
SCORES = ("accuracy", "mean_group", "worst_group")


def compare(
    datasets: Any = None,
    estimators: Any = None,
    *,
    seeds: Any = 3,
    max_epochs: int = 30,
    n_jobs: int = 1,
    progress: bool = False,
) -> list[Any]:
    """Train estimators on the same splits and score them by group.

    Each estimator that learns from masks is fitted with them and, as a control, with masks shuffled
    between rows.  The baseline "erm" is added where it is missing, with and without the shortcut in
    its training data.

    Parameters
    ----------
    datasets : list of str or None, default=None
        Names from the catalogue; None: all.
    estimators : list of str, dict of str to estimator, or None, default=None
        Names from the catalogue, or estimators of your own by a name for each, as classes or
        instances; None: all of the catalogue that suit the data set.
    seeds : int or list of int, default=3
        Number of repetitions, or their seeds; each has a split and initial weights of its own.
    max_epochs : int, default=30
        Epochs of every fit; estimators of your own that have no such parameter keep theirs.
    n_jobs : int, default=1
        Processes; each computes on one thread.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    list of dict
        A row per fit: dataset, estimator, masks ("-" for an estimator that takes none, "given",
        "shuffled" or "no shortcut"), seed, accuracy, mean_group, worst_group and seconds.

    Raises
    ------
    ValueError
        If a name is not in the catalogue, or names an estimator of your own that is in it.

    Examples
    --------
    >>> from skexplain.studies import compare
    >>> rows = compare(["decoy-corner"], ["grad-reg"], seeds=1, max_epochs=1)
    >>> [(row["estimator"], row["masks"]) for row in rows]
    [('erm', '-'), ('erm', 'no shortcut'), ('grad-reg', 'given'), ('grad-reg', 'shuffled')]
    """
    seeds = range(seeds) if isinstance(seeds, int) else seeds
    cells = list(_cells(datasets, estimators, seeds, max_epochs))
    rows = run_unordered(_run_numbered, list(enumerate(cells)), n_jobs=n_jobs)
    bar = progress_bar(rows, total=len(cells), unit="fit", disable=not progress, leave=False)
    return [row for _, row in sorted(bar, key=lambda pair: pair[0])]


def _cells(datasets: Any, estimators: Any, seeds: Any, max_epochs: Any) -> Iterator[Any]:
    methods = dict(ESTIMATORS)
    if isinstance(estimators, dict):
        for name, estimator in estimators.items():
            if name in ESTIMATORS:
                raise ValueError(f"estimators must have other names than the catalogue: {name!r}.")
            methods[name] = {"estimator": estimator}
    _check_names("estimators", estimators or (), methods)
    _check_names("datasets", datasets or (), DATASETS)
    for dataset in DATASETS if datasets is None else datasets:
        for seed in seeds:
            for name in dict.fromkeys(["erm", *(estimators or DEFAULTS[dataset])]):
                method = _with_epochs(methods[name], max_epochs)
                for masks in _kinds_of_masks(name, method):
                    factors = {"dataset": dataset, "estimator": name, "masks": masks, "seed": seed}
                    yield Cell(factors, method)


def _with_epochs(method: Any, max_epochs: Any) -> Any:
    if not has_parameter(method["estimator"], "max_epochs"):
        return method
    return {**method, "params": {**method.get("params", {}), "max_epochs": max_epochs}}


def _kinds_of_masks(name: str, method: Any) -> Any:
    if name == "erm":
        return ("-", "no shortcut")
    takes = name not in WITHOUT_MASKS and takes_mask(make_estimator(method, 0))
    return ("given", "shuffled") if takes else ("-",)


def _check_names(argument: Any, names: Any, catalogue: Any) -> None:
    for name in names:
        if name not in catalogue:
            raise ValueError(f"{argument} must be among {list(catalogue)}, got {name!r}.")


def _run_numbered(numbered: Any) -> Any:
    """Fit and score a cell; returns its number and its row."""
    number, cell = numbered
    factors = cell.factors
    task = DATASETS[factors["dataset"]](factors["seed"])
    (row,), _ = run_trial(task, cell.settings, factors["masks"], factors["seed"])
    return number, {**factors, **{name: row[name] for name in (*SCORES, "seconds")}}


def summarise(rows: Sequence[dict[str, Any]]) -> list[Any]:
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
    groups = group(rows, ("dataset", "estimator", "masks"))
    return [_summary(key, own, groups) for key, own in groups.items()]


def _summary(key: Any, own: Any, groups: Any) -> Any:
    dataset, estimator, masks = key
    erm = groups.get((dataset, "erm", "-"), [])
    shuffled = groups.get((dataset, estimator, "shuffled"), []) if masks == "given" else []
    summary = {"dataset": dataset, "estimator": estimator, "masks": masks, "seeds": len(own)}
    for score in SCORES:
        found = mean_of(own, score)
        summary |= {score: found.mean, f"{score}_sd": found.sd}
    for name, reference in (("vs_erm", erm), ("vs_shuffled", shuffled)):
        difference = paired_difference(own, reference, "mean_group")
        summary |= {name: difference.mean, f"{name}_se": difference.se}
    seconds, of_erm = by_seed(own, "seconds"), by_seed(erm, "seconds")
    ratios = [seconds[seed] / of_erm[seed] for seed in seconds if seed in of_erm]
    summary["seconds"] = statistics.median(seconds.values())
    summary["times_erm"] = statistics.median(ratios) if ratios else math.nan
    return summary
