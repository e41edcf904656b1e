"""Tools of the displays: axes, samples of data as pictures, outlines of masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import as_array, check_option, is_iterable
from .._text import drawable
from .._typing import MaskLike
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ._checks import Marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour-blind safe (Okabe & Ito).
BLUE, ORANGE, VERMILION, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"
# Orange speaks for a class, purple against it.
SIGNED = "PuOr_r"


def require_pyplot() -> Any:
    """Import pyplot, or raise an error that names the extra.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib, which the extra "plot" brings: pip install "skexplain[plot]"'
        ) from error
    return pyplot


def panel_axes(
    ax: Any, n_rows: int, n_columns: int, panel: tuple[float, float]
) -> tuple[Figure, np.ndarray]:
    """Return the figure and an array of axes of the given shape.

    Parameters
    ----------
    ax : matplotlib Axes, array of Axes or None
        Where to draw; None makes a figure.
    n_rows, n_columns : int
        Number of panels.
    panel : (float, float)
        Width and height of a panel in inches.

    Raises
    ------
    ValueError
        If the number of axes is not that of the panels.
    """
    if ax is None:
        size = (panel[0] * n_columns, panel[1] * n_rows)
        return require_pyplot().subplots(
            n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
        )
    axes = np.asarray(ax, dtype=object)
    if axes.size != n_rows * n_columns:
        raise ValueError(
            f"ax must be {n_rows} x {n_columns} axes, one per panel, or None; got {axes.size}."
        )
    axes = axes.reshape(n_rows, n_columns)
    return axes[0, 0].figure, axes


def single_axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return the figure and one axes; None makes a figure of a size in inches."""
    figure, axes = panel_axes(ax, 1, 1, size)
    return figure, axes[0, 0]


@dataclass(frozen=True)
class ShownRows:
    """Samples of X that are drawn, with what is known about their features.

    Attributes
    ----------
    index : ndarray of int of shape (k,)
        Where the samples stand in X.
    values : ndarray of shape (k, ...)
        The samples.
    limits : (float, float)
        Range of X, which is that of a picture's shades.
    irrelevance : float ndarray that broadcasts to `values`, or None
        None without a mask.  NaN where nothing is known.
    feature_names : list of str or None
        Names of the columns of a table.
    documents : list of str or None
        Texts of the samples.
    offsets : list of ndarray of int of shape (n_tokens, 2) or None, default=None
        Where the features of each sample stand in its text, if they are tokens; None: the columns
        are words, by their names.
    """

    index: np.ndarray
    values: np.ndarray
    limits: tuple
    irrelevance: np.ndarray | None
    feature_names: list | None
    documents: list | None
    offsets: list | None = None

    @property
    def kind(self) -> str:
        """Kind of a sample: "image", "table" or "text"."""
        if self.values.ndim > 2:
            return "image"
        return "table" if self.documents is None else "text"

    def flat_irrelevance(self, row: int) -> np.ndarray | None:
        """Irrelevance of a sample, of shape (d,) or (h, w): the largest of an image's channels."""
        if self.irrelevance is None:
            return None
        degrees = self.irrelevance[row if len(self.irrelevance) > 1 else 0]
        return np.fmax.reduce(degrees, axis=0) if degrees.ndim == 3 else degrees

    def names(self) -> list[str]:
        """Names of the columns, made up where X has none."""
        return self.feature_names or [f"x{column}" for column in range(self.values.shape[1])]


def shown_rows(
    X: ArrayLike,
    mask: MaskLike | None = None,
    mask_marks: Marks = "irrelevant",
    rows: ArrayLike | None = None,
    feature_names: Sequence[str] | None = None,
    documents: Iterable[str] | None = None,
) -> ShownRows:
    """Pick samples to draw, and interpret their masks.

    Raises
    ------
    ValueError
        If an argument does not fit X.
    """
    labels = labels_beside(X)
    if feature_names is None:
        feature_names = labels["feature_names"]
    values = as_array("X", X)
    if values.ndim < 2 or values.ndim > 4 or not values.size:
        raise ValueError(
            f"X must hold samples of a table, (n, d), or images, (n, h, w) or (n, channels, h, w); "
            f"got shape {values.shape}."
        )
    index = _check_rows(rows, len(values))
    if feature_names is not None:
        feature_names = [str(name) for name in listed("feature_names", feature_names)]
        check_length("feature_names", feature_names, values.shape[1], "columns of X")
    if documents is not None:
        documents = _check_documents(documents, values, feature_names, index)
    numeric = values.dtype.kind in "buif"
    if values.ndim > 2 and not numeric:
        raise ValueError(f"X must hold numbers to be drawn as images, got {values.dtype}.")
    return ShownRows(
        index,
        values[index],
        _range(values) if numeric else (0.0, 1.0),
        _irrelevance(mask, values.shape, mask_marks, index, feature_names, labels["index"]),
        feature_names,
        documents,
    )


def _check_rows(rows: ArrayLike | None, n_rows: int) -> np.ndarray:
    if rows is None:
        return np.arange(min(4, n_rows))
    index = np.atleast_1d(as_array("rows", rows))
    if index.ndim != 1 or index.dtype.kind not in "iu" or not len(index):
        raise ValueError(f"rows must be numbers of samples of X, at least one; got {rows!r}.")
    if index.min() < -n_rows or index.max() >= n_rows:
        raise ValueError(f"rows must lie in 0 to {n_rows - 1}; got {rows!r}.")
    return index % n_rows


def _check_documents(
    documents: Iterable[str], values: np.ndarray, feature_names: list[str] | None, index: np.ndarray
) -> list[str]:
    documents = list_documents(documents, len(values))
    if feature_names is None or values.ndim != 2:
        raise ValueError(
            "feature_names must give the word of each column of X, (n, n_words), when documents "
            "are drawn."
        )
    return [documents[row] for row in index]


def list_documents(documents: Iterable[str], n_rows: int) -> list[str]:
    """Return the text of each sample as a list, so that no Series is looked up by label."""
    documents = listed("documents", documents)
    check_length("documents", documents, n_rows, "samples of X")
    return documents


def listed(name: str, values: Iterable[Any]) -> list[Any]:
    """Return texts as a list, after checking that they are several."""
    if not is_iterable(values):
        raise TypeError(f"{name} must be a sequence of text, got {values!r}.")
    return list(values)


def check_length(name: str, values: Sized, expected: int, what: str) -> None:
    """Check that there is one entry for each of what is named."""
    if len(values) != expected:
        raise ValueError(
            f"{name} must have one entry for each of the {expected} {what}; got {len(values)}."
        )


def _range(values: np.ndarray) -> tuple[float, float]:
    if values.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (low, high) if low < high else (low, low + 1.0)


def _irrelevance(
    mask: MaskLike | None,
    shape: tuple[int, ...],
    marks: Marks,
    index: np.ndarray,
    feature_names: list[str] | None,
    row_labels: Any,
) -> np.ndarray | None:
    check_option("mask_marks", marks, ("irrelevant", "relevant"))
    masks = interpret_mask(mask, shape, marks=marks, feature_names=feature_names, index=row_labels)
    if masks is None:
        return None
    degrees, known = masks.degrees_of(index)
    degrees = degrees.numpy()
    if known is not None:
        degrees = np.where(known.numpy(), degrees, np.nan)
    unknown = ~masks.annotated[index]
    if unknown.any():
        degrees = np.repeat(degrees, len(index) // len(degrees), axis=0).copy()
        degrees[unknown] = np.nan
    return degrees


def draw_title(figure: Figure, name: str | None) -> None:
    """Write the title over a figure; None: no title."""
    if name is not None:
        figure.suptitle(drawable(name), fontsize=10)


def draw_image(ax: Axes, image: np.ndarray, limits: tuple[float, float]) -> None:
    """Draw a picture of shape (h, w) or (channels, h, w): 3 channels in colour, others in grey."""
    if image.ndim == 3 and len(image) == 3:
        low, high = limits
        picture = (image.transpose(1, 2, 0).astype(float) - low) / (high - low)
        ax.imshow(np.clip(picture, 0, 1))
    else:
        grey = image if image.ndim == 2 else image.mean(axis=0)
        ax.imshow(grey, cmap="gray", vmin=limits[0], vmax=limits[1])
    without_ticks(ax)


def without_ticks(ax: Axes) -> None:
    """Remove the ticks of a picture."""
    ax.set(xticks=[], yticks=[])


def draw_outline(ax: Axes, marked: ArrayLike, color: str = VERMILION) -> None:
    """Draw the border of the marked pixels, between the pixels; white below, to show on black."""
    from matplotlib.collections import LineCollection

    segments = list(border_segments(marked))
    for line, width in (("white", 3.0), (color, 1.5)):
        ax.add_collection(
            LineCollection(segments, colors=line, linewidths=width, capstyle="projecting")
        )


def border_segments(marked: ArrayLike) -> np.ndarray:
    """Return the edges between marked pixels and others, shape (k, 2, 2), as (x, y) of the ends.

    Pixel (i, j) is centred at x = j, y = i, as in ``imshow``.
    """
    inside = np.pad(np.asarray(marked, dtype=bool), 1)
    rows, columns = np.nonzero(inside[1:, 1:-1] != inside[:-1, 1:-1])
    horizontal = _segments(columns - 0.5, rows - 0.5, 1, 0)
    rows, columns = np.nonzero(inside[1:-1, 1:] != inside[1:-1, :-1])
    vertical = _segments(columns - 0.5, rows - 0.5, 0, 1)
    return np.concatenate([horizontal, vertical])


def _segments(x: np.ndarray, y: np.ndarray, right: int, down: int) -> np.ndarray:
    starts = np.stack([x, y], axis=1)
    return np.stack([starts, starts + [right, down]], axis=1)


def signed_limits(values: np.ndarray) -> tuple[float, float]:
    """Return limits symmetric about zero, wide enough for all finite values."""
    largest = np.nanmax(np.abs(values), initial=0.0)
    return (-largest, largest) if largest > 0 else (-1.0, 1.0)


def draw_bars(
    ax: Axes,
    values: np.ndarray,
    names: Sequence[str],
    degrees: np.ndarray | None,
    n_bars: int,
    **kwargs: Any,
) -> None:
    """Draw the largest values as bars with names; those of irrelevant columns are hatched."""
    order = np.argsort(-np.abs(values), kind="stable")[:n_bars]
    irrelevant = np.zeros(len(values), bool) if degrees is None else np.nan_to_num(degrees) > 0
    bars = ax.barh(range(len(order)), values[order], **{"color": BLUE, **kwargs})
    for bar, column in zip(bars, order, strict=True):
        if irrelevant[column]:
            bar.set(facecolor=ORANGE, hatch="///", edgecolor="black")
    ax.set_yticks(range(len(order)), [drawable(names[column]) for column in order], fontsize=8)
    ax.tick_params(axis="x", labelsize=8)
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.8)
    ax.spines[["top", "right"]].set_visible(False)
