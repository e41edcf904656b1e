"""Which of the settings that the paper leaves open decide what two-stage gains."""

import numpy as np

from skexplain.studies import Table, Task, TestRows
from skexplain.studies.tools import COLORS, add_legend, estimate, group, new_figure

from .._published import find_published
from .._study import TrialStudy
from ._factorial import (
    BASE,
    LABEL_ONLY,
    LEVELS,
    OFF,
    OUTCOMES,
    PAPER_LR,
    TWO_STAGE,
    Accuracies,
    all_settings,
    has_rates_of_paper,
    is_needed,
    tell,
    tell_base,
)
from ._shapes import EARLY, MAKERS, METHODS

_SIZE, _N_TEST = 50, 1000
#: As in the paper, at its learning rates; fewer at others.
_SEEDS, _FEW_SEEDS = 30, 6


class Settings(TrialStudy):
    """A factorial design at 50 rows, balanced: label-only, two-stage, and its second step off."""

    name = "tao-settings"
    title = "Settings that the paper leaves open, and what two-stage gains in each"
    source = "Tao & Shokri, Tables 1 and 5"
    defaults = "stored"
    methods = {name: METHODS[name] for name in ("label-only", "two-stage")}
    panels = ("dataset", "test")

    def trials(self, scale):
        """All settings of either data set; at quick scale two learning rates of one."""
        quick = scale == "quick"
        settings = [{**BASE, "lr": lr} for lr in (BASE["lr"], PAPER_LR)] if quick else None
        for dataset in ("triangle",) if quick else ("fox-vs-cat", "triangle"):
            for setting in settings or all_settings():
                for name in self.methods:
                    params = {"max_epochs": 20 if quick else 100, **_parameters(name, setting)}
                    factors = {"dataset": dataset, **setting}
                    yield factors, [name], range(1 if quick else _SEEDS), {"params": params}

    def cells(self, scale):
        """List the cells, but for those whose setting changes nothing."""
        return [
            cell
            for cell in super().cells(scale)
            if is_needed(cell.factors)
            and (cell.factors["seed"] < _FEW_SEEDS or has_rates_of_paper(cell.factors))
        ]

    def task(self, factors, settings):
        """Draw training rows, and test rows of the same and of the transfer set."""
        filled, seed = factors["drawing"] == "filled", factors["seed"]
        rows, transfer = (
            make(_SIZE, n_test=_N_TEST, filled=filled, random_state=seed)
            for make in MAKERS[factors["dataset"]]
        )
        white = np.float32(factors["pixels"] / 255)
        tests = {
            name: TestRows(bunch.data_test[:, None] * white, bunch.target_test)
            for name, bunch in (("clean", rows), ("transfer", transfer))
        }
        return Task(rows.data[:, None] * white, rows.target, rows.mask[:, None], tests)

    def tables(self, rows):
        """Where the gain is as published; what each setting changes; what is gained where."""
        panels = {panel: Accuracies(own) for panel, own in group(rows, self.panels).items()}

        def table(title, columns, lines, note):
            body = [(*panel, *line) for panel, found in panels.items() for line in lines(found)]
            return Table(title, (*self.panels, *columns), body, note)

        return [
            Table(
                "Where the published gain appears",
                (*self.panels, *_SUMMARY),
                [
                    (*panel, *self._summarise(panel, found))
                    for panel, found in panels.items()
                    if found.settings  # else none has been computed yet
                ],
                "Published: label-only, two-stage. Gains are counted where both sides were run. "
                "Nearest: the setting in which the paper's methods, label-only of lr "
                f"{PAPER_LR} and two-stage of lr {BASE['lr']}, come nearest to these; it was "
                "chosen by the figures shown.",
            ),
            table(
                "What each setting changes in the accuracy",
                ("setting", "instead of", *OUTCOMES),
                _effects,
                "Means over all pairs of settings that differ in this one alone, at the base's "
                "learning rate unless that is what differs; se over seeds. 0: it has no part in "
                "that method.",
            ),
            table(
                "Accuracy of two-stage in each setting, and what it gains",
                ("setting", *OUTCOMES, f"over label-only of lr {PAPER_LR}"),
                _gains,
                f"Base: {tell_base()}.",
            ),
        ]

    def _summarise(self, panel, accuracies):
        """Count the settings with a gain, and find the one that is most like the paper."""
        published = self._published(panel)
        settings = accuracies.settings
        gains = [accuracies.gain_over_paper(setting) for setting in settings]
        over_off = [accuracies.outcome("two-stage over off", setting) for setting in settings]
        nearest, label_only, two_stage = _nearest(accuracies, [p.value for p in published])
        return (
            ", ".join(map(str, published)),
            str(len(settings)),
            str(sum(estimate(gain.values()).is_beyond_chance for gain in gains)),
            str(sum(estimate(gain.values()).is_beyond_chance for gain in over_off)),
            tell(nearest),
            str(label_only),
            str(two_stage),
            _as_difference(accuracies.gain_over_paper(nearest)),
        )

    def _published(self, panel):
        keys = dict(zip(self.panels, panel, strict=True))
        return [
            find_published(self.name, {**keys, "method": method}, self.measure)
            for method in ("label-only", "two-stage")
        ]

    def pictures(self, rows):
        """Two-stage against label-only, and against itself without the second step."""
        panels = group([row for row in rows if row["test"] == "clean"], self.panels)
        figure, axes = new_figure(len(panels), 2, (5.4, 4.3))
        for line, (panel, own) in zip(axes, panels.items(), strict=True):
            accuracies = Accuracies(own)
            for ax, (reference, words) in zip(line, _REFERENCES.items(), strict=True):
                _draw_settings(ax, accuracies, reference)
                ax.set_title(f"{panel[0]}, {_SIZE} rows, each point a setting", fontsize=10)
                ax.set_xlabel(f"{words}: test accuracy")
                ax.set_ylabel("two-stage: test accuracy")
            x, y = (figure.value for figure in self._published(panel))
            line[0].plot(x, y, "*", color="black", markersize=14, label="published")
        add_legend(figure, axes)
        return {self.name: figure}


_REFERENCES = {LABEL_ONLY: "label-only, same setting", OFF: "two-stage without its second step"}
_SUMMARY = (
    "published",
    "settings",
    f"gain > 2 se over label-only of lr {PAPER_LR}",
    "gain > 2 se over off",
    "nearest setting",
    "label-only there",
    "two-stage there",
    "gain there",
)


def _parameters(method, setting):
    """Return the parameters of the estimator that a setting means."""
    params = {"lr": setting["lr"], "batch_size": setting["batch_size"]}
    if method == "two-stage":
        params |= {name: setting[name] for name in ("mapping_init", "mapping_lr")}
    if setting["stopping"] == "early":
        params |= EARLY
    return params


def _effects(accuracies):
    """Yield a line per level that is not the base's."""
    for name, (base, *others) in LEVELS.items():
        for level in others:
            if any(setting[name] == level for setting in accuracies.settings):
                effects = [accuracies.effect(outcome, name, level) for outcome in OUTCOMES]
                words = f"{name.replace('_', ' ')} {level}"
                yield words, str(base), *(effect.as_difference() for effect in effects)


def _gains(accuracies):
    """Yield a line per setting."""
    for setting in accuracies.settings:
        outcomes = [
            str(estimate(values.values())) if reference is None else _as_difference(values)
            for name, (_, reference) in OUTCOMES.items()
            for values in [accuracies.outcome(name, setting)]
        ]
        yield tell(setting), *outcomes, _as_difference(accuracies.gain_over_paper(setting))


def _nearest(accuracies, targets):
    """Find the setting in which label-only and two-stage, at the paper's rates, are nearest."""

    def pair(setting):
        label_only = accuracies.find(LABEL_ONLY, {**setting, "lr": PAPER_LR})
        arms = label_only, accuracies.find(TWO_STAGE, setting)
        return [estimate(values.values()) for values in arms]

    def distance(setting):
        distances = [abs(e.mean - target) for e, target in zip(pair(setting), targets, strict=True)]
        return np.nan_to_num(sum(distances), nan=np.inf)  # where label-only was not run

    settings = accuracies.settings
    at_rate = [setting for setting in settings if setting["lr"] == BASE["lr"]]
    nearest = min(at_rate or settings, key=distance)
    return nearest, *pair(nearest)


def _as_difference(values):
    return estimate(values.values()).as_difference()


def _draw_settings(ax, accuracies, reference):
    """Draw a point per setting, colour by learning rate, marker by pixels, open if early."""
    for setting in accuracies.settings:
        x, y = (estimate(accuracies.find(arm, setting).values()) for arm in (reference, TWO_STAGE))
        color = COLORS[LEVELS["lr"].index(setting["lr"])]
        early = setting["stopping"] == "early"
        ax.errorbar(
            *(x.mean, y.mean),
            xerr=2 * x.se,
            yerr=2 * y.se,
            marker="o" if setting["pixels"] == BASE["pixels"] else "s",
            markerfacecolor="white" if early else color,
            color=color,
            markersize=5,
            elinewidth=0.5,
            linestyle="none",
            label=_label(setting),
        )
    ax.axline((0.5, 0.5), slope=1, color="0.5", linewidth=0.8)
    ax.set(xlim=(0.45, 1.02), ylim=(0.45, 1.02))


def _label(setting):
    words = f"lr {setting['lr']}, pixels 0 to {setting['pixels']:g}"
    return f"{words}, early" if setting["stopping"] == "early" else words
