"""Worst-case perturbation of irrelevant features by projected gradient ascent: PGD-Ex."""

import torch

from ._base import PerturbationPenalty


class WorstCasePenalty(PerturbationPenalty):
    r"""Label loss at the worst perturbation of the irrelevant features that ascent finds.

    For a row x with irrelevance a and input unit u the value approximates

    .. math:: \max_{|\delta|_\infty \le \epsilon} \ell(f(x + a u \delta), y)

    (PGD-Ex of Heo et al. 2023 [1]_) by `n_steps` steps of projected gradient ascent.

    Parameters
    ----------
    epsilon : float, default=2.0
        Radius of the box in input units; ``inf`` together with ``clip="data"`` is the whole range.
    n_steps : int, default=5
        Number of steps.
    step_size : float or None, default=None
        Step in input units; None: 2.5 / `n_steps` of the half width of the (clipped) box.  The
        reference implementation takes ``epsilon / n_steps`` from the clean point.
    random_start : bool, default=True
        Whether to start at a random point of the box instead of the clean row.
    clip : "data", (float, float) or None, default="data"
        Range that a moved feature may not leave: that of the training data in each column or
        channel, a pair of numbers, or none.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> from skexplain.penalties import WorstCasePenalty
    >>> WorstCasePenalty(epsilon=1.0, n_steps=3)
    WorstCasePenalty(epsilon=1.0, n_steps=3)
    """

    def __init__(self, epsilon=2.0, n_steps=5, step_size=None, random_start=True, clip="data"):
        self.epsilon = epsilon
        self.n_steps = n_steps
        self.step_size = step_size
        self.random_start = random_start
        self.clip = clip

    def move(self, module, rows, donors=None, generator=None):
        """Climb the label loss inside the box; shape of ``rows.x``."""
        low, high = self._box(rows)
        step = self._step(rows, low, high)
        x = rows.x
        if self.random_start:
            noise = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = (low + noise * (high - low)).clamp(low, high)
        for _ in range(self.n_steps):
            x = (x + step * self._ascent_direction(module, x, rows)).clamp(low, high)
        return x

    def _box(self, rows):
        """Bounds of each feature; both equal x, to the bit, where the irrelevance is zero."""
        x, movable = rows.x, rows.irrelevance > 0
        # Where nothing may move, an infinite epsilon would make a NaN of the zero.
        radius = torch.where(movable, self.epsilon * rows.irrelevance, 0.0)
        low, high = x - radius * rows.unit, x + radius * rows.unit
        if self.clip is not None:
            lower, upper = (rows.lower, rows.upper) if self.clip == "data" else self.clip
            # A row outside the range stays inside its own box.
            low = torch.maximum(low, torch.clamp(x, max=lower))
            high = torch.minimum(high, torch.clamp(x, min=upper))
        return torch.where(movable, low, x), torch.where(movable, high, x)

    def _step(self, rows, low, high):
        if self.step_size is None:
            return 2.5 / self.n_steps * (high - low) / 2
        return self.step_size * rows.irrelevance * rows.unit

    @staticmethod
    def _ascent_direction(module, x, rows):
        """Sign of the input gradient of the label loss; weights get no gradient."""
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            loss = rows.label_loss(module(x), rows.y).sum()
            (gradient,) = torch.autograd.grad(loss, x, materialize_grads=True, allow_unused=True)
        return gradient.sign()
