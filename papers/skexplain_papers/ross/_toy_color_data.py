"""What the studies of toy colours share: images, fits, and where a model looks."""

import math

import numpy as np

from skexplain.datasets import make_toy_colors
from skexplain.inspection import largest_gradient_mask, saliency
from skexplain.metrics import irrelevant_saliency_mass
from skexplain.studies import Task, TestRows

from .._trial import run_trial
from ._settings import ross_settings

#: Pixels that tell the label, each of them alone.
RULES = ("corners", "top_middle")

#: Features of an image, and classes.
SHAPE = (75, 2)
# The learning rate is theirs in "paper" only: fewer updates need larger ones.
_SCALES = {
    "quick": {"rows": 4000, "test_rows": 1000},
    "paper": {"rows": 20_000, "test_rows": 20_000},
}
_PARAMS = {"quick": {"max_epochs": 30, "batch_size": 128, "lr": 5e-3}, "paper": {}}
# They look at the first thousand test rows.
_N_LOOKED_AT = 1000


def describe_fit(scale, strength, **params):
    """Describe a fit as they did it.

    Parameters
    ----------
    scale : {"quick", "paper"}
    strength : float
        Lambda, for gradients per unit of a pixel's 0 to 255.
    **params
        Further parameters of the estimator.

    Returns
    -------
    dict
        For `run_trial`, with numbers of rows.
    """
    sizes = _SCALES[scale]
    network = ross_settings(*SHAPE, sizes["rows"], alpha=strength, **{**_PARAMS[scale], **params})
    return {"estimator": "GradRegClassifier", **network, **sizes}


def draw_colors(settings, seed):
    """Draw the images of a cell.

    Parameters
    ----------
    settings : dict
        With numbers of rows.
    seed : int

    Returns
    -------
    Bunch
        See `make_toy_colors`; `masks` holds those of "both" rules and of the "centre", too.
    """
    colors = make_toy_colors(
        settings["rows"], settings["test_rows"], images=True, random_state=seed
    )
    colors.masks["both"] = colors.masks["corners"] | colors.masks["top_middle"]
    colors.masks["centre"] = np.zeros_like(colors.masks["both"])
    colors.masks["centre"][..., 1:4, 1:4] = True
    return colors


def as_task(colors, mask):
    """Return the images as the task of a trial.

    Parameters
    ----------
    colors : Bunch
    mask : ndarray

    Returns
    -------
    Task
    """
    tests = {"both rules hold": TestRows(colors.data_test, colors.target_test)}
    return Task(colors.data, colors.target, mask, tests)


def fit_and_look(colors, mask, factors, settings):
    """Fit one model, score it, and see where it looks.

    Parameters
    ----------
    colors : Bunch
    mask : ndarray
        What is penalised, before a control changes it.
    factors, settings : dict
        Of the cell.

    Returns
    -------
    dict
        Measures.
    """
    (row,), estimator = run_trial(
        as_task(colors, mask), settings, factors["masks"], factors["seed"]
    )
    return {**row, **look(estimator, colors)}


def look(estimator, colors):
    """Measure where a model's input gradients lie on the first test rows.

    Parameters
    ----------
    estimator : fitted classifier
    colors : Bunch

    Returns
    -------
    dict
        Per rule the mean share of the largest gradients that lies on its pixels (None: no row has
        a gradient), and ``_map``, each pixel's share of all gradients.
    """
    X = colors.data_test[:_N_LOOKED_AT]
    largest = largest_gradient_mask(estimator, X)
    shares = {rule: irrelevant_saliency_mass(largest, colors.masks[rule]) for rule in RULES}
    size = np.abs(saliency(estimator, X)).max(axis=1).mean(axis=0, dtype=np.float64)
    size /= max(size.sum(), np.finfo(float).tiny)
    return {
        **{rule: None if math.isnan(share) else share for rule, share in shares.items()},
        "_map": [round(value, 5) for value in size.ravel().tolist()],
    }
