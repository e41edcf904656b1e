"""Schedules of the learning rate by name."""

import math
from typing import Any

from skorch.callbacks import Callback, LRScheduler

from ._batches import batch_sizes

_WARM_UP = 0.1  # of the steps


class CosineSchedule(Callback):
    """Learning rates that rise over the first tenth of the steps and fall to 0 as half a cosine.

    Each group of parameters has its own rate, of which it gets the same share.  After the training
    the rates are what they were, so that a further one begins anew.
    """

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        """Read the rates, and how many steps there will be."""
        per_epoch = len(batch_sizes(len(X), net.effective_batch_size(X)))
        self.n_steps_, self.step_ = net.max_epochs * per_epoch, 0
        self.rates_ = [group["lr"] for group in _groups(net)]

    def begin_step(self, net: Any) -> None:
        """Set the rates of the step; no hook of skorch, for which batches would be recorded."""
        self._set(net, cosine_share(self.step_, self.n_steps_))
        self.step_ += 1

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the rates."""
        self._set(net, 1.0)

    def _set(self, net: Any, share: float) -> None:
        for group, rate in zip(_groups(net), self.rates_, strict=True):
            group["lr"] = share * rate


def _groups(net: Any) -> list[dict[str, Any]]:
    """Return the groups of all optimizers, which others may be after a callback has loaded some."""
    both = (net.optimizer_, net.mapping_optimizer_)
    return [group for optimizer in both if optimizer for group in optimizer.param_groups]


def cosine_share(step: int, n_steps: int) -> float:
    """Return the share of the learning rate that a step has.

    Parameters
    ----------
    step : int
        From 0.
    n_steps : int

    Returns
    -------
    float

    Examples
    --------
    >>> from skexplain.training._schedules import cosine_share
    >>> [round(cosine_share(step, 20), 2) for step in (0, 1, 2, 11, 19)]
    [0.33, 0.67, 1.0, 0.5, 0.01]
    """
    warm_up = int(_WARM_UP * n_steps)
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return (1 + math.cos(math.pi * (step - warm_up) / (n_steps - warm_up))) / 2


def with_schedule(callbacks: list, schedule: str) -> list:
    """Return callbacks with the one that follows a schedule.

    Parameters
    ----------
    callbacks : list of (callback or (str, callback))
    schedule : {"cosine"}

    Returns
    -------
    list

    Raises
    ------
    ValueError
        If one of the callbacks sets learning rates, too.
    """
    for item in callbacks:
        callback = item[-1] if isinstance(item, tuple) and item else item
        if isinstance(callback, LRScheduler) or callback is LRScheduler:
            raise ValueError(
                f'lr_schedule must be "constant" beside an LRScheduler in callbacks, which sets '
                f"learning rates, too; got {schedule!r}."
            )
    return [*callbacks, ("schedule", CosineSchedule())]
