"""The page of all figures, written from the JSON file beside it."""

import json
import re

_MEANING = re.compile(r"<!-- meaning (\w+) -->\n(.*?)<!-- /meaning -->", re.DOTALL)
_INTRODUCTION = """\
# Speed and memory

Written by `python benchmarks/run.py` from [benchmarks.json](benchmarks.json); what stands between
the lines `meaning` and `/meaning` was written by hand. Times are wall-clock times, what a user
waits for. On a shared machine they wander, so no two runs are compared: all that is set in relation
takes turns within one run, one turn to warm up first, and the median over the turns of the turn's
ratio is reported. (A fit against itself on two cores with five busy processes: 0.98 by wall-clock
time and 0.99 by processor time, with a standard deviation of a turn's ratio of 0.05 by either.)"""


def merge(path, name, setting, entry):
    """Put the figures of a benchmark into the file in the place of its earlier ones.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    name : str
        Of the benchmark.
    setting : str
        Device and threads: figures of other settings stay.
    entry : dict
        With ``rows``, ``command`` and ``machine``.

    Returns
    -------
    dict
        All figures, by name and setting.
    """
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    figures.setdefault(name, {})[setting] = entry
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def write_page(path, benchmarks, figures):
    """Write all figures as Markdown; what stands in a meaning block of the page is kept.

    Parameters
    ----------
    path : Path
    benchmarks : dict of str to Benchmark
        In the order of the page.
    figures : dict
        As `merge` returns them.

    Raises
    ------
    ValueError
        If the page is there without such a block: it may be someone's work.
    """
    meanings = _kept_meanings(path)
    sections = [
        _section(name, benchmark, figures.get(name, {}), meanings.get(name, ""))
        for name, benchmark in benchmarks.items()
        if name in figures or meanings.get(name)
    ]
    path.write_text("\n\n".join([_INTRODUCTION, *sections]) + "\n", encoding="utf-8")


def _kept_meanings(path):
    if not path.exists():
        return {}
    meanings = dict(_MEANING.findall(path.read_text(encoding="utf-8")))
    if not meanings:
        raise ValueError(f"{path} is there and has no <!-- meaning ... -->: written by hand?")
    return meanings


def _section(name, benchmark, entries, meaning):
    blocks = [f"## {benchmark.title}", benchmark.text]
    for entry in entries.values():
        blocks += [f"`{entry['command']}`: {entry['machine']}", _table(benchmark, entry["rows"])]
    return "\n\n".join([*blocks, f"<!-- meaning {name} -->\n{meaning}<!-- /meaning -->"])


def _table(benchmark, rows):
    titles = [column.title for column in benchmark.columns]
    cells = [[column.cell(row) for column in benchmark.columns] for row in rows]
    lines = [[*titles, "goal"], ["---"] * (len(titles) + 1)]
    lines += [[*c, verdict(benchmark, row)] for c, row in zip(cells, rows, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(benchmark, row):
    """Say what the goal is and whether the figure meets it."""
    goal = row.get("goal")
    if goal is None:
        return ""
    # A figure is judged as it is shown.
    form = next(column.form for column in benchmark.columns if column.key == benchmark.judged)
    met = float(format(row[benchmark.judged], form)) <= goal
    return f"≤ {goal:g}, {'met' if met else '**missed**'}"
