"""Proposition 1: noise averages out over many irrelevant columns, the worst case does not."""

from functools import partial

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import GridSearchCV, KFold
from torch import nn

from skexplain.datasets import make_irrelevant_copies
from skexplain.studies import Table
from skexplain.studies.tools import (
    add_legend,
    control_masks,
    draw_curves,
    group,
    mean_of,
    new_figure,
)

from .._published import find_published
from .._study import TrialStudy
from .._trial import make_estimator

_NO_PLACES = ("shuffled", "everywhere")
_LINES = {"gaussian": "-", "swap": "--"}  # whose closed form the picture shows
#: Repetitions, and those of what the proposition is about.
_N_SEEDS, _N_SEEDS_CLAIMED = 6, 30
_CLAIMED = ("label-only", "gaussian", "swap")
_COPIES = (1, 3, 10, 30, 100, 300, 1000)


class HeoCopies(TrialStudy):
    """Linear regression on copies of the target and a noisy measurement of it.

    In the test rows the copies are those of another number.  Plain label-only fits are the control
    "off" of all methods: a weight of 0 gives the same bits.
    """

    name = "heo-copies"
    title = "Linear regression with D irrelevant copies of the target"
    source = "Heo et al. 2023, Proposition 1"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMRegressor", "without_masks": True},
        "label-only, tuned": {
            "estimator": "ERMRegressor",
            "without_masks": True,
            "grid": {"optimizer__weight_decay": [0.0, 0.01, 0.1, 1.0]},
        },
        "gaussian": {
            "estimator": "AvgExRegressor",
            "params": {"epsilon": 2**0.5},
            "controls": _NO_PLACES,
        },
        "constant": {"estimator": "AvgExRegressor", "params": {"perturbation": "constant"}},
        "swap": {"estimator": "SwapExRegressor", "controls": _NO_PLACES},
        "grad-reg": {"estimator": "GradRegRegressor", "controls": ("shuffled",)},
        "pgd": {"estimator": "PGDExRegressor", "controls": ("shuffled",), "step": 0.05},
        "ibp": {"estimator": "IBPExRegressor", "controls": ("shuffled",), "step": 0.05},
    }
    panels = ("precision",)
    measure = "r2"
    x = "copies"
    n_seeds_of_controls = _N_SEEDS

    def trials(self, scale):
        """List numbers of copies at K = 5; then other precisions K of the measurement."""
        quick = scale == "quick"
        n_rows, max_epochs = (300, 40) if quick else (1000, 200)
        settings = {"n_rows": n_rows, "params": {"max_epochs": max_epochs}}
        seeds = range(1 if quick else _N_SEEDS)
        for n_copies in (3, 100) if quick else _COPIES:
            yield {"precision": 5.0, "copies": n_copies}, list(self.methods), seeds, settings
        if quick:
            return
        for precision in (1.0, 25.0):
            yield {"precision": precision, "copies": 10}, _CLAIMED, seeds, settings
        for seed in range(_N_SEEDS, _N_SEEDS_CLAIMED):
            for n_copies in _COPIES:
                yield {"precision": 5.0, "copies": n_copies}, _CLAIMED, [seed], settings
            for precision in (1.0, 25.0):
                yield {"precision": precision, "copies": 10}, _CLAIMED, [seed], settings

    def run(self, factors, settings):
        """Fit weights, and predict rows whose copies lie."""
        n_rows, n_copies, seed = settings["n_rows"], factors["copies"], factors["seed"]
        data = make_irrelevant_copies(
            n_rows, 1000, n_copies=n_copies, precision=factors["precision"], random_state=seed
        )
        estimator = make_estimator(_with_steps(settings, n_copies), seed)
        estimator.set_params(module=partial(nn.Linear, n_copies + 1, 1, bias=False))
        mask = control_masks(data.mask, factors["masks"], seed)
        fitted = _fit(estimator, data, mask, settings["grid"], seed)
        weights = fitted.module_.weight.detach().double().numpy()[0]
        predicted = fitted.predict(data.data_test)
        return [
            {
                "r2": r2_score(data.target_test, predicted),
                "error": mean_squared_error(data.target_test, predicted),
                "weight_copy": weights[:-1].mean(),
                "weight_reason": weights[-1],
            }
        ]

    def tables(self, rows):
        """Weights beside the closed form and the published one; then as in all comparisons."""
        return [self._weights_table(rows), *super().tables(rows)]

    def _weights_table(self, rows):
        body = []
        for (precision, n_copies, method), own in group(
            _with_masks(rows), ["precision", "copies", "method"]
        ).items():
            form = closed_form(method, n_copies, precision)
            key = {"precision": precision, "copies": n_copies, "method": method}
            shown = []
            for measure, expected in zip(("weight_copy", "weight_reason"), form, strict=True):
                found = find_published(self.name, key, measure)
                figure = mean_of(own, measure)
                shown += [_fine(figure), "" if expected is None else f"{expected:.4f}"]
                shown.append("" if found is None else f"{found.value:.4f}")
            body.append((f"{precision:g}", str(n_copies), method, *shown))
        columns = ("K", "D", "method", "on a copy", "closed form", "published")
        columns += ("on the reason", "closed form", "published")
        note = (
            "The closed form is that of our objective at Var y = 1. The published one, 1 / (D + K) "
            "and K / (D + K), is its limit for a wide y, at the noise used here (alpha 1, epsilon "
            "√2). ± is the standard deviation over seeds."
        )
        return Table("Weights of the linear model", columns, body, note)

    def pictures(self, rows):
        """Error and weight against the number of copies, with the closed forms as lines."""
        rows = [row for row in _with_masks(rows) if row["precision"] == 5.0]
        sizes = sorted({row["copies"] for row in rows})
        figure, (axes,) = new_figure(1, 2, (4.6, 4.2))
        shown = (
            ("error", closed_error, "Error where the copies lie", "mean squared error"),
            ("weight_reason", _closed_reason, "Weight on the reason", "weight of the measurement"),
        )
        for ax, (measure, form, title, words) in zip(axes, shown, strict=True):
            for method, dash in _LINES.items():
                values = [form(method, n_copies, 5.0) for n_copies in sizes]
                label = f"closed form, {method}"
                ax.plot(sizes, values, dash, color="0.6", linewidth=4, alpha=0.6, label=label)
            draw_curves(ax, [{**row, "masks": None} for row in rows], "copies", measure)
            ax.set(title=title, xlabel="irrelevant copies D (K = 5)", ylabel=words)
        add_legend(figure, axes)
        return {self.name: figure}


def closed_form(method, n_copies, precision):
    """Return the weights that minimise a method's objective on infinitely many rows, Var y = 1.

    Parameters
    ----------
    method : str
        With its parameters in `HeoCopies`.
    n_copies, precision : float
        D and K.

    Returns
    -------
    weight_copy, weight_reason : float or None
        None where no closed form is known to us.
    """
    ridge = {"label-only": 0.0, "gaussian": 1.0, "grad-reg": 1.0}  # its weight: r in FACTS
    if method in ridge:
        copy = 1 / (n_copies + ridge[method] * (precision + 1))
        return copy, ridge[method] * precision * copy
    if method == "swap":
        # All copies are exchanged for those of one other number, which acts as a single column.
        reason = 0.75 * precision / (1 + 0.75 * precision)
        return (1 - reason) / (2 * n_copies), reason
    return None, None


def closed_error(method, n_copies, precision):
    """Return the mean squared error of `closed_form` where the copies are of another number.

    Parameters
    ----------
    method : str
    n_copies, precision : float

    Returns
    -------
    float
    """
    copy, reason = closed_form(method, n_copies, precision)
    return (n_copies * copy) ** 2 + (1 - reason) ** 2 + reason**2 / precision


def _closed_reason(method, n_copies, precision):
    return closed_form(method, n_copies, precision)[1]


def _with_steps(settings, n_copies):
    """Gradient descent whose step falls with the curvature, which grows with the copies.

    Worst cases move all copies at once, and so have a curvature several times as large.
    """
    step = settings.get("step", 0.25) / (n_copies + 20)
    steps = {"optimizer": "SGD", "optimizer__momentum": 0.9, "lr": step, "batch_size": 100}
    return {**settings, "params": {**steps, **settings["params"]}}


def _fit(estimator, data, mask, grid, seed):
    """Fit, tuned on the training rows where there is a grid."""
    if not grid:
        return clone(estimator).fit(data.data, data.target, mask=mask)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(estimator, grid, cv=KFold(3, shuffle=True, random_state=seed))
        return search.fit(data.data, data.target, mask=mask).best_estimator_


def _with_masks(rows):
    """Leave controls out."""
    return [row for row in rows if row["masks"] in ("-", "given")]


def _fine(of):
    """Write weights, which get small."""
    return str(of) if np.isnan(of.sd) else f"{of.mean:.4f} ± {of.sd:.4f}"
