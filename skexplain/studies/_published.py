"""Published figures, kept in ``published.csv`` beside this file."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes
    ----------
    study : str
        The study that repeats it.
    source : str
        Paper and place in it.
    factors : dict
        Columns of a study's rows that it belongs to; values are strings.
    measure : str
    value : float
        The figure.
    spread : float or None
        The standard deviation that was given with it.
    """

    study: str
    source: str
    factors: dict
    measure: str
    value: float
    spread: float | None

    def __str__(self):
        return f"{self.value:.3f}" + ("" if self.spread is None else f" ± {self.spread:.3f}")


@cache
def published_figures():
    """Return all published figures.

    Returns
    -------
    list of Published
    """
    with files(__package__).joinpath("published.csv").open(encoding="utf-8", newline="") as file:
        return [_read(row) for row in csv.DictReader(file)]


def find_published(study, factors, measure):
    """Return the published figure of a cell of a table, or None.

    Parameters
    ----------
    study : str
        Name of the study.
    factors : dict
        Columns of the cell.  A published figure belongs to it when all of its own factors agree.
    measure : str

    Returns
    -------
    Published or None
    """
    found = [
        figure
        for figure in published_figures()
        if figure.study == study
        and figure.measure == measure
        and all(str(factors.get(name)) == value for name, value in figure.factors.items())
    ]
    return max(found, key=lambda figure: len(figure.factors), default=None)


def _read(row):
    factors = dict(pair.split("=", 1) for pair in row["factors"].split(";") if pair)
    return Published(
        row["study"],
        row["source"],
        factors,
        row["measure"],
        float(row["value"]),
        float(row["spread"]) if row["spread"] else None,
    )
