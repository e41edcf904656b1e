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
from sklearn.base import BaseEstimator, RegressorMixin
from torch import nn

import skexplain
from skexplain.estimators._base import BaseExplanationEstimator
from skexplain.penalties import AverageCasePenalty, InputGradientPenalty
from skexplain.training._architectures import Standardize

PUBLIC = [
    estimator
    for name in skexplain.__all__
    if inspect.isclass(estimator := getattr(skexplain, name))
    and issubclass(estimator, BaseEstimator)
]
# Estimators around others have tests of their own.
META_ESTIMATORS = [cls for cls in PUBLIC if not issubclass(cls, BaseExplanationEstimator)]
# Those whose masks are over the units of a layer have other masks than all others.
OVER_UNITS = [cls for cls in PUBLIC if cls.__name__.startswith("ConceptGradReg")]
REGRESSORS = [cls for cls in PUBLIC if issubclass(cls, RegressorMixin) and cls not in OVER_UNITS]


class SignalNetwork(nn.Module):
    """A convolution over the columns of a table, padded so that one column has a map, too."""

    def __init__(self, statistics, n_columns, n_outputs):
        super().__init__()
        self.features = nn.Sequential(
            Standardize(statistics.mean, statistics.sd),
            nn.Unflatten(1, (1, n_columns)),
            nn.Conv1d(1, 4, 3, padding=2),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(4 * (n_columns + 2), n_outputs))

    def forward(self, x):
        return self.head(self.features(x))


class ConvolutionOnTables:
    """An estimator whose built-in network for tables has a convolution."""

    def _auto_network(self):
        if len(self.input_shape_) > 1:
            return super()._auto_network()
        return SignalNetwork(self.input_statistics_, self.input_shape_[0], self._n_outputs())


class GradCAMOnTables(ConvolutionOnTables, skexplain.GradCAMRegClassifier):
    """Grad-CAM needs a convolution."""


# Most tests are about classifiers; those of regressors say so.
ESTIMATORS = [
    GradCAMOnTables if cls is skexplain.GradCAMRegClassifier else cls
    for cls in PUBLIC
    if cls not in [*META_ESTIMATORS, *REGRESSORS, *OVER_UNITS]
]

# Parameters with which an estimator learns something in a moment.  A new estimator needs a row.
PENALTIES = [("swap", AverageCasePenalty()), ("grad", InputGradientPenalty())]
QUICK = {
    "AvgExClassifier": {"epsilon": 0.5},
    "AvgExRegressor": {"epsilon": 0.5},
    "CDEPClassifier": {},
    "ConceptGradRegClassifier": {"alpha": 0.1},
    "ConceptGradRegRegressor": {"alpha": 0.1},
    "CounterexampleClassifier": {"alpha": 0.1},
    "ERMClassifier": {},
    "ERMRegressor": {},
    "ExplanationClassifier": {"penalties": PENALTIES, "alpha": 0.1, "at": {"grad": "swap"}},
    "GradCAMOnTables": {"alpha": 0.1},
    "GradRegClassifier": {"alpha": 0.1},
    "GradRegRegressor": {"alpha": 0.1, "norm": "l2", "robust": "certified", "epsilon": 0.1},
    "GroupDROClassifier": {},
    "HINTClassifier": {"attribution": "input_gradient", "alpha": 0.1},
    # Without ramps, so that losses of epochs compare.
    "IBPExClassifier": {
        "epsilon": 0.5,
        "alpha": 0.5,
        "grad_alpha": 0.01,
        "epsilon_ramp": 0,
        "alpha_ramp": 0,
    },
    "IBPExRegressor": {"epsilon": 0.1, "alpha": 0.5},
    "InfluenceRegClassifier": {"alpha": 0.1},
    "PGDExClassifier": {"epsilon": 0.5, "n_steps": 2, "grad_alpha": 0.01},
    "PGDExRegressor": {"epsilon": 0.2, "n_steps": 2},
    "SwapExClassifier": {"alpha": 0.1},
    "SwapExRegressor": {"alpha": 0.1},
    "TwoStageExplanationClassifier": {},
}
QUICK = {
    name: {"max_epochs": 10, "lr": 1e-2, "batch_size": 16, **params}
    for name, params in QUICK.items()
}

# Those that learn from masks, and so warn when there is none.
LEARNERS = [
    estimator
    for estimator in ESTIMATORS
    if estimator.__name__ not in ("ERMClassifier", "GroupDROClassifier")
]


def quick(estimator, **params):
    """Make an estimator (a class, or its test subclass) that is quick to fit."""
    name = next(cls.__name__ for cls in estimator.__mro__ if cls.__name__ in QUICK)
    return estimator(**{**QUICK[name], **params})


class Perceptron(nn.Module):
    """A network with parameters for ``module__``, and a convolution for Grad-CAM."""

    def __init__(self, n_inputs=4, width=8, n_outputs=2, dropout=0.0):
        super().__init__()
        self.features = nn.Sequential(
            nn.Unflatten(1, (1, n_inputs)),
            nn.Conv1d(1, 2, 3, padding=1),
            nn.Flatten(),
            nn.Linear(2 * n_inputs, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.BatchNorm1d(width),
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

    class MaskedRegressor(base):
        def fit(self, X, y, *, sample_weight=None):
            return super().fit(X, y, mask=column_mask(X), sample_weight=sample_weight)

        def partial_fit(self, X, y, *, sample_weight=None):
            return super().partial_fit(X, y, mask=column_mask(X), sample_weight=sample_weight)

    return MaskedRegressor if base in REGRESSORS else Masked


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


def _subclasses(make, prefix, bases):
    made = {}
    for base in bases:
        cls = make(base)
        cls.__name__ = cls.__qualname__ = prefix + base.__name__
        cls.__module__ = __name__
        made[cls.__name__] = cls
    globals().update(made)
    return list(made.values())


MASKED = _subclasses(_masked, "Masked", [*ESTIMATORS, *REGRESSORS])
RECORDING = _subclasses(_recording, "Recording", ESTIMATORS)
(RECORDING_OVER_UNITS,) = _subclasses(_recording, "Recording", OVER_UNITS[:1])


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
