"""Search a setting in which label-only behaves as published, and what two-stage gains there."""

import copy

import numpy as np

from skexplain.studies import Table
from skexplain.studies.tools import (
    COLORS,
    add_legend,
    control_masks,
    control_parameters,
    estimate,
    group,
    mean_of,
    new_figure,
    paired_difference,
)

from .._published import find_published
from .._study import TrialStudy
from .._trial import make_estimator, with_objects
from ._shapes import METHODS
from ._trajectories import PATIENCES, all_rules, draw_shapes

_SIZE, _N_VALIDATION, _N_TEST = 50, 50, 300
_EPOCHS = 40  # after which two-stage of the paper hardly changes (Table 3)

#: What label-only is searched over, one at a time.
BASE = {"look": "plain", "init": "torch", "output": "softmax", "batch_size": 64}
SEARCHED = {
    "look": ("white ground", "turned", "noise"),
    "init": ("glorot", "normal"),
    "output": ("sigmoid",),
    "batch_size": (10,),
}
#: Where label-only behaves as published.
FOUND = {**BASE, "look": "white ground"}
PAPER_LR = 0.01


class Distributions(TrialStudy):
    """Fits on 50 samples, by where they stop."""

    name = "tao-distributions"
    title = "How fits on 50 samples are distributed, by where they stop"
    source = "Tao & Shokri, Table 1"
    defaults = "stored"
    methods = {name: METHODS[name] for name in ("label-only", "two-stage")}
    panels = ("dataset",)

    def trials(self, scale):
        """Compare at the base; search one setting at a time."""
        if scale == "quick":
            for name, lr in (("label-only", PAPER_LR), ("label-only", 0.001), ("two-stage", 0.001)):
                yield self._trial("triangle", name, lr, FOUND, 1, n_epochs=5)
            return
        for dataset in ("triangle", "fox-vs-cat"):
            for name, lr in (("label-only", PAPER_LR), ("label-only", 0.001), ("two-stage", 0.001)):
                yield self._trial(dataset, name, lr, FOUND, 30)
            for setting in searched_settings():
                yield self._trial(dataset, "label-only", PAPER_LR, setting, 3)

    def _trial(self, dataset, name, lr, setting, n_seeds, n_epochs=_EPOCHS):
        settings = {
            "params": {"max_epochs": n_epochs, "lr": lr, "batch_size": setting["batch_size"]},
            "module": {"name": "shapes-cnn", **{key: setting[key] for key in ("init", "output")}},
        }
        return {"dataset": dataset, **setting, "lr": lr}, [name], range(n_seeds), settings

    def cells(self, scale):
        """List the cells, without shuffled masks."""
        return [cell for cell in super().cells(scale) if cell.factors["masks"] != "shuffled"]

    def run(self, factors, settings):
        """Train epoch by epoch, and score the epoch that each rule of early stopping keeps."""
        method, seed = with_objects(settings), factors["seed"]
        (X, y, mask), (X_validation, y_validation, _), (X_test, y_test, _) = (
            draw_shapes(factors["dataset"], factors["look"], n, 3 * seed + i)
            for i, n in enumerate((_SIZE, _N_VALIDATION, _N_TEST))
        )
        mask = control_masks(mask, factors["masks"], seed)
        estimator = make_estimator({**method, **control_parameters(method, factors["masks"])}, seed)
        rules, weights = all_rules(), []
        for epoch in range(settings["params"]["max_epochs"]):
            estimator.partial_fit(X, y, classes=[0, 1], mask=mask)
            weights.append(copy.deepcopy(estimator.module_.state_dict()))
            measures = _validate(estimator.predict_proba(X_validation), y_validation)
            for rule in rules:
                rule.update(epoch, measures)
            if all(rule.stopped for rule in rules):
                break
        accuracies = {}
        for epoch in {rule.best for rule in rules}:
            estimator.module_.load_state_dict(weights[epoch])
            accuracies[epoch] = float(np.mean(estimator.predict(X_test) == y_test))
        return [
            {
                "stopping": rule.criterion,
                "patience": rule.patience,
                "epoch": rule.best + 1,
                "accuracy": accuracies[rule.best],
            }
            for rule in rules
        ]

    def tables(self, rows):
        """Distributions of label-only in each setting; of all methods where it is as published."""
        return [
            Table(
                "Where label-only behaves as published",
                ("dataset", "setting", "fits", *map(_name_rule, all_rules()), "published"),
                list(self._search(rows)),
                f"Label-only at a learning rate of {PAPER_LR}, by what stops it and its patience: "
                f"mean ± standard deviation, and how many fits are at chance.  {_NOTE}",
            ),
            Table(
                "What two-stage gains there",
                ("dataset", "stopping", "patience", *(f"over {name}" for name in _REFERENCES)),
                list(_gains(_at_found(rows))),
                f"With {tell_setting(FOUND)}, paired by seed; off: two-stage without its second "
                "step, at the same rate.  All in accuracy, with standard errors.",
            ),
            Table(
                "How fits are distributed there",
                ("dataset", "stopping", "patience", "method", *_SPREAD, "published"),
                list(self._distributions(_at_found(rows))),
                f"With {tell_setting(FOUND)}.  {_NOTE}",
            ),
        ]

    def _search(self, rows):
        """Yield a line per setting."""
        own = [row for row in rows if _arm(row) == LABEL_ONLY]
        for (dataset, *levels), fits in group(own, ["dataset", *BASE]).items():
            setting = tell_setting(dict(zip(BASE, levels, strict=True)))
            rules = group(fits, ["stopping", "patience"]).values()
            texts = [f"{mean_of(each, self.measure)}, {_count_chance(each)}" for each in rules]
            n_fits = str(len({row["seed"] for row in fits}))
            yield dataset, setting, n_fits, *texts, self._told(dataset, "label-only")

    def _distributions(self, rows):
        """Yield a line per rule and method."""
        for (dataset, stopping, patience), own in group(rows, _RULE).items():
            for arm, fits in _by_arm(own).items():
                told = self._told(dataset, _PUBLISHED.get(arm))
                yield dataset, stopping, str(patience), arm, *_spread(fits), told

    def _told(self, dataset, method):
        keys = {"dataset": dataset, "test": "clean", "method": method}
        found = find_published("tao-settings", keys, self.measure) if method else None
        return "" if found is None else str(found)

    def pictures(self, rows):
        """Each fit a point, by method, for the rules of patience 5; published means as bars."""
        shown = [row for row in _at_found(rows) if row["patience"] == max(PATIENCES)]
        panels = group(shown, ["stopping", "dataset"])
        n_rows = len({stopping for stopping, _ in panels})
        figure, axes = new_figure(n_rows, len(panels) // n_rows, (5, 3.2))
        for ax, ((stopping, dataset), own) in zip(axes.flat, panels.items(), strict=True):
            for place, (arm, fits) in enumerate(_by_arm(own).items()):
                self._draw_fits(ax, place, dataset, arm, fits)
            ax.set_xticks(range(len(_by_arm(own))), [_SHORT[arm] for arm in _by_arm(own)])
            ax.set_title(f"{dataset}, stopped on {stopping}", fontsize=10)
            ax.set_ylim(0.35, 1.02)
        for ax in axes[:, 0]:
            ax.set_ylabel("test accuracy")
        add_legend(figure, axes)
        return {self.name: figure}

    def _draw_fits(self, ax, place, dataset, arm, fits):
        values = sorted(row[self.measure] for row in fits)
        aside = np.linspace(-0.25, 0.25, len(values))
        ax.plot(place + aside, values, "o", color=COLORS[place], markersize=3)
        keys = {"dataset": dataset, "test": "clean", "method": _PUBLISHED.get(arm)}
        found = find_published("tao-settings", keys, self.measure) if keys["method"] else None
        if found:
            bar = {"color": "0.4", "capsize": 4, "marker": "_", "markersize": 14}
            label = "published mean and standard deviation"
            ax.errorbar(place + 0.38, found.value, yerr=found.spread, label=label, **bar)


LABEL_ONLY, SLOW = f"label-only, lr {PAPER_LR}", "label-only, lr 0.001"
TWO_STAGE, OFF = "two-stage", "two-stage, off"
_PUBLISHED = {LABEL_ONLY: "label-only", TWO_STAGE: "two-stage"}
_REFERENCES = (LABEL_ONLY, SLOW, OFF)
_SHORT = {LABEL_ONLY: "labels, .01", SLOW: "labels, .001", TWO_STAGE: TWO_STAGE, OFF: "off"}
_RULE = ("dataset", "stopping", "patience")

_CHANCE = 0.55
_QUANTILES = {"least": 0.0, "quartile": 0.25, "median": 0.5, "third quartile": 0.75, "most": 1.0}
_SPREAD = ("fits", "at chance", *_QUANTILES, "mean ± sd")
_NOTE = (
    f"At chance: fits with an accuracy below {_CHANCE}.  A rule keeps the weights of the best of "
    f"the epochs before `patience` ones without an improvement, of {_EPOCHS} at most, on "
    f"{_N_VALIDATION} samples beside the {_SIZE}."
)


def tell_setting(setting):
    """Name a setting by where it is not the base."""
    changed = [
        level if name == "look" else f"{name.replace('_', ' ')} {level}"
        for name, level in setting.items()
        if level != BASE[name]
    ]
    return ", ".join(changed) or "base"


def _arm(row):
    """Name the method of a row, with what tells it from the others."""
    if row["method"] == "label-only":
        return f"label-only, lr {row['lr']}"
    return TWO_STAGE if row["masks"] == "given" else OFF


def _by_arm(rows):
    arms = {}
    for row in rows:
        arms.setdefault(_arm(row), []).append(row)
    return arms


def _at_found(rows):
    return [row for row in rows if all(row[name] == level for name, level in FOUND.items())]


def _spread(fits):
    values = np.array([row["accuracy"] for row in fits])
    quantiles = [f"{np.quantile(values, share):.2f}" for share in _QUANTILES.values()]
    return str(len(values)), str(_count_chance(fits)), *quantiles, str(estimate(values))


def _count_chance(fits):
    return sum(row["accuracy"] < _CHANCE for row in fits)


def _name_rule(rule):
    return f"{rule.criterion}, {rule.patience}"


def _gains(rows):
    """Yield a line per rule: two-stage against each reference."""
    for rule, own in group(rows, _RULE).items():
        arms = _by_arm(own)
        gains = [
            paired_difference(arms.get(TWO_STAGE, []), arms.get(name, []), "accuracy")
            for name in _REFERENCES
        ]
        yield *map(str, rule), *(gain.as_difference() for gain in gains)


def _validate(probabilities, y):
    of_class = probabilities[np.arange(len(y)), y]
    return {
        "validation loss": float(-np.log(np.maximum(of_class, 1e-12)).mean()),
        "validation accuracy": float(np.mean(of_class > 0.5)),
    }


def searched_settings():
    """List the base, and settings that differ from it in one, without the one that was found."""
    changed = [{**BASE, key: level} for key, levels in SEARCHED.items() for level in levels]
    return [setting for setting in (BASE, *changed) if setting != FOUND]
