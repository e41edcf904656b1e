"""Check what happens around the epochs of a fit: early stopping, callbacks, what is printed, and
Ctrl-C.
"""

import re
import time

import numpy as np
import pytest
import torch
from _estimators import ESTIMATORS, Perceptron, make_problem, quick, weights
from _pairs import in_turn
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)

from skexplain import GradRegClassifier, SwapExClassifier, TwoStageExplanationClassifier


@pytest.fixture(params=ESTIMATORS, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


@pytest.fixture(scope="module")
def problem():
    return make_problem(n_rows=120)


def fit(cls, problem, **params):
    X, y, mask = problem
    return quick(cls, **{"random_state": 0, **params}).fit(X, y, mask=mask)


class Snapshots(Callback):
    """Keeps the weights of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.snapshots_ = []

    def on_epoch_end(self, net, **kwargs):
        tensors = net.module_.state_dict().values()
        self.snapshots_.append(torch.cat([t.flatten().double() for t in tensors]))


class Interrupt(Callback):
    """Ctrl-C in the middle of an epoch, or at its end."""

    def __init__(self, epoch, batch=None):
        self.epoch = epoch
        self.batch = batch

    def on_epoch_begin(self, net, **kwargs):
        self.batches_ = 0

    def on_batch_begin(self, net, **kwargs):
        self.batches_ += 1
        if len(net.history) == self.epoch and self.batches_ == self.batch:
            raise KeyboardInterrupt

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch and self.batch is None:
            raise KeyboardInterrupt


# -- early stopping -------------------------------------------------------------------------------

# A network this wide overfits the few rows at once, so that the best epoch is an early one.
OVERFITS = {
    "module": Perceptron,
    "module__width": 64,
    "lr": 0.1,
    "batch_size": 32,
    "max_epochs": 60,
    "early_stopping": True,
    "validation_fraction": 0.3,
    "n_iter_no_change": 3,
}


def test_early_stopping_restores_the_best_weights(cls, problem):
    X, y, mask = problem
    noisy = np.where(np.random.default_rng(1).random(len(y)) < 0.3, 1 - y, y)
    estimator = fit(cls, (X, noisy, mask), callbacks=[snapshots := Snapshots()], **OVERFITS)
    losses = np.array(estimator.history_[:, "valid_loss"])
    best = losses.argmin()
    assert len(losses) == estimator.n_iter_ == best + 1 + 3 < 60
    assert torch.equal(weights(estimator), snapshots.snapshots_[best])
    assert not torch.equal(weights(estimator), snapshots.snapshots_[-1])


def test_early_stopping_watches_the_whole_objective(cls, problem):
    estimator = fit(cls, problem, max_epochs=3, early_stopping=True, validation_fraction=0.3)
    terms = [term.name for term in estimator.trainer_.method.terms]
    for epoch in estimator.history_:
        # What replaces clean samples is in the label loss, and no summand beside it.
        alphas = {
            name: alpha for name, alpha in estimator.trainer_.alphas_.items() if alpha < np.inf
        }
        total = epoch["valid_label_loss"] + sum(
            alpha * epoch[f"valid_{name}"] for name, alpha in alphas.items()
        )
        assert epoch["valid_loss"] == pytest.approx(total)
        assert all(epoch[f"valid_{name}"] > 0 for name in terms)


def test_early_stopping_on_few_rows_warns(cls):
    # The weights stay, and what is drawn anew or rises by design weighs next to nothing.
    still = {"lr": 1e-30, "mapping_lr": 1e-30, "alpha": 1e-9, "grad_alpha": 1e-9}
    still.update({"alpha_ramp": 0, "epsilon_ramp": 0})
    params = {name: still[name] for name in still.keys() & quick(cls).get_params()}
    params.update({"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 30})
    X, y, mask = make_problem(n_rows=30)
    estimator = quick(cls, **params, batch_size=-1, random_state=0)
    with pytest.warns(UserWarning, match=r"validation_fraction=0.1 of 30 samples is fewer than 10"):
        estimator.fit(X, y, mask=mask)
    assert "valid_loss" not in estimator.history_[-1]
    assert estimator.n_iter_ <= 5  # nothing changes, up to rounding: it stops


@pytest.mark.parametrize("n_masks", [1, 2, 6, 9])
def test_early_stopping_keeps_few_masks_for_training(n_masks):
    """Held-out rows without one would tell of the label loss alone, which rewards a shortcut."""
    X, y, mask = make_problem(n_rows=120)
    mask[n_masks:] = np.nan
    estimator = quick(GradRegClassifier, early_stopping=True, random_state=0)
    with pytest.warns(UserWarning, match=rf"monitors the .*of {n_masks} samples with a mask"):
        estimator.fit(X, y, mask=mask)
    assert "train_input_gradient" in estimator.history_[-1]
    assert "valid_loss" not in estimator.history_[-1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_masks", "share"), [(10, 0.1), (13, 0.1), (2, 0.5), (10, 0.9)])
def test_early_stopping_holds_out_some_masks(n_masks, share, seed):
    X, y, mask = make_problem(n_rows=120)
    mask[n_masks:] = np.nan
    estimator = quick(GradRegClassifier, early_stopping=True, random_state=seed, max_epochs=2)
    estimator.set_params(validation_fraction=share).fit(X, y, mask=mask)
    assert {"train_input_gradient", "valid_input_gradient"} <= set(estimator.history_[-1])


def test_early_stopping_holds_out_nothing_in_a_partial_fit(cls, problem):
    X, y, mask = problem
    plain = quick(cls, random_state=0).partial_fit(X, y, classes=[0, 1], mask=mask)
    stopping = quick(cls, random_state=0, early_stopping=True)
    stopping.partial_fit(X, y, classes=[0, 1], mask=mask)
    assert torch.equal(weights(plain), weights(stopping))


# -- callbacks of skorch --------------------------------------------------------------------------

# Callbacks and what is printed are the engine's: a penalty that is added, one that replaces the
# label loss, and two optimizers are the ways through it.
every_engine = pytest.mark.parametrize(
    "cls", [GradRegClassifier, SwapExClassifier, TwoStageExplanationClassifier]
)


@every_engine
def test_learning_rate_schedule(cls, problem):
    schedule = ("decay", LRScheduler(policy="StepLR", step_size=1, gamma=0.5))
    estimator = fit(cls, problem, callbacks=[schedule], max_epochs=4, lr=0.08)
    assert estimator.history_[:, "event_lr"] == pytest.approx([0.08, 0.04, 0.02, 0.01])
    constant = fit(cls, problem, max_epochs=4, lr=0.08)
    assert not torch.equal(weights(estimator), weights(constant))
    faster = fit(cls, problem, callbacks=[schedule], callbacks__decay__gamma=0.1, max_epochs=2)
    assert faster.trainer_.optimizer_.param_groups[0]["lr"] == pytest.approx(1e-4)


class GradientNorms(Callback):
    def on_train_begin(self, net, **kwargs):
        self.norms_ = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [p.grad.flatten() for _, p in named_parameters if p.grad is not None]
        self.norms_.append(torch.cat(gradients).norm().item())


@every_engine
def test_gradient_clipping(cls, problem):
    clipped, free = GradientNorms(), GradientNorms()
    clipping = GradientNormClipping(gradient_clip_value=1e-2)
    fit(cls, problem, callbacks=[clipping, clipped], max_epochs=2)
    fit(cls, problem, callbacks=[free], max_epochs=2)
    assert len(clipped.norms_) == len(free.norms_) == 2 * -(-120 // 16)
    assert max(clipped.norms_) < 1.001e-2 < max(free.norms_)


class HeldOut(Callback):
    def on_epoch_end(self, net, dataset_train, dataset_valid, **kwargs):
        self.rows_ = dataset_valid.index.numpy()


@every_engine
def test_scores_of_epochs(cls, problem):
    X, y, _ = problem
    scoring = [
        EpochScoring("accuracy", name="train_accuracy", on_train=True, lower_is_better=False),
        EpochScoring("accuracy", name="valid_accuracy", lower_is_better=False),
    ]
    callbacks = [*scoring, held_out := HeldOut()]
    estimator = fit(cls, problem, callbacks=callbacks, **OVERFITS)
    best = estimator.history_[int(np.argmin(estimator.history_[:, "valid_loss"]))]
    rows = held_out.rows_
    assert len(rows) == 36
    assert best["valid_accuracy"] == estimator.score(X[rows], y[rows])
    assert best["train_accuracy"] * 84 == pytest.approx(round(best["train_accuracy"] * 84))


@every_engine
def test_checkpoints(cls, problem, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, monitor=None, f_params="{last_epoch[epoch]}.pt")
    estimator = fit(cls, problem, callbacks=[checkpoint], max_epochs=3)
    stored = [torch.load(tmp_path / f"{epoch}.pt") for epoch in (1, 2, 3)]
    vectors = [torch.cat([t.flatten().double() for t in state.values()]) for state in stored]
    assert torch.equal(vectors[2], weights(estimator))
    assert not torch.equal(vectors[1], vectors[2])


@every_engine
def test_checkpoint_of_the_best_epoch(cls, problem, tmp_path):
    """By default the callback asks whether the epoch was the best so far."""
    X, y, mask = problem
    noisy = np.where(np.random.default_rng(1).random(len(y)) < 0.3, 1 - y, y)
    callbacks = [("checkpoint", Checkpoint(dirname=tmp_path))]
    estimator = fit(cls, (X, noisy, mask), callbacks=callbacks, **OVERFITS)
    stored = torch.load(tmp_path / "params.pt").values()
    assert torch.equal(torch.cat([t.flatten().double() for t in stored]), weights(estimator))


@every_engine
def test_a_stopping_rule_of_the_users_own(cls, problem):
    stopping = EarlyStopping("train_label_loss", patience=2, threshold=1e9, threshold_mode="abs")
    estimator = fit(cls, problem, callbacks=[stopping], max_epochs=30)
    assert estimator.n_iter_ == 3
    assert estimator.predict(problem[0]).shape == (120,)


# -- what is printed ------------------------------------------------------------------------------


@every_engine
def test_silent(cls, problem, capsys):
    fit(cls, problem, early_stopping=True, validation_fraction=0.3)
    assert capsys.readouterr() == ("", "")


@every_engine
def test_table(cls, problem, capsys):
    fit(cls, problem, verbose=1, max_epochs=3)
    out, err = capsys.readouterr()
    assert not err
    header, _, *rows = out.strip().splitlines()
    assert header.split()[0] == "epoch"
    assert {"train_loss", "train_label_loss"} <= set(header.split())
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]


class Pause(Callback):
    def on_epoch_end(self, net, **kwargs):
        time.sleep(0.11)


@every_engine
def test_progress_bar(cls, problem, capsys):
    pause = Pause()  # a bar moves ten times a second at most
    estimator = fit(cls, problem, verbose=2, max_epochs=3, callbacks=[pause])
    out, err = capsys.readouterr()
    assert not out
    assert re.search(r"fit:  *67%.* 2/3 .*train_loss=.*train_label_loss=", err)
    estimator.predict(problem[0])
    assert capsys.readouterr() == ("", "")


# -- Ctrl-C ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cls", "batch", "early_stopping"), in_turn(ESTIMATORS, [1, 3, None], [False, True])
)
def test_interrupt(cls, problem, batch, early_stopping):
    X, y, mask = problem
    params = {"early_stopping": early_stopping, "validation_fraction": 0.3, "random_state": 0}
    snapshots = Snapshots()
    estimator = quick(cls, callbacks=[snapshots, Interrupt(4, batch)], max_epochs=5, **params)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y, mask=mask)
    finished = 3 if batch else 4
    assert estimator.n_iter_ == len(estimator.history_) == finished
    assert estimator.predict_proba(X).shape == (120, 2)
    assert estimator.score(X, y) == np.mean(estimator.predict(X) == y)
    if early_stopping:
        # At the end of an epoch the rule that restores may or may not have been asked yet.
        best = np.argmin(estimator.history_[:3, "valid_loss"])
        assert torch.equal(weights(estimator), snapshots.snapshots_[best]) or batch is None
    elif batch in (1, None):
        assert torch.equal(weights(estimator), snapshots.snapshots_[-1])
    estimator.set_params(callbacks=None).fit(X, y, mask=mask)
    assert estimator.n_iter_ > finished


@every_engine
def test_interrupt_stops_a_search(cls, problem):
    X, y, mask = problem
    estimator = quick(cls, callbacks=[Interrupt(2, 1)])
    search = GridSearchCV(estimator, {"lr": [1e-3, 1e-2]}, cv=2, n_jobs=1)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y, mask=mask)
    assert not hasattr(search, "cv_results_")


def test_interrupt_before_the_first_epoch_is_over(cls, problem):
    X, y, mask = problem
    estimator = quick(cls, callbacks=[Interrupt(1, 1)], max_epochs=2, early_stopping=True)
    estimator.set_params(validation_fraction=0.3)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y, mask=mask)
    with pytest.raises(NotFittedError):  # an untrained network is no model
        estimator.predict_proba(X)
    trained = estimator.set_params(callbacks=None).fit(X, y, mask=mask).predict_proba(X)
    with pytest.raises(KeyboardInterrupt):
        estimator.set_params(callbacks=[Interrupt(1, 1)]).fit(X, y, mask=mask)
    np.testing.assert_array_equal(estimator.predict_proba(X), trained)
