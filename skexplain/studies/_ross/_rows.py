"""Rows of a study: some of them, and their mean."""

from .._statistics import by_seed, estimate


def where(rows, **factors):
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


def mean_of(rows, measure, **factors):
    """Sum up a measure over seeds, in the rows that have these values.

    Parameters
    ----------
    rows : list of dict
    measure : str
    **factors
        Columns and their values.

    Returns
    -------
    Estimate
    """
    return estimate(by_seed(where(rows, **factors), measure).values())
