"""Gradients at hidden units, or along concepts: what must not matter is no place in the input."""

from typing import Any

from numpy.typing import ArrayLike

from ..penalties import ConceptGradientPenalty
from ..penalties._input_gradient import Norm, Output
from ..training._method import Method, Term
from ._classifier import BaseExplanationClassifier
from ._parameters import ALPHA, ModuleLike
from ._regressor import BaseExplanationRegressor

_ALPHA_TEXT = """\
alpha : float or "auto", default=2.0
        Weight of the penalty; 0 is the label loss alone.  "auto" trains the first epoch without
        and then takes the ratio of label loss to penalty."""


class ConceptGradRegClassifier(BaseExplanationClassifier):
    r"""Classifier whose output may not react to irrelevant hidden units or concepts.

    Adds to the label loss, for a sample with irrelevance a over the units of a layer h (or over
    directions c in their space) and the score s of its class, the share of the gradient at the
    layer that lies on irrelevant ones,

    .. math:: \alpha \, \log K \, \frac{\lVert (a_j \; c_j \cdot \partial s / \partial h)_j
        \rVert_2}{\lVert \partial s / \partial h \rVert_2},

    with the number K of classes.  A mask here has a column per unit or concept, not per feature of
    X.  Use it where what must not matter is a notion that a layer holds and no place in the input:
    a unit of a bottleneck, or a concept activation vector (Kim et al. 2018 [1]_).  A step costs
    about three of the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : The same at the features of X.

    References
    ----------
    .. [1] B. Kim et al. (2018). Interpretability Beyond Feature Attribution: Quantitative Testing
       with Concept Activation Vectors (TCAV). ICML.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skexplain import ConceptGradRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> with torch.random.fork_rng():
    ...     module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    >>> units = np.array([[False, True]])  # the second hidden unit must not matter
    >>> clf = ConceptGradRegClassifier(module, layer="0", max_epochs=60, lr=0.01, random_state=0)
    >>> weight = clf.fit(X, y, mask=units).module_[1].weight.detach()
    >>> effect = (weight[1] - weight[0]).abs()  # of each unit on the log odds
    >>> bool(effect[1] < 0.1 * effect[0])
    True
    """

    _penalties = (ConceptGradientPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 2.0,
        layer: Any = "features",
        concepts: ArrayLike | None = None,
        output: Output = "auto",
        norm: Norm = "share",
        channel_axis: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.layer = layer
        self.concepts = concepts
        self.output = output
        self.norm = norm
        self.channel_axis = channel_axis

    def _method(self) -> Method:
        penalty = ConceptGradientPenalty(
            self.layer, self.concepts, self.output, self.norm, self.channel_axis
        )
        return Method((Term("input_gradient", penalty, self.alpha),))


class ConceptGradRegRegressor(BaseExplanationRegressor):
    r"""Regressor whose prediction may not react to irrelevant hidden units or concepts.

    `ConceptGradRegClassifier` with the squared error and the gradient of the prediction; the share
    is multiplied by the variance of the training targets.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegRegressor : The same at the features of X.

    References
    ----------
    .. [1] B. Kim et al. (2018). Interpretability Beyond Feature Attribution: Quantitative Testing
       with Concept Activation Vectors (TCAV). ICML.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skexplain import ConceptGradRegRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> with torch.random.fork_rng():
    ...     module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    >>> units = np.array([[False, True]])  # the second hidden unit must not matter
    >>> reg = ConceptGradRegRegressor(module, layer="0", max_epochs=60, lr=0.01, random_state=0)
    >>> weight = reg.fit(X, y, mask=units).module_[1].weight.detach()[0].abs()
    >>> bool(weight[1] < 0.1 * weight[0])
    True
    """

    _penalties = (ConceptGradientPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 2.0,
        layer: Any = "features",
        concepts: ArrayLike | None = None,
        norm: Norm = "share",
        channel_axis: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.layer = layer
        self.concepts = concepts
        self.norm = norm
        self.channel_axis = channel_axis

    def _method(self) -> Method:
        penalty = ConceptGradientPenalty(
            self.layer, self.concepts, self._gradient_output, self.norm, self.channel_axis
        )
        return Method((Term("input_gradient", penalty, self.alpha),))
