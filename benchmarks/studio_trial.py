"""From a folder with a shortcut to a repaired model, as a person would do it in the studio.

Photographs of leaves with black rot, most of which have a drawn ruler, and with scab, few of which
have one.  A script does what a person would: it trains, marks rulers in the pictures that the page
proposes, with one box each, guesses the other masks, and trains again.  It counts the actions and
measures the time of the tasks, on the clock and of the processor; a person's own time is not in it.

    python benchmarks/studio_trial.py PLANTVILLAGE_APPLE FOLDER {small,pretrained}
"""

import csv
import json
import os
import sys
import warnings
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from PIL import Image, ImageDraw

from skexplain import load
from skexplain.studio import Project, _tasks

SIZES = {"small": 64, "pretrained": 96}
N_PER_CLASS, N_TEST, SHARES = 100, 100, {"black_rot": 0.9, "scab": 0.05}
N_LOOKED_AT = 60


def with_ruler(picture, draw):
    """Return a picture with a ruler, and the box that it covers, in shares of its sides."""
    picture = picture.copy()
    width, height = picture.size
    long, wide = int(width * draw.uniform(0.45, 0.7)), int(height * 0.11)
    left, top = int(draw.integers(0, width - long)), int(draw.integers(0, height - wide))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((left, top, left + long, top + wide), fill=(245, 245, 235))
    for place in range(left, left + long, max(4, width // 40)):
        pen.line(
            (place, top, place, top + wide // 2), fill=(20, 20, 20), width=max(1, width // 120)
        )
    box = np.array(
        [left / width, top / height, (left + long + 1) / width, (top + wide + 1) / height]
    )
    return picture, box


def pixels_of(box, size):
    """Return the mask of a box."""
    mask = np.zeros((size, size), dtype=bool)
    left, top, right, bottom = box * size
    mask[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
    return mask


def make(source, folder, draw):
    """Save the pictures, and return the boxes by name and the pictures of the test."""
    with open(source / "index.csv", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    boxes, test = {}, []
    for label, share in SHARES.items():
        for split, n in (("train", N_PER_CLASS), ("test", N_TEST)):
            of_split = [one for one in records if one["label"] == label and one["split"] == split]
            for number, record in enumerate(of_split[:n]):
                with Image.open(source / "images" / f"{record['name']}.jpg") as picture:
                    picture = picture.convert("RGB")
                ruler = number < share * n
                if split == "test":
                    # Without a ruler, and with one where training seldom has one.
                    test.append((label, picture, with_ruler(picture, draw)[0]))
                    continue
                path = folder / "photos" / label / f"{number:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if ruler:
                    picture, boxes[f"{label}/{path.name}"] = with_ruler(picture, draw)
                picture.save(path)
    return boxes, test


def arrays(pictures, size):
    """Return pictures as models are given them."""
    small = [np.asarray(one.resize((size, size), Image.Resampling.BILINEAR)) for one in pictures]
    return np.moveaxis(np.stack(small), -1, 1)


def main(source, folder, network="small"):
    """Do the trial, and print what came of it as lines of JSON."""
    draw, size = np.random.default_rng(0), SIZES[network]
    boxes, test = make(Path(source), Path(folder), draw)
    y = np.array([label for label, _, _ in test])
    plain = arrays([picture for _, picture, _ in test], size)
    moved = arrays([ruled if label == "scab" else one for label, one, ruled in test], size)
    actions = {"clicks": 0, "marks": 0}
    project = Project.create(
        f"{folder}/project", f"{folder}/photos", size=size, fit="resize", network=network
    )

    def tell(**record):
        print(json.dumps(record), flush=True)

    def run(name, task):
        start, cpu = perf_counter(), process_time()
        task(project, report=lambda share, text: None)
        tell(
            task=name,
            seconds=round(perf_counter() - start, 1),
            cpu_seconds=round(process_time() - cpu, 1),
            load=os.getloadavg()[0],
        )

    def tell_minutes(until):
        tell(
            until=until,
            **actions,
            minutes=round((perf_counter() - start) / 60, 1),
            cpu_minutes=round((process_time() - cpu) / 60, 1),
        )

    def show(name, clf):
        tell(
            model=name,
            without_rulers=float(clf.score(plain, y)),
            rulers_on_the_other_class=float(clf.score(moved, y)),
        )

    start, cpu = perf_counter(), process_time()
    actions["clicks"] += 1
    run("first", _tasks.train_first)
    run("suggest", _tasks.suggest)
    show("labels", load(project.models / "labels.safetensors"))
    suggestions = _tasks.read_record(project, "suggestions")
    tell(
        suggested=[[one["text"], len(one["items"]), one["p_value"]] for one in suggestions["found"]]
    )
    # The pictures that are proposed, then others in turn; held out ones among them.
    rest = np.random.default_rng(0).permutation(len(project)).tolist()
    for number in dict.fromkeys([*suggestions["next"], *rest]):
        if sum(actions.values()) - 1 >= N_LOOKED_AT:
            break
        box = boxes.get(project.names[number])
        actions["marks" if box is not None else "clicks"] += 1
        mask = np.zeros((size, size), bool) if box is None else pixels_of(box, size)
        project.set_mask(number, mask, revision=0)
    actions["clicks"] += 1
    run("guess", _tasks.propagate)
    guessed = _tasks.propagated_masks(project)
    project.fill(guessed, by="propagated")
    truth = [
        pixels_of(boxes[name], size) if name in boxes else np.zeros((size, size), bool)
        for name in project.names
    ]
    overlap = [
        (mask & truth[i]).sum() / (mask | truth[i]).sum()
        for i, mask in guessed.items() if truth[i].any()
    ]  # fmt: skip
    tell(overlap_of_guesses=round(float(np.mean(overlap)), 3), n=len(overlap))
    actions["clicks"] += 1
    for kind, task in (
        ("marks", partial(_tasks.train, kind="marks")),
        ("labels", _tasks.train_first),
        ("shuffled", partial(_tasks.train, kind="shuffled")),
    ):
        run(kind, task)
        record = _tasks.read_record(project, kind)
        tell(kind=kind, **{k: record[k] for k in ("accuracy", "accuracy_after_swap", "verdict")})
        show(kind, load(project.models / f"{kind}.safetensors"))
        if kind == "labels":
            tell_minutes("the repaired model is compared with the first one")
    actions["clicks"] += 1
    run("correct", _tasks.correct)
    show("corrected", load(project.models / "corrected.safetensors"))
    tell_minutes("control and correction are there, too")
    train = ~project.held_out
    mask = [truth[i] for i in np.flatnonzero(train)]
    epochs = project.settings["max_epochs"]
    clf = project.data.estimator(True, max_epochs=epochs, random_state=0)
    show("all true masks", clf.fit(project.X[train], project.y[train], mask=mask))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
