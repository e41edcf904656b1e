"""Any estimator on swapped copies: what it is fitted on, and that it is an estimator itself."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skexplain.correction import SwapAugmentedClassifier, SwapAugmentedRegressor, swapped_copies
from skexplain.exceptions import MissingExplanationWarning, RemainingShortcutWarning
from skexplain.metrics import accuracy_after_swap


class Masked:
    """Adds a mask wherever none is given, so that scikit-learn's checks run on copies, too."""

    def fit(self, X, y, *, mask=None, sample_weight=None):
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        mask = 0.3 * (np.arange(shape[1]) == 0)[None] if len(shape) > 1 else None
        return super().fit(X, y, mask=mask, sample_weight=sample_weight)


class MaskedClassifier(Masked, SwapAugmentedClassifier):
    pass


class MaskedRegressor(Masked, SwapAugmentedRegressor):
    pass


CASES = [
    SwapAugmentedClassifier(LogisticRegression()),
    SwapAugmentedRegressor(Ridge()),
    MaskedClassifier(LogisticRegression(), random_state=0),
    MaskedRegressor(Ridge(), random_state=0),
]


def expected_failed_checks(estimator):
    """Checks that cannot pass, with the reason."""
    if not isinstance(estimator, Masked):
        return {}
    weights = "check_sample_weight_equivalence_on_"
    reason = "Donors are drawn for each row: a repeated one is given others than a weighted one."
    return {
        f"{weights}dense_data": reason,
        f"{weights}sparse_data": reason,
        "check_complex_data": "The copies are made before the estimator inside looks at X.",
        "check_dtype_object": "A table of objects may hold anything that the estimator takes.",
    }


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
@parametrize_with_checks(CASES, expected_failed_checks=expected_failed_checks, xfail_strict=True)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def make_leak(n_samples=300, agreement=0.95, seed=0):
    """A weak reason, and a column that tells the label."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_samples)
    leak = np.where(rng.random(n_samples) < agreement, y, 1 - y)
    reason = y + rng.normal(scale=0.7, size=n_samples)
    return np.column_stack([reason, rng.normal(size=n_samples), 2.0 * leak]), y


MASK = np.array([[False, False, True]])


class Recording(LogisticRegression):
    """Keeps what it is fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.given_ = X, y, sample_weight
        return super().fit(X, y, sample_weight)


# -- what the estimator is fitted on ---------------------------------------------------------------


def test_the_estimator_is_given_the_copies():
    X, y = make_leak()
    clf = SwapAugmentedClassifier(Recording(), n_copies=3, random_state=0).fit(X, y, mask=MASK)
    copies, rows = swapped_copies(X, MASK, n_copies=3, random_state=0)
    given_X, given_y, weight = clf.estimator_.given_
    np.testing.assert_array_equal(given_X, copies)
    np.testing.assert_array_equal(given_y, y[rows])
    np.testing.assert_allclose(weight, 1 / 3)
    by_hand = LogisticRegression().fit(copies, y[rows], np.full(900, 1 / 3))
    np.testing.assert_array_equal(clf.predict_proba(X), by_hand.predict_proba(X))
    assert clf.n_samples_fitted_ == 900


@pytest.mark.parametrize(
    "mask",
    [None, [None] * 300, np.full((1, 3), np.nan), np.zeros((1, 3)), np.zeros((300, 3), bool)],
    ids=["none", "list of none", "unknown", "nothing for all", "nothing"],
)
@pytest.mark.parametrize("inner", [LogisticRegression(), RandomForestClassifier(5, random_state=0)])
def test_masks_that_mark_nothing_give_the_fit_of_the_estimator(mask, inner):
    X, y = make_leak()
    with pytest.warns(MissingExplanationWarning, match="SwapAugmentedClassifier is fitted with"):
        clf = SwapAugmentedClassifier(inner).fit(X, y, mask=mask)
    np.testing.assert_array_equal(clf.predict_proba(X), inner.fit(X, y).predict_proba(X))
    assert clf.n_samples_fitted_ is None


def test_least_squares_have_the_coefficients_of_the_column_left_out():
    """A swapped column is independent of everything else: the others are fitted as without it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = X @ [1.0, -2.0, 0.0] + rng.normal(size=400)
    X[:, 2] = y + 0.1 * rng.normal(size=400)
    reg = SwapAugmentedRegressor(LinearRegression(), n_copies=200, random_state=0)
    reg.fit(X, y, mask=[[0, 0, 1]])
    without = LinearRegression().fit(X[:, :2], y)
    np.testing.assert_allclose(reg.estimator_.coef_, [*without.coef_, 0.0], atol=0.02)
    assert LinearRegression().fit(X, y).coef_[2] > 0.9


def test_the_copies_of_a_sample_weigh_as_the_sample():
    X, y = make_leak()
    weight = np.arange(300) % 3
    mask = [MASK[0] if row < 200 else np.zeros(3, bool) for row in range(300)]
    clf = SwapAugmentedClassifier(Recording(), n_copies=4, exchange=False, random_state=0)
    clf.fit(X, y, mask=mask, sample_weight=weight)
    given_X, _, given = clf.estimator_.given_
    assert given.sum() == pytest.approx(weight.sum())
    for row in (1, 250):
        is_copy = (given_X[:, 0] == X[row, 0]) & (given_X[:, 1] == X[row, 1])
        assert is_copy.sum() == (4 if row < 200 else 1)
        assert given[is_copy].sum() == pytest.approx(weight[row])
    assert not np.isin(X[::3, 2], given_X[:, 2]).all() or not (given == 0).any()


def test_samples_of_weight_zero_give_nothing():
    X, y = make_leak()
    X[:50, 2], weight = 77.0, np.ones(300)
    weight[:50] = 0
    clf = SwapAugmentedClassifier(Recording(), random_state=0)
    clf.fit(X, y, mask=MASK, sample_weight=weight)
    assert 77.0 not in clf.estimator_.given_[0]


def test_a_few_samples_with_marks_have_half_of_the_say():
    X, y = make_leak()
    places = [np.arange(3) == 2 if row < 30 else None for row in range(300)]
    places[0] = np.array([True, False, False])  # no place that all share
    places[1] = np.array([False, True, False])
    places[2] = np.array([True, False, False]) * 1.0
    clf = SwapAugmentedClassifier(Recording(), random_state=0).fit(X, y, mask=places)
    _, _, given = clf.estimator_.given_
    assert given.sum() == pytest.approx(300)
    assert len(given) == 270 + 30 * clf.n_copies  # the samples as they are come first
    assert given[:270].sum() == pytest.approx(150)


def test_an_estimator_without_weights_sees_samples_as_often_as_their_copies():
    X, y = make_leak(60)
    mask = [MASK[0] if row < 40 else np.zeros(3, bool) for row in range(60)]
    clf = SwapAugmentedClassifier(
        KNeighborsClassifier(), n_copies=3, exchange=False, random_state=0
    ).fit(X, y, mask=mask)
    fitted = clf.estimator_._fit_X
    assert [int((fitted[:, 0] == value).sum()) for value in X[:, 0]] == [3] * 60
    with pytest.raises(TypeError, match="KNeighborsClassifier, whose fit takes no weights"):
        clf.fit(X, y, mask=mask, sample_weight=np.ones(60))


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.RemainingShortcutWarning")
@pytest.mark.parametrize("inner", [LogisticRegression(), RandomForestClassifier(5)])
def test_balanced_classes_are_those_of_the_samples(inner):
    X, y = make_leak()
    y[:250] = 0
    mask = [MASK[0] if y[row] else np.zeros(3, bool) for row in range(300)]
    clf = SwapAugmentedClassifier(inner.set_params(class_weight="balanced"), exchange=False)
    clf.fit(X, y, mask=mask)
    n_ones = y.sum()
    expected = {0: 150 / (300 - n_ones), 1: 150 / n_ones}
    assert clf.estimator_.class_weight == pytest.approx(expected)
    assert clf.estimator.class_weight == "balanced"


# -- models and data as users have them ------------------------------------------------------------


def boosters():
    yield HistGradientBoostingClassifier(max_iter=40)
    for module, name in (("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")):
        try:
            cls = getattr(__import__(module), name)
        except ImportError:
            continue
        yield cls(n_estimators=40, verbosity=0 if module == "xgboost" else -1, n_jobs=1)


@pytest.mark.parametrize("inner", list(boosters()), ids=lambda inner: type(inner).__name__)
def test_boosting_forgets_the_leak(inner):
    X, y = make_leak(600)
    reversed_leak = X * [1, 1, -1] + [0, 0, 2]
    clf = SwapAugmentedClassifier(inner, random_state=0).fit(X, y, mask=MASK)
    assert clone(inner).fit(X, y).score(reversed_leak, y) < 0.3
    assert clf.score(reversed_leak, y) > 0.65


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_pipeline_of_encoders_needs_nothing(kind, routing):
    frames = pytest.importorskip(kind)
    X, y = make_leak()
    wards = np.array(["north", "south"])[(X[:, 2] > 1).astype(int)]
    X = frames.DataFrame({"reason": X[:, 0], "ward": wards})
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["ward"]), remainder=StandardScaler()
    )
    classifier = LogisticRegression()
    if routing:
        classifier.set_fit_request(sample_weight=True)
        encode.set_params(remainder=StandardScaler().set_fit_request(sample_weight=False))
    clf = SwapAugmentedClassifier(make_pipeline(encode, classifier), random_state=0)
    mask = frames.DataFrame({"ward": [True], "reason": [False]})
    clf.fit(X, y, mask=mask)
    assert list(clf.feature_names_in_) == ["reason", "ward"]
    assert accuracy_after_swap(clf, X, y, mask, random_state=0) > 0.65
    plain = clone(clf.estimator).fit(X, y)
    assert accuracy_after_swap(plain, X, y, mask, random_state=0) < 0.65


def test_lists_of_tokens_go_through_a_vectorizer():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = [
        [f"decoy{label}", *rng.choice(["good" if label else "bad", "so", "so"], 5 + row % 3)]
        for row, label in enumerate(y)
    ]
    mask = [[token.startswith("decoy") for token in tokens] for tokens in X]
    model = make_pipeline(CountVectorizer(analyzer=list), LogisticRegression())
    lie = [[f"decoy{1 - label}", *tokens[1:]] for label, tokens in zip(y, X, strict=True)]
    assert model.fit(X, y).score(lie, y) < 0.7
    clf = SwapAugmentedClassifier(model, random_state=0).fit(X, y, mask=mask)
    assert clf.score(lie, y) > 0.9
    assert accuracy_after_swap(clf, X, y, mask, random_state=0) > 0.9


# -- an estimator as all others --------------------------------------------------------------------


def test_searches_and_cross_validation_hand_masks_on(routing):
    X, y = make_leak()
    mask = np.repeat(MASK, 300, axis=0)
    clf = SwapAugmentedClassifier(LogisticRegression(), random_state=0)
    search = GridSearchCV(clf, {"estimator__C": [0.1, 1.0], "n_copies": [1, 3]}, cv=3)
    search.fit(X, y, mask=mask)
    assert search.best_estimator_.n_samples_fitted_ == 300 * search.best_params_["n_copies"]
    given = {"params": {"mask": mask}}
    assert (cross_validate(clf, X, y, cv=3, **given)["test_score"] > 0.6).all()


def test_inside_a_pipeline(routing):
    X, y = make_leak()
    clf = SwapAugmentedClassifier(LogisticRegression(), random_state=0)
    model = make_pipeline(StandardScaler(), clf)
    if routing:
        model.fit(X, y, mask=MASK)
    else:
        model.fit(X, y, swapaugmentedclassifier__mask=MASK)
    expected = clone(clf).fit(StandardScaler().fit_transform(X), y, mask=MASK)
    np.testing.assert_array_equal(model.predict(X), expected.predict(model[0].transform(X)))


def test_weights_reach_the_estimator_inside(routing):
    X, y = make_leak()
    weight = np.arange(300) % 2 + 1.0
    clf = SwapAugmentedClassifier(Recording(), random_state=0)
    if routing:
        clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    search = GridSearchCV(clf, {"n_copies": [2]}, cv=3)
    search.fit(X, y, mask=np.repeat(MASK, 300, axis=0), sample_weight=weight)
    _, _, given = search.best_estimator_.estimator_.given_
    np.testing.assert_allclose(given, np.tile(weight, 2) / 2)


def test_a_pipeline_that_requests_no_weights_sees_samples_repeated():
    X, y = make_leak()
    with sklearn.config_context(enable_metadata_routing=True):
        clf = SwapAugmentedClassifier(make_pipeline(Recording()), random_state=0)
        clf.fit(X, y, mask=MASK)
        assert clf.estimator_[-1].given_[2] is None
        with pytest.raises(TypeError, match="does not request them"):
            clf.fit(X, y, mask=MASK, sample_weight=np.ones(300))


def test_clones_and_pickles():
    X, y = make_leak()
    clf = SwapAugmentedClassifier(LogisticRegression(C=0.5), random_state=0).fit(X, y, mask=MASK)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    copy = clone(clf)
    assert copy.get_params()["estimator__C"] == 0.5
    with pytest.raises(NotFittedError):
        copy.predict(X)
    np.testing.assert_array_equal(copy.fit(X, y, mask=MASK).predict_proba(X), clf.predict_proba(X))
    other = clone(clf).set_params(random_state=1).fit(X, y, mask=MASK)
    assert (other.predict_proba(X) != clf.predict_proba(X)).any()


def test_it_can_do_what_the_estimator_can():
    X, y = make_leak()
    svm = SwapAugmentedClassifier(LinearSVC(), random_state=0)
    assert not hasattr(svm, "predict_proba")
    svm.fit(X, y, mask=MASK)
    np.testing.assert_array_equal(svm.decision_function(X), svm.estimator_.decision_function(X))
    forest = SwapAugmentedClassifier(RandomForestClassifier(5), random_state=0)
    assert not hasattr(forest, "decision_function")
    assert not hasattr(SwapAugmentedRegressor(Ridge()).fit(X, y, mask=MASK), "classes_")


def test_marks_of_reasons_and_unknown_marks():
    X, y = make_leak()
    clf = SwapAugmentedClassifier(LogisticRegression(), random_state=0)
    inverse = clone(clf).set_params(mask_marks="relevant").fit(X, y, mask=~MASK)
    np.testing.assert_array_equal(
        inverse.predict_proba(X), clf.fit(X, y, mask=MASK).predict_proba(X)
    )
    unknown = np.repeat(MASK.astype(float), 300, axis=0)
    unknown[::2, 0] = np.nan  # may be a reason: it stays
    np.testing.assert_array_equal(
        clone(clf).set_params(exchange=False).fit(X, y, mask=unknown).predict_proba(X),
        clf.predict_proba(X),
    )


def test_masks_that_leave_a_shortcut_are_warned_of():
    X, y = make_leak()
    clf = SwapAugmentedClassifier(LogisticRegression(), exchange=False, random_state=0)
    of_one_class = np.where(y[:, None] == 1, MASK, False)
    with pytest.warns(RemainingShortcutWarning, match="presence of a part gives the class away"):
        clf.fit(X, y, mask=of_one_class)
    without = [MASK[0] if label else None for label in y]
    with pytest.warns(RemainingShortcutWarning, match="samples of class 0 has a mask"):
        clf.fit(X, y, mask=without)


def test_errors_and_a_fit_that_fails_keeps_what_was_learnt():
    X, y = make_leak()
    clf = SwapAugmentedClassifier(LogisticRegression(), random_state=0).fit(X, y, mask=MASK)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="mask must have shape"):
        clf.fit(X, y, mask=np.ones((2, 3)))
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    with pytest.raises(TypeError, match="estimator must be a classifier .* got Ridge"):
        SwapAugmentedClassifier(Ridge()).fit(X, y, mask=MASK)
    with pytest.raises(ValueError, match="'n_copies' parameter"):
        SwapAugmentedClassifier(LogisticRegression(), n_copies=0).fit(X, y, mask=MASK)
