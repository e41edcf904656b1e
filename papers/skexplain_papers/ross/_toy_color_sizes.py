"""Toy colours: how much less data is needed where masks say which rule to learn."""

import math

from skexplain.datasets import make_toy_colors
from skexplain.studies import Table
from skexplain.studies.tools import COLORS, add_legend, draw_curves, group, new_figure

from .._published import find_published
from .._study import TrialStudy
from ._settings import ross_settings
from ._toy_color_data import SHAPE, as_task
from ._toy_color_tables import crossings, describe_spread, draw_published

# Pixels that are penalised, and their number of columns.
_PENALISED = {
    "pro-rule 1": ("all_but_corners", 63),
    "pro-rule 2": ("all_but_top_middle", 66),
    "anti-rule 1": ("corners", 12),
    "anti-rule 2": ("top_middle", 9),
}
_BASELINE = "normal"
_STRENGTH = 1e4
_L2 = 1e-4
_LEVELS = (0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
_ROWS = (10, 24, 47, 92, 181, 353, 689, 1345, 2626, 5124, 10_000)
# As many updates whatever the size, but for the smallest sets, where theirs have up to 32000
# epochs of one update each.
_MAX_EPOCHS = 4000


def _penalty(n_columns):
    """Lambda where the penalty is a mean over all marked entries of a batch.

    Ours is a sum over those of a row, so that lambda is divided by their number.
    """
    return {"alpha": _STRENGTH / n_columns}


class ToySizes(TrialStudy):
    """Less data where masks leave one rule (pro-rule) or forbid one (anti-rule).

    Rule 1 is that of the corners, rule 2 that of the top middle; both hold in the test set.  Label
    loss and penalty are means ("normalize=True" in their code).  Sets of fewer than 80 rows get
    4000 epochs, where they trained for up to 32000; "everything" penalises all pixels.
    """

    name = "ross-toy-sizes"
    title = "Toy colours, less data"
    source = "Ross et al. 2017, toy colours: learning with less data"
    defaults = "stored"
    methods = {
        _BASELINE: {"estimator": "ERMClassifier", "without_masks": True},
        **{
            method: {
                "estimator": "GradRegClassifier",
                "params": _penalty(n_columns),
                "controls": ("shuffled",),
            }
            for method, (_, n_columns) in _PENALISED.items()
        },
        "everything": {
            "estimator": "GradRegClassifier",
            "params": _penalty(SHAPE[0]),
            "without_masks": True,
        },
    }
    panels = ()
    baseline = _BASELINE
    x = "rows"

    def trials(self, scale):
        """One size at a time, the middle ones first."""
        quick = scale == "quick"
        # The learning rate is theirs in "paper" only: fewer updates need larger ones.
        n_visits, params = (40_000, {"batch_size": 64, "lr": 5e-3}) if quick else (320_000, {})
        for n_rows in (181, 689) if quick else sorted(_ROWS, key=_distance_to_the_middle):
            network = ross_settings(
                *SHAPE,
                n_rows,
                max_epochs=min(n_visits // n_rows, _MAX_EPOCHS),
                optimizer__weight_decay=2 * _L2,  # as their label loss: not a sum over a batch
                **params,
            )
            settings = {**network, "pool": _ROWS[-1], "test_rows": 2000 if quick else 20_000}
            yield {"rows": n_rows}, list(self.methods), range(1 if quick else 4), settings

    def task(self, factors, settings):
        """Take the first rows of a pool: a larger set holds the smaller ones."""
        irrelevant, _ = _PENALISED.get(factors["method"], ("corners", None))
        colors = make_toy_colors(
            settings["pool"],
            settings["test_rows"],
            irrelevant=irrelevant,
            images=True,
            random_state=factors["seed"],
        )
        n_rows = factors["rows"]
        colors.data, colors.target = colors.data[:n_rows], colors.target[:n_rows]
        return as_task(colors, colors.mask)

    def tables(self, rows):
        """How much less data first, then accuracies beside controls."""
        rows = sorted(rows, key=lambda row: row["rows"])
        return [self._factors_of_data(rows), *super().tables(rows)]

    def pictures(self, rows):
        """A panel per mask: accuracy over the rows, with plain training and controls."""
        figure, axes = new_figure(2, 2, (4.4, 3.0))
        for ax, (method, (penalised, _)) in zip(axes.flat, _PENALISED.items(), strict=True):
            # Each in its place, so that a colour means the same in all panels.
            words = {_BASELINE: "plain", "everything": "all pixels penalised", method: "mask"}
            own = [
                {**row, "method": words[name]}
                for name in words
                for row in rows
                if row["method"] == name
            ]
            draw_curves(ax, own, "rows", "accuracy")
            for name, words, color in (
                (_BASELINE, "plain", COLORS[0]),
                (method, "mask", COLORS[2]),
            ):
                label = f"{words}, published"
                draw_published(ax, self, "rows", "accuracy", label, color, method=name)
            ax.set_title(f"{method}: {penalised.replace('_', ' ')} penalised", fontsize=9)
            ax.set_xlabel("training rows")
            ax.set_xscale("log")
        add_legend(figure, axes)
        return {self.name: figure}

    def _factors_of_data(self, rows):
        """Rows that plain training needs for an accuracy, over those that a method needs."""
        body = []
        curves = group(rows, ["method", "masks"])
        for (method, masks), own in curves.items():
            if method == _BASELINE:
                continue
            cells = []
            for level in _LEVELS:
                # What reaches it with the smallest set might need still fewer rows.
                needed, plain = (
                    crossings(curve, "rows", "accuracy", level, from_start=math.nan)
                    for curve in (own, curves[_BASELINE, "-"])
                )
                ratios = [plain.get(seed, math.nan) / value for seed, value in needed.items()]
                keys = {"method": method, "level": level}
                found = find_published(self.name, keys, "data_factor") if masks == "given" else None
                published = "" if found is None else f"; published {found.value:.3g}"
                cells.append(describe_spread(ratios) + published)
            body.append((method, masks, *cells))
        columns = ("method", "masks", *(f"accuracy {level}" for level in _LEVELS))
        note = (
            "Rows that plain training needs for an accuracy, over those that the method needs: "
            "median (lowest to highest), and in how many seeds both come to it, but not with the "
            "smallest set already; interpolated."
        )
        return Table(f"{self.title}: by which factor", columns, body, note)


def _distance_to_the_middle(n_rows):
    return abs(math.log(n_rows / 689))
