"""What each part of two-stage optimisation adds, over the epochs (Table 3)."""

from dataclasses import replace

from skexplain.studies import Table
from skexplain.studies.tools import (
    add_legend,
    control_masks,
    control_parameters,
    gains_table,
    group,
    mean_of,
    new_figure,
    paired_difference,
    style,
    verdict_table,
)

from .._published import find_published
from .._study import TrialStudy
from .._trial import make_estimator
from ._shapes import shapes_task, variant

_METHODS = {
    "label-only": variant("label-only"),
    "two-stage": variant("two-stage"),
    "no mapping": variant("two-stage", mapping=None),  # the divergence moves the convolutions
    "joint": variant("two-stage", schedule="joint"),
}

# Test accuracy is taken after these epochs, of which the paper tells 20 and 40.
_EPOCHS = [2, 5, 10, 20, 30, 40, 60, 80, 100]
_TOLD = (20, 40)
_N_TEST = 500  # each epoch of a cell predicts these rows
#: Repetitions; on 50 rows, where the paper claims most, as many as it has.
_N_SEEDS, _N_SEEDS_CLAIMED = 3, 30


class Ablation(TrialStudy):
    """Two-stage without the mapping, or in one step, and its controls, from epoch to epoch.

    A cell trains epoch by epoch with ``partial_fit``, which is one `fit` cut into its epochs.
    """

    name = "tao-ablation"
    title = "What each part of two-stage optimisation adds"
    source = "Tao & Shokri, Table 3"
    defaults = "stored"
    methods = _METHODS
    panels = ("dataset", "size")

    def trials(self, scale):
        """The middle sizes first."""
        if scale == "quick":
            yield _factors("triangle", 10), self.methods, range(1), _settings([2, 10, 20])
            return
        for dataset, size, epochs in (
            ("fox-vs-cat", 50, _EPOCHS),
            ("triangle", 50, _EPOCHS),
            ("triangle", 10, _EPOCHS),
            ("fox-vs-cat", 100, _EPOCHS),
            ("triangle", 100, _EPOCHS),
            ("fox-vs-cat", 500, [epoch for epoch in _EPOCHS if epoch <= 40]),
        ):
            yield _factors(dataset, size), self.methods, range(_N_SEEDS), _settings(epochs)
        for seed in range(_N_SEEDS, _N_SEEDS_CLAIMED):
            for dataset in ("fox-vs-cat", "triangle"):
                yield _factors(dataset, 50), self.methods, [seed], _settings(_EPOCHS)

    def task(self, factors, settings):
        """Draw the training set of a seed."""
        return shapes_task(factors["dataset"], factors["size"], "1:1", factors["seed"])

    def run(self, factors, settings):
        """Train, and predict after some of the epochs."""
        task, masks, seed = self.task(factors, settings), factors["masks"], factors["seed"]
        estimator = make_estimator({**settings, **control_parameters(settings, masks)}, seed)
        mask = control_masks(task.mask, masks, seed)
        test = task.tests["clean"]
        rows = []
        for epoch in range(1, settings["epochs"][-1] + 1):
            estimator.partial_fit(task.X, task.y, classes=[0, 1], mask=mask)
            if epoch in settings["epochs"]:
                score = estimator.score(test.X[:_N_TEST], test.y[:_N_TEST])
                objective = estimator.history_[-1, "train_loss"]
                rows.append({"epoch": epoch, "accuracy": score, "objective": objective})
        return rows

    def tables(self, rows):
        """Table 3 beside its controls; who beats them; what mapping and schedule add."""
        told = told_rows(rows)
        factors = (*self.panels, "at")
        gains = gains_table(self, told, factors, self.measure, self.baseline)
        return [
            replace(gains, note=f"{gains.note} {_NOTE}"),
            verdict_table(told, factors, self.measure),
            self._parts_table(told),
        ]

    def _parts_table(self, rows):
        """What two-stage gains over each variant, beside what the published means differ by."""
        body = []
        for panel, own in group(rows, [*self.panels, "at"]).items():
            cells = group(own, ["method", "masks"])
            keys = dict(zip((*self.panels, "at"), panel, strict=True))
            for without in ("no mapping", "joint"):
                pair = ("two-stage", without)
                gain = paired_difference(
                    *(cells.get((method, "given"), []) for method in pair), self.measure
                )
                full, part = (
                    find_published(self.name, {**keys, "method": method}, self.measure)
                    for method in pair
                )
                told = f"{full.value - part.value:+.3f}" if full and part else ""
                body.append((*map(str, panel), without, gain.as_difference(), told))
        columns = (*self.panels, "at", "without", "two-stage gains", "published")
        return Table("What mapping and separate steps add", columns, body, _NOTE)

    def pictures(self, rows):
        """Curves over the epochs: mean and a band of two standard errors."""
        panels = group(rows, self.panels)
        n_columns = min(3, len(panels))
        width = 4.4 if n_columns > 1 else 9  # for the legend
        figure, axes = new_figure(-(-len(panels) // n_columns), n_columns, (width, 3.4))
        for ax, (panel, own) in zip(axes.flat, panels.items(), strict=False):
            self._draw_panel(ax, dict(zip(self.panels, panel, strict=True)), own)
        for ax in axes[:, 0]:
            ax.set_ylabel("test accuracy")
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        add_legend(figure, axes)
        return {self.name: figure}

    def _draw_panel(self, ax, panel, rows):
        last = max(row["epoch"] for row in rows)
        for (method, masks), own in group(rows, ["method", "masks"]).items():
            if masks in ("-", "given") or method == "two-stage":
                look = style(list(self.methods).index(method), masks)
                label = method if masks in ("-", "given") else f"{method}, {masks}"
                _draw_curve(ax, own, label, look)
            if masks == "given":
                self._draw_published(ax, {**panel, "method": method}, last, look)
        ax.set_title(f"{panel['dataset']}, {panel['size']} rows", fontsize=10)
        ax.set_xlabel("epoch")
        ax.set_ylim(0.45, 1.02)

    def _draw_published(self, ax, keys, last, look):
        """Mark Table 3, its figures at convergence at the right border."""
        places = {str(epoch): epoch for epoch in _TOLD if epoch <= last} | {"convergence": last}
        found = {
            epoch: find_published(self.name, {**keys, "at": at}, self.measure)
            for at, epoch in places.items()
        }
        told = {epoch: figure.value for epoch, figure in found.items() if figure}
        if told:
            mark = {"color": look["color"], "marker": look["marker"], "linestyle": "none"}
            label = f"{keys['method']}, published"
            ax.plot(list(told), list(told.values()), label=label, clip_on=False, **mark)


_NOTE = (
    "Convergence: the epoch, of those recorded, with the lowest training objective, in which "
    "two-stage has its divergence, too."
)


def told_rows(rows):
    """Pick the epochs of which Table 3 tells.

    Parameters
    ----------
    rows : list of dict
        With epoch and objective.

    Returns
    -------
    list of dict
        Rows of the epochs 20 and 40 and of convergence, named in their column `at`.
    """
    told = []
    for own in group(rows, ["dataset", "size", "method", "masks", "seed"]).values():
        told += [{**row, "at": str(row["epoch"])} for row in own if row["epoch"] in _TOLD]
        told.append({**min(own, key=lambda row: row["objective"]), "at": "convergence"})
    return told


def _draw_curve(ax, rows, label, look):
    """Draw means over seeds against the epoch, in a band of two standard errors."""
    curve = {epoch: mean_of(same, "accuracy") for (epoch,), same in group(rows, ["epoch"]).items()}
    line = {key: look[key] for key in ("color", "linestyle", "linewidth")}
    ax.plot(list(curve), [e.mean for e in curve.values()], label=label, **line)
    low, high = ([e.mean + sign * 2 * e.se for e in curve.values()] for sign in (-1, 1))
    ax.fill_between(list(curve), low, high, color=look["color"], alpha=0.12, linewidth=0)


def _factors(dataset, size):
    return {"dataset": dataset, "size": size}


def _settings(epochs):
    return {"params": {"max_epochs": epochs[-1]}, "epochs": epochs}
