"""What was learnt survives an interrupt at any moment, and torch is left as it was."""

import signal
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from skexplain import (
    ERMClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    IBPExClassifier,
    MaskPropagator,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
    WithPropagatedMasks,
)
from skexplain.exceptions import DivergenceError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int), np.eye(4)[3:4]


class Raise(Callback):
    """Raises an error at the n-th notification of a kind."""

    def __init__(self, error, event="on_batch_begin", at=1):
        self.error, self.event, self.at = error, event, at

    def initialize(self):
        self.left_ = self.at
        return self

    def _count(self, event):
        self.left_ -= event == self.event
        if self.left_ == 0:
            raise self.error

    def on_train_begin(self, net, **kwargs):
        self._count("on_train_begin")

    def on_epoch_begin(self, net, **kwargs):
        self._count("on_epoch_begin")

    def on_batch_begin(self, net, **kwargs):
        self._count("on_batch_begin")


ERRORS = {
    "Ctrl-C": KeyboardInterrupt(),
    "an error of a callback": RuntimeError("callback"),
    "a full memory": MemoryError("full"),
    "divergence": DivergenceError("diverged"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_begin", "on_batch_begin"])
def test_a_refit_that_never_ends_an_epoch_keeps_the_old_model(error, event, problem):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=3, random_state=0).fit(X, y, mask=mask)
    before, epochs, history = clf.predict_proba(X), clf.n_iter_, list(clf.history_)
    clf.set_params(callbacks=[Raise(error, event)], random_state=3)
    with pytest.raises(type(error)):
        clf.fit(X, y, mask=mask)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert clf.n_iter_ == epochs
    assert list(clf.history_) == history


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_first_fit_without_an_epoch_leaves_no_model(error, problem):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=10, callbacks=[Raise(error)])
    with pytest.raises(type(error)):
        clf.fit(X, y, mask=mask)
    with pytest.raises(NotFittedError):
        clf.predict(X)
    assert not [name for name in vars(clf) if name.endswith("_")]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_ended_epochs_are_kept(error, problem):
    X, y, mask = problem
    whole = SwapExClassifier(max_epochs=3, random_state=0).fit(X, y, mask=mask)
    n_batches = 3 * whole.history_[-1, "train_batch_count"]
    stop = Raise(error, at=n_batches + 1)
    clf = SwapExClassifier(max_epochs=10, callbacks=[stop], random_state=0)
    with pytest.raises(type(error)):
        clf.fit(X, y, mask=mask)
    assert clf.n_iter_ == 3
    np.testing.assert_array_equal(clf.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_training_that_goes_on_keeps_what_it_had(error, problem):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=5, random_state=0, warm_start=True).fit(X, y, mask=mask)
    clf.set_params(callbacks=[Raise(error)])
    with pytest.raises(type(error)):
        clf.fit(X, y, mask=mask)
    assert clf.n_iter_ == 5
    assert np.isfinite(clf.predict_proba(X)).all()


BASE = GradRegClassifier(norm="l2", alpha=1.0, max_epochs=4)
KINDS = {
    "ERM": lambda: ERMClassifier(max_epochs=10),
    "swap": lambda: SwapExClassifier(max_epochs=10),
    "gradients": lambda: GradRegClassifier(max_epochs=6),
    "PGD": lambda: PGDExClassifier(max_epochs=4),
    "bounds": lambda: IBPExClassifier(max_epochs=4),
    "two-stage": lambda: TwoStageExplanationClassifier(max_epochs=6),
    "groups": lambda: GroupDROClassifier(max_epochs=10),
    "find another": lambda: FindAnotherExplanationClassifier(BASE, n_explanations=2),
}


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"),
    reason="signals reach the main thread, on POSIX",
)
@pytest.mark.parametrize(
    ("n_moments", "refit"),
    [
        pytest.param(2, False, id="first fit"),
        pytest.param(2, True, id="refit"),
        pytest.param(25, False, id="first fit, often", marks=pytest.mark.slow),
        pytest.param(25, True, id="refit, often", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_interrupts_at_random_moments(make, n_moments, refit, problem):
    X, y, mask = problem
    start = time.perf_counter()
    make().fit(X, y, mask=mask)
    seconds = time.perf_counter() - start
    rng = np.random.default_rng(0)
    old = make().set_params(random_state=0).fit(X, y, mask=mask) if refit else None
    before = old.predict_proba(X) if refit else None
    state, grad_mode = torch.get_rng_state(), torch.is_grad_enabled()

    def interrupt(*_):
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        for moment in rng.uniform(0.001, 0.8, size=n_moments):
            clf = make().set_params(random_state=0).fit(X, y, mask=mask) if refit else make()
            clf.set_params(random_state=1)
            interrupted = False
            try:
                signal.setitimer(signal.ITIMER_REAL, moment * seconds)
                clf.fit(X, y, mask=mask)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert torch.is_grad_enabled() == grad_mode
            assert torch.equal(torch.get_rng_state(), state)
            try:
                after = clf.predict_proba(X)
            except NotFittedError:
                assert interrupted
                assert not refit
                continue
            assert np.isfinite(after).all()
            if interrupted and getattr(clf, "n_iter_", 1) == 0:
                raise AssertionError("a model without an epoch counts as fitted")
            if refit and interrupted and np.array_equal(after, before):
                assert len(getattr(clf, "history_", [1])) > 0
            # No hook is left behind, and training goes on.
            for module in getattr(clf, "module_", torch.nn.Identity()).modules():
                assert not module._forward_pre_hooks
                assert not module._forward_hooks
            clf.fit(X, y, mask=mask)
    finally:
        signal.signal(signal.SIGALRM, handler)


def test_masks_are_filled_in_again_after_an_interrupt(problem):
    X, y, mask = problem
    clf = WithPropagatedMasks(SwapExClassifier(max_epochs=5, random_state=0), MaskPropagator())
    few = [mask[0] if i < 20 else None for i in range(len(X))]
    before = clf.fit(X, y, mask=few).predict_proba(X)
    clf.estimator.set_params(callbacks=[Raise(KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y, mask=few)
    np.testing.assert_array_equal(clf.predict_proba(X), before)
