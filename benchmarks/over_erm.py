"""Each method against the plain network."""

import statistics

from _benchmark import Benchmark, Column
from _data import SHAPES, make_data, make_network
from _flops import count_flops
from _methods import METHODS, PLAIN
from _timing import ratio, take_turns

_EPOCHS = {"MLP": 4, "CNN": 1}
_QUICK = ("swap", "Grad-Reg", "two-stage")


def measure(options):
    for network, shape in SHAPES.items():
        data = make_data(64 if options.quick else 2_000, shape)
        for name in _QUICK if options.quick else METHODS:
            method = METHODS[name]
            if method is not PLAIN and network in method.networks:
                yield _measure(name, method, network, data, options)


def _measure(name, method, network, data, options):
    epochs = 1 if options.quick else _EPOCHS[network]
    model = make_network(network)

    def fit_of(method):
        estimator = method.prepare(model, options.device, max_epochs=epochs)
        return lambda: estimator.fit(data.X, data.y, mask=data.mask)

    fits = {"ours": fit_of(method), "plain": fit_of(PLAIN)}
    times = take_turns(fits, options)
    return {
        "method": name,
        "network": network,
        "passes": method.passes,
        "flops": count_flops(fits["ours"]) / count_flops(fits["plain"]),
        "ratio": ratio(times["ours"], times["plain"]),
        "seconds": statistics.median(times["ours"]),
        "goal": method.goal,
    }


BENCHMARK = Benchmark(
    title="Each method against ERM",
    text=(
        "Time of a whole fit / that of `ERMClassifier` with the same network and data: 2,000 rows, "
        "all annotated, in batches of 64. Beside it what a step must do (F forward, B backward, I "
        "a pass of intervals or of a decomposition, f forward through the features alone), and the "
        "floating-point operations of its matrix products and convolutions / those of ERM, counted "
        "in a run."
    ),
    columns=(
        Column("method", "method"),
        Column("network", "network"),
        Column("passes", "passes of a step"),
        Column("flops", "FLOPs / ERM", ".2f"),
        Column("ratio", "time / ERM", ".2f"),
        Column("seconds", "seconds", ".3f"),
    ),
    judged="ratio",
    measure=measure,
)
