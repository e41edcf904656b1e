"""What surrounds a call, torch's and numpy's global state: without influence, and left as it was.

Some of it belongs to a thread (gradients, inference mode, autocast), and is set for the call.  Some
belongs to the whole process (random states, the default dtype, the kernels of attention): whatever
changes it holds a lock, so that calls at once in threads equal calls alone.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch.nn.attention import SDPBackend, sdpa_kernel

# Reentrant: a fit may hold estimators that are fitted.
_OF_THE_PROCESS = threading.RLock()
_ATTENTION = threading.RLock()
_RECURRENCE = threading.RLock()

_DEVICES, _casts = ("cpu", "cuda"), torch.is_autocast_enabled


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Compute with gradients and in float32, whatever surrounds the call."""
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        nullcontext() if _computes_in_float32() else _full_precision(),
    ):
        yield


def surroundings_of_outputs() -> AbstractContextManager[Any]:
    """Return `own_surroundings`, or nothing where no gradient is taken and nothing has to change.

    Beside a small network a call would wait for it.
    """
    usual = _computes_in_float32() and not torch.is_inference_mode_enabled()
    return nullcontext() if usual else own_surroundings()


def _computes_in_float32() -> bool:
    return torch.get_default_dtype() is torch.float32 and not any(map(_casts, _DEVICES))


@contextmanager
def _full_precision() -> Iterator[None]:
    with ExitStack() as stack:
        for device in filter(_casts, _DEVICES):
            stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_dtype() is not torch.float32:
            stack.enter_context(_float32_by_default())
        yield


@contextmanager
def _float32_by_default() -> Iterator[None]:
    with _OF_THE_PROCESS:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(before)


@contextmanager
def isolated_random_state(device: torch.device | str) -> Iterator[None]:
    """Leave the global random states of torch and numpy as they were found; one at a time."""
    with _OF_THE_PROCESS:
        numpy_state = np.random.get_state()  # noqa: NPY002 - a user's module may draw from it
        devices = [device] if torch.device(device).type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=devices):
                yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    """Have torch raise errors for, or replace, kernels whose result depends on threads' order."""
    with _OF_THE_PROCESS:
        mode = torch.get_deterministic_debug_mode()
        benchmark = torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = False  # it would choose kernels by their speed
        torch.set_deterministic_debug_mode("error")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            torch.backends.cudnn.benchmark = benchmark


@contextmanager
def differentiable_attention() -> Iterator[None]:
    """Run attention in its plain form: torch's fused kernels have no second derivative."""
    with _ATTENTION, sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def differentiable_recurrence(module: Any) -> Iterator[None]:
    """Run recurrent layers without cuDNN, whose form has no gradient in evaluation mode, nor two.

    Parameters
    ----------
    module : nn.Module or callable
        The network; without recurrent layers nothing changes.
    """
    layers = module.modules() if isinstance(module, torch.nn.Module) else ()
    if not any(isinstance(layer, torch.nn.RNNBase) for layer in layers):
        yield
        return
    with _RECURRENCE:
        enabled = torch.backends.cudnn.enabled
        torch.backends.cudnn.enabled = False
        try:
            yield
        finally:
            torch.backends.cudnn.enabled = enabled


def undisturbed_attention(may_attend: bool) -> AbstractContextManager[Any]:
    """Return a context in which no other thread changes the kernels of attention."""
    return _ATTENTION if may_attend else nullcontext()


class _OneThread:
    """Lets numpy multiply matrices on one thread; of calls at once in threads the last undoes it.

    Two threads take up to fifty times as long for products with a matrix of few columns.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_users = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_users:
                self._limits = _libraries().limit(limits=1, user_api="blas")
            self._n_users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._limits.restore_original_limits()


@cache
def _libraries() -> ThreadpoolController:
    """Return the libraries that run threads; to find them takes a while."""
    return ThreadpoolController()


one_thread_for_products = _OneThread()
