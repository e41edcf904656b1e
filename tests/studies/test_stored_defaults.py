"""Stored results keep their meaning when a default of the package changes."""

import inspect

import pytest

from skexplain import GradRegClassifier, SwapExClassifier, estimators
from skexplain.studies import ESTIMATORS, Cell, Study, run_study
from skexplain.studies import _trial as module
from skexplain.studies._stored_defaults import default_parameters, stored_defaults
from skexplain.studies._trial import make_estimator


class Changed(SwapExClassifier):
    """A swap whose defaults are no longer those of the stored results."""

    def __init__(self, module="auto", *, alpha=7.0, max_epochs=3, **common):
        super().__init__(module, alpha=alpha, max_epochs=max_epochs, **common)


@pytest.fixture
def changed(monkeypatch):
    monkeypatch.setitem(module._ESTIMATORS, "SwapExClassifier", Changed)
    return {"estimator": "SwapExClassifier"}


def test_a_description_has_the_defaults_of_the_package(changed):
    for method in (changed, {**changed, "defaults": "package"}):
        estimator = make_estimator(method, 0)
        assert (estimator.alpha, estimator.max_epochs) == (7.0, 3)


def test_a_stored_description_has_the_defaults_of_its_time(changed):
    estimator = make_estimator({**changed, "defaults": "stored"}, 0)
    assert (estimator.alpha, estimator.max_epochs, estimator.lr) == (1.0, 100, 1e-3)


def test_what_a_description_states_comes_first(changed):
    method = {**changed, "defaults": "stored", "params": {"alpha": 3.0}}
    estimator = make_estimator(method, 0)
    assert (estimator.alpha, estimator.max_epochs) == (3.0, 100)


def test_unknown_defaults(changed):
    with pytest.raises(ValueError, match=r"defaults must be one of .*, got 'old'"):
        make_estimator({**changed, "defaults": "old"}, 0)


@pytest.mark.parametrize("name", sorted(estimators.__all__))
def test_stored_defaults_are_parameters(name):
    known = inspect.signature(getattr(estimators, name)).parameters
    if "max_epochs" in known:  # the others are built by no description
        assert set(stored_defaults(name)) <= set(known)


def test_the_published_penalty_is_stored():
    """Ross et al. 2017: the squared gradient of the sum of log probabilities, weight 1."""
    stored = default_parameters({"estimator": "GradRegClassifier", "defaults": "stored"})
    assert (stored["alpha"], stored["output"], stored["norm"]) == (1.0, "log_prob_sum", "l2")
    grad_reg = make_estimator(ESTIMATORS["grad-reg"], 0)
    assert isinstance(grad_reg, GradRegClassifier)
    assert {name: grad_reg.get_params()[name] for name in stored} == stored


class Probe(Study):
    """Notes the settings with which it is run."""

    name = "probe"
    title = "A probe"

    def cells(self, scale):
        return [Cell({"seed": 0}, {"estimator": "SwapExClassifier"})]

    def run(self, factors, settings):
        return [{"alpha": make_estimator(settings, 0).alpha}]


@pytest.mark.parametrize(("defaults", "alpha"), [("package", 7.0), ("stored", 1.0)])
def test_a_study_says_which_defaults_hold(changed, defaults, alpha, tmp_path):
    study = Probe()
    study.defaults = defaults
    (cell,) = study.cells("quick")
    key = cell.key(study.name)
    results = run_study(study, folder=tmp_path, n_jobs=1)
    assert [row["alpha"] for row in results.rows] == [alpha]
    assert cell.key(study.name) == key  # the key does not tell


def test_the_command_compares_what_is_stored():
    chosen = {"ibp-ex+grad-reg": 0.25, "grad-reg-certified": 0.01}
    for name, method in ESTIMATORS.items():
        estimator = make_estimator({**method, "params": {**method["params"], "max_epochs": 2}}, 0)
        params = estimator.get_params()
        stored = {**stored_defaults(type(estimator).__name__), "max_epochs": 2}
        stored |= {"alpha": chosen[name]} if name in chosen else {}
        assert {key: params[key] for key in stored} == stored
