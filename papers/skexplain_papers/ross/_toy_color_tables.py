"""Tables and pictures of where models of toy colours look."""

import math
from statistics import median

from skexplain.studies import Table
from skexplain.studies.tools import COLORS, crossing, group, mean_of, paired_difference

from .._published import find_published, published_figures
from ._toy_color_data import RULES


def looks_table(study, rows, factors, note):
    """List accuracy and shares of each model, the published ones beside them.

    Parameters
    ----------
    study : Study
    rows : list of dict
        Those with masks "-" are of the plain network.
    factors : sequence of str
        Columns whose values tell models apart.
    note : str

    Returns
    -------
    Table
    """
    plain = [row for row in rows if row["masks"] == "-"]
    measures = ("accuracy", *RULES)
    body = []
    for keys, own in group(rows, factors).items():
        cells = []
        for measure in measures:
            found = find_published(study.name, dict(zip(factors, keys, strict=True)), measure)
            ours = mean_of(own, measure)
            cells += [str(ours), "" if found is None else str(found)]
        moved = "" if own == plain else paired_difference(own, plain, RULES[1]).as_difference()
        body.append((*("" if key is None else str(key) for key in keys), *cells, moved))
    columns = [name.replace("_", " ") for name in factors]
    for measure in measures:
        columns += [measure.replace("_", " "), "published"]
    columns.append("top middle, gain over plain")
    note = (
        "corners, top middle: share of the largest gradients there (cutoff 0.67, first 1000 test "
        "rows). ± is the standard deviation over seeds, se a standard error of paired differences. "
        "Shuffled masks are moved: 8 of the 24 moves of the corners still cover some of them. "
        f"{note}"
    )
    return Table(f"{study.title}: where models look", tuple(columns), body, note)


def crossings(rows, x, measure, level, from_start=None):
    """Return by seed where a measure first reaches a level.

    Parameters
    ----------
    rows : list of dict
    x, measure : str
        Columns; rows at x = 0 or without the measure are left out.
    level : float
    from_start : float or None, default=None
        See `crossing`.

    Returns
    -------
    dict of int to float
        nan: in no place.
    """
    rows = sorted((row for row in rows if row[x] > 0 and row[measure] is not None), key=_at(x))
    return {
        seed: crossing([row[x] for row in own], [row[measure] for row in own], level, from_start)
        for (seed,), own in group(rows, ["seed"]).items()
    }


def _at(x):
    return lambda row: row[x]


def describe_spread(values):
    """Write the median of some numbers and their range, and for how many there is one.

    Parameters
    ----------
    values : iterable of float
        nan: there is none.

    Returns
    -------
    str
    """
    values = list(values)
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        return f"none of {len(values)}"
    low, middle, high = (f"{value:.3g}" for value in (min(finite), median(finite), max(finite)))
    return f"{middle} ({low} to {high}), {len(finite)} of {len(values)}"


def transition_table(study, rows, x, by):
    """Tell from where on more than half of the largest gradients lie on the top middle.

    Parameters
    ----------
    study : Study
    rows : list of dict
    x : str
        What is raised.
    by : sequence of str
        Columns whose values tell curves apart.

    Returns
    -------
    Table
    """
    curves = group([row for row in rows if row["masks"] != "-"], by)
    body = [
        (*map(str, keys), describe_spread(crossings(own, x, RULES[1], 0.5).values()))
        for keys, own in curves.items()
    ]
    columns = (*by, f"{x.replace('_', ' ')} at which the rule flips")
    note = "Median (lowest to highest), and in how many seeds it does; interpolated between values."
    return Table(f"{study.title}: from where on the rule flips", columns, body, note)


def as_curves(rows):
    """Return a row per rule, with ``rule`` and ``share``, for `draw_curves`.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    list of dict
    """
    return [
        {**row, "rule": rule.replace("_", " "), "share": row[rule]}
        for rule in RULES
        for row in rows
        if row["masks"] != "-"
    ]


def draw_published(ax, study, x, measure, label, color, **factors):
    """Draw published figures as crosses.

    Parameters
    ----------
    ax : Axes
    study : Study
    x, measure : str
    label, color : str
    **factors
        Which of them, where a measure has several curves.
    """
    figures = [
        figure
        for figure in published_figures()
        if figure.study == study.name
        and figure.measure == measure
        and x in figure.factors
        and factors.items() <= figure.factors.items()
    ]
    ax.plot(
        [float(figure.factors[x]) for figure in figures],
        [figure.value for figure in figures],
        color=color,
        linestyle="none",
        marker="x",
        label=label,
    )


def draw_published_shares(ax, study, x):
    """Draw the published shares of both rules, in the colours of `draw_curves`.

    Parameters
    ----------
    ax : Axes
    study : Study
    x : str
    """
    for rule, color in zip(RULES, COLORS, strict=False):
        label = f"{rule.replace('_', ' ')}, published (one model)"
        draw_published(ax, study, x, rule, label, color)
