"""Input-gradient regularisation: right for the right reasons."""

from ..penalties import InputGradientPenalty, Term
from ..penalties._input_gradient import OUTPUTS
from ._classifier import BaseExplanationClassifier
from ._parameters import ALPHA, COMMON_CONSTRAINTS, StrOptions, refuse_compile


class GradRegClassifier(BaseExplanationClassifier):
    r"""Classifier whose output may not react to irrelevant features.

    Adds to the label loss, for a row x with irrelevance a and input unit u,

    .. math:: \alpha \sum_d \Big(a_d u_d \frac{\partial}{\partial x_d} \sum_k \log p_k(x)\Big)^2

    (Ross et al. 2017 [1]_).  Use it when the shortcut is small, when test values may lie outside
    the training range, or on tables.  It acts on infinitesimal changes only: against large ones
    (half an image) combine it with a perturbation, as `PGDExClassifier` does.  A step costs about
    three of the label loss's, as it differentiates twice.

    Parameters
    ----------
    %(module)s
    alpha : float or "auto", default=1.0
        Weight of the penalty; 0 is the label loss alone.  "auto" trains the first epoch without
        and then takes the ratio of label loss to penalty (the rule of [1]_).
    output : str, default="log_prob_sum"
        The scalar whose gradient is penalised: "log_prob_sum", "log_prob_max", "log_prob_true",
        "prob_max", "prob_sum" or "logit_sum".  "prob_sum" is identically one: no penalty, a
        control.  "logit_sum" is that of Heo et al. 2023 [2]_; a network can satisfy it by a shift
        of all logits, which softmax ignores.
    norm : {"l2", "l1"}, default="l2"
        Sum of squares or of absolute values.
    sign : {"both", "positive", "negative"}, default="both"
        Which gradients count; one-sided only with ``output="log_prob_true"``.
    %(common_parameters)s

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

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GradRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column tells the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all rows
    >>> clf = GradRegClassifier(alpha=10, max_epochs=50, random_state=0).fit(X, y, mask=mask)
    >>> moved = X + [0, 1]
    >>> bool(np.mean(clf.predict(X) == clf.predict(moved)) > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **COMMON_CONSTRAINTS,
        "alpha": ALPHA,
        "output": [StrOptions(set(OUTPUTS))],
        "norm": [StrOptions({"l1", "l2"})],
        "sign": [StrOptions({"both", "positive", "negative"})],
    }

    def __init__(
        self,
        module="auto",
        *,
        alpha=1.0,
        output="log_prob_sum",
        norm="l2",
        sign="both",
        **common,
    ):
        super().__init__(module, **common)
        self.alpha = alpha
        self.output = output
        self.norm = norm
        self.sign = sign

    def _check_parameters(self):
        if self.sign != "both" and self.output != "log_prob_true":
            raise ValueError(
                f'sign must be "both" unless output="log_prob_true", got sign={self.sign!r} with '
                f"output={self.output!r}."
            )
        if self.alpha != 0:
            refuse_compile(self)

    def _terms(self):
        penalty = InputGradientPenalty(self.output, self.norm, self.sign)
        return (Term("input_gradient", penalty, self.alpha),)
