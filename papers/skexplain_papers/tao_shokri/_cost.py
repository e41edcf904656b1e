"""How a budget is best split between labels and masks."""

from dataclasses import replace

import numpy as np

from skexplain.studies import Table
from skexplain.studies.tools import (
    add_legend,
    draw_curves,
    gains_table,
    group,
    mean_of,
    new_figure,
    paired_difference,
    verdict_table,
)

from .._study import TrialStudy
from ._shapes import shapes_task, variant

#: What a label costs, and a mask, in cents.
LABEL_CENTS, MASK_CENTS = 1.2, 3.6
#: Shares of the labelled rows that are masked, too.
_SHARES = (1.0, 0.5, 0.1)

_LABELS_ALONE = ("label-only", "shift")
_SWAP = {**variant("swap"), "controls": ("shuffled", "reweighted")}
_TWO_STAGE = {**variant("two-stage"), "controls": ("off",)}


class Cost(TrialStudy):
    """Labels alone, or fewer labels of which all, half or a tenth have masks, at equal cost."""

    name = "tao-cost"
    title = "Accuracy that a budget buys, by its split between labels and masks"
    source = "Tao & Shokri, costs of annotation"
    defaults = "stored"
    methods = {
        "label-only": variant("label-only"),
        "shift": variant("shift"),  # labels alone, and an augmentation that costs nothing
        "swap": _SWAP,
        "two-stage": _TWO_STAGE,
    }
    panels = ("dataset", "training", "test")
    x = "dollars"

    def trials(self, scale):
        """The small budgets first."""
        if scale == "quick":
            for dollars in (0.5, 1.0):
                params = {"max_epochs": 15}
                yield from self._trials("triangle", "spurious", dollars, (1.0,), 1, params)
            return
        for training in ("1:1", "spurious"):
            for dollars in (0.5, 1.0, 2.0, 5.0, 10.0):
                yield from self._trials("fox-vs-cat", training, dollars, _SHARES, 3, {})

    def _trials(self, dataset, training, dollars, shares, n_seeds, params):
        """Split one budget in all ways."""
        for share in (0.0, *shares):
            n_labels, n_masks = split_budget(dollars, share)
            factors = {"dataset": dataset, "training": training, "dollars": dollars}
            factors |= {"share": share, "labels": n_labels, "masks_bought": n_masks}
            for name in ("swap", "two-stage") if share else _LABELS_ALONE:
                own = {"max_epochs": _n_epochs(n_labels), **params}
                if name == "two-stage" and training == "spurious":
                    own["mapping_lr"] = 0.01  # as the paper says
                yield factors, [name], range(n_seeds), {"params": own}

    def cells(self, scale):
        """List the cells; where all rows have masks, to count these again changes nothing."""
        return [
            cell
            for cell in super().cells(scale)
            if cell.factors["masks"] != "reweighted" or cell.factors["share"] < 1
        ]

    def task(self, factors, settings):
        """Hide the masks that were not bought."""
        spurious = "row" if factors["training"] == "spurious" else None
        task = shapes_task(
            factors["dataset"], factors["labels"], "1:1", factors["seed"], spurious=spurious
        )
        mask = task.mask.astype(np.float32)
        mask[factors["masks_bought"] :] = np.nan
        tests = {name: task.tests[name] for name in ("clean", "transfer")}
        return replace(task, mask=mask, tests=tests)

    def tables(self, rows):
        """The best split of each budget; then all splits beside their controls."""
        named = _named(rows)
        return [
            self._best_table(named),
            gains_table(self, named, self._factors, self.measure, self.baseline),
            verdict_table(named, self._factors, self.measure),
        ]

    def _best_table(self, rows):
        """What the best split of each budget gains over labels alone."""
        columns = (*self._factors, *_LABELS_ALONE, "best split", "labels + masks", self.measure)
        columns += ("gain over label-only", "gain over the better of both")
        note = (
            f"A label costs {LABEL_CENTS} cents, a mask {MASK_CENTS}. For the gains, the split of "
            "each seed is the one that is best on the other seeds: which it will be is not known."
        )
        body = [
            (*map(str, panel), *self._best_line(own))
            for panel, own in group(_without_controls(rows), self._factors).items()
            if any(row["masks_bought"] for row in own)  # else none has been computed yet
        ]
        return Table("Which split of a budget is best", columns, body, note)

    def _best_line(self, rows):
        splits = {name: own for (name,), own in group(rows, ["method"]).items()}
        alone = {name: splits.pop(name, []) for name in _LABELS_ALONE}
        best = _best(splits, self.measure)
        chosen = choose_by_other_seeds(splits, self.measure)
        references = (self.baseline, _best(alone, self.measure))
        gains = [paired_difference(chosen, alone[name], self.measure) for name in references]
        bought = splits[best][0]
        return (
            *(str(mean_of(own, self.measure)) for own in alone.values()),
            best,
            f"{bought['labels']} + {bought['masks_bought']}",
            str(mean_of(splits[best], self.measure)),
            *(gain.as_difference() for gain in gains),
        )

    def pictures(self, rows):
        """Accuracy against dollars: a panel per training set and test set."""
        panels = group(_named(_without_controls(rows)), self.panels)
        n_rows = len({row["training"] for row in rows})
        figure, axes = new_figure(n_rows, len(panels) // n_rows, (4.6, 3.5))
        for ax, ((dataset, training, test), own) in zip(axes.flat, panels.items(), strict=True):
            draw_curves(ax, own, self.x, self.measure)
            ticks = sorted({row["dollars"] for row in own})
            ax.set_xscale("log")
            ax.set_xticks(ticks, [f"{dollars:g}" for dollars in ticks])
            ax.minorticks_off()
            ax.set_xlabel("budget in dollars")
            ax.set_ylabel("test accuracy")
            ax.set_title(f"{dataset}, {_TRAINED[training]}, {test} test set", fontsize=10)
        add_legend(figure, axes)
        return {self.name: figure}


_TRAINED = {"1:1": "no square", "spurious": "spurious square"}


def split_budget(dollars, share):
    """Tell what a budget buys.

    Parameters
    ----------
    dollars : float
    share : float
        Of the labelled rows, how many get a mask.

    Returns
    -------
    n_labels, n_masks : int
    """
    cents = 100 * dollars
    n_labels = int(cents / (LABEL_CENTS + share * MASK_CENTS) + 1e-9)
    return n_labels, int(share * n_labels + 1e-9)


def choose_by_other_seeds(splits, measure):
    """Take, for each seed, the row of the split that is best on all other seeds.

    Parameters
    ----------
    splits : dict of str to list of dict
        Rows with seed and measure.
    measure : str

    Returns
    -------
    list of dict
        A row per seed; with a single seed, that of the best split.
    """
    chosen = []
    for seed in dict.fromkeys(row["seed"] for rows in splits.values() for row in rows):
        others = {
            name: [row for row in rows if row["seed"] != seed] or rows
            for name, rows in splits.items()
        }
        best = _best(others, measure)
        chosen += [row for row in splits[best] if row["seed"] == seed]
    return chosen


def _best(splits, measure):
    """Return the name of the highest mean; what has no rows yet comes last."""
    return max(splits, key=lambda name: np.nan_to_num(mean_of(splits[name], measure).mean))


def _without_controls(rows):
    return [row for row in rows if row["masks"] in ("-", "given")]


def _named(rows):
    """Call a method by the share of rows that have masks, too."""
    return [
        {**row, "method": f"{row['method']}, {row['share']:.0%} masked"} if row["share"] else row
        for row in rows
    ]


def _n_epochs(n_rows):
    """Return as many epochs as make some 200 steps, 20 at least."""
    n_batches = -(-n_rows // 64)
    return max(20, 200 // n_batches)
