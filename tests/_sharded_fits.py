"""Fits that two processes share, for tests that compare them with one process.

As a script: ``python _sharded_fits.py FOLDER NAME...`` in each of the processes.
"""

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from torch import nn

import skexplain
from skexplain.penalties import (
    ActivationPenalty,
    AverageCasePenalty,
    CertifiedPenalty,
    EnergyPenalty,
    PatternPenalty,
)

AT_LAYERS = [
    ("activation", ActivationPenalty()),
    ("energy", EnergyPenalty()),
    ("pattern", PatternPenalty()),
]
SHORT = {
    "max_epochs": 3,
    "batch_size": 16,
    "optimizer": torch.optim.SGD,
    "lr": 0.05,
    "random_state": 0,
    "device": "accelerate",
}


class Normed(nn.Module):
    """A network with layers that are not trusted to be the same in training mode."""

    def __init__(self, n_outputs):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 12), nn.LayerNorm(12), nn.Tanh())
        self.head = nn.Linear(12, n_outputs)

    def forward(self, x):
        return self.head(self.features(x)) + 0


class Coupled(nn.Module):
    """A network with batch norm, and dropout of entries and of channels."""

    def __init__(self, n_outputs):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.2)),
            *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Dropout(0.3), nn.Flatten()),
        )
        self.head = nn.Sequential(nn.Linear(128, 8), nn.BatchNorm1d(8), nn.Linear(8, n_outputs))

    def forward(self, x):
        return self.head(self.features(x))


class Attending(nn.Module):
    """A network that drops out attention, out of reach of what shares dropout."""

    def __init__(self, n_outputs):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
        self.head = nn.Linear(64, n_outputs)

    def forward(self, x):
        x = x[:, 0]
        return self.head(self.attention(x, x, x)[0].flatten(1))


class Reader(nn.Module):
    """A network of tokens."""

    def __init__(self, n_outputs):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, ids):
        return self.head(self.embedding(ids).mean(1))


class Signs(AverageCasePenalty):
    """A user's noise, which is drawn by torch for all samples of a batch at once."""

    def move(self, module, rows, donors=None, generator=None):
        noise = torch.rand(rows.x.shape, generator=generator).sub(0.5).sign()
        return rows.x + 2 * rows.irrelevance * noise * rows.x.std()


class Bounds(CertifiedPenalty):
    """A user's class that changes nothing, of a penalty that needs the network itself."""


def table(annotated=51):
    """Two classes, the last columns marked; 51 samples leave a last batch of three."""
    rng = np.random.default_rng(0)
    y = np.arange(51) % 2
    X = rng.normal(size=(51, 6)).astype(np.float32) + y[:, None]
    mask = np.repeat(np.arange(6)[None] >= 3, 51, axis=0).astype(np.float32)
    mask[annotated:] = np.nan
    return X, y, mask


def images():
    rng = np.random.default_rng(0)
    y = np.arange(51) % 2
    X = rng.normal(size=(51, 1, 8, 8)).astype(np.float32)
    X[:, 0, 2:4, 2:4] += y[:, None, None]
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[:, 5:] = True
    return X, y, mask


def some():
    return table(annotated=20)


def parts():
    """Masks that mark another place in each sample, which swaps exchange."""
    X, y, mask = table()
    return (
        X,
        y,
        np.roll(mask, np.arange(51) % 3, axis=0) * (np.random.default_rng(1).random((51, 6)) < 0.5),
    )


def texts():
    rng = np.random.default_rng(0)
    y = np.arange(51) % 2
    X = rng.integers(1, 18, (51, 7))
    X[:, 0] = 18 + y
    return X, y, X >= 17


def units():
    X, y, _ = table()
    return X, y, np.arange(12)[None] >= 6


def weights():
    return {"sample_weight": np.random.default_rng(2).integers(0, 3, 51).astype(float)}


# By name: the estimator, its parameters, the data, and further arguments of fit.
FITS = {
    "erm": ("ERMClassifier", {"module": Normed}, some, {}),
    "regressor": ("ERMRegressor", {"lr": 0.01}, table, weights()),
    "swap": ("SwapExClassifier", {}, some, weights()),
    "swap of parts": ("SwapExClassifier", {"alpha": 1.0, "class_weight": "balanced"}, parts, {}),
    "noise": ("AvgExClassifier", {"n_draws": 2, "grad_alpha": 0.1}, some, {}),
    "PGD-Ex": ("PGDExClassifier", {"penalty_every": 2, "grad_alpha": 0.1}, some, weights()),
    "Grad-Reg": ("GradRegClassifier", {"module": Normed, "alpha": 0.5}, some, weights()),
    "Grad-Reg in chunks": ("GradRegClassifier", {"penalty_chunk_size": 5}, table, {}),
    "two-stage": ("TwoStageExplanationClassifier", {}, some, weights()),
    "CDEP": ("CDEPClassifier", {"alpha": "auto"}, some, {}),
    "IBP-Ex": ("IBPExClassifier", {"epsilon": 0.2}, some, {}),
    "influence": ("InfluenceRegClassifier", {"penalty_every": 2}, some, {}),
    "HINT": ("HINTClassifier", {}, images, {}),
    "Grad-CAM": ("GradCAMRegClassifier", {"annotated_per_batch": 3}, images, {}),
    "group DRO": ("GroupDROClassifier", {}, table, {}),
    "early stopping": (
        "SwapExClassifier",
        {
            "early_stopping": True,
            "max_epochs": 30,
            "lr": 0.5,
            "n_iter_no_change": 2,
            "validation_fraction": 0.3,
        },
        some,
        {},
    ),
    "batch norm and dropout": ("SwapExClassifier", {"module": Coupled}, images, {}),
    "batch norm, Grad-Reg": ("GradRegClassifier", {"module": Coupled, "alpha": 0.1}, images, {}),
    "one by one": ("GradRegClassifier", {"batch_size": 1, "max_epochs": 1}, some, {}),
    "tokens": ("SwapExClassifier", {"module": Reader}, texts, {}),
    "call by call": ("PGDExClassifier", {"penalty_every": 2}, some, {}),
    "state of the first": ("ERMClassifier", {"optimizer": torch.optim.Adam}, some, {}),
    "PGD-Ex in place": ("PGDExClassifier", {"alpha": "replace"}, some, {}),
    "noise of one draw": ("AvgExClassifier", {"grad_alpha": 0.1}, some, {}),
    "robust": ("GradRegClassifier", {"robust": "random", "n_steps": 2}, table, {}),
    "layers": ("ExplanationClassifier", {"penalties": AT_LAYERS, "alpha": 1e-3}, images, {}),
    "units": ("ConceptGradRegClassifier", {"module": Normed, "layer": "features"}, units, {}),
    "augmented": ("SwapExClassifier", {"augment": "light"}, images, {}),
    "noise of a user": (
        "ExplanationClassifier",
        {"penalties": [("own", Signs("gaussian"))]},
        some,
        {},
    ),
    "bounds of a user": (
        "ExplanationClassifier",
        {"penalties": [("own", Bounds(0.2))]},
        some,
        {},
    ),
    "rate of the first": ("ERMClassifier", {}, some, {}),
    "schedule of the first": ("ERMClassifier", {}, some, {}),
    "own schedule": ("SwapExClassifier", {"lr_schedule": "cosine"}, table, {}),
    "LBFGS": (
        "ERMClassifier",
        {"optimizer": torch.optim.LBFGS, "optimizer__max_iter": 5, "batch_size": -1},
        table,
        {},
    ),
    "momentum": ("GradRegClassifier", {"optimizer": torch.optim.Adam, "lr": 0.01}, images, {}),
    "seed from anywhere": ("ERMClassifier", {"random_state": None}, table, {}),
}


def narrow(process):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4 + process), nn.Linear(4 + process, 2))


# What cannot be shared, by name: a network, and what differs between the processes.
ERRORS = {
    "attention with dropout": lambda process: {"module": Attending},
    "other data": lambda process: {"module": "auto"},
    "other network": lambda process: {"module": narrow(process)},
}


def fit(name, **params):
    """Fit one of them, and return its weights, history, predictions and seed."""
    kind, own, data, arguments = FITS[name]
    X, y, mask = data()
    clf = getattr(skexplain, kind)(**{**SHORT, **own, **params})
    if name == "call by call":
        for _ in range(clf.max_epochs):
            clf.partial_fit(X, y, mask=mask, classes=[0, 1])
    else:
        if name.endswith("of the first"):  # each process has trained by itself before
            process = int(os.environ.get("RANK", "0"))
            before = {"lr": 0.01 * (1 + process)}
            if name == "rate of the first":  # which a schedule has reached
                falls = LRScheduler("StepLR", step_size=1, gamma=0.5 / (1 + process))
                before = {"lr": 0.01, "callbacks": [("falls", falls)]}
            if name == "schedule of the first":  # which the others do not have
                falls = LRScheduler("StepLR", step_size=1)
                before = {"callbacks": None if process else [("falls", falls)]}
            clf.set_params(device="cpu", **before).fit(X, y, mask=mask)
            clf.set_params(lr=0.01, device=params.get("device", "accelerate"), warm_start=True)
            clf.set_params(callbacks=None)
        clf.fit(X, y, mask=mask, **arguments)
    state = clf.module_.state_dict().values()
    weights = np.concatenate([tensor.numpy().ravel() for tensor in state])
    history = [{key: row[key] for key in sorted(row) if key != "dur"} for row in clf.history_]
    root = clf.trainer_.streams.root
    return {"weights": weights, "history": history, "predicted": clf.predict(X), "root": root}


def error(name, process):
    """Return what the error of a fit says."""
    X, y, mask = images()
    try:
        skexplain.ERMClassifier(**SHORT, **ERRORS[name](process)).fit(
            X + process * (name == "other data"), y
        )
    except ValueError as raised:
        return str(raised)
    return ""


if __name__ == "__main__":
    from accelerate import Accelerator

    process = Accelerator().process_index
    folder, *names = sys.argv[1:]
    results = {name: error(name, process) if name in ERRORS else fit(name) for name in names}
    Path(folder, f"{process}.pickle").write_bytes(pickle.dumps(results))
