"""Who is fooled by a decoy on MNIST: every method beside its controls, at the size of the papers.

    python benchmarks/decoy_mnist.py --data FOLDER            # fit what the CSV file lacks
    python benchmarks/decoy_mnist.py --data FOLDER --tune     # small grids, no test images
    python benchmarks/decoy_mnist.py --report                 # Markdown tables from the CSV file

FOLDER holds the four files of MNIST.  A fit appends its row as soon as it is done, so that a run
may be stopped and started again.  All methods of the first seed come before the second seed.  Each
process computes on one thread.

Settings are chosen by ``valid_repainted``: the accuracy on held-out training images whose decoy
has been replaced with that of another held-out image.  It needs masks, but no test image.
"""

import argparse
import csv
import json
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from skorch.callbacks import LRScheduler
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.datasets._decoy_mnist import decoy_mnist
from skexplain.datasets._mnist import load_mnist_files
from skexplain.exceptions import DivergenceError
from skexplain.metrics import mean_group_accuracy, worst_group_accuracy
from skexplain.studies import summarise
from skexplain.studies._compare import MASKS
from skexplain.training._architectures import Standardize
from skexplain.training._batches import batch_sizes

DECOYS = ("half", "stripes", "corner")
N_VALID, TUNING_SEED = 6000, 100
LR = 2e-3
PIXEL_MEAN, PIXEL_SD = 0.13 * 255, 0.31 * 255

#: Method: function of the parameters that all share.  Settings were chosen by --tune on "half".
METHODS = {
    "erm": ERMClassifier,
    "swap-ex": SwapExClassifier,
    "pgd-ex+grad-reg": partial(PGDExClassifier, epsilon=math.inf, n_steps=3, grad_alpha=0.1),
    "ibp-ex+grad-reg": partial(IBPExClassifier, epsilon=0.1, alpha=0.25, grad_alpha=10.0),
    "grad-reg": partial(GradRegClassifier, alpha=3.0),
    "pgd-ex": partial(PGDExClassifier, epsilon=4.0),
    "ibp-ex": partial(IBPExClassifier, epsilon=2.0, alpha=0.25),
    "avg-ex": partial(AvgExClassifier, epsilon=4.0),
    "avg-ex-constant": partial(AvgExClassifier, perturbation="constant"),
    "counterexample": CounterexampleClassifier,
    "group-dro": partial(GroupDROClassifier, group_step_size=0.01),
    "cdep": partial(CDEPClassifier, alpha=10.0),
    "cdep-l1": partial(CDEPClassifier, measure="l1", alpha=10.0),
    "hint": partial(HINTClassifier, attribution="input_gradient"),
    "two-stage": TwoStageExplanationClassifier,
    "influence": partial(InfluenceRegClassifier, alpha=100.0),
}

#: Methods that never look at a mask: shuffling theirs is no control.
WITHOUT_MASKS = ("erm", "group-dro")

#: What --tune tries.  Counterexamples, constants and the swap have nothing to tune.
GRIDS = {
    "erm": [{"lr": lr} for lr in (5e-4, 1e-3, 2e-3, 4e-3)],
    "group-dro": [{"group_step_size": eta} for eta in (0.01, 0.1, 1.0)],
    "swap-ex": [{}],
    "pgd-ex+grad-reg": [{"grad_alpha": alpha} for alpha in (0.03, 0.1, 0.3)],
    "ibp-ex+grad-reg": [
        {"epsilon": epsilon, "grad_alpha": alpha}
        for epsilon in (0.1, 0.3, 1.0)
        for alpha in (3.0, 10.0)
    ],
    "grad-reg": [{"alpha": alpha} for alpha in (1.0, 3.0, 10.0, 30.0, 100.0)],
    "pgd-ex": [{"epsilon": epsilon} for epsilon in (1.0, 2.0, 4.0)],
    "ibp-ex": [{"epsilon": e, "alpha": a} for e in (1.0, 2.0) for a in (0.25, 1.0)],
    "avg-ex": [{"epsilon": epsilon} for epsilon in (1.0, 2.0, 4.0, 8.0)],
    "avg-ex-constant": [{}],
    "counterexample": [{}],
    "cdep": [{"alpha": alpha} for alpha in (1.0, 10.0, 100.0, 1000.0)],
    "cdep-l1": [{"alpha": alpha} for alpha in (1.0, 10.0, 100.0, 1000.0)],
    "hint": [{"alpha": alpha} for alpha in (0.1, 1.0, 10.0, 100.0)],
    "two-stage": [{"mapping_lr": lr} for lr in (1e-3, 1e-2, 1e-1)],
    "influence": [{"alpha": alpha} for alpha in (1.0, 100.0, 10000.0)],
}

#: Worst-group accuracy in per cent on "half" in Table 1 of Heo et al. (NeurIPS 2023).
PUBLISHED = {
    "erm": "10.5 ± 5.4",
    "group-dro": "28.1 ± 0.1",
    "grad-reg": "46.2 ± 1.1",
    "cdep": "10.0 ± 0.7",
    "avg-ex": "19.5 ± 1.4",
    "pgd-ex": "51.4 ± 0.3",
    "ibp-ex": "47.6 ± 2.0",
    "pgd-ex+grad-reg": "95.8 ± 0.4",
    "ibp-ex+grad-reg": "95.0 ± 0.6",
}

SCORES = ("valid", "valid_repainted", "mean_group", "worst_group", "accuracy")


@dataclass(frozen=True)
class Cell:
    """One fit; as a row of the CSV file these are its first columns."""

    decoy: str
    method: str
    parameters: str  # JSON, beside those of METHODS
    masks: str
    seed: int
    rows: int
    epochs: int
    batch_size: int
    schedule: str


COLUMNS = (*Cell.__dataclass_fields__, *SCORES, "seconds", "diverged")


# -- data -----------------------------------------------------------------------------------------


def write_data(folder, mnist, cell, with_test):
    """Make the arrays of a decoy and a seed, as files that processes can share."""
    X, y, X_test, y_test = mnist
    if not with_test:
        X_test, y_test = X_test[:0], y_test[:0]
    order = np.random.RandomState(cell.seed).permutation(len(X))
    digits = decoy_mnist(X[order], y[order], X_test, y_test, cell.decoy, cell.seed)
    train, valid = slice(cell.rows), slice(len(X) - N_VALID, None)
    arrays = {
        "X": digits.data[train],
        "X_random": digits.data_random[train],
        "y": digits.target[train],
        "mask": digits.mask[train],
        "X_valid": digits.data[valid],
        "y_valid": digits.target[valid],
        "X_repainted": repaint(digits.data[valid], digits.mask[valid], cell.seed),
        "X_test": digits.data_test,
        "y_test": digits.target_test,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def repaint(images, mask, seed):
    """Give each image the decoy of another one that has it in the same place."""
    rng = np.random.RandomState(seed)
    packed = np.packbits(mask.reshape(len(mask), -1), axis=1)
    _, places = np.unique(packed, axis=0, return_inverse=True)
    repainted = images.copy()
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        donors = rng.permutation(rows)
        repainted[rows] = np.where(mask[rows], images[donors], images[rows])
    return repainted


# -- one fit --------------------------------------------------------------------------------------


def perceptron():
    """784-256-256-256-10 with ReLU; all pixels are one channel, standardised alike."""
    return nn.Sequential(
        nn.Flatten(),
        Standardize(PIXEL_MEAN, PIXEL_SD),
        *(nn.Linear(784, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU()),
        nn.Linear(256, 10),
    )


def learning_rate(schedule, n_steps, lr):
    """Return the callbacks of a schedule of the learning rate."""
    if schedule == "constant":
        return None
    policy = {
        "cosine": {"policy": CosineAnnealingLR, "T_max": n_steps},
        "one-cycle": {"policy": OneCycleLR, "max_lr": 2 * lr, "total_steps": n_steps},
    }[schedule]
    return [("learning_rate", LRScheduler(step_every="batch", **policy))]


def make_estimator(cell):
    parameters = {"lr": LR, **json.loads(cell.parameters)}
    n_steps = cell.epochs * len(batch_sizes(cell.rows, cell.batch_size))
    return METHODS[cell.method](
        module=perceptron,
        max_epochs=cell.epochs,
        batch_size=cell.batch_size,
        callbacks=learning_rate(cell.schedule, n_steps, parameters["lr"]),
        device="cpu",
        random_state=cell.seed,
    ).set_params(**parameters)


def run_cell(cell, folder):
    """Fit and score one cell; returns its row."""
    torch.set_num_threads(1)

    def load(name):
        # Copy on write: shared by the processes, and torch takes it without a copy.
        return np.load(folder / f"{name}.npy", mmap_mode="c")

    X = load("X_random" if cell.masks == "no shortcut" else "X")
    mask = load("mask")
    if cell.masks == "shuffled":
        mask = np.random.RandomState(cell.seed).permutation(mask)
    estimator = make_estimator(cell)
    # What torch loads at the first step of a process is no part of the time.
    ERMClassifier(max_epochs=1).fit(np.eye(4), [0, 1, 0, 1])
    row = {**asdict(cell), "diverged": False}
    start = time.perf_counter()
    try:
        estimator.fit(X, load("y"), mask=mask)
    except DivergenceError:  # it keeps the weights of the last good epoch
        row["diverged"] = True
    row["seconds"] = round(time.perf_counter() - start, 2)
    for name, images in (("valid", "X_valid"), ("valid_repainted", "X_repainted")):
        row[name] = estimator.score(load(images), load("y_valid"))
    row |= test_scores(estimator, load("X_test"), load("y_test"))
    return row | {name: round(float(row[name]), 5) for name in SCORES if name in row}


def test_scores(estimator, X_test, y_test):
    """Scores on the test images; none where they were left out."""
    if not len(X_test):
        return {}
    predicted = estimator.predict(X_test)
    return {
        "accuracy": np.mean(predicted == y_test),
        "mean_group": mean_group_accuracy(y_test, predicted, y_test),
        "worst_group": worst_group_accuracy(y_test, predicted, y_test),
    }


# -- all fits -------------------------------------------------------------------------------------


def all_cells(arguments):
    """Cells in the order in which they run."""
    names = ("rows", "epochs", "batch_size", "schedule")
    shared = {name: getattr(arguments, name) for name in names}
    return [
        Cell(decoy, method, json.dumps(parameters), masks, seed, **shared)
        for seed in arguments.seeds
        for decoy in arguments.decoys
        for method in arguments.methods
        for parameters, masks in variants(method, arguments.tune)
        if masks in arguments.masks
    ]


def variants(method, tune):
    """Parameters and masks of a method's fits."""
    if tune:
        return [(parameters, "given") for parameters in GRIDS[method]]
    control = [] if method in WITHOUT_MASKS else [({}, "shuffled")]
    if method == "erm":
        control = [({}, "no shortcut")]
    return [({}, "given"), *control]


def read_rows(path):
    """Rows of the CSV file, numbers as numbers."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row.update({name: int(row[name]) for name in ("seed", "rows", "epochs", "batch_size")})
        row.update({name: float(row[name]) for name in (*SCORES, "seconds") if row[name]})
    return rows


def cell_of(row):
    return Cell(**{name: row[name] for name in Cell.__dataclass_fields__})


def append_row(path, row):
    is_new = not path.exists()
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def run_all(arguments):
    done = {cell_of(row) for row in read_rows(arguments.output)}
    cells = [cell for cell in all_cells(arguments) if cell not in done]
    mnist = load_mnist_files(arguments.data)
    if not 0 < arguments.rows <= len(mnist[0]) - N_VALID:
        raise ValueError(
            f"--rows must lie in 1 to {len(mnist[0]) - N_VALID}, so that {N_VALID} images are left "
            f"to validate; got {arguments.rows}."
        )
    for seed in dict.fromkeys(cell.seed for cell in cells):
        run_seed([cell for cell in cells if cell.seed == seed], mnist, arguments)


def run_seed(cells, mnist, arguments):
    with tempfile.TemporaryDirectory() as folder:
        folders = {}
        for cell in cells:
            if cell.decoy not in folders:
                folders[cell.decoy] = Path(folder) / cell.decoy
                folders[cell.decoy].mkdir()
                write_data(folders[cell.decoy], mnist, cell, with_test=not arguments.tune)
        run = Parallel(n_jobs=arguments.jobs, return_as="generator_unordered")
        for row in run(delayed(run_cell)(cell, folders[cell.decoy]) for cell in cells):
            append_row(arguments.output, row)
            print(", ".join(f"{name} {row[name]}" for name in COLUMNS if name in row), flush=True)


# -- tables ---------------------------------------------------------------------------------------


def selected_rows(arguments):
    """Rows of the CSV file that belong to the cells asked for."""
    wanted = set(all_cells(arguments))
    return [row for row in read_rows(arguments.output) if cell_of(row) in wanted]


def report_tuning(arguments):
    """Print a table per decoy, the best setting first."""
    rows = selected_rows(arguments)
    for decoy in arguments.decoys:
        print(f"\n### {decoy}\n\n| method | parameters | valid_repainted | valid | seconds |")
        print("|---|---|---|---|---|")
        of_decoy = [row for row in rows if row["decoy"] == decoy]
        for row in sorted(of_decoy, key=lambda row: -row["valid_repainted"]):
            print(
                f"| {row['method']} | {row['parameters']} | {row['valid_repainted']:.4f} | "
                f"{row['valid']:.4f} | {row['seconds']:.0f} |"
            )


def report(arguments):
    """Print a table per decoy: means and standard deviations over the seeds, in per cent.

    Gains are in mean-group accuracy, paired by seed, with standard errors.
    """
    rows = [
        {**row, "dataset": row["decoy"], "estimator": row["method"]}
        for row in selected_rows(arguments)
    ]
    summaries = {(s["dataset"], s["estimator"], s["masks"]): s for s in summarise(rows)}
    for decoy in arguments.decoys:
        published = " published worst |" if decoy == "half" else ""
        print(f"\n### {decoy}\n")
        print(
            "| method | seeds | worst group | mean group | shuffled: worst | shuffled: mean | "
            f"gain over ERM | gain over shuffled | x ERM |{published}"
        )
        print("|---" * (10 if published else 9) + "|")
        for method in arguments.methods:
            for masks in ("given", "no shortcut"):
                if (decoy, method, masks) in summaries:
                    print(report_line(summaries, decoy, method, masks, bool(published)))


def report_line(summaries, decoy, method, masks, published):
    summary = summaries[decoy, method, masks]
    shuffled = summaries.get((decoy, method, "shuffled"))
    is_baseline = method == "erm" and masks == "given"
    cells = [
        method if masks == "given" else f"{method}, {masks}",
        str(summary["seeds"]),
        *(percent(summary, score) for score in ("worst_group", "mean_group")),
        *(percent(shuffled, score) for score in ("worst_group", "mean_group")),
        "" if is_baseline else gain(summary, "vs_erm"),
        gain(summary, "vs_shuffled"),
        f"{summary['times_erm']:.1f}",
    ]
    if published:
        cells.append(PUBLISHED.get(method, "") if masks == "given" else "")
    return f"| {' | '.join(cells)} |"


def percent(summary, score):
    if summary is None:
        return ""
    mean, sd = 100 * summary[score], 100 * summary[f"{score}_sd"]
    return f"{mean:.1f}" if math.isnan(sd) else f"{mean:.1f} ± {sd:.1f}"


def gain(summary, name):
    mean, error = 100 * summary[name], 100 * summary[f"{name}_se"]
    if math.isnan(mean):
        return ""
    return f"{mean:+.1f}" if math.isnan(error) else f"{mean:+.1f} (se {error:.1f})"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder with the four files of MNIST")
    parser.add_argument("--decoys", nargs="+", default=list(DECOYS), choices=DECOYS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--masks", nargs="+", default=list(MASKS), choices=MASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=12, help="half as many with --tune")
    parser.add_argument("--rows", type=int, default=54000, help="training images")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument(
        "--schedule", default="one-cycle", choices=["constant", "cosine", "one-cycle"]
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("docs/results/decoy_mnist.csv"))
    parser.add_argument("--tune", action="store_true", help="writes beside the output: *_tuning")
    parser.add_argument("--report", action="store_true", help="tables of what is there; no fits")
    arguments = parser.parse_args()
    if not arguments.report and arguments.data is None:
        parser.error("--data must name the folder with the files of MNIST")
    if arguments.tune:
        arguments.seeds, arguments.epochs = [TUNING_SEED], max(1, arguments.epochs // 2)
        arguments.output = arguments.output.with_stem(f"{arguments.output.stem}_tuning")
    return arguments


def main():
    arguments = parse_arguments()
    if not arguments.report:
        run_all(arguments)
    if arguments.tune:
        report_tuning(arguments)
    elif arguments.report:
        report(arguments)


if __name__ == "__main__":
    main()
