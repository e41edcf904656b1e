"""A candidate mask, which a person accepts or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_count, is_iterable
from ._drawing import (
    ShownRows,
    draw_bars,
    draw_image,
    draw_outline,
    draw_title,
    panel_axes,
    single_axes,
    without_ticks,
)

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(eq=False)
class MaskSuggestion:
    """A region that gives the predictions of a group of samples away, found by `suggest_masks`.

    It is a *place*, the same in all samples of the group, or a *thing*, which is at another place
    in each of them.

    Attributes
    ----------
    mask : ndarray of bool of shape (d,), (h, w) or (n_group, h, w)
        The region.  Of a thing (three axes) the region in each sample of `rows`, in their order.
    rows : ndarray of int of shape (n_group,)
        Numbers of the samples of X that share it, in ascending order.
    score : float
        Share of the samples, times `predictive_power`.
    predictive_power : float
        How well the region's single values, or the presence of the thing, predict what the model
        predicts for these samples: 0 no better than chance, 1 without an error.
    flip_rate : float
        Share of these samples' predictions that change when the region is swapped between the
        samples (a thing: erased): how much the model leans on it where it has other evidence, too.
    p_value : float
        How probable it is that one of the other places, or looks, of the same samples is
        as predictive as this one, corrected for the number that were looked at.
    suspicion : ndarray of float of shape (d,) or (h, w)
        Where values are predictive and the model looks; the mean over the samples.  Of a thing
        the share of the samples that have it there.
    shown : ShownRows
        Samples of the group that `plot` draws, of as many classes as there are.
    figure_ : matplotlib Figure
        Set by `plot`.
    axes_ : ndarray of Axes or Axes
        Set by `plot`.

    See Also
    --------
    suggest_masks : Finds suggestions, and has an example.
    accept_suggestions : Makes a mask of those that a person accepts.
    """

    mask: np.ndarray = field(repr=False)
    rows: np.ndarray = field(repr=False)
    score: float
    predictive_power: float
    flip_rate: float
    p_value: float
    suspicion: np.ndarray = field(repr=False)
    shown: ShownRows = field(repr=False)

    @property
    def moves(self) -> bool:
        """Whether it is a thing, with a mask of its own for each sample of the group."""
        return self.mask.ndim == 3

    def mask_of(self, row: int) -> NDArray[np.bool_]:
        """Region in one sample of X.

        Parameters
        ----------
        row : int
            Its number, one of `rows`.

        Returns
        -------
        ndarray of bool of shape (d,) or (h, w)

        Raises
        ------
        ValueError
            If the sample is not in the group.
        """
        position = np.flatnonzero(self.rows == row)
        if not len(position):
            raise ValueError(
                f"row must be one of the {len(self.rows)} samples of the group, got {row!r}."
            )
        return self.mask[position[0]] if self.moves else self.mask

    def to_mask(self, n_rows: int) -> list[NDArray[np.bool_] | None]:
        """Make a mask for `fit`: the region in the samples of the group, no annotation elsewhere.

        Parameters
        ----------
        n_rows : int
            Number of samples of X.

        Returns
        -------
        list of length n_rows
            `mask` (one array, shared; of a thing that of the sample) or None for each sample; True
            means irrelevant.

        Raises
        ------
        ValueError
            If there are samples beyond `n_rows`.
        """
        return accept_suggestions([self], n_rows)

    def plot(self, *, ax: Any = None, name: str | None = None, n_features: int = 12) -> Self:
        """Draw samples of the group with the region's border, and the suspicion; bars for a table.

        The last picture of a thing shows how many of the samples have it where.

        Parameters
        ----------
        ax : matplotlib Axes, array of Axes or None, default=None
            Where to draw: one for a table; for images one for each sample of `shown` and one more.
            None makes a figure.
        name : str, default=None
            Title of the figure.
        n_features : int, default=12
            Bars of a table, at most: the most suspicious columns.

        Returns
        -------
        MaskSuggestion
            The suggestion itself, with `figure_` and `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is missing: ``pip install "skexplain[plot]"``.
        ValueError
            If the number of axes is another.
        """
        title = (
            f"{len(self.rows)} samples, power {self.predictive_power:.2f}, "
            f"flips {self.flip_rate:.2f}, p {self.p_value:.1g}"
        )
        self.axes_: Any
        if self.shown.kind == "image":
            self._plot_image(ax, title)
        else:
            n_bars = min(n_features, len(self.mask))
            self.figure_, self.axes_ = single_axes(ax, (4.0, 0.25 * n_bars + 0.9))
            draw_bars(self.axes_, self.suspicion, self.shown.names(), self.mask, n_bars)
            self.axes_.set_title(title, fontsize=9)
        draw_title(self.figure_, name)
        return self

    def _plot_image(self, ax: Any, title: str) -> None:
        shown = self.shown
        self.figure_, axes = panel_axes(ax, 1, len(shown.index) + 1, (1.5, 1.8))
        self.axes_ = axes[0]
        for panel, row, image in zip(self.axes_, shown.index, shown.values, strict=False):
            draw_image(panel, image, shown.limits)
            panel.set_xlabel(f"sample {row}", fontsize=8)
            draw_outline(panel, self.mask_of(row))
        self.axes_[-1].imshow(self.suspicion, cmap="viridis", vmin=0, interpolation="nearest")
        without_ticks(self.axes_[-1])
        self.axes_[-1].set_xlabel("where it is" if self.moves else "suspicion", fontsize=8)
        if not self.moves:
            draw_outline(self.axes_[-1], self.mask)
        self.axes_[0].set_title(title, fontsize=9, loc="left")


def accept_suggestions(
    suggestions: Iterable[MaskSuggestion], n_rows: int
) -> list[NDArray[np.bool_] | None]:
    """Make one mask of the suggestions that a person accepts.

    Parameters
    ----------
    suggestions : sequence of MaskSuggestion
        Those accepted, at least one, of one X.
    n_rows : int
        Number of samples of X.

    Returns
    -------
    list of length n_rows
        For each sample the union of the regions of the groups it is in, an ndarray of bool of shape
        (d,) or (h, w), or None: not annotated.  True means irrelevant, so estimators with
        ``mask_marks="relevant"`` are given its :func:`~skexplain.masks.invert_mask`.

    Raises
    ------
    ValueError
        If there is no suggestion, or there are samples beyond `n_rows`.

    See Also
    --------
    suggest_masks : Finds suggestions.
    skexplain.WithPropagatedMasks : Learns from such a mask where the same is in other samples.

    Examples
    --------
    >>> from skexplain import ERMClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import accept_suggestions, suggest_masks
    >>> digits = make_decoy_digits("half", random_state=0)
    >>> clf = ERMClassifier(max_epochs=3, random_state=0).fit(digits.data, digits.target)
    >>> suggestions = suggest_masks(clf, digits.data, n_suggestions=2, random_state=0)
    >>> mask = accept_suggestions(suggestions, n_rows=len(digits.data))  # look at them first
    >>> len(mask) == len(digits.data)
    True
    """
    if not is_iterable(suggestions):
        raise TypeError(f"suggestions must be a sequence of MaskSuggestion, got {suggestions!r}.")
    suggestions = list(suggestions)
    if not suggestions:
        raise ValueError("suggestions must hold at least one MaskSuggestion, got none.")
    others = [each for each in suggestions if not isinstance(each, MaskSuggestion)]
    if others:
        raise TypeError(f"suggestions must hold MaskSuggestion alone, got {others[0]!r}.")
    check_count("n_rows", n_rows)
    last = max(int(suggestion.rows.max()) for suggestion in suggestions)
    if last >= n_rows:
        raise ValueError(
            f"n_rows must be the number of samples of the X that was searched; got {n_rows}, but a "
            f"suggestion has sample {last}."
        )
    masks: list[NDArray[np.bool_] | None] = [None] * n_rows
    for suggestion in suggestions:
        for position, row in enumerate(suggestion.rows):
            own = suggestion.mask[position] if suggestion.moves else suggestion.mask
            before = masks[row]
            masks[row] = own if before is None else before | own
    return masks
