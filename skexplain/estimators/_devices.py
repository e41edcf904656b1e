"""Where an estimator computes: on one device, or on that of each of several processes."""

from typing import Any

import torch

from ..training._processes import Processes, join_processes
from ._validation import resolve_device


def join_device(
    estimator: Any, go_on: bool, **arguments: Any
) -> tuple[torch.device, Processes | None]:
    """Return the device of a fit, and the processes that train the network together.

    Parameters
    ----------
    estimator : estimator
    go_on : bool
        Whether training goes on where it was.
    **arguments : object
        Of ``fit``, which must be the same in all processes.

    Returns
    -------
    device : torch.device
    processes : Processes or None
        None: this process trains alone.

    Raises
    ------
    ValueError
        If there is no such device, the network is to be compiled for several processes, or these
        have other arguments or parameters.
    """
    trained_on = estimator.trainer_.device if go_on else None
    if estimator.device != "accelerate":
        return trained_on or resolve_device(estimator.device), None
    device, processes = join_processes()
    if processes is not None:
        if estimator.compile:
            raise ValueError(
                'compile must be False with device="accelerate" and several processes, got True.'
            )
        n_epochs = len(estimator.history_) if go_on else 0
        params = estimator.get_params()
        processes.check_alike({**params, "history_": n_epochs, **arguments})
    if trained_on is not None and trained_on != device:
        raise ValueError(
            f"device must be that of the first fit when training goes on, {str(trained_on)!r}; got "
            f'"accelerate", which is {str(device)!r} here.'
        )
    return device, processes
