"""A grid search on several processes."""

import os
import statistics
from dataclasses import replace

import numpy as np
import torch
from _benchmark import Benchmark, Column
from _data import make_data, make_network
from _memory_use import private_megabytes
from _methods import METHODS
from _timing import ratio, take_turns
from sklearn.model_selection import GridSearchCV

_JOBS = (1, 2, 4)


def measure(options):
    n_rows, epochs = (2_000, 1) if options.quick else (20_000, 10)
    data = make_data(n_rows, (784,))
    searches = {
        n_jobs: _make_search(n_jobs, epochs, options.device)
        for n_jobs in (_JOBS[:2] if options.quick else _JOBS)
    }
    results = {}

    def run(n_jobs):
        search = searches[n_jobs].fit(data.X, data.y, mask=data.mask)
        results[n_jobs] = search.cv_results_

    # Each number of processes starts its own: nothing is left to warm up.
    options = replace(options, repeats=min(options.repeats, 2), warm_up=False)
    times = take_turns({n_jobs: lambda n_jobs=n_jobs: run(n_jobs) for n_jobs in searches}, options)
    for n_jobs in searches:
        ideal = min(n_jobs, os.cpu_count())
        yield {
            "n_jobs": n_jobs,
            "seconds": statistics.median(times[n_jobs]),
            "speed_up": ratio(times[1], times[n_jobs]),
            "over_ideal": ideal * ratio(times[n_jobs], times[1]),
            "threads": float(np.max(results[n_jobs]["mean_test_threads"])),
            "megabytes": float(np.max(results[n_jobs]["mean_test_megabytes"])),
            "goal": 1.25 if n_jobs > 1 else None,
        }


def _make_search(n_jobs, epochs, device):
    estimator = METHODS["swap"].prepare(make_network("MLP"), device, max_epochs=epochs)
    grid = {"lr": [3e-4, 1e-3], "alpha": [1.0, 3.0]}
    return GridSearchCV(estimator, grid, scoring=score, cv=2, refit=False, n_jobs=n_jobs)


def score(estimator, X, y):
    """Accuracy, and what the process that computes it takes."""
    return {
        "accuracy": estimator.score(X, y),
        "threads": torch.get_num_threads(),
        "megabytes": private_megabytes(),
    }


BENCHMARK = Benchmark(
    title="A grid search on several processes",
    text=(
        "`GridSearchCV` of `SwapExClassifier`, eight fits of 10,000 rows of 784 columns (63 MB, "
        "masks 16 MB), the start of the processes included. Ideal is the time on one process / "
        "processes, or / cores where these are fewer. Threads are those of torch in a process, "
        "megabytes its private memory: joblib shares data by a memory map, of which scikit-learn "
        "copies the rows of a fold."
    ),
    columns=(
        Column("n_jobs", "n_jobs"),
        Column("seconds", "seconds", ".1f"),
        Column("speed_up", "speed-up", ".2f"),
        Column("over_ideal", "time / ideal", ".2f"),
        Column("threads", "threads", ".0f"),
        Column("megabytes", "MB", ".0f"),
    ),
    judged="over_ideal",
    measure=measure,
)
