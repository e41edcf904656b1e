"""Check the learning rate of every step of a schedule."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Checkpoint, LRScheduler

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)

LR, N_ROWS, BATCH, EPOCHS = 1e-2, 50, 16, 5
N_STEPS = EPOCHS * 4  # batches of 16, 16, 16 and 2 samples
X = np.random.default_rng(0).normal(size=(N_ROWS, 2))
Y = np.arange(N_ROWS) % 2
# Two steps up, then LR (1 + cos(pi t / T)) / 2.
COSINE = [LR / 3, LR * 2 / 3, *(LR * (1 + np.cos(np.pi * np.arange(18) / 18)) / 2)]


class RecordingSGD(torch.optim.SGD):
    rates = []

    def step(self, closure=None):
        self.rates.append([group["lr"] for group in self.param_groups])
        return super().step(closure)


@pytest.fixture(autouse=True)
def rates(monkeypatch):
    monkeypatch.setattr(RecordingSGD, "rates", [])
    return RecordingSGD.rates


def make(cls=ERMClassifier, **params):
    settings = {"optimizer": RecordingSGD, "lr": LR, "batch_size": BATCH, "max_epochs": EPOCHS}
    return cls(**{**settings, "random_state": 0, "device": "cpu", **params})


def test_constant(rates):
    make().fit(X, Y)
    assert rates == [[LR]] * N_STEPS


def test_cosine(rates):
    clf = make(lr_schedule="cosine", backbone_lr=LR / 10).fit(X, Y)
    assert_allclose([rate for _, rate in rates], COSINE, rtol=1e-9)
    assert_allclose([rate for rate, _ in rates], np.array(COSINE) / 10, rtol=1e-9)
    assert [group["lr"] for group in clf.trainer_.optimizer_.param_groups] == [LR / 10, LR]


def test_a_further_fit_begins_anew_and_single_epochs_are_constant(rates):
    clf = make(lr_schedule="cosine", warm_start=True).fit(X, Y).fit(X, Y)
    assert_allclose(rates, np.tile(COSINE, 2)[:, None], rtol=1e-9)
    del rates[:]
    clf.partial_fit(X, Y)
    assert rates == [[LR]] * 4


def test_a_mapping_step_follows(rates):
    mask = np.array([[True, False]])
    make(TwoStageExplanationClassifier, lr_schedule="cosine", mapping_lr=LR).fit(X, Y, mask=mask)
    assert_allclose([rate for (rate,) in rates], np.repeat(COSINE, 2), rtol=1e-9)


def test_rates_are_restored_after_an_interruption():
    class Interrupt(LRScheduler.__base__):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    clf = make(lr_schedule="cosine", callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, Y)
    assert clf.trainer_.optimizer_.param_groups[0]["lr"] == LR


def test_two_that_set_the_rates_are_an_error():
    for callback in (LRScheduler("StepLR", step_size=1), ("rates", LRScheduler())):
        with pytest.raises(
            ValueError, match='lr_schedule must be "constant" beside an LRScheduler'
        ):
            make(lr_schedule="cosine", callbacks=[callback]).fit(X, Y)


def test_rates_are_restored_where_a_callback_has_loaded_an_optimizer(tmp_path):
    best = Checkpoint(monitor="train_loss_best", dirname=str(tmp_path), load_best=True)
    clf = make(lr_schedule="cosine", callbacks=[("best", best)]).fit(X, Y)
    assert [group["lr"] for group in clf.trainer_.optimizer_.param_groups] == [LR]


def test_a_schedule_costs_no_further_passes_and_no_records_of_batches():
    """A callback on batches makes the network run once more on held-out samples."""

    class Counting(torch.nn.Linear):
        n_samples = 0

        def forward(self, x):
            Counting.n_samples += len(x)
            return super().forward(x)

    counts = {}
    for schedule in ("constant", "cosine"):
        Counting.n_samples = 0
        settings = {"early_stopping": True, "validation_fraction": 0.4, "lr_schedule": schedule}
        clf = make(SwapExClassifier, module=lambda: Counting(2, 2), **settings)
        clf.fit(X, Y, mask=np.array([[True, False]]))
        counts[schedule] = Counting.n_samples
        assert not any("train_loss" in batch for row in clf.history_ for batch in row["batches"])
    assert counts["cosine"] == counts["constant"]


@pytest.mark.parametrize("cls", [ERMClassifier, SwapExClassifier, GradRegClassifier])
def test_lbfgs_trains_convolutions(cls):
    """It flattens gradients with view, which needs the usual layout of memory."""
    images = np.random.default_rng(0).normal(size=(20, 6, 6))
    images[:, 0, 0] += 4 * (np.arange(20) % 2)
    mask = np.zeros((1, 6, 6))
    mask[:, 5] = 1
    clf = cls(max_epochs=2, random_state=0, warm_start=True)
    clf.fit(images, np.arange(20) % 2, mask=mask)  # with Adam, in the layout that is faster
    clf.set_params(optimizer=torch.optim.LBFGS, lr=0.1, max_epochs=5, warm_start=False)
    clf.fit(images, np.arange(20) % 2, mask=mask)
    losses = clf.history_[:, "train_loss"]
    assert losses[-1] < losses[0]
