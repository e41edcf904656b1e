"""Means over repetitions, and differences that are paired by seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """Mean over repetitions with its spread.

    Attributes
    ----------
    mean, sd, se : float
        Mean, standard deviation and standard error; nan for the latter two with one repetition.
    n : int
        Repetitions.
    """

    mean: float
    sd: float
    se: float
    n: int

    def __str__(self) -> str:
        if not self.n:
            return ""
        return f"{self.mean:.3f}" if math.isnan(self.sd) else f"{self.mean:.3f} ± {self.sd:.3f}"

    def as_difference(self) -> str:
        """Write with sign and standard error."""
        if not self.n:
            return ""
        return f"{self.mean:+.3f}" + ("" if math.isnan(self.se) else f" (se {self.se:.3f})")

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the mean is more than two standard errors above 0; never with one repetition."""
        return self.mean > 2 * self.se + _ROUNDING


#: Differences of equal figures are not always exactly 0.
_ROUNDING = 1e-9


def estimate(values: Any) -> Any:
    """Sum up the values of repetitions.

    Parameters
    ----------
    values : iterable of float

    Returns
    -------
    Estimate
    """
    values = np.array(list(values), dtype=float)
    n = len(values)
    if not n:
        return Estimate(math.nan, math.nan, math.nan, 0)
    sd = values.std(ddof=1) if n > 1 else math.nan
    return Estimate(float(values.mean()), float(sd), float(sd / math.sqrt(n)), n)


def group(rows: Sequence[dict[str, Any]], by: Any) -> dict[Any, list[Any]]:
    """Group rows by the values of some columns.

    Parameters
    ----------
    rows : list of dict
    by : sequence of str
        Columns; a row that lacks one has None there.

    Returns
    -------
    dict of tuple to list of dict
        In the order of the rows.
    """
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    return groups


def where(rows: Sequence[dict[str, Any]], **factors: Any) -> list[Any]:
    """Return the rows that have these values.

    Parameters
    ----------
    rows : list of dict
    **factors
        Columns and their values.

    Returns
    -------
    list of dict
    """
    return [row for row in rows if all(row.get(name) == value for name, value in factors.items())]


def by_seed(rows: Sequence[dict[str, Any]], measure: str) -> Any:
    """Return the measure by seed.

    Parameters
    ----------
    rows : list of dict
        Of one cell of a table; those without the measure are left out.
    measure : str

    Returns
    -------
    dict of int to float
        What is nan stays: a repetition that failed is no repetition that was not made.

    Raises
    ------
    ValueError
        If rows share a seed: a factor is missing that distinguishes them.
    """
    found = [row for row in rows if row.get(measure) is not None]
    values = {row["seed"]: row[measure] for row in found}
    if len(values) < len(found):
        raise ValueError(
            f"{len(found)} rows have {len(values)} seeds: group by what distinguishes them, "
            f"such as {_differing(found)}."
        )
    return values


def _differing(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Return names of factors in which rows differ; most measures are floats."""
    names = [name for name, value in rows[0].items() if not isinstance(value, float)]
    return [name for name in names if len({str(row.get(name)) for row in rows}) > 1]


def mean_of(rows: Sequence[dict[str, Any]], measure: str, **factors: Any) -> Any:
    """Sum up a measure over seeds.

    Parameters
    ----------
    rows : list of dict
    measure : str
    **factors
        Columns and their values: the other rows are left out.

    Returns
    -------
    Estimate
    """
    return estimate(by_seed(where(rows, **factors), measure).values())


def of_shared_seeds(rows: Sequence[dict[str, Any]], reference: Any) -> tuple[Any, ...]:
    """Return the rows of either side whose seed the other side has, too.

    Parameters
    ----------
    rows, reference : list of dict
        Rows with `seed`.

    Returns
    -------
    rows, reference : list of dict
    """
    seeds = {row["seed"] for row in rows} & {row["seed"] for row in reference}
    return tuple([row for row in side if row["seed"] in seeds] for side in (rows, reference))


def paired_difference(rows: Sequence[dict[str, Any]], reference: Any, measure: str) -> Any:
    """Sum up differences between rows of the same seed.

    Parameters
    ----------
    rows, reference : list of dict
        Rows with `seed` and the measure; seeds that are in one alone are left out.
    measure : str

    Returns
    -------
    Estimate
        Of rows - reference.
    """
    ours, theirs = by_seed(rows, measure), by_seed(reference, measure)
    return estimate(ours[seed] - theirs[seed] for seed in ours if seed in theirs)


def share_of_way(rows: Sequence[dict[str, Any]], start: Any, end: Any, measure: str) -> Any:
    """Return how far figures are on the way from a start to an end, paired by seed.

    Parameters
    ----------
    rows, start, end : list of dict
        Rows with `seed` and the measure; seeds that are not in all three are left out.
    measure : str

    Returns
    -------
    Estimate
        Ratio of the mean differences to the start, of rows and of end: a single seed in which these
        are close to each other does not upset it.  The standard error is that of the linearised
        ratio.  nan unless the end is above the start.
    """
    ours, first, last = (by_seed(side, measure) for side in (rows, start, end))
    seeds = [seed for seed in ours if seed in first and seed in last]
    gone = np.array([ours[seed] - first[seed] for seed in seeds])
    way = np.array([last[seed] - first[seed] for seed in seeds])
    if not len(seeds) or not way.mean() > _ROUNDING:
        return Estimate(math.nan, math.nan, math.nan, len(seeds))
    share = gone.mean() / way.mean()
    around = estimate((gone - share * way) / way.mean())
    return Estimate(float(share), around.sd, around.se, len(seeds))


def crossing(
    places: Any, values: Any, level: float, from_start: Any = None, never: Any = math.nan
) -> Any:
    """Return the first place at which values reach a level, interpolated along the logarithm.

    Parameters
    ----------
    places : sequence of float
        Ascending, above 0.
    values : sequence of float
    level : float
    from_start : float or None, default=None
        What is returned if they do at the first place already, so that it is not known where they
        begin to; None: that place.
    never : float, default=nan
        What is returned if they never do.

    Returns
    -------
    float
    """
    reached = np.flatnonzero(np.asarray(values) >= level)
    if not len(reached):
        return never
    i = reached[0]
    if i == 0:
        return float(places[0]) if from_start is None else from_start
    between = (level - values[i - 1]) / (values[i] - values[i - 1])
    return float(places[i - 1] * (places[i] / places[i - 1]) ** between)
