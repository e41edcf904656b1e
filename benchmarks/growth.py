"""How time grows with the size of a problem."""

import statistics

import numpy as np
from _benchmark import Benchmark, Column
from _data import make_data, make_network
from _methods import METHODS, Method
from _timing import take_turns

from skexplain import PGDExClassifier

# Between the ends of each axis lies a factor of 16.
_SIZES = {
    "rows": (1_000, 4_000, 16_000),
    "columns": (784, 3_136, 12_544),
    "epochs": (2, 8, 32),
    "steps of PGD": (2, 8, 32),
}
_QUICK_SIZES = {
    "rows": (100, 200),
    "columns": (50, 100),
    "epochs": (1, 2),
    "steps of PGD": (1, 2),
}
_METHODS = ("ERM", "swap", "Grad-Reg")
_BASE = {"rows": 1_000, "columns": 784, "epochs": 2}
_QUICK_BASE = {"rows": 100, "columns": 50, "epochs": 1}


def measure(options):
    for axis, sizes in (_QUICK_SIZES if options.quick else _SIZES).items():
        for name in ("PGD-Ex",) if axis == "steps of PGD" else _METHODS:
            fits = {size: _fit_at(axis, size, name, options) for size in sizes}
            times = take_turns(fits, options)
            yield _row(axis, name, {size: statistics.median(t) for size, t in times.items()})


def _fit_at(axis, size, name, options):
    base = {**(_QUICK_BASE if options.quick else _BASE), axis: size}
    data = make_data(base["rows"], (base["columns"],))
    if axis == "steps of PGD":
        method = Method(PGDExClassifier(alpha=1.0, n_steps=size), passes="")
    else:
        method = METHODS[name]
    network = make_network("MLP", base["columns"])
    estimator = method.prepare(network, options.device, max_epochs=base["epochs"])
    return lambda: estimator.fit(data.X, data.y, mask=data.mask)


def _row(axis, name, seconds):
    slope, _ = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)
    return {
        "axis": axis,
        "method": name,
        "times": ", ".join(f"{size:,}: {taken:.2f}" for size, taken in seconds.items()),
        "slope": float(slope),
        "goal": 1.1,
    }


BENCHMARK = Benchmark(
    title="Growth",
    text=(
        "Seconds of a fit of the MLP against rows, columns, epochs and steps of PGD, the others "
        "held at 1,000 rows, 784 columns, 2 epochs, and the slope of the line through the "
        "logarithms: 1 is linear growth, less is a part that does not grow."
    ),
    columns=(
        Column("axis", "against"),
        Column("method", "method"),
        Column("times", "size: seconds"),
        Column("slope", "slope", ".2f"),
    ),
    judged="slope",
    measure=measure,
)
