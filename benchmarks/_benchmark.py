"""What every benchmark of this folder is made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes
    ----------
    repeats : int
        Turns that count.
    quick : bool
        Only the smallest sizes, to see that a benchmark runs; its figures mean nothing.
    device : str
        Where networks run.
    warm_up : bool
        Whether a turn that does not count goes before.
    """

    repeats: int = 7
    quick: bool = False
    device: str = "cpu"
    warm_up: bool = True


@dataclass(frozen=True)
class Column:
    """A column of a benchmark's table: key of the row, title, format of the value."""

    key: str
    title: str
    form: str = ""

    def cell(self, row):
        """Write the value of a row; nothing where it has none."""
        value = row.get(self.key)
        return "" if value is None else format(value, self.form)


@dataclass(frozen=True)
class Benchmark:
    """A question with a table for an answer.

    Attributes
    ----------
    title, text : str
        What is measured, for the page.
    columns : tuple of Column
    judged : str
        Key of the figure that a goal is set for: at most ``row["goal"]``, where there is one.
    measure : callable
        Yields rows, dicts that JSON can hold, given `Options`.
    """

    title: str
    text: str
    columns: tuple
    judged: str
    measure: Callable[[Options], Iterator[dict]]
