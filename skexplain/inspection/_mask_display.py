"""Pictures of masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._text import drawable
from .._typing import MaskLike
from ._checks import Marks
from ._drawing import (
    ORANGE,
    ShownRows,
    draw_image,
    draw_outline,
    draw_title,
    panel_axes,
    shown_rows,
)
from ._words import draw_words, height_of, word_values

if TYPE_CHECKING:
    from typing_extensions import Self

_UNKNOWN = "0.75"
_TEXT_WIDTH = 6.0  # inches


class MaskDisplay:
    """Masks drawn on their samples: images, columns of a table, or the words of texts.

    Make one with :meth:`from_mask`.  What must not matter is orange, the more the higher its
    degree, and outlined in an image; unknown entries are grey.

    Parameters
    ----------
    shown : object
        Samples and masks to draw, as :meth:`from_mask` picks them.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Set by :meth:`plot`.
    axes_ : ndarray of matplotlib Axes of shape (n_panels,)
        A panel per image or text; one for a table.

    See Also
    --------
    SaliencyDisplay : Saliency of a model.

    Examples
    --------
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import MaskDisplay
    >>> digits = make_decoy_digits("half", random_state=0)
    >>> display = MaskDisplay.from_mask(digits.data, digits.mask, rows=[0, 5, 7])
    >>> display.axes_.shape
    (3,)
    """

    def __init__(self, shown: ShownRows) -> None:
        self.shown = shown

    @classmethod
    def from_mask(
        cls,
        X: ArrayLike,
        mask: MaskLike | None,
        *,
        mask_marks: Marks = "irrelevant",
        rows: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        documents: Iterable[str] | None = None,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw masks on samples of X.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Samples, or a DataFrame.
        mask : array-like, list of (array-like or None), DataFrame or None
            Marks as in ``fit``.
        mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
            What a mark of 1 says.
        rows : int or array-like of int, default=None
            Samples to draw; None: the first four.
        feature_names : list of str of length d, default=None
            Names of the columns; None: those of a DataFrame.
        documents : list of str of length n, default=None
            Texts, drawn in place of the columns, whose names are their words.
        name : str, default=None
            Title of the figure.
        ax : matplotlib Axes, array of Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on as by :meth:`plot`.

        Returns
        -------
        MaskDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        ValueError
            If an argument does not fit X.
        """
        shown = shown_rows(X, mask, mask_marks, rows, feature_names, documents)
        return cls(shown).plot(ax=ax, name=name, **kwargs)

    def plot(self, *, ax: Any = None, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the masks.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the figure.
        **kwargs : dict
            Passed to the method of matplotlib's Axes that draws the marks: ``imshow`` for images
            and tables, ``text`` for texts.

        Returns
        -------
        MaskDisplay
            The display itself.
        """
        draw = {"image": self._plot_image, "table": self._plot_table, "text": self._plot_text}
        draw[self.shown.kind](ax, kwargs)
        draw_title(self.figure_, name)
        return self

    def _plot_image(self, ax: Any, kwargs: dict[str, Any]) -> None:
        shown = self.shown
        self.figure_, axes = panel_axes(ax, 1, len(shown.index), (2.0, 2.2))
        self.axes_ = axes[0]
        for row, panel in enumerate(self.axes_):
            draw_image(panel, shown.values[row], shown.limits)
            panel.set_title(self._title(row), fontsize=9)
            degrees = shown.flat_irrelevance(row)
            if degrees is None:
                continue
            panel.imshow(_tint(degrees), **{"interpolation": "nearest", **kwargs})
            draw_outline(panel, np.nan_to_num(degrees) > 0)

    def _plot_table(self, ax: Any, kwargs: dict[str, Any]) -> None:
        shown, names = self.shown, self.shown.names()
        size = (max(3.0, 0.45 * len(names) + 1.5), max(1.8, 0.35 * len(shown.index) + 1.4))
        self.figure_, axes = panel_axes(ax, 1, 1, size)
        self.axes_ = axes[0]
        (panel,) = self.axes_
        degrees = [shown.flat_irrelevance(row) for row in range(len(shown.index))]
        nothing = np.full(len(names), np.nan)
        panel.imshow(
            _tint(np.array([nothing if d is None else d for d in degrees]), clear=0.0),
            **{"aspect": "auto", "interpolation": "nearest", **kwargs},
        )
        labels = list(map(drawable, names))
        panel.set_xticks(range(len(names)), labels, rotation=45, ha="right", fontsize=8)
        labels = [f"sample {row}" for row in shown.index]
        panel.set_yticks(range(len(shown.index)), labels, fontsize=8)
        panel.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
        panel.set_yticks(np.arange(len(shown.index) + 1) - 0.5, minor=True)
        panel.grid(which="minor", color="0.85")
        panel.tick_params(which="minor", length=0)
        panel.set_title("orange: must not matter", fontsize=9)

    def _plot_text(self, ax: Any, kwargs: dict[str, Any]) -> None:
        shown, names = self.shown, self.shown.names()
        documents = shown.documents or []
        height = max(height_of(text, _TEXT_WIDTH) for text in documents)
        self.figure_, axes = panel_axes(ax, len(shown.index), 1, (_TEXT_WIDTH, height + 0.4))
        self.axes_ = axes[:, 0]
        for row, panel in enumerate(self.axes_):
            panel.set_title(self._title(row), fontsize=9, loc="left")
        self.figure_.draw_without_rendering()  # the final width of the panels
        for row, panel in enumerate(self.axes_):
            degrees = shown.flat_irrelevance(row)
            degrees = np.full(len(names), np.nan) if degrees is None else degrees
            pieces, found = word_values(documents[row], names, degrees)
            draw_words(panel, pieces, [_word_color(degree) for degree in found], **kwargs)

    def _title(self, row: int) -> str:
        degrees = self.shown.flat_irrelevance(row)
        unknown = degrees is None or np.isnan(degrees).all()
        return f"sample {self.shown.index[row]}" + (", not annotated" if unknown else "")


def _tint(degrees: np.ndarray, clear: float | None = None) -> np.ndarray:
    """Return degrees as colours: orange by degree, grey where unknown, else clear or white."""
    from matplotlib.colors import to_rgb

    colors = np.zeros((*degrees.shape, 4))
    colors[..., :3] = to_rgb(ORANGE)
    strength = 0.55 if clear is None else 1.0
    colors[..., 3] = strength * np.nan_to_num(degrees)
    unknown = np.isnan(degrees)
    if not unknown.all() or clear is not None:
        colors[unknown] = (*to_rgb(_UNKNOWN), strength)
    return colors


def _word_color(degree: float) -> tuple[float, ...] | None:
    if np.isnan(degree) or degree == 0:
        return None
    from matplotlib.colors import to_rgb

    return tuple(1 - degree * (1 - np.array(to_rgb(ORANGE))))
