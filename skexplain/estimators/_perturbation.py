"""Robustness to perturbations of the irrelevant features."""

import math

from ..penalties import InputGradientPenalty, Term, WorstCasePenalty
from ._classifier import BaseExplanationClassifier
from ._parameters import (
    ALPHA,
    COMMON_CONSTRAINTS,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    RADIUS,
    StrOptions,
    refuse_compile,
)


class PGDExClassifier(BaseExplanationClassifier):
    r"""Classifier trained on the worst perturbation of its irrelevant features.

    Adds to the label loss, for a row x with irrelevance a and input unit u,

    .. math:: \alpha \max_{|\delta|_\infty \le \epsilon} \ell(f(x + a u \delta), y)

    which projected gradient ascent approximates (PGD-Ex of Heo et al. 2023 [1]_).  Use it when the
    shortcut covers many features or may change a lot; with `grad_alpha` it also holds where the
    perturbation does not reach.  A step costs about ``n_steps + 2`` of the label loss's.

    Parameters
    ----------
    %(module)s
    alpha : float or "auto", default=1.0
        Weight of the label loss at the perturbed rows; 0 is the label loss alone.  "auto" trains
        the first epoch without and then takes the ratio of label loss to penalty.
    epsilon : float, default=2.0
        Radius of the perturbation in input units; ``float("inf")`` with a `clip` is the whole
        range.
    n_steps : int, default=5
        Steps of ascent.
    step_size : float or None, default=None
        Step in input units; None: 2.5 / `n_steps` of the half width of the (clipped) box.
    random_start : bool, default=True
        Whether to start at a random point of the box instead of the row.
    clip : "data", (float, float) or None, default="data"
        Range that a moved feature may not leave: that of the training data in each column or
        channel, a pair of numbers, or none.
    grad_alpha : float, default=0.0
        Weight of an added input-gradient penalty (see `GradRegClassifier`).
    grad_at : {"perturbed", "clean"}, default="perturbed"
        Where that penalty is taken.
    %(common_parameters)s

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
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column tells the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all rows
    >>> clf = PGDExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> moved = X + [0, 1]
    >>> bool(np.mean(clf.predict(X) == clf.predict(moved)) > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **COMMON_CONSTRAINTS,
        "alpha": ALPHA,
        "epsilon": [RADIUS],
        "n_steps": [COUNT],
        "step_size": [POSITIVE, None],
        "random_start": ["boolean"],
        "clip": [StrOptions({"data"}), tuple, list, None],
        "grad_alpha": [NON_NEGATIVE],
        "grad_at": [StrOptions({"perturbed", "clean"})],
    }

    def __init__(
        self,
        module="auto",
        *,
        alpha=1.0,
        epsilon=2.0,
        n_steps=5,
        step_size=None,
        random_start=True,
        clip="data",
        grad_alpha=0.0,
        grad_at="perturbed",
        **common,
    ):
        super().__init__(module, **common)
        self.alpha = alpha
        self.epsilon = epsilon
        self.n_steps = n_steps
        self.step_size = step_size
        self.random_start = random_start
        self.clip = clip
        self.grad_alpha = grad_alpha
        self.grad_at = grad_at

    def _check_parameters(self):
        bounded = self.clip == "data"
        if isinstance(self.clip, (tuple, list)):
            check_range("clip", self.clip)
            bounded = all(map(math.isfinite, self.clip))
        if math.isinf(self.epsilon) and not bounded:
            raise ValueError(
                f'epsilon may be infinite only with a finite clip, e.g. clip="data"; got '
                f"epsilon={self.epsilon} with clip={self.clip!r}."
            )
        if self.grad_alpha != 0:
            refuse_compile(self)

    def _terms(self):
        penalty = WorstCasePenalty(
            self.epsilon, self.n_steps, self.step_size, self.random_start, self.clip
        )
        terms = (Term("worst_case", penalty, self.alpha),)
        if self.grad_alpha == 0:
            return terms
        at = "worst_case" if self.grad_at == "perturbed" else "clean"
        return (*terms, Term("input_gradient", InputGradientPenalty(), self.grad_alpha, at))


def check_range(name, pair):
    """Refuse what is not a pair of numbers, the lower one first."""
    try:
        lower, upper = map(float, pair)
    except (TypeError, ValueError):
        lower, upper = math.nan, math.nan
    if not lower < upper:
        raise ValueError(f"{name} must be a pair of numbers, the lower first; got {pair!r}.")
