"""Robustness to perturbations of the irrelevant features."""

from typing import Any, Literal

from ..penalties import WorstCasePenalty
from ..training._method import Method, Term, added_gradient
from ._base import MixinBase
from ._classifier import BaseExplanationClassifier
from ._parameters import NON_NEGATIVE, PERTURBATION_ALPHA, ModuleLike, StrOptions
from ._regressor import BaseExplanationRegressor


class _PGDEx(MixinBase):
    """Parameters and method of PGD-Ex."""

    _penalties = (WorstCasePenalty,)
    _texts = """\
alpha : float, "auto" or "replace", default=1.0
        Weight of the label loss at the perturbed sample beside that of the clean one; 0 is the
        label loss alone.  "auto" trains the first epoch without and then takes the ratio of the
        two.  "replace": it takes the place of the clean sample's, which goes further on tables, and
        can fail to learn where most of an image may change.
    grad_alpha : float, default=0.0
        Weight of an added input-gradient penalty (``norm="l2"`` of `GradRegClassifier`).
    grad_at : {"perturbed", "clean"}, default="perturbed"
        Where that penalty is taken."""
    _parameter_constraints = {
        "alpha": PERTURBATION_ALPHA,
        "grad_alpha": [NON_NEGATIVE],
        "grad_at": [StrOptions({"perturbed", "clean"})],
    }

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        epsilon: float = 2.0,
        n_steps: int = 5,
        step_size: float | None = None,
        random_start: bool = True,
        clip: Literal["data"] | tuple[float, float] | None = "data",
        exchange: bool = True,
        grad_alpha: float = 0.0,
        grad_at: Literal["clean", "perturbed"] = "perturbed",
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.epsilon = epsilon
        self.n_steps = n_steps
        self.step_size = step_size
        self.random_start = random_start
        self.clip = clip
        self.exchange = exchange
        self.grad_alpha = grad_alpha
        self.grad_at = grad_at

    def _method(self) -> Method:
        penalty = WorstCasePenalty(
            self.epsilon,
            self.n_steps,
            self.step_size,
            self.random_start,
            self.clip,
            self.exchange,
        )
        at = "worst_case" if self.grad_at == "perturbed" else "clean"
        gradient = added_gradient(self.grad_alpha, self._gradient_output, at)
        return Method((Term("worst_case", penalty, self.alpha), *gradient))


class PGDExClassifier(_PGDEx, BaseExplanationClassifier):
    r"""Classifier trained on the worst perturbation of its irrelevant features.

    Adds to the label loss, for a sample x with irrelevance a and input unit u,

    .. math:: \alpha \max_{|\delta|_\infty \le \epsilon} \ell(f(x + a u \delta), y)

    which projected gradient ascent approximates (PGD-Ex of Heo et al. 2023 [1]_; theirs is
    ``exchange=False``).  Use it when the
    shortcut covers many features or may change a lot; with `grad_alpha` it also holds where the
    perturbation does not reach.  A step costs about ``n_steps + 2`` of the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : The input-gradient penalty alone.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.
    .. [2] A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu (2018). Towards Deep Learning
       Models Resistant to Adversarial Attacks. ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import PGDExClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = PGDExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> moved = X + [0, 1]
    >>> bool(np.mean(clf.predict(X) == clf.predict(moved)) > 0.95)
    True
    """


class PGDExRegressor(_PGDEx, BaseExplanationRegressor):
    r"""Regressor trained on the worst perturbation of its irrelevant features.

    Adds to the squared error of the prediction f(x), for a sample x with irrelevance a and
    input unit u,

    .. math:: \alpha \max_{|\delta|_\infty \le \epsilon} (f(x + a u \delta) - y)^2

    which projected gradient ascent approximates (PGD-Ex of Heo et al. 2023 [1]_, for regression).
    Use it when irrelevant columns may change a lot.  A step costs about ``n_steps + 2`` of the
    label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    PGDExClassifier : The same for classes.
    IBPExRegressor : The same with a bound instead of an ascent.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import PGDExRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> reg = PGDExRegressor(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """
