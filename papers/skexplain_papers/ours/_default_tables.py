"""Tables and the picture of the panel: shares of the way, what is lost, and the goals."""

import math

import numpy as np

from skexplain.studies import Table
from skexplain.studies.tools import (
    add_legend,
    group,
    mean_of,
    new_figure,
    paired_difference,
    share_of_way,
    style,
    where,
)

from ._panel_task import BROKEN, CLEAN

MEASURE = "figure"
BASELINE = "label-only"
#: Share of the way that a method is to go with its defaults, and how much more time than label-only
#: it may take.
SHARE_GOALS = {"swap": 0.95, "grad-reg": 0.8, "pgd": 0.8}
TIME_GOALS = {"swap": 1.3}
POINTS_LOST = 1.0


def share_table(rows):
    """Tell, task by task, how far each method goes, what is lost, and what it costs.

    Parameters
    ----------
    rows : list of dict
        Of tasks with a shortcut.

    Returns
    -------
    Table
    """
    columns = ("task", "method", "label-only", "ceiling", "with masks", "share of the way")
    columns += ("share, shuffled masks", "clean lost, points", "time / label-only", "warnings")
    body = []
    for task, method, cells in _each_method(rows):
        own, other = cells.get((method, "given"), []), cells.get((method, "shuffled"), [])
        body.append(
            (
                task,
                method,
                str(mean_of(_plain(cells), MEASURE, test=BROKEN)),
                str(mean_of(_ceiling(cells), MEASURE, test=BROKEN)),
                str(mean_of(own, MEASURE, test=BROKEN)),
                _write(_share(cells, own)),
                _write(_share(cells, other)),
                _write_points(_lost(cells, own)),
                _write_number(_times(cells, own)),
                _warnings(own),
            )
        )
    note = (
        "± is the standard deviation over seeds, se a standard error, paired by seed. Shares are "
        "ratios of mean differences. What is lost on clean samples is against the ceiling. Times "
        "are CPU time of the fit. Warnings are those of the package's own."
    )
    return Table("Tasks with a shortcut", columns, body, note)


def harm_table(rows):
    """Tell what marks on something harmless cost.

    Parameters
    ----------
    rows : list of dict
        Of tasks with nothing wrong.

    Returns
    -------
    Table
    """
    columns = ("task", "method", "label-only", "with masks", "lost, points", "within 1 se")
    columns += ("lost with shuffled masks", "time / label-only", "warnings")
    body = []
    for task, method, cells in _each_method(rows):
        own, other = cells.get((method, "given"), []), cells.get((method, "shuffled"), [])
        lost, lost_by_other = (
            paired_difference(_plain(cells), side, MEASURE) for side in (own, other)
        )
        body.append(
            (
                task,
                method,
                str(mean_of(_plain(cells), MEASURE)),
                str(mean_of(own, MEASURE)),
                _write_points(lost),
                _yes(_is_within(lost)),
                _write_points(lost_by_other),
                _write_number(_times(cells, own)),
                _warnings(own),
            )
        )
    note = "Points lost are label-only minus the method, paired by seed; below 0 it is ahead."
    return Table("Tasks with nothing wrong, and marks on something harmless", columns, body, note)


def goals_table(rows, harmless, left_out):
    """Hold each method against the goals.

    Parameters
    ----------
    rows, harmless : list of dict
        Of tasks with a shortcut, and of those with nothing wrong.
    left_out : list of str
        Tasks without rows, which the note names.

    Returns
    -------
    Table
    """
    columns = ("method", "share of the way", "lowest share", "at most 1 clean point lost")
    columns += ("harmless marks: within 1 se", "time / label-only: median", "largest")
    body = []
    for method in SHARE_GOALS:
        tasks = [(task, cells) for task, name, cells in _each_method(rows) if name == method]
        if not tasks:
            continue
        own = {task: cells.get((method, "given"), []) for task, cells in tasks}
        shares = {task: _share(cells, own[task]).mean for task, cells in tasks}
        shares = {task: share for task, share in shares.items() if not math.isnan(share)}
        lost = [_lost(cells, own[task]).mean for task, cells in tasks]
        times = [_times(cells, own[task]) for task, cells in tasks]
        harm = [
            paired_difference(_plain(cells), cells.get((method, "given"), []), MEASURE)
            for _, name, cells in _each_method(harmless)
            if name == method
        ]
        goal = SHARE_GOALS[method]
        lowest = min(shares, key=shares.get, default=None)
        body.append(
            (
                method,
                _reached(shares, goal, own),
                "" if lowest is None else f"{shares[lowest]:.2f} ({lowest})",
                _count(100 * value <= POINTS_LOST for value in lost if not math.isnan(value)),
                _count(map(_is_within, harm)),
                _with_goal(float(np.median(times)), TIME_GOALS.get(method)),
                _write_number(max(times)),
            )
        )
    note = "Each method has its defaults; what it is held against stands in the columns."
    if left_out:
        note += f" Without results, as data are missing or not computed: {', '.join(left_out)}."
    return Table("Do the defaults hold?", columns, body, note)


def draw_shares(rows):
    """Draw the share of the way and what is lost on clean samples, a line per task.

    Parameters
    ----------
    rows : list of dict
        Of tasks with a shortcut.

    Returns
    -------
    matplotlib.figure.Figure
        With bars of two standard errors to each side.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, axes = new_figure(1, 2, (4.6, 1.2 + 0.34 * len(tasks)))
    left, right = axes.flat
    _draw_estimates(left, rows, tasks, _share, 1, ("given", "shuffled"))
    _draw_estimates(right, rows, tasks, _lost, 100, ("given",))
    left.set(xlabel="share of the way from label-only to the ceiling", xlim=(_LEFTMOST[1], 1.45))
    right.set(xlabel="clean accuracy lost against the ceiling, points", xlim=(_LEFTMOST[100], None))
    left.set_yticks(range(len(tasks)), tasks)
    right.set_yticks(range(len(tasks)), [])
    for ax, goal, same in ((left, SHARE_GOALS["swap"], 1), (right, POINTS_LOST, 0)):
        ax.set_ylim(len(tasks) - 0.5, -0.5)
        ax.axvline(goal, color="0.5", linewidth=0.8, linestyle=":")
        ax.axvline(same, color="0.5", linewidth=0.8)
    add_legend(figure, axes)
    return figure


def _draw_estimates(ax, rows, tasks, measure, factor, kinds):
    """Draw a point per task, method and kind of masks; what is too low stands at the edge."""
    for i, method in enumerate(SHARE_GOALS):
        for masks in kinds:
            found = {
                task: measure(cells, cells.get((method, masks), []))
                for task, name, cells in _each_method(rows)
                if name == method
            }
            ax.errorbar(
                [max(factor * value.mean, _LEFTMOST[factor]) for value in found.values()],
                [tasks.index(task) + 0.22 * (i - 1) for task in found],
                xerr=[2 * factor * value.se for value in found.values()],
                label=method if masks == "given" else f"{method}, {masks} masks",
                **{**style(i, masks), "linestyle": "none"},
            )


_LEFTMOST = {1: -0.5, 100: -6.0}  # of shares, of points
#: Differences of equal figures are not always exactly 0.
_ROUNDING = 1e-9


def _each_method(rows):
    """Yield task, method and the rows of the task by method and masks."""
    for (task,), own in group(rows, ["task"]).items():
        cells = group(own, ["method", "masks"])
        for method in dict.fromkeys(method for method, _ in cells):
            if method != BASELINE:
                yield task, method, cells


def _plain(cells):
    return cells.get((BASELINE, "-"), [])


def _ceiling(cells):
    return cells.get((BASELINE, "no shortcut"), [])


def _share(cells, rows):
    sides = (where(side, test=BROKEN) for side in (rows, _plain(cells), _ceiling(cells)))
    return share_of_way(*sides, MEASURE)


def _lost(cells, rows):
    sides = (where(side, test=CLEAN) for side in (_ceiling(cells), rows))
    return paired_difference(*sides, MEASURE)


def _times(cells, rows):
    """Return the CPU time of the fits over that of label-only, of seeds that both have."""
    own, plain = (
        {row["seed"]: row["cpu_seconds"] for row in side} for side in (rows, _plain(cells))
    )
    shared = [seed for seed in own if seed in plain]
    if not shared:
        return math.nan
    return sum(own[seed] for seed in shared) / sum(plain[seed] for seed in shared)


def _reached(shares, goal, own):
    """Say in how many tasks the goal is reached, and in how many of the others a fit warns."""
    missed = [task for task, share in shares.items() if share < goal]
    n_warned = sum(any(row["warned"] for row in own[task]) for task in missed)
    text = f"at least {goal} in {len(shares) - len(missed)} of {len(shares)}"
    return text + (f", {n_warned} more warn" if n_warned else "")


def _is_within(difference):
    """Whether what is lost is at most one standard error; with one seed, nothing at all."""
    return difference.mean <= np.nan_to_num(difference.se) + _ROUNDING


def _warnings(rows):
    """Return the names of warnings, with the number of seeds that had them."""
    by_seed = {row["seed"]: row["warned"] for row in rows}
    counts = {}
    for names in by_seed.values():
        for name in names.split():
            counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{name} {count}/{len(by_seed)}" for name, count in counts.items())


def _count(answers):
    answers = list(answers)
    return f"{sum(answers)} of {len(answers)}"


def _yes(answer):
    return "yes" if answer else "no"


def _write(figure):
    if math.isnan(figure.mean):
        return ""
    return f"{figure.mean:.2f}" + ("" if math.isnan(figure.se) else f" (se {figure.se:.2f})")


def _write_points(figure):
    if math.isnan(figure.mean):
        return ""
    points = f"{100 * figure.mean:+.1f}"
    return points + ("" if math.isnan(figure.se) else f" (se {100 * figure.se:.1f})")


def _write_number(value):
    return "" if math.isnan(value) else f"{value:.2f}"


def _with_goal(value, goal):
    return _write_number(value) + ("" if goal is None else f" (at most {goal})")
