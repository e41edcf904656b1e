"""Input-gradient regularisation: right for the right reasons."""

from typing import Any, Literal

from ..penalties import InputGradientPenalty
from ..penalties._input_gradient import Norm, Output
from ..penalties._robust import Robust
from ..training._method import Method, Term
from ._classifier import BaseExplanationClassifier
from ._parameters import ALPHA, ModuleLike
from ._regressor import BaseExplanationRegressor

_ALPHA_TEXT = """\
alpha : float or "auto", default=2.0
        Weight of the penalty; 0 is the label loss alone.  "auto" trains the first epoch without
        and then takes the ratio of label loss to penalty (the rule of [1]_)."""


class GradRegClassifier(BaseExplanationClassifier):
    r"""Classifier whose output may not react to irrelevant features.

    Adds to the label loss, for a sample x with irrelevance a, input unit u and the input gradient
    g of the logit of its class (less the mean of all K logits),

    .. math:: \alpha \, \log K \, \frac{\lVert a \, u \, g \rVert_2}{\lVert u \, g \rVert_2},

    the share of the gradient that lies on irrelevant features, in units of the label loss of a
    constant prediction.  The published penalty (Ross et al. 2017 [1]_) is
    ``GradRegClassifier(norm="l2", alpha=1.0)``: :math:`\alpha \lVert a \, u \, g \rVert_2^2` with
    g the gradient of :math:`\sum_k \log p_k(x)`.  Its weight depends on the number of marked
    features and on the network.  A mask that marks all features alike leaves no share to learn
    from, with a warning: against small attacks on all features use "l2".

    Use it when the shortcut is small, when test values may lie outside the training range, or on
    tables.  It acts on infinitesimal changes only: against large ones (half an image) combine it
    with a perturbation, as `PGDExClassifier` does, or take the gradient where it is largest nearby,
    with `robust` (R4 of Ghitu et al. 2025 [3]_).  A step costs about three of the label loss's,
    as it differentiates twice.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    PGDExClassifier : Large perturbations, with this penalty on request.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.
    .. [3] M. Ghitu, V. Piratla, M. Wicker (2025). Model Guidance via Robust Feature Attribution.
       TMLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GradRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = GradRegClassifier(alpha=10, max_epochs=50, random_state=0).fit(X, y, mask=mask)
    >>> moved = X + [0, 1]
    >>> bool(np.mean(clf.predict(X) == clf.predict(moved)) > 0.95)
    True
    """

    _penalties = (InputGradientPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 2.0,
        output: Output = "auto",
        norm: Norm = "share",
        sign: Literal["both", "positive", "negative"] = "both",
        robust: Robust | None = None,
        epsilon: float = 1.0,
        n_steps: int = 10,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.output = output
        self.norm = norm
        self.sign = sign
        self.robust = robust
        self.epsilon = epsilon
        self.n_steps = n_steps

    def _method(self) -> Method:
        penalty = InputGradientPenalty(
            self.output, self.norm, self.sign, self.robust, self.epsilon, self.n_steps
        )
        return Method((Term("input_gradient", penalty, self.alpha),))


class GradRegRegressor(BaseExplanationRegressor):
    r"""Regressor whose prediction may not react to irrelevant features.

    Adds to the squared error, for a sample x with irrelevance a, input unit u and the gradient g of
    the prediction,

    .. math:: \alpha \, \sigma_y^2 \, \frac{\lVert a \, u \, g \rVert_2}{\lVert u \, g \rVert_2},

    the share of the gradient that lies on irrelevant features, times the variance of the training
    targets, so that neither the unit of X nor that of y matters.  ``norm="l2", alpha=1.0`` is the
    published penalty, :math:`\alpha \lVert a \, u \, g \rVert_2^2` (Ross et al. 2017 [1]_, for
    regression).  Use it on tables with a leaking column.  A step costs
    about three of the label loss's, as it differentiates twice.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : The same for classes.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GradRegRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> reg = GradRegRegressor(alpha=10, max_epochs=50, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """

    _penalties = (InputGradientPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 2.0,
        norm: Norm = "share",
        robust: Robust | None = None,
        epsilon: float = 1.0,
        n_steps: int = 10,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.norm = norm
        self.robust = robust
        self.epsilon = epsilon
        self.n_steps = n_steps

    def _method(self) -> Method:
        penalty = InputGradientPenalty(
            self._gradient_output, self.norm, "both", self.robust, self.epsilon, self.n_steps
        )
        return Method((Term("input_gradient", penalty, self.alpha),))
