"""Computing cells, in one process, in several, or on a cluster."""

import asyncio
import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache, partial
from threading import Thread
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from .. import __version__
from ..estimators import ERMClassifier
from ..exceptions import ShortcutInUseWarning


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: small fits are slower on more, and times compare."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)


@cache
def warm_up() -> None:
    """Let torch load what it loads at the first step of a process, before times are taken."""
    ERMClassifier(max_epochs=1, device="cpu").fit(np.eye(4), [0, 1, 0, 1])


def run_unordered(
    function: Callable[..., Any], arguments: Any, *, n_jobs: int = 1, scheduler: Any = None
) -> Generator[Any, None, None]:
    """Call a function for each of many arguments; yield results as they come.

    Parameters
    ----------
    function : callable
        Of one argument; each call computes on one thread.
    arguments : list
    n_jobs : int, default=1
        Processes on this machine.
    scheduler : str or None, default=None
        Address of a Dask scheduler, whose workers compute instead of this machine.  Start workers
        with one thread each (``dask worker --nthreads 1``): the threads of a process share what a
        call sets, and disturb each other's times.

    Yields
    ------
    object
        Results in the order in which they are finished.

    Raises
    ------
    ImportError
        If a scheduler is given and distributed is not installed.
    OSError
        If no scheduler answers at that address, it has no workers, or one has another version of
        the package.
    """
    compute = _compute_here if scheduler is None else _compute_on_cluster
    yield from compute(partial(_call, function), arguments, scheduler or n_jobs)


def _call(function: Callable[..., Any], argument: Any) -> Any:
    with one_thread(), warnings.catch_warnings():
        # How much of a shortcut is left is what is measured.
        warnings.simplefilter("ignore", ShortcutInUseWarning)
        warm_up()
        return function(argument)


def _compute_here(
    function: Callable[..., Any], arguments: Any, n_jobs: int
) -> Generator[Any, None, None]:
    # One call at a time, so that a result is handed over as soon as it is there.
    parallel = Parallel(n_jobs, return_as="generator_unordered", batch_size=1)
    call = delayed(partial(_call_as_child, function, os.getpid()))
    results = parallel(call(argument) for argument in arguments)
    try:
        # Not `yield from`, which would close them before the filter is set.
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* tasks .*", UserWarning)  # that are dropped
            results.close()


def _call_as_child(function: Callable[..., Any], parent: int, argument: Any) -> Any:
    if os.getppid() == parent:
        _end_with(parent)
    return function(argument)


@cache
def _end_with(parent: int) -> None:
    """End this process when its parent has ended: joblib's workers outlive one that is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_CHECKS)
        os._exit(1)

    Thread(target=watch, daemon=True).start()


_SECONDS_BETWEEN_CHECKS = 0.5

_SECONDS_TO_CONNECT = 10
_SECONDS_FOR_WORKERS = 60


def _compute_on_cluster(
    function: Callable[..., Any], arguments: Any, scheduler: Any
) -> Generator[Any, None, None]:
    # Without joblib, whose backend waits for ever where a worker dies or cannot load a call.
    try:
        import cloudpickle
        from distributed import Client, as_completed
    except ImportError as error:
        raise ImportError(
            'a scheduler needs distributed: pip install "skexplain[cluster]"'
        ) from error
    try:
        client = Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"no Dask scheduler at {scheduler!r}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_SECONDS_FOR_WORKERS)
        except asyncio.TimeoutError as error:  # in Python 3.10 it is no OSError
            raise TimeoutError(str(error)) from error
        _check_versions(client)
        calls = [cloudpickle.dumps((function, argument)) for argument in arguments]
        futures = client.map(_load_and_call, calls, pure=False)
        for future in as_completed(futures, loop=client.loop):
            yield future.result()


def _check_versions(client: Any) -> None:
    """Raise an error for workers whose results would be taken for those of this version."""
    workers = client.get_versions(packages=["skexplain"])["workers"]
    for address, worker in workers.items():
        found = worker["packages"]["skexplain"]
        if found != __version__:
            raise OSError(
                f"worker {address} has skexplain {found}: install {__version__} on all workers."
            )


def _load_and_call(call: Any) -> Any:
    """Load what to call within the task: where that fails, Dask raises and tries no more."""
    import cloudpickle

    function, argument = cloudpickle.loads(call)
    return function(argument)
