"""Toy colours: how strong the penalty must be for the rule to flip."""

from skexplain.studies import Cell
from skexplain.studies.tools import add_legend, draw_curves, new_figure

from .._study import Study
from ._toy_color_data import describe_fit, draw_colors, fit_and_look
from ._toy_color_tables import as_curves, draw_published_shares, looks_table, transition_table

# Those in the middle are lambdas of theirs.
_STRENGTHS = (0.01, 0.1, 1.15, 4.7, 11.0, 19.0, 26.0, 60.0, 1e3, 1e4, 1e5, 1e6)
_FEW = (0.1, 11.0, 1e3, 1e5)


class ToyStrength(Study):
    """All rows have the mask of the corners; lambda is raised."""

    name = "ross-toy-strength"
    title = "Toy colours, how strong the penalty must be"
    source = "Ross et al. 2017, toy colours: sweep over lambda"
    defaults = "stored"

    def cells(self, scale):
        """List the plain network, then masks and controls, with lambda rising."""
        quick = scale == "quick"
        kinds = {"given": _FEW if quick else _STRENGTHS, "shuffled": _FEW, "everywhere": _FEW}
        if quick:
            kinds.pop("everywhere")
        swept = [("-", 0.0), *((masks, s) for masks, sweep in kinds.items() for s in sweep)]
        return [
            Cell({"strength": s, "masks": masks, "seed": seed}, describe_fit(scale, s))
            for seed in range(1 if quick else 10)
            for masks, s in swept
        ]

    def run(self, factors, settings):
        """Fit with masks on the corners."""
        colors = draw_colors(settings, factors["seed"])
        return [fit_and_look(colors, colors.masks["corners"], factors, settings)]

    def tables(self, rows):
        """Shares by lambda, and where the rule flips."""
        note = "Published shares are of one model each."
        return [
            looks_table(self, rows, ("masks", "strength"), note),
            transition_table(self, rows, "strength", ["masks"]),
        ]

    def pictures(self, rows):
        """Shares, and accuracy, against lambda."""
        figure, (axes,) = new_figure(1, 2, (5.2, 3.4))
        draw_curves(axes[0], as_curves(rows), "strength", "share", by="rule")
        draw_published_shares(axes[0], self, "strength")
        axes[0].set_ylabel("share of the largest gradients")
        both = [{**row, "rule": "mask on corners"} for row in rows if row["masks"] != "-"]
        draw_curves(axes[1], both, "strength", "accuracy", by="rule")
        axes[1].set_ylabel("test accuracy")
        axes[1].legend(fontsize=8)
        for ax in axes:
            ax.set_xlabel("weight of the penalty on the corners")
        add_legend(figure, axes[:1])
        return {self.name: figure}
