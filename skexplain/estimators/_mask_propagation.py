"""Few masks are enough: learn what they look like, and fill in those of the other samples."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted

from .._surroundings import isolated_random_state, own_surroundings
from .._typing import Seed
from ..exceptions import UnreliableMaskWarning
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ..training import measure_inputs
from ._mask_models import ColumnShares, ImageMasks, row_degrees
from ._parameters import COMMON_CONSTRAINTS, COUNT, POSITIVE, Interval, Options, Whole, root_seed
from ._validation import check_inputs, check_weights, resolve_device, unchanged_on_error

if TYPE_CHECKING:
    from typing_extensions import Self

# Masks that overlap less with what a person marked do more harm than good.
_LOW_IOU = 0.5
# Where `cv` is "auto": of fewer annotated images none can be spared; the share of the steps before
# a third of them, held out, is predicted; and the number of folds where each is left out once.
_MIN_HELD_OUT_FROM = 6
_FIRST_PART = 2 / 3
_N_FOLDS = 3


class MaskPropagator(BaseEstimator):
    r"""Learn masks from annotated samples, and fill in the masks of the others.

    Twenty or sixty masks are an afternoon's work; a penalty that sees so few of them helps little.
    Where irrelevant features look alike in all samples (a patch, a ruler, a caption), a small model
    can find them in the rest.

    Images: a convolutional network with dilated 3x3 filters, trained for seconds by binary
    cross entropy and overlap with the degrees of irrelevance.  It does not use labels.

    Tables and word counts: the mean degree of each column over the annotated samples, separately
    for entries that are zero and entries that are not, since a word is irrelevant where it occurs.

    Parameters
    ----------
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mask value of 1 says: the feature must not matter, or it is the reason.
    threshold : float or None, default=0.5
        Predicted degrees of irrelevance above it become 1, others 0; None keeps the degrees.  A
        degree of 0.9 would leave a tenth of a shortcut in place, which a network can still use.
    repaint : bool, default=True
        Images: whether two thirds of the training samples have their irrelevant pixels painted with
        those of another sample, or with a random constant.  So greys that no annotated sample has
        are found, too.  Use False where the irrelevant part is an object that only its looks
        distinguish.
    max_side : int, default=32
        Images: those of a longer side are averaged down to it, and predictions interpolated back.
        Raise it for irrelevant parts that are thin; time goes with its square.
    n_steps : int, default=240
        Images: number of training steps.
    batch_size : int, default=8
        Images: annotated samples per step, at most.
    lr : float, default=1e-2
        Images: largest learning rate of Adam, reached after a third of the steps.
    cv : "auto", int or None, default="auto"
        How `iou_` is measured.  An integer is a number of folds over the annotated samples, at
        most one per sample: as many further trainings.  "auto" costs nothing more for images with
        at least six annotated samples: a third of them is held out for the first two thirds of the
        steps, and trained on in the last third.  Otherwise it is 3.  None: not measured.
    device : str or torch.device, default="auto"
        Where to compute; "auto": a CUDA device if there is one, else the CPU.
    verbose : bool or {0, 1, 2}, default=0
        Whether to show a progress bar over the training steps.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches, repainting and folds.

    Attributes
    ----------
    iou_ : float
        How well masks of samples left out are predicted: the mean over them of the intersection
        over union with their own masks, :math:`\sum \min(a, p) / \sum \max(a, p)` over known
        features with degrees of irrelevance a and p.  Samples in which neither marks anything say
        nothing and are left out of the mean, which is 1 if there are no others.  NaN if not
        measured.
    n_measured_ : int
        Number of annotated samples that were left out in turn to measure `iou_`, including those
        in which nothing is marked.
    n_annotated_ : int
        Number of samples learnt from.
    n_features_in_ : int
        Length of axis 1 of X.
    input_shape_ : tuple of int
        Shape of one sample.
    feature_names_in_ : ndarray of str
        Column names, where X had any.

    See Also
    --------
    WithPropagatedMasks : Does it inside `fit`, so that a cross-validation does not leak.

    Notes
    -----
    `fit` warns with :class:`~skexplain.exceptions.UnreliableMaskWarning` where `iou_` is below 0.5,
    and where there is a single annotated sample, on which nothing can be measured.  Two samples are
    measured one by the other.

    Examples
    --------
    Bright squares in random places, of which twelve are marked:

    >>> import numpy as np
    >>> from skexplain import MaskPropagator
    >>> rng = np.random.default_rng(0)
    >>> X, mask = rng.uniform(0, 0.7, size=(100, 12, 12)), np.zeros((100, 12, 12), dtype=bool)
    >>> for row, (top, left) in enumerate(rng.integers(9, size=(100, 2))):
    ...     mask[row, top : top + 4, left : left + 4] = True
    >>> X[mask] = 1
    >>> few = [mask[row] if row < 12 else None for row in range(100)]
    >>> propagator = MaskPropagator(n_steps=100, random_state=0).fit(X, few)
    >>> filled = propagator.fill(X, few)
    >>> bool(np.mean(filled == mask) > 0.98)
    True
    """

    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "mask_marks": COMMON_CONSTRAINTS["mask_marks"],
        "threshold": [Interval(Real, 0, 1, closed="left"), None],
        "repaint": ["boolean"],
        "max_side": [COUNT],
        "n_steps": [COUNT],
        "batch_size": [COUNT],
        "lr": [POSITIVE],
        "cv": [Options(str, {"auto"}), Whole(2), None],
        "device": COMMON_CONSTRAINTS["device"],
        "verbose": COMMON_CONSTRAINTS["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        mask_marks: Literal["irrelevant", "relevant"] = "irrelevant",
        threshold: float | None = 0.5,
        repaint: bool = True,
        max_side: int = 32,
        n_steps: int = 240,
        batch_size: int = 8,
        lr: float = 1e-2,
        cv: Literal["auto"] | int | None = "auto",
        device: str | torch.device = "auto",
        verbose: int | bool = 0,
        random_state: Seed = None,
    ) -> None:
        self.mask_marks = mask_marks
        self.threshold = threshold
        self.repaint = repaint
        self.max_side = max_side
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.lr = lr
        self.cv = cv
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn: images are inputs, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self) -> Any:
        """Return whether masks have been learnt."""
        return hasattr(self, "model_")

    def fit(self, X: Any, mask: Any, *, sample_weight: Any = None) -> "Self":
        """Learn what masks look like.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Inputs of any numeric dtype.
        mask : array-like, list of (array-like or None) or DataFrame
            Masks in the shapes that the estimators take; NaN, or None in a list, where unknown.
        sample_weight : array-like of shape (n,) or None, default=None
            A sample of weight 0 takes part in nothing; all others count alike.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If no sample is annotated, or an argument is not legal.
        """
        self._fit_without_warning(X, mask, sample_weight)
        self._warn_about_quality(stacklevel=3)
        return self

    def _fit_without_warning(self, X: Any, mask: Any, sample_weight: Any) -> None:
        with unchanged_on_error(self):
            self._validate_params()
            self._fit(X, mask, sample_weight)

    def _fit(self, X: Any, mask: Any, sample_weight: Any) -> None:
        device = resolve_device(self.device)
        labels = labels_beside(X)
        X = check_inputs(self, X)
        if X.ndim not in (2, 3, 4):
            raise ValueError(
                f"X must have shape (n, d), (n, h, w) or (n, channels, h, w); got {X.shape}."
            )
        _, taking_part = check_weights(sample_weight, X)
        masks = interpret_mask(mask, X.shape, marks=self.mask_marks, **labels)
        rows = taking_part[:0] if masks is None else taking_part[masks.annotated[taking_part]]
        if not len(rows):
            raise ValueError("mask must annotate at least one sample, got none to learn from.")
        seeds = np.random.SeedSequence(root_seed(self.random_state)).generate_state(3)
        self.input_shape_ = X.shape[1:]
        self.n_annotated_ = len(rows)
        statistics = measure_inputs(X, taking_part) if X.ndim > 2 else None
        learner = partial(self._learn, X, masks, statistics=statistics, device=device)
        with (
            own_surroundings(),
            isolated_random_state(device),
            self._progress(X, len(rows)) as on_step,
        ):
            learn = partial(learner, seed=int(seeds[0]), on_step=on_step)
            if self._holds_out(X, len(rows)):
                self._learn_and_measure(X, masks, rows, learn, seeds)
            else:
                self.model_ = learn(rows)
                self._cross_validate(X, masks, rows, learn, int(seeds[1]))

    @own_surroundings()
    def fill(self, X: Any, mask: Any = None) -> Any:
        """Fill in the masks of samples that have none.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs, those of `fit` or others.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            Masks to be kept, as for `fit`, also those of single features in samples that are partly
            known; None: all are predicted.

        Returns
        -------
        ndarray of shape (n, d), (n, h, w), or (n, channels or 1, h, w) for images with channels
            What 1 means is said by `mask_marks`.  Predicted values are bool, or float32 with
            ``threshold=None``, and of the mask's own dtype where that holds more.  A mask without
            unknown values is returned with its axis 0 as it was.  NaN is left in columns of
            tables that no annotation covers.
        """
        check_is_fitted(self)
        labels = labels_beside(X, fitted=self)
        X = check_inputs(self, X, reset=False)
        masks = interpret_mask(mask, X.shape, marks=self.mask_marks, **labels)
        if masks is None:
            return self._predict(X)
        known = known_features(masks, len(X))
        incomplete = np.flatnonzero(~known.reshape(len(known), -1).all(axis=1))
        if not len(incomplete):
            return masks.values
        predicted = self._predict(X[incomplete])
        shape = (len(X), *np.broadcast_shapes(masks.values.shape[1:], predicted.shape[1:]))
        filled = np.empty(shape, dtype=np.result_type(masks.values, predicted))
        filled[:] = masks.values
        filled[incomplete] = np.where(known[incomplete], filled[incomplete], predicted)
        return filled

    def _learn(
        self,
        X: Any,
        masks: Any,
        rows: NDArray[Any],
        *,
        statistics: Any,
        device: Any,
        seed: int,
        on_step: Any,
        model: Any = None,
        part: Any = 1.0,
    ) -> Any:
        """Train a model, a new one if there is none, for a part of the steps."""
        if X.ndim == 2:
            return ColumnShares().fit(X, masks, rows)
        new = model is None
        model = ImageMasks(statistics, device, self.max_side) if new else model
        return (model.fit if new else model.train)(
            X,
            masks,
            rows,
            n_steps=max(1, round(part * self.n_steps)),
            batch_size=self.batch_size,
            lr=self.lr,
            repaint=self.repaint,
            seed=seed,
            on_step=on_step,
        )

    def _holds_out(self, X: Any, n_rows: int) -> Any:
        """Whether `iou_` is measured within the training."""
        enough = n_rows >= _MIN_HELD_OUT_FROM and self.n_steps > 1
        return self.cv == "auto" and X.ndim > 2 and enough

    def _n_folds(self, n_rows: int) -> Any:
        """How many further trainings measure `iou_`; 0: none."""
        if self.cv is None or n_rows < 2:
            return 0
        return min(_N_FOLDS if self.cv == "auto" else self.cv, n_rows)

    @contextmanager
    def _progress(self, X: Any, n_rows: int) -> Iterator[Any]:
        """Yield what is to be called after each training step."""
        if not self.verbose or X.ndim == 2:
            yield lambda: None
            return
        from tqdm.auto import tqdm

        n_trainings = 1 if self._holds_out(X, n_rows) else 1 + self._n_folds(n_rows)
        total = n_trainings * self.n_steps
        with tqdm(total=total, unit="step", desc="learn masks", leave=False) as bar:
            yield bar.update

    def _learn_and_measure(
        self, X: Any, masks: Any, rows: NDArray[Any], learn: Any, seeds: Any
    ) -> None:
        """Learn without a third of the samples for two thirds of the steps, then from all."""
        test = _every_third(masks, rows, int(seeds[1]))
        share = round(_FIRST_PART * self.n_steps) / self.n_steps
        self.model_ = learn(np.setdiff1d(rows, test), part=share)
        self._measure(masks, [(test, self._decide(self.model_.degrees(X[test])))])
        self.model_ = learn(rows, model=self.model_, part=1 - share, seed=int(seeds[2]))

    def _predict(self, X: Any) -> Any:
        """Predict marks in the meaning of `mask_marks`, thresholded as asked for."""
        degrees = self._decide(self.model_.degrees(X))
        if self.mask_marks == "irrelevant":
            return degrees
        return ~degrees if degrees.dtype == bool else 1 - degrees

    def _decide(self, degrees: Any) -> Any:
        if self.threshold is None:
            return degrees
        decided = degrees > self.threshold
        unknown = np.isnan(degrees)
        return np.where(unknown, np.float32(np.nan), decided) if unknown.any() else decided

    def _cross_validate(
        self, X: Any, masks: Any, rows: NDArray[Any], learn: Any, seed: int
    ) -> None:
        n_folds, pairs = self._n_folds(len(rows)), []
        if n_folds:
            for train, test in KFold(n_folds, shuffle=True, random_state=seed).split(rows):
                predicted = self._decide(learn(rows[train]).degrees(X[rows[test]]))
                pairs.append((rows[test], predicted))
        self._measure(masks, pairs)

    def _measure(self, masks: Any, pairs: Any) -> None:
        """Set `iou_` from pairs of samples left out and what was predicted for them."""
        self.n_measured_ = sum(len(rows) for rows, _ in pairs)
        self.iou_ = np.nan
        if pairs:
            overlaps = np.concatenate([_overlap(masks, *pair) for pair in pairs])
            defined = overlaps[~np.isnan(overlaps)]
            self.iou_ = float(defined.mean()) if len(defined) else 1.0

    def _warn_about_quality(self, stacklevel: Any) -> None:
        problem = None
        if self.iou_ < _LOW_IOU:
            problem = (
                f"predicts masks of samples left out with an intersection over union of "
                f"{self.iou_:.2f} only"
            )
        elif self.cv is not None and self.n_annotated_ == 1:
            problem = "has learnt from 1 annotated sample, so that its quality cannot be measured"
        if problem:
            warnings.warn(
                f"{type(self).__name__} {problem}: check the masks that fill returns, or annotate "
                f"more samples.",
                UnreliableMaskWarning,
                stacklevel=stacklevel,
            )


def known_features(masks: Any, n_rows: int) -> Any:
    """Where marks were given; ndarray of bool, axis 0 of length n_rows."""
    annotated = masks.annotated.reshape(n_rows, *(1,) * (masks.values.ndim - 1))
    return annotated & ~np.isnan(masks.values) if masks.has_unknown else annotated


def _overlap(masks: Any, rows: NDArray[Any], predicted: Any) -> Any:
    """Intersection over union with the mask of each sample, where known; NaN if both are empty."""
    own, known = (part.numpy() for part in row_degrees(masks, rows))
    # A feature left unknown is as good as one that may matter.
    own, predicted = np.broadcast_arrays(own, np.nan_to_num(predicted.astype(np.float32)))
    axes = tuple(range(1, own.ndim))
    both = np.minimum(own, predicted).sum(axis=axes)  # 0 where unknown
    either = (np.maximum(own, predicted) * known).sum(axis=axes)
    return np.where(either > 0, both / np.where(either > 0, either, 1), np.nan)


def _every_third(masks: Any, rows: NDArray[Any], seed: int) -> Any:
    """Choose a third of the samples, so that all amounts of marks are in it and in the rest."""
    rows = np.random.RandomState(seed % 2**32).permutation(rows)
    marked = [float(row_degrees(masks, rows[i : i + 1])[0].mean()) for i in range(len(rows))]
    order = rows[np.argsort(marked, kind="stable")]
    return np.sort(order[1::3])
