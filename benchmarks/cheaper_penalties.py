"""Measure what a cheaper penalty saves, and what it loses.

    python benchmarks/cheaper_penalties.py digits --seeds 5
    python benchmarks/cheaper_penalties.py mnist --seeds 3 --data-home FOLDER
    python benchmarks/cheaper_penalties.py flat-digits --methods PGD-Ex --set n_steps 5 2 1
    python benchmarks/cheaper_penalties.py digits --methods two-stage --set mapping linear low_rank
    python benchmarks/cheaper_penalties.py flat-digits --annotated 0.1

By default penalties are computed at every step, or at every second, fourth or eighth alone
(`penalty_every`); `--set` names another parameter and its values, the usual one first.  Each seed
draws data and network; for each method all values are fitted one after the other, beside the label
loss alone.  Printed are CPU seconds / those of the label loss (median over seeds), and the mean
accuracy of the groups of the test set, whose shortcut is random: at the first value, and what the
others change, in pairs of equal seed, with the standard error of the mean.  The digits are images,
for the built-in convolutions; flat-digits and mnist are their pixels, for the built-in perceptron.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from sklearn.base import clone

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

USUAL = ["penalty_every", "1", "2", "4", "8"]
METHODS = {
    "Grad-Reg": GradRegClassifier(),
    "PGD-Ex": PGDExClassifier(),
    "IBP-Ex": IBPExClassifier(),
    "PGD-Ex + Grad-Reg": PGDExClassifier(grad_alpha=0.03),
    "two-stage": TwoStageExplanationClassifier(),
    "CDEP": CDEPClassifier(),
    "influence": InfluenceRegClassifier(),
}
N_EPOCHS = {"digits": 40, "flat-digits": 40, "mnist": 12, "mnist-images": 12}


def main():
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=tuple(N_EPOCHS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--set", nargs="+", default=USUAL, metavar=("PARAMETER", "VALUE"))
    parser.add_argument("--annotated", type=float, default=1.0, help="share of the samples")
    parser.add_argument("--data-home")
    parser.add_argument("--log", help="file for a JSON line per seed")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    data = make_decoy_digits("half", random_state=0)
    _fit(ERMClassifier(max_epochs=1), data)  # loads what torch loads late
    for name in chosen.methods:
        runs = []
        for seed in range(chosen.seeds):
            runs.append(_run(METHODS[name], chosen, seed))
            if chosen.log:
                with open(chosen.log, "a", encoding="utf-8") as log:
                    log.write(json.dumps({"method": name, "seed": seed, "run": runs[-1]}) + "\n")
        print(_line(name, runs), flush=True)


def _run(method, chosen, seed):
    """Return accuracy and CPU seconds / those of the label loss, by value; "": the label loss."""
    if chosen.data.endswith("digits"):
        data = make_decoy_digits("half", random_state=seed)
    else:
        data = fetch_decoy_mnist(
            "half", n_train=3000, n_test=2000, data_home=chosen.data_home, random_state=seed
        )
    if chosen.data in ("flat-digits", "mnist"):
        data.data, data.data_test, data.mask = (
            part.reshape(len(part), -1) for part in (data.data, data.data_test, data.mask)
        )
    if chosen.annotated < 1:
        data.mask = data.mask.astype(float)
        data.mask[round(chosen.annotated * len(data.mask)) :] = np.nan
    common = {"max_epochs": N_EPOCHS[chosen.data], "device": "cpu", "random_state": seed}
    results = {"": _fit(ERMClassifier(**common), data)}
    parameter, *values = chosen.set
    for value in values:
        given = int(value) if value.isdecimal() else value
        results[value] = _fit(clone(method).set_params(**{parameter: given}, **common), data)
    seconds = results[""][1]
    return {value: (accuracy, taken / seconds) for value, (accuracy, taken) in results.items()}


def _fit(estimator, data):
    start = time.process_time()
    estimator.fit(data.data, data.target, mask=data.mask)
    taken = time.process_time() - start
    right = estimator.predict(data.data_test) == data.target_test
    groups = np.asarray(data.groups_test)
    return float(np.mean([right[groups == group].mean() for group in np.unique(groups)])), taken


def _line(name, runs):
    """Write a row of the table."""
    cells = [name, f"{np.mean([run[''][0] for run in runs]):.3f}"]
    _, first, *others = runs[0]
    for value in (first, *others):
        cost = statistics.median(run[value][1] for run in runs)
        change = [run[value][0] - run[first][0] for run in runs]
        error = np.std(change, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
        mean = np.mean([run[value][0] for run in runs])
        accuracy = f"{mean:.3f}" if value == first else f"{np.mean(change):+.3f} ± {error:.3f}"
        cells.append(f"{cost:.1f}, {accuracy}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
