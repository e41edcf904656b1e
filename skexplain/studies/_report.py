"""Comparisons as a table, a CSV file and a picture."""

import csv
import math
from collections.abc import Sequence
from typing import Any

from .._text import csv_cell
from ..inspection._drawing import require_pyplot
from ._table import align

_COLUMNS = ("estimator", "masks", "accuracy", "mean group", "worst group", "vs erm", "vs shuffled")


def format_table(summaries: Any) -> str:
    """Write summaries as a plain-text table, a block per data set.

    Parameters
    ----------
    summaries : list of dict
        As `summarise` returns them.

    Returns
    -------
    str

    Examples
    --------
    >>> from skexplain.studies import compare, format_table, summarise
    >>> rows = compare(["decoy-corner"], ["swap-ex"], seeds=1, max_epochs=1)
    >>> print(format_table(summarise(rows)))  # doctest: +ELLIPSIS
    decoy-corner, 1 seed
    estimator ...
    """
    blocks = []
    for dataset in dict.fromkeys(summary["dataset"] for summary in summaries):
        rows = [_cells(summary) for summary in summaries if summary["dataset"] == dataset]
        n_seeds = max(s["seeds"] for s in summaries if s["dataset"] == dataset)
        title = f"{dataset}, {n_seeds} seed{'s' if n_seeds > 1 else ''}"
        lines = align([(*_COLUMNS, "seconds", "x erm"), *rows], n_left=2)
        lines.insert(1, "-" * max(map(len, lines)))
        blocks.append("\n".join([title, *lines]))
    return "\n\n".join(blocks)


def _cells(summary: Any) -> Any:
    is_baseline = summary["estimator"] == "erm" and summary["masks"] == "-"
    return (
        summary["estimator"],
        summary["masks"],
        *(_plus_minus(summary[s], summary[f"{s}_sd"]) for s in ("accuracy", "mean_group")),
        _plus_minus(summary["worst_group"], summary["worst_group_sd"]),
        "" if is_baseline else _difference(summary, "vs_erm"),
        _difference(summary, "vs_shuffled"),
        f"{summary['seconds']:.1f}",
        f"{summary['times_erm']:.1f}",
    )


def _plus_minus(mean: Any, spread: Any) -> str:
    return f"{mean:.3f}" if math.isnan(spread) else f"{mean:.3f} ±{spread:.3f}"


def _difference(summary: Any, name: str) -> str:
    mean, error = summary[name], summary[f"{name}_se"]
    if math.isnan(mean):
        return ""
    return f"{mean:+.3f}" if math.isnan(error) else f"{mean:+.3f} (se {error:.3f})"


def write_csv(rows: Sequence[dict[str, Any]], path: Any) -> None:
    """Write the rows of a comparison to a CSV file, one line per fit.

    Parameters
    ----------
    rows : list of dict
        As `compare` returns them.
    path : str or path-like
        File to write.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skexplain.studies import write_csv
    >>> with TemporaryDirectory() as folder:
    ...     write_csv([{"estimator": "erm", "accuracy": 0.5}], f"{folder}/rows.csv")
    ...     Path(folder, "rows.csv").read_text().splitlines()
    ['estimator,accuracy', 'erm,0.5']
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(map(csv_cell, rows[0])))
        writer.writeheader()
        writer.writerows({csv_cell(name): csv_cell(row[name]) for name in row} for row in rows)


def require_matplotlib() -> Any:
    """Import pyplot for pictures that go to files, so that no window is opened.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    pyplot = require_pyplot()
    pyplot.switch_backend("Agg")
    return pyplot


# Colour-blind safe (Okabe & Ito).
_STYLES = {
    "-": {"color": "#000000", "marker": "s", "label": "without masks"},
    "given": {"color": "#0072B2", "marker": "o", "label": "with masks"},
    "shuffled": {"color": "#E69F00", "marker": "X", "label": "masks shuffled"},
}


def plot_comparison(rows: Sequence[dict[str, Any]], path: Any) -> None:
    """Draw worst-group and mean-group accuracy, a point per seed, and save the picture.

    Parameters
    ----------
    rows : list of dict
        As `compare` returns them.
    path : str or path-like
        File to write; its ending gives the format.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skexplain.studies import compare, plot_comparison
    >>> rows = compare(["decoy-corner"], ["swap-ex"], seeds=1, max_epochs=1)
    >>> with TemporaryDirectory() as folder:
    ...     plot_comparison(rows, f"{folder}/comparison.png")
    """
    pyplot = require_matplotlib()
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    scores = {"worst_group": "accuracy of the worst group", "mean_group": "mean over groups"}
    figure, axes = pyplot.subplots(
        len(datasets),
        len(scores),
        figsize=(10, 1.2 + 2.6 * len(datasets)),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for row_axes, dataset in zip(axes, datasets, strict=True):
        for ax, (score, title) in zip(row_axes, scores.items(), strict=True):
            _draw(ax, [row for row in rows if row["dataset"] == dataset], score)
            ax.set_xlabel(title)
        row_axes[0].set_title(dataset, loc="left", fontweight="bold")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=4, frameon=False)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def _draw(ax: Any, rows: Sequence[dict[str, Any]], score: Any) -> None:
    names = list(dict.fromkeys(row["estimator"] for row in rows))
    for masks, style in _STYLES.items():
        chosen = [row for row in rows if row["masks"] == masks]
        offset = 0.12 if masks == "shuffled" else -0.12
        places = [names.index(row["estimator"]) + offset for row in chosen]
        values = [row[score] for row in chosen]
        ax.scatter(values, places, s=18, alpha=0.5, linewidth=0, **style)
        for name in dict.fromkeys(row["estimator"] for row in chosen):
            own = [row[score] for row in chosen if row["estimator"] == name]
            place = names.index(name) + offset
            ax.plot([sum(own) / len(own)] * 2, [place - 0.16, place + 0.16], color=style["color"])
    ceiling = [row[score] for row in rows if row["masks"] == "no shortcut"]
    if ceiling:
        ax.axvline(sum(ceiling) / len(ceiling), color="0.4", ls=":", label="no shortcut")
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
