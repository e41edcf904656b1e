"""An estimator that fills in the masks of samples that have none before it learns from them."""

import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    _routing_enabled,
    process_routing,
)

from ..exceptions import UnreliableMaskWarning
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ._delegation import DelegatedPredictionsMixin
from ._fit_routing import FitRoutingMixin
from ._mask_propagation import MaskPropagator, known_features
from ._parameters import Interval
from ._tokenizers import check_takes_no_texts
from ._validation import check_inputs, check_weights

if TYPE_CHECKING:
    from typing_extensions import Self


class WithPropagatedMasks(
    DelegatedPredictionsMixin, FitRoutingMixin, MetaEstimatorMixin, BaseEstimator
):
    """Fit an estimator on masks filled in from those of a few annotated samples.

    `fit` learns masks from the annotated samples, predicts those of the other samples, and trains
    the estimator on all of them.  As this happens inside `fit`, no mask of a test fold is learnt
    from in a search or a cross-validation.  If every feature is known, or none, it equals the
    estimator.

    It can find only places and looks that the annotated samples have: annotate samples of every
    kind.  ``propagator_.iou_`` compares annotated samples with each other, so that it does not
    measure what all of them lack.

    Where it is below `min_iou`, no mask is filled in: wrong masks hide reasons and leave shortcuts.
    The estimator is then trained on the given masks alone, and
    :class:`~skexplain.exceptions.UnreliableMaskWarning` says so.

    Parameters
    ----------
    estimator : classifier or regressor whose `fit` takes a mask
        What is trained.  A pipeline needs scikit-learn's metadata routing, and an X of numbers, for
        its masks are over the X that this estimator is given.
    propagator : MaskPropagator or None, default=None
        What fills masks in; None: ``MaskPropagator()``.  It is given the estimator's `mask_marks`,
        and the estimator's `random_state` and `verbose` where it has none of its own.
    min_iou : float, default=0.25
        Smallest ``propagator_.iou_``, from 0 to 1, at which masks are filled in.  0: always.  A
        propagator that does not measure it (``cv=None``, or one annotated sample) always fills in.
        Below 0.5 they are filled in with a warning: a decoy of which two thirds are found is
        already worth far more than the given masks alone.

    Attributes
    ----------
    estimator_ : estimator
        The trained estimator.
    propagator_ : MaskPropagator or None
        The fitted propagator, with `iou_`; None where there was nothing to fill in, or to learn
        from.
    propagated_ : bool
        Whether the estimator was trained on masks that were filled in.
    classes_ : ndarray of shape (n_classes,)
        Class labels, for a classifier.
    n_features_in_ : int
        Length of axis 1 of X.
    feature_names_in_ : ndarray of str
        Column names, where X had any.

    See Also
    --------
    MaskPropagator : Fills in masks, which can be checked before they are used.

    Examples
    --------
    A bright square, in a random place, whose shade gives the label away:

    >>> import numpy as np
    >>> from skexplain import MaskPropagator, SwapExClassifier, WithPropagatedMasks
    >>> rng = np.random.default_rng(0)
    >>> X, mask = rng.uniform(0, 0.5, size=(100, 12, 12)), np.zeros((100, 12, 12), dtype=bool)
    >>> for row, (top, left) in enumerate(rng.integers(9, size=(100, 2))):
    ...     mask[row, top : top + 4, left : left + 4] = True
    >>> y = np.arange(100) % 2
    >>> X[mask] = np.repeat(0.8 + 0.2 * y, 16)
    >>> few = [mask[row] if row < 12 else None for row in range(100)]
    >>> clf = WithPropagatedMasks(SwapExClassifier(max_epochs=3, random_state=0))
    >>> clf = clf.set_params(propagator=MaskPropagator(n_steps=100)).fit(X, y, mask=few)
    >>> bool(clf.propagator_.iou_ > 0.9)
    True
    """

    # Masks are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "propagator": [MaskPropagator, None],
        "min_iou": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self, estimator: Any, propagator: MaskPropagator | None = None, min_iou: float = 0.25
    ) -> None:
        self.estimator = estimator
        self.propagator = propagator
        self.min_iou = min_iou

    def __sklearn_tags__(self) -> Any:
        """Be to scikit-learn what the estimator is."""
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        for name in ("estimator_type", "target_tags", "input_tags"):
            setattr(tags, name, getattr(inner, name))
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def fit(
        self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None, **fit_params: Any
    ) -> "Self":
        """Fill in masks, and train on labels and masks.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Inputs of any numeric dtype.
        y : array-like of shape (n,)
            Class labels or target values.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            Masks of some samples, in the shapes that the estimator takes; NaN, or None in a list,
            where unknown.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights; a sample of weight 0 takes part in nothing.
        **fit_params
            Passed on to the estimator's `fit`.

        Returns
        -------
        self
        """
        self._validate_params()
        if not hasattr(self.estimator, "get_params"):
            raise TypeError(
                f"estimator must be one of scikit-learn's kind, got {self.estimator!r}."
            )
        check_takes_no_texts(
            self.estimator, "put the tokenizer outside, WithTokenizer(WithPropagatedMasks(...))"
        )
        given_mask, estimator, propagator = mask, clone(self.estimator), None
        if mask is not None:
            mask, propagator = self._propagate(estimator, X, y, mask, sample_weight)
        given = {"mask": mask, "sample_weight": sample_weight, **fit_params}
        given = {name: value for name, value in given.items() if value is not None}
        if _routing_enabled():
            given = process_routing(self, "fit", **given).estimator.fit
        estimator.fit(X, y, **given)
        # Only now: nothing learnt earlier is lost to a bad argument.
        self.estimator_, self.propagator_ = estimator, propagator
        self.propagated_ = mask is not given_mask
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        return self

    def _propagate(self, estimator: Any, X: Any, y: Any, mask: Any, sample_weight: Any) -> Any:
        """Return the mask to train on (the given one where none is filled in), and the propagator.

        The propagator is fitted, or None.
        """
        propagator = MaskPropagator() if self.propagator is None else clone(self.propagator)
        marks = _parameter(estimator, "mask_marks")
        if marks is not None:
            propagator.set_params(mask_marks=marks)
        if propagator.random_state is None:
            # A clone, so that nothing is drawn from a RandomState of the estimator's.
            propagator.set_params(random_state=_parameter(clone(estimator), "random_state"))
        if not propagator.verbose:
            propagator.set_params(verbose=_parameter(estimator, "verbose") or 0)
        checked = check_inputs(propagator, X)
        _, rows = check_weights(sample_weight, checked)
        masks = interpret_mask(
            mask, checked.shape, marks=propagator.mask_marks, **labels_beside(X, y)
        )
        complete = known_features(masks, len(checked))[rows].all()
        if complete or not masks.annotated[rows].any():
            return mask, None
        propagator._fit_without_warning(X, mask, sample_weight)
        if propagator.iou_ < self.min_iou:
            self._warn_that_none_is_filled_in(propagator)
            return mask, propagator
        propagator._warn_about_quality(stacklevel=4)
        return propagator.fill(X, mask), propagator

    def _warn_that_none_is_filled_in(self, propagator: Any) -> None:
        warnings.warn(
            f"{type(self).__name__} fills in no mask, and trains on the "
            f"{propagator.n_annotated_} that were given: masks of {propagator.n_measured_} samples "
            f"left out are predicted with an intersection over union of {propagator.iou_:.2f}, and "
            f"min_iou={self.min_iou:g} is asked for. Annotate more samples of every kind, or try "
            f"propagator=MaskPropagator(n_steps={4 * propagator.n_steps}, max_side=64); min_iou=0 "
            f"fills in all the same.",
            UnreliableMaskWarning,
            stacklevel=4,
        )

    @property
    def mask_marks(self) -> Any:
        """What a mask value of 1 says, as the estimator has it; scorers that take masks ask."""
        return self.estimator.mask_marks

    @property
    def classes_(self) -> Any:
        """Class labels."""
        return self.estimator_.classes_


def _parameter(estimator: Any, name: Any) -> Any:
    """Return a parameter of an estimator or of one nested in it; None if there is none."""
    params = estimator.get_params(deep=True)
    found = (value for key, value in params.items() if key.rpartition("__")[2] == name)
    return next((value for value in found if value is not None), None)
