"""Template of the studies on shapes: accuracy by training size, on a clean and a transfer set."""

from dataclasses import replace

from skexplain.studies.tools import (
    add_legend,
    draw_curves,
    gains_table,
    group,
    new_figure,
    verdict_table,
)

from .._published import find_published
from .._study import TrialStudy
from ._agreement import agreement_table
from ._shapes import METHODS, shapes_task

#: From here on a fit takes long: fewer repetitions and epochs, and no shuffled masks.
LARGE = 200

_EPOCHS = 100
_STEPS_IF_LARGE, _LEAST_EPOCHS, _BATCH = 240, 30, 64
#: Where some methods are tuned, or stop early: fewer rows are too few to hold some out.
MEDIUM = 50
_TUNED_SEEDS = 3
#: The paper's number of repetitions; here at `MEDIUM` rows, of what it claims.
_CLAIMED_SEEDS = 30
_NOTE = (
    f"At paper scale a fit has {_EPOCHS} epochs, from {LARGE} rows on {_STEPS_IF_LARGE} steps, "
    f"{_LEAST_EPOCHS} epochs at least, and no shuffled masks; the last epoch counts, but for the "
    "methods that stop early.  Those that are tuned have nine candidates, three folds of the "
    f"training rows, and {_TUNED_SEEDS} seeds.  All seeds share their test sets, and draw from one "
    "pool of training rows: se tells of the draw and of the initial weights alone."
)

#: Settings of the quick scale.
QUICK = {"params": {"max_epochs": 15}, "n_test": 200}


class ShapesStudy(TrialStudy):
    """Template: methods and controls on triangles, foxes and cats, over training sizes.

    Attributes
    ----------
    sizes : dict of str to tuple of int
        Training sizes of each data set.
    repetitions : dict of int to int
        Number of seeds at training sizes up to this.
    ratio : {"1:1", "1:9"}
        Class 1 to class 0 in training.
    spurious : {"row"} or None
        Whether a square tells the label in training.
    tuned : tuple of str
        Methods that have a grid, which makes a fit costly: at `MEDIUM` rows alone.
    tuned_on : tuple of str
        Data sets on which they are tuned.
    early : tuple of str
        Methods that stop early: from `MEDIUM` rows on, up to `LARGE`.
    claimed : tuple of str
        Methods that have as many repetitions as in the paper at `MEDIUM` rows.
    claimed_beyond_shuffled : tuple of str
        Those of them whose shuffled masks have as many, too.
    left_out : tuple of str
        Further methods that pictures do not show.
    """

    methods = METHODS
    panels = ("dataset", "test")
    x = "size"
    keep_predictions = True
    sizes = {"triangle": (10, 50, 100), "fox-vs-cat": (50, 100, 500, 1000)}
    repetitions = {1500: 3}
    ratio = "1:1"
    spurious = None
    tuned = ()
    tuned_on = ("triangle", "fox-vs-cat")
    early = ()
    claimed = ()
    claimed_beyond_shuffled = ()
    left_out = ()

    def trials(self, scale):
        """One training size at a time, the small ones of either data set first."""
        if scale == "quick":
            for size, n_seeds in ((10, 2), (50, 1)):
                yield self.factors("triangle", size), self.names(size), range(n_seeds), QUICK
            return
        for dataset, sizes in self.sizes.items():
            for size in sizes:
                yield self.trial(dataset, size, self.names(size))
            if self.tuned and dataset in self.tuned_on:
                yield self.factors(dataset, MEDIUM), self.tuned, range(_TUNED_SEEDS), {}
        yield from self._repeated_trials()

    def _repeated_trials(self):
        """Yield what the paper claims, seed by seed, so that a run that ends early is balanced."""
        for seed in range(self._n_seeds(MEDIUM), _CLAIMED_SEEDS) if self.claimed else ():
            for dataset in self.sizes:
                factors, names, _, settings = self.trial(dataset, MEDIUM, self.claimed)
                yield factors, names, [seed], settings

    def names(self, size):
        """Return the methods of a training size, but for those that are tuned."""
        early = self.early if MEDIUM <= size < LARGE else ()
        return [name for name in self.methods if name in early or name not in self._costly]

    @property
    def _costly(self):
        return (*self.tuned, *self.early)

    def trial(self, dataset, size, names):
        """Return the trial of a training size at paper scale."""
        settings = {"params": {"max_epochs": _n_epochs(size)}}
        return self.factors(dataset, size), names, range(self._n_seeds(size)), settings

    def _n_seeds(self, size):
        return next(n for limit, n in self.repetitions.items() if size <= limit)

    def factors(self, dataset, size):
        """Return the factors of a trial, without method, masks and seed."""
        factors = {"dataset": dataset, "size": size, "ratio": self.ratio}
        return {**factors, "spurious": self.spurious} if self.spurious else factors

    def cells(self, scale):
        """List the cells; shuffled masks only where that is cheap."""
        return [cell for cell in super().cells(scale) if not self._is_costly_control(cell.factors)]

    def _is_costly_control(self, factors):
        if factors["masks"] != "shuffled":
            return False
        size, method = factors["size"], factors["method"]
        is_repeated = factors["seed"] >= self._n_seeds(size)
        return size >= LARGE or (is_repeated and method not in self.claimed_beyond_shuffled)

    def task(self, factors, settings):
        """Draw the training set of a seed."""
        return shapes_task(
            factors["dataset"],
            factors["size"],
            factors["ratio"],
            factors["seed"],
            spurious=factors.get("spurious"),
            sparse=settings.get("sparse", False),
            n_test=settings.get("n_test", 1000),
        )

    def tables(self, rows):
        """Methods beside controls and published figures; who beats all controls; agreement."""
        factors = self._factors
        gains = gains_table(self, rows, factors, self.measure, self.baseline)
        return [
            replace(gains, note=f"{gains.note} {_NOTE}"),
            verdict_table(rows, factors, self.measure),
            agreement_table(self, rows, factors),
        ]

    def pictures(self, rows):
        """A panel per data set and test set: methods, two-stage switched off, published."""
        hidden = (*self._costly, *self.left_out)
        rows = [row for row in rows if row["method"] not in hidden]
        shown = [row for row in rows if row["masks"] in ("-", "given") or _is_off(row)]
        panels = group(shown, self.panels)
        n_rows = len({row["dataset"] for row in shown})
        figure, axes = new_figure(n_rows, len(panels) // n_rows, (4.4, 3.3))
        for ax, (panel, own) in zip(axes.flat, panels.items(), strict=True):
            self._draw_panel(ax, dict(zip(self.panels, panel, strict=True)), own)
        add_legend(figure, axes)
        return {self.name: figure}

    def _draw_panel(self, ax, panel, rows):
        draw_curves(ax, _side_by_side(rows), self.x, self.measure)
        sizes = sorted({row["size"] for row in rows})
        for method, line in _PUBLISHED_LINES.items():
            figures = {
                size: find_published(
                    self.name, {**panel, "size": size, "method": method}, self.measure
                )
                for size in sizes
            }
            found = {size: figure.value for size, figure in figures.items() if figure}
            if found:
                label = f"{method}, published"
                ax.plot(list(found), list(found.values()), line, color="0.45", label=label)
        ax.set_xscale("log")
        ax.set_xticks(sizes, map(str, sizes))
        ax.minorticks_off()
        ax.set_xlabel("training rows")
        ax.set_ylabel("test accuracy")
        ax.set_title(f"{panel['dataset']}, {panel['test']} test set", fontsize=10)


#: Figures of the paper that are drawn beside ours.
_PUBLISHED_LINES = {"label-only": ":", "two-stage": "--"}


def _side_by_side(rows):
    """Move the methods apart on a logarithmic axis, so that no bar hides another."""
    names = list(dict.fromkeys(row["method"] for row in rows))
    middle = (len(names) - 1) / 2
    return [
        {**row, "size": row["size"] * 1.025 ** (names.index(row["method"]) - middle)}
        for row in rows
    ]


def _n_epochs(size):
    if size < LARGE:
        return _EPOCHS
    return max(_LEAST_EPOCHS, _STEPS_IF_LARGE // -(-size // _BATCH))


def share_off(rows, method, others):
    """Hold other forms of a method, too, against its control "off", which is the same for all.

    Parameters
    ----------
    rows : list of dict
    method : str
        Whose rows they are.
    others : sequence of str

    Returns
    -------
    list of dict
        All rows, and copies of those of "off" for each of the others.
    """
    off = [row for row in rows if (row["method"], row["masks"]) == (method, "off")]
    return [*rows, *({**row, "method": other} for other in others for row in off)]


def _is_off(row):
    return row["masks"] == "off"
