"""Texts with coloured words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import drawable, printable
from ._drawing import VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORD = re.compile(r"\w+|\W")
_FONT_POINTS = 9
# Width over height of a character of a monospaced font, and lines per font height.
_CHARACTER_WIDTH, _LINE_HEIGHT = 0.602, 1.5


def word_values(
    document: str, names: Sequence[str], values: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Cut a document into pieces, with the value of each that is the name of a column.

    Parameters
    ----------
    document : str
        A text.
    names : list of str
        Words of the columns.
    values : ndarray of shape (d,)
        A value per column.

    Returns
    -------
    pieces : list of str
        They join to the document.
    found : ndarray of shape (len(pieces),)
        The value of the word as it stands, or else in lower case; NaN if it is no column.
    """
    column_of = {name: column for column, name in enumerate(names)}
    pieces = _WORD.findall(document)
    columns = [column_of.get(piece, column_of.get(piece.lower(), -1)) for piece in pieces]
    found = np.array([values[column] if column >= 0 else np.nan for column in columns], dtype=float)
    return pieces, found


def draw_words(
    ax: Axes,
    pieces: list[str],
    colors: Sequence[Any],
    *,
    underlined: Any = None,
    max_lines: int = 12,
    **kwargs: Any,
) -> None:
    """Draw a document whose pieces have background colours, in lines that fill the axes.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    pieces : list of str
        The text, cut into words and what stands between.
    colors : list of (color or None)
        Background of each piece.
    underlined : sequence of bool or None
        Pieces to underline.
    max_lines : int
        A longer text ends in an ellipsis.
    **kwargs : dict
        Passed to ``ax.text``.
    """
    points = 72 * ax.bbox.width / ax.figure.dpi
    width = max(20, int(points / (_FONT_POINTS * _CHARACTER_WIDTH)))
    if underlined is None:
        underlined = [False] * len(pieces)
    placed, lines = _place(pieces, width, max_lines)
    for piece, line, column, text in placed:
        color = None if piece is None else colors[piece]
        box = {"facecolor": color, "edgecolor": "none", "pad": 1.0} if color is not None else None
        ax.text(
            column,
            line,
            drawable(text),
            **{
                "family": "monospace",
                "fontsize": _FONT_POINTS,
                "va": "center",
                "bbox": box,
                "color": _readable_on(color),
                **kwargs,
            },
        )
        if piece is not None and underlined[piece]:
            ends = [column, column + len(text)]
            ax.plot(ends, [line + 0.42] * 2, color=VERMILION, lw=2, solid_capstyle="butt")
    # Lines are as far apart in a panel that has room for more of them.
    height = 72 * ax.bbox.height / ax.figure.dpi
    room = height / (_FONT_POINTS * _LINE_HEIGHT)
    ax.set(xlim=(-1, width), ylim=(max(lines, room) - 0.4, -0.8))
    ax.set_axis_off()


def height_of(document: str, width_inches: float, max_lines: int = 12) -> float:
    """Return the height in inches that a document needs."""
    width = max(20, int(72 * width_inches / (_FONT_POINTS * _CHARACTER_WIDTH)))
    _, lines = _place(_WORD.findall(document), width, max_lines)
    return (lines + 1) * _FONT_POINTS * _LINE_HEIGHT / 72


def _place(
    pieces: list[str], width: int, max_lines: int
) -> tuple[list[tuple[int | None, int, int, str]], int]:
    """Return (piece, line, column, text) of what is drawn, and the number of lines."""
    placed: list[tuple[int | None, int, int, str]] = []
    line = column = 0
    for number, piece in enumerate(pieces):
        if piece == "\n" or (column and column + len(printable(piece)) > width):
            line, column = line + 1, 0
        if line == max_lines:
            placed.append((None, line, 0, "…"))
            break
        if piece.isspace() and not column:
            continue  # no blank at the start of a line
        shown = printable(piece)
        if not piece.isspace():
            # A word longer than a line is cut, so that it stays in the picture.
            placed.append((number, line, column, shown[:width]))
        column += len(shown)
    return placed, line + 1


def _readable_on(color: Any) -> str:
    """Return black or white, whichever stands out from the background (relative luminance)."""
    if color is None:
        return "black"
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
