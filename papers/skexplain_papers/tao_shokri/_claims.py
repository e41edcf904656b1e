"""Two claims of Tao & Shokri: deviations ten times smaller, and 3 to 10 times fewer rows."""

import math

import numpy as np
from scipy import stats

from skexplain.studies import Table
from skexplain.studies.tools import by_seed, crossing, group

from .._published import find_published

_FEW, _MANY = ("two-stage", "given"), ("label-only", "-")
_N_BOOTSTRAPS = 500


def spread_table(study, rows):
    """Hold the standard deviation of label-only against that of two-stage and of its control.

    Parameters
    ----------
    study : Study
        Whose published figures are looked up.
    rows : list of dict
        With dataset, size, test, method, masks and seed.

    Returns
    -------
    Table
    """
    body = []
    for panel, own in group(rows, ["dataset", "size", "test"]).items():
        cells = group(own, ["method", "masks"])
        many = by_seed(cells.get(_MANY, []), study.measure)
        ratios = []
        for key in (_FEW, ("two-stage", "off")):
            few = by_seed(cells.get(key, []), study.measure)
            seeds = [seed for seed in many if seed in few]
            ratios.append(sd_ratio([many[s] for s in seeds], [few[s] for s in seeds]))
        keys = dict(zip(("dataset", "size", "test"), panel, strict=True))
        published = [
            find_published(study.name, {**keys, "method": method}, study.measure)
            for method in ("label-only", "two-stage")
        ]
        told = all(figure and figure.spread for figure in published)
        body.append(
            (
                *map(str, panel),
                *(_text_of_ratio(*ratio) for ratio in ratios),
                f"{published[0].spread / published[1].spread:.1f}" if told else "",
            )
        )
    columns = ("dataset", "size", "test", "given", "off", "published")
    note = (
        "Standard deviation over seeds of label-only, divided by that of two-stage with its masks "
        "and switched off; in brackets the 95 % interval of Pitman for paired normal values.  The "
        "claim is a ratio of about 10."
    )
    return Table("Are deviations ten times smaller?", columns, body, note)


def sd_ratio(x, y, level=0.95):
    """Estimate the ratio of two standard deviations of paired values.

    The interval holds the ratios t at which x / t + y and x / t - y are not correlated beyond
    chance (Pitman 1939): exact where pairs are normal, whatever their correlation.

    Parameters
    ----------
    x, y : array-like of shape (n,)
    level : float, default=0.95

    Returns
    -------
    ratio, low, high : float
        nan where they are not defined: fewer than three pairs, or values without spread.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    n = len(x)
    if n < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, math.nan, math.nan
    ratio = x.std(ddof=1) / y.std(ddof=1)
    unexplained = 1 - np.corrcoef(x, y)[0, 1] ** 2
    k = 1 + 2 * unexplained * stats.t.ppf((1 + level) / 2, n - 2) ** 2 / (n - 2)
    width = math.sqrt(k + math.sqrt(k**2 - 1))
    return ratio, ratio / width, ratio * width


def _text_of_ratio(ratio, low, high):
    return "" if math.isnan(ratio) else f"{ratio:.1f} [{low:.1f}, {high:.1f}]"


def fewer_rows_table(study, rows):
    """Tell how many rows label-only needs for the accuracy of two-stage.

    Parameters
    ----------
    study : Study
        Whose published figures are looked up.
    rows : list of dict
        With dataset, size, test, method, masks and seed.

    Returns
    -------
    Table
    """
    body = []
    for panel, own in group(rows, ["dataset", "test"]).items():
        few, many = (_by_size(own, key, study.measure) for key in (_FEW, _MANY))
        told_few, told_many = (_told(study, panel, key[0], many) for key in (_FEW, _MANY))
        for size in sorted(few) if many else ():  # none where a run has only begun
            factor, low, high = (
                _text_of_factor(value, many, size)
                for value in factor_of_rows(few[size], many, size)
            )
            told = ""
            if size in told_few and told_many:
                told_factor = rows_needed(told_many, told_few[size]) / size
                told = _text_of_factor(told_factor, told_many, size)
            mean = f"{np.mean(few[size]):.3f}"
            body.append((*panel, str(size), mean, factor, f"{low} to {high}", told))
    columns = ("dataset", "test", "size", "two-stage", "factor", "95 %", "published")
    note = (
        "Factor: rows that label-only needs for the accuracy of two-stage, interpolated on the "
        "logarithm of its training sizes, divided by those of two-stage; below 1 two-stage needs "
        "more.  < and > : beyond the sizes computed.  Interval: bootstrap over the seeds of each "
        "mean by itself, narrow where these are few.  Published: the same "
        "from the published means; the claim is 3 to 10."
    )
    return Table("How many times fewer rows?", columns, body, note)


def _by_size(rows, key, measure):
    """Return the measure of all seeds by training size, of one method."""
    cells = group(rows, ["method", "masks", "size"])
    return {
        size: list(by_seed(own, measure).values())
        for (*kind, size), own in cells.items()
        if tuple(kind) == key
    }


def _told(study, panel, method, sizes):
    """Return published means by training size."""
    dataset, test = panel
    keys = {"dataset": dataset, "test": test, "method": method}
    found = {
        size: find_published(study.name, {**keys, "size": size}, study.measure) for size in sizes
    }
    return {size: figure.value for size, figure in found.items() if figure}


def rows_needed(means, target):
    """Return the training size at which an accuracy is first reached.

    Parameters
    ----------
    means : dict of int to float
        Accuracy by training size.
    target : float

    Returns
    -------
    float
        Between sizes interpolated on their logarithm; 0: the smallest size is enough; infinity: the
        largest is not.
    """
    sizes = sorted(means)
    accuracies = [means[size] for size in sizes]
    return crossing(sizes, accuracies, target, from_start=0.0, never=math.inf)


def factor_of_rows(few, many, size):
    """Estimate how many times more rows label-only needs.

    Parameters
    ----------
    few : list of float
        Accuracies of the other method at `size`, one per seed.
    many : dict of int to list of float
        Those of label-only by training size.
    size : int

    Returns
    -------
    factor, low, high : float
        With the 95 % interval of the bootstrap over seeds.
    """
    rng = np.random.RandomState(0)

    def drawn(values):
        return np.mean(rng.choice(values, len(values)))

    draws = [
        rows_needed({n: drawn(values) for n, values in many.items()}, drawn(few))
        for _ in range(_N_BOOTSTRAPS)
    ]
    needed = rows_needed({n: np.mean(values) for n, values in many.items()}, np.mean(few))
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return needed / size, low / size, high / size


def _text_of_factor(factor, sizes, size):
    """Write a factor, or the bound that the smallest or largest size of label-only gives."""
    if factor == 0:
        return f"<{min(sizes) / size:.2g}"
    return f">{max(sizes) / size:.2g}" if math.isinf(factor) else f"{factor:.2g}"
