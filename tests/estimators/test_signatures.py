"""Every parameter of every estimator is in its signature and, in the same order, in its text."""

import copy
import inspect
import io
import pickle
import re

import numpy as np
import pytest
import torch
from _estimators import META_ESTIMATORS, PUBLIC, make_problem, quick, weights

import skexplain
from skexplain.estimators._parameters import _parameters_of

TRAINED = [cls for cls in PUBLIC if cls not in META_ESTIMATORS]


def documented(cls):
    """Names of the parameters of which a docstring tells, and their types and defaults."""
    doc = inspect.getdoc(cls)
    text = re.split(r"\n\n[^\n]+\n--", doc.split("Parameters\n----------\n")[1])[0]
    return dict(re.findall(r"^(\S+)(?: : (.*))?$", text, re.MULTILINE))


@pytest.mark.parametrize("cls", TRAINED, ids=lambda cls: cls.__name__)
def test_parameters_are_documented_in_the_order_of_the_signature(cls):
    parameters = inspect.signature(cls).parameters
    told = documented(cls)
    assert list(told) == [*parameters, "**prefixed"]
    for name, parameter in parameters.items():
        assert re.search(rf"^{name} : .*\n    \S", inspect.getdoc(cls), re.MULTILINE)
        default = told[name].split("default=")[1]
        if not isinstance(parameter.default, type):
            shown = parameter.default
            assert default == (f'"{shown}"' if isinstance(shown, str) else repr(shown))


@pytest.mark.parametrize("cls", TRAINED, ids=lambda cls: cls.__name__)
def test_an_estimator_is_few_classes(cls):
    """At most: itself, what a family or a reduction shares, the base of its task, the base."""
    own = [base for base in cls.__mro__ if base.__module__.startswith("skexplain")]
    assert len(own) <= 4


def test_texts_of_penalties_are_taken_over():
    (penalty,) = skexplain.PGDExClassifier._penalties
    texts = _parameters_of(penalty)
    doc = inspect.getdoc(skexplain.PGDExClassifier)
    assert set(texts) == set(penalty().get_params())
    for text in texts.values():
        assert text.splitlines()[1] in doc


@pytest.mark.parametrize("cls", TRAINED, ids=lambda cls: cls.__name__)
def test_a_method_is_a_value(cls):
    estimator = quick(cls) if cls.__name__ == "ExplanationClassifier" else cls()
    method = estimator._method()
    with pytest.raises(AttributeError):
        method.terms = ()
    for term in method.active_terms:
        hosts = {other.at for other in method.terms if other.alpha != 0}
        assert term.alpha != 0 or term.name in hosts
    if hasattr(estimator, "grad_alpha"):
        switched_off = estimator.set_params(alpha=0, grad_alpha=0)._method()
        assert switched_off.active_terms == ()
        moved = estimator.set_params(grad_alpha=1.0)._method().active_terms
        assert [term.name for term in moved if term.name == "input_gradient"]
        assert {term.at for term in moved} - {"clean"} <= {term.name for term in moved}


# -- pickles --------------------------------------------------------------------------------------


def on_another_device(estimator):
    """Pickle an estimator whose trainer was on an accelerator that is not there."""
    away = copy.deepcopy(estimator)
    away.trainer_.device = torch.device("cuda")
    return pickle.load(io.BytesIO(pickle.dumps(away)))


@pytest.mark.skipif(torch.cuda.is_available(), reason="an accelerator is there")
@pytest.mark.parametrize(
    "cls", [skexplain.TwoStageExplanationClassifier, skexplain.GroupDROClassifier]
)
def test_a_model_of_an_accelerator_loads_where_there_is_none(cls):
    X, y, mask = make_problem()
    estimator = quick(cls, random_state=0).fit(X, y, mask=mask)
    loaded = on_another_device(estimator)
    assert loaded.trainer_.device.type == "cpu"
    assert loaded.module_ is loaded.trainer_.module_
    assert loaded.history_ is loaded.trainer_.history
    np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
    for one in (loaded, estimator):  # the optimizers have the network's parameters
        one.partial_fit(X, y, mask=mask)
    assert torch.equal(weights(loaded), weights(estimator))
