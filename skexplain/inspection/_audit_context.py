"""Parts of a report beside the numbers: what was audited, and examples."""

import datetime
import platform
from dataclasses import replace
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.utils import Bunch

from .. import __version__
from .._text import printable
from ..metrics._perturb import Perturber
from ..metrics._token_inputs import TokensOfTexts
from ._audit_tasks import Task
from ._drawing import shown_rows

_N_EXAMPLES = 4


def describe_provenance(
    estimator: Any, swap: Perturber, n_repeats: int, seed: int
) -> dict[str, str]:
    """Return what was audited, with what, and when."""
    shape = " x ".join(map(str, swap.inputs.shape[1:]))
    unit = " columns" if swap.inputs.ndim == 2 else ""
    return {
        "data": f"{len(swap.inputs)} samples of {shape}{unit}, {len(swap.annotated)} with a mask",
        "model": f"{type(estimator).__module__.split('.')[0]}, {type(estimator).__name__}",
        "parameters": _describe_parameters(estimator),
        "audit": f"{n_repeats} swaps, seed {seed}",
        "versions": (
            f"skexplain {__version__}, scikit-learn {sklearn.__version__}, torch "
            f"{torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}"
        ),
        "date": datetime.date.today().isoformat(),
    }


def _describe_parameters(estimator: Any) -> str:
    # Addresses of objects would differ from run to run, and networks fill pages.
    params = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    listed = []
    for name, value in sorted(params.items()):
        if hasattr(value, "__array__"):
            text = type(value).__name__  # data have no place in a report
        else:
            text = getattr(value, "__name__", None) or " ".join(str(value).split())
        text = printable(text)
        text = type(value).__name__ if " at 0x" in text else text
        listed.append(f"{name}={text if len(text) <= 80 else text[:77] + '...'}")
    return ", ".join(listed) or "not known"


def pick_examples(
    task: Task,
    measured: Bunch,
    y: np.ndarray,
    predicted: np.ndarray,
    maps: np.ndarray | None,
    names: list[str] | None,
    documents: list[str] | None,
    read: TokensOfTexts | None,
) -> Bunch | None:
    """Pick samples to show, those that change first, with what the pictures need of them.

    None where samples have more axes than a picture.
    """
    perturber = measured.perturber
    if perturber.inputs.ndim > 4:
        return None
    changes = measured.changes[0]
    rows, after = measured.rows[changes], measured.after_each[0][changes]
    moved = task.moved(predicted[rows], after, predicted)
    flips, stays = rows[moved], rows[~moved]
    chosen = _spread(flips, _N_EXAMPLES)
    chosen = np.concatenate([chosen, _spread(stays, _N_EXAMPLES - len(chosen))])
    degrees, known = perturber.masks.degrees_of(chosen)
    degrees = degrees.numpy() if known is None else np.where(known, degrees, np.nan)
    shown = shown_rows(
        perturber.inputs[chosen],
        degrees,
        rows=range(len(chosen)),
        feature_names=names,
        documents=None if documents is None else [documents[row] for row in chosen],
    )
    if read is not None:
        shown = replace(
            shown,
            documents=[read.texts[row] for row in chosen],
            offsets=[read.offsets[row] for row in chosen],
        )
    is_image = shown.kind == "image"
    changed = None
    if is_image:
        changed = np.concatenate(list(perturber.perturbed(chosen, measured.draw)))
    return Bunch(
        shown=replace(shown, index=chosen, limits=perturber.limits),
        change="erased" if perturber.perturbation == "erase" else "swapped",
        original=perturber.inputs[chosen] if is_image else None,
        changed=changed,
        saliency=None if maps is None else maps[chosen],
        y=task.shown(y[chosen]),
        predicted=task.shown(predicted[chosen]),
        predicted_changed=task.shown(after[np.searchsorted(rows, chosen)]),
    )


def _spread(rows: np.ndarray, number: int) -> np.ndarray:
    """Return some of the samples at even distances, so that they are not all of one class."""
    places = np.linspace(0, len(rows) - 1, min(number, len(rows)))
    return rows[np.round(places).astype(int)]
