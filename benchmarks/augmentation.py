"""What moving photographs in training buys: the figures behind ``augment="light"``.

    python benchmarks/augmentation.py FOLDER

needs a folder with ``index.csv`` (name, label, split), ``images/NAME.jpg`` and, unless masks are
not to be used, ``masks/NAME.png`` (1: the reason), such as 1,096 apple leaves of PlantVillage with
the masks of its segmented version.  Networks are trained from scratch.  Test photographs are taken
as they are and, where there are masks, with the background of another one.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.masks._statistics import measure_inputs
from skexplain.training._light import LightAugmentation

STILL = {"flip": 0.0, "shift": 0.0, "scale": 0.0}
SAME_COLOURS = {"contrast": 0.0, "brightness": 0.0, "balance": 0.0}
# Changes of LightAugmentation; None: no augmentation.
VARIANTS = {
    "none": None,
    "flip": {**STILL, **SAME_COLOURS, "flip": 0.5},
    "flip, shift, scale": {**SAME_COLOURS, "shift": 0.06},
    "strong colours": {**STILL, "contrast": 0.15, "brightness": 0.05, "balance": 0.05},
    "light": {},
}
METHODS = {"labels alone": ERMClassifier, "swap": SwapExClassifier}


def read(folder, size):
    """Read photographs, codes of labels, masks (None without a folder) and the names of splits."""
    rows = list(csv.DictReader((folder / "index.csv").open(encoding="utf-8")))
    _, y = np.unique([row["label"] for row in rows], return_inverse=True)
    split = np.array([row["split"] for row in rows])

    def load(kind, row, ending, mode):
        with Image.open(folder / kind / f"{row['name']}{ending}") as image:
            return np.asarray(image.convert(mode).resize((size, size), Image.Resampling.BOX))

    X = np.stack([load("images", row, ".jpg", "RGB") for row in rows]).transpose(0, 3, 1, 2)
    mask = None
    if (folder / "masks").is_dir():
        mask = np.stack([load("masks", row, ".png", "L") > 127 for row in rows])
    return np.ascontiguousarray(X), y, mask, split


def exchange_backgrounds(X, mask, seed):
    """Give each photograph the background of another one, its own where that shows its leaf."""
    other = np.random.default_rng(seed).permutation(len(X))
    taken = ~mask & ~mask[other]
    mean = X.mean(axis=(0, 2, 3), keepdims=True).astype(X.dtype)
    background = np.where(taken[:, None], X[other], mean)
    return np.where(mask[:, None], X, background)


def light(X, changes):
    """Make an augmentation with other parameters than those of "light"."""
    if changes is None:
        return None
    statistics = measure_inputs(X)
    values = (statistics.mean, statistics.lower, statistics.upper)
    return LightAugmentation(*(torch.as_tensor(v, dtype=torch.float32) for v in values), **changes)


def main():
    """Train each method with each augmentation, and print a line per fit and a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    X, y, mask, split = read(options.folder, options.size)
    train, test = split == "train", split == "test"
    tests = {"as they are": X[test]}
    if mask is not None:
        tests["exchanged"] = exchange_backgrounds(X[test], mask[test], 0)
    scores = {}
    for seed in options.seeds:
        for variant in options.variants:
            for method, estimator in METHODS.items():
                if method == "swap" and mask is None:
                    continue
                clf = estimator(
                    max_epochs=options.epochs,
                    augment=light(X[train], VARIANTS[variant]),
                    mask_marks="relevant",
                    random_state=seed,
                )
                given = {"mask": mask[train]} if method == "swap" else {}
                clf.fit(X[train], y[train], **given)
                of_fit = [clf.score(inputs, y[test]) for inputs in tests.values()]
                scores.setdefault((method, variant), []).append(of_fit)
                figures = " ".join(f"{score:.3f}" for score in of_fit)
                print(f"{seed} {method}, {variant}: {figures}", flush=True)
    print("\n| method | augmentation | " + " | ".join(tests) + " |")
    print("|" + "---|" * (2 + len(tests)))
    for (method, variant), of_fits in scores.items():
        means, spreads = np.mean(of_fits, axis=0), np.std(of_fits, axis=0)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(means, spreads, strict=True)]
        print(f"| {method} | {variant} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
