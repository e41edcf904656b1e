"""Whole fits against a loop by hand."""

import copy
import statistics
from dataclasses import replace

from _benchmark import Benchmark, Column
from _data import BATCH_SIZE, SHAPES, make_data, make_network
from _loops import LOOPS, make_loop
from _methods import METHODS
from _timing import ratio, take_turns

_STEPS = {"MLP": 120, "CNN": 30}
_LARGE = 50_000
# What a row costs is known from 2,000 of them: a sample of the methods shows that it stays so.
_LARGE_METHODS = ("ERM", "swap", "Grad-Reg", "two-stage")


def measure(options):
    for network in SHAPES:
        for n_rows in (100,) if options.quick else (100, 2_000, _LARGE):
            data = make_data(n_rows, SHAPES[network])
            for method in _methods(network, n_rows, options):
                yield _measure(method, network, data, options)


def _methods(network, n_rows, options):
    few = options.quick or (network == "CNN" and n_rows == _LARGE)
    names = _LARGE_METHODS if few else LOOPS
    return [name for name in names if network in METHODS[name].networks]


def _measure(method, network, data, options):
    n_rows = len(data.X)
    # A hundred steps or so, so that set-up counts about as in a short fit of a user's.
    epochs = 1 if options.quick else max(1, _STEPS[network] * BATCH_SIZE // n_rows)
    model = make_network(network)
    estimator = METHODS[method].prepare(model, options.device, max_epochs=epochs)
    tensors = data.tensors(options.device)

    def by_hand(tuned):
        loop = make_loop(method, epochs, tuned=tuned)
        return lambda: loop.run(copy.deepcopy(model).to(options.device), *tensors)

    if n_rows == _LARGE:  # a turn takes minutes
        options = replace(options, repeats=min(options.repeats, 2), warm_up=False)
    times = take_turns(
        {
            "estimator": lambda: estimator.fit(data.X, data.y, mask=data.mask),
            "plain": by_hand(tuned=False),
            "tuned": by_hand(tuned=True),
        },
        options,
    )
    return {
        "method": method,
        "network": network,
        "rows": n_rows,
        "over_plain": ratio(times["estimator"], times["plain"]),
        "over_tuned": ratio(times["estimator"], times["tuned"]),
        "seconds": statistics.median(times["estimator"]),
        "goal": 1.15 if n_rows < 2_000 else 1.05,
    }


BENCHMARK = Benchmark(
    title="An estimator against a loop by hand",
    text=(
        "Time of a whole `fit` / that of a torch loop by hand that makes the same passes on "
        "batches of 64, once as most people write it (plain Adam), once tuned (fused Adam, weights "
        "of convolutions channels-last). The estimator's time includes the validation of the data, "
        "units and range, the set-up of the net, the history and the copy of the last good "
        "weights; the loops get tensors on the device. MLP: 784-256-256-10, about 120 steps; CNN: "
        "two convolutions on 28x28, about 30; at 50,000 rows one epoch. The goal is for the tuned "
        "loop. FindAnotherExplanationClassifier is left out, as it is a search over such fits; "
        "ExplanationClassifier runs the same steps."
    ),
    columns=(
        Column("method", "method"),
        Column("network", "network"),
        Column("rows", "rows", ",d"),
        Column("over_plain", "/ plain loop", ".2f"),
        Column("over_tuned", "/ tuned loop", ".2f"),
        Column("seconds", "seconds", ".3f"),
    ),
    judged="over_tuned",
    measure=measure,
)
