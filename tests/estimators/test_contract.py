"""Check what every estimator promises beyond scikit-learn's checks: copies, seeds, weights of
samples, going on, and fits that fail.
"""

import copy
import functools
import pickle

import joblib
import numpy as np
import pytest
import torch
from _estimators import ESTIMATORS, LEARNERS, Perceptron, make_problem, quick, weights
from _pairs import in_pairs
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

import skexplain
from skexplain.exceptions import MissingExplanationWarning


@pytest.fixture(params=ESTIMATORS, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


@pytest.fixture(scope="module")
def problem():
    """Rows, labels, and masks for two thirds of the rows."""
    X, y, mask = make_problem()
    mask[::3] = np.nan
    X.setflags(write=False)  # no fit writes into what it is given
    return X, y, mask


def modular(cls, **params):
    """An estimator over a module with parameters, dropout and batch norm."""
    prefixed = {"module__width": 6, "module__dropout": 0.2, "optimizer__weight_decay": 1e-3}
    shared = {"module": Perceptron, "random_state": 0, "max_epochs": 3, "batch_size": 32}
    return quick(cls, **{**shared, **prefixed, **params})


@pytest.fixture(scope="module")
def fitted_of(problem):
    """Fit such an estimator of each class once, for what only reads it."""
    X, y, mask = problem
    return functools.cache(lambda cls: modular(cls).fit(X, y, mask=mask))


@pytest.fixture
def fitted(fitted_of, cls):
    return fitted_of(cls)


def shown(estimator):
    """Parameters as text: penalties are copied with them, and do not compare."""
    return str(estimator.get_params())


def assert_same_weights(first, second):
    assert torch.equal(weights(first), weights(second))


# -- parameters -----------------------------------------------------------------------------------


def test_clone_and_parameters_with_prefixes(cls, problem, fitted):
    X, y, mask = problem
    twin = clone(fitted)
    assert not hasattr(twin, "trainer_")
    assert shown(twin) == shown(fitted)
    assert twin.get_params()["module__width"] == 6
    assert_same_weights(twin.fit(X, y, mask=mask), fitted)

    twin.set_params(module__width=11, optimizer__weight_decay=0.25, lr=0.5)
    assert shown(clone(twin)) == shown(twin) != shown(fitted)
    twin.fit(X, y, mask=mask)
    assert twin.module_.get_submodule("module" if hasattr(twin.module_, "module") else "")
    assert 11 in {tensor.shape[0] for tensor in twin.module_.parameters()}
    assert twin.trainer_.optimizer_.param_groups[0]["weight_decay"] == 0.25
    assert twin.trainer_.optimizer_.param_groups[0]["lr"] == 0.5
    assert "module__width=11" in repr(twin)


def test_a_parameter_set_before_is_gone_from_no_other(cls):
    estimator = quick(cls, module__width=3)
    assert "module__width" not in quick(cls).get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'widht'"):
        estimator.set_params(widht=3)


# With one step and with two: that every estimator can be stored is tested below.
@pytest.mark.parametrize("cls", [ESTIMATORS[0], skexplain.TwoStageExplanationClassifier])
def test_grid_search_in_two_processes(cls, problem):
    X, y, mask = problem
    grid = {"module__width": [3, 5], "lr": [1e-3, 1e-2]}
    if cls in LEARNERS:
        grid["alpha"] = [0.0, 1.0]
    estimator = modular(cls, max_epochs=1)
    search = GridSearchCV(estimator, grid, cv=2, n_jobs=2, error_score="raise")
    search.fit(X, y, mask=mask)
    best = clone(estimator).set_params(**search.best_params_).fit(X, y, mask=mask)
    assert_same_weights(search.best_estimator_, best)
    assert len(search.cv_results_["params"]) == 2 ** len(grid)


def test_module_instance_is_copied(cls, problem):
    X, y, mask = problem
    module = Perceptron()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    names = [name for name, _ in module.named_modules()]
    quick(cls, module=module, max_epochs=1).fit(X, y, mask=mask)
    assert [name for name, _ in module.named_modules()] == names
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)


def test_module_may_be_a_function(cls, problem):
    X, y, mask = problem

    def build(width=4):
        return nn.Sequential(Perceptron(n_outputs=width), nn.Tanh(), nn.Linear(width, 2))

    estimator = quick(cls, module=build, module__width=7, max_epochs=1).fit(X, y, mask=mask)
    assert 7 in {tensor.shape[0] for tensor in estimator.module_.parameters()}


# -- copies of a fitted estimator -----------------------------------------------------------------


def by_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


@pytest.mark.parametrize(
    ("cls", "module", "save"), in_pairs(ESTIMATORS, ["auto", Perceptron], [by_pickle, by_joblib])
)
def test_a_saved_estimator_predicts_and_goes_on_alike(cls, save, module, problem, tmp_path):
    X, y, mask = problem
    prefixed = {} if module == "auto" else {"module__dropout": 0.5}
    estimator = quick(cls, module=module, random_state=3, **prefixed)
    for _ in range(2):
        estimator.partial_fit(X, y, classes=[0, 1], mask=mask)
    twin = save(estimator, tmp_path)
    assert shown(twin) == shown(estimator)
    np.testing.assert_array_equal(twin.predict_proba(X), estimator.predict_proba(X))
    for one in (twin, estimator):  # with the optimizer's state and the random streams
        one.partial_fit(X, y, mask=mask)
    assert_same_weights(twin, estimator)
    assert twin.n_iter_ == 3


# -- chance ---------------------------------------------------------------------------------------


def test_seeds(cls, problem, fitted):
    X, y, mask = problem
    assert_same_weights(fitted, modular(cls).fit(X, y, mask=mask))
    for other in (1, None):
        different = modular(cls, random_state=other).fit(X, y, mask=mask)
        assert not torch.equal(weights(fitted), weights(different))
    two = [
        modular(cls, random_state=np.random.RandomState(7)).fit(X, y, mask=mask) for _ in range(2)
    ]
    assert_same_weights(*two)
    assert not torch.equal(weights(fitted), weights(two[0]))


def drawing(**params):
    """A user's module may draw from the global states."""
    np.random.random_sample(3)  # noqa: NPY002
    torch.rand(3)
    return Perceptron(**params)


def test_global_random_states_stay(cls, problem, fitted):
    X, y, mask = problem

    def draws():
        return np.random.random_sample(), torch.rand(1).item()  # noqa: NPY002

    def seed():
        np.random.seed(5)  # noqa: NPY002
        torch.manual_seed(5)

    seed()
    expected = draws()
    seed()
    params = {"module": drawing, "early_stopping": True, "validation_fraction": 0.3}
    estimator = modular(cls, **params).fit(X, y, mask=mask)
    estimator.partial_fit(X, y, mask=mask)
    estimator.predict_proba(X)
    assert draws() == expected
    # Nor do they matter.
    assert_same_weights(modular(cls).fit(X, y, mask=mask), fitted)


def test_unit_weights_are_no_weights(cls, problem, fitted):
    X, y, mask = problem
    for value in (1, 2.5):
        weighted = modular(cls).fit(X, y, mask=mask, sample_weight=np.full(len(X), value))
        assert_same_weights(fitted, weighted)
    uneven = modular(cls).fit(X, y, mask=mask, sample_weight=1.0 + np.arange(len(X)))
    assert not torch.equal(weights(fitted), weights(uneven))


def test_rows_of_weight_zero_take_part_in_nothing(cls, problem):
    X, y, mask = problem
    kept = np.arange(len(X)) % 5 > 0
    X = np.where(kept[:, None], X, 1e4 * X)  # units and range would show it
    params = {"random_state": 0, "batch_size": -1}
    if "random_start" in quick(cls).get_params():
        params["random_start"] = False
    weighted = quick(cls, **params).fit(X, y, mask=mask, sample_weight=kept)
    fewer = quick(cls, **params).fit(X[kept], y[kept], mask=mask[kept])
    np.testing.assert_allclose(weights(weighted), weights(fewer), atol=1e-4)
    other = quick(cls, **params).fit(X, y, mask=mask)
    assert not np.allclose(weights(weighted), weights(other), atol=1e-4)


# -- going on -------------------------------------------------------------------------------------


def test_epochs_one_by_one(cls, problem, fitted):
    X, y, mask = problem
    step_by_step = modular(cls)
    for _ in range(3):
        step_by_step.partial_fit(X, y, classes=[0, 1], mask=mask)
    assert_same_weights(fitted, step_by_step)
    assert fitted.n_iter_ == step_by_step.n_iter_ == 3
    losses = [one.history_[:, "train_loss"] for one in (fitted, step_by_step)]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 3

    warm = modular(cls, max_epochs=1, warm_start=True).fit(X, y, mask=mask)
    warm.set_params(max_epochs=2).fit(X, y, mask=mask)
    assert_same_weights(fitted, warm)
    assert warm.n_iter_ == 3

    cold = copy.deepcopy(fitted).fit(X, y, mask=mask)
    assert_same_weights(fitted, cold)
    assert cold.n_iter_ == 3


def test_parameters_may_change_between_warm_starts(cls, problem):
    X, y, mask = problem
    estimator = quick(cls, warm_start=True, max_epochs=1, random_state=0).fit(X, y, mask=mask)
    before = weights(estimator)
    estimator.set_params(lr=1e-30)
    if "mapping_lr" in estimator.get_params():
        estimator.set_params(mapping_lr=1e-30)
    estimator.fit(X, y, mask=mask)
    assert torch.equal(weights(estimator), before)
    estimator.set_params(lr=1e-2, optimizer__weight_decay=1e6, max_epochs=3).fit(X, y, mask=mask)
    assert weights(estimator).square().sum() < before.square().sum()
    before = weights(estimator)
    for wrong, error in (({"weight_decya": 1}, TypeError), ({"weight_decay": -1}, ValueError)):
        changed = copy.deepcopy(estimator).set_params(
            **{f"optimizer__{name}": value for name, value in wrong.items()}
        )
        with pytest.raises(error, match=next(iter(wrong))):
            changed.fit(X, y, mask=mask)
        assert torch.equal(weights(changed), before)


def test_labels_of_any_type(cls, problem):
    X, y, mask = problem
    names, params = np.array(["wolf", "dog"])[y], {"max_epochs": 5, "random_state": 0}
    numbers = quick(cls, **params).fit(X, 1 - y, mask=mask)
    named = quick(cls, **params).fit(X, names, mask=mask)
    assert list(named.classes_) == ["dog", "wolf"]
    np.testing.assert_array_equal(named.predict_proba(X), numbers.predict_proba(X))
    np.testing.assert_array_equal(named.predict(X) == "wolf", numbers.predict(X) == 1)
    assert 0.5 < named.score(X, names) == numbers.score(X, 1 - y)


def test_new_classes_after_the_first_call_are_refused(cls, problem):
    X, y, mask = problem
    estimator = quick(cls).partial_fit(X, y, classes=[0, 1, 2], mask=mask)
    assert estimator.predict_proba(X).shape == (len(X), 3)
    estimator.partial_fit(X[:3], np.full(3, 2), mask=mask[:3])
    with pytest.raises(ValueError, match=r"y must hold the classes \[0 1 2\], got \[7\]"):
        estimator.partial_fit(X[:3], [0, 1, 7], mask=mask[:3])
    with pytest.raises(ValueError, match=r"classes must be those of the first call"):
        estimator.partial_fit(X[:3], [0, 1, 1], classes=[0, 1], mask=mask[:3])
    with pytest.raises(ValueError, match="classes must be passed at the first call"):
        quick(cls).partial_fit(X, y, mask=mask)


# -- masks that are missing -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "problem_named"),
    [
        (None, "fitted without a mask"),
        (np.full((60, 4), np.nan), "annotate no sample"),
        ([None] * 60, "annotate no sample"),
    ],
)
def test_a_missing_mask_is_told(mask, problem_named):
    X, y, _ = make_problem()
    for cls in LEARNERS:
        with pytest.warns(MissingExplanationWarning, match=problem_named) as caught:
            quick(cls, max_epochs=1, batch_size=64).fit(X, y, mask=mask)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        quick(cls, max_epochs=1, alpha=0.0, **no_other_terms(cls)).fit(X, y, mask=mask)
    skexplain.ERMClassifier(max_epochs=1).fit(X, y, mask=mask)


def no_other_terms(cls):
    return {"grad_alpha": 0.0} if "grad_alpha" in quick(cls).get_params() else {}


# -- a fit that fails -----------------------------------------------------------------------------


# How scikit-learn begins its messages about the lengths of X and y, and about weights.
TOLD = [
    "inconsistent numbers of samples",
    "X has 9 features",
    "Sample weights",
    "Unknown label type",
]


BAD = [
    {"mask": np.ones((7, 4))},
    {"mask": np.full((1, 4), 3.0)},
    {"y": np.linspace(0, 1, 60)},
    {"y": np.zeros(59, dtype=int)},
    {"X": np.full((60, 9), np.nan)},
    {"X": np.zeros((60, 9)), "mask": np.ones((60, 4))},
    {"sample_weight": np.zeros(60)},
]


@pytest.mark.parametrize(
    ("cls", "method", "bad"), in_pairs(ESTIMATORS, ["fit", "partial_fit"], BAD)
)
def test_a_failing_fit_leaves_the_last_one_alone(cls, bad, method, problem, fitted):
    X, y, mask = problem
    estimator = copy.deepcopy(fitted)
    state, learnt, proba = set(vars(estimator)), weights(estimator), estimator.predict_proba(X)
    with pytest.raises(ValueError, match="|".join([*bad, *TOLD])):
        getattr(estimator, method)(**{"X": X, "y": y, "mask": mask, **bad})
    assert set(vars(estimator)) == state
    assert torch.equal(weights(estimator), learnt)
    np.testing.assert_array_equal(estimator.predict_proba(X), proba)
    assert estimator.n_features_in_ == 4
    estimator.partial_fit(X, y, mask=mask)
    assert estimator.n_iter_ == estimator.max_epochs + 1


def test_a_module_that_fails_leaves_the_last_fit_alone(cls, problem, fitted):
    X, y, mask = problem
    estimator = copy.deepcopy(fitted)
    proba = estimator.predict_proba(X)
    estimator.set_params(module__n_outputs=5)
    with pytest.raises(ValueError, match="module must return outputs"):
        estimator.fit(X, y, mask=mask)
    np.testing.assert_array_equal(estimator.predict_proba(X), proba)
    assert estimator.get_params()["module__n_outputs"] == 5
