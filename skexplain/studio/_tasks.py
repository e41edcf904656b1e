"""What takes time: trainings, audits, suggestions, propagation; each by a public call."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator

from ..correction import CorrectedClassifier
from ..inspection import audit
from ..persistence import load, save
from ..training._callbacks import EpochReporter
from ._data import MIN_AUDITED, Data, ItemMasks, Mask
from ._files import whole_file, write_json
from ._project import Project

Report = Callable[[float, str], None]

#: Models, in the order in which they are shown.
MODELS = ("given", "labels", "marks", "corrected", "shuffled")


def title_of(project: Project, kind: str) -> str:
    """Return what a model has learnt from."""
    given = _path(project, "given").exists()
    titles = {
        "given": "the given model",
        "labels": "labels alone",
        "marks": "labels and marks",
        "corrected": f"{'the given model' if given else 'labels alone'}, then corrected",
    }
    return titles.get(kind, project.data.control)


def train(project: Project, kind: str, report: Report) -> None:
    """Train a model on the samples that are not held out, judge it on the others, and store it.

    Parameters
    ----------
    project : Project
    kind : {"labels", "marks", "shuffled"}
        What it learns from; see `title_of`.
    report : callable
        ``report(share, text)`` is called with how far it is.

    Raises
    ------
    ValueError
        If it is to learn from marks, and there are none.
    """
    data, masks = project.data, project.masks()
    train = np.flatnonzero(~project.held_out)
    n_epochs, seed = project.settings["max_epochs"], project.settings["random_state"]
    title = title_of(project, kind)

    def show(done: int) -> None:
        report(done / n_epochs, f"{title}: epoch {done} of {n_epochs}")

    clf = data.estimator(
        kind != "labels",
        max_epochs=n_epochs,
        random_state=seed,
        callbacks=[EpochReporter(show)],
    )
    start = perf_counter()
    if kind == "labels":
        clf.fit(data.samples_of(train), project.y[train])
    else:
        _check_marked(data, train, masks)
        given = data.shuffled(masks, seed) if kind == "shuffled" else masks
        mask = data.masks_of(train, given)
        clf.fit(data.samples_of(train), project.y[train], mask=mask)
    clf = data.without_callbacks(clf)
    _keep(project, kind, clf, masks, perf_counter() - start, report)


def take(project: Project, path: Path) -> None:
    """Add a saved model to the project, so that it can be audited and corrected.

    Parameters
    ----------
    project : Project
    path : Path
        A model file.

    Raises
    ------
    ValueError
        If its classes are not those of the project.
    """
    clf = load(path)
    given, own = np.asarray(getattr(clf, "classes_", [])).tolist(), np.unique(project.y).tolist()
    if given != own:
        raise ValueError(f"The classes of {path} must be {own}, as of the data; got {given}.")
    for name in ("given", "suggestions"):  # of another model
        (project.models / f"{name}.json").unlink(missing_ok=True)
    with whole_file(_path(project, "given")) as beside:
        save(clf, beside)


def train_first(project: Project, report: Report) -> None:
    """Train the model of labels alone, unless there is one, or one was given: that is judged anew.

    The marks change nothing in it, but only with them can it be audited.

    Parameters
    ----------
    project : Project
    report : callable
        ``report(share, text)`` is called with how far it is.
    """
    kind = _first(project)
    if not _path(project, kind).exists():
        train(project, kind, report)
        return
    seconds = (read_record(project, kind) or {"seconds": 0.0})["seconds"]
    _judge(project, kind, _load(project, kind), project.masks(), seconds, report)


def _first(project: Project) -> str:
    """Return which model is searched and corrected."""
    return "given" if _path(project, "given").exists() else "labels"


def correct(project: Project, report: Report) -> None:
    """Correct the model that was given, or that of labels alone, by a new last layer.

    Parameters
    ----------
    project : Project
    report : callable
        ``report(share, text)`` is called with how far it is.

    Raises
    ------
    ValueError
        If there is no such model, or there are no marks.
    """
    data, masks = project.data, project.masks()
    train = np.flatnonzero(~project.held_out)
    _check_marked(data, train, masks)
    clf = _load(project, _first(project))
    report(0.1, "correcting the model")
    start = perf_counter()
    network = data.network_of(clf)
    corrected = CorrectedClassifier(
        FrozenEstimator(network),
        method="refit_head",
        mask_marks="irrelevant",
        seen=True,
        random_state=project.settings["random_state"],
    )
    corrected.fit(
        data.arrays_of(clf, train),
        project.y[train],
        mask=data.array_masks_of(clf, train, masks),
    )
    clf = data.with_network(clf, corrected.to_estimator())
    _keep(project, "corrected", clf, masks, perf_counter() - start, report)


def _check_marked(data: Data, train: NDArray[np.intp], masks: ItemMasks) -> None:
    if not data.n_marked(train, masks):
        raise ValueError(data.unmarked)


def _keep(
    project: Project, kind: str, clf: Any, masks: ItemMasks, seconds: float, report: Report
) -> None:
    """Store a model, and what it does on samples that are held out."""
    with whole_file(_path(project, kind)) as beside:
        save(clf, beside)
    _judge(project, kind, clf, masks, seconds, report)


def _judge(
    project: Project, kind: str, clf: Any, masks: ItemMasks, seconds: float, report: Report
) -> None:
    """Store what a model does on samples that are held out."""
    title = title_of(project, kind)
    report(1.0, f"{title}: comparing")
    judgement = judge(project, clf, masks, page=project.models / f"{kind}.html")
    trained_on = np.flatnonzero(~project.held_out)
    used = 0 if kind in ("given", "labels") else project.data.n_annotated(trained_on, masks)
    write_json(
        project.models / f"{kind}.json",
        {"kind": kind, "title": title, "seconds": seconds, "n_marked": used} | judgement,
    )


def judge(project: Project, clf: Any, masks: ItemMasks, *, page: Path) -> dict[str, Any]:
    """Return what a model does on the samples that are held out, and write the audit's page.

    Returns
    -------
    dict
        ``accuracy``; of an audit, where enough of these samples have marks,
        ``accuracy_after_swap``, ``verdict`` and ``reason``; and of all samples ``predictions``
        and ``confidences``.
    """
    data, n_samples = project.data, len(project.y)
    parts = [np.arange(at, min(at + 256, n_samples)) for at in range(0, n_samples, 256)]
    probabilities = np.concatenate([clf.predict_proba(data.samples_of(part)) for part in parts])
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
    n_marked = data.n_marked(held_out, masks)
    if n_marked < MIN_AUDITED:
        page.unlink(missing_ok=True)  # of an earlier model
        judged["reason"] = (
            f"{n_marked} held-out {data.samples} have marks; mark at least {MIN_AUDITED} of them, "
            "and the audit says whether the model leans on what is marked."
        )
        return judged
    result = audit(
        data.network_of(clf),
        data.arrays_of(clf, held_out),
        project.y[held_out],
        data.array_masks_of(clf, held_out, masks),
        feature_names=data.feature_names(),
        random_state=project.settings["random_state"],
    )
    judged |= {
        "accuracy_after_swap": float(result.accuracy_after_swap),
        "verdict": result.verdict,
        "reason": result.reason,
    }
    with whole_file(page) as beside:
        result.to_html(beside)
    return judged


def suggest(project: Project, report: Report) -> None:
    """Search for what the first model leans on, and for what to mark next."""
    data, seed = project.data, project.settings["random_state"]
    clf = _load(project, _first(project))
    report(0.1, "searching for what the model leans on")
    found = data.suggest(clf, seed)
    report(0.8, f"choosing {data.items} to mark next")
    proposed = data.next_items(clf, project.masks(), seed)
    arrays: dict[str, NDArray[Any]] = {}
    for number, one in enumerate(found):
        arrays[f"items_{number}"], arrays[f"bits_{number}"] = _pack(one.masks)
    with whole_file(project.models / "suggestions.npz") as beside:
        np.savez_compressed(beside, **arrays)  # type: ignore[arg-type]
    write_json(
        project.models / "suggestions.json",
        {
            "found": [
                {
                    "text": one.text,
                    "items": list(one.masks),
                    "p_value": float(one.p_value),
                    "flip_rate": float(one.flip_rate),
                    "predictive_power": float(one.predictive_power),
                }
                for one in found
            ],
            "next": proposed,
        },
    )


def suggested_masks(project: Project, number: int) -> dict[int, Mask]:
    """Return the masks of a suggestion, by the numbers of the items."""
    path = project.models / "suggestions.npz"
    if not path.exists():
        raise ValueError("There is no suggestion yet: train and search first.")
    with np.load(path) as arrays:
        if f"items_{number}" not in arrays:
            raise ValueError(f"There is no suggestion {number}.")
        return _unpack(project, arrays[f"items_{number}"], arrays[f"bits_{number}"])


def saliency_of(project: Project, kind: str, number: int) -> NDArray[np.uint8]:
    """Return where a model looks in an item, in shares of the most, 0 to 255."""
    clf = _load(project, kind)
    project.check(number)
    return (255 * project.data.looks_at(clf, number)).astype(np.uint8)


def propagate(project: Project, report: Report) -> None:
    """Guess the masks of the items that are not annotated, or guessed, from those of the others."""
    report(0.1, "learning what is marked")
    # Earlier guesses are made anew: they are no marks to learn from.
    masks = project.masks(without="propagated")
    guessed, iou = project.data.propagate(masks, project.settings["random_state"])
    items, bits = _pack(guessed)
    with whole_file(project.models / "propagated.npz") as beside:
        np.savez_compressed(beside, items=items, bits=bits)
    measured = None if iou is None or np.isnan(iou) else iou  # JSON has no NaN
    write_json(project.models / "propagated.json", {"iou": measured, "next": list(guessed)})


def propagated_masks(project: Project) -> dict[int, Mask]:
    """Return the masks that were guessed, by the numbers of the items."""
    with np.load(project.models / "propagated.npz") as arrays:
        return _unpack(project, arrays["items"], arrays["bits"])


#: What the page can have done, by the name of the task.
TASKS: dict[str, Callable[..., None]] = {
    "first": train_first,
    **{kind: partial(train, kind=kind) for kind in ("marks", "shuffled")},
    "corrected": correct,
    "suggest": suggest,
    "propagate": propagate,
}


def read_record(project: Project, name: str) -> Any:
    """Return a record that a task has written, or None."""
    path = project.models / f"{name}.json"
    if not path.exists():
        return None
    # No NaN, which the page cannot read.
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)


def decide(project: Project, number: int, decision: str) -> None:
    """Store what a person says of a suggestion, until the next search."""
    record = read_record(project, "suggestions")
    record["found"][number]["decision"] = decision
    write_json(project.models / "suggestions.json", record)


def _path(project: Project, kind: str) -> Path:
    return project.models / f"{kind}.safetensors"


def _load(project: Project, kind: str) -> Any:
    if kind not in MODELS or not _path(project, kind).exists():
        title = title_of(project, kind) if kind in MODELS else repr(kind)
        raise ValueError(f"There is no model of {title} yet: train it first.")
    return load(_path(project, kind))


def _pack(masks: dict[int, Mask]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the numbers of items, and a bit for each entry of their masks."""
    flat = [mask.ravel() for mask in masks.values()]
    bits = np.packbits(np.concatenate([np.zeros(0, dtype=bool), *flat]))
    return np.array(list(masks), dtype=np.int64), bits


def _unpack(project: Project, items: NDArray[np.int64], bits: NDArray[np.uint8]) -> dict[int, Mask]:
    flat = np.unpackbits(bits).astype(bool)
    masks, start = {}, 0
    for item in items.tolist():
        shape = project.data.shape_of(item)
        end = start + int(np.prod(shape))
        masks[item], start = flat[start:end].reshape(shape), end
    return masks
