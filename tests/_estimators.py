"""Every estimator in quick forms, and test subclasses that give or record masks.

The subclasses stand in a module of their own so that they can be pickled by name, in the workers of
a parallel search, too.
"""

import inspect
import uuid
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from sklearn.base import BaseEstimator
from torch import nn

import skexplain

ESTIMATORS = [
    estimator
    for name in skexplain.__all__
    if inspect.isclass(estimator := getattr(skexplain, name))
    and issubclass(estimator, BaseEstimator)
]

# Parameters with which an estimator learns something in a moment.  A new estimator needs a row.
QUICK = {
    "ERMClassifier": {},
    "GradRegClassifier": {"alpha": 0.1},
    "PGDExClassifier": {"epsilon": 0.5, "n_steps": 2, "grad_alpha": 0.01},
    "TwoStageExplanationClassifier": {},
}
QUICK = {
    name: {"max_epochs": 10, "lr": 1e-2, "batch_size": 16, **params}
    for name, params in QUICK.items()
}

# Those that learn from masks, and so warn when there is none.
LEARNERS = [estimator for estimator in ESTIMATORS if estimator.__name__ != "ERMClassifier"]


def quick(estimator, **params):
    """Make an estimator (a class, or its test subclass) that is quick to fit."""
    name = next(cls.__name__ for cls in estimator.__mro__ if cls.__name__ in QUICK)
    return estimator(**{**QUICK[name], **params})


class Perceptron(nn.Module):
    """A network with parameters for ``module__``."""

    def __init__(self, n_inputs=4, width=8, n_outputs=2, dropout=0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Linear(n_inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.BatchNorm1d(width)
        )
        self.head = nn.Linear(width, n_outputs)

    def forward(self, x):
        return self.head(self.features(x))


def column_mask(X):
    """Make a (1, d) mask that marks the last column, or None where X is no table.

    X may be anything that scikit-learn's checks pass to ``fit``, also what no estimator accepts.
    """
    shape = X.shape if scipy.sparse.issparse(X) else np.asarray(X).shape
    if len(shape) != 2 or shape[1] == 0:
        return None
    mask = np.zeros((1, shape[1]), dtype=bool)
    mask[0, -1] = True
    return mask


def _masked(base):
    """Subclass whose fit adds a mask, for checks that know of none."""

    class Masked(base):
        def fit(self, X, y, *, sample_weight=None):
            return super().fit(X, y, mask=column_mask(X), sample_weight=sample_weight)

        def partial_fit(self, X, y, classes=None, *, sample_weight=None):
            return super().partial_fit(
                X, y, classes, mask=column_mask(X), sample_weight=sample_weight
            )

    return Masked


class Received:
    """What one call of a fit method received."""

    def __init__(self, file):
        with np.load(file, allow_pickle=True) as stored:
            self.method = str(stored["method"])
            self.X = stored["X"]
            self.mask = stored["mask"][()]
            self.sample_weight = stored["sample_weight"][()]


def received(folder):
    """Read what the fits of a recording estimator have received, in no particular order."""
    return [Received(file) for file in Path(folder).iterdir()]


def _recording(base):
    """Subclass that writes what each fit received into the folder `log`."""

    class Recording(base):
        def __init__(self, module="auto", *, log=None, **common):
            super().__init__(module, **common)
            self.log = log

        def fit(self, X, y, *, mask=None, sample_weight=None):
            self._record("fit", X, mask, sample_weight)
            return super().fit(X, y, mask=mask, sample_weight=sample_weight)

        def partial_fit(self, X, y, classes=None, *, mask=None, sample_weight=None):
            self._record("partial_fit", X, mask, sample_weight)
            return super().partial_fit(X, y, classes, mask=mask, sample_weight=sample_weight)

        def _record(self, method, X, mask, sample_weight):
            # Files, since the fit may happen in another process.
            content = {"method": method, "X": np.asarray(X), "sample_weight": sample_weight}
            kept = np.empty((), dtype=object)
            kept[()] = mask
            np.savez(Path(self.log) / uuid.uuid4().hex, mask=kept, **content)

    return Recording


def _subclasses(make, prefix):
    made = {}
    for base in ESTIMATORS:
        cls = make(base)
        cls.__name__ = cls.__qualname__ = prefix + base.__name__
        cls.__module__ = __name__
        made[cls.__name__] = cls
    globals().update(made)
    return list(made.values())


MASKED = _subclasses(_masked, "Masked")
RECORDING = _subclasses(_recording, "Recording")


def weights(estimator):
    """All weights and buffers of a fitted estimator as one vector."""
    return torch.cat([t.flatten().double() for t in estimator.module_.state_dict().values()])


def make_problem(n_rows=60, seed=0):
    """Make a table whose labels the first column tells, and a shortcut the last.

    The third column holds a number of each row's own, and the mask of a row spells that number, so
    that a mask tells to which row it belongs.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % 2
    X = rng.normal(size=(n_rows, 4))
    X[:, 0] += 2 * y
    X[:, 2] = rng.permutation(1024)[:n_rows]
    X[:, 3] = 2 * y + 0.1 * rng.normal(size=n_rows)
    mask = np.zeros((n_rows, 4))
    mask[:, 2] = X[:, 2] / 1024
    mask[:, 3] = 1
    return X, y, mask
