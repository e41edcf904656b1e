"""The table of nine methods on Decoy MNIST, and what was added to it."""

from skexplain.studies import Task, TestRows
from skexplain.studies.tools import draw_measure, gains_table, group, verdict_table

from .._published import find_published
from .._study import TrialStudy
from ._decoy_mnist_methods import (
    METHODS,
    PUBLISHED_METHODS,
    QUICK_EPOCHS,
    SIZES,
    check_mnist,
    make_data,
    with_schedule,
)


class HeoDecoyMNIST(TrialStudy):
    """Nine published methods and eight others, beside controls and the ceiling.

    The published figures are of the full size.
    """

    name = "heo-decoy-mnist"
    title = "Who is fooled by a decoy on MNIST"
    source = "Heo et al. 2023, table of nine methods"
    defaults = "stored"
    methods = METHODS
    panels = ("dataset", "decoy", "rows")
    measure = "worst_group"
    baseline = "erm"

    def prepare(self, scale):
        """See that MNIST is there."""
        if scale == "paper":
            check_mnist()

    def trials(self, scale):
        """Digits of 8x8 pixels; or MNIST at the published size, then all decoys at a smaller."""
        if scale == "quick":
            factors = {"dataset": "digits", "decoy": "half", "rows": 1198}
            names = ["erm", "reweighted", "grad-reg", "pgd-ex+grad-reg", "swap-ex"]
            params = {"max_epochs": QUICK_EPOCHS, "batch_size": 64}
            yield factors, names, range(2), {"params": params, "module": "auto"}
            return
        added = ("swap-ex", "avg-ex-constant", "counterexample")
        names = [name for name in METHODS if name in (*PUBLISHED_METHODS, *added)]
        yield self._trial("half", "full", names)
        for decoy in ("half", "stripes", "corner"):
            yield self._trial(decoy, "small", list(METHODS))

    def _trial(self, decoy, size, names):
        size = SIZES[size]
        factors = {"dataset": "mnist", "decoy": decoy, "rows": size["rows"]}
        return factors, names, range(3), {"params": {"max_epochs": size["epochs"]}}

    def cells(self, scale):
        """List the cells; shuffled masks where that is cheap, with the decoy of the paper."""
        return [cell for cell in super().cells(scale) if not _is_costly_control(cell.factors)]

    def task(self, factors, settings):
        """Take the first training images; the decoy of a test image is that of a random digit."""
        images = make_data(factors["dataset"], factors["decoy"], factors["seed"])
        rows = slice(factors["rows"])
        return Task(
            images.data[rows],
            images.target[rows],
            images.mask[rows],
            {"decoy lies": TestRows(images.data_test, images.target_test)},
            images.data_random[rows],
        )

    def run(self, factors, settings):
        """Fit and score."""
        return super().run(factors, with_schedule(settings, factors["rows"]))

    def tables(self, rows):
        """The published measure, the mean over groups, and who beats all controls."""
        return [
            gains_table(self, rows, self.panels, "worst_group", self.baseline),
            gains_table(self, rows, self.panels, "mean_group", self.baseline),
            verdict_table(rows, self.panels, "mean_group"),
        ]

    def pictures(self, rows):
        """A panel per decoy and size, for each of the two measures."""
        return {
            f"{self.name}-{measure.replace('_', '-')}": self._draw(rows, measure)
            for measure in ("worst_group", "mean_group")
        }

    def _draw(self, rows, measure):
        """Draw methods beside their controls and, as crosses, the published figures."""
        figure = draw_measure(rows, self.panels, measure, max_columns=2)
        for ax, (panel, own) in zip(figure.axes, group(rows, self.panels).items(), strict=False):
            factors = dict(zip(self.panels, panel, strict=True))
            title = "{}: {}, {} training rows".format(*panel)
            for place, method in enumerate(dict.fromkeys(row["method"] for row in own)):
                found = find_published(self.name, {**factors, "method": method}, measure)
                if found:
                    ax.plot(found.value, place, "x", color="black", zorder=5)
                    title = title.removesuffix(_CROSS) + _CROSS
            ax.set_title(title, fontsize=9)
            ax.set_xlim(0, 1)
        return figure


_CROSS = " (cross: published)"


def _is_costly_control(factors):
    if factors["masks"] != "shuffled":
        return False
    return factors["rows"] > SIZES["small"]["rows"] or factors["decoy"] != "half"
