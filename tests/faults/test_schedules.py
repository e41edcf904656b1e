"""Epochs one by one are one fit, whatever callbacks change from epoch to epoch."""

import numpy as np
import pytest
from skorch.callbacks import LRScheduler

from skexplain import ERMClassifier, SwapExClassifier, TwoStageExplanationClassifier

POLICIES = {
    "StepLR": {"policy": "StepLR", "step_size": 1, "gamma": 0.1},
    "ExponentialLR": {"policy": "ExponentialLR", "gamma": 0.5},
    "CosineAnnealingLR": {"policy": "CosineAnnealingLR", "T_max": 4},
    "MultiStepLR": {"policy": "MultiStepLR", "milestones": [1, 3]},
    "CyclicLR by batch": {
        "policy": "CyclicLR",
        "base_lr": 1e-4,
        "max_lr": 1e-2,
        "step_size_up": 3,
        "step_every": "batch",
        "cycle_momentum": False,
    },
    "ReduceLROnPlateau": {
        "policy": "ReduceLROnPlateau",
        "monitor": "train_loss",
        "patience": 0,
        "threshold": 10.0,
    },
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize(
    "cls",
    [ERMClassifier, SwapExClassifier, TwoStageExplanationClassifier],
    ids=lambda c: c.__name__,
)
def test_schedules_go_on(cls, policy):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 4))
    fit = {} if cls is ERMClassifier else {"mask": np.eye(4)[3:]}

    def make(**params):
        schedule = LRScheduler(**policy, event_name="lr")
        return cls(random_state=0, callbacks=[("schedule", schedule)], **params)

    whole = make(max_epochs=4).fit(X, y, **fit)
    step_by_step = make()
    for _ in range(4):
        step_by_step.partial_fit(X, y, classes=[0, 1], **fit)
    warm = make(max_epochs=2, warm_start=True).fit(X, y, **fit).fit(X, y, **fit)
    for clf in (step_by_step, warm):
        if policy.get("step_every") != "batch":
            assert clf.history_[:, "lr"] == whole.history_[:, "lr"]
        np.testing.assert_array_equal(clf.predict_proba(X), whole.predict_proba(X))
