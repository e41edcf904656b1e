"""How often the report of a correction calls shuffled masks, and right ones, a repair.

    python benchmarks/correction_repairs.py --rows rows.jsonl

Digits with a shade, a small network and a new head, as in correction.py: several draws of masks for
each network.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from correction import N_COPIES, N_FEW, digits, make_small_network

from skexplain import ERMClassifier
from skexplain.correction import CorrectedClassifier


def choose_few(mask, y, rng):
    """Keep the masks of a few samples, as many of each class."""
    few, order, classes = [None] * len(y), rng.permutation(len(y)), np.unique(y)
    for label in classes:
        for row in order[y[order] == label][: N_FEW // len(classes)]:
            few[row] = mask[row]
    return few


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = []
    for seed in options.seeds:
        X, y, mask, _, _, _ = digits(seed)
        X = X / np.float32(255)
        torch.manual_seed(seed)
        network = make_small_network()
        plain = ERMClassifier(network, max_epochs=15, lr=3e-3, random_state=seed).fit(X, y)
        for draw in range(options.draws):
            rng = np.random.default_rng([seed, draw])
            shuffled = mask[rng.permutation(len(mask))]
            for name, masks in {
                "all masks, shuffled": shuffled,
                f"{N_FEW} masks, shuffled": choose_few(shuffled, y, rng),
                f"{N_FEW} masks": choose_few(mask, y, rng),
            }.items():
                clf = CorrectedClassifier(
                    plain.module_,
                    method="refit_head",
                    n_copies=N_COPIES,
                    seen=True,
                    random_state=draw,
                ).fit(X, y, mask=masks)
                found = {"p": clf.report_.p_value, "gain": clf.report_.gain}
                rows.append({"seed": seed, "draw": draw, "masks": name, **found})
                with options.rows.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print("| masks | repairs | p-value below .5 | mean gain |\n|---|---|---|---|")
    for name in dict.fromkeys(row["masks"] for row in rows):
        own = [row for row in rows if row["masks"] == name]
        p = np.array([row["p"] for row in own])
        gain = np.mean([row["gain"] for row in own])
        print(f"| {name} | {(p < 0.025).sum()} of {len(p)} | {(p < 0.5).sum()} | {gain:+.3f} |")


if __name__ == "__main__":
    main()
