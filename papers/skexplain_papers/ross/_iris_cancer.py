"""Iris-cancer: flowers beside tumours tell the label, until they are taken away."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from skexplain.datasets import load_iris_cancer
from skexplain.inspection import largest_gradient_mask, saliency
from skexplain.studies import Cell, Task, TestRows
from skexplain.studies.tools import draw_measure, gains_table

from .._study import TrialStudy
from .._trial import run_trial
from ._sequences import SequenceStudy, sequence_settings, share_on_shortcut
from ._settings import ross_settings

_N_ROWS, _N_FEATURES, _N_TOP = 67, 34, 10
_STRENGTH = 1000.0


def iris_task(inputs, seed):
    """Split the rows, and take the flowers away in two ways.

    Parameters
    ----------
    inputs : {"raw", "standardised"}
        Columns as they are, as in the paper, or scaled by the training rows.
    seed : int
        Of the split.

    Returns
    -------
    Task
        With test sets "iris in", the rows as they are; "iris out", flowers set to 0, which no
        flower is; "iris swapped", those of other rows; and "train".
    """
    data = load_iris_cancer(random_state=seed)
    other = np.random.RandomState(seed).permutation(len(data.data_test))
    swapped = np.where(data.mask, data.data_test[other], data.data_test)
    scale = StandardScaler().fit(data.data).transform if inputs == "standardised" else np.asarray
    tests = {
        "train": TestRows(scale(data.data), data.target),
        "iris in": TestRows(scale(data.data_test), data.target_test),
        "iris out": TestRows(scale(data.data_test_without), data.target_test),
        "iris swapped": TestRows(scale(swapped), data.target_test),
    }
    return Task(scale(data.data), data.target, data.mask, tests)


def use_of_iris(estimator, X, mask):
    """Measure how much a model looks at the flowers.

    Parameters
    ----------
    estimator : fitted classifier of this package
    X : ndarray of shape (n, d)
    mask : ndarray of bool of shape (1, d)
        The flowers' columns.

    Returns
    -------
    dict
        ``iris_in_top_10``, how many of them are among the ten largest input gradients of a row, and
        ``iris_share``, their share of the gradients beyond 0.67 of the largest; means over rows.
    """
    gradient = np.abs(saliency(estimator, X))
    top = np.argsort(gradient, axis=1)[:, -_N_TOP:]
    is_iris = np.broadcast_to(mask, X.shape) & (gradient > 0)
    return {
        "iris_in_top_10": float(np.take_along_axis(is_iris, top, axis=1).sum(axis=1).mean()),
        "iris_share": share_on_shortcut(largest_gradient_mask(estimator, X), mask),
    }


class IrisCancer(TrialStudy):
    """Methods and controls, on splits of a hundred rows."""

    name = "ross-iris-cancer"
    title = "Tumours beside flowers"
    source = "Ross et al. 2017, iris-cancer"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True},
        "grad-reg": {
            "estimator": "GradRegClassifier",
            "params": {"alpha": _STRENGTH},
            "controls": ("shuffled", "everywhere"),  # switched off it equals label-only
        },
        "swap": {"estimator": "SwapExClassifier", "controls": ("shuffled",)},
        "pgd+grad-reg": {
            # 2 cm: more than flowers differ by.
            "estimator": "PGDExClassifier",
            "params": {"epsilon": 2.0, "clip": None, "grad_alpha": _STRENGTH},
            "controls": ("shuffled",),
        },
    }
    panels = ("inputs", "test")

    def trials(self, scale):
        """As many splits as in the paper for its own method and inputs."""
        published, ours = ["label-only", "grad-reg"], ["swap", "pgd+grad-reg"]
        settings = ross_settings(_N_FEATURES, 2, _N_ROWS, max_epochs=200)
        if scale == "quick":
            for inputs in ("raw", "standardised"):
                yield {"inputs": inputs}, published, range(1), settings
            return
        yield {"inputs": "raw"}, published, range(350), settings
        yield {"inputs": "raw"}, ours, range(100), settings
        yield {"inputs": "standardised"}, published + ours, range(100), settings

    def task(self, factors, settings):
        """Split."""
        return iris_task(factors["inputs"], factors["seed"])

    def run(self, factors, settings):
        """Fit and score; see what the model looks at in each test set."""
        task = self.task(factors, settings)
        rows, estimator = run_trial(task, settings, factors["masks"], factors["seed"])
        return [
            {**row, **use_of_iris(estimator, task.tests[row["test"]].X, task.mask)} for row in rows
        ]

    def tables(self, rows):
        """Accuracies, who beats its controls, and what the models look at."""
        used = [row for row in rows if row["test"] == "iris in"]
        return super().tables(rows) + [
            gains_table(self, used, self.panels, measure, self.baseline)
            for measure in ("iris_in_top_10", "iris_share")
        ]

    def pictures(self, rows):
        """Test rows alone, inputs above each other."""
        tested = [row for row in rows if row["test"] != "train"]
        return {self.name: draw_measure(tested, self.panels, self.measure, max_columns=3)}


class IrisCancerAnother(SequenceStudy):
    """Seven models one after the other, without masks."""

    name = "ross-iris-cancer-another"
    title = "Find another explanation, on tumours beside flowers"
    source = "Ross et al. 2017, find-another-explanation on iris-cancer"
    defaults = "stored"
    panels = ("inputs",)

    def cells(self, scale):
        """Sequences and their controls."""
        quick = scale == "quick"
        network = ross_settings(_N_FEATURES, 2, _N_ROWS, max_epochs=200)
        settings = sequence_settings(network, _STRENGTH, 3 if quick else 7)
        return [
            Cell({"inputs": "raw", "masks": masks, "seed": seed}, settings)
            for seed in range(1 if quick else 50)
            for masks in ("given", "off", "shuffled")
        ]

    def task(self, factors):
        """Split."""
        return iris_task(factors["inputs"], factors["seed"])
