"""Tables of methods beside their controls, and of what is gained over them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ._controls import CONTROLS
from ._published import find_published
from ._statistics import group, mean_of, of_shared_seeds, paired_difference
from ._table import Table


def gains_table(
    study: Any, rows: Sequence[dict[str, Any]], factors: Any, measure: str, baseline: Any
) -> Any:
    """Compare each method with its controls and the published figure.

    Parameters
    ----------
    study : Study
        Whose published figures are looked up.
    rows : list of dict
        With method, masks and seed.
    factors : sequence of str
        Columns whose values distinguish comparisons.
    measure : str
    baseline : str
        The label-only method.

    Returns
    -------
    Table
    """
    shown = [c for c in CONTROLS if any(row["masks"] == c for row in rows)]
    columns = (*factors, "method", "with masks", "published", *shown)
    columns += ("gain over label-only", "gain over best control")
    body = []
    for panel, of_panel in group(rows, factors).items():
        cells = group(of_panel, ["method", "masks"])
        for (method, masks), own in cells.items():
            if masks in CONTROLS:
                continue
            name = method if masks != "no shortcut" else f"{method}, no shortcut"
            found = None
            if masks != "no shortcut":
                keys = {**dict(zip(factors, panel, strict=True)), "method": method}
                found = find_published(study.published, keys, measure)
            body.append(
                (
                    *map(_text, panel),
                    name,
                    str(mean_of(own, measure)),
                    "" if found is None else str(found),
                    *(_text_of(cells.get((method, control)), measure) for control in shown),
                    *_gains(cells, method, masks, measure, baseline),
                )
            )
    note = (
        "± is the standard deviation over seeds; gains are over the seeds that both have, se their "
        "standard error."
    )
    return _without_empty(Table(f"{study.title}: {measure}", columns, body, note), "published")


def _without_empty(table: Any, column: Any) -> Any:
    """Leave a column out where no row has anything in it."""
    place = table.columns.index(column)
    if any(line[place] for line in table.rows):
        return table
    columns, *rows = ((*line[:place], *line[place + 1 :]) for line in (table.columns, *table.rows))
    return replace(table, columns=columns, rows=rows)


def _gains(cells: Any, method: Any, masks: Any, measure: str, baseline: Any) -> Any:
    """Differences to the baseline and to the best control."""
    own = cells[method, masks]
    over_baseline, over_control = "", ""
    reference = cells.get((baseline, "-"))
    if reference and method != baseline:
        over_baseline = paired_difference(own, reference, measure).as_difference()
    if masks == "given":
        control = best_control(cells, method, measure)
        if control is not None:
            difference = paired_difference(own, cells[control], measure).as_difference()
            over_control = f"{difference} {control[0] if control[1] == '-' else control[1]}"
    return over_baseline, over_control


def best_control(cells: Any, method: Any, measure: str) -> Any:
    """Find the control over which a method gains least, over the seeds that both have.

    Parameters
    ----------
    cells : dict of (method, masks) to list of dict
        Rows of a panel.
    method : str
        Controls of its own count, and all methods without masks.
    measure : str

    Returns
    -------
    tuple of str or None
        Its key in `cells`.
    """
    keys = [key for key in cells if key[1] == "-" or (key[0] == method and key[1] in CONTROLS)]
    own = cells[method, "given"]
    losses = {key: -paired_difference(own, cells[key], measure).mean for key in keys}
    return _highest(losses)


def _highest(values: Any) -> Any:
    """Return the key of the highest value that is a number; None if there is none."""
    known = [key for key, value in values.items() if not math.isnan(value)]
    return max(known, key=values.get, default=None)


def verdict_table(rows: Sequence[dict[str, Any]], factors: Any, measure: str) -> Any:
    """Return, per panel, whether a method with masks beats its best control beyond chance.

    Parameters
    ----------
    rows : list of dict
    factors : sequence of str
        As for `gains_table`.
    measure : str

    Returns
    -------
    Table
        With the method of the highest mean, and the control over which it gains least.
    """
    body = []
    used = {
        method: {row["masks"] for row in own} for (method,), own in group(rows, ["method"]).items()
    }
    for panel, of_panel in group(rows, factors).items():
        cells = group(of_panel, ["method", "masks"])
        given = [key for key in cells if key[1] == "given"]
        best = _highest({key: mean_of(cells[key], measure).mean for key in given})
        control = None if best is None else best_control(cells, best[0], measure)
        if control is None:
            continue
        own, theirs = of_shared_seeds(cells[best], cells[control])
        gain = paired_difference(own, theirs, measure)
        body.append(
            (
                *map(_text, panel),
                best[0],
                _text_of(own, measure),
                control[0] if control[1] == "-" else f"{control[0]}, {control[1]}",
                _text_of(theirs, measure),
                gain.as_difference(),
                "yes" if gain.is_beyond_chance else "no",
                ", ".join(c for c in CONTROLS if c in used[best[0]] and (best[0], c) not in cells),
            )
        )
    columns = (
        *factors,
        "best with masks",
        measure,
        "its best control",
        f"its {measure}",
        "gain",
        "> 2 se",
        "control missing",
    )
    note = (
        "The method of the highest mean, and the control over which it gains least, by the same "
        "figures: a narrow lead of one among many may be luck. Figures are of the seeds that both "
        "have; se: standard error of their differences."
    )
    if any(line[-1] for line in body):
        note += " Control missing: what the method is held against elsewhere, and not here."
    table = Table("Does knowing where pay?", columns, body, note)
    return _without_empty(table, "control missing")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _text_of(rows: Sequence[dict[str, Any]] | None, measure: str) -> str:
    return "" if rows is None else str(mean_of(rows, measure))
