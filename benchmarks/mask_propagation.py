"""Are few masks enough?  Masks of a few rows, propagated to all, on MNIST with a decoy.

    python benchmarks/mask_propagation.py --data FOLDER               # fit what the CSV file lacks
    python benchmarks/mask_propagation.py --data FOLDER --ablation    # masks alone, by digit
    python benchmarks/mask_propagation.py --report                    # Markdown from the CSV file

FOLDER holds the four files of MNIST.  The classifier is that of the study heo-decoy-mnist (python
-m pip install ./papers), by SwapEx: no masks, masks of the first 20 or 60 rows alone, the same
propagated, and all masks.  ``--ablation`` compares the masks that are predicted for other rows, by
the digit whose decoy they are to find: with the propagator as it is, without repainting, and with a
plain network (four dilated convolutions of the pixels) in its place.  One thread.
"""

import argparse
import csv
import time
import warnings
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn

from skexplain import MaskPropagator, SwapExClassifier
from skexplain.datasets._decoy_mnist import decoy_mnist
from skexplain.datasets._mnist import load_mnist_files
from skexplain.estimators import _mask_models
from skexplain.exceptions import MissingExplanationWarning
from skexplain.metrics import mean_group_accuracy, worst_group_accuracy
from skexplain.training._architectures import Standardize
from skexplain_papers._networks import decoy_mlp
from skexplain_papers._schedules import learning_rate_callbacks

PIXEL_MEAN, PIXEL_SD = 0.13 * 255, 0.31 * 255
DECOYS = ("half", "stripes", "corner")
COUNTS = (20, 60)
ROWS, EPOCHS, BATCH_SIZE, LR = 20_000, 12, 128, 2e-3
COLUMNS = (
    *("decoy", "masks", "propagated", "seed"),
    *("worst_group", "mean_group", "iou_cv", "iou", "wrong_rows", "seconds"),
)
WRONG = 0.95  # a row whose predicted mask has an IoU below


class PlainNetwork(nn.Sequential):
    """Four dilated convolutions of standardised pixels, much as in the first trial."""

    def __init__(self, n_channels, n_outputs, side):
        layers = [Standardize(PIXEL_MEAN / 255, PIXEL_SD / 255)]
        for dilation in (1, 2, 4, 8):
            layers += [nn.Conv2d(n_channels, 16, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            n_channels = 16
        super().__init__(*layers, nn.Conv2d(16, n_outputs, 1))


def load(folder, decoy, seed):
    X, y, X_test, y_test = load_mnist_files(folder)
    chosen = np.random.RandomState(seed).permutation(len(X))[:ROWS]
    return decoy_mnist(X[chosen], y[chosen], X_test, y_test, decoy, seed)


def overlap(predicted, mask):
    """Intersection over union of each row."""
    axes = (1, 2)
    return (predicted & mask).sum(axes) / np.maximum((predicted | mask).sum(axes), 1)


def make_classifier(seed):
    return SwapExClassifier(
        module=partial(decoy_mlp, PIXEL_MEAN, PIXEL_SD),
        lr=LR,
        max_epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        callbacks=learning_rate_callbacks(
            "one-cycle", LR, n_rows=ROWS, batch_size=BATCH_SIZE, max_epochs=EPOCHS
        ),
        device="cpu",
        random_state=seed,
    )


def run(data, cell):
    """Fit and score one cell; returns its row."""
    n_masks, propagated, seed = cell["masks"], cell["propagated"], cell["seed"]
    mask = None
    if n_masks:
        mask = [own if row < n_masks else None for row, own in enumerate(data.mask)]
    if n_masks == ROWS:
        mask = data.mask
    clf, row = make_classifier(seed), dict(cell)
    start = time.process_time()
    if propagated:
        propagator = MaskPropagator(random_state=seed, device="cpu").fit(data.data, mask)
        mask = propagator.fill(data.data, mask)
        row["seconds"] = round(time.process_time() - start, 1)
        row["iou_cv"] = round(propagator.iou_, 4)
        iou = overlap(mask, data.mask)[n_masks:]
        row["iou"], row["wrong_rows"] = round(float(iou.mean()), 4), int((iou < WRONG).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingExplanationWarning)
        clf.fit(data.data, data.target, mask=mask)
    predicted = clf.predict(data.data_test)
    scores = {"worst_group": worst_group_accuracy, "mean_group": mean_group_accuracy}
    for name, score in scores.items():
        row[name] = round(float(score(data.target_test, predicted, data.groups_test)), 4)
    return row


def all_cells(arguments):
    masks = [(0, 0), *((n, p) for n in COUNTS for p in (1, 0)), (ROWS, 0)]
    return [
        {"decoy": decoy, "masks": n, "propagated": p, "seed": seed}
        for seed in arguments.seeds
        for decoy in arguments.decoys
        for n, p in masks
    ]


def read_rows(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {name: value if name == "decoy" else float(value or "nan") for name, value in r.items()}
            for r in csv.DictReader(file)
        ]


def run_all(arguments):
    done = [[row[name] for name in COLUMNS[:4]] for row in read_rows(arguments.output)]
    data, loaded = None, None
    for cell in all_cells(arguments):
        if list(cell.values()) in done:
            continue
        if loaded != (cell["decoy"], cell["seed"]):
            loaded = (cell["decoy"], cell["seed"])
            data = load(arguments.data, *loaded)
        row = run(data, cell)
        print(row, flush=True)
        is_new = not arguments.output.exists()
        with open(arguments.output, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=COLUMNS)
            if is_new:
                writer.writeheader()
            writer.writerow(row)


def report(arguments):
    rows = read_rows(arguments.output)
    print(
        "| decoy | masks | alone | propagated | IoU, cross-validated | IoU | wrong rows | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for decoy in arguments.decoys:
        for n_masks in (0, *COUNTS, ROWS):
            own = [r for r in rows if r["decoy"] == decoy and r["masks"] == n_masks]
            alone = [r for r in own if not r["propagated"]]
            filled = [r for r in own if r["propagated"]]
            cells = [decoy, f"{n_masks:,}", accuracies(alone), accuracies(filled)]
            for name, form in (("iou_cv", ".3f"), ("iou", ".3f"), ("wrong_rows", ".0f")):
                cells.append(", ".join(format(r[name], form) for r in filled))
            cells.append(f"{np.nanmean([r['seconds'] for r in filled]):.0f}" if filled else "")
            print(f"| {' | '.join(cells)} |")


def accuracies(rows):
    """Worst group of each seed, and the mean over groups and seeds."""
    if not rows:
        return ""
    worst = ", ".join(f"{100 * r['worst_group']:.1f}" for r in rows)
    return f"{worst} ({100 * np.mean([r['mean_group'] for r in rows]):.1f})"


def ablation(arguments, n_rows=4000):
    print(f"| decoy | masks | propagator | IoU | {' | '.join(map(str, range(10)))} |")
    print(f"|{'---|' * 14}")
    for decoy in arguments.decoys:
        for n_masks in COUNTS:
            for name in ("as it is", "without repainting", "plain network"):
                ious = [
                    ious_by_digit(arguments.data, decoy, n_masks, name, seed, n_rows)
                    for seed in arguments.seeds
                ]
                mean = " | ".join(f"{iou:.3f}" for iou in np.mean(ious, axis=0))
                print(f"| {decoy} | {n_masks} | {name} | {mean} |", flush=True)


def ious_by_digit(folder, decoy, n_masks, name, seed, n_rows):
    """Mean intersection over union over rows without a mask, and that of each digit."""
    data = load(folder, decoy, seed)
    network = PlainNetwork if name == "plain network" else _mask_models.MaskNetwork
    propagator = MaskPropagator(
        repaint=name == "as it is", cv=None, random_state=seed, device="cpu"
    )
    with mock.patch.object(_mask_models, "MaskNetwork", network):
        propagator.fit(data.data[:n_masks], data.mask[:n_masks])
    others = slice(n_masks, n_masks + n_rows)
    iou, digits = (
        overlap(propagator.fill(data.data[others]), data.mask[others]),
        data.target[others],
    )
    return [iou.mean(), *(iou[digits == digit].mean() for digit in range(10))]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the four files of MNIST")
    parser.add_argument("--decoys", nargs="+", default=list(DECOYS), choices=DECOYS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--output", type=Path, default=Path("docs/results/mask_propagation.csv"))
    parser.add_argument("--ablation", action="store_true", help="quality of the masks alone")
    parser.add_argument("--report", action="store_true", help="the table of what is there; no fits")
    arguments = parser.parse_args()
    if not arguments.report and arguments.data is None:
        parser.error("--data must name the folder with the files of MNIST")
    torch.set_num_threads(1)
    action = report if arguments.report else ablation if arguments.ablation else run_all
    action(arguments)


if __name__ == "__main__":
    main()
