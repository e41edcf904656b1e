"""Pictures of saliency."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing

from .._checks import as_numbers, is_iterable
from .._text import drawable, html_text
from .._typing import MaskLike
from ..estimators._base import BaseExplanationEstimator
from ..masks._labels import labels_beside
from ..metrics._token_inputs import read_texts
from ._checks import Marks
from ._drawing import (
    ORANGE,
    SIGNED,
    ShownRows,
    draw_bars,
    draw_image,
    draw_outline,
    draw_title,
    panel_axes,
    require_pyplot,
    shown_rows,
    signed_limits,
    without_ticks,
)
from ._html import html_page
from ._saliency import saliency as compute_saliency
from ._words import draw_words, height_of, html_words, token_values, word_values

if TYPE_CHECKING:
    from typing_extensions import Self

_TEXT_WIDTH = 6.0  # inches


class SaliencyDisplay:
    """Saliency, sample by sample and class by class, beside the features that must not matter.

    Make one with :meth:`from_estimator`, or with :meth:`from_predictions` from saliency of any
    source.  Orange features speak for a class, purple ones against it; what the mask calls
    irrelevant is outlined in an image, hatched among bars and underlined in a text.

    Parameters
    ----------
    shown : object
        Samples and masks to draw.
    saliency : dict
        By title, an ndarray of the shape of the drawn samples (or with one channel).

    Attributes
    ----------
    figure_ : matplotlib Figure
        Set by :meth:`plot`.
    axes_ : ndarray of matplotlib Axes of shape (n_rows, n_columns)
        A row per sample drawn; for images first the image, then a column per class.

    See Also
    --------
    saliency : The numbers.
    MaskDisplay : The masks alone.

    Examples
    --------
    >>> from skexplain import ERMClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import SaliencyDisplay
    >>> digits = make_decoy_digits("half", random_state=0)
    >>> clf = ERMClassifier(max_epochs=5, random_state=0).fit(digits.data, digits.target)
    >>> display = SaliencyDisplay.from_estimator(
    ...     clf, digits.data, mask=digits.mask, rows=[0, 1], targets=["predicted", 3]
    ... )
    >>> display.axes_.shape
    (2, 3)
    """

    def __init__(self, shown: ShownRows, saliency: dict[str, np.ndarray]) -> None:
        self.shown = shown
        self.saliency = saliency

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseExplanationEstimator,
        X: ArrayLike,
        *,
        mask: MaskLike | None = None,
        method: str = "input_gradient",
        targets: Any = ("predicted",),
        rows: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        documents: Iterable[str] | None = None,
        max_features: int = 12,
        name: str | None = None,
        ax: Any = None,
        **saliency_parameters: Any,
    ) -> Self:
        """Compute saliency and draw it.

        Parameters
        ----------
        estimator : fitted classifier or regressor of this package
            The model.
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w), or sequence of str
            Samples, or a DataFrame; texts of a `WithTokenizer`, whose tokens are coloured.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            Marks as in ``fit``, under the estimator's `mask_marks`.
        method : str, default="input_gradient"
            As in :func:`saliency`.
        targets : "all" or list of ("predicted" or class label), default=("predicted",)
            Classes whose score is explained, one after the other.  A regressor has but one score.
        rows : int or array-like of int, default=None
            Samples to draw; None: the first four.  Saliency is computed for these alone.
        feature_names : list of str of length d, default=None
            Names of the columns; None: those of a DataFrame.
        documents : list of str of length n, default=None
            Texts, drawn in place of the columns, whose names are their words.
        max_features : int, default=12
            Columns drawn for a sample of a table, those of the largest saliency.
        name : str, default=None
            Title of the figure.
        ax : array of matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **saliency_parameters
            Passed to :func:`saliency`.

        Returns
        -------
        SaliencyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot"), or captum for a method that needs it
            (extra "explain").
        TypeError
            If the estimator is not of this package.
        ValueError
            If an argument is not legal or does not fit X.
        """
        marks: Any = getattr(estimator, "mask_marks", "irrelevant")
        read = read_texts(estimator, X, mask)
        if read is not None:
            estimator, X, mask = read.estimator, read.ids, read.mask
        if feature_names is None:
            feature_names = labels_beside(X, fitted=estimator)["feature_names"]
        shown = shown_rows(X, mask, marks, rows, feature_names, documents)
        if read is not None:
            shown = replace(
                shown,
                documents=[read.texts[row] for row in shown.index],
                offsets=[read.offsets[row] for row in shown.index],
            )
        picked = _safe_indexing(X if hasattr(X, "columns") else np.asarray(X), shown.index)
        maps = {
            title: compute_saliency(
                estimator, picked, method=method, target=target, **saliency_parameters
            )
            for title, target in _check_targets(estimator, targets).items()
        }
        return cls(shown, maps).plot(ax=ax, name=name, max_features=max_features)

    @classmethod
    def from_predictions(
        cls,
        X: ArrayLike,
        saliency: ArrayLike | dict[str, Any],
        *,
        mask: MaskLike | None = None,
        mask_marks: Marks = "irrelevant",
        rows: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        documents: Iterable[str] | None = None,
        max_features: int = 12,
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw saliency that is already there, of any model and method.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Samples, or a DataFrame.
        saliency : array-like of the shape of X, or dict of them by title
            A number per feature; images may have a single channel or none.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            Marks as in ``fit``.
        mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
            What a mark of 1 says.
        rows : int or array-like of int, default=None
            Samples to draw; None: the first four.
        feature_names : list of str of length d, default=None
            Names of the columns, as in :meth:`from_estimator`.
        documents : list of str of length n, default=None
            The texts, as in :meth:`from_estimator`.
        max_features : int, default=12
            Bars of a table, as in :meth:`from_estimator`.
        name : str, default=None
            Title of the figure.
        ax : array of matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed on as by :meth:`plot`.

        Returns
        -------
        SaliencyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        ValueError
            If an argument does not fit X.
        """
        shown = shown_rows(X, mask, mask_marks, rows, feature_names, documents)
        if isinstance(saliency, dict) and not saliency:
            raise ValueError("saliency must hold at least one map; got an empty dict.")
        if not isinstance(saliency, dict):
            saliency = {"saliency": saliency}
        shape = np.shape(X)
        maps = {
            str(title): _check_map(values, shape)[shown.index] for title, values in saliency.items()
        }
        display = cls(shown, maps)
        return display.plot(ax=ax, name=name, max_features=max_features, **kwargs)

    def plot(
        self, *, ax: Any = None, name: str | None = None, max_features: int = 12, **kwargs: Any
    ) -> Self:
        """Draw the saliency.

        Parameters
        ----------
        ax : array of matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title of the figure.
        max_features : int, default=12
            Columns drawn for a sample of a table.
        **kwargs : dict
            Passed to the method of matplotlib's Axes that draws the saliency: ``imshow`` for
            images, ``barh`` for tables, ``text`` for texts.

        Returns
        -------
        SaliencyDisplay
            The display itself.
        """
        if self.shown.kind == "image":
            self._plot_images(ax, kwargs)
        elif self.shown.kind == "text":
            self._plot_texts(ax, kwargs)
        else:
            self._plot_bars(ax, max_features, kwargs)
        draw_title(self.figure_, name)
        return self

    def _plot_images(self, ax: Any, kwargs: dict[str, Any]) -> None:
        shown = self.shown
        n_rows, n_columns = len(shown.index), 1 + len(self.saliency)
        self.figure_, self.axes_ = panel_axes(ax, n_rows, n_columns, (1.9, 2.0))
        for row, (first, *others) in enumerate(self.axes_):
            draw_image(first, shown.values[row], shown.limits)
            first.set_ylabel(f"sample {shown.index[row]}", fontsize=9)
            maps = [_one_channel(values[row]) for values in self.saliency.values()]
            # One scale per sample: gradients of confident predictions are tiny.
            low, high = signed_limits(np.stack(maps))
            for panel, values in zip(others, maps, strict=True):
                style = {"cmap": SIGNED, "vmin": low, "vmax": high, "interpolation": "nearest"}
                panel.imshow(values, **{**style, **kwargs})
                without_ticks(panel)
            degrees = shown.flat_irrelevance(row)
            if degrees is not None:
                for panel in (first, *others):
                    draw_outline(panel, np.nan_to_num(degrees) > 0)
        for panel, title in zip(self.axes_[0], ("image", *self.saliency), strict=True):
            panel.set_title(drawable(title), fontsize=9)

    def _plot_bars(self, ax: Any, max_features: int, kwargs: dict[str, Any]) -> None:
        shown, names = self.shown, self.shown.names()
        n_bars = min(max_features, len(names))
        size = (3.2, 0.25 * n_bars + 0.9)
        self.figure_, self.axes_ = panel_axes(ax, len(shown.index), len(self.saliency), size)
        for row, panels in enumerate(self.axes_):
            degrees = shown.flat_irrelevance(row)
            for panel, (title, values) in zip(panels, self.saliency.items(), strict=True):
                draw_bars(panel, values[row], names, degrees, n_bars, **kwargs)
                panel.set_title(drawable(f"sample {shown.index[row]}, {title}"), fontsize=9)
        if shown.irrelevance is not None:
            handle = require_pyplot().Rectangle((0, 0), 1, 1, fc=ORANGE, ec="black", hatch="///")
            # Beside the panels where the figure is ours to arrange.
            owner: Any = self.figure_ if ax is None else panels[0]
            place = "outside lower right" if ax is None else "best"
            owner.legend([handle], ["must not matter"], loc=place, fontsize=8, frameon=False)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write texts with coloured words as one self-contained HTML file.

        Parameters
        ----------
        path : str or path-like
            File to write.

        Raises
        ------
        ValueError
            If no texts are shown.
        """
        if self.shown.kind != "text":
            raise ValueError("to_html needs texts; other pictures are saved by figure_.savefig.")
        parts = []
        for row, number in enumerate(self.shown.index):
            for title, values in self.saliency.items():
                pieces, shades, underlined = self._shades(row, values[row])
                words = html_words(pieces, shades, underlined)
                parts.append(f"<h2>sample {number}, {html_text(title)}</h2>\n<p>{words}</p>")
        page = html_page("Saliency", "\n".join(parts), "p { white-space: pre-wrap; }\n")
        Path(path).write_text(page, encoding="utf-8")

    def _plot_texts(self, ax: Any, kwargs: dict[str, Any]) -> None:
        shown = self.shown
        documents = shown.documents or []
        height = max(height_of(text, _TEXT_WIDTH) for text in documents)
        shape = (len(shown.index), len(self.saliency))
        self.figure_, self.axes_ = panel_axes(ax, *shape, (_TEXT_WIDTH, height + 0.4))
        for row, panels in enumerate(self.axes_):
            for panel, title in zip(panels, self.saliency, strict=True):
                text = drawable(f"sample {shown.index[row]}, {title}")
                panel.set_title(text, fontsize=9, loc="left")
        self.figure_.draw_without_rendering()  # the final width of the panels
        for row, panels in enumerate(self.axes_):
            for panel, values in zip(panels, self.saliency.values(), strict=True):
                pieces, shades, underlined = self._shades(row, values[row])
                draw_words(panel, pieces, shades, underlined=underlined, **kwargs)

    def _shades(self, row: int, values: np.ndarray) -> tuple[list[str], list, np.ndarray | None]:
        """Return the pieces of a text, the colour of each, and whether it is underlined."""
        pieces, found = self._pieces(row, values)
        low, high = signed_limits(found)
        colormap = require_pyplot().get_cmap(SIGNED)
        shades = [None if np.isnan(v) else colormap((v - low) / (high - low)) for v in found]
        degrees = self.shown.flat_irrelevance(row)
        if degrees is None:
            return pieces, shades, None
        return pieces, shades, np.nan_to_num(self._pieces(row, degrees)[1]) > 0

    def _pieces(self, row: int, values: np.ndarray) -> tuple[list[str], np.ndarray]:
        shown, text = self.shown, (self.shown.documents or [])[row]
        if shown.offsets is not None:
            return token_values(text, shown.offsets[row], values)
        return word_values(text, shown.names(), values)


def _check_targets(estimator: Any, targets: Any) -> dict[str, Any]:
    """Return the target of each map by its title."""
    if not is_classifier(estimator):
        return {"output": None}
    if isinstance(targets, str) and targets == "all":
        targets = list(estimator.classes_)
    elif isinstance(targets, str):
        targets = [targets]
    if not is_iterable(targets):
        raise TypeError(f'targets must be a sequence of classes, or "all"; got {targets!r}.')
    targets = list(targets)
    if not targets:
        raise ValueError('targets must name at least one class, or be "all"; got none.')
    known = list(estimator.classes_)
    titles = {}
    for target in targets:
        if isinstance(target, str) and target == "predicted" and target not in known:
            titles["predicted class"] = None
        elif not isinstance(target, np.void) and np.ndim(target) == 0 and target in known:
            titles[f"class {target}"] = target
        else:
            raise ValueError(f'targets must be "predicted" or of {known}; got {target!r}.')
    return titles


def _check_map(values: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    values = as_numbers("saliency", values)
    legal = [tuple(shape)]
    if len(shape) == 4:
        legal += [(shape[0], 1, *shape[2:]), (shape[0], *shape[2:])]
    if values.shape not in legal:
        raise ValueError(
            f"saliency must have the shape {' or '.join(map(str, legal))} beside X of shape "
            f"{tuple(shape)}; got {values.shape}."
        )
    return values


def _one_channel(values: np.ndarray) -> np.ndarray:
    """Return the saliency of pixels: the sum over channels, which what a pixel adds up to."""
    return values.sum(axis=0) if values.ndim == 3 else values
