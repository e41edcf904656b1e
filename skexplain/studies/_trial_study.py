"""Template of the studies that hold methods against each other and against their controls."""

from collections.abc import Sequence
from typing import Any

from ._gains import gains_table, verdict_table
from ._pictures import draw_measure
from ._study import Cell, Study
from ._trial import run_trial


class TrialStudy(Study):
    """Template: methods, their controls, data sets of several kinds, paired over seeds.

    A subclass sets the attributes, lists what to compute in `trials`, and makes the data in `task`.

    Attributes
    ----------
    methods : dict of str to dict
        Descriptions of methods, by entries:

        - ``estimator``: name of a class of the package, or a class or an instance of one's own,
          ``params``: its parameters, ``module``: its network (default: "auto");
        - ``grid``, ``scoring``: candidates, and how they are compared on the training rows,
          "accuracy" (balanced), "swapped" or "worst-of-clean-and-swapped";
        - ``controls``: which of "off", "shuffled", "everywhere", "reweighted" and "empty" are run
          beside it, ``off``: parameters that switch its mask term off;
        - ``without_masks``: True for methods that take none, which all others are held against;
        - ``ceiling``: True to run it on rows without the shortcut, too.
    panels : tuple of str
        Factors that distinguish comparisons, such as ("dataset", "test").
    measure : str
        What tables and pictures show.
    baseline : str
        The label-only method.
    x : str or None
        A further factor, along the horizontal axis of the pictures; None: methods in rows.
    keep_predictions : bool
        Whether the predictions of each test set are stored, so that models can be compared.
    """

    methods: dict
    panels: tuple
    measure = "accuracy"
    baseline = "label-only"
    x = None
    keep_predictions = False

    def trials(self, scale: str) -> Any:
        """List the settings of the experiment.

        Parameters
        ----------
        scale : {"quick", "paper"}

        Yields
        ------
        factors : dict
            Such as data set and size; without method, masks and seed.
        names : list of str
            Methods.
        seeds : iterable of int
        settings : dict
            Entries that replace or extend those of each method: ``params`` and ``grid`` are merged.
        """
        raise NotImplementedError

    def task(self, factors: Any, settings: Any) -> Any:
        """Make the data of a cell.

        Parameters
        ----------
        factors, settings : dict
            Of the cell.

        Returns
        -------
        Task
        """
        raise NotImplementedError

    def cells(self, scale: str) -> list[Any]:
        """List the cells, the first seed of all of them first."""
        cells = [
            (seed, Cell({**factors, "method": name, "masks": masks, "seed": seed}, description))
            for factors, names, seeds, settings in self.trials(scale)
            for name in names
            for description in [self._describe(name, settings)]
            for masks in self._kinds_of_masks(name)
            for seed in seeds
        ]
        return [cell for _, cell in sorted(cells, key=lambda pair: pair[0])]

    def _describe(self, name: str, settings: Any) -> dict[Any, Any]:
        method = {k: v for k, v in self.methods[name].items() if k not in _ABOUT_CONTROLS}
        merged = {
            key: {**method.get(key, {}), **settings.get(key, {})} for key in ("params", "grid")
        }
        kept = {"keep_predictions": True} if self.keep_predictions else {}
        return {**method, **settings, **merged, **kept}

    def _kinds_of_masks(self, name: str) -> list[Any]:
        method = self.methods[name]
        kinds = ["-"] if method.get("without_masks") else ["given", *method.get("controls", ())]
        return [*kinds, *(["no shortcut"] if method.get("ceiling") else [])]

    def run(self, factors: Any, settings: Any) -> Any:
        """Fit and score."""
        rows, estimator = run_trial(
            self.task(factors, settings),
            settings,
            factors["masks"],
            factors["seed"],
            keep_predictions=settings.get("keep_predictions", False),
        )
        return rows

    @property
    def _factors(self) -> Any:
        return (*self.panels, self.x) if self.x else self.panels

    def tables(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Methods beside their controls and the published figures; then who beats all controls."""
        return [
            gains_table(self, rows, self._factors, self.measure, self.baseline),
            verdict_table(rows, self._factors, self.measure),
        ]

    def pictures(self, rows: Sequence[dict[str, Any]]) -> dict[Any, Any]:
        """A panel per data set and test set."""
        return {self.name: draw_measure(rows, self.panels, self.measure, self.x)}


_ABOUT_CONTROLS = ("controls", "without_masks", "ceiling")
