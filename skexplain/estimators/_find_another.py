"""Find another explanation: models that look elsewhere than those before them."""

import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .._typing import Seed
from ..exceptions import DivergenceError, MissingExplanationWarning, ShortcutInUseWarning
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ._classifier import BaseExplanationClassifier
from ._concept_grad_reg import ConceptGradRegClassifier
from ._grad_reg import GradRegClassifier
from ._largest_gradients import CUTOFF, largest_gradient_mask, mean_irrelevance, mean_over
from ._parameters import COUNT, SHARE, Interval, Whole, root_seed
from ._validation import check_inputs, check_weights, unchanged_on_error

if TYPE_CHECKING:
    from typing_extensions import Self

# By how much alpha rises where an explanation does not move away.
_ALPHA_FACTOR = 10


class FindAnotherExplanationClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Models that predict the labels for different reasons, found one after the other.

    The first model is trained on labels and `mask` alone, each further one from scratch with what
    all models before it used marked as irrelevant, too:

    .. math:: A_i = A_{i-1} \cup M_{i-1}, \quad
        M_i = \{(n, d) : |u_d g_{nd}| > c \max_{d'} |u_{d'} g_{nd'}|\}

    with g the input gradient of :math:`\max_k p_k` under model i, u the input unit and c the cutoff
    (Ross et al. 2017 [1]_).  Use it where there are no annotations: inspect `explanations_`, and
    `select` the model that is right for the right reasons, or mark what a model should not have
    used and go on with `fit_next`.  It costs as many fits as there are models.

    Parameters
    ----------
    estimator : classifier of this package or None, default=None
        What is trained; None: ``GradRegClassifier(norm="l2", alpha=1.0)``, as published.  Its masks
        must be over the features of X.
    n_explanations : int, default=5
        Number of models at most.
    cutoff : float, default=0.67
        Share c of a sample's largest gradient beyond which a feature counts as a reason; below 1.
    min_accuracy : float, default=0.9
        The search stops before a model whose training accuracy is below this fraction of the
        first's: no reasons are left.
    max_overlap : float, default=0.5
        It stops before a model of which more than this share of reasons had been marked as
        irrelevant: the mean over samples of the mean irrelevance over :math:`M_i`.
    max_alpha_raises : int, default=2
        How often a model that overlaps too much is trained anew with ten times the `alpha`, before
        the search stops.  Where an estimator has a single alpha above zero.
    random_state : int, RandomState instance or None, default=None
        Each model gets a seed of its own that follows from it, instead of the estimator's.

    Attributes
    ----------
    estimators_ : list of classifiers
        The models, trained on arrays, with ``mask_marks="irrelevant"``; of a DataFrame hand them
        the values, or use `select`.
    masks_ : list of (ndarray or None)
        What was irrelevant to each, :math:`A_i`: bool or degrees in [0, 1], NaN where
        unknown, whatever ``mask_marks`` of `estimator` says; None for nothing.
    explanations_ : list of ndarray of bool of shape (n, d), (n, h, w) or (n, 1, h, w)
        What each used in the training samples, :math:`M_i`.
    accuracies_ : list of float
        Training accuracy of each.
    overlaps_ : list of float
        Share of each explanation that its mask had marked as irrelevant.
    stop_reason_ : {"n_explanations", "min_accuracy", "max_overlap"} or None
        The parameter that ended the search; None after a search that was interrupted.
    rejected_ : Bunch or None
        The model before which the search stopped: `estimator`, `mask`, `explanation`, `accuracy`
        and `overlap`.
    selected_ : int or None
        Index of the model that predicts; None: the mean of all.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    n_features_in_ : int
        Length of axis 1 of X.
    input_shape_ : tuple of int
        Shape of one sample.
    feature_names_in_ : ndarray of str
        Column names, where X had any.

    See Also
    --------
    skexplain.inspection.largest_gradient_mask : The features that a model uses.
    GradRegClassifier : The same penalty with masks that a person made.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import FindAnotherExplanationClassifier, GradRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 6))
    >>> X[:, 0] += 8 * y  # two columns predict the label, the first one better
    >>> X[:, 1] += 2 * y
    >>> base = GradRegClassifier(norm="l2", alpha=1.0, lr=0.01, max_epochs=40)
    >>> clf = FindAnotherExplanationClassifier(base, random_state=0).fit(X, y)
    >>> [int(explanation.mean(axis=0).argmax()) for explanation in clf.explanations_]
    [0, 1]
    >>> clf.stop_reason_  # the third model would have used the same columns again
    'max_overlap'
    >>> X[:, 0] = 0  # the first column breaks
    >>> bool(clf.select(0).score(X, y) < 0.7 and clf.select(1).score(X, y) > 0.8)
    True
    """

    # Masks are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}

    _parameter_constraints: dict = {
        "estimator": [BaseExplanationClassifier, None],
        "n_explanations": [COUNT],
        "cutoff": [Interval(Real, 0, 1, closed="left")],
        "min_accuracy": [SHARE],
        "max_overlap": [SHARE],
        "max_alpha_raises": [Whole(0)],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        n_explanations: int = 5,
        cutoff: float = CUTOFF,
        min_accuracy: float = 0.9,
        max_overlap: float = 0.5,
        max_alpha_raises: int = 2,
        random_state: Seed = None,
    ) -> None:
        self.estimator = estimator
        self.n_explanations = n_explanations
        self.cutoff = cutoff
        self.min_accuracy = min_accuracy
        self.max_overlap = max_overlap
        self.max_alpha_raises = max_alpha_raises
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn: images are inputs, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # -- search -----------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None) -> "Self":
        """Train one model after the other until one of the rules stops the search.

        An error before the first model is trained leaves what was there; after that, the models
        found so far stay.

        Parameters
        ----------
        X : array-like of shape (n, d), (n, h, w) or (n, channels, h, w)
            Inputs of any numeric dtype.
        y : array-like of shape (n,)
            Class labels.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            What is known to be irrelevant already (or, with the estimator's
            ``mask_marks="relevant"``, what may be a reason), in the shapes that the estimator
            takes.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights; a sample of weight 0 takes part in nothing.

        Returns
        -------
        self
        """
        with unchanged_on_error(self):
            self._validate_params()
            labels = labels_beside(X, y)
            X, y = check_inputs(self, X, y)
            self.input_shape_ = X.shape[1:]
            self._root = root_seed(self.random_state)
            self._forget()
            first = self._train(X, y, self._irrelevance(mask, X, labels), sample_weight)
            self.classes_ = first.estimator.classes_
            self._keep(first)
        self._search(X, y, sample_weight)
        return self

    def fit_next(self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None) -> Any:
        """Train the next model and keep it: here a person decides instead of the rules.

        The model equals the one to which `fit` would have come with these masks.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs; with ``mask=None``, the samples of the last call in their order.
        y : array-like of shape (n,)
            Class labels.
        mask : array-like, list of (array-like or None), DataFrame or None, default=None
            The masks that a person accepted, in place of all earlier ones; as for `fit`.  None:
            what was irrelevant to the last model and what it used.
        sample_weight : array-like of shape (n,) or None, default=None
            Non-negative weights; a sample of weight 0 takes part in nothing.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `y` holds other classes than at `fit`, or without `mask` if X has other samples.
        """
        check_is_fitted(self, "estimators_")
        self._validate_params()
        labels = labels_beside(X, y, self)
        X, y = check_inputs(self, X, y, reset=False)
        if not np.array_equal(np.unique(y), self.classes_):
            raise ValueError(
                f"y must hold the classes of fit, {self.classes_}; got {np.unique(y)}."
            )
        if mask is None:
            self._check_same_rows(X)
            irrelevance = self._next_irrelevance()
        else:
            irrelevance = self._irrelevance(mask, X, labels)
        self._keep(self._train(X, y, irrelevance, sample_weight))
        return self

    def select(self, index: int | None) -> "FindAnotherExplanationClassifier":
        """Choose who predicts.

        Parameters
        ----------
        index : int or None
            Position in ``estimators_``, from 0; None: the mean of all.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no model at that position.
        """
        check_is_fitted(self, "estimators_")
        n_models = len(self.estimators_)
        is_position = isinstance(index, Integral) and 0 <= index < n_models
        if index is not None and not is_position:
            raise ValueError(
                f"index must be None or the position of a model, from 0 to {n_models - 1}; got "
                f"{index!r}."
            )
        self.selected_ = index
        return self

    def _forget(self) -> None:
        lists: Any = ([] for _ in range(5))
        self.estimators_, self.masks_, self.explanations_, self.accuracies_, self.overlaps_ = lists
        self.stop_reason_: str | None = None
        self.rejected_ = self.selected_ = None

    def _keep(self, found: Any) -> None:
        self.estimators_.append(found.estimator)
        self.masks_.append(found.mask)
        self.explanations_.append(found.explanation)
        self.accuracies_.append(found.accuracy)
        self.overlaps_.append(found.overlap)

    def _search(self, X: Any, y: Any, sample_weight: Any) -> None:
        while len(self.estimators_) < self.n_explanations:
            found = self._train_apart(X, y, sample_weight)
            self.stop_reason_ = self._problem(found)
            if self.stop_reason_ is not None:
                self.rejected_ = found
                return
            self._keep(found)
        self.stop_reason_ = "n_explanations"

    def _train_apart(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Train the next model, with a higher alpha where it does not move away."""
        irrelevance = self._next_irrelevance()
        found = self._train(X, y, irrelevance, sample_weight)
        for _ in range(self.max_alpha_raises):
            alpha = _ALPHA_FACTOR * found.estimator.alpha_
            single = not isinstance(getattr(found.estimator, "alpha", None), dict)
            if self._problem(found) != "max_overlap" or not (single and alpha > 0):
                break
            try:
                found = self._train(X, y, irrelevance, sample_weight, alpha=alpha)
            except DivergenceError:  # alpha can rise no further
                break
        return found

    def _problem(self, found: Any) -> Any:
        """Name the parameter that a further model does not meet, or None."""
        if found.accuracy < self.min_accuracy * self.accuracies_[0]:
            return "min_accuracy"
        return "max_overlap" if found.overlap > self.max_overlap else None

    def _train(self, X: Any, y: Any, irrelevance: Any, sample_weight: Any, **params: Any) -> Any:
        """Train a model from scratch and explain it."""
        key = [self._root, len(self.estimators_)]
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        estimator = clone(self._base_estimator())
        estimator.set_params(mask_marks="irrelevant", random_state=seed, **params)
        with warnings.catch_warnings():
            # How far another model leaves the reasons of earlier ones is judged by its overlap.
            warnings.simplefilter("ignore", ShortcutInUseWarning)
            if irrelevance is None:  # the first model is meant to learn from labels alone
                warnings.simplefilter("ignore", MissingExplanationWarning)
            estimator.fit(X, y, mask=irrelevance, sample_weight=sample_weight)
        explanation = largest_gradient_mask(estimator, X, cutoff=self.cutoff)
        weight, rows = check_weights(sample_weight, X)
        hits = estimator.predict(X) == y
        overlap, has_reasons = mean_irrelevance(explanation, irrelevance)
        return Bunch(
            estimator=estimator,
            mask=irrelevance,
            explanation=explanation,
            accuracy=mean_over(hits, rows, weight),
            overlap=mean_over(overlap, rows[has_reasons[rows]], weight),
        )

    def _base_estimator(self) -> Any:
        estimator = self.estimator
        if estimator is None:
            estimator = GradRegClassifier(norm="l2", alpha=1.0)
        if isinstance(estimator, ConceptGradRegClassifier):
            raise ValueError(
                f"estimator must take masks over the features of X; got "
                f"{type(estimator).__name__}, whose masks are over the units of a layer."
            )
        return estimator

    # -- masks ------------------------------------------------------------------------------------

    def _irrelevance(self, mask: Any, X: Any, labels: Any) -> Any:
        """Read a mask of the user's as degrees of irrelevance, NaN where unknown."""
        marks = self._base_estimator().mask_marks
        masks = interpret_mask(mask, X.shape, marks=marks, **labels)
        if masks is None:
            return None
        if not masks.annotated.any():
            return np.full((1, *X.shape[1:]), np.nan, dtype=np.float32)
        values = masks.values
        if masks.marks_relevant:
            values = ~values if values.dtype == bool else 1 - values
        if masks.annotated.all():
            return values
        annotated = masks.annotated.reshape(-1, *(1,) * (X.ndim - 1))
        return np.where(annotated, values, np.float32(np.nan))

    def _next_irrelevance(self) -> Any:
        """Unite what was irrelevant to the last model and what it used."""
        mask, explanation = self.masks_[-1], self.explanations_[-1]
        return explanation if mask is None else np.where(explanation, True, mask)

    def _check_same_rows(self, X: Any) -> None:
        if self.explanations_[-1] is None:
            raise ValueError(
                "mask must be given: the file that this estimator was loaded from holds no masks. "
                "save(..., with_masks=True) stores them."
            )
        n_rows = len(self.explanations_[-1])
        if len(X) != n_rows:
            raise ValueError(
                f"mask must be given if X does not hold the {n_rows} samples of the last model; "
                f"got {len(X)} samples and mask=None."
            )

    # -- prediction -------------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of shape (n,)
        """
        winners = self.predict_proba(X).argmax(1)
        return self.classes_[winners]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities: the mean over the models, or those of the selected one.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of float64 of shape (n, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self, "estimators_")
        X = check_inputs(self, X, reset=False)
        who = slice(None) if self.selected_ is None else slice(self.selected_, self.selected_ + 1)
        return np.mean([model.predict_proba(X) for model in self.estimators_[who]], axis=0)
