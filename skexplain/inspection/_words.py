"""Texts with coloured words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._text import drawable, html_text, printable
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


def token_values(
    document: str, offsets: np.ndarray, values: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Cut a document into its tokens and what stands between, with the value of each token.

    Parameters
    ----------
    document : str
        A text.
    offsets : ndarray of int of shape (n_tokens, 2)
        Where its tokens stand, in order; those of no characters are left out.
    values : ndarray of shape (n_tokens or more,)
        A value per token.

    Returns
    -------
    pieces : list of str
        They join to the document.
    found : ndarray of shape (len(pieces),)
        The value of the token; the sum where several stand at the same place, such as the bytes of
        an emoji; NaN for what is no token.
    """
    pieces: list[str] = []
    found: list[float] = []
    end = 0

    def add_gap(until: int) -> None:
        between = _WORD.findall(document[end:until])
        pieces.extend(between)
        found.extend([np.nan] * len(between))

    for (start, stop), value in zip(offsets.tolist(), values.tolist(), strict=False):
        while start < stop and document[start].isspace():
            start += 1
        if start >= stop:
            continue
        if stop <= end:
            found[-1] = np.nansum([found[-1], value])
            continue
        start = max(start, end)
        add_gap(start)
        pieces.append(document[start:stop])
        found.append(value)
        end = stop
    add_gap(len(document))
    return pieces, np.array(found, dtype=float)


def html_words(pieces: list[str], colors: Sequence[Any], underlined: Any = None) -> str:
    """Return a document as HTML, with the background colours of its pieces.

    Parameters
    ----------
    pieces : list of str
        The text, cut into words and what stands between.
    colors : list of (color or None)
        Background of each piece.
    underlined : sequence of bool or None, default=None
        Pieces to underline.

    Returns
    -------
    str
        Whatever is in the text is escaped.
    """
    from matplotlib.colors import to_hex

    parts = []
    for number, (piece, color) in enumerate(zip(pieces, colors, strict=True)):
        text = piece if piece.isspace() else html_text(piece)
        style = ""
        if color is not None:
            style = f"background: {to_hex(color)}; color: {_readable_on(color)};"
        if underlined is not None and underlined[number]:
            style += f" text-decoration: underline 2px {to_hex(VERMILION)};"
        parts.append(f'<span style="{style.strip()}">{text}</span>' if style else text)
    return "".join(parts)


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
