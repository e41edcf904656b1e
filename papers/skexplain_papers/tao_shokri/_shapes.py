"""Triangles, and foxes and cats: data, network and methods that the studies share."""

from functools import cache

import numpy as np

from skexplain.datasets import (
    make_fox_vs_cat,
    make_pentagons,
    make_triangle_vs_circle,
    make_triangles,
)
from skexplain.model_selection import SubsampleSplit
from skexplain.studies import Task, TestRows

#: Data set: its maker, and that of the set on which the same rule holds.
MAKERS = {
    "triangle": (make_triangles, make_pentagons),
    "fox-vs-cat": (make_fox_vs_cat, make_triangle_vs_circle),
}
_N_POOL, _N_TEST = 4000, 1000

#: Share of class 1 in training; test sets are balanced.
RATIOS = {"1:1": 0.5, "1:9": 0.1}

_COMMON = {"max_epochs": 100}
_NETWORK = {"module": "small-cnn"}
_N_PIXELS = 64 * 64

#: Methods at the values of the paper, or else at defaults.
METHODS = {
    "label-only": {
        **_NETWORK,
        "estimator": "ERMClassifier",
        "params": {**_COMMON, "lr": 0.01},
        "without_masks": True,
    },
    "shift": {
        **_NETWORK,  # augmentation without masks
        "estimator": "AvgExClassifier",
        "params": {**_COMMON, "lr": 0.01, "perturbation": "whole-shift"},
        "without_masks": True,
    },
    "grad-reg": {
        **_NETWORK,  # Ross's penalty; with alpha 0 it is label-only
        "estimator": "GradRegClassifier",
        "params": {**_COMMON, "lr": 0.01, "alpha": 0.001},
        "off": {"alpha": 0.0},
        "controls": ("shuffled",),
    },
    "grad-match": {
        # The other reading, ||attr(x) - e(x)||: the gradient is to match the mask.  The penalty of
        # the estimator is a mean of squares over the pixels: this weight makes it a sum.
        **_NETWORK,
        "estimator": "HINTClassifier",
        "params": {
            **_COMMON,
            "lr": 0.01,
            "alpha": 0.001 * _N_PIXELS,
            "attribution": "input_gradient",
        },
        "off": {"alpha": 0.0},
        "controls": ("shuffled",),
    },
    "two-stage": {
        **_NETWORK,
        "estimator": "TwoStageExplanationClassifier",
        "params": {**_COMMON, "lr": 0.001, "mapping_lr": 0.001},
        "off": {"alpha": 0.0, "mapping_lr": 0.001},  # the second rate has no part in it
        "controls": ("off", "shuffled"),
    },
    "swap": {
        **_NETWORK,
        "estimator": "SwapExClassifier",
        "params": {**_COMMON, "lr": 0.01},
        "off": {"alpha": 0.0},
        "controls": ("shuffled",),
    },
}

#: Early stopping, of which the paper does not tell the criterion.  Of 50 rows 10 are held out, the
#: fewest that it watches.
EARLY = {"early_stopping": True, "validation_fraction": 0.2}

# The learning rates among which the paper chose.
_LR = [0.1, 0.01, 0.001]

#: Nine candidates for each method, where a study asks for tuning.
GRIDS = {
    "label-only": {"lr": _LR, "optimizer__weight_decay": [0.0, 1e-4, 1e-2]},
    "shift": {"lr": _LR, "perturbation__max_shift": [2, 4, 8]},
    "grad-reg": {"lr": _LR, "alpha": [0.001, 0.1, 10.0]},
    "grad-match": {"lr": _LR, "alpha": [0.1, 4.096, 100.0]},
    "two-stage": {"lr": _LR, "mapping_lr": _LR},
    "swap": {"lr": _LR, "alpha": [0.3, 1.0, 3.0]},
}


def variant(name, **params):
    """Return one of the methods with some parameters of its estimator replaced.

    Parameters
    ----------
    name : str
        In `METHODS`.
    **params
        Parameters.

    Returns
    -------
    dict
    """
    return {**METHODS[name], "params": {**METHODS[name]["params"], **params}}


def tuned(name, scoring, **entries):
    """Return one of the methods with its grid.

    Parameters
    ----------
    name : str
        In `GRIDS`.
    scoring : str
        How candidates are compared, see `run_trial`.
    **entries
        Further entries of its description, such as ``controls``.

    Returns
    -------
    dict
    """
    return {**METHODS[name], "grid": GRIDS[name], "scoring": scoring, **entries}


@cache
def _pool(dataset, spurious):
    """Make the rows that all repetitions draw from, one test set for all, and that of transfer."""
    make, make_transfer = MAKERS[dataset]
    rows = make(_N_POOL, n_test=_N_TEST, spurious=spurious, random_state=0)
    # Equal seeds give the same test rows, whatever the number of training rows.
    return rows, make_transfer(2, n_test=_N_TEST, random_state=0)


def shapes_task(
    dataset, size, ratio, seed, *, spurious=None, pixels=1.0, sparse=False, n_test=_N_TEST
):
    """Draw a training set; all repetitions share their test sets.

    Parameters
    ----------
    dataset : {"triangle", "fox-vs-cat"}
    size : int
        Training rows.  The smaller set of a seed is part of the larger.
    ratio : {"1:1", "1:9"}
        Class 1 to class 0 in training.
    seed : int
    spurious : {"row", "caption"} or None, default=None
        Where a square tells the label in training.
    pixels : float, default=1.0
        Value of a white pixel.
    sparse : bool, default=False
        Whether the minority class alone is annotated.
    n_test : int, default=1000
        Rows of each test set, at most 1000.

    Returns
    -------
    Task
        With test sets "clean", "transfer", the same rule on other shapes, and, with `spurious`,
        "flipped", the clean one with the square of the other class.
    """
    pool, transfer = _pool(dataset, spurious)
    splitter = SubsampleSplit(
        size, class_ratio=RATIOS[ratio], n_splits=1, test_size=2, random_state=seed
    )
    train, _ = next(splitter.split(pool.data, pool.target))

    def images(rows):
        return rows[:, None] * np.float32(pixels / 255)

    mask = pool.mask[train][:, None]
    if sparse:
        mask = np.where((pool.target[train] == 1)[:, None, None, None], mask, np.float32(np.nan))
    tests = {"clean": (pool.data_test, pool), "transfer": (transfer.data_test, transfer)}
    if spurious:
        tests["flipped"] = (pool.data_test_flipped, pool)
    tests = {
        name: TestRows(images(data[:n_test]), of.target_test[:n_test])
        for name, (data, of) in tests.items()
    }
    return Task(images(pool.data[train]), pool.target[train], mask, tests)
