"""Toy colours: how many rows must be annotated for the rule to flip."""

import numpy as np

from skexplain.studies import Cell
from skexplain.studies.tools import add_legend, draw_curves, group, new_figure

from .._study import Study
from ._toy_color_data import describe_fit, draw_colors, fit_and_look
from ._toy_color_tables import as_curves, draw_published_shares, looks_table, transition_table

_STRENGTH = 1e3
# Those below 5000 are numbers of theirs.
_COUNTS = (1, 11, 29, 51, 75, 91, 132, 193, 232, 281, 339, 494, 596, 868, 1264, 5000)
_FEW = (1, 11, 29, 91, 281, 868, 5000)


def _as_one_sum(n_annotated, settings):
    """Weigh annotated rows as in one sum with the label loss, over all batches of an epoch."""
    return {"alpha": _STRENGTH * n_annotated / settings["rows"]}


def _in_every_batch(n_annotated, settings):
    """Add the annotated rows, at most a batch of them, to the sum of each batch."""
    batch_size = settings["params"]["batch_size"]
    n_added = min(n_annotated, batch_size)
    return {"alpha": _STRENGTH * n_added / batch_size, "annotated_per_batch": n_added}


def _as_a_mean(n_annotated, settings):
    """Take a mean over annotated rows: what this package does unless told otherwise."""
    return {"alpha": _STRENGTH}


_WEIGHTINGS = {
    "as one sum": _as_one_sum,
    "in every batch": _in_every_batch,
    "as a mean": _as_a_mean,
}


class ToyAnnotations(Study):
    """The first rows alone have a mask on the corners, lambda is 1000.

    "As one sum" gives masks the weight that they have in the published loss in the mean over
    batches: few annotated rows weigh little.  (Theirs come in the first batches of each epoch, ours
    are spread over all steps.)  "In every batch" adds all of them, or as many as a batch has rows,
    to each batch, which is how they oversample (without counting the labels of these rows again).
    "As a mean", the default here, gives the penalty the same weight however few rows have a mask.
    """

    name = "ross-toy-annotations"
    title = "Toy colours, how many rows must be annotated"
    source = "Ross et al. 2017, toy colours: a transition with tens of annotations"
    defaults = "stored"

    def cells(self, scale):
        """List the plain network, then numbers of masks by weighting."""
        quick = scale == "quick"
        few = (11, 281, 1000) if quick else _FEW
        counts = {"as one sum": few if quick else _COUNTS, "in every batch": few, "as a mean": few}
        kinds = ("given",) if quick else ("given", "shuffled")
        cells = []
        for seed in range(1 if quick else 5):
            cells.append(_cell(scale, "-", 0, "-", seed))
            for masks in kinds:
                for weighting in _WEIGHTINGS:
                    for n in counts[weighting] if masks == "given" else few:
                        cells.append(_cell(scale, weighting, n, masks, seed))
        return cells

    def run(self, factors, settings):
        """Hide all masks but the first."""
        colors = draw_colors(settings, factors["seed"])
        mask = colors.masks["corners"].astype(np.float32).repeat(settings["rows"], axis=0)
        mask[factors["annotated"] :] = np.nan
        return [fit_and_look(colors, mask, factors, settings)]

    def tables(self, rows):
        """Shares by number of masks, and where the rule flips."""
        note = "Published shares are of one model each."
        return [
            looks_table(self, rows, ("weighting", "masks", "annotated"), note),
            transition_table(self, rows, "annotated", ["weighting", "masks"]),
        ]

    def pictures(self, rows):
        """A panel of shares per weighting, and one of accuracies."""
        shown = [row for row in rows if row["masks"] != "-"]
        panels = group(shown, ["weighting"])
        figure, axes = new_figure(2, 2, (4.6, 3.1))
        for ax, ((weighting,), own) in zip(axes.flat, panels.items(), strict=False):
            draw_curves(ax, as_curves(own), "annotated", "share", by="rule")
            ax.set_title(f"annotated rows count {weighting}")
            ax.set_ylabel("share of the largest gradients")
        draw_published_shares(axes[0, 0], self, "annotated")
        add_legend(figure, axes)
        last = axes[1, 1]
        given = [row for row in shown if row["masks"] == "given"]
        draw_curves(last, given, "annotated", "accuracy", by="weighting")
        last.set_title("accuracy")
        last.set_ylabel("test accuracy")
        last.legend(fontsize=8)
        for ax in axes.flat:
            ax.set_xlabel("annotated rows")
            ax.set_xscale("log")
        return {self.name: figure}


def _cell(scale, weighting, n_annotated, masks, seed):
    factors = {"weighting": weighting, "masks": masks, "annotated": n_annotated, "seed": seed}
    if masks == "-":
        return Cell(factors, describe_fit(scale, 0.0))
    weights = _WEIGHTINGS[weighting](n_annotated, describe_fit(scale, _STRENGTH))
    strength = weights.pop("alpha")
    return Cell(factors, describe_fit(scale, strength, **weights))
