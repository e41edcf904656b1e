"""Bound on the label loss over all perturbations of irrelevant features: IBP-Ex."""

import copy
from typing import Literal

import torch
from torch import nn

from ..propagation import Interval, propagate_interval
from ..propagation._bounds import worst_case_logits
from ..propagation._run import check_outputs
from ._base import Penalty, Rows
from ._box import Clip, irrelevant_box
from ._checks import check_box, check_flag, check_number, check_option
from ._fill import exchange
from ._tokens import at_embedding


class CertifiedPenalty(Penalty):
    r"""Label loss at outputs that bound those of every perturbation of the irrelevant features.

    For a sample x with irrelevance a and input unit u the value is at least

    .. math:: \max_{|\delta|_\infty \le \epsilon} \ell(f(x + a u \delta), y)

    by intervals that are propagated through the network (IBP-Ex of Heo et al. 2023 [1]_, after
    Gowal et al. 2019 [2]_).

    Parameters
    ----------
    epsilon : float, default=2.0
        Radius of the box in input units; ``inf`` together with a finite `clip` is the whole range.
    bound : {"margin", "logits"}, default="margin"
        Which worst case: bounds on the differences to the true logit, through the weights of a last
        linear layer [2]_, or on each logit, which is looser [1]_.  Alike for regressors.
    clip : "data", (float, float) or None, default="data"
        Range that a moved feature may not leave: that of the training data in each column or
        channel, a pair of numbers, or none.
    exchange : bool, default=True
        Whether samples exchange parts before, where masks mark parts of a sample (a ruler, some
        words) and not the same places in all: what either of two samples marks then comes from the
        other one, so that whether a part is there says nothing about the label, also where one
        class alone has it.  No part is put where the two masks would cover more than half.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.
    .. [2] S. Gowal et al. (2019). Scalable Verified Training for Provably Robust Image
       Classification. ICCV.

    Examples
    --------
    >>> from skexplain.penalties import CertifiedPenalty
    >>> CertifiedPenalty(epsilon=0.5)
    CertifiedPenalty(epsilon=0.5)
    """

    is_label_loss = True
    bounds_label_loss = True
    # How much of the box is in force.
    _progress = 1.0

    allows_mixed_precision = False
    sharding = "samples"
    reads_embedding = True

    def __init__(
        self,
        epsilon: float = 2.0,
        bound: Literal["margin", "logits"] = "margin",
        clip: Clip = "data",
        exchange: bool = True,
    ) -> None:
        self.epsilon = epsilon
        self.bound = bound
        self.clip = clip
        self.exchange = exchange

    @property
    def exchange_parts(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it begins with an exchange of parts."""
        return self.exchange

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_number("epsilon", self.epsilon, infinite=True)
        check_option("bound", self.bound, ("margin", "logits"))
        check_box(self.epsilon, self.clip)
        check_flag("exchange", self.exchange)

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that intervals can be propagated through the network."""
        check_outputs(module, x, Interval(x, torch.zeros_like(x)))

    def at_progress(self, progress: float) -> Penalty:
        """Return the penalty for a box that has grown to a share of its size."""
        grown = copy.copy(self)
        grown._progress = progress
        return grown

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the bound for each sample, shape (n_samples,)."""
        if self.exchange:
            rows = exchange(rows, donors, generator)
        rows = at_embedding(rows)
        low, high = irrelevant_box(rows, self.epsilon, self.clip)
        low, high = (rows.x.lerp(end, self._progress) for end in (low, high))
        outputs = propagate_interval(module, (low + high) / 2, (high - low) / 2)
        if rows.y.is_floating_point():
            # A convex loss is largest at an end of the interval.
            ends = (outputs.lower, outputs.upper)
            return torch.maximum(*(rows.label_loss(end, rows.y) for end in ends))
        return rows.label_loss(worst_case_logits(outputs, rows.y, self.bound), rows.y)
