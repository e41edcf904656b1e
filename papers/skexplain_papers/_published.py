"""Published figures, kept in ``published.csv`` beside this file."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from skexplain.studies import tools


@dataclass(frozen=True)
class Published(tools.Published):
    """A published figure, and the study that repeats it.

    Attributes
    ----------
    study : str
        Name of the study.
    """

    study: str


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
        Columns of the cell.
    measure : str

    Returns
    -------
    Published or None
    """
    figures = [figure for figure in published_figures() if figure.study == study]
    return tools.find_published(figures, factors, measure)


def _read(row):
    factors = dict(pair.split("=", 1) for pair in row["factors"].split(";") if pair)
    return Published(
        row["source"],
        factors,
        row["measure"],
        float(row["value"]),
        float(row["spread"]) if row["spread"] else None,
        row["study"],
    )
