"""Hundreds of fits and predictions leave nothing behind in the process; a full disk no file."""

import gc
import os
import resource
import signal
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from skexplain import (
    ERMClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
    TwoStageExplanationClassifier,
    WithPropagatedMasks,
    load,
    save,
)
from skexplain.inspection import saliency

linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads /proc")


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, 8)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int), np.eye(8)[7:]


def attention():
    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Linear(1, 4)
            self.attend = torch.nn.MultiheadAttention(4, 1, batch_first=True)
            self.head = torch.nn.Linear(32, 2)

        def forward(self, x):
            tokens = self.embed(x[:, :, None])
            return self.head(self.attend(tokens, tokens, tokens)[0].flatten(1))

    return Attention()


BASE = GradRegClassifier(norm="l2", alpha=1.0, max_epochs=1)
KINDS = {
    "swap": lambda: SwapExClassifier(max_epochs=1),
    "gradients of attention": lambda: GradRegClassifier(attention, max_epochs=1),
    "two-stage": lambda: TwoStageExplanationClassifier(max_epochs=1),
    "early stopping": lambda: ERMClassifier(max_epochs=2, early_stopping=True),
    "find another": lambda: FindAnotherExplanationClassifier(BASE, n_explanations=1),
    "propagated masks": lambda: WithPropagatedMasks(
        SwapExClassifier(max_epochs=1), MaskPropagator(cv=None, n_steps=2)
    ),
}


def state_of_the_process():
    """Return what must not grow: memory that is held, threads, open files, objects, hooks."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kinds = [type(each) for each in gc.get_objects()]
    return {
        "megabytes": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "tensors": sum(issubclass(kind, torch.Tensor) for kind in kinds),
        "networks": sum(issubclass(kind, torch.nn.Module) for kind in kinds),
        "warning filters": len(warnings.filters),
        "signal handler": signal.getsignal(signal.SIGINT),
        "random state": hash(torch.get_rng_state().numpy().tobytes()),
    }


def repeat(work, n_warm, n_times):
    """Return the state before and after some calls; the first ones fill caches."""
    for _ in range(n_warm):
        work()
    before = state_of_the_process()
    for _ in range(n_times):
        work()
    return before, state_of_the_process()


def assert_no_growth(before, after, megabytes):
    assert after.pop("megabytes") - before.pop("megabytes") < megabytes
    assert after == before


@linux
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "n_times"),
    [
        pytest.param(KINDS["swap"], 5, id="swap, 5 times"),
        *(
            pytest.param(make, 200, id=f"{name}, 200 times", marks=pytest.mark.slow)
            for name, make in KINDS.items()
        ),
    ],
)
def test_fits_and_predictions_leave_nothing_behind(make, n_times, problem):
    X, y, mask = problem
    one, every = make(), [mask[0]] * 60 + [None] * 4

    def refit():
        one.fit(X, y, mask=every)

    def fit_anew():
        clf = make().fit(X, y, mask=every)
        clf.predict_proba(X)

    for work in (refit, fit_anew):
        assert_no_growth(*repeat(work, 5, n_times), 16)
    fitted = make().fit(X, y, mask=every)
    assert_no_growth(*repeat(lambda: fitted.predict_proba(X), 5, n_times), 16)


@linux
def test_saliency_and_files_leave_nothing_behind(problem, tmp_path):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)

    def work():
        saliency(clf, X)
        save(clf, tmp_path / "model")
        load(tmp_path / "model").predict(X)

    assert_no_growth(*repeat(work, 3, 5), 16)


@contextmanager
def disk_of(n_bytes):
    """Let no file of this process be longer than so many bytes, as if the disk were full."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 4096])
def test_a_full_disk_keeps_the_model_that_was_there(n_bytes, problem, tmp_path):
    X, y, mask = problem
    old = SwapExClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    path = tmp_path / "model"
    save(old, path)
    before = path.read_bytes()
    assert len(before) > n_bytes
    new = SwapExClassifier(max_epochs=2, random_state=1).fit(X, y, mask=mask)
    with pytest.raises(OSError, match="model"), disk_of(n_bytes):
        save(new, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    save(new, path)  # once there is room
    np.testing.assert_array_equal(load(path).predict_proba(X), new.predict_proba(X))


def test_a_file_that_cannot_take_its_place_is_not_left_behind(problem, tmp_path):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    (tmp_path / "model").mkdir()
    with pytest.raises(OSError, match="model"):
        save(clf, tmp_path / "model")
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]
