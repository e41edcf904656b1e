"""Means over repetitions, and differences that are paired by seed."""

import math
from dataclasses import dataclass

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

    def __str__(self):
        return f"{self.mean:.3f}" if math.isnan(self.sd) else f"{self.mean:.3f} ± {self.sd:.3f}"

    def as_difference(self):
        """Write with sign and standard error."""
        if math.isnan(self.mean):
            return ""
        return f"{self.mean:+.3f}" + ("" if math.isnan(self.se) else f" (se {self.se:.3f})")

    @property
    def is_beyond_chance(self):
        """Whether the mean is more than two standard errors above 0."""
        return self.mean > 2 * self.se


def estimate(values):
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


def group(rows, by):
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
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    return groups


def by_seed(rows, measure):
    """Return the measure by seed; rows without it are left out."""
    return {row["seed"]: row[measure] for row in rows if row.get(measure) is not None}


def paired_difference(rows, reference, measure):
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
