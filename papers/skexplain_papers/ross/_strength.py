"""How strong the penalty should be, on Decoy MNIST: twelve orders of magnitude."""

import math

from skexplain.studies import Table
from skexplain.studies.tools import COLORS, group, mean_of, new_figure, where

from .._published import find_published
from .._study import TrialStudy
from .._trial import run_trial
from ._decoy_mnist import decoy_dataset, decoy_settings, decoy_task, require_mnist

_STRENGTHS = [f"1e{exponent}" for exponent in range(-4, 9)]
_WITH_CONTROL = ("1e1", "1e3", "1e5")
_TESTS = {"train": "train", "valid": "validation", "decoy lies": "test"}
_BAND = (0.2, 30.0)  # of usable ratios, in their notebook


class Strength(TrialStudy):
    """Sweep of lambda, what rules choose, and where ``alpha="auto"`` lands."""

    name = "ross-strength"
    title = "Strength of the penalty, on digits beside a decoy"
    source = "Ross et al. 2017, cross-validation of lambda on Decoy MNIST"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True},
        "grad-reg": {"estimator": "GradRegClassifier", "controls": ("shuffled",)},
    }
    panels = ("dataset", "strength", "test")

    def prepare(self, scale):
        """Look for MNIST."""
        require_mnist(scale)

    def trials(self, scale):
        """The middle first, where the answer is."""
        quick = scale == "quick"
        settings = decoy_settings(scale)
        seeds = range(1 if quick else 2)
        yield self._factors_of(scale, "0"), ["label-only"], seeds, settings
        some = ("1e-2", "1e1", "1e3", "1e5", "1e7", "auto") if quick else (*_STRENGTHS, "auto")
        for strength in some:
            alpha = strength if strength == "auto" else float(strength)
            params = {**settings["params"], "alpha": alpha}
            factors = self._factors_of(scale, strength)
            yield factors, ["grad-reg"], seeds, {**settings, "params": params}

    @staticmethod
    def _factors_of(scale, strength):
        return {"dataset": decoy_dataset(scale), "strength": strength}

    def cells(self, scale):
        """Controls at a few strengths."""
        return [
            cell
            for cell in super().cells(scale)
            if cell.factors["masks"] != "shuffled" or cell.factors["strength"] in _WITH_CONTROL
        ]

    def task(self, factors, settings):
        """Draw decoys, and hold out what they held out."""
        return decoy_task(factors["dataset"], factors["seed"], hold_out=True)

    def run(self, factors, settings):
        """Fit; note the strength in force, and penalty over label loss early in training."""
        task = self.task(factors, settings)
        rows, estimator = run_trial(task, settings, factors["masks"], factors["seed"])
        # The automatic strength is in force from the second epoch on.
        epoch = estimator.history_[1 if factors["strength"] == "auto" else 0]
        penalty = estimator.alpha_ * epoch.get("train_input_gradient", 0.0)
        early = {"alpha": estimator.alpha_, "early_ratio": penalty / epoch["train_label_loss"]}
        return [{**row, **early} for row in rows]

    def tables(self, rows):
        """The sweep beside the published one, the control, and what each rule would choose."""
        return [self._sweep(rows), choices(rows)]

    def _sweep(self, rows):
        body = []
        for (dataset, strength), same in group(rows, ["dataset", "strength"]).items():
            own = [row for row in same if row["masks"] != "shuffled"]
            shuffled = where(same, masks="shuffled")
            cells = []
            for test in _TESTS:
                keys = {"dataset": dataset, "strength": strength, "test": test}
                found = find_published(self.name, keys, "accuracy")
                cells += [
                    str(mean_of(own, "accuracy", test=test)),
                    "" if found is None else str(found),
                ]
            alpha, ratio = (
                mean_of(own, name, test="train").mean for name in ("alpha", "early_ratio")
            )
            control = str(mean_of(shuffled, "accuracy", test="decoy lies"))
            body.append((strength, f"{alpha:.3g}", *cells, control, f"{ratio:.2g}"))
        columns = ("strength", "in force")
        for test in _TESTS.values():
            columns += (test, "published")
        note = "Ratio: penalty over label loss in the first epoch with the penalty, mean of it."
        columns += ("test, shuffled masks", "early ratio")
        return Table(f"{self.title}: accuracy", columns, body, note)

    def pictures(self, rows):
        """Accuracies over the strength; below, the ratio that is to be about one."""
        figure, axes = new_figure(2, 1, (6.4, 3.2))
        accuracy, ratio = axes[:, 0]
        swept = [row for row in rows if row["masks"] == "given" and row["strength"] != "auto"]
        for color, (test, words) in zip(COLORS, _TESTS.items(), strict=False):
            _draw(accuracy, where(swept, test=test), "accuracy", words, color)
            self._draw_published(accuracy, where(swept, test=test), test, color)
            automatic = where(rows, test=test, strength="auto")
            _draw(accuracy, automatic, "accuracy", None, color, marker="*", markersize=11)
        shuffled = where(rows, test="decoy lies", masks="shuffled")
        control = {"linestyle": "none", "marker": "s", "markerfacecolor": "white"}
        _draw(accuracy, shuffled, "accuracy", "test, shuffled masks", COLORS[2], **control)
        _draw(ratio, where(swept, test="train"), "early_ratio", "measured", "black")
        automatic = where(rows, test="train", strength="auto")
        _draw(ratio, automatic, "early_ratio", 'alpha="auto"', "black", marker="*", markersize=11)
        ratio.axhspan(*_BAND, color="0.9", label="usable, say Ross et al.")
        ratio.set_yscale("log")
        accuracy.set_ylabel("accuracy")
        ratio.set_ylabel("penalty / label loss, early")
        for ax in (accuracy, ratio):
            ax.set_xscale("log")
            ax.set_xlabel("strength of the penalty (stars: chosen automatically)")
            ax.legend(fontsize=7, loc="best")
        return {self.name: figure}

    def _draw_published(self, ax, rows, test, color):
        keys = {(row["alpha"], row["dataset"], row["strength"]) for row in rows}
        points = []
        for alpha, dataset, strength in sorted(keys):
            factors = {"dataset": dataset, "strength": strength, "test": test}
            found = find_published(self.name, factors, "accuracy")
            points += [] if found is None else [(alpha, found.value)]
        if points:
            label = f"{_TESTS[test]}, published"
            ax.plot(*zip(*points, strict=True), "x", color=color, markersize=6, label=label)


def choices(rows):
    """Say which strength each rule chooses, and what that is worth on lying decoys.

    Parameters
    ----------
    rows : list of dict
        Of the study; rules look at means over seeds.

    Returns
    -------
    Table
    """
    given = [row for row in rows if row["masks"] == "given"]
    swept = {key[0]: own for key, own in group(given, ["strength"]).items() if key[0] != "auto"}
    rules = {
        "early ratio nearest to 1": lambda own: (
            -_orders_from_one(mean_of(own, "early_ratio", test="train").mean)
        ),
        "highest validation accuracy": lambda own: mean_of(own, "accuracy", test="valid").mean,
        "best on the test set, for comparison": lambda own: (
            mean_of(own, "accuracy", test="decoy lies").mean
        ),
    }
    body = []
    for rule, score in rules.items() if swept else ():
        strength = max(swept, key=lambda key: score(swept[key]))
        body.append((rule, strength, str(mean_of(swept[strength], "accuracy", test="decoy lies"))))
    automatic = where(given, strength="auto")
    alpha = f"{mean_of(automatic, 'alpha', test='train').mean:.3g}"
    body.append(('alpha="auto"', alpha, str(mean_of(automatic, "accuracy", test="decoy lies"))))
    return Table("What rules choose", ("rule", "strength", "test accuracy"), body)


def _orders_from_one(ratio):
    return abs(math.log(ratio)) if ratio > 0 else math.inf


def _draw(ax, rows, measure, label, color, **style):
    """Draw means over seeds against the strength in force."""
    points = []
    for own in group(rows, ["strength", "masks"]).values():
        found = mean_of(own, measure)
        points.append((mean_of(own, "alpha").mean, found.mean, 2 * found.se))
    if not points:
        return
    x, y, error = zip(*sorted(points), strict=True)
    style = {"marker": "o", "markersize": 4, "capsize": 2, **style}
    ax.errorbar(x, y, yerr=error, label=label, color=color, **style)
