"""Find another explanation: models that are told what those before them looked at."""

import numpy as np

from skexplain import FindAnotherExplanationClassifier
from skexplain.metrics import irrelevant_saliency_mass
from skexplain.studies import Table
from skexplain.studies.tools import (
    add_legend,
    control_masks,
    control_parameters,
    draw_curves,
    group,
    mean_of,
    new_figure,
    panel_title,
    where,
)

from .._published import find_published
from .._study import Study
from .._trial import make_estimator


def sequence_settings(network, alpha, n_models):
    """Describe a sequence of models with input-gradient penalties.

    Parameters
    ----------
    network : dict
        See `ross_settings`.
    alpha : float
    n_models : int

    Returns
    -------
    dict
        For `run_sequence`.
    """
    params = {**network["params"], "alpha": alpha}
    return {
        **network,
        "estimator": "GradRegClassifier",
        "params": params,
        "off": {"alpha": 0.0},
        "n_models": n_models,
    }


def run_sequence(task, method, masks, seed):
    """Fit models one after the other, and score each.

    Unlike in the estimator's own search, no rule stops it: lengths are those of the paper.

    Parameters
    ----------
    task : Task
        Data; its masks say where the shortcut is and are not used in training.
    method : dict
        Describes each model, see `run_trial`, and says how many, ``n_models``.
    masks : str
        "given": each is told what the models before it looked at; or a control of that.
    seed : int

    Returns
    -------
    list of dict
        Per model and test set: `model`, from 1; `test`, `accuracy`; `on_the_trap`, the share of
        what it looks at in training rows that is marked in the task's masks; `seen_before`, the
        share that earlier models looked at.
    """
    model = make_estimator({**method, **control_parameters(method, masks)}, seed)
    search = FindAnotherExplanationClassifier(model, n_explanations=1, random_state=seed)
    search.fit(task.X, task.y)
    seen = np.zeros_like(search.explanations_[0])
    rows = [*_rows_of_last(search, task, seen)]
    for _ in range(method["n_models"] - 1):
        seen |= search.explanations_[-1]
        search.fit_next(task.X, task.y, mask=control_masks(seen, masks, seed))
        rows += _rows_of_last(search, task, seen)
    return rows


def _rows_of_last(search, task, seen):
    model, explanation = search.estimators_[-1], search.explanations_[-1]
    shared = {
        "model": len(search.estimators_),
        "on_the_trap": share_on_shortcut(explanation, task.mask),
        "seen_before": float(seen[explanation].mean()) if seen.any() else None,
    }
    return [
        {**shared, "test": name, "accuracy": model.score(test.X, test.y)}
        for name, test in task.tests.items()
    ]


def share_on_shortcut(explanation, mask):
    """Measure how much of what a model looks at must not matter.

    Parameters
    ----------
    explanation : ndarray of bool of shape (n, d)
        See `largest_gradient_mask`.
    mask : ndarray of shape (n or 1, d)

    Returns
    -------
    float or None
        Mean over rows; None for a model that looks at nothing.
    """
    share = irrelevant_saliency_mass(explanation.astype(np.float32), mask)
    return None if np.isnan(share) else share


class SequenceStudy(Study):
    """Template: sequences of models, given explanations of those before or a control.

    A subclass sets the attributes, lists its cells, with `masks` and `seed` among the factors, and
    makes the data in `task`.

    Attributes
    ----------
    panels : tuple of str
        Factors that tell sequences apart.
    """

    panels: tuple

    def task(self, factors):
        """Make the data of a cell.

        Parameters
        ----------
        factors : dict

        Returns
        -------
        Task
        """
        raise NotImplementedError

    def run(self, factors, settings):
        """Fit a sequence."""
        return run_sequence(self.task(factors), settings, factors["masks"], factors["seed"])

    def tables(self, rows):
        """Models in columns: accuracy beside the published one, and what they look at."""
        # What a model looks at in training is the same for all test sets.
        looks_at = [row for row in rows if row["test"] == rows[0]["test"]]
        return [
            self._table(rows, "accuracy", (*self.panels, "test")),
            self._table(looks_at, "on_the_trap", self.panels),
            self._table(looks_at, "seen_before", self.panels),
        ]

    def _table(self, rows, measure, panels):
        models = sorted({row["model"] for row in rows})
        body = []
        for panel, of_panel in group(rows, panels).items():
            factors = dict(zip(panels, panel, strict=True))
            for (masks,), own in group(of_panel, ["masks"]).items():
                places = group(own, ["model"])
                cells = (str(mean_of(places[i,], measure)) for i in models)
                body.append((*map(str, panel), masks, *cells))
            found = [find_published(self.name, {**factors, "model": i}, measure) for i in models]
            if any(found):
                figures = ("" if figure is None else str(figure) for figure in found)
                body.append((*map(str, panel), "published", *figures))
        columns = (*panels, "masks", *(f"model {i}" for i in models))
        return Table(f"{self.title}: {_TITLES[measure]}", columns, body, _NOTE)

    def pictures(self, rows):
        """A row of panels per sequence, one for each test set: accuracy of each model."""
        tested = [row for row in rows if row["test"] != "train"]
        tests = list(dict.fromkeys(row["test"] for row in tested))
        sequences = group(tested, self.panels)
        figure, axes = new_figure(len(sequences), len(tests), (3.8, 3.0))
        for line, (panel, own) in zip(axes, sequences.items(), strict=True):
            for ax, test in zip(line, tests, strict=True):
                factors = dict(zip(self.panels, panel, strict=True))
                self._draw(ax, where(own, test=test), factors)
                ax.set_title(panel_title({**factors, "test": test}), fontsize=9)
        add_legend(figure, axes)
        return {self.name: figure}

    def _draw(self, ax, rows, factors):
        told = [{**row, "told": _TOLD[row["masks"]], "masks": None} for row in rows]
        draw_curves(ax, told, "model", "accuracy", by="told")
        models = sorted({row["model"] for row in rows})
        keys = {**factors, "test": rows[0]["test"]}
        found = {i: find_published(self.name, {**keys, "model": i}, "accuracy") for i in models}
        points = {i: figure.value for i, figure in found.items() if figure is not None}
        if points:
            ax.plot(list(points), list(points.values()), "kx:", markersize=5, label="published")
        ax.set_xticks(models)
        ax.set_xlabel("model, in order of training")


_TOLD = {
    "given": "told earlier reasons",
    "off": "told nothing",
    "shuffled": "told other rows' reasons",
}
_TITLES = {
    "accuracy": "accuracy",
    "on_the_trap": "share of what a model looks at that is the shortcut",
    "seen_before": "share of what a model looks at that earlier models looked at",
}
_NOTE = (
    "Each model is told what those before it looked at; under a control, that of other rows "
    "(shuffled) or nothing (off). ± is the standard deviation over seeds."
)
