"""Check that scikit-learn's tools give every fit the masks of its own samples."""

from functools import partial

import numpy as np
import pytest
import sklearn
from _estimators import ESTIMATORS, OVER_UNITS, REGRESSORS, make_problem, quick, received
from _estimators import RECORDING as EVERY_RECORDING
from _pairs import in_turn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain import GradRegClassifier

# What is requested is said in the base, as the first test checks: one estimator of each kind, and
# those with a fit or parameters of their own, are enough.
KINDS_OF_METHODS = ("ERM", "GroupDRO", "SwapEx", "TwoStageExplanation")
RECORDING = [
    cls
    for cls in EVERY_RECORDING
    if cls.__name__ in {f"Recording{m}Classifier" for m in KINDS_OF_METHODS}
]
CV = StratifiedKFold(3)
KINDS = ["rows", "one", "list"]


@pytest.fixture(autouse=True, params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    """Each test runs with scikit-learn's metadata routing off and on."""
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


with_routing = pytest.mark.parametrize("routing", [True], ids=["routing on"], indirect=True)


@pytest.fixture(params=RECORDING, ids=lambda cls: cls.__name__)
def estimator(request, tmp_path):
    return quick(request.param, max_epochs=1, random_state=0, log=str(tmp_path))


# How a mask is sliced does not depend on the estimator.
every_kind = pytest.mark.parametrize(
    ("estimator", "kind"), in_turn(RECORDING, KINDS), indirect=["estimator"]
)


def make_mask(kind, mask):
    """Spell the masks of all rows in one of the ways that a user may."""
    if kind == "one":
        return np.array([[0, 0, 0, 1]])
    if kind == "list":
        return [None if i % 3 == 0 else row for i, row in enumerate(mask)]
    return mask


def scaled(numbers):
    numbers = np.asarray(numbers, dtype=np.float64)
    return (numbers - numbers.mean()) / numbers.std()


def assert_received(folder, kind, X, rows_of_fits, method="fit", scales=False):
    """Prove that the fits received exactly these rows, each with the mask of its own.

    A scaler before the estimator shifts and scales the numbers of the rows, which are drawn at
    random: those of other rows do not come out equal.
    """
    fits = received(folder)
    assert {fit.method for fit in fits} == {method}
    standard = scaled if scales else np.asarray
    expected = [standard(X[rows, 2]) for rows in rows_of_fits]
    got = [fit.X[:, 2] for fit in fits]
    assert len(got) == len(expected)
    order = [sorted(range(len(rows)), key=lambda i: tuple(rows[i])) for rows in (expected, got)]
    for wanted, fit in zip(order[0], order[1], strict=True):
        np.testing.assert_allclose(got[fit], expected[wanted], atol=1e-9)
        numbers = X[rows_of_fits[wanted], 2]
        assert_spells(fits[fit].mask, kind, numbers, X)


def assert_spells(mask, kind, numbers, X):
    """Prove that a mask is that of the rows with these numbers."""
    if kind == "one":
        np.testing.assert_array_equal(mask, [[0, 0, 0, 1]])
        return
    bare = set(X[::3, 2]) if kind == "list" else set()
    assert len(mask) == len(numbers)
    for row, number in zip(mask, numbers, strict=True):
        if number in bare:
            assert row is None
        else:
            assert row[2] * 1024 == number


def in_folds(X, y):
    return [train for train, _ in CV.split(X, y)]


@with_routing
@pytest.mark.parametrize("cls", [*ESTIMATORS, *REGRESSORS, *OVER_UNITS])
def test_every_estimator_requests_masks(cls, routing):
    requests = quick(cls).get_metadata_routing()
    takes_groups = cls.__name__ in ("ExplanationClassifier", "GroupDROClassifier")
    expected = {"mask": True, "sample_weight": None}
    expected |= {"group_labels": True} if takes_groups else {}
    assert requests.fit.requests == expected
    assert {**requests.partial_fit.requests, "classes": None} == {**expected, "classes": None}


@every_kind
def test_pipeline(estimator, kind, routing):
    X, y, mask = make_problem()
    mask = make_mask(kind, mask)
    pipeline = make_pipeline(StandardScaler(), estimator)
    by_step = f"{type(estimator).__name__.lower()}__mask"
    spelling, other = ("mask", by_step) if routing else (by_step, "mask")
    pipeline.fit(X, y, **{spelling: mask})
    assert_received(estimator.log, kind, X, [np.arange(len(X))], scales=True)
    with pytest.raises((TypeError, ValueError), match=f"(unexpected.*|accept the ){other}"):
        pipeline.fit(X, y, **{other: mask})


@every_kind
def test_grid_search(estimator, kind):
    X, y, mask = make_problem()
    search = GridSearchCV(estimator, {"lr": [1e-3, 1e-2]}, cv=CV, error_score="raise")
    search.fit(X, y, mask=make_mask(kind, mask))
    assert_received(estimator.log, kind, X, [*in_folds(X, y) * 2, np.arange(len(X))])


def test_grid_search_over_a_pipeline(estimator, routing):
    X, y, mask = make_problem()
    pipeline = make_pipeline(StandardScaler(), estimator)
    name = type(estimator).__name__.lower()
    search = GridSearchCV(pipeline, {f"{name}__lr": [1e-3, 1e-2]}, cv=CV, error_score="raise")
    search.fit(X, y, **{"mask" if routing else f"{name}__mask": mask})
    assert_received(estimator.log, "rows", X, [*in_folds(X, y) * 2, np.arange(len(X))], scales=True)


@every_kind
def test_cross_validate(estimator, kind):
    X, y, mask = make_problem()
    params = {"mask": make_mask(kind, mask)}
    cross_validate(estimator, X, y, cv=CV, params=params, error_score="raise")
    assert_received(estimator.log, kind, X, in_folds(X, y))


@pytest.mark.parametrize(
    ("estimator", "validate"),
    in_turn(RECORDING, [cross_val_score, cross_val_predict]),
    indirect=["estimator"],
)
def test_cross_validation_in_short(estimator, validate):
    X, y, mask = make_problem()
    validate(estimator, X, y, cv=CV, params={"mask": mask})
    assert_received(estimator.log, "rows", X, in_folds(X, y))


@pytest.mark.parametrize(
    ("estimator", "kind", "incremental"),
    in_turn(RECORDING, KINDS, [False, True]),
    indirect=["estimator"],
)
def test_learning_curve(estimator, kind, incremental):
    X, y, mask = make_problem()
    sizes = [10, 25, 40]
    learning_curve(
        estimator,
        X,
        y,
        cv=CV,
        train_sizes=sizes,
        exploit_incremental_learning=incremental,
        params={"mask": make_mask(kind, mask)},
        error_score="raise",
    )
    starts = [0, *sizes[:-1]] if incremental else [0, 0, 0]
    parts = [
        train[start:stop]
        for train in in_folds(X, y)
        for start, stop in zip(starts, sizes, strict=True)
    ]
    method = "partial_fit" if incremental else "fit"
    assert_received(estimator.log, kind, X, parts, method=method)


@every_kind
def test_calibration(estimator, kind):
    X, y, mask = make_problem()
    CalibratedClassifierCV(estimator, cv=CV).fit(X, y, mask=make_mask(kind, mask))
    assert_received(estimator.log, kind, X, in_folds(X, y))


@every_kind
def test_bagging(estimator, kind, routing):
    X, y, mask = make_problem()
    fit = partial(BaggingClassifier(estimator, n_estimators=3, random_state=0).fit, X, y)
    if not routing:
        with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
            fit(mask=make_mask(kind, mask))
        return
    bagging = fit(mask=make_mask(kind, mask))
    assert_received(estimator.log, kind, X, bagging.estimators_samples_)
    assert max(np.bincount(bagging.estimators_samples_[0])) > 1  # rows that come twice


@with_routing
def test_bagging_by_weights(estimator):
    """Asked for weights, bagging hands over all rows, and says by weights which were drawn."""
    X, y, mask = make_problem()
    estimator.set_fit_request(sample_weight=True)
    bagging = BaggingClassifier(estimator, n_estimators=3, random_state=0).fit(X, y, mask=mask)
    every = np.arange(len(X))
    assert_received(estimator.log, "rows", X, [every] * 3)
    drawn = [np.bincount(rows, minlength=len(X)) for rows in bagging.estimators_samples_]
    got = [fit.sample_weight for fit in received(estimator.log)]
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, got))


def test_sample_weights_go_with_the_masks(estimator, routing):
    X, y, mask = make_problem()
    if routing:
        estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    search = GridSearchCV(estimator, {"lr": [1e-3]}, cv=CV, error_score="raise")
    search.fit(X, y, mask=mask, sample_weight=X[:, 2])
    assert_received(estimator.log, "rows", X, [*in_folds(X, y), np.arange(len(X))])
    for fit in received(estimator.log):
        np.testing.assert_array_equal(fit.sample_weight, fit.X[:, 2])


@with_routing
def test_the_default_request_can_be_changed(estimator):
    """Users may rename what is passed, or keep it away."""
    X, y, mask = make_problem()
    estimator.set_fit_request(mask="reasons")
    search = GridSearchCV(estimator, {"lr": [1e-3]}, cv=CV, error_score="raise")
    search.fit(X, y, reasons=mask)
    assert_received(estimator.log, "rows", X, [*in_folds(X, y), np.arange(len(X))])
    with pytest.raises(TypeError, match="mask"):
        search.fit(X, y, mask=mask)
    estimator.set_fit_request(mask=False)
    with pytest.raises(TypeError, match="mask"):
        search.fit(X, y, mask=mask)


class IgnoresMasks(LogisticRegression):
    def fit(self, X, y, mask=None, sample_weight=None):
        return super().fit(X, y, sample_weight)


@with_routing
@pytest.mark.parametrize("estimator", RECORDING[:1], indirect=True)  # how it is asked is the base's
def test_a_stack_hands_masks_to_its_final_estimator(estimator):
    """It sees predictions, not the columns of X: it must ignore masks, or raises an error."""
    pd = pytest.importorskip("pandas")
    X, y, mask = make_problem()
    base = [("a", estimator)]
    StackingClassifier(base, IgnoresMasks(), cv=CV).fit(X, y, mask=mask)
    assert_received(estimator.log, "rows", X, [np.arange(len(X)), *in_folds(X, y)])
    with pytest.raises(TypeError, match=r"LogisticRegression.*'mask'"):
        StackingClassifier(base, LogisticRegression(), cv=CV).fit(X, y, mask=mask)
    with pytest.raises(ValueError, match=r"mask must have shape \(60, 1\) .*got \(60, 4\)"):
        StackingClassifier(base, GradRegClassifier(), cv=CV).fit(X, y, mask=mask)
    # As many predictions as columns: names say that they are not the same.
    table, named = (pd.DataFrame(values, columns=list("abcd")) for values in (X, mask))
    four = [(name, quick(RECORDING[0], max_epochs=1, log=estimator.log)) for name in "abcd"]
    with pytest.raises(ValueError, match="mask must come without names where those of the col"):
        StackingClassifier(four, GradRegClassifier(), cv=CV).fit(table, y, mask=named)
