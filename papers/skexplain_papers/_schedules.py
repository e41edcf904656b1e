"""Schedules of the learning rate, by name."""

from typing import Any

from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR

from skexplain.training._batches import batch_sizes

SCHEDULES = ("constant", "cosine", "one-cycle")


def learning_rate_callbacks(
    schedule: Any, lr: float, *, n_rows: int, batch_size: int, max_epochs: int
) -> list[tuple[str, Any]]:
    """Return what an estimator takes as `callbacks` to follow a schedule.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one-cycle"}
        "cosine" falls from `lr` to 0; "one-cycle" rises to twice `lr` and then falls to nearly 0,
        while the momentum or the first beta of Adam, of which the optimizer must have one, falls
        from 0.95 to 0.85 and rises again.
    lr : float
        Learning rate of the estimator.
    n_rows, batch_size, max_epochs : int
        Of the fit: a schedule changes the rate at each step, and must know their number.

    Returns
    -------
    list of (str, skorch.callbacks.Callback)
        Empty for a constant rate.

    Raises
    ------
    ValueError
        If there is no such schedule.

    Examples
    --------
    >>> from skexplain_papers._schedules import learning_rate_callbacks
    >>> learning_rate_callbacks("constant", 1e-3, n_rows=100, batch_size=10, max_epochs=5)
    []
    """
    n_steps = max_epochs * len(batch_sizes(n_rows, batch_size))
    if schedule == "constant":
        return []
    if schedule == "cosine":
        policy = {"policy": CosineAnnealingLR, "T_max": n_steps}
    elif schedule == "one-cycle":
        policy = {"policy": OneCycleLR, "max_lr": 2 * lr, "total_steps": n_steps}
    else:
        raise ValueError(f"schedule must be one of {list(SCHEDULES)}, got {schedule!r}.")
    return [("learning_rate", LRScheduler(step_every="batch", **policy))]
