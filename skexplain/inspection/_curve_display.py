"""A picture of accuracy against the size of a change of the irrelevant features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .._checks import as_array, as_numbers, check_count, check_option, check_text
from .._text import drawable
from .._typing import MaskLike, Seed
from ..metrics._groups import BESIDE_ESTIMATOR, check_correct, row_labels
from ..metrics._kinds import check_predictor, is_tagged_regressor, r2_of, target_values
from ..metrics._perturb import Perturber, make_generator
from ._checks import Marks
from ._drawing import single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

_PERTURBATIONS = ("gaussian", "uniform", "offset")
# Colours and marks differ together: the curves differ in grey, too (Okabe & Ito).
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("black", "v"))


class PerturbationCurveDisplay:
    """Accuracy against the size of a change of the irrelevant features.

    The curve of a model that does not lean on them is flat.  Make one with :meth:`from_estimator`,
    or with :meth:`from_predictions`; draw others into its `ax_` to compare.

    Parameters
    ----------
    epsilons : ndarray of shape (k,)
        Sizes of the change.
    accuracies : ndarray of shape (k, n_repeats)
        Accuracy at each, for each draw.
    perturbation : str, default="change"
        What was done, for the label of the axis.
    unit : str, default=""
        Unit of the sizes, for the label of the axis.
    name : str or None, default=None
        Name of the model, for the legend.
    score : str, default="accuracy"
        What the accuracies are, for the label of the axis; of a regressor "R2".

    Attributes
    ----------
    figure_ : matplotlib Figure
        Set by :meth:`plot`.
    ax_ : matplotlib Axes
        The picture.
    line_ : matplotlib Line2D
        The mean curve.

    See Also
    --------
    skexplain.metrics.accuracy_under_noise : A point of it.

    Examples
    --------
    >>> from skexplain import ERMClassifier, SwapExClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.inspection import PerturbationCurveDisplay
    >>> digits = make_decoy_digits("corner", random_state=0)
    >>> X, y, mask = digits.data, digits.target, digits.mask
    >>> ax = None
    >>> for clf in (ERMClassifier, SwapExClassifier):
    ...     clf = clf(max_epochs=5, random_state=0).fit(X, y, mask=mask)
    ...     display = PerturbationCurveDisplay.from_estimator(
    ...         clf, digits.data_test, digits.target_test, digits.mask_test, ax=ax, random_state=0
    ...     )
    ...     ax = display.ax_
    >>> len(ax.lines)
    2
    """

    def __init__(
        self,
        epsilons: np.ndarray,
        accuracies: np.ndarray,
        *,
        perturbation: str = "change",
        unit: str = "",
        name: str | None = None,
        score: str = "accuracy",
    ) -> None:
        self.epsilons = epsilons
        self.accuracies = accuracies
        self.perturbation = perturbation
        self.unit = unit
        self.name = name
        self.score = score

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        mask: MaskLike,
        *,
        perturbation: Literal["gaussian", "uniform", "offset"] = "gaussian",
        epsilons: ArrayLike = (0, 0.25, 0.5, 1, 1.5, 2, 3),
        input_unit: Literal["sd", "input"] = "sd",
        mask_marks: Marks | None = None,
        n_repeats: int = 3,
        random_state: Seed = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Predict perturbed samples, and draw the accuracy.

        Parameters
        ----------
        estimator : fitted classifier or regressor
            Of any library, with ``predict``; of a regressor the curve is of R2.
        X : array-like, sparse matrix or DataFrame of shape (n, ...)
            Inputs.
        y : array-like of shape (n,)
            Class labels, or targets of a regressor.
        mask : array-like, list of (array-like or None) or DataFrame
            Which features must not matter, as in ``fit``.  Samples without annotation do not count.
        perturbation : {"gaussian", "uniform", "offset"}, default="gaussian"
            As in :func:`skexplain.metrics.nuisance_flip_rate`: noise, or a shift of all irrelevant
            features by the same amount.
        epsilons : array-like of shape (k,), default=(0, 0.25, 0.5, 1, 1.5, 2, 3)
            Sizes of the change, in `input_unit`; of any sign for "offset".
        input_unit : {"sd", "input"}, default="sd"
            Standard deviations of each column or channel over this X, or X as it is.
        mask_marks : {"irrelevant", "relevant"}, default=None
            What a mark of 1 says; None: what the estimator says, "irrelevant" if nothing.
        n_repeats : int, default=3
            Draws of noise; the band spans them.
        random_state : int, RandomState instance or None, default=None
            Draws the noise.  None is fresh randomness.
        name : str, default=None
            Name in the legend; None: the estimator's class.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot`, which draws the mean curve.

        Returns
        -------
        PerturbationCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        TypeError
            If the estimator is neither classifier nor regressor.
        ValueError
            If an argument is not legal or does not fit X, or y is of another kind than the
            predictions.
        """
        check_option("perturbation", perturbation, _PERTURBATIONS)
        check_count("n_repeats", n_repeats)
        n_repeats = 1 if perturbation == "offset" else n_repeats
        epsilons = _check_epsilons(epsilons, perturbation)
        check_predictor(estimator)
        perturber = Perturber(estimator, X, mask, mask_marks, perturbation, input_unit=input_unit)
        read = target_values if is_tagged_regressor(estimator) else row_labels
        y = read(y, "y", len(perturber.inputs), "X")
        generator = make_generator(random_state)
        return cls(
            epsilons,
            score_curve(perturber, y, epsilons, n_repeats, generator),
            perturbation=perturbation,
            unit="sd" if input_unit == "sd" else "units of X",
            name=type(estimator).__name__ if name is None else name,
            score="R2" if is_tagged_regressor(estimator) else "accuracy",
        ).plot(ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        predictions: ArrayLike,
        epsilons: ArrayLike,
        *,
        perturbation: str = "change",
        unit: str = "",
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the accuracy of predictions that are already there.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Class labels.
        predictions : array-like of shape (k, n) or (k, n_repeats, n)
            Predicted labels at each size of the change.
        epsilons : array-like of shape (k,)
            Sizes of the change.
        perturbation : str, default="change"
            What was done, for the label of the axis.
        unit : str, default=""
            Unit of the sizes, for the same label.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot`, which draws the mean curve.

        Returns
        -------
        PerturbationCurveDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        ValueError
            If the shapes do not fit, or labels are of another kind than predictions.
        """
        y_true, predictions = row_labels(y_true, "y_true"), as_array("predictions", predictions)
        check_text("unit", unit)
        epsilons = _check_epsilons(epsilons, "offset")
        if predictions.ndim == 2:
            predictions = predictions[:, None]
        if predictions.ndim != 3 or predictions[:, 0].shape != (len(epsilons), *y_true.shape):
            raise ValueError(
                f"predictions must have shape (k, n) or (k, n_repeats, n) with k={len(epsilons)} "
                f"epsilons and n={len(y_true)} samples of y_true; got {predictions.shape}."
            )
        accuracies = check_correct(y_true, predictions, ("y_true", "predictions")).mean(axis=2)
        display = cls(epsilons, accuracies, perturbation=perturbation, unit=unit, name=name)
        return display.plot(ax=ax, **kwargs)

    def plot(self, *, ax: Axes | None = None, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        name : str, default=None
            Name in the legend; None: `name` of the display.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot`, which draws the mean curve.

        Returns
        -------
        PerturbationCurveDisplay
            The display itself.
        """
        name = self.name if name is None else name
        check_text("name", name)
        self.figure_, self.ax_ = single_axes(ax, (4.5, 3.2))
        # The next style that these axes have not used.
        color, marker = _STYLES[len(self.ax_.lines) % len(_STYLES)]
        order = np.argsort(self.epsilons, kind="stable")
        epsilons, accuracies = self.epsilons[order], self.accuracies[order]
        style = {"color": color, "marker": marker, "markersize": 4, **kwargs}
        if name:
            # matplotlib leaves a label out of the legend that begins with an underscore.
            style["label"] = drawable(f" {name}" if name.startswith("_") else name)
        (self.line_,) = self.ax_.plot(epsilons, accuracies.mean(axis=1), **style)
        color = self.line_.get_color()
        self.ax_.fill_between(
            epsilons, accuracies.min(axis=1), accuracies.max(axis=1), color=color, alpha=0.2, lw=0
        )
        unit = f" ({self.unit})" if self.unit else ""
        lowest = min(0.0, self.ax_.dataLim.ymin)  # R2 has no lower end
        self.ax_.set(ylim=(lowest, 1.02), ylabel=drawable(self.score))
        self.ax_.set_xlabel(drawable(f"{self.perturbation} of the irrelevant features{unit}"))
        self.ax_.grid(color="0.9")
        self.ax_.set_axisbelow(True)
        self.ax_.spines[["top", "right"]].set_visible(False)
        if name:
            self.ax_.legend(fontsize=8, frameon=False)
        return self


def score_curve(
    perturber: Perturber,
    y: np.ndarray,
    epsilons: np.ndarray,
    n_repeats: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the score of the annotated samples at each size of a change, (k, n_repeats)."""
    rows = perturber.annotated
    of_classes = not is_tagged_regressor(perturber.estimator)
    scores = np.empty((len(epsilons), n_repeats))
    for place, epsilon in enumerate(epsilons):
        sized = perturber.changed(perturber.perturbation, epsilon)
        for repeat in range(n_repeats):
            predicted = sized.predict_perturbed(rows, generator)
            if of_classes:
                scores[place, repeat] = check_correct(y[rows], predicted, BESIDE_ESTIMATOR).mean()
            else:
                scores[place, repeat] = r2_of(y[rows], predicted)
    return scores


def _check_epsilons(epsilons: ArrayLike, perturbation: str) -> np.ndarray:
    values = as_numbers("epsilons", epsilons)
    least = -np.inf if perturbation == "offset" else 0
    if (
        values.ndim != 1
        or not len(values)
        or not np.isfinite(values).all()
        or (values < least).any()
    ):
        bound = "" if perturbation == "offset" else " of at least 0"
        raise ValueError(f"epsilons must be finite numbers{bound}, one or more; got {epsilons!r}.")
    return values
