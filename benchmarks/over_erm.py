"""How many times as long as the plain network each method trains.

    python benchmarks/over_erm.py [--repeats 5]

Whole fits of 2,000 rows on one thread, all annotated, batches of 64, with the networks of
fit_overhead.py.  A method and ERM take turns, and the median of their ratios is reported, so that a
busy machine slows both.  Goals stand beside: what the passes of a step must cost.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from fit_overhead import NETWORKS

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    GradCAMRegClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)

#: Method: estimator and goal (None: none was set).
METHODS = {
    "swap": (SwapExClassifier(), 2),
    "Avg-Ex": (AvgExClassifier(), 2),
    "counterexamples": (CounterexampleClassifier(), 2),
    "Grad-Reg": (GradRegClassifier(), 3.5),
    "PGD-Ex, 3 steps": (PGDExClassifier(n_steps=3), 5),
    "PGD-Ex, 5 steps": (PGDExClassifier(n_steps=5), 7),
    "PGD-Ex, 5 steps, + Grad-Reg": (PGDExClassifier(n_steps=5, grad_alpha=0.1), None),
    "IBP-Ex": (IBPExClassifier(), 3.5),
    "IBP-Ex + Grad-Reg": (IBPExClassifier(grad_alpha=0.1), None),
    "CDEP": (CDEPClassifier(), 4),
    "HINT, input gradient": (HINTClassifier(attribution="input_gradient"), None),
    "Grad-CAM": (GradCAMRegClassifier(), None),
    "influence": (InfluenceRegClassifier(), None),
    "two-stage": (TwoStageExplanationClassifier(), 2),
    "two-stage, conv1x1": (TwoStageExplanationClassifier(mapping="conv1x1", feature_layer="5"), 2),
    "group DRO": (GroupDROClassifier(), None),
}
N_ROWS, EPOCHS = 2000, {"MLP": 4, "CNN": 1}


def suits(method, network):
    """Maps over places need a convolutional network."""
    return network == "CNN" or method not in ("Grad-CAM", "two-stage, conv1x1")


def make_data(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, *shape)).astype(np.float32)
    return X, rng.integers(10, size=N_ROWS), rng.random((N_ROWS, *shape)) > 0.5


def seconds(estimator, X, y, mask):
    start = time.perf_counter()
    estimator.fit(X, y, mask=mask)
    return time.perf_counter() - start


def measure(method, network, repeats):
    """Median over turns of the method's time / that of ERM."""
    make, shape = NETWORKS[network]
    data = make_data(shape)
    common = {"module": make(), "max_epochs": EPOCHS[network], "device": "cpu", "random_state": 0}
    estimator = METHODS[method][0].set_params(**common)
    plain = ERMClassifier(**common)
    turns = [(seconds(estimator, *data), seconds(plain, *data)) for _ in range(repeats + 1)]
    return statistics.median(ours / theirs for ours, theirs in turns[1:])  # the first warms up


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| method | {' | '.join(NETWORKS)} | goal |\n|---|{'---|' * len(NETWORKS)}---|")
    for method in arguments.methods:
        ratios = [
            f"{measure(method, network, arguments.repeats):.2f}" if suits(method, network) else ""
            for network in NETWORKS
        ]
        goal = METHODS[method][1]
        print(f"| {method} | {' | '.join(ratios)} | {'' if goal is None else goal} |", flush=True)


if __name__ == "__main__":
    main()
