"""Measure what penalties at every k-th step alone save, and what they lose.

    python benchmarks/lazy_penalties.py digits --seeds 5
    python benchmarks/lazy_penalties.py mnist --seeds 3 --data-home FOLDER

Each seed draws data and network; for each method all k are fitted one after the other, beside the
label loss alone.  Printed are CPU seconds / those of the label loss (median over seeds), and the
mean accuracy of the groups of the test set, whose shortcut is random: at k = 1, and what other k
change, in pairs of equal seed, with the standard error of the mean.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from skexplain import (
    CDEPClassifier,
    ERMClassifier,
    GradRegClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.datasets import fetch_decoy_mnist, make_decoy_digits

EVERY = (1, 2, 4, 8)
METHODS = {
    "Grad-Reg": GradRegClassifier(),
    "PGD-Ex": PGDExClassifier(),
    "IBP-Ex": IBPExClassifier(),
    "PGD-Ex + Grad-Reg": PGDExClassifier(grad_alpha=0.03),
    "two-stage": TwoStageExplanationClassifier(),
    "CDEP": CDEPClassifier(),
    "influence": InfluenceRegClassifier(),
}
N_EPOCHS = {"digits": 40, "mnist": 12}


def main():
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=tuple(N_EPOCHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--data-home")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for name in chosen.methods:
        runs = [_run(METHODS[name], chosen, seed) for seed in range(chosen.seeds)]
        print(_line(name, runs), flush=True)


def _run(method, chosen, seed):
    """Return accuracy and CPU seconds / those of the label loss, by k; 0: the label loss."""
    if chosen.data == "digits":
        data = make_decoy_digits("half", random_state=seed)
    else:
        data = fetch_decoy_mnist(
            "half", n_train=3000, n_test=2000, data_home=chosen.data_home, random_state=seed
        )
        data.data, data.data_test, data.mask = (
            part.reshape(len(part), -1) for part in (data.data, data.data_test, data.mask)
        )
    common = {"max_epochs": N_EPOCHS[chosen.data], "device": "cpu", "random_state": seed}
    results = {0: _fit(ERMClassifier(**common), data)}
    for every in EVERY:
        results[every] = _fit(method.set_params(penalty_every=every, **common), data)
    seconds = results[0][1]
    return {k: (accuracy, taken / seconds) for k, (accuracy, taken) in results.items()}


def _fit(estimator, data):
    start = time.process_time()
    estimator.fit(data.data, data.target, mask=data.mask)
    taken = time.process_time() - start
    right = estimator.predict(data.data_test) == data.target_test
    groups = np.asarray(data.groups_test)
    return np.mean([right[groups == group].mean() for group in np.unique(groups)]), taken


def _line(name, runs):
    """Write a row of the table."""
    cells = [name, f"{np.mean([run[0][0] for run in runs]):.3f}"]
    for k in EVERY:
        cost = statistics.median(run[k][1] for run in runs)
        change = [run[k][0] - run[1][0] for run in runs]
        error = np.std(change, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
        mean = np.mean([run[k][0] for run in runs])
        accuracy = f"{mean:.3f}" if k == 1 else f"{np.mean(change):+.3f} ± {error:.3f}"
        cells.append(f"{cost:.1f}, {accuracy}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
