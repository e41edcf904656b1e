"""What it costs to annotate more rows."""

import numpy as np
from _benchmark import Benchmark, Column
from _data import SHAPES, make_data, make_network
from _methods import METHODS, PLAIN
from _timing import ratio, take_turns

_SHARES = (0, 1, 10, 50, 100)  # per cent
_GOALS = {10: 1.3}
_METHODS = (
    *("swap", "Avg-Ex", "Grad-Reg", "PGD-Ex, 5 steps", "IBP-Ex", "CDEP"),
    *("HINT, input gradient", "Grad-CAM", "influence", "two-stage"),
)
_EPOCHS = {"MLP": 4, "CNN": 1}


def measure(options):
    for network, shape in SHAPES.items():
        data = make_data(128 if options.quick else 2_000, shape)
        shares = (0, 10) if options.quick else _SHARES
        masks = {share: annotate(data.mask, share) for share in shares}
        for name in _METHODS:
            if network in METHODS[name].networks:
                yield from _measure(name, network, data, masks, options)


def annotate(mask, share):
    """Keep the marks of a share of the rows, in per cent; the others' are unknown (None: all)."""
    n_known = len(mask) * share // 100
    if not n_known:
        return None
    known = mask.astype(np.float32)
    known[n_known:] = np.nan
    return known


def _measure(name, network, data, masks, options):
    model, epochs = make_network(network), 1 if options.quick else _EPOCHS[network]
    plain = PLAIN.prepare(model, options.device, max_epochs=epochs)
    estimator = METHODS[name].prepare(model, options.device, max_epochs=epochs)

    def fit_with(mask):
        # Without a mask an estimator warns that it is the plain network: alpha=0 says so.
        weight = 1.0 if mask is not None else 0.0
        return lambda: estimator.set_params(alpha=weight).fit(data.X, data.y, mask=mask)

    contestants = {share: fit_with(mask) for share, mask in masks.items()}
    times = take_turns({"plain": lambda: plain.fit(data.X, data.y), **contestants}, options)
    for share in masks:
        yield {
            "method": name,
            "network": network,
            "share": share,
            "ratio": ratio(times[share], times["plain"]),
            "goal": _GOALS.get(share),
        }


BENCHMARK = Benchmark(
    title="A few annotated rows",
    text=(
        "Time of a whole fit / that of ERM when masks are known for a share of 2,000 rows: each "
        "batch of 64 then has a penalised batch of that share beside it, one row at least."
    ),
    columns=(
        Column("method", "method"),
        Column("network", "network"),
        Column("share", "annotated, %"),
        Column("ratio", "time / ERM", ".2f"),
    ),
    judged="ratio",
    measure=measure,
)
