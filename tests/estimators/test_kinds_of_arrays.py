"""Arrays of all kinds as X, y, weights and masks: the same numbers, or an error that says why.

numpy reads some arrays otherwise than they are meant: a masked array without its mask, dates as
numbers of days or nanoseconds, NaT as a huge negative number.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

import skexplain
from skexplain import correction, inspection, metrics

RNG = np.random.default_rng(0)
N, D = 16, 3
X = RNG.integers(0, 9, size=(N, D)).astype(float)
Y = np.arange(N) % 2
WEIGHT = 1.0 + np.arange(N) % 3
MASK = np.zeros((N, D), dtype=bool)
MASK[:, 2] = True
HIDDEN = np.zeros((N, D), dtype=bool)
HIDDEN[1, 1] = True
DAYS = pd.date_range("2026-01-01", periods=N)
NAMES = ["a", "b", "c"]
FRAME = pd.DataFrame(X, columns=NAMES)
TREE = DecisionTreeClassifier(random_state=0).fit(X, Y)
RIDGE = Ridge()


def read_only(values):
    values = values.copy()
    values.flags.writeable = False
    return values


# As numbers, the same as X, Y, WEIGHT or MASK.
SAME = {
    "big-endian": lambda v: v.astype(">f4"),
    "half precision": lambda v: v.astype(np.float16),
    "long double": lambda v: v.astype(np.longdouble),
    "read-only": read_only,
    "negative strides": lambda v: v[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
    "objects": lambda v: v.astype(object),
    "a tensor": torch.as_tensor,
    "rows of tensors": lambda v: list(torch.as_tensor(v)),
    "a masked array without a masked entry": lambda v: np.ma.MaskedArray(v),
}
# Not for masks: there, a masked array is always an error, and names must be those of X.
SAME_NUMBERS = {
    "nullable integers": lambda v: (
        pd.DataFrame(v.astype(int), columns=NAMES) if v.ndim > 1 else pd.Series(v.astype(int))
    ).astype("Int64"),
}
# What each argument must not be, and what the error says.
WRONG_X = {
    "masked": (lambda: np.ma.MaskedArray(X, mask=HIDDEN), "X must have no masked entries"),
    "masked rows": (
        lambda: [np.ma.MaskedArray(*pair) for pair in zip(X, HIDDEN, strict=True)],
        "X must have no masked entries",
    ),
    "dates": (lambda: X.astype("datetime64[D]"), "X must hold numbers"),
    "time spans": (lambda: X.astype("timedelta64[D]"), "X must hold numbers"),
}
WRONG_TABLES = {
    "dates with a zone": (lambda: FRAME.assign(b=DAYS.tz_localize("UTC")), "X must hold numbers"),
    "periods": (
        lambda: FRAME.assign(b=pd.period_range("2026", periods=N)),
        "X must hold numbers",
    ),
    "categories of text": (
        lambda: FRAME.assign(b=pd.Categorical(["u", "v"] * (N // 2))),
        "X must hold numbers.*could not convert string to float",
    ),
    "sparse": (lambda: scipy.sparse.csr_array(X), "[Ss]parse"),
    "a generator": (lambda: (row for row in X), "Expected 2D array"),
    "with gradients": (lambda: torch.as_tensor(X).requires_grad_(), "requires grad"),
}
WRONG_Y = {
    "masked": (lambda: np.ma.MaskedArray(Y, mask=HIDDEN[:, 1]), "y must have no masked entries"),
    "missing": (lambda: pd.Series(Y, dtype="Int64").mask(HIDDEN[:, 1]), "NaN|missing"),
    "a generator": (lambda: (label for label in Y), "1d array|sequence or array-like"),
}
WRONG_TARGETS = {
    "dates": (lambda: DAYS.to_series(), "y must hold numbers, got dates"),
    "a missing date": (lambda: DAYS.to_series().mask(HIDDEN[:, 1]), "y must hold numbers, got dat"),
    "time spans": (lambda: Y.astype("timedelta64[D]"), "y must hold numbers, got dates"),
}
WRONG_WEIGHTS = {
    "masked": (
        lambda: np.ma.MaskedArray(WEIGHT, mask=HIDDEN[:, 1]),
        "sample_weight must have no masked entries",
    ),
    "dates": (lambda: WEIGHT.astype("datetime64[D]"), "sample_weight must hold numbers"),
}
SETTINGS = {"max_epochs": 1, "random_state": 0}
CLASSIFIERS = [
    skexplain.SwapExClassifier(**SETTINGS),
    skexplain.GradRegClassifier(**SETTINGS),
    skexplain.TwoStageExplanationClassifier(**SETTINGS),
    correction.SwapAugmentedClassifier(TREE, random_state=0),
]
# These read tables of anything, as the estimator inside does.
READ_TABLES = (correction.SwapAugmentedClassifier,)


def fit(estimator, **changed):
    given = {"X": X, "y": Y, "mask": MASK, "sample_weight": WEIGHT, **changed}
    return estimator.fit(given.pop("X"), given.pop("y"), **given)


def name_of(value):
    return type(value).__name__ if hasattr(value, "fit") else str(value)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_the_same_numbers_give_the_same_fit(estimator):
    expected = fit(estimator).predict_proba(X)
    good = {"X": X, "y": Y, "sample_weight": WEIGHT, "mask": MASK}
    for argument, values in good.items():
        kinds = {**SAME, **SAME_NUMBERS}
        if argument == "mask":
            kinds = {kind: make for kind, make in SAME.items() if "masked" not in kind}
        if argument == "y":  # classes that are objects are sorted as they are
            kinds.pop("objects")
        for kind, make in kinds.items():
            fitted = fit(estimator, **{argument: make(values)})
            found = fitted.predict_proba(FRAME if hasattr(fitted, "feature_names_in_") else X)
            np.testing.assert_array_equal(found, expected, err_msg=f"{argument}: {kind}")


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=name_of)
def test_what_cannot_be_read_as_meant_is_an_error(estimator):
    tables = {} if isinstance(estimator, READ_TABLES) else WRONG_TABLES
    wrong = {"X": {**WRONG_X, **tables}, "y": WRONG_Y, "sample_weight": WRONG_WEIGHTS}
    for argument, kinds in wrong.items():
        for make, message in kinds.values():
            with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
                fit(estimator, **{argument: make()})


@pytest.mark.parametrize("kind", WRONG_TARGETS)
def test_dates_are_no_targets_of_a_regressor(kind):
    make, message = WRONG_TARGETS[kind]
    for reg in (skexplain.SwapExRegressor(**SETTINGS), correction.SwapAugmentedRegressor(RIDGE)):
        with pytest.raises(ValueError, match=message):
            fit(reg, y=make())


@pytest.mark.parametrize("kind", WRONG_X)
def test_prediction_checks_as_fit_does(kind):
    make, message = WRONG_X[kind]
    clf = fit(CLASSIFIERS[0])
    with pytest.raises(ValueError, match=message):
        clf.predict(make())


def swapped(X, y, sample_weight=None):
    options = {"mask": MASK, "n_repeats": 1, "random_state": 0}
    return metrics.accuracy_after_swap(TREE, X, y, sample_weight=sample_weight, **options)


def audited(X, y, sample_weight=None):
    return inspection.audit(TREE, X, y, MASK, group_labels=y, n_repeats=1, random_state=0)


def by_group(X, y, sample_weight=None):
    return metrics.group_accuracies(y, y, y, sample_weight=sample_weight)


@pytest.mark.parametrize("function", [swapped, audited, by_group])
def test_measures_check_as_fit_does(function):
    masked = np.ma.MaskedArray(Y, mask=HIDDEN[:, 1])
    with pytest.raises(ValueError, match="must have no masked entries"):
        function(X, masked)
    with pytest.raises(ValueError, match="must be an array that numpy can read.*requires grad"):
        function(X, torch.as_tensor(Y.astype(float)).requires_grad_())
    if function is not by_group:
        with pytest.raises(ValueError, match="X must have no masked entries"):
            function(WRONG_X["masked"][0](), Y)
    if function is not audited:
        for make, message in WRONG_WEIGHTS.values():
            with pytest.raises(ValueError, match=message):
                function(X, Y, make())


@pytest.mark.parametrize("labels", [[(0, 1)] * N, np.array([0, "a"] * (N // 2), dtype=object)])
def test_an_audit_needs_labels_of_one_kind(labels):
    with pytest.raises(ValueError, match="y must hold (one label|labels of one kind)"):
        audited(X, labels)


def test_saliency_holds_numbers():
    for values in (X.astype(complex), X.astype("datetime64[D]"), X.astype(str)):
        with pytest.raises(ValueError, match="saliency must hold numbers"):
            metrics.irrelevant_saliency_mass(values, MASK)
