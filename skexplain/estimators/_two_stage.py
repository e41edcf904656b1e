"""Two-stage optimisation with a mapping layer."""

from typing import Any, Literal

from numpy.typing import ArrayLike
from torch import nn

from ..penalties import MaskedFeaturePenalty
from ..training._method import Mapping, Method, Term
from ._classifier import BaseExplanationClassifier
from ._parameters import NON_NEGATIVE, POSITIVE, ModuleLike, StrOptions

MAPPING_TEXT = """\
mapping : {"linear", "low_rank", "conv1x1"}, torch.nn.Module or None, default="linear"
        The mapping layer: over the flattened features, the features plus a map of them of rank 32
        (for features so many that a square matrix over them is larger than the network), over
        their channels, a module of one's own that keeps their shape (it is copied), or none, where
        the second step trains the features.
    mapping_init : {"default", "identity"}, default="default"
        Start of the mapping: torch's random values, or the identity.
    mapping_lr : float, default=1e-3
        Learning rate of the second step; its optimizer is of the same class.  Callbacks such as
        skorch's ``LRScheduler`` act on the first step's.
    feature_layer : str or None, default=None
        Submodule whose output is f; None: the child ``features``, else all before the last linear
        layer."""


MAPPING_CONSTRAINTS = {
    "mapping": [StrOptions({"linear", "low_rank", "conv1x1"}), nn.Module, None],
    "mapping_init": [StrOptions({"default", "identity"})],
    "mapping_lr": [POSITIVE],
    "feature_layer": [str, None],
    "schedule": [StrOptions({"joint", "two_stage"})],
}


def mapping_of(estimator: Any) -> Mapping:
    """Return the mapping layer that the parameters of an estimator describe.

    Raises
    ------
    ValueError
        If a layer that is no built-in one is to start as the identity.
    """
    if estimator.mapping_init == "identity" and not isinstance(estimator.mapping, str):
        raise ValueError(
            f'mapping_init="identity" goes with mapping="linear", "low_rank" or "conv1x1", got '
            f"mapping={estimator.mapping!r}."
        )
    return Mapping(
        estimator.mapping,
        estimator.mapping_init,
        estimator.feature_layer,
        lr=estimator.mapping_lr if estimator.schedule == "two_stage" else None,
    )


class TwoStageExplanationClassifier(BaseExplanationClassifier):
    r"""Classifier with a mapping layer that learns what the features of the reasons look like.

    Between the features f and the head c stands a mapping layer m.  Each step (Algorithm 1 of Tao
    & Shokri [1]_) first moves all weights on the label loss of c(m(f(x))), then m alone on

    .. math:: KL(\mathrm{softmax}\, f(x') \,\|\, \mathrm{softmax}\, m(f(x)))

    where x' is the sample with its irrelevant features filled and f is computed anew.  Use it when
    data are few and masks mark the reasons (``mask_marks="relevant"``); samples without a mask skip
    the second step.  A step costs about two of the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    ERMClassifier : The label loss without a mapping layer.

    References
    ----------
    .. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import TwoStageExplanationClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=100)
    >>> X = rng.normal(size=(100, 6))
    >>> X[:, 0] += 3 * y
    >>> reasons = np.array([[1, 0, 0, 0, 0, 0]])
    >>> clf = TwoStageExplanationClassifier(mask_marks="relevant", max_epochs=20, random_state=0)
    >>> clf.fit(X, y, mask=reasons).score(X, y) > 0.85
    True
    """

    _texts = f"""\
alpha : float, default=1.0
        Weight of the divergence in the joint schedule and in the objective that early stopping
        monitors; 0 switches the second step off: the same network, trained on labels.
    schedule : {{"two_stage", "joint"}}, default="two_stage"
        Two steps, or one step on the sum of label loss and alpha times the divergence, for all
        weights.
    mask_fill : float, "mean" or array-like, default=0.0
        What stands in for irrelevant features, in the unit of X: a number, the training mean of
        each column or channel, or an array that broadcasts to a sample.
    {MAPPING_TEXT}"""
    _parameter_constraints = {"alpha": [NON_NEGATIVE], **MAPPING_CONSTRAINTS}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        schedule: Literal["joint", "two_stage"] = "two_stage",
        mask_fill: float | ArrayLike | Literal["mean"] = 0.0,
        mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None = "linear",
        mapping_init: Literal["default", "identity"] = "default",
        mapping_lr: float = 1e-3,
        feature_layer: str | None = None,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.schedule = schedule
        self.mask_fill = mask_fill
        self.mapping = mapping
        self.mapping_init = mapping_init
        self.mapping_lr = mapping_lr
        self.feature_layer = feature_layer

    def _method(self) -> Method:
        only_mapping = self.schedule == "two_stage" and self.mapping is not None
        penalty = MaskedFeaturePenalty(self.mask_fill, train_features=not only_mapping)
        term = Term("mapping", penalty, self.alpha, prefix="mask_")
        return Method((term,), mapping=mapping_of(self))
