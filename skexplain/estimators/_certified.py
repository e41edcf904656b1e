"""Certified robustness to perturbations of the irrelevant features."""

from typing import Any, Literal

from ..penalties import CertifiedPenalty
from ..training._method import Method, Term, added_gradient
from ._base import MixinBase
from ._classifier import BaseExplanationClassifier
from ._parameters import NON_NEGATIVE, SHARE, ModuleLike
from ._regressor import BaseExplanationRegressor


class _IBPEx(MixinBase):
    """Parameters and method of IBP-Ex."""

    _penalties = (CertifiedPenalty,)
    _texts = """\
alpha : float, default=1.0
        Weight of the label loss at the worst-case outputs; 0 is the label loss alone.  Heo et al.
        weigh label loss and bound with a and 1 - a: alpha is (1 - a) / a, their last a = 0.5 is 1.
    epsilon_ramp : float, default=1.0
        Share of `max_epochs` over which epsilon rises, linearly; 0: at once.  Early stopping waits
        for the end of both rises: with 1 it never stops.
    alpha_ramp : float, default=1.0
        Share of `max_epochs` over which the share of the bound in the loss, alpha / (1 + alpha),
        rises, linearly; 0: at once.
    grad_alpha : float, default=0.0
        Weight of an added input-gradient penalty (``norm="l2"`` of `GradRegClassifier`) at the
        clean samples."""
    _parameter_constraints = {
        "alpha": [NON_NEGATIVE],
        "epsilon_ramp": [SHARE],
        "alpha_ramp": [SHARE],
        "grad_alpha": [NON_NEGATIVE],
    }

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        epsilon: float = 2.0,
        bound: Literal["margin", "logits"] = "margin",
        clip: Literal["data"] | tuple[float, float] | None = "data",
        exchange: bool = True,
        epsilon_ramp: float = 1.0,
        alpha_ramp: float = 1.0,
        grad_alpha: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.epsilon = epsilon
        self.bound = bound
        self.clip = clip
        self.exchange = exchange
        self.epsilon_ramp = epsilon_ramp
        self.alpha_ramp = alpha_ramp
        self.grad_alpha = grad_alpha

    def _method(self) -> Method:
        term = Term(
            "certified",
            CertifiedPenalty(self.epsilon, self.bound, self.clip, self.exchange),
            self.alpha,
            alpha_epochs=self.alpha_ramp * self.max_epochs,
            penalty_epochs=self.epsilon_ramp * self.max_epochs,
        )
        gradient = added_gradient(self.grad_alpha, self._gradient_output, at="clean")
        return Method((term, *gradient))


class IBPExClassifier(_IBPEx, BaseExplanationClassifier):
    r"""Classifier trained on a bound over all perturbations of its irrelevant features.

    Adds to the label loss, for a sample x with irrelevance a and input unit u,

    .. math:: \alpha \, \ell(\bar z, y), \quad
        \bar z_k \ge \max_{|\delta|_\infty \le \epsilon} z_k(x + a u \delta) - z_y(x + a u \delta)

    where the bound follows from intervals that are propagated through the network (IBP-Ex of Heo et
    al. 2023 [1]_, after Gowal et al. 2019 [2]_).  Use it when a certificate is wanted:
    `skexplain.inspection.certified_accuracy` computes the share of samples whose prediction no such
    change of the irrelevant features flips.  Bounds get loose in deep networks, so prefer small
    ones, a small `epsilon`, and add `grad_alpha` for what lies beyond it.  The network may have the
    layers for which `skexplain.propagation` has rules; an error names all others.  A step costs
    about three of the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    PGDExClassifier : An ascent in the place of the bound: tighter, without certificate.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.
    .. [2] S. Gowal et al. (2019). Scalable Verified Training for Provably Robust Image
       Classification. ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import IBPExClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = IBPExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.9)
    True
    """


class IBPExRegressor(_IBPEx, BaseExplanationRegressor):
    r"""Regressor trained on a bound over all perturbations of its irrelevant features.

    `IBPExClassifier` with the squared error at the end of the propagated interval that is farther
    from the target.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    PGDExRegressor : An ascent in the place of the bound: tighter, without certificate.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import IBPExRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> reg = IBPExRegressor(epsilon=5, max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """
