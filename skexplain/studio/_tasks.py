"""What takes time: trainings, audits, suggestions, propagation; each by a public call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..estimators import ERMClassifier, MaskPropagator, SwapExClassifier
from ..inspection import audit, query_explanations, saliency, suggest_masks
from ..persistence import load, save
from ..training._callbacks import EpochReporter
from ._files import whole_file, write_json
from ._project import Project

Report = Callable[[float, str], None]

#: Models, by what they learn from.
MODELS = {
    "labels": "labels alone",
    "marks": "labels and marks",
    "shuffled": "labels and marks of other pictures",
}

# Fewer held-out pictures with marks say nothing of a model.
_MIN_AUDITED = 4

# How many pictures are proposed to be marked next.
_N_NEXT = 12


def train(project: Project, kind: str, report: Report) -> None:
    """Train a model on the pictures that are not held out, judge it on the others, and store it.

    Parameters
    ----------
    project : Project
    kind : {"labels", "marks", "shuffled"}
        What it learns from; see `MODELS`.
    report : callable
        ``report(share, text)`` is called with how far it is.

    Raises
    ------
    ValueError
        If it is to learn from marks, and there are none.
    """
    masks = project.masks()
    train = np.flatnonzero(~project.held_out)
    given = [masks[number] for number in train]
    n_epochs = project.settings["max_epochs"]

    def show(done: int) -> None:
        report(done / n_epochs, f"{MODELS[kind]}: epoch {done} of {n_epochs}")

    parameters = {"max_epochs": n_epochs, "random_state": project.settings["random_state"]}
    progress = EpochReporter(show)
    start = perf_counter()
    if kind == "labels":
        clf = ERMClassifier(**parameters, callbacks=[progress])
        clf.fit(project.X[train], project.y[train])
    else:
        if not any(mask is not None and mask.any() for mask in given):
            raise ValueError(
                "Mark something in pictures of the training first; held-out pictures, which have a "
                "dashed frame, do not count."
            )
        if kind == "shuffled":
            given = _shuffled(given, project.settings["random_state"])
        clf = SwapExClassifier(**parameters, callbacks=[progress])
        clf.fit(project.X[train], project.y[train], mask=given)
    clf.set_params(callbacks=None)
    seconds = perf_counter() - start
    report(1.0, f"{MODELS[kind]}: comparing")
    path = project.models / f"{kind}.safetensors"
    with whole_file(path) as beside:
        save(clf, beside)
    judgement = judge(project, clf, masks, page=project.models / f"{kind}.html")
    used = sum(mask is not None for mask in given) if kind != "labels" else 0
    write_json(
        project.models / f"{kind}.json",
        {"kind": kind, "title": MODELS[kind], "seconds": seconds, "n_marked": used} | judgement,
    )


def judge(project: Project, clf: Any, masks: list[NDArray | None], *, page: Path) -> dict[str, Any]:
    """Return what a model does on the pictures that are held out, and write the audit's page.

    Returns
    -------
    dict
        ``accuracy``; of an audit, where enough of these pictures have marks,
        ``accuracy_after_swap``, ``verdict`` and ``reason``; and of all pictures ``predictions``
        and ``confidences``.
    """
    probabilities = np.concatenate(
        [clf.predict_proba(project.X[at : at + 256]) for at in range(0, len(project), 256)]
    )
    predictions = clf.classes_[probabilities.argmax(1)]
    held_out = np.flatnonzero(project.held_out)
    judged = {
        "accuracy": float((predictions == project.y)[held_out].mean()),
        "n_held_out": len(held_out),
        "predictions": predictions.tolist(),
        "confidences": probabilities.max(1).round(4).tolist(),
        "accuracy_after_swap": None,
        "verdict": None,
        "reason": "",
    }
    kept = [masks[number] for number in held_out]
    n_marked = sum(mask is not None and bool(mask.any()) for mask in kept)
    if n_marked < _MIN_AUDITED:
        page.unlink(missing_ok=True)  # of an earlier model
        judged["reason"] = (
            f"{n_marked} held-out pictures have marks; mark at least {_MIN_AUDITED} of them, and "
            "the audit says whether the model leans on what is marked."
        )
        return judged
    seed = project.settings["random_state"]
    result = audit(clf, project.X[held_out], project.y[held_out], kept, random_state=seed)
    judged |= {
        "accuracy_after_swap": float(result.accuracy_after_swap),
        "verdict": result.verdict,
        "reason": result.reason,
    }
    with whole_file(page) as beside:
        result.to_html(beside)
    return judged


def suggest(project: Project, report: Report) -> None:
    """Search for what the model of labels alone leans on, and for pictures to mark next."""
    clf = load(project.models / "labels.safetensors")
    report(0.1, "searching for what the model leans on")
    X, seed = np.asarray(project.X), project.settings["random_state"]
    found = suggest_masks(clf, X, random_state=seed)
    report(0.8, "choosing pictures to mark next")
    masks = project.masks()
    n_open = sum(mask is None for mask in masks)
    proposed = query_explanations(
        clf, X, min(_N_NEXT, n_open), mask=masks, random_state=seed
    ) if n_open else np.array([], dtype=int)  # fmt: skip
    arrays = {}
    for number, one in enumerate(found):
        arrays[f"rows_{number}"] = one.rows
        arrays[f"mask_{number}"] = np.packbits(one.mask, axis=-1)
    with whole_file(project.models / "suggestions.npz") as beside:
        np.savez_compressed(beside, **arrays)  # type: ignore[arg-type]
    write_json(
        project.models / "suggestions.json",
        {
            "found": [
                {
                    "rows": one.rows.tolist(),
                    "moves": one.moves,
                    "p_value": float(one.p_value),
                    "flip_rate": float(one.flip_rate),
                    "predictive_power": float(one.predictive_power),
                }
                for one in found
            ],
            "next": proposed.tolist(),
        },
    )


def suggested_masks(project: Project, number: int) -> dict[int, NDArray[np.bool_]]:
    """Return the masks of a suggestion, by the numbers of the pictures."""
    path, width = project.models / "suggestions.npz", project.shape[1]
    if not path.exists():
        raise ValueError("There is no suggestion yet: train and search first.")
    with np.load(path) as arrays:
        if f"rows_{number}" not in arrays:
            raise ValueError(f"There is no suggestion {number}.")
        rows = arrays[f"rows_{number}"].tolist()
        mask = np.unpackbits(arrays[f"mask_{number}"], axis=-1, count=width).astype(bool)
    return {row: mask[i] if mask.ndim == 3 else mask for i, row in enumerate(rows)}


def saliency_of(project: Project, kind: str, number: int) -> NDArray[np.uint8]:
    """Return where a model looks in a picture, in shares of the most, 0 to 255, shape (h, w)."""
    path = project.models / f"{kind}.safetensors"
    if kind not in MODELS or not path.exists():
        raise ValueError(
            f"There is no model of {MODELS.get(kind, repr(kind))} yet: train it first."
        )
    project.check(number)
    maps = saliency(load(path), project.X[number : number + 1])
    shares = np.abs(maps[0]).sum(axis=0)
    return (255 * shares / max(shares.max(), 1e-30)).astype(np.uint8)


def propagate(project: Project, report: Report) -> None:
    """Guess the masks of the pictures that are not annotated, from those that are."""
    masks = project.masks()
    report(0.1, "learning what is marked")
    X = np.asarray(project.X)
    propagator = MaskPropagator(random_state=project.settings["random_state"]).fit(X, masks)
    report(0.8, "guessing the other masks")
    filled = np.asarray(propagator.fill(X, masks)).reshape(len(X), *project.shape)
    rows = [number for number, mask in enumerate(masks) if mask is None]
    with whole_file(project.models / "propagated.npz") as beside:
        np.savez_compressed(beside, rows=rows, mask=filled[rows] > 0.5)
    write_json(project.models / "propagated.json", {"iou": float(propagator.iou_)})


def read_record(project: Project, name: str) -> Any:
    """Return a record that a task has written, or None."""
    path = project.models / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _shuffled(masks: list[NDArray | None], seed: int) -> list[NDArray | None]:
    """Return the masks, those of annotated pictures in another order."""
    rows = [number for number, mask in enumerate(masks) if mask is not None]
    shuffled = list(masks)
    for row, other in zip(rows, np.random.default_rng(seed).permutation(rows), strict=True):
        shuffled[row] = masks[other]
    return shuffled
