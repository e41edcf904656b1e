"""Which method survives which mistakes of annotators."""

from dataclasses import replace

import numpy as np

from skexplain.datasets import make_decoy_digits
from skexplain.studies import Table, Task, TestRows
from skexplain.studies.tools import (
    draw_measure,
    flat,
    group,
    mean_of,
    paired_difference,
    verdict_table,
)

from .._published import find_published
from .._study import TrialStudy
from ._corruptions import CORRUPTIONS
from ._repeat import repeat_rows

# Masks that say nothing about where the decoy is.
_USELESS = {
    "misplaced": ("misplaced", 1.0),
    "of other rows": ("of other rows", 1.0),
    "random": ("flipped", 0.5),
    "everything marked": ("grown", 7.0),
}


class MaskQuality(TrialStudy):
    """Decoy digits whose masks have mistakes.

    The mistakes are the controls: at the end of their scales masks mark other rows' decoys, random
    pixels, the wrong place or everything, and what a method gains there is not due to the masks.
    Label-only is the control "off": a weight of 0 gives the same bits.  Weights are those of
    `compare`; those of HINT and CDEP, which it has at their defaults, are the best on held-out rows
    of another seed with right masks.

    Friedrich et al. corrupt the masks of the corner decoy on 28x28 pixels and convolutions; here
    the digits have 8x8 pixels and the network is a perceptron, so HINT is on input gradients, and
    their RRR-G, which needs convolutions, is left out.
    """

    name = "mask-quality"
    title = "Which method survives which mistakes in masks, on digits beside a decoy"
    source = "Friedrich et al. 2023, wrong and incomplete feedback"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        "swap": {"estimator": "SwapExClassifier"},
        "grad-reg": {"estimator": "GradRegClassifier"},
        "pgd": {"estimator": "PGDExClassifier"},
        "pgd + grad-reg": {"estimator": "PGDExClassifier", "params": {"grad_alpha": 0.03}},
        "ibp + grad-reg": {
            "estimator": "IBPExClassifier",
            "params": {"epsilon": 1.0, "alpha": 0.25, "grad_alpha": 0.3},
        },
        "cdep": {"estimator": "CDEPClassifier", "params": {"alpha": 100.0}},
        "cdep, l1": {"estimator": "CDEPClassifier", "params": {"measure": "l1"}},
        "hint": {
            "estimator": "HINTClassifier",
            "params": {"alpha": 0.01, "attribution": "input_gradient"},
        },
        "counterexample": {"estimator": "CounterexampleClassifier"},
        "influence": {"estimator": "InfluenceRegClassifier", "params": {"alpha": 100.0}},
    }
    panels = ("decoy", "corruption")
    measure = "mean_group"
    x = "strength"

    def trials(self, scale):
        """Right masks once; then one mistake and strength at a time."""
        quick = scale == "quick"
        seeds = range(1 if quick else 3)
        settings = {"params": {"max_epochs": 5 if quick else 30}}
        with_masks = [name for name in self.methods if name != self.baseline]
        for decoy in ("half", "corner"):
            factors = {"decoy": decoy, "corruption": "none", "strength": 0.0}
            yield factors, list(self.methods), seeds, settings
            for corruption, strengths in (_QUICK if quick else _STRENGTHS).items():
                for strength in strengths:
                    factors = {"decoy": decoy, "corruption": corruption, "strength": strength}
                    yield factors, with_masks, seeds, settings

    def task(self, factors, settings):
        """Corrupt the training masks."""
        seed = factors["seed"]
        digits = make_decoy_digits(factors["decoy"], random_state=seed)
        mask = digits.mask
        if factors["corruption"] != "none":
            corrupt = CORRUPTIONS[factors["corruption"]]
            mask = corrupt(mask, factors["strength"], np.random.RandomState(seed))
        test = TestRows(flat(digits.data_test), digits.target_test, digits.groups_test)
        return Task(
            flat(digits.data),
            digits.target,
            flat(mask),
            {"decoy lies": test},
            flat(digits.data_random),
        )

    def tables(self, rows):
        """Accuracies by strength, what is kept without good masks, and the published figures."""
        rows = self._in_all_panels(rows)
        mistakes = group(rows, ["corruption"])
        return [
            *(self._strength_table(name, own) for (name,), own in mistakes.items()),
            self._useless_table(rows),
            self._published_table(rows),
            replace(verdict_table(rows, self._factors, self.measure), title=_AGAINST_LABEL_ONLY),
        ]

    def pictures(self, rows):
        """A panel per mistake, decoys below each other, with eight of the methods."""
        left_out = ("pgd + grad-reg", "counterexample", "influence")  # there are eight colours
        shown = [row for row in self._in_all_panels(rows) if row["method"] not in left_out]
        n_mistakes = len(group(shown, ["corruption"]))
        figure = draw_measure(shown, self.panels, self.measure, self.x, max_columns=n_mistakes)
        for ax, (_, corruption) in zip(figure.axes, group(shown, self.panels), strict=False):
            ax.set(xlabel=_AXES[corruption], ylabel="mean-group accuracy")
        return {self.name: figure}

    def _in_all_panels(self, rows):
        """Show right masks at strength 0 of each mistake, and label-only at each strength."""
        plain = [row for row in rows if row["method"] == self.baseline]
        others = [row for row in rows if row["method"] != self.baseline]
        others = repeat_rows(others, ("corruption",), lambda row: row["corruption"] == "none")
        shown = repeat_rows(
            [*plain, *others],
            ("corruption", "strength"),
            lambda row: row["method"] == self.baseline,
        )
        return sorted(shown, key=_order)

    def _strength_table(self, corruption, rows):
        strengths = sorted({row["strength"] for row in rows})
        body = []
        for (decoy, method, masks), own in group(rows, ["decoy", "method", "masks"]).items():
            name = method if masks != "no shortcut" else f"{method}, no shortcut"
            figures = (mean_of(own, self.measure, strength=at) for at in strengths)
            body.append((decoy, name, *map(str, figures)))
        columns = ("decoy", "method", *(f"{_AXES[corruption]} {at:g}" for at in strengths))
        note = "± is the standard deviation over seeds."
        return Table(f"Masks {corruption}: {self.measure}", columns, body, note)

    def _useless_table(self, rows):
        body = []
        for (decoy,), of_decoy in group(rows, ["decoy"]).items():
            cells = group(of_decoy, ["corruption", "strength", "method", "masks"])
            for method in self.methods:
                mistakes = {name: (*at, method, "given") for name, at in _USELESS.items()}
                mistakes = {name: key for name, key in mistakes.items() if key in cells}
                if not mistakes:
                    continue
                right = (next(iter(mistakes.values()))[0], 0.0, method, "given")
                keys = (right, *(mistakes.get(name) for name in _USELESS))
                body.append((decoy, method, *(self._gain(cells, key) for key in keys)))
        columns = ("decoy", "method", "right masks", *_USELESS)
        note = "A gain that is there without good masks is not due to knowing where the decoy is."
        return Table("Gain over label-only (se), paired by seed", columns, body, note)

    def _gain(self, cells, key):
        """Write the gain over label-only, or nothing where one of the two was not computed yet."""
        if key not in cells:
            return ""
        plain = cells.get((*key[:2], self.baseline, "-"), [])
        return paired_difference(cells[key], plain, self.measure).as_difference()

    def _published_table(self, rows):
        body = []
        columns = ("decoy", "corruption", "strength", "method")
        for key, own in group(rows, columns).items():
            found = find_published(self.name, dict(zip(columns, key, strict=True)), "accuracy")
            if found is not None:
                ours = mean_of(own, "accuracy")
                body.append((*map(str, key), str(ours), str(found)))
        note = (
            f"{self.source}: MNIST of 28x28 pixels, five seeds; ours: 8x8 pixels. Their HINT "
            "rewards the pixels of the digit, ours all that is not marked: no published figure is "
            "that of our half masks."
        )
        return Table(
            "Accuracy beside the published one", (*columns, "ours", "published"), body, note
        )


# Its only control: those of the masks are the mistakes themselves.
_AGAINST_LABEL_ONLY = "The best method at each mistake, against label-only"

_STRENGTHS = {
    "flipped": (0.05, 0.1, 0.2, 0.35, 0.5),
    "partial": (0.25, 0.5, 0.75),
    "grown": (1.0, 2.0, 3.0, 7.0),
    "of other rows": (0.1, 0.25, 0.5, 1.0),
    "misplaced": (0.1, 0.25, 0.5, 1.0),
}
_QUICK = {"flipped": (0.5,), "misplaced": (1.0,)}
_AXES = {
    "flipped": "share of pixels flipped",
    "partial": "share of the marks dropped",
    "grown": "pixels grown by",
    "of other rows": "share of rows",
    "misplaced": "share of rows misplaced",
}


def _order(row):
    return row["decoy"] != "half", list(_AXES).index(row["corruption"]), row["strength"]
