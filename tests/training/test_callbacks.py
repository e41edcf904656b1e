"""skorch's own callbacks find in a trainer what they find in a net, and what they find is right."""

import re

import numpy as np
import pytest
import torch
from _estimators import make_problem, weights
from sklearn.metrics import log_loss, mean_squared_error, r2_score, roc_auc_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
)
from torch import nn
from torch.optim.lr_scheduler import CyclicLR

from skexplain import GradRegClassifier, SwapExClassifier, SwapExRegressor

QUICK = {"max_epochs": 4, "lr": 1e-2, "batch_size": 16, "random_state": 0}
HELD_OUT = {"early_stopping": True, "validation_fraction": 0.3, "n_iter_no_change": 99}


@pytest.fixture(scope="module")
def problem():
    """A binary problem with named classes."""
    X, y, mask = make_problem(n_rows=120)
    return X, np.array(["wolf", "dog"])[y], mask


def fit(problem, *callbacks, cls=SwapExClassifier, **params):
    X, y, mask = problem
    return cls(callbacks=list(callbacks), **{**QUICK, **params}).fit(X, y, mask=mask)


# -- scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("use_caching", [True, False])
@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "neg_brier_score", "f1", None])
def test_scores_of_held_out_samples(scoring, use_caching, problem):
    """Scores of probabilities are those of probabilities, and y is there without a cache."""

    class HeldOut(Callback):
        def on_epoch_end(self, net, dataset_valid, **kwargs):
            self.y_ = dataset_valid.y.numpy()
            self.proba_ = net.predict_proba(dataset_valid)

    score = EpochScoring(scoring, name="own", lower_is_better=False, use_caching=use_caching)
    held_out = HeldOut()
    clf = fit(problem, score, held_out, **HELD_OUT)
    y, proba = held_out.y_, held_out.proba_
    assert proba.sum(1) == pytest.approx(np.ones(36))
    of_probability = {
        "roc_auc": lambda: roc_auc_score(y, proba[:, 1]),
        "neg_log_loss": lambda: -log_loss(y, proba),
        None: lambda: np.mean(proba.argmax(1) == y),
    }
    if scoring in of_probability:
        assert clf.history_[-1, "own"] == pytest.approx(of_probability[scoring]())
    assert np.isfinite(clf.history_[:, "own"]).all()


@pytest.mark.parametrize("scoring", ["roc_auc_ovr", "neg_log_loss", "accuracy"])
def test_scores_of_training_samples_are_those_of_the_estimator(scoring):
    X, y, mask = make_problem(n_rows=120)
    y = np.array(["a", "b", "c"])[(y + (X[:, 1] > 0)).astype(int)]
    score = EpochScoring(scoring, name="own", on_train=True, use_caching=False)
    clf = fit((X, y, mask), score)
    proba = clf.predict_proba(X)
    expected = {
        "roc_auc_ovr": lambda: roc_auc_score(y, proba, multi_class="ovr"),
        "neg_log_loss": lambda: -log_loss(y, proba),
        "accuracy": lambda: clf.score(X, y),
    }[scoring]()
    assert clf.history_[-1, "own"] == pytest.approx(expected)


@pytest.mark.parametrize("use_caching", [True, False])
def test_scores_of_a_regressor(use_caching, problem):
    X, _, mask = problem
    scores = [
        EpochScoring(scoring, name=name, use_caching=use_caching, lower_is_better=False)
        for scoring, name in ((None, "own"), ("r2", "r2"), ("neg_mean_squared_error", "mse"))
    ]

    class HeldOut(Callback):
        def on_epoch_end(self, net, dataset_valid, **kwargs):
            self.told_ = dataset_valid.y.numpy(), net.predict(dataset_valid)

    held_out = HeldOut()
    reg = fit((X, X[:, 0], mask), *scores, held_out, cls=SwapExRegressor, **HELD_OUT)
    last = reg.history_[-1]
    assert last["r2"] == last["own"] == pytest.approx(r2_score(*held_out.told_), rel=1e-4)
    assert last["mse"] == pytest.approx(-mean_squared_error(*held_out.told_), rel=1e-4)


class Dropping(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


@pytest.mark.parametrize("use_caching", [True, False])
def test_scores_leave_training_alone(use_caching, problem):
    """A prediction between two steps leaves batch norm and dropout in training mode."""
    scores = [
        BatchScoring("neg_log_loss", name="by_batch", on_train=True, use_caching=use_caching),
        EpochScoring("neg_log_loss", name="epochs", on_train=True, use_caching=use_caching),
        PassthroughScoring("train_loss", on_train=True),
    ]
    watched = fit(problem, *scores, module=Dropping)
    plain = fit(problem, module=Dropping)
    assert watched.history_[-1, "by_batch"] < 0
    assert torch.equal(weights(watched), weights(plain))


def test_a_trainer_is_no_estimator(problem):
    X, y, _ = problem
    with pytest.raises(TypeError, match="call the estimator's fit"):
        fit(problem).trainer_.fit(X, y)


# -- learning rates, gradients, parameters --------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        LRScheduler("StepLR", step_size=1, gamma=0.1),
        LRScheduler("ReduceLROnPlateau", monitor="train_loss", patience=0, threshold=10.0),
        LRScheduler(CyclicLR, base_lr=1e-5, max_lr=1e-4, step_every="batch", cycle_momentum=False),
        LRScheduler("WarmRestartLR", min_lr=1e-5, max_lr=1e-4),
    ],
    ids=lambda schedule: str(schedule.policy),
)
def test_learning_rate_schedules(schedule, problem):
    clf = fit(problem, schedule)
    assert clf.trainer_.optimizer_.param_groups[0]["lr"] < 1e-2
    assert not torch.equal(weights(clf), weights(fit(problem)))


def test_a_callback_sets_the_optimizer(problem):
    class Warm(Callback):
        def on_epoch_begin(self, net, **kwargs):
            net.set_params(lr=1e-30 if len(net.history) < 3 else 1e-2, optimizer__eps=1e-3)

    warm = fit(problem, Warm())
    assert warm.trainer_.optimizer_.param_groups[0]["eps"] == 1e-3
    assert warm.history_[0]["train_loss"] > warm.history_[3]["train_loss"]
    with pytest.raises(ValueError, match="module__width must be lr or begin with optimizer__"):
        warm.trainer_.set_params(module__width=3)


def test_parameters_are_frozen_mapped_and_clipped(problem):
    frozen = fit(
        problem,
        ("start", Initializer("head.weight", fn=nn.init.zeros_)),
        ("ice", Freezer("head.*")),
    )
    assert not frozen.module_.head.weight.any()
    assert not frozen.module_.head.weight.requires_grad
    thawed = fit(problem, Freezer("head.*"), Unfreezer("head.*", at=3), GradientNormClipping(1e-3))
    assert thawed.module_.head.weight.requires_grad
    clamped = fit(
        problem, ParamMapper("head.weight", fn=lambda p: p.data.clamp_(-1e-3, 1e-3), at=4)
    )
    assert clamped.module_.head.weight.abs().max() < 0.1


def test_the_shape_of_a_network_is_set_before_callbacks(problem):
    with pytest.raises(TypeError, match="no InputShapeSetter .*got .*InputShapeSetter"):
        fit(problem, InputShapeSetter())


# -- stopping and storing -------------------------------------------------------------------------


def test_early_stopping_of_skorch(problem):
    stopping = EarlyStopping("train_loss", patience=2, threshold=1e9, threshold_mode="abs")
    assert fit(problem, stopping, max_epochs=30).n_iter_ == 3


def test_a_checkpoint_is_stored_loaded_and_gone_on_from(problem, tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, monitor="train_loss_best", load_best=True)
    clf = fit(problem, checkpoint)
    stored = torch.load(tmp_path / "params.pt")
    assert torch.equal(torch.cat([t.flatten().double() for t in stored.values()]), weights(clf))
    assert {"optimizer.pt", "criterion.pt", "history.json"} <= {p.name for p in tmp_path.iterdir()}
    further = fit(problem, LoadInitState(Checkpoint(dirname=tmp_path)), max_epochs=2)
    at_once = fit(problem, max_epochs=clf.n_iter_ + 2)  # from the best epoch, whose history is back
    assert further.n_iter_ == at_once.n_iter_
    assert torch.equal(weights(further), weights(at_once))


def test_a_checkpoint_at_the_end_of_training(problem, tmp_path):
    clf = fit(problem, TrainEndCheckpoint(dirname=tmp_path))
    stored = torch.load(tmp_path / "train_end_params.pt")
    assert torch.equal(torch.cat([t.flatten().double() for t in stored.values()]), weights(clf))
    with pytest.raises(AttributeError, match="f_nothing must name a part of a trainer, nothing_"):
        clf.trainer_.save_params(f_nothing=tmp_path / "nothing.pt")


# -- logs -----------------------------------------------------------------------------------------


class Writer:
    """Stands in for what a logger writes to."""

    def __init__(self):
        self.tags = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.tags.append(tag)

    def log_scalar(self, name, value, step):
        self.tags.append(name)

    def close(self):
        pass


def test_logs(problem, capsys):
    board, sacred = Writer(), Writer()
    callbacks = TensorBoard(board), SacredLogger(sacred), ProgressBar(), EpochTimer()
    fit(problem, *callbacks, ("second_log", PrintLog()), verbose=1, batch_size=-1)
    out, err = capsys.readouterr()
    assert out.count("train_label_loss") == 2
    assert re.search(r" 0/1 ", err)  # one step an epoch
    assert {"Loss/train_loss", "dur"} <= set(board.tags)
    assert "train_loss" in sacred.tags


def test_parameters_of_callbacks_are_set_by_name(problem):
    decay = ("decay", LRScheduler("StepLR", step_size=1, gamma=0.9))
    clf = fit(problem, decay, cls=GradRegClassifier, callbacks__decay__gamma=0.5)
    assert clf.trainer_.optimizer_.param_groups[0]["lr"] == pytest.approx(1e-2 / 16)
    with pytest.raises(ValueError, match="callbacks__dekay__gamma names none of the callbacks"):
        fit(problem, decay, callbacks__dekay__gamma=0.5)
    with pytest.raises(ValueError, match="duplicate"):
        fit(problem, decay, decay)
