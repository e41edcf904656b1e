"""A picture of accuracy by group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._text import drawable
from ..metrics import group_accuracies
from ..metrics._groups import label_codes, row_labels
from ..metrics._kinds import check_classifier
from ._drawing import BLUE, VERMILION, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_Z = 1.959964  # two-sided 95 % of a normal distribution


class GroupAccuracyDisplay:
    """Accuracy of every group as bars, the worst one in red.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.  The lines are Wilson's 95 %
    intervals [1]_: of small groups the worst is often so by chance.

    Parameters
    ----------
    accuracies : dict
        Accuracy by group label.
    counts : dict
        Number of samples by group label.
    name : str or None, default=None
        Name of the model, the title.

    Attributes
    ----------
    figure_ : matplotlib Figure
        Set by :meth:`plot`.
    ax_ : matplotlib Axes
        The picture.

    See Also
    --------
    skexplain.metrics.group_accuracies : The numbers.

    References
    ----------
    .. [1] E. B. Wilson (1927). Probable Inference, the Law of Succession, and Statistical
       Inference. Journal of the American Statistical Association 22.

    Examples
    --------
    >>> from skexplain.inspection import GroupAccuracyDisplay
    >>> display = GroupAccuracyDisplay.from_predictions(
    ...     [0, 1, 1, 0], [0, 1, 0, 0], ["ruler", "ruler", "none", "none"]
    ... )
    >>> display.accuracies
    {'none': 0.5, 'ruler': 1.0}
    """

    def __init__(
        self, accuracies: dict[Any, float], counts: dict[Any, int], *, name: str | None = None
    ) -> None:
        self.accuracies = accuracies
        self.counts = counts
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        group_labels: ArrayLike,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Predict, and draw the accuracy of every group.

        Parameters
        ----------
        estimator : fitted classifier
            Any with ``predict``.
        X : array-like of shape (n, ...)
            Inputs.
        y : array-like of shape (n,)
            Class labels.
        group_labels : array-like of shape (n,)
            Group of every sample, by any label.
        name : str, default=None
            Title; None: the estimator's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        GroupAccuracyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        ValueError
            As :func:`skexplain.metrics.group_accuracies`.
        """
        name = type(estimator).__name__ if name is None else name
        check_classifier(estimator, of_regressor="skexplain.metrics.group_r2_scores")
        predicted = estimator.predict(X)
        return cls.from_predictions(y, predicted, group_labels, name=name, ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        group_labels: ArrayLike,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the accuracy of every group.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n,)
            True and predicted labels.
        group_labels : array-like of shape (n,)
            Group of every sample, by any label.
        name : str, default=None
            Title.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        GroupAccuracyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        ValueError
            As :func:`skexplain.metrics.group_accuracies`.
        """
        accuracies = group_accuracies(y_true, y_pred, group_labels)
        return cls(accuracies, group_counts(group_labels), name=name).plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Title; None: `name` of the display.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        GroupAccuracyDisplay
            The display itself.
        """
        name = self.name if name is None else name
        groups = list(self.accuracies)
        scores = np.array([self.accuracies[group] for group in groups])
        counts = np.array([self.counts[group] for group in groups])
        self.figure_, self.ax_ = single_axes(ax, (4.5, 0.3 * len(groups) + 1.1))
        colors = [VERMILION if score == np.nanmin(scores) else BLUE for score in scores]
        low, high = wilson_interval(scores, counts)
        errors = np.clip([scores - low, high - scores], 0, None)
        self.ax_.barh(
            range(len(groups)),
            scores,
            **{
                "xerr": errors,
                "color": colors,
                "error_kw": {"lw": 1, "capsize": 2},
                **kwargs,
            },
        )
        mean = np.nanmean(scores)
        self.ax_.axvline(mean, color="black", ls=":", lw=1)
        labels = [
            drawable(f"{group} (n={count})") for group, count in zip(groups, counts, strict=True)
        ]
        self.ax_.set_yticks(range(len(groups)), labels, fontsize=8)
        self.ax_.invert_yaxis()
        self.ax_.set(xlim=(0, 1))
        self.ax_.set_xlabel(f"accuracy (dotted: mean over groups, {mean:.2f})", fontsize=9)
        if name is not None:
            self.ax_.set_title(drawable(name), fontsize=10)
        self.ax_.spines[["top", "right"]].set_visible(False)
        return self


def group_counts(group_labels: ArrayLike) -> dict[Any, int]:
    """Return the number of samples by group label."""
    codes, groups = label_codes(row_labels(group_labels, "group_labels"))
    return dict(zip(groups, np.bincount(codes).tolist(), strict=True))


def wilson_interval(share: Any, count: Any) -> tuple[Any, Any]:
    """Return Wilson's 95 % interval of a share among a count of samples."""
    centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    spread = np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    half = _Z * spread / (1 + _Z**2 / count)
    return centre - half, centre + half
