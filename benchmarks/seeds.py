"""Several seeds at once, against one fit."""

import statistics
import time

import numpy as np
from _benchmark import Benchmark, Column
from _methods import METHODS
from _timing import ratio, take_turns

from skexplain.model_selection import fit_seeds

_N_SEEDS = 10
_N_COLUMNS = (2, 20, 64)
_METHODS = ("ERM", "swap", "Grad-Reg", "PGD-Ex, 5 steps", "two-stage")


def measure(options):
    for n_columns in _N_COLUMNS[: 1 if options.quick else None]:
        X, y, mask = _data(100 if options.quick else 1_000, n_columns)
        for name in _METHODS:
            epochs = 1 if options.quick else 10
            estimator = METHODS[name].prepare("auto", options.device, max_epochs=epochs)
            contestants = {
                "one": lambda: estimator.fit(X, y, mask=mask),  # noqa: B023 - called at once
                "ten": lambda: fit_seeds(estimator, X, y, range(_N_SEEDS), mask=mask),  # noqa: B023
            }
            times = take_turns(contestants, options, time.process_time)
            yield {
                "method": name,
                "columns": n_columns,
                "one": statistics.median(times["one"]),
                "ten": statistics.median(times["ten"]),
                "ratio": ratio(times["ten"], times["one"]),
                "goal": 3.0,
            }


def _data(n_samples, n_columns):
    """Draw three classes that half of the columns tell, and a mask of the others."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n_samples)
    X = rng.normal(size=(n_samples, n_columns)) + y[:, None]
    mask = np.arange(n_columns) >= n_columns // 2
    return X.astype(np.float32), y, np.repeat(mask[None], n_samples, axis=0)


BENCHMARK = Benchmark(
    title="Ten seeds at once",
    text=(
        f"Processor time of `fit_seeds` with {_N_SEEDS} seeds / that of one `fit`, with the "
        "built-in perceptron: 1,000 rows in batches of 64, 10 epochs. Its two hidden layers have "
        "32 units for 2 columns, 64 for 20, 128 for 64."
    ),
    columns=(
        Column("method", "method"),
        Column("columns", "columns"),
        Column("one", "one fit, seconds", ".2f"),
        Column("ten", "ten at once, seconds", ".2f"),
        Column("ratio", "ratio", ".2f"),
    ),
    judged="ratio",
    measure=measure,
)
