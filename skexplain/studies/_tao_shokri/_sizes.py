"""Accuracy by training size: Tables 1, 2, 4 and 5 of Tao & Shokri, and the agreement of models."""

from ._claims import fewer_rows_table, spread_table
from ._shapes import GRIDS
from ._shapes_study import QUICK, ShapesStudy

#: What the paper gives beyond its main sizes, for label-only and two-stage.
_EXTRA_SIZES = {"triangle": (200, 500), "fox-vs-cat": (300, 1500)}

_TUNED = ("label-only", "grad-reg", "two-stage", "swap")


class Sizes(ShapesStudy):
    """Balanced training sets of 10 to 1500 rows, values of the paper beside tuned ones."""

    name = "tao-sizes"
    title = "How many rows shapes need, with and without masks"
    source = "Tao & Shokri, Tables 1, 2, 4 and 5"
    panels = ("dataset", "test", "tuning")
    repetitions = {50: 20, 100: 10, 500: 5, 1500: 3}

    def factors(self, dataset, size, tuning="fixed"):
        """Return the factors of a trial, without method, masks and seed."""
        return {**super().factors(dataset, size), "tuning": tuning}

    def trials(self, scale):
        """Values of the paper at all sizes; nine candidates for each method where that is cheap."""
        yield from super().trials(scale)
        if scale == "quick":
            yield from self._tuned_trials("triangle", 10, ["label-only", "two-stage"], 1, QUICK)
            return
        for dataset in _EXTRA_SIZES:
            yield from self._tuned_trials(dataset, 50, _TUNED, 3, {})
        for dataset, sizes in _EXTRA_SIZES.items():
            for size in sizes:
                yield self.trial(dataset, size, ["label-only", "two-stage"])

    def _tuned_trials(self, dataset, size, names, n_seeds, settings):
        for name in names:
            tuned = {**settings, "grid": GRIDS[name]}
            yield self.factors(dataset, size, "grid"), [name], range(n_seeds), tuned

    def cells(self, scale):
        """List the cells; where all is tuned, without shuffled masks."""
        return [
            cell
            for cell in super().cells(scale)
            if (cell.factors["tuning"], cell.factors["masks"]) != ("grid", "shuffled")
        ]

    def tables(self, rows):
        """Methods and controls; spread; rows that two-stage saves; agreement."""
        fixed = [row for row in rows if row["tuning"] == "fixed"]
        claims = [spread_table(self, fixed), fewer_rows_table(self, fixed)]
        return [*super().tables(rows), *claims]

    def pictures(self, rows):
        """Accuracy over training size, at the values of the paper."""
        return super().pictures([row for row in rows if row["tuning"] == "fixed"])
