"""Whether models that were fitted alike predict alike, from the predictions that studies keep."""

import numpy as np

from skexplain.metrics import prediction_agreement
from skexplain.studies import Table
from skexplain.studies.tools import CONTROLS, Estimate, group

from .._published import find_published

#: As many models as in the paper.
_N_MODELS = 10


def agreement_table(study, rows, factors):
    """Tell how far the models of different seeds agree on a test set.

    Parameters
    ----------
    study : Study
        Whose published figures are looked up.
    rows : list of dict
        With method, masks, seed and predictions as ``_predicted``.
    factors : sequence of str
        Columns whose values tell test sets and training sizes apart.

    Returns
    -------
    Table
    """
    cells = group([row for row in rows if "_predicted" in row], [*factors, "method", "masks"])
    shown = [c for c in CONTROLS if any(key[-1] == c for key in cells)]
    body = []
    for key, own in cells.items():
        *panel, method, masks = key
        if masks in CONTROLS or len(own) < 2:
            continue
        keys = {**dict(zip(factors, panel, strict=True)), "method": method}
        found = find_published(study.name, keys, "agreement")
        of_controls = [cells.get((*panel, method, control), []) for control in shown]
        body.append(
            (
                *map(str, panel),
                method,
                _text(own),
                "" if found is None else str(found),
                *map(_text, of_controls),
                _count_constant(own),
            )
        )
    columns = (*factors, "method", "with masks", "published", *shown, "one class only")
    note = (
        f"Mean share of test rows on which two of the first {_N_MODELS} seeds' models agree; "
        "se by the jackknife over models.  One class only: how many of them, with masks, predict "
        "the same class for all rows; such models learned nothing, and agree."
    )
    return Table(f"{study.title}: agreement of models", columns, body, note)


def agreement(rows):
    """Estimate the agreement of models, one per row.

    Parameters
    ----------
    rows : list of dict
        With seed and predictions on one test set as ``_predicted``.

    Returns
    -------
    Estimate
        With the standard error of the jackknife over models, nan for fewer than three.
    """
    models = [np.frombuffer(p.encode(), dtype=np.uint8) for p in _first_predictions(rows)]
    n = len(models)
    if n < 2:
        return Estimate(np.nan, np.nan, np.nan, 0)
    mean = prediction_agreement(models)
    if n < 3:
        return Estimate(mean, np.nan, np.nan, n)
    without = [prediction_agreement(models[:i] + models[i + 1 :]) for i in range(n)]
    se = float(np.sqrt((n - 1) * np.var(without)))
    return Estimate(mean, se * np.sqrt(n), se, n)


def _first_predictions(rows):
    """Return the predictions of the models that are compared."""
    return [row["_predicted"] for row in sorted(rows, key=lambda row: row["seed"])[:_N_MODELS]]


def _count_constant(rows):
    predictions = _first_predictions(rows)
    return f"{sum(len(set(p)) == 1 for p in predictions)} of {len(predictions)}"


def _text(rows):
    found = agreement(rows)
    if not found.n:
        return ""
    return f"{found.mean:.3f}" if found.n < 3 else f"{found.mean:.3f} (se {found.se:.3f})"
