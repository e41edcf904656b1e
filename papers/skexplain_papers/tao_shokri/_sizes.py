"""Accuracy by training size: Tables 1, 2, 4 and 5 of Tao & Shokri, and the agreement of models."""

from ._claims import fewer_rows_table, spread_table
from ._shapes import EARLY, METHODS, tuned, variant
from ._shapes_study import ShapesStudy

#: What the paper gives beyond its main sizes, for label-only and two-stage.
_EXTRA_SIZES = {"triangle": (200, 500), "fox-vs-cat": (300, 1500)}


class Sizes(ShapesStudy):
    """Balanced training sets of 10 to 1500 rows, values of the paper beside tuned ones."""

    name = "tao-sizes"
    title = "How many rows shapes need, with and without masks"
    source = "Tao & Shokri, Tables 1, 2, 4 and 5"
    defaults = "stored"
    methods = {
        **METHODS,
        "label-only-early": variant("label-only", **EARLY),
        "two-stage-early": variant("two-stage", **EARLY),
        "label-only-tuned": tuned("label-only", "accuracy"),
        "grad-reg-tuned": tuned("grad-reg", "accuracy", controls=()),
        "two-stage-tuned": tuned("two-stage", "accuracy", controls=("off",)),
        "swap-tuned": tuned("swap", "accuracy", controls=()),
    }
    tuned = ("label-only-tuned", "grad-reg-tuned", "two-stage-tuned", "swap-tuned")
    tuned_on = ("triangle",)
    early = ("label-only-early", "two-stage-early")
    claimed = ("label-only", "two-stage")

    def trials(self, scale):
        """Values of the paper at all sizes; label-only and two-stage at more of them."""
        yield from super().trials(scale)
        if scale == "paper":
            for dataset, sizes in _EXTRA_SIZES.items():
                for size in sizes:
                    yield self.trial(dataset, size, ["label-only", "two-stage"])

    def tables(self, rows):
        """Methods and controls; spread; rows that two-stage saves; agreement."""
        return [*super().tables(rows), spread_table(self, rows), fewer_rows_table(self, rows)]
