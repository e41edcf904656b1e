"""Worst-case perturbation of irrelevant features by projected gradient ascent: PGD-Ex."""

import torch
from torch import nn

from .._surroundings import differentiable_recurrence
from ._base import PerturbationPenalty, Rows
from ._box import Clip, irrelevant_box
from ._checks import check_box, check_count, check_flag, check_number
from ._draws import draw
from ._fill import exchange
from ._layers import check_input_gradient
from ._tokens import at_embedding


class WorstCasePenalty(PerturbationPenalty):
    r"""Label loss at the worst perturbation of the irrelevant features that ascent finds.

    For a sample x with irrelevance a and input unit u the value approximates

    .. math:: \max_{|\delta|_\infty \le \epsilon} \ell(f(x + a u \delta), y)

    (PGD-Ex of Heo et al. 2023 [1]_) by `n_steps` steps of projected gradient ascent.

    Parameters
    ----------
    epsilon : float, default=2.0
        Radius of the box in input units; ``inf`` together with ``clip="data"`` is the whole range.
    n_steps : int, default=5
        Number of steps; 1, from a random start, is the fast form of Wong et al. 2020.
    step_size : float or None, default=None
        Step in input units; None: 2.5 / `n_steps` of the half width of the (clipped) box.  The
        reference implementation takes ``epsilon / n_steps`` from the clean point.
    random_start : bool, default=True
        Whether to start at a random point of the box instead of the clean sample.
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
    .. [2] E. Wong, L. Rice, J. Z. Kolter (2020). Fast is better than free: Revisiting adversarial
       training. ICLR.

    Examples
    --------
    >>> from skexplain.penalties import WorstCasePenalty
    >>> WorstCasePenalty(epsilon=1.0, n_steps=3)
    WorstCasePenalty(epsilon=1.0, n_steps=3)
    """

    def __init__(
        self,
        epsilon: float = 2.0,
        n_steps: int = 5,
        step_size: float | None = None,
        random_start: bool = True,
        clip: Clip = "data",
        exchange: bool = True,
    ) -> None:
        self.epsilon = epsilon
        self.n_steps = n_steps
        self.step_size = step_size
        self.random_start = random_start
        self.clip = clip
        self.exchange = exchange

    allows_stacking = True
    sharding = "passes"
    reads_embedding = True

    @property
    def exchange_parts(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it begins with an exchange of parts."""
        return self.exchange

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that the network has a gradient at the input."""
        check_input_gradient(module, x)

    def move(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Climb the label loss inside the box; shape of ``rows.x``, of tokens at the embedding."""
        if self.exchange:
            rows = exchange(rows, donors, generator)
        rows = at_embedding(rows)
        low, high = irrelevant_box(rows, self.epsilon, self.clip)
        step = self._step(rows, low, high)
        x = rows.x
        if self.random_start:
            noise = draw(torch.rand, x.shape, generator, x)
            x = (low + noise * (high - low)).clamp(low, high)
        with differentiable_recurrence(module):
            for _ in range(self.n_steps):
                x = (x + step * self._ascent_direction(module, x, rows)).clamp(low, high)
        return x

    def _step(self, rows: Rows, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        if self.step_size is None:
            return 2.5 / self.n_steps * (high - low) / 2
        return self.step_size * rows.irrelevance * rows.unit

    @staticmethod
    def _ascent_direction(module: nn.Module, x: torch.Tensor, rows: Rows) -> torch.Tensor:
        """Sign of the input gradient of the label loss; weights get no gradient."""
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            loss = rows.label_loss(module(x), rows.y).sum()
            (gradient,) = torch.autograd.grad(loss, x, materialize_grads=True, allow_unused=True)
        return gradient.sign()

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_number("epsilon", self.epsilon, infinite=True)
        check_count("n_steps", self.n_steps)
        if self.step_size is not None:
            check_number("step_size", self.step_size, positive=True)
        check_flag("random_start", self.random_start)
        check_box(self.epsilon, self.clip)
        check_flag("exchange", self.exchange)
