"""Which fits of the panel say that their shortcut is still in use, beside their figures.

    SKEXPLAIN_DATA=DATA python benchmarks/shortcut_in_use.py --seeds 0 1 --rows rows.jsonl

Defaults only, on the tasks of the study `defaults` (`pip install ./papers`) whose files DATA holds.
"""

import argparse
import json
import warnings
from pathlib import Path

import torch

from skexplain import GradRegClassifier, PGDExClassifier, SwapExClassifier
from skexplain.exceptions import ShortcutInUseWarning
from skexplain.metrics import nuisance_flip_rate
from skexplain_papers.ours._default_tasks import PANEL, make_panel_task, missing_files

CLASSES = {cls.__name__: cls for cls in (SwapExClassifier, GradRegClassifier, PGDExClassifier)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=PANEL, default=list(PANEL))
    parser.add_argument("--estimators", nargs="+", choices=CLASSES, default=list(CLASSES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--rows", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for task in options.tasks:
        if PANEL[task].regression or missing_files(task):
            continue
        for seed in options.seeds:
            data = make_panel_task(task, seed)
            for name in options.estimators:
                row = {"task": task, "estimator": name, "seed": seed, **check(name, data, seed)}
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)


def check(name, data, seed):
    """Fit with defaults; return the figure of the task, and what is said and measured of it."""
    clf = CLASSES[name](random_state=seed, device="cpu")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(data.X, data.y, mask=data.mask)
    return {
        "figure": round(data.figure(clf), 4),
        "flip_rate": round(nuisance_flip_rate(clf, data.X, data.mask, random_state=0), 4),
        "warned": any(each.category is ShortcutInUseWarning for each in caught),
    }


if __name__ == "__main__":
    main()
