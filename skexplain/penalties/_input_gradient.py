"""Input-gradient penalty: Grad-Reg, the "right for the right reasons" loss."""

import torch

from ._base import Penalty, point_at
from ._checks import check_option
from ._layers import check_input_gradient, trainable_gradient

OUTPUTS = (
    "log_prob_sum",
    "log_prob_max",
    "log_prob_true",
    "prob_max",
    "prob_sum",
    "logit_sum",
)


class InputGradientPenalty(Penalty):
    r"""Size of the input gradient at irrelevant features.

    For a row x with irrelevance a and input unit u the value is

    .. math:: \sum_d (a_d u_d \partial s(x) / \partial x_d)^2

    with s the chosen output, by default :math:`\sum_k \log p_k(x)` (Ross et al. 2017 [1]_).

    Parameters
    ----------
    output : str, default="log_prob_sum"
        The scalar s whose gradient is taken: "log_prob_sum", "log_prob_max", "log_prob_true",
        "prob_max", "prob_sum" or "logit_sum".  "prob_sum" is identically one and its gradient zero:
        a control.  "logit_sum" is what Heo et al. 2023 use; a network can satisfy it by a shift of
        all logits, which softmax ignores.
    norm : {"l2", "l1"}, default="l2"
        Sum of squares (not its root) or of absolute values.
    sign : {"both", "positive", "negative"}, default="both"
        Which gradients count; one-sided only with ``output="log_prob_true"``.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.

    Examples
    --------
    >>> from skexplain.penalties import InputGradientPenalty
    >>> InputGradientPenalty(norm="l1")
    InputGradientPenalty(norm='l1')
    """

    needs_double_backward = True
    reads_logits = True

    def __init__(self, output="log_prob_sum", norm="l2", sign="both"):
        self.output = output
        self.norm = norm
        self.sign = sign

    def check_module(self, module, x):
        """Refuse a network without a gradient at the input."""
        check_input_gradient(module, x)

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the penalty at the clean rows, shape (rows,)."""
        return self.at_point(point_at(module, rows.x), rows)

    def at_point(self, point, rows):
        """Compute the penalty at a point whose logits are known, shape (rows,)."""
        score = _score(self.output, point.logits, rows.y)
        gradient = rows.irrelevance * rows.unit * trainable_gradient(score, point.x)
        if self.sign != "both":
            gradient = torch.relu(gradient if self.sign == "positive" else -gradient)
        size = gradient.abs() if self.norm == "l1" else gradient.square()
        return size.flatten(1).sum(1)

    def check_parameters(self):
        """Refuse parameters that are not legal."""
        check_option("output", self.output, OUTPUTS)
        check_option("norm", self.norm, ("l2", "l1"))
        check_option("sign", self.sign, ("both", "positive", "negative"))
        if self.sign != "both" and self.output != "log_prob_true":
            raise ValueError(
                f'sign must be "both" unless output="log_prob_true", got sign={self.sign!r} with '
                f"output={self.output!r}."
            )


def _score(output, logits, y):
    """Reduce logits of shape (rows, classes) to one scalar per row."""
    if output == "logit_sum":
        return logits.sum(1)
    if output.startswith("prob"):
        probabilities = logits.softmax(1)
        return probabilities.sum(1) if output == "prob_sum" else probabilities.amax(1)
    log_probabilities = logits.log_softmax(1)
    if output == "log_prob_sum":
        return log_probabilities.sum(1)
    if output == "log_prob_max":
        return log_probabilities.amax(1)
    return log_probabilities.gather(1, y[:, None])[:, 0]
