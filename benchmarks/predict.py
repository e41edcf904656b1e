"""Prediction against the bare module."""

import statistics

import numpy as np
import torch
from _benchmark import Benchmark, Column
from _data import SHAPES, make_data, make_network
from _methods import PLAIN
from _timing import ratio, take_turns

_BATCH_SIZE = 256  # that of predict_proba
_ROWS_PER_TURN = 20_000


def measure(options):
    for network, shape in SHAPES.items():
        for n_rows in (100,) if options.quick else (100, 2_000, 50_000):
            data = make_data(n_rows, shape)
            some = slice(100)
            classifier = PLAIN.prepare(make_network(network), options.device, max_epochs=1)
            classifier.fit(data.X[some], data.y[some])
            yield _measure(network, classifier, data.X, options)


def by_hand(module, X, device):
    """Compute the probabilities of all rows, batch by batch."""
    with torch.inference_mode():
        batches = torch.from_numpy(X).split(_BATCH_SIZE)
        return torch.cat([module(x.to(device)).softmax(1).cpu() for x in batches]).numpy()


def _measure(network, classifier, X, options):
    # So many calls that a turn takes long enough to be timed.
    n_calls = 1 if options.quick else max(1, _ROWS_PER_TURN // len(X))
    module = classifier.module_

    def repeat(function, *arguments):
        return lambda: [function(*arguments) for _ in range(n_calls)]

    np.testing.assert_allclose(
        classifier.predict_proba(X), by_hand(module, X, options.device), atol=1e-4
    )
    times = take_turns(
        {
            "ours": repeat(classifier.predict_proba, X),
            "module": repeat(by_hand, module, X, options.device),
        },
        options,
    )
    return {
        "network": network,
        "rows": len(X),
        "milliseconds": 1000 * statistics.median(times["ours"]) / n_calls,
        "ratio": ratio(times["ours"], times["module"]),
        "goal": 1.05,
    }


BENCHMARK = Benchmark(
    title="Prediction against the bare module",
    text=(
        "Time of `predict_proba` / that of the module on the same batches of 256 in inference "
        "mode, softmax included. Ours checks its input (shape, type, every value finite)."
    ),
    columns=(
        Column("network", "network"),
        Column("rows", "rows", ",d"),
        Column("milliseconds", "ms", ".2f"),
        Column("ratio", "/ module", ".2f"),
    ),
    judged="ratio",
    measure=measure,
)
