"""Computing cells, in one process, in several, or on a cluster."""

from contextlib import contextmanager

import torch
from joblib import Parallel, delayed, parallel_config
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread():
    """Compute on one thread: small fits are slower on more, and times compare."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)


def run_unordered(function, arguments, *, n_jobs=1, scheduler=None):
    """Call a function for each of many arguments; yield results as they come.

    Parameters
    ----------
    function : callable
        Of one argument; each call computes on one thread.
    arguments : list
    n_jobs : int, default=1
        Processes on this machine.
    scheduler : str or None, default=None
        Address of a Dask scheduler, whose workers compute instead of this machine.

    Yields
    ------
    object
        Results in the order in which they are finished.

    Raises
    ------
    ImportError
        If a scheduler is given and distributed is not installed.
    """
    with _backend(scheduler):
        # One call at a time, so that a result is handed over as soon as it is there.
        parallel = Parallel(
            n_jobs if scheduler is None else -1, return_as="generator_unordered", batch_size=1
        )
        yield from parallel(delayed(_call)(function, argument) for argument in arguments)


def _call(function, argument):
    with one_thread():
        return function(argument)


@contextmanager
def _backend(scheduler):
    """Hand what joblib runs to the workers of a cluster, if there is one."""
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(
            'a scheduler needs distributed: pip install "skexplain[cluster]"'
        ) from error
    with (
        Client(scheduler) as client,
        parallel_config("dask", client=client, wait_for_workers_timeout=60),
    ):
        yield
