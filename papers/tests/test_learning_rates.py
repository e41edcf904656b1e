"""Check the learning rate of every step against torch's own schedulers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skexplain import ERMClassifier
from skexplain_papers._schedules import SCHEDULES, learning_rate_callbacks

LR, N_ROWS, BATCH, EPOCHS = 1e-2, 50, 16, 3
N_STEPS = 3 * 4  # batches of 16, 16, 16 and 2 rows


def rates_by_torch(make_scheduler):
    """Learning rate of each step, from a scheduler stepped by hand."""
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=LR)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(N_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


class RecordingSGD(torch.optim.SGD):
    rates = []

    def step(self, closure=None):
        self.rates.append(self.param_groups[0]["lr"])
        return super().step(closure)


def rates_of_a_fit(schedule, monkeypatch):
    monkeypatch.setattr(RecordingSGD, "rates", [])
    rng = np.random.default_rng(0)
    callbacks = learning_rate_callbacks(
        schedule, LR, n_rows=N_ROWS, batch_size=BATCH, max_epochs=EPOCHS
    )
    ERMClassifier(
        optimizer=RecordingSGD,
        lr=LR,
        batch_size=BATCH,
        max_epochs=EPOCHS,
        callbacks=callbacks,
        random_state=0,
    ).fit(rng.normal(size=(N_ROWS, 2)), np.arange(N_ROWS) % 2)
    return RecordingSGD.rates


def test_one_cycle(monkeypatch):
    expected = rates_by_torch(
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=2 * LR, total_steps=N_STEPS
        )
    )
    rates = rates_of_a_fit("one-cycle", monkeypatch)
    assert_allclose(rates, expected, rtol=1e-12)
    assert max(rates) > 1.9 * LR
    assert rates[-1] < 0.01 * LR


def test_cosine(monkeypatch):
    # lr (1 + cos(pi t / T)) / 2
    expected = LR * (1 + np.cos(np.pi * np.arange(N_STEPS) / N_STEPS)) / 2
    assert_allclose(rates_of_a_fit("cosine", monkeypatch), expected, rtol=1e-9)


def test_constant(monkeypatch):
    assert rates_of_a_fit("constant", monkeypatch) == [LR] * N_STEPS


def test_unknown_schedules_are_refused():
    with pytest.raises(ValueError, match="schedule must be one of"):
        learning_rate_callbacks("steps", LR, n_rows=N_ROWS, batch_size=BATCH, max_epochs=EPOCHS)
    assert SCHEDULES == ("constant", "cosine", "one-cycle")
