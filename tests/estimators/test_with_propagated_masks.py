"""Check that an estimator is fitted on the masks filled in inside fit, and which arguments it
passes on.
"""

import pickle
import re

import numpy as np
import pytest
import sklearn
import torch
from _estimators import RECORDING, make_problem, quick, received, weights
from _sklearn_checks import LONG_STEPS, is_of_accuracy, training_checks
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.metadata_routing import get_routing_for_object
from torch import nn

from skexplain import (
    ERMClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    GradRegRegressor,
    GroupDROClassifier,
    MaskPropagator,
    SwapExClassifier,
    SwapExRegressor,
    WithPropagatedMasks,
)
from skexplain.datasets import make_decoy_digits
from skexplain.exceptions import MissingExplanationWarning, UnreliableMaskWarning
from skexplain.metrics import worst_group_accuracy

CV = StratifiedKFold(3)
Recording = next(cls for cls in RECORDING if issubclass(cls, GradRegClassifier))


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def some(mask, n_masks=30):
    """The masks of the first rows, NaN in all others."""
    return np.where(np.arange(len(mask))[:, None] < n_masks, mask, np.nan)


def inner(cls=GradRegClassifier, **params):
    return quick(cls, **{"max_epochs": 2, "random_state": 0, **params})


# -- what the estimator is trained on -------------------------------------------------------------


@pytest.mark.parametrize("cls", [GradRegClassifier, SwapExClassifier, GradRegRegressor])
def test_the_estimator_is_trained_on_filled_masks(cls):
    X, y, mask = make_problem()
    clf = WithPropagatedMasks(inner(cls)).fit(X, y, mask=some(mask))
    filled = MaskPropagator(random_state=0).fit(X, some(mask)).fill(X, some(mask))
    assert not np.isnan(filled).any()
    bare = inner(cls).fit(X, y, mask=filled)
    assert torch.equal(weights(clf.estimator_), weights(bare))
    assert not torch.equal(weights(bare), weights(inner(cls).fit(X, y, mask=some(mask))))
    np.testing.assert_array_equal(clf.predict(X), bare.predict(X))
    assert clf.score(X, y) == bare.score(X, y)
    assert clf.propagator_.iou_ == MaskPropagator(random_state=0).fit(X, some(mask)).iou_


@pytest.mark.parametrize("kind", ["every row", "one for all", "list", "rows of weight zero"])
def test_with_all_masks_it_is_the_estimator(kind):
    X, y, mask = make_problem()
    weight = np.ones(len(X))
    if kind == "one for all":
        mask = mask[:1]
    elif kind == "list":
        mask = list(mask)
    elif kind == "rows of weight zero":
        mask[50:], weight[50:] = np.nan, 0
    clf = WithPropagatedMasks(inner()).fit(X, y, mask=mask, sample_weight=weight)
    bare = inner().fit(X, y, mask=mask, sample_weight=weight)
    assert torch.equal(weights(clf.estimator_), weights(bare))
    assert clf.propagator_ is None


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (None, "fitted without a mask"),
        ([None] * 60, "fitted with masks that annotate no sample"),
        (np.full((1, 4), np.nan), "fitted with masks that annotate no sample"),
    ],
)
def test_without_masks_it_warns_as_the_estimator(mask, message):
    X, y, _ = make_problem()
    with pytest.warns(MissingExplanationWarning, match=f"GradRegClassifier is {message}"):
        clf = WithPropagatedMasks(inner()).fit(X, y, mask=mask)
    with pytest.warns(MissingExplanationWarning, match=message):
        bare = inner().fit(X, y, mask=mask)
    assert torch.equal(weights(clf.estimator_), weights(bare))
    assert clf.propagator_ is None


def test_images():
    digits = make_decoy_digits(random_state=0)
    X, y = digits.data[:100], digits.target[:100]
    mask = [own if row < 10 else None for row, own in enumerate(digits.mask[:100])]
    propagator = MaskPropagator(n_steps=30, cv=None, random_state=1)
    clf = WithPropagatedMasks(inner(SwapExClassifier), propagator).fit(X, y, mask=mask)
    bare = inner(SwapExClassifier).fit(X, y, mask=propagator.fit(X, mask).fill(X, mask))
    assert torch.equal(weights(clf.estimator_), weights(bare))


@pytest.mark.slow
def test_few_masks_are_enough_on_digits():
    digits = make_decoy_digits(random_state=0)
    mask = [own if row < 20 else None for row, own in enumerate(digits.mask)]

    def worst(estimator):
        estimator.fit(digits.data, digits.target, mask=mask)
        predicted = estimator.predict(digits.data_test)
        return worst_group_accuracy(digits.target_test, predicted, digits.groups_test)

    swap = SwapExClassifier(max_epochs=30, lr=3e-3, random_state=0)
    # Measured: .93, .84, and .93 with all masks.
    assert worst(WithPropagatedMasks(swap)) > worst(swap) + 0.03


# -- where it cannot help -------------------------------------------------------------------------


def scattered(n_masks=30):
    """Masks that have nothing in common: nothing is predicted, iou_ is 0."""
    X, y, mask = make_problem()
    return X, y, some(np.random.default_rng(0).uniform(size=mask.shape) > 0.8, n_masks)


def test_it_trains_on_the_given_masks_where_others_cannot_be_predicted():
    X, y, mask = scattered()
    message = (
        r"fills in no mask, and trains on the 30 that were given: masks of 30 samples left out "
        r"are predicted with an intersection over union of 0\.00, and min_iou=0\.25"
    )
    with pytest.warns(UnreliableMaskWarning, match=message) as caught:
        clf = WithPropagatedMasks(inner(SwapExClassifier)).fit(X, y, mask=mask)
    assert [each.filename for each in caught if each.category is UnreliableMaskWarning] == [
        __file__
    ]
    assert torch.equal(
        weights(clf.estimator_), weights(inner(SwapExClassifier).fit(X, y, mask=mask))
    )
    assert clf.propagated_ is False
    assert clf.propagator_.iou_ == 0


def test_min_iou_of_0_fills_in_all_the_same():
    X, y, mask = scattered()
    with pytest.warns(UnreliableMaskWarning, match="union of 0.00 only") as caught:
        clf = WithPropagatedMasks(inner(SwapExClassifier), min_iou=0).fit(X, y, mask=mask)
    assert caught[0].filename == __file__
    filled = clf.propagator_.fill(X, mask)
    bare = inner(SwapExClassifier).fit(X, y, mask=filled)
    assert torch.equal(weights(clf.estimator_), weights(bare))
    assert clf.propagated_ is True


def test_what_is_not_measured_is_filled_in():
    X, y, mask = scattered()
    clf = WithPropagatedMasks(inner(SwapExClassifier), MaskPropagator(cv=None))
    assert clf.fit(X, y, mask=mask).propagated_ is True


def test_min_iou_is_checked():
    X, y, mask = scattered()
    with pytest.raises(ValueError, match="'min_iou' parameter of WithPropagatedMasks must be"):
        WithPropagatedMasks(inner(), min_iou=2).fit(X, y, mask=mask)


def test_the_progress_bar_follows_the_estimator(capsys):
    digits = make_decoy_digits(random_state=0)
    mask = [own if row < 10 else None for row, own in enumerate(digits.mask[:50])]
    for verbose in (0, 2):
        clf = WithPropagatedMasks(inner(SwapExClassifier, verbose=verbose), min_iou=0)
        clf.set_params(propagator=MaskPropagator(n_steps=2, cv=None))
        clf.fit(digits.data[:50], digits.target[:50], mask=mask)
        assert ("learn masks" in capsys.readouterr().err) == bool(verbose)


# -- no leak --------------------------------------------------------------------------------------


def assert_filled_from_own_rows(folder, X, mask, rows_of_fits):
    """Prove that each fit received the masks that its own training rows give."""
    numbers = {number: row for row, number in enumerate(X[:, 2])}
    fits = received(folder)
    got = [sorted(numbers[number] for number in fit.X[:, 2]) for fit in fits]
    assert sorted(got) == sorted(sorted(rows) for rows in rows_of_fits)
    for fit in fits:
        rows = [numbers[number] for number in fit.X[:, 2]]
        propagator = MaskPropagator(random_state=0, threshold=None).fit(X[rows], mask[rows])
        np.testing.assert_array_equal(fit.mask, propagator.fill(X[rows], mask[rows]))
    assert len({fit.mask[-1].tobytes() for fit in fits}) > 1  # folds do differ


def recording(log):
    estimator = inner(Recording, log=str(log))
    return WithPropagatedMasks(estimator, MaskPropagator(threshold=None))


def test_cross_validation_does_not_leak(routing, tmp_path):
    X, y, mask = make_problem()
    mask = some(mask)
    params = {"mask": mask}
    cross_validate(recording(tmp_path), X, y, cv=CV, params=params, error_score="raise")
    assert_filled_from_own_rows(tmp_path, X, mask, [train for train, _ in CV.split(X, y)])


def test_search_does_not_leak_and_reaches_nested_parameters(routing, tmp_path):
    X, y, mask = make_problem()
    mask = some(mask)
    grid = {"estimator__alpha": [0.1, 0.2], "propagator__cv": [None]}
    search = GridSearchCV(recording(tmp_path), grid, cv=CV, error_score="raise")
    search.fit(X, y, mask=mask)
    folds = [train for train, _ in CV.split(X, y)]
    assert_filled_from_own_rows(tmp_path, X, mask, [*folds, *folds, np.arange(len(X))])
    assert np.isnan(search.best_estimator_.propagator_.iou_)


# -- metadata -------------------------------------------------------------------------------------


def test_sample_weights_are_passed_on(routing, tmp_path):
    X, y, mask = make_problem()
    clf = recording(tmp_path)
    if routing:
        clf.estimator.set_fit_request(sample_weight=True)
    weight = np.arange(len(X)) % 3
    clf.fit(X, y, mask=some(mask), sample_weight=weight)
    (fit,) = received(tmp_path)
    np.testing.assert_array_equal(fit.sample_weight, weight)
    taking_part = np.flatnonzero(weight)
    learnt = MaskPropagator(random_state=0, threshold=None)
    learnt.fit(X[taking_part], some(mask)[taking_part])
    np.testing.assert_array_equal(fit.mask, learnt.fill(X, some(mask)))


def test_other_metadata_reach_the_estimator(routing):
    """GroupDRO takes group labels, of which this estimator knows nothing."""
    X, y, mask = make_problem()
    estimator = inner(GroupDROClassifier)
    if routing:
        estimator.set_fit_request(group_labels=True)
    clf = WithPropagatedMasks(estimator)
    groups = np.where(X[:, 3] > 1, "right", "left")
    clf.fit(X, y, mask=some(mask), group_labels=groups)
    assert clf.estimator_.groups_ == ["left", "right"]
    with pytest.raises(TypeError, match="surprise"):
        clf.fit(X, y, surprise=1)


def test_the_mask_is_requested_by_default():
    request = get_routing_for_object(WithPropagatedMasks(inner()))
    assert request._self_request.fit.requests["mask"] is True
    assert request.consumes("fit", ["mask"]) == {"mask"}


@pytest.mark.parametrize("routing", [True], ids=["routing on"], indirect=True)
def test_a_pipeline_inside(routing):
    X, y, mask = make_problem()
    mask = 1 - some(mask)
    pipeline = make_pipeline(StandardScaler(), inner(mask_marks="relevant"))
    clf = WithPropagatedMasks(pipeline).fit(X, y, mask=mask)
    assert clf.propagator_.mask_marks == "relevant"
    propagator = MaskPropagator(mask_marks="relevant", random_state=0).fit(X, mask)
    bare = clone(pipeline).fit(X, y, mask=propagator.fill(X, mask))
    assert torch.equal(weights(clf.estimator_[-1]), weights(bare[-1]))


def test_meaning_and_seed_follow_the_estimator():
    X, y, mask = make_problem()
    marks = {"mask_marks": "relevant"}
    search = FindAnotherExplanationClassifier(inner(**marks), n_explanations=1, random_state=3)
    clf = WithPropagatedMasks(search).fit(X, y, mask=1 - some(mask))
    assert clf.propagator_.mask_marks == "relevant"
    clf = WithPropagatedMasks(inner(random_state=7), MaskPropagator(cv=2))
    clf.fit(X, y, mask=some(mask))
    assert clf.propagator_.random_state == 7
    clf.set_params(propagator__random_state=5).fit(X, y, mask=some(mask))
    assert clf.propagator_.random_state == 5
    assert clf.propagator_.cv == 2
    assert not hasattr(clf.propagator, "iou_")


def test_the_propagator_draws_nothing_from_the_stream_of_the_estimator():
    X, y, mask = make_problem()
    clf = WithPropagatedMasks(inner(random_state=np.random.RandomState(0)))
    clf.fit(X, y, mask=some(mask))
    filled = clf.propagator_.fill(X, some(mask))
    bare = inner(random_state=np.random.RandomState(0)).fit(X, y, mask=filled)
    assert torch.equal(weights(clf.estimator_), weights(bare))


# -- scikit-learn ---------------------------------------------------------------------------------


class InDoublePrecision(nn.Module):
    def forward(self, x):
        return x.double()


class Masked(WithPropagatedMasks):
    """Its fit marks the last column in the first half of the rows, and leaves the rest to fill."""

    def fit(self, X, y, *, sample_weight=None):
        shape, mask = np.asarray(X).shape, None
        if len(shape) == 2 and shape[0] > 3 and shape[1] > 0:
            mask = np.full(shape, np.nan)
            mask[: shape[0] // 2] = np.arange(shape[1]) == shape[1] - 1
        return super().fit(X, y, mask=mask, sample_weight=sample_weight)


# Rows predicted alone round like those predicted together only in double precision.
DOUBLE = nn.Sequential(InDoublePrecision(), nn.LazyLinear(1).double())


def expected_failed_checks(estimator):
    return {
        "check_sample_weight_equivalence_on_dense_data": (
            "Repeated rows come in other mini-batches than weighted ones."
        )
    }


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
@parametrize_with_checks(
    [WithPropagatedMasks(quick(ERMClassifier, **LONG_STEPS, random_state=0))],
    expected_failed_checks=expected_failed_checks,
    xfail_strict=True,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
@pytest.mark.parametrize(
    ("estimator", "check"),
    training_checks(
        [
            Masked(quick(GradRegClassifier, **LONG_STEPS, random_state=0)),
            Masked(quick(GradRegRegressor, module=DOUBLE, **LONG_STEPS, random_state=0)),
        ]
    ),
)
def test_scikit_learn_check_with_masks(estimator, check):
    if not is_of_accuracy(check):
        estimator = clone(estimator).set_params(estimator__max_epochs=2)
    check(estimator)


def test_it_is_what_its_estimator_is():
    classifier, regressor = (
        WithPropagatedMasks(inner(cls)) for cls in (SwapExClassifier, SwapExRegressor)
    )
    assert is_classifier(classifier)
    assert is_regressor(regressor)
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(regressor, "predict_proba")
    assert not hasattr(classifier, "decision_function")
    assert not hasattr(classifier, "classes_")
    assert hasattr(WithPropagatedMasks(LogisticRegression()), "decision_function")
    assert not hasattr(WithPropagatedMasks(LogisticRegression()), "mask_marks")
    assert WithPropagatedMasks(inner(mask_marks="relevant")).mask_marks == "relevant"


def test_an_estimator_that_takes_no_mask():
    X, y, mask = make_problem()
    clf = WithPropagatedMasks(LogisticRegression()).fit(X / X.std(axis=0), y)
    assert clf.decision_function(X).shape == (60,)
    with pytest.raises(TypeError, match="mask"):
        clf.fit(X, y, mask=mask)


def test_pickle_and_attributes():
    X, y, mask = make_problem()
    clf = WithPropagatedMasks(inner()).fit(X, y, mask=some(mask))
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.estimator_.predict_proba(X))
    assert loaded.classes_.tolist() == [0, 1]
    assert loaded.n_features_in_ == 4
    assert not hasattr(loaded, "feature_names_in_")


def test_a_bad_argument_loses_nothing():
    X, y, mask = make_problem()
    clf = WithPropagatedMasks(inner()).fit(X, y, mask=some(mask))
    before = clf.predict_proba(X)
    for wrong in (mask[:, :2], mask + 2):
        with pytest.raises(ValueError, match="mask must"):
            clf.fit(X, y, mask=wrong)
    with pytest.raises(ValueError, match=re.escape("Input X contains NaN")):
        clf.fit(X + np.nan, y, mask=some(mask))
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    assert clf.propagator_ is not None


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(WithPropagatedMasks(inner()), method)(np.ones((2, 4)))
