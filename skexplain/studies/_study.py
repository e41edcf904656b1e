"""What a study declares: its cells, how one is computed, and what its rows show."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import __version__
from ._describe import describe

#: "quick" shows in a minute that a study runs, and its direction; "paper" is what a claim rests on.
SCALES = ("quick", "paper")


@dataclass(frozen=True)
class Cell:
    """A unit of work of a study: computed as a whole, stored as a whole.

    Attributes
    ----------
    factors : dict
        What distinguishes its rows from those of other cells: columns with numbers or strings,
        `seed` among them.
    settings : dict
        All else that decides its result, such as epochs and grids: numbers, strings, lists, dicts,
        and estimators, penalties and networks of one's own by class or instance.
    """

    factors: dict
    settings: dict = field(default_factory=dict)

    def key(self, study: Any) -> str:
        """Name the result: another study, declaration or package version gives another key.

        A class of one's own is part of it by its import path and a hash of its source, an object by
        its class and its parameters; what they call in other modules is not.

        Parameters
        ----------
        study : str
            Name of the study.

        Returns
        -------
        str

        Raises
        ------
        TypeError
            If a factor is neither a number nor a string, or a setting is an object whose state
            cannot be described.
        """
        for name, value in self.factors.items():
            if not (value is None or isinstance(value, str | int | float)):
                raise TypeError(f"factors[{name!r}] must be a number or a string, got {value!r}.")
        declaration = [study, __version__, self.factors, describe(self.settings, "settings")]
        text = json.dumps(declaration, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def with_seed(self, seed: int) -> "Cell":
        """Return the cell of another repetition; one that has no seed is the same for all."""
        if "seed" not in self.factors:
            return self
        return replace(self, factors={**self.factors, "seed": seed})


class Study:
    """Template of a study.

    A subclass sets the attributes and says what its cells are, how one is computed and what the
    rows show.  It has no state: cells are computed in other processes.

    Attributes
    ----------
    name : str
        As the command takes it.
    title : str
        One line.
    source : str
        Paper, table or figure that is repeated, or "" for a study of our own.
    defaults : {"package", "stored"}
        What holds for parameters of estimators that its cells do not state: the defaults of the
        package, or those with which the results in ``docs/results/rows`` were computed.
    published : sequence of Published
        Published figures, which its tables show beside its own.
    """

    name: str
    title: str
    source: str = ""
    defaults: str = "package"
    published = ()

    def prepare(self, scale: str) -> None:
        """Check before the first cell that data and optional packages are there.

        Parameters
        ----------
        scale : {"quick", "paper"}

        Raises
        ------
        ImportError, OSError
            If something is missing; the text says how to get it.
        """

    def lacks(self, factors: dict[str, Any]) -> str:
        """Name the data of a cell that are missing, where others can be computed without them.

        Parameters
        ----------
        factors : dict
            Of the cell.

        Returns
        -------
        str
            A file or folder; "" where nothing is missing.  The runner leaves the other cells out,
            with a warning.
        """
        return ""

    def cells(self, scale: str) -> "list[Cell]":
        """List what there is to compute, the most telling first.

        Parameters
        ----------
        scale : {"quick", "paper"}

        Returns
        -------
        list of Cell
        """
        raise NotImplementedError

    def settings_of(self, cell: Any) -> dict[str, Any]:
        """Complete the settings of a cell by what its key does not hold.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        dict
            With an entry ``defaults`` where the results are stored under older defaults.
        """
        if self.defaults == "package":
            return cell.settings
        return {"defaults": self.defaults, **cell.settings}

    def run(self, factors: dict[str, Any], settings: dict[str, Any]) -> list[dict[str, Any]]:
        """Compute a cell.

        Parameters
        ----------
        factors, settings : dict
            Those of the cell, see `settings_of`; all randomness follows from ``factors["seed"]``.

        Returns
        -------
        list of dict
            Rows of measures, and of further factors where there are several rows.  Keys with a
            leading underscore are kept in the store and are no columns.
        """
        raise NotImplementedError

    def tables(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Sum up.

        Parameters
        ----------
        rows : list of dict
            Factors and measures of all cells, in the order of `cells`.

        Returns
        -------
        list of Table
        """
        raise NotImplementedError

    def pictures(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Draw.

        Parameters
        ----------
        rows : list of dict
            As for `tables`.

        Returns
        -------
        dict of str to matplotlib.figure.Figure
            Figures by the name of their file, without ending.
        """
        raise NotImplementedError
