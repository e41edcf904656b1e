"""Whether defaults hold: a panel of tasks with shortcuts, and some with nothing wrong."""

import inspect
import warnings

from skexplain import estimators, exceptions

from .._study import TrialStudy
from .._trial import run_trial
from ._default_tables import draw_shares, goals_table, harm_table, share_table
from ._default_tasks import PANEL, make_panel_task, missing_files

_N_SEEDS = 5
#: Count up when a task is changed: stored cells are then left out.
_VERSION_OF_TASKS = 1
_QUICK = ("iris-cancer", "table-one-hot", "table-regression", "digits-half-tenth", "harmless-table")
_QUICK_EPOCHS = 8


class Defaults(TrialStudy):
    """What an estimator does that a reader tries first: with its default parameters, on a panel.

    Each task has the masks that a person would naturally give, such as the patch where there is
    one.  No parameter is set but the device and the seed; at the quick scale the fits are short.
    Label-only shows how far the shortcut is taken, and label-only on samples whose shortcut does
    not depend on the label is the ceiling.  A share of 1 says that a method goes all the way from
    the one to the other.  Shuffled masks are those of other samples.

    In the judged test sets the other class has the patch, the header, the flower or the background.
    Digits beside a shade or bars have those of a random digit, and in the regression the column is
    independent of the number.  In the clean test sets there is no patch and no word, or, where the
    shortcut is always there, it is right as in training.  What is lost there is measured
    against the ceiling, so that to give up a shortcut is no loss.

    Photographs, tweets and messages are read from the data home.  Tasks whose files are missing are
    left out.
    """

    name = "defaults"
    title = "Defaults on a panel of shortcuts"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        "swap": {"estimator": "SwapExClassifier", "controls": ("shuffled",)},
        "grad-reg": {"estimator": "GradRegClassifier", "controls": ("shuffled",)},
        "pgd": {"estimator": "PGDExClassifier", "controls": ("shuffled",)},
    }
    panels = ("task",)
    measure = "figure"

    def trials(self, scale):
        """List the tasks, one method at a time: a regression takes regressors."""
        quick = scale == "quick"
        for task in _QUICK if quick else PANEL:
            for name, method in self.methods.items():
                estimator = method["estimator"]
                if PANEL[task].regression:
                    estimator = estimator.replace("Classifier", "Regressor")
                settings = {
                    "estimator": estimator,
                    "params": {"max_epochs": _QUICK_EPOCHS} if quick else {},
                    # So that stored cells of other defaults are not taken for those of today.
                    "package_defaults": describe_defaults(estimator),
                    "version_of_tasks": _VERSION_OF_TASKS,
                }
                yield {"task": task}, [name], range(1 if quick else _N_SEEDS), settings

    def cells(self, scale):
        """All but ceilings of tasks that have no shortcut."""
        return [
            cell
            for cell in super().cells(scale)
            if PANEL[cell.factors["task"]].has_shortcut or cell.factors["masks"] != "no shortcut"
        ]

    def lacks(self, factors):
        """Name the files of the task that are missing."""
        return missing_files(factors["task"])

    def task(self, factors, settings):
        """Make the task."""
        return make_panel_task(factors["task"], factors["seed"])

    def run(self, factors, settings):
        """Fit and score; note the warnings of the package's own."""
        task = self.task(factors, settings)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            rows, _ = run_trial(task, settings, factors["masks"], factors["seed"])
        warned = set()
        for each in caught:
            if each.category.__module__ == exceptions.__name__:
                warned.add(each.category.__name__)
            else:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        names = " ".join(sorted(warned))
        return [{**row, "figure": row[task.measure], "warned": names} for row in rows]

    def tables(self, rows):
        """Hold each method against the goals, then show it task by task."""
        left_out = [task for task in PANEL if all(row["task"] != task for row in rows)]
        with_shortcut, harmless = _split(rows)
        return [
            goals_table(with_shortcut, harmless, left_out),
            share_table(with_shortcut),
            harm_table(harmless),
        ]

    def pictures(self, rows):
        """Draw the share of the way and what is lost, a line per task."""
        return {self.name: draw_shares(_split(rows)[0])}


# Parameters that came or went after results were stored, with the values that change none of them:
# the keys of stored cells are as if they had not.
_ADDED = {
    "label_smoothing": 0.0,
    "embedding_layer": None,
    "pad_id": None,
    "mask_id": None,
    "backbone_lr": None,
    "lr_schedule": "constant",
    "augment": None,
    "penalty_every": 1,
    "batches_by_length": False,
}
_ADDED_TO_REGRESSORS = {"label_loss": "squared_error", "quantile": 0.5, "huber_delta": 1.0}
_ADDED_TO_GRAD_REG = {"robust": None, "epsilon": 1.0, "n_steps": 10}
_GONE_FROM_GRAD_REG = {"layer": None, "concepts": None}


def describe_defaults(estimator):
    """Return the default parameters of an estimator as plain values.

    Parameters
    ----------
    estimator : str
        Name of a class of the package.

    Returns
    -------
    dict of str to object
        Numbers, strings and None as they are, all else as text.
    """
    parameters = inspect.signature(getattr(estimators, estimator)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    added = {**_ADDED, **(_ADDED_TO_REGRESSORS if estimator.endswith("Regressor") else {})}
    if estimator.startswith("GradReg"):
        added.update(_ADDED_TO_GRAD_REG)
    defaults = {n: value for n, value in defaults.items() if n not in added or value != added[n]}
    if estimator.startswith("GradReg"):
        defaults.update(_GONE_FROM_GRAD_REG)
    return {name: _plain(value) for name, value in sorted(defaults.items())}


def _plain(value):
    if value is None or isinstance(value, str | int | float):
        return value
    return getattr(value, "__name__", None) or repr(value)


def _split(rows):
    """Return the rows of tasks with a shortcut, and of those without."""
    return tuple(
        [row for row in rows if PANEL[row["task"]].has_shortcut is present]
        for present in (True, False)
    )
