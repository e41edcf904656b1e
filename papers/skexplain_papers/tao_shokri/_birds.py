"""Blue birds told apart by their beaks, with a smaller network and SGD."""

import numpy as np

from skexplain.datasets import fetch_birds
from skexplain.studies import Task, TestRows
from skexplain.studies.tools import add_legend, draw_points, group, new_figure

from .._study import TrialStudy
from ._agreement import agreement_table
from ._shapes import shapes_task, variant

#: The birds are not shipped: at quick scale shapes stand in for them.
STAND_IN = "stand-in: fox-vs-cat, 3 channels"


def _bird(name, **params):
    # Neither batches nor epochs are told: here they make 300 steps for 30 rows.
    method = variant(name, optimizer="SGD", batch_size=10, **params)
    return {**method, "module": "bird-cnn"}


class Birds(TrialStudy):
    """Photographs of birds; with squares that tell the label in training and not at the test."""

    name = "tao-birds"
    title = "Two species of birds, told apart by the beak"
    source = "Tao & Shokri, Tables 1 and 3 and training with a spurious pattern"
    defaults = "stored"
    methods = {
        "label-only": _bird("label-only"),
        "shift": _bird("shift"),
        "grad-reg": _bird("grad-reg"),
        "grad-match": _bird("grad-match"),
        "two-stage": _bird("two-stage"),
        "no mapping": _bird("two-stage", mapping=None),
        "joint": _bird("two-stage", schedule="joint"),
        "swap": _bird("swap"),
    }
    panels = ("dataset", "training", "size")
    keep_predictions = True

    def prepare(self, scale):
        """Look for the photographs, which must be there beforehand."""
        if scale == "paper":
            fetch_birds(download_if_missing=False, train_size=2)

    def trials(self, scale):
        """The largest training set first."""
        if scale == "quick":
            factors = {"dataset": STAND_IN, "training": "plain", "size": 50}
            module = {"name": "bird-cnn", "side": _STAND_IN_SIDE}
            settings = {"module": module, "params": {"max_epochs": 10}}
            yield factors, self.methods, range(2), settings
            return
        for training, size in (("plain", 60), ("plain", 30), ("spurious", 60)):
            factors = {"dataset": "birds", "training": training, "size": size}
            for name in self.methods:
                yield factors, [name], range(5), _settings(name, training)

    def task(self, factors, settings):
        """Read the birds, or draw their stand-in."""
        if factors["dataset"] == STAND_IN:
            return _stand_in(factors["size"], factors["seed"])
        birds = fetch_birds(
            download_if_missing=False,
            train_size=factors["size"],
            spurious=factors["training"] == "spurious",
            random_state=factors["seed"],
        )
        tests = {"clean": TestRows(_images(birds.data_test), birds.target_test)}
        return Task(_images(birds.data), birds.target, birds.mask, tests)

    def tables(self, rows):
        """Methods beside controls and published figures; who beats all controls; agreement."""
        return [*super().tables(rows), agreement_table(self, rows, self.panels)]

    def pictures(self, rows):
        """A panel per training set: methods in rows, each beside its controls."""
        panels = group(rows, self.panels)
        n_columns = min(3, len(panels))
        size = (5.6, 1.0 + 0.45 * len(self.methods))
        figure, axes = new_figure(-(-len(panels) // n_columns), n_columns, size)
        for ax, ((dataset, training, size), own) in zip(axes.flat, panels.items(), strict=True):
            draw_points(ax, own, self.measure)
            ax.set_title(f"{dataset}, {size} rows, {training}", fontsize=9)
            ax.set_xlabel("test accuracy")
        add_legend(figure, axes)
        return {self.name: figure}


_STAND_IN_SIDE = 32


def _settings(name, training):
    if training == "spurious" and name in ("two-stage", "no mapping", "joint"):
        return {"params": {"mapping_lr": 0.01}}  # as the paper says
    return {}


def _images(pixels):
    return pixels / np.float32(255)


def _stand_in(size, seed):
    """Draw foxes and cats as small pictures in three channels."""
    task = shapes_task("fox-vs-cat", size, "1:1", seed)

    def small(rows, n_channels=3):
        return np.repeat(rows[:, :, ::2, ::2], n_channels, axis=1)

    clean = task.tests["clean"]
    tests = {"clean": TestRows(small(clean.X), clean.y)}
    return Task(small(task.X), task.y, small(task.mask, 1), tests)
