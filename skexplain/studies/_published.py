"""Published figures beside those of a study."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """A published figure.

    Attributes
    ----------
    source : str
        Paper and place in it.
    factors : dict
        Columns of a study's rows that it belongs to; values are strings.
    measure : str
    value : float
        The figure.
    spread : float or None
        The standard deviation that was given with it.
    """

    source: str
    factors: dict
    measure: str
    value: float
    spread: float | None

    def __str__(self) -> str:
        return f"{self.value:.3f}" + ("" if self.spread is None else f" ± {self.spread:.3f}")


def find_published(figures: Any, factors: Any, measure: str) -> Any:
    """Return the published figure of a cell of a table, or None.

    Parameters
    ----------
    figures : iterable of Published
        Those of the study.
    factors : dict
        Columns of the cell.  A published figure belongs to it when all of its own factors agree.
    measure : str

    Returns
    -------
    Published or None
    """
    found = [
        figure
        for figure in figures
        if figure.measure == measure
        and all(str(factors.get(name)) == value for name, value in figure.factors.items())
    ]
    return max(found, key=lambda figure: len(figure.factors), default=None)
