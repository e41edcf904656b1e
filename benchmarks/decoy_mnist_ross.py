"""The figures of Ross et al. 2017 on Decoy MNIST: their network, weights, pixels and penalty.

    python benchmarks/decoy_mnist_ross.py --data FOLDER [--seeds 0 1 2]

FOLDER holds the four files of MNIST.  As theirs: pixels from 0 to 255, 784-50-30-10 with ReLU, all
weights and biases from a normal distribution of sd 0.1, Adam with 1e-3, 64 epochs of batches of
256, a decoy of 4x4 pixels in a corner.  Their loss is a sum over the batch where ours is a mean:
that leaves lambda as it is, and divides the weight of the squared weights by 256.  Not as theirs:
rows are shuffled.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import nn

from skexplain import ERMClassifier, GradRegClassifier
from skexplain.datasets._decoy_mnist import decoy_mnist
from skexplain.datasets._mnist import load_mnist_files

EPOCHS, BATCH_SIZE, L2 = 64, 256, 1e-4

#: Published test accuracy.
PUBLISHED = {"plain": 0.5155, "grad-reg": 0.9607, "no decoy": 0.9611}


class RossNetwork(nn.Sequential):
    """784-50-30-10 with their initial weights."""

    def __init__(self):
        super().__init__(
            *(nn.Linear(784, 50), nn.ReLU()), *(nn.Linear(50, 30), nn.ReLU()), nn.Linear(30, 10)
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.1)


def run_cell(name, seed, mnist):
    """Fit one model and return its name and test accuracy."""
    torch.set_num_threads(1)
    X, y, X_test, y_test = mnist
    mask = None
    if name != "no decoy":
        digits = decoy_mnist(*mnist, decoy="corner", random_state=seed)
        X, X_test, mask = digits.data, digits.data_test, digits.mask.reshape(len(X), 784)
    common = {
        "module": RossNetwork,
        "batch_size": BATCH_SIZE,
        "max_epochs": EPOCHS,
        "optimizer__weight_decay": 2 * L2 / BATCH_SIZE,  # the derivative of l2 |theta|^2 has a 2
        "random_state": seed,
    }
    clf = ERMClassifier(**common)
    if name == "grad-reg":
        clf = GradRegClassifier(alpha=1000.0, input_unit="input", **common)
    start = time.perf_counter()
    clf.fit(X.reshape(len(X), 784), y, mask=mask)
    seconds = time.perf_counter() - start
    return name, clf.score(X_test.reshape(len(X_test), 784), y_test), seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the files of MNIST")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    mnist = load_mnist_files(arguments.data)
    cells = [(name, seed) for seed in arguments.seeds for name in PUBLISHED]
    results = Parallel(arguments.jobs)(delayed(run_cell)(*cell, mnist) for cell in cells)
    print("| model | published | ours, by seed | mean ± sd | seconds |\n|---|---|---|---|---|")
    for name, published in PUBLISHED.items():
        scores = [score for other, score, _ in results if other == name]
        seconds = np.median([second for other, _, second in results if other == name])
        spread = np.std(scores, ddof=1) if len(scores) > 1 else float("nan")
        print(
            f"| {name} | {published:.3f} | {', '.join(f'{score:.3f}' for score in scores)} | "
            f"{np.mean(scores):.3f} ± {spread:.3f} | {seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
