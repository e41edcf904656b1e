"""The picture in the plane: flat at the points is not flat between them, robust is."""

import numpy as np

from skexplain.datasets import make_two_bands
from skexplain.studies import Table, Task, TestRows
from skexplain.studies.tools import (
    add_legend,
    draw_points,
    gains_table,
    group,
    new_figure,
    paired_difference,
    verdict_table,
)

from .._study import TrialStudy
from .._trial import run_trial

_BATCH = 16
_COMMON = {
    "module": {"name": "mlp", "n_features": 2, "n_classes": 2, "hidden": [50, 50, 50]},
}
_PARAMS = {
    "optimizer": "AdamW",
    "lr": 1e-3,
    "batch_size": _BATCH,
    "class_weight": "balanced",
    "input_unit": "input",
}
_SMALL, _LARGE = {"optimizer__weight_decay": 1e-4}, {"optimizer__weight_decay": 1.0}
_BOX = {"epsilon": 40.0, "clip": None}


def _label_only(decay, **further):
    described = {**_COMMON, "estimator": "ERMClassifier", "without_masks": True}
    return {**described, "params": {**_PARAMS, **decay}, **further}


def _method(estimator, decay=_SMALL, **params):
    described = {**_COMMON, "estimator": estimator, "controls": ("shuffled", "everywhere")}
    return {**described, "params": {**_PARAMS, **decay, **params}}


def _published_penalty(strength):
    """Return the parameters of the paper's penalty.

    It is the norm of the gradient of the sum of logits, not squared, summed over the batch.  With
    one irrelevant column that norm is an absolute value; the mean over a batch is ours.
    """
    return {"alpha": strength * _BATCH, "norm": "l1", "output": "logit_sum"}


#: Strengths are the paper's; PGD-Ex, whose radius is not published, has the box of IBP-Ex.
_METHODS = {
    "erm": _label_only(_SMALL, ceiling=True),
    "erm, smoothed": _label_only(_LARGE),
    "grad-reg 10": _method("GradRegClassifier", **_published_penalty(10)),
    "grad-reg 100": _method("GradRegClassifier", **_published_penalty(100)),
    "grad-reg 10, smoothed": _method("GradRegClassifier", _LARGE, **_published_penalty(10)),
    "grad-reg 100, smoothed": _method("GradRegClassifier", _LARGE, **_published_penalty(100)),
    "grad-reg log-prob": _method("GradRegClassifier", alpha=10.0),
    "ibp-ex": _method("IBPExClassifier", bound="logits", **_BOX),
    "pgd-ex": _method("PGDExClassifier", **_BOX),
    "pgd-ex+grad-reg": _method("PGDExClassifier", grad_alpha=0.1, **_BOX),
    "swap-ex": _method("SwapExClassifier"),
}

#: Weights and points are drawn anew so often.
_N_SEEDS = 30

#: Heights at which a prediction is looked at: the range of the data.
_HEIGHTS = np.linspace(-20, 20, 41)
_ACROSS, _UP = np.linspace(-3.2, 4.2, 75), np.linspace(-30, 30, 61)


class HeoTwoBands(TrialStudy):
    """Grad-Reg needs smoothing, perturbations do not.

    The second coordinate tells the label without an error, and must not matter.  Of two columns
    "shuffled" marks the other one, the reason.
    """

    name = "heo-two-bands"
    title = "Two bands: who is flat between the points"
    source = "Heo et al. 2023, the 2-D example"
    defaults = "stored"
    methods = _METHODS
    panels = ("test",)
    measure = "worst_group"
    baseline = "erm"
    n_seeds_of_controls = 10

    def trials(self, scale):
        """One data set; its points, weights and split are drawn anew for each seed."""
        if scale == "quick":
            names = ["erm", "grad-reg 10", "ibp-ex", "swap-ex"]
            yield {"n_per_blob": 30}, names, range(2), {"params": {"max_epochs": 30}}
            return
        settings = {"params": {"max_epochs": 100}}
        for seed in range(_N_SEEDS):
            yield {"n_per_blob": 100}, list(_METHODS), [seed], settings

    def task(self, factors, settings):
        """Test points as drawn, and in a band drawn at random."""
        bands = make_two_bands(factors["n_per_blob"], random_state=factors["seed"])
        tests = {
            "as drawn": TestRows(bands.data_test, bands.target_test),
            "band at random": TestRows(bands.data_test_random, bands.target_test),
        }
        return Task(bands.data, bands.target, bands.mask, tests, bands.data_random)

    def run(self, factors, settings):
        """Fit, score, and look along the vertical direction."""
        task = self.task(factors, settings)
        rows, estimator = run_trial(task, settings, factors["masks"], factors["seed"])
        looked = vertical_steadiness(estimator, task.X[:, 0], _HEIGHTS)
        rows = [{**row, **looked} for row in rows]
        if factors["seed"] == 0:  # for the picture; once
            rows[-1]["_map"] = _probability(estimator, _ACROSS, _UP).round(2).tolist()
        return rows

    def tables(self, rows):
        """What the paper says, accuracies, and how steady predictions are along x2."""
        moved = [row for row in rows if row["test"] == "band at random"]
        return [
            statements_table(moved),
            gains_table(self, rows, self.panels, self.measure, self.baseline),
            gains_table(self, moved, (), "steadiness", self.baseline),
            gains_table(self, moved, (), "same_class", self.baseline),
            verdict_table(rows, self.panels, self.measure),
        ]

    def pictures(self, rows):
        """Decision regions of the first seed, and how steady predictions are along x2."""
        moved = [row for row in rows if row["test"] == "band at random"]
        return {self.name: _draw_regions(moved), f"{self.name}-steadiness": _draw_steadiness(moved)}


def _probability(estimator, across, heights):
    """Return the probability of class 1, shape (heights, across)."""
    points = np.stack(np.meshgrid(across, heights), axis=-1).reshape(-1, 2)
    return estimator.predict_proba(points)[:, 1].reshape(len(heights), len(across))


def vertical_steadiness(estimator, across, heights):
    """Measure how far a prediction stays while the second coordinate alone changes.

    Parameters
    ----------
    estimator : classifier
        Of two classes and two columns.
    across : ndarray of shape (n,)
        Values of the first column.
    heights : ndarray of shape (k,)
        Values of the second that are tried.

    Returns
    -------
    dict
        ``steadiness``, 1 less the range of the probability, mean over the rows; ``same_class``, the
        share of rows whose class does not change.
    """
    probability = _probability(estimator, across, heights)
    highest, lowest = probability.max(axis=0), probability.min(axis=0)
    return {
        "steadiness": float(1 - (highest - lowest).mean()),
        "same_class": float(((highest > 0.5) == (lowest > 0.5)).mean()),
    }


#: What the figure is to show: of two methods the first is steadier than the second.
_STATEMENTS = (
    ("IBP-Ex needs no smoothing", "ibp-ex", "erm"),
    ("Grad-Reg without smoothing is less steady than IBP-Ex", "ibp-ex", "grad-reg 100"),
    ("smoothing mends Grad-Reg", "grad-reg 100, smoothed", "grad-reg 100"),
    ("smoothing alone does not do", "grad-reg 100, smoothed", "erm, smoothed"),
)


def statements_table(rows):
    """Hold what the paper says in words against differences that are paired by seed.

    Parameters
    ----------
    rows : list of dict
        With method, masks, seed, steadiness and worst_group, of one test set.

    Returns
    -------
    Table
        Without statements about methods that were not fitted.
    """
    methods = group([row for row in rows if row["masks"] in ("-", "given")], ["method"])
    body = []
    for statement, steadier, other in _STATEMENTS:
        if (steadier,) in methods and (other,) in methods:
            pair = methods[steadier,], methods[other,]
            differences = [paired_difference(*pair, name) for name in ("steadiness", "worst_group")]
            body.append(
                (
                    statement,
                    f"{steadier} - {other}",
                    *(difference.as_difference() for difference in differences),
                    "yes" if differences[0].is_beyond_chance else "no",
                )
            )
    columns = ("published in words", "compared", "steadiness", "worst group", "> 2 se")
    note = (
        "The worst group is that of test points in a band drawn at random: steady is not yet right."
    )
    return Table("What the figure is to show", columns, body, note)


def _draw_regions(rows):
    """Draw a panel per method, with the training points of the first seed on top."""
    shown = [row for row in rows if row["masks"] in ("-", "given") and "_map" in row]
    n_columns = min(4, len(shown))
    figure, axes = new_figure(-(-len(shown) // n_columns), n_columns, (2.9, 2.6))
    for ax, row in zip(axes.flat, shown, strict=False):
        ax.grid(False)
        regions = ax.contourf(_ACROSS, _UP, row["_map"], _LEVELS, cmap="RdBu", alpha=0.8)
        bands = make_two_bands(row["n_per_blob"], random_state=row["seed"])
        for label, look in enumerate(_LOOKS):
            points = bands.data[bands.target == label]
            ax.plot(*points.T, linestyle="", color="black", markersize=3, **look)
        ax.set_title(
            f"{row['method']}, seed {row['seed']}\nsteady to {row['steadiness']:.2f}", fontsize=9
        )
        ax.set_xlabel("x1, the reason")
        ax.set_ylabel("x2, irrelevant")
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    figure.colorbar(regions, ax=axes, label="probability of the middle band")
    add_legend(figure, axes)
    return figure


def _draw_steadiness(rows):
    """Draw, beside each other, how steady predictions are and whether they are right."""
    n_methods = len({row["method"] for row in rows})
    figure, axes = new_figure(1, 2, (5.0, 1.2 + 0.35 * n_methods))
    for ax, measure, title in zip(
        axes.flat,
        ("steadiness", "worst_group"),
        ("1 less the range of the probability along x2", "Accuracy in a band drawn at random"),
        strict=True,
    ):
        draw_points(ax, rows, measure)
        ax.set_title(title, fontsize=9)
    axes[0, 1].tick_params(labelleft=False)
    add_legend(figure, axes)
    return figure


_LOOKS = (
    {"marker": "o", "markerfacecolor": "white", "markeredgewidth": 0.4, "label": "outer bands"},
    {"marker": "^", "label": "middle band"},
)
_LEVELS = np.linspace(0, 1, 11)
