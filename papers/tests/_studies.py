"""What the tests of several studies share."""

import numpy as np

from skexplain.studies import run_study


def find_cell(study, scale="paper", **wanted):
    """The first cell with the given factors."""
    return next(
        cell
        for cell in study.cells(scale)
        if all(cell.factors[name] == value for name, value in wanted.items())
    )


def run_quick(study, folder):
    """Rows of the quick scale; tables and pictures are made, too."""
    results = run_study(study, "quick", folder=folder)
    assert results.is_complete
    assert all(table.rows for table in results.tables())
    for figure in results.pictures().values():
        figure.canvas.draw()
    return results.rows


def mean_of(rows, measure, **wanted):
    """Mean of a measure over the rows with the given factors."""
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return np.mean([row[measure] for row in found])
