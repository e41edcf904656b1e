"""What estimators share that fit another one on swapped copies."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.utils import _safe_indexing, check_consistent_length, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    assert_all_finite,
    column_or_1d,
)

from .._checks import as_array, check_no_dates, check_nothing_hidden
from ..estimators._delegation import DelegatedPredictionsMixin
from ..estimators._fit_routing import FitRoutingMixin
from ..estimators._mask_warnings import warn_about_masks
from ..estimators._missing import check_none_missing
from ..estimators._parameters import COUNT, StrOptions
from ..exceptions import MissingExplanationWarning
from ..masks import Masks
from ..masks._meaning import Marks
from ..metrics._perturb import make_generator
from ..penalties import AverageCasePenalty
from ..training._method import Term
from ._copies import MODES, SwappedCopies, make_plan, read_masks, settings_of_matrix
from ._texts import with_shared_texts
from ._weights import check_weight, fix_class_weights, half_of_the_say, weight_keyword


@with_shared_texts
class BaseSwapAugmented(
    DelegatedPredictionsMixin, FitRoutingMixin, MetaEstimatorMixin, BaseEstimator
):
    """Base of the classifier and the regressor.

    Parameters
    ----------
    estimator : estimator
        What is fitted; see the subclasses for all parameters.
    """

    # Masks are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "estimator": "no_validation",
        "n_copies": [COUNT],
        "mode": [StrOptions(set(MODES))],
        "mask_marks": [StrOptions({"irrelevant", "relevant"})],
        "exchange": ["boolean"],
        "pad_id": [Integral, None],
        "random_state": ["random_state"],
    }

    # Function that recognises the estimators that it takes, and what these are called.
    _kind: tuple[Callable[[Any], bool], str]

    def __init__(
        self,
        estimator: Any,
        *,
        n_copies: int = 3,
        mode: str = "replace",
        mask_marks: Marks = "irrelevant",
        exchange: bool = True,
        pad_id: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_copies = n_copies
        self.mode = mode
        self.mask_marks = mask_marks
        self.exchange = exchange
        self.pad_id = pad_id
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator."""
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        for name in ("estimator_type", "target_tags", "input_tags", "non_deterministic"):
            setattr(tags, name, getattr(inner, name))
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        return tags

    def fit(
        self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None, **fit_params: Any
    ) -> Any:
        """Fit the estimator on samples with the irrelevant part of other samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), sparse matrix, DataFrame or lists of tokens
            Inputs as the estimator takes them.
        y : array-like of shape (n_samples,)
            Class labels or target values.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            Masks over the columns, pixels or positions of X itself, before any encoder: bool or
            degrees in [0, 1], NaN where unknown, None in a list for a sample without a mask.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Non-negative weights; a sample of weight 0 takes part in nothing.
        **fit_params
            Passed on to the estimator's `fit`; what has one entry per sample is repeated for
            its copies.

        Returns
        -------
        self
        """
        self._validate_params()
        self._check_kind()
        estimator = clone(self.estimator)
        keyword = weight_keyword(estimator)
        if sample_weight is not None and keyword is None:
            raise TypeError(
                f"sample_weight must be None with estimator={type(estimator).__name__}, whose fit "
                f"takes no weights{_routing_hint()}; got {type(sample_weight).__name__}."
            )
        for name, values in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            check_nothing_hidden(name, values)
        check_none_missing("y", y)  # in X it may be
        if is_regressor(self):
            check_no_dates("y", y)
        masks = None
        if mask is not None:
            if y is None:
                raise ValueError(
                    f"{type(self).__name__} requires y to be passed, but the target y is None."
                )
            check_consistent_length(X, y)
            masks = read_masks(X, mask, self.mask_marks, y)
        if masks is None or self._nothing_marked(masks, sample_weight, X):
            self._warn(mask, masks)
            self.n_samples_fitted_: int | None = None
            given = {}
            if keyword is not None and sample_weight is not None:
                given[keyword] = sample_weight
        else:
            X, y, given, fit_params = self._augment(
                estimator, X, y, masks, sample_weight, keyword, fit_params
            )
        estimator.fit(X, y, **self._routed(keyword, given, fit_params))
        # Only now: nothing learnt earlier is lost to a bad argument.
        self.estimator_ = estimator
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        return self

    def _check_kind(self) -> None:
        is_kind, kind = self._kind
        if not is_kind(self.estimator):
            raise TypeError(
                f"estimator must be a {kind} for {type(self).__name__}, got "
                f"{type(self.estimator).__name__}."
            )

    def _nothing_marked(self, masks: Masks, sample_weight: Any, X: Any) -> bool:
        marked = masks.has_irrelevant
        if sample_weight is not None:
            marked = marked & (check_weight(sample_weight, X) > 0)
        return not marked.any()

    def _warn(self, mask: Any, masks: Masks | None) -> None:
        if masks is None:
            problem = "fitted without a mask"
        elif not masks.annotated.any():
            problem = "fitted with masks that annotate no sample"
        else:
            problem = "fitted with masks that mark no feature as irrelevant"
        warnings.warn(
            f"{type(self).__name__} is {problem}: it is the estimator inside, fitted on labels "
            f"alone. See docs/masks.md#samples-without-a-mask.",
            MissingExplanationWarning,
            stacklevel=3,
        )

    def _warn_of_what_remains(self, masks: Masks, rows: np.ndarray, y: Any) -> None:
        """Warn where the masks leave a shortcut in place, as SwapExClassifier does."""
        penalty = AverageCasePenalty("swap", exchange=self.exchange)
        labels, codes = None, None
        if is_classifier(self):
            y = column_or_1d(y)
            assert_all_finite(y, input_name="y")
            check_classification_targets(y)
            labels, codes = np.unique(y, return_inverse=True)
        term = Term("swap", penalty, "replace")
        penalised = penalty.applies_to(masks)
        warn_about_masks(self, (term,), masks, codes, rows, penalised, labels, stacklevel=5)

    def _augment(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        masks: Masks,
        sample_weight: Any,
        keyword: str | None,
        fit_params: dict[str, Any],
    ) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
        """Return what the estimator is fitted on: inputs, targets, weights and other arguments."""
        weight = check_weight(sample_weight, X)
        every = np.flatnonzero(weight > 0)
        if len(every) < len(weight):
            masks = masks.of_rows(every)
        self._warn_of_what_remains(masks, every, y)
        tokens = settings_of_matrix(X, self.pad_id)
        copies = SwappedCopies(X, masks, self.exchange, tokens, weight)
        if is_classifier(self):
            fix_class_weights(estimator, y, weight)
        plan = make_plan(every, copies.rows, self.n_copies, self.mode, repeat=keyword is None)
        swapped, rows = copies.assemble(plan, make_generator(self.random_state))
        self.n_samples_fitted_ = len(rows)
        given = {}
        if keyword is not None:
            weight = half_of_the_say(weight, copies.rows)
            given[keyword] = weight[rows] / np.bincount(rows)[rows]
        if fit_params:
            fit_params = _check_method_params(X, fit_params, indices=rows)
        targets = _safe_indexing(y if hasattr(y, "iloc") else as_array("y", y), rows)
        if hasattr(targets, "reset_index"):  # as a DataFrame of copies has
            targets = targets.reset_index(drop=True)
        return swapped, targets, given, fit_params

    def _routed(
        self, keyword: str | None, given: dict[str, Any], fit_params: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the arguments for the estimator's `fit`, as routing says where it is on."""
        if not _routing_enabled():
            return {**given, **fit_params}
        is_router = hasattr(self.estimator, "get_metadata_routing") and isinstance(
            self.estimator.get_metadata_routing(), MetadataRouter
        )
        if is_router:  # it hands the weights to those of its parts that request them
            fit_params, given = {**given, **fit_params}, {}
        routed = process_routing(self, "fit", **fit_params).estimator.fit if fit_params else {}
        return {**given, **routed}


def _routing_hint() -> str:
    if not _routing_enabled():
        return ""
    return ", or does not request them (set_fit_request(sample_weight=True) on its steps)"
