"""Input-gradient penalty: Grad-Reg, the "right for the right reasons" loss."""

from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from ..masks import Masks
from ..propagation._gradient_bounds import bound_input_gradient
from ._base import Penalty, Point, Rows, point_of
from ._checks import check_count, check_number, check_option
from ._layers import check_input_gradient, trainable_gradient
from ._robust import BOUNDED_OUTPUTS, ROBUST, Robust, climb, gradient_bounds, worst_of_draws
from ._tokens import at_embedding

Output = Literal[
    "auto",
    "log_prob_sum",
    "log_prob_max",
    "log_prob_true",
    "prob_max",
    "prob_sum",
    "logit_sum",
    "logit_true",
]
OUTPUTS = get_args(Output)
Norm = Literal["l2", "l1", "share"]
NORMS = get_args(Norm)
_LOGITS = ("logit_sum", "logit_true")


class InputGradientPenalty(Penalty):
    r"""Size of the input gradient at irrelevant features.

    For a sample x with irrelevance a and input unit u the value is by default

    .. math:: \sum_d (a_d u_d \partial s(x) / \partial x_d)^2

    with s the chosen output, by default :math:`\sum_k \log p_k(x)` (Ross et al. 2017 [1]_).  How
    much that is depends on the number of marked features, on the network and on how sure it is.
    With ``norm="share"`` the value is

    .. math:: c \, \sqrt{\sum_d (a_d u_d \partial s / \partial x_d)^2 \, / \,
        \sum_d (u_d \partial s / \partial x_d)^2}

    with s by default the logit of the true class, less the mean of all logits: a share between 0
    and 1, which does not change where the logits or the inputs are multiplied by a number.  It is
    given in units of the label loss: c is the logarithm of the number of classes, for a regressor
    the variance of the training targets.

    Parameters
    ----------
    output : str, default="auto"
        The scalar s whose gradient is taken: "log_prob_sum", "log_prob_max", "log_prob_true",
        "prob_max", "prob_sum", "logit_sum" or "logit_true".  "prob_sum" is identically one and its
        gradient zero: a control.  "logit_sum" is what Heo et al. 2023 use; a network can satisfy it
        by a shift of all logits, which softmax ignores.  "logit_true" is the logit of the true
        class less the mean over classes.  "auto": "logit_true" for a share, else "log_prob_sum".
    norm : {"l2", "l1", "share"}, default="l2"
        Sum of squares (not its root), sum of absolute values, or the length of the irrelevant part
        of the gradient as a share of the length of all of it.  A share needs no tuning to the
        number of features, their units and the network; "l2" is the published penalty, whose weight
        is to be searched over powers of ten.
    sign : {"both", "positive", "negative"}, default="both"
        Which gradients count; one-sided only with ``output="log_prob_true"``.
    robust : {"random", "adversarial", "certified"} or None, default=None
        Take the largest value near the sample instead of that at the sample (R4 of Ghitu et al.
        2025 [2]_), where irrelevant features may move by `epsilon`: of random draws, of the points
        that gradient ascent visits, or a bound on all, by intervals that are propagated through the
        network and back.  The bound needs ``norm="l1"`` or "l2", and a network of layers that are
        linear, monotone activations and max-pooling.
    epsilon : float, default=1.0
        How far an irrelevant feature may move, in input units; only with `robust`.
    n_steps : int, default=10
        Number of draws of "random", or of steps of "adversarial".

    Notes
    -----
    A value with `robust` is never less than that at the sample.  In steps of the label loss a draw
    costs about half a step more, a step of the ascent about one, the bound about ten.  The random
    form of [2]_ penalises how far the gradient changes, not the gradient itself, and its bound is
    the sum of the absolute values of both ends.

    The share of a sample without any gradient (all its units are dead) is 0.  That of a sample
    whose features are all marked alike is the same for every network, so such samples are left out.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.  (The share is ours.)
    .. [2] M. Ghitu, V. Piratla, M. Wicker (2025). Model Guidance via Robust Feature Attribution.
       TMLR.

    Examples
    --------
    >>> from skexplain.penalties import InputGradientPenalty
    >>> InputGradientPenalty(norm="l1")
    InputGradientPenalty(norm='l1')
    """

    needs_double_backward = True
    reads_embedding = True

    def __init__(
        self,
        output: Output = "auto",
        norm: Norm = "l2",
        sign: Literal["both", "positive", "negative"] = "both",
        robust: Robust | None = None,
        epsilon: float = 1.0,
        n_steps: int = 10,
    ) -> None:
        self.output = output
        self.norm = norm
        self.sign = sign
        self.robust = robust
        self.epsilon = epsilon
        self.n_steps = n_steps

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether the logits at a point are enough."""
        return self.robust is None

    @property
    def is_share(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it is a share of the gradient."""
        return self.norm == "share"

    @property
    def allows_stacking(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether several networks may compute it as one."""
        return self.robust is None

    @property
    def sharding(self) -> Literal["samples", "passes"]:  # type: ignore[override]
        """How several processes share it: random points are drawn for all samples."""
        return "samples" if self.robust in (None, "certified") else "passes"

    @property
    def allows_mixed_precision(self) -> bool:  # type: ignore[override]
        """Whether the network may run in bfloat16: not on intervals."""
        return self.robust != "certified"

    def check_kind(self, rows: Rows) -> None:
        """Check that no bound of gradients is asked for tokens, as it begins at numbers."""
        if self.robust == "certified" and rows.tokens is not None:
            raise ValueError(
                'robust must be "random", "adversarial" or None for ids of tokens, as bounds of '
                'gradients begin at numbers; got "certified".'
            )

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that the network has a gradient at the input, and what `robust` needs."""
        check_input_gradient(module, x)
        if self.robust == "certified":
            bound_input_gradient(module, x, torch.zeros_like(x), lambda outputs: outputs)
        elif self.robust == "adversarial" and chosen_output(self.output, self.norm) in _LOGITS:
            check_gradient_changes(module, x)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the penalty at or near the clean samples, shape (n_samples,)."""
        numbers = at_embedding(rows)
        if self.robust == "certified":
            return self._bound(module, numbers)

        def value(x: torch.Tensor) -> tuple[Point, torch.Tensor]:
            point = point_of(module, rows, x)
            return point, self.at_point(point, rows)

        x = numbers.x
        if self.robust is not None:
            search = climb if self.robust == "adversarial" else worst_of_draws
            x = search(value, numbers, self.epsilon, self.n_steps, generator)
        return value(x)[1]

    def at_point(self, point: Point, rows: Rows) -> torch.Tensor:
        """Compute the penalty at a point whose logits are known, shape (n_samples,)."""
        score = _score(chosen_output(self.output, self.norm), point.logits, rows.y)
        rows, gradient = at_embedding(rows, point.x), trainable_gradient(score, point.x)
        irrelevant = rows.irrelevance * rows.unit * gradient
        if self.sign != "both":
            irrelevant = torch.relu(irrelevant if self.sign == "positive" else -irrelevant)
        if self.norm == "share":
            return rows.loss_scale * share_of_length(irrelevant, rows.unit * gradient)
        size = irrelevant.abs() if self.norm == "l1" else irrelevant.square()
        return size.flatten(1).sum(1)

    def _bound(self, module: nn.Module, rows: Rows) -> torch.Tensor:
        output = chosen_output(self.output, self.norm)
        gradient = gradient_bounds(module, rows, self.epsilon, output)
        largest, smallest = (torch.relu(end) for end in (gradient.upper, -gradient.lower))
        if self.sign == "both":
            size = torch.maximum(largest, smallest)
        else:
            size = largest if self.sign == "positive" else smallest
        size = rows.irrelevance * rows.unit * size
        return (size if self.norm == "l1" else size.square()).flatten(1).sum(1)

    def applies_to(self, masks: Masks) -> np.ndarray:
        """Return which samples have something irrelevant, and for a share something else, too."""
        if self.norm == "share":
            return masks.has_irrelevant & ~masks.marks_alike()
        return masks.has_irrelevant

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_option("output", self.output, OUTPUTS)
        check_norm(self.norm, self.output)
        check_option("sign", self.sign, ("both", "positive", "negative"))
        if self.sign != "both" and self.output != "log_prob_true":
            raise ValueError(
                f'sign must be "both" unless output="log_prob_true", got sign={self.sign!r} with '
                f"output={self.output!r}."
            )
        if self.robust is not None:
            check_option("robust", self.robust, ROBUST)
        check_number("epsilon", self.epsilon)
        check_count("n_steps", self.n_steps)
        if self.robust == "certified":
            self._check_certified()

    def _check_certified(self) -> None:
        if self.norm == "share":
            raise ValueError(
                'norm must be "l2" or "l1" with robust="certified", as bounds on the whole '
                "gradient say little; got norm='share'. For ids of tokens there are no bounds: "
                'use robust="random".'
            )
        if chosen_output(self.output, self.norm) not in BOUNDED_OUTPUTS:
            raise ValueError(
                f'output must be one of {list(BOUNDED_OUTPUTS)} with robust="certified", got '
                f"{self.output!r}."
            )


def check_gradient_changes(module: nn.Module, x: torch.Tensor) -> None:
    """Check that the gradients of logits change with the input, so that ascent has a direction.

    Parameters
    ----------
    module : nn.Module
        The network.
    x : float32 Tensor of shape (n_samples, ...)
        A few samples.

    Raises
    ------
    ValueError
        If they do not, as in a network with ReLU between its kinks.
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        gradient = trainable_gradient(module(x).sum(), x)
        curvature = torch.zeros_like(x)
        if gradient.requires_grad:
            curvature = trainable_gradient(gradient.square().sum(), x)
    if gradient.any() and not curvature.any():
        raise ValueError(
            'robust must be None, "random" or "certified" for gradients of logits of a network '
            "that is piecewise linear (ReLU), where gradient ascent finds no direction; got "
            '"adversarial". With output="log_prob_sum" it does.'
        )


def check_norm(norm: Norm, output: str) -> None:
    """Check the norm, and that there is a gradient of which it can be a share."""
    check_option("norm", norm, NORMS)
    if norm == "share" and output == "prob_sum":
        raise ValueError(
            'norm must be "l2" or "l1" with output="prob_sum", whose gradient is zero and has no '
            "shares; got norm='share'."
        )


def share_of_length(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """Divide the length of a part of each sample by that of the whole; 0 for zeros alone.

    Parameters
    ----------
    part, whole : Tensor of shape (n_samples, ...)
        Entries of the part are those of the whole, or smaller.

    Returns
    -------
    Tensor of shape (n_samples,)
        Each from 0 to 1.
    """
    part, whole = part.flatten(1), whole.flatten(1)
    # In units of its largest entry a sample has a length of at least 1, unless it is all zeros: no
    # square overflows or vanishes, whatever the scale of the outputs.
    unit = whole.detach().abs().amax(1, keepdim=True)
    unit = unit.clamp_min(torch.finfo(unit.dtype).tiny)
    length = torch.linalg.vector_norm(whole / unit, dim=1).clamp_min(1.0)
    return torch.linalg.vector_norm(part / unit, dim=1) / length


def chosen_output(output: Output, norm: Norm) -> Output:
    """Return the output that "auto" stands for."""
    if output != "auto":
        return output
    return "logit_true" if norm == "share" else "log_prob_sum"


def _score(output: str, logits: torch.Tensor, y: Any) -> torch.Tensor:
    """Reduce logits of shape (n_samples, classes) to one scalar per sample."""
    if output == "logit_sum":
        return logits.sum(1)
    if output == "logit_true":
        return logits.gather(1, y[:, None])[:, 0] - logits.mean(1)
    if output.startswith("prob"):
        probabilities = logits.softmax(1)
        return probabilities.sum(1) if output == "prob_sum" else probabilities.amax(1)
    log_probabilities = logits.log_softmax(1)
    if output == "log_prob_sum":
        return log_probabilities.sum(1)
    if output == "log_prob_max":
        return log_probabilities.amax(1)
    return log_probabilities.gather(1, y[:, None])[:, 0]
