"""A trial: tune on training rows, fit, score on each test set; given masks or a control."""

import inspect
import string
import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.base import clone, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from .. import estimators
from ..exceptions import MissingExplanationWarning
from ..metrics import mean_group_accuracy, worst_group_accuracy
from ..model_selection import swap_accuracy_scorer, worst_of_clean_and_swapped_scorer
from ._controls import control_masks, control_parameters
from ._stored_defaults import default_parameters

#: How candidates of a grid are compared, on held-out training rows.  Those that swap know the right
#: masks, for controls and label-only, too: what is tested is training, with selection as good for
#: all.
SCORERS = {
    "accuracy": lambda: "balanced_accuracy",
    "swapped": lambda: swap_accuracy_scorer().set_score_request(mask="right_mask"),
    "worst-of-clean-and-swapped": lambda: worst_of_clean_and_swapped_scorer().set_score_request(
        mask="right_mask"
    ),
}

_ESTIMATORS = {name: getattr(estimators, name) for name in estimators.__all__}
_OPTIMIZERS = {name: each for name, each in vars(torch.optim).items() if isinstance(each, type)}


@dataclass(frozen=True)
class TestRows:
    """A test set; without groups the classes are the groups.

    Attributes
    ----------
    X, y : ndarray
        Rows and their labels.
    groups : ndarray of shape (n,) or None
        Group of each row, of which the worst and the mean are reported.
    """

    __test__ = False  # no test of pytest's

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Task:
    """Data of one repetition.

    Attributes
    ----------
    X, y, mask : ndarray
        Training rows; a mask of one row is that of all, a row that is all NaN is not annotated.
    tests : dict of str to TestRows
        Test sets by name.
    X_without : ndarray of the shape of X or None
        The training rows without the shortcut, for the ceiling.
    fit_params : dict
        Further arguments of ``fit``, of methods that take them.
    """

    X: np.ndarray
    y: np.ndarray
    mask: np.ndarray
    tests: dict
    X_without: np.ndarray | None = None
    fit_params: dict = field(default_factory=dict)


def flat(images: Any) -> Any:
    """Return rows as a table: an array of shape (n, all else)."""
    return images.reshape(len(images), -1)


def run_trial(
    task: Any, method: Any, masks: Any, seed: int, *, keep_predictions: bool = False
) -> Any:
    """Fit a method and score it.

    Parameters
    ----------
    task : Task
        Data.
    method : dict
        What decides all: ``estimator``, the name of a class of the package, or a class or an
        instance of one's own; ``params``, its parameters, among them penalties and the like by
        instance; ``module``, its network, as estimators take it; ``grid``, parameters to search,
        tuned on the training rows by ``scoring`` (a name in `SCORERS`; "accuracy" is balanced over
        classes) in ``cv`` folds; ``off``, parameters that switch its mask term off; ``defaults``,
        what holds for all other parameters: "package", the defaults of the estimator (the default),
        or "stored", those with which the stored results were computed.
    masks : str
        "given", "-" for a method that takes none, "no shortcut", or a control (see `CONTROLS`).
    seed : int
        Seeds weights, batches, folds and the control.
    keep_predictions : bool, default=False
        Whether to keep the predicted classes, a character per test row, as ``_predicted``.

    Returns
    -------
    rows : list of dict
        One per test set: test; accuracy, mean_group and worst_group, or r2 of a regressor; seconds
        and cpu_seconds of the search and the fit; and what was chosen.
    estimator : estimator
        Fitted on all training rows.

    Raises
    ------
    ValueError
        If a name is not known, the task has no rows without the shortcut and they are asked for, or
        masks are given to an estimator that takes none.
    """
    mask = control_masks(task.mask, masks, seed)
    X = task.X_without if masks == "no shortcut" else task.X
    if X is None:
        raise ValueError("'no shortcut' needs a task with X_without, got None.")
    method = {**method, **control_parameters(method, masks)}
    estimator = make_estimator(method, seed)
    arguments = _fit_arguments(estimator, task, mask, masks)
    start, cpu_start = time.perf_counter(), time.process_time()
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingExplanationWarning)
        fitted, chosen = _tune_and_fit(estimator, X, task, arguments, method, seed)
    shared = {
        "seconds": round(time.perf_counter() - start, 3),
        "cpu_seconds": round(time.process_time() - cpu_start, 3),
        "chosen": chosen,
    }
    rows = [
        {"test": name, **_scores(fitted, test, keep_predictions), **shared}
        for name, test in task.tests.items()
    ]
    return rows, fitted


def make_estimator(method: Any, seed: int) -> Any:
    """Build the estimator that a method describes.

    Parameters
    ----------
    method : dict
        See `run_trial`.
    seed : int
        Of every ``random_state``, also of the parts of a pipeline.

    Returns
    -------
    estimator
        A class is built for the CPU; an instance is cloned, and keeps what it states itself.

    Raises
    ------
    ValueError
        If there is no such estimator or optimizer, or no such ``defaults``.
    """
    params = {**default_parameters(method), **method.get("params", {})}
    if isinstance(params.get("optimizer"), str):
        params["optimizer"] = look_up("optimizer", params["optimizer"], _OPTIMIZERS)
    if "module" in method:
        params["module"] = method["module"]
    described = method["estimator"]
    if isinstance(described, str):
        described = look_up("estimator", described, _ESTIMATORS)
    if not isinstance(described, type):
        return _seeded(clone(described), seed).set_params(**params)
    shared = {"device": "cpu", "random_state": seed}
    shared = {name: value for name, value in shared.items() if has_parameter(described, name)}
    return described(**{**shared, **params})


def has_parameter(estimator: Any, name: str) -> Any:
    """Return whether an estimator, as a description gives it, has a parameter."""
    if isinstance(estimator, str):
        estimator = look_up("estimator", estimator, _ESTIMATORS)
    if not isinstance(estimator, type):
        return name in estimator.get_params()
    parameters = inspect.signature(estimator).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _seeded(estimator: Any, seed: int) -> Any:
    names = estimator.get_params()
    return estimator.set_params(
        **{name: seed for name in names if name.split("__")[-1] == "random_state"}
    )


def takes_mask(estimator: Any) -> Any:
    """Return whether ``fit`` of an estimator takes masks, itself or for a part of it."""
    requested = get_routing_for_object(estimator).consumes("fit", ["mask"])
    return bool(requested) or has_fit_parameter(estimator, "mask")


def _fit_arguments(estimator: Any, task: Any, mask: Any, masks: Any) -> Any:
    """Return what ``fit`` is given beside rows and labels."""
    if takes_mask(estimator):
        return {"mask": mask, **task.fit_params}
    if masks not in ("-", "no shortcut"):
        raise ValueError(
            f"masks={masks!r} must go to an estimator whose fit takes mask, got {estimator!r}. "
            "A method that takes none is marked by 'without_masks'."
        )
    return task.fit_params


def _tune_and_fit(estimator: Any, X: Any, task: Any, arguments: Any, method: Any, seed: int) -> Any:
    """Return the estimator, fitted with the parameters chosen, and these as text."""
    grid, folds = method.get("grid"), _folds(task.y, method.get("cv", 3), seed)
    if not grid or folds is None:
        return clone(estimator).fit(X, task.y, **arguments), ""
    scoring = method.get("scoring", "accuracy")
    scorer = look_up("scoring", scoring, SCORERS)()
    right_mask = {} if scoring == "accuracy" else {"right_mask": task.mask}
    search = GridSearchCV(estimator, grid, scoring=scorer, cv=folds, error_score="raise")
    search.fit(X, task.y, **right_mask, **arguments)
    chosen = " ".join(f"{name}={value}" for name, value in search.best_params_.items())
    return search.best_estimator_, chosen


def _folds(y: Any, n_splits: Any, seed: int) -> Any:
    """Return folds that hold every class, or None where a class has a single row."""
    smallest = np.unique(y, return_counts=True)[1].min()
    if smallest < 2:
        return None
    return StratifiedKFold(min(n_splits, smallest), shuffle=True, random_state=seed)


def classification_scores(test: Any, predicted: Any) -> dict[Any, Any]:
    """Score predicted classes.

    Parameters
    ----------
    test : TestRows
    predicted : ndarray of shape (n,)

    Returns
    -------
    dict of str to float
        accuracy, mean_group and worst_group.
    """
    groups = test.y if test.groups is None else test.groups
    return {
        "accuracy": accuracy_score(test.y, predicted),
        "mean_group": mean_group_accuracy(test.y, predicted, groups),
        "worst_group": worst_group_accuracy(test.y, predicted, groups),
    }


def _scores(estimator: Any, test: Any, keep_predictions: bool) -> Any:
    predicted = estimator.predict(test.X)
    if is_regressor(estimator):
        return {"r2": r2_score(test.y, predicted)}
    scores = classification_scores(test, predicted)
    if keep_predictions:
        codes = np.searchsorted(estimator.classes_, predicted)
        scores["_predicted"] = "".join(_CHARACTERS[code] for code in codes)
    return scores


_CHARACTERS = string.digits + string.ascii_letters


def look_up(what: Any, name: str, known: Any) -> Any:
    """Return what a name stands for in a description.

    Parameters
    ----------
    what : str
        Entry of the description, for the error.
    name : str
    known : dict of str to object

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If the name is not known.
    """
    if name not in known:
        raise ValueError(f"{what} must be one of {list(known)}, got {name!r}.")
    return known[name]
