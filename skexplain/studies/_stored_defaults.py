"""Defaults of estimators at the time when the stored results were computed.

A cell of a study is stored under its declaration, which leaves some parameters to the defaults of
the estimator.  Those defaults change with the package; what a stored declaration means must not.
So a study whose results were stored before a change says ``defaults = "stored"``, and its cells are
run with the parameters below wherever its declaration states no others.  `compare` does the same.
"""

from typing import Any

#: What holds for parameters that a declaration does not state.
DEFAULTS = ("package", "stored")

_TRAINING: dict[str, Any] = {
    "lr": 1e-3,
    "max_epochs": 100,
    "batch_size": 64,
    "input_unit": "sd",
    "annotated_per_batch": None,
    "early_stopping": False,
}
_MIXED = {"alpha": 1.0, "exchange": False}
_ROSS = {"alpha": 1.0, "norm": "l2"}
_PENALTY: dict[str, dict[str, Any]] = {
    "AvgExClassifier": _MIXED,
    "AvgExRegressor": _MIXED,
    "CounterexampleClassifier": _MIXED,
    "GradRegClassifier": {**_ROSS, "output": "log_prob_sum"},
    "GradRegRegressor": _ROSS,
    "IBPExClassifier": _MIXED,
    "IBPExRegressor": _MIXED,
    "PGDExClassifier": _MIXED,
    "PGDExRegressor": _MIXED,
    "SwapExClassifier": _MIXED,
    "SwapExRegressor": _MIXED,
}


def stored_defaults(estimator: str) -> dict[str, Any]:
    """Return the defaults with which stored results of an estimator were computed.

    Parameters
    ----------
    estimator : str
        Name of its class.

    Returns
    -------
    dict of str to object
        Parameters that every declaration means unless it states others.

    Examples
    --------
    >>> from skexplain.studies._stored_defaults import stored_defaults
    >>> stored_defaults("SwapExClassifier")["alpha"]
    1.0
    """
    return {**_TRAINING, **_PENALTY.get(estimator, {})}


def default_parameters(method: Any) -> Any:
    """Return the parameters that a description leaves to defaults which may have changed.

    Parameters
    ----------
    method : dict
        See `run_trial`.

    Returns
    -------
    dict of str to object
        Empty unless it has the entry ``"defaults": "stored"``: the estimator's own defaults hold.

    Raises
    ------
    ValueError
        If the entry ``defaults`` is neither "stored" nor "package".
    """
    defaults = method.get("defaults", "package")
    if defaults not in DEFAULTS:
        raise ValueError(f"defaults must be one of {list(DEFAULTS)}, got {defaults!r}.")
    return {} if defaults == "package" else stored_defaults(method["estimator"])
