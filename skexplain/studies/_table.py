"""A table as text, Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table of strings.

    Attributes
    ----------
    title : str
    columns : sequence of str
    rows : list of sequence of str
    note : str
        What a reader must know, below the table.
    """

    title: str
    columns: tuple
    rows: list
    note: str = ""

    def to_text(self) -> str:
        """Write with aligned columns, for a terminal."""
        lines = align([self.columns, *self.rows])
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join(filter(None, [self.title, *lines, self.note]))

    def to_markdown(self) -> str:
        """Write as Markdown."""
        lines = [_markdown_row(self.columns), "|---" * len(self.columns) + "|"]
        lines += map(_markdown_row, self.rows)
        return "\n\n".join(filter(None, [f"**{self.title}**", "\n".join(lines), self.note]))

    def to_html(self) -> str:
        """Write as HTML."""
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.columns)
        body = "\n".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        return (
            f"<h3>{escape(self.title)}</h3>\n<table>\n<thead><tr>{head}</tr></thead>\n"
            f"<tbody>\n{body}\n</tbody>\n</table>\n{note}"
        )


def align(rows: Sequence[Sequence[str]], n_left: int = 1) -> list[str]:
    """Pad cells to the width of their column.

    Parameters
    ----------
    rows : list of sequence of str
    n_left : int, default=1
        Columns that are aligned to the left; the others are to the right.

    Returns
    -------
    list of str
        A line per row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _markdown_row(cells: Any) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
