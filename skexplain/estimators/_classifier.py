"""Base of the classifiers: labels, class weights, probabilities."""

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from ..penalties._input_gradient import Output
from ..training._label_losses import CrossEntropyLoss, FocalLoss, OwnLoss
from ._base import BaseExplanationEstimator
from ._parameters import LABEL_CONSTRAINTS, LABEL_TEXT, ModuleLike
from ._validation import within_float32

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseExplanationClassifier(ClassifierMixin, BaseExplanationEstimator):
    """Base of the classifiers that take a mask beside X and y.

    Parameters
    ----------
    %(parameters)s
    """

    _parameter_constraints: dict = LABEL_CONSTRAINTS
    _texts = LABEL_TEXT
    _attributes = "classes_ : ndarray of shape (n_classes,)\n        Class labels.\n    "
    _words = {
        "outputs": "logits of shape (n_samples, n_classes)",
        "targets": "Class labels.",
    }
    # The score whose input gradient an added penalty takes.
    _gradient_output: Output = "log_prob_sum"

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        label_loss: Any = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.label_loss = label_loss
        self.focal_gamma = focal_gamma
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, *, mask: Any = None, sample_weight: Any = None) -> "Self":
        """Train on labels and masks.

        Parameters
        ----------
        %(fit)s

        Returns
        -------
        self
        """
        go_on = self.warm_start and hasattr(self, "trainer_")
        return self._fit(X, y, mask, sample_weight, go_on=go_on)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, *, mask: Any = None, sample_weight: Any = None
    ) -> "Self":
        """Train for one more epoch.

        Epochs trained one by one are those of one `fit`, bit for bit.  All samples train: early
        stopping holds none out here.

        Parameters
        ----------
        %(fit)s
        classes : array-like of shape (n_classes,), default=None
            All class labels; needed at the first call.

        Returns
        -------
        self
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight must be a dict or None in partial_fit, got {self.class_weight!r}: "
                f"the samples of one call do not show how frequent classes are."
            )
        go_on, classes = self._check_classes(classes)
        return self._fit(X, y, mask, sample_weight, go_on=go_on, partial=True, classes=classes)

    def _check_classes(self, classes: Any) -> Any:
        """Return whether partial_fit goes on, and the classes it was given, sorted."""
        go_on = hasattr(self, "trainer_")
        if classes is None and not go_on:
            raise ValueError("classes must be passed at the first call of partial_fit.")
        if classes is not None:
            classes = unique_labels(classes)
            if go_on and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes must be those of the first call, {self.classes_}; got {classes}."
                )
        return go_on, classes

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
        winners = self._outputs(X).argmax(1).numpy()
        return self.classes_[winners]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of the shape of the training inputs
            Inputs; no mask is needed.

        Returns
        -------
        ndarray of float64 of shape (n, n_classes)
            In the order of ``classes_``.
        """
        return self._outputs(X).double().softmax(1).numpy()

    def _label_loss(self) -> Any:
        if self.label_smoothing and self.label_loss != "cross_entropy":
            raise ValueError(
                f'label_smoothing must be 0 unless label_loss="cross_entropy"; got '
                f"{self.label_smoothing} with label_loss={self.label_loss!r}."
            )
        if callable(self.label_loss):
            return OwnLoss(self.label_loss)
        if self.label_loss == "focal":
            return FocalLoss(self.focal_gamma)
        return CrossEntropyLoss(self.label_smoothing)

    def _loss_scale(self) -> float:
        """Return the label loss of a constant prediction: the log of the number of classes."""
        return float(np.log(len(self.classes_)))

    def _n_outputs(self) -> int:
        return len(self.classes_)

    def _encode_targets(
        self,
        y: Any,
        rows: NDArray[Any],
        sample_weight: Any,
        go_on: bool,
        partial: bool,
        classes: Any,
    ) -> Any:
        check_classification_targets(y)
        if y.dtype.kind == "V":
            raise ValueError(f"y must hold class labels, numbers or text; got dtype {y.dtype}.")
        if not go_on:
            self.classes_ = np.unique(y) if classes is None else classes
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold the classes {self.classes_}, got {unknown} besides.")
        encoded = np.searchsorted(self.classes_, y)
        if not partial and len(np.unique(encoded[rows])) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least two classes (of positive "
                f"sample_weight); got one class only, {self.classes_[encoded[rows[0]]]}."
            )
        return encoded

    def _label_weight(self, y: Any, sample_weight: Any, rows: NDArray[Any]) -> Any:
        """Sample weight times class weight, or None where all are equal."""
        if self.class_weight is None:
            return sample_weight
        self._check_class_weight()
        weight = self._class_weight(y[rows], None if sample_weight is None else sample_weight[rows])
        weight = weight[y]
        if sample_weight is not None:
            weight = weight * sample_weight
        if not weight[rows].any():
            raise ValueError("class_weight must be positive for some class in y; got zeros.")
        return None if np.ptp(weight[rows]) == 0 else within_float32(weight)

    def _class_weight(self, y: Any, sample_weight: Any) -> Any:
        """Weight of each class; "balanced" as in scikit-learn, over the classes that are there."""
        if self.class_weight != "balanced":
            labels = self.classes_[y]
            return compute_class_weight(self.class_weight, classes=self.classes_, y=labels)
        totals = np.bincount(y, weights=sample_weight, minlength=len(self.classes_))
        there = totals > 0
        balanced = np.zeros(len(totals))
        balanced[there] = totals.sum() / (there.sum() * totals[there])
        return balanced

    def _check_class_weight(self) -> None:
        given = self.class_weight.values() if isinstance(self.class_weight, dict) else ()
        if not all(map(_is_weight, given)):
            raise ValueError(
                f"class_weight must give non-negative numbers, got {self.class_weight!r}."
            )


def _is_weight(value: float) -> bool:
    return isinstance(value, Real) and 0 <= value < np.inf
