"""Each method against the plain network, on a residual network and a transformer."""

import statistics
import time

from _benchmark import Benchmark, Column
from _data import N_CLASSES, make_data
from _flops import count_flops
from _methods import METHODS, PLAIN
from _timing import ratio, take_turns
from torch import nn

_SHAPE = (3, 96, 96)
# So many that what a fit does once, such as the check after it, does not count as a step.
_N_STEPS = 4
# Avg-Ex takes the passes of the swap, HINT those of Grad-Reg.
_NAMES = (
    *("swap", "Grad-Reg", "PGD-Ex, 5 steps", "PGD-Ex, 5 steps, + Grad-Reg", "IBP-Ex", "CDEP"),
    *("Grad-CAM", "influence", "two-stage"),
)


class Block(nn.Module):
    """Two convolutions with batch norm beside a shortcut, as in a ResNet."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride)
        self.activation = nn.ReLU()

    def forward(self, x):
        """Return the sum of both ways."""
        return self.activation(self.layers(x) + self.shortcut(x))


def residual_network():
    """Build ten layers in four blocks, of 16 to 128 channels."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.ReLU(),
        *(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2), Block(64, 128, 2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, N_CLASSES),
    )


class Transformer(nn.Module):
    """Two layers of attention over the 36 patches of an image, their mean, a linear layer."""

    def __init__(self, width=128):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, N_CLASSES)

    def forward(self, x):
        """Compute the logits."""
        return self.head(self.blocks(self.patches(x).flatten(2).mT).mean(1))


# Grad-CAM reads the last block of the residual network; attention has no maps over places.
_NETWORKS = {
    "residual": (residual_network, {"Grad-CAM": {"layer": "5"}}, ()),
    "transformer": (Transformer, {}, ("Grad-CAM",)),
}


def measure(options):
    data = make_data(16, _SHAPE)
    for network, (build, settings, left_out) in _NETWORKS.items():
        for name in _NAMES:
            if name not in left_out:
                yield _measure(name, network, build, settings.get(name, {}), data, options)


def _measure(name, network, build, settings, data, options):
    model = build()

    def fit_of(method, **settings):
        n_steps = 1 if options.quick else _N_STEPS
        estimator = method.prepare(model, options.device, max_epochs=n_steps, **settings)
        return lambda: estimator.fit(data.X, data.y, mask=data.mask)

    fits = {"ours": fit_of(METHODS[name], **settings), "plain": fit_of(PLAIN)}
    times = take_turns(fits, options, time.process_time)
    return {
        "method": name,
        "network": network,
        "passes": METHODS[name].passes,
        "flops": count_flops(fits["ours"]) / count_flops(fits["plain"]),
        "ratio": ratio(times["ours"], times["plain"]),
        "seconds": statistics.median(times["ours"]),
        "goal": METHODS[name].goal,
    }


BENCHMARK = Benchmark(
    title="Larger networks",
    text=(
        "Processor time of a whole fit / that of `ERMClassifier` with the same network and data: "
        f"16 images of 3x96x96, all annotated, {_N_STEPS} steps per fit. A residual network of "
        "four blocks with batch norm (16 to 128 channels), and a transformer over patches of 16x16 "
        "(two layers of width 128). The columns are those of the table of each method against ERM."
    ),
    columns=(
        Column("method", "method"),
        Column("network", "network"),
        Column("passes", "passes of a step"),
        Column("flops", "FLOPs / ERM", ".2f"),
        Column("ratio", "time / ERM", ".2f"),
        Column("seconds", "seconds", ".2f"),
    ),
    judged="ratio",
    measure=measure,
)
