"""An ONNX file predicts what the estimator predicts, for any number of samples."""

import json
import sys

import numpy as np
import pytest
from _estimators import ESTIMATORS, REGRESSORS, make_problem, quick
from sklearn.linear_model import LogisticRegression
from torch import nn

import skexplain
from skexplain import (
    ERMClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
    WithPropagatedMasks,
)
from skexplain.persistence import export_onnx

pytestmark = pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture(scope="module")
def problem():
    return make_problem()


def run(path, X):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    inputs = {"X": np.asarray(X, dtype=np.float32)}
    return dict(zip(names, session.run(names, inputs), strict=True))


def public(estimator):
    return next(cls for cls in estimator.__mro__ if getattr(skexplain, cls.__name__, None) is cls)


# An export takes two seconds, and the graph depends on the network alone: a dense one, one with
# convolutions, one with a mapping layer and one for regression; the others are slow tests.
IN_DEFAULT = {"SwapExClassifier", "GradCAMOnTables", "TwoStageExplanationClassifier"}
IN_DEFAULT |= {"SwapExRegressor"}


@pytest.mark.parametrize(
    "cls",
    [
        pytest.param(cls, marks=[] if cls.__name__ in IN_DEFAULT else pytest.mark.slow)
        for cls in [*ESTIMATORS, *REGRESSORS]
    ],
    ids=lambda cls: cls.__name__,
)
def test_predicts_as_the_estimator(cls, problem, path):
    X, y, mask = problem
    if cls in REGRESSORS:
        y = X[:, 0]
    if public(cls) is skexplain.GradCAMRegClassifier:  # it reads maps
        X, mask = (v.reshape(len(v), 1, 1, -1).repeat(6, axis=2) for v in (X, mask))
    params = quick(cls, max_epochs=2, random_state=0).get_params(deep=False)
    estimator = public(cls)(**params).fit(X, y, mask=mask)
    export_onnx(estimator, path)
    for samples in (X, X[:1]):
        found = run(path, samples)
        if cls in REGRESSORS:
            # Measured: at most 5e-7.
            np.testing.assert_allclose(found["prediction"], estimator.predict(samples), atol=1e-5)
            continue
        expected = estimator.predict_proba(samples)
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)  # measured: 1e-7
        np.testing.assert_array_equal(found["label"], estimator.predict(samples))


# In the graph labels are text or numbers; those of numpy's other types are slow tests.
LABELS = [["nævus", "b"], [7, -2]]
OTHER_LABELS = [
    pytest.param(labels, marks=pytest.mark.slow) for labels in ([False, True], [0.5, 3.0])
]


@pytest.mark.parametrize("labels", [*LABELS, *OTHER_LABELS], ids=str)
def test_class_labels_are_in_the_graph(labels, problem, path):
    X, y, _ = problem
    y = np.asarray(labels)[(y == y[0]).astype(int)]
    if y.dtype.kind == "f":
        y = y * 2  # scikit-learn takes other floats for targets of a regression
    clf = ERMClassifier(max_epochs=2, random_state=0).fit(X, y)
    export_onnx(clf, path)
    np.testing.assert_array_equal(run(path, X)["label"], clf.predict(X))


def test_several_networks_are_one_graph(problem, path):
    X, y, _ = problem
    base = GradRegClassifier(norm="l2", alpha=1.0, max_epochs=3)
    clf = FindAnotherExplanationClassifier(base, n_explanations=2, random_state=0).fit(X, y)
    for chosen in (None, 1):
        export_onnx(clf.select(chosen), path)
        np.testing.assert_allclose(run(path, X)["probabilities"], clf.predict_proba(X), atol=1e-5)


def test_what_is_wrapped_is_exported(problem, path):
    X, y, mask = problem
    clf = WithPropagatedMasks(SwapExClassifier(max_epochs=2, random_state=0)).fit(X, y, mask=mask)
    export_onnx(clf, path)
    np.testing.assert_allclose(run(path, X)["probabilities"], clf.predict_proba(X), atol=1e-5)


def test_column_names_are_in_the_metadata(problem, path):
    onnx, pd = pytest.importorskip("onnx"), pytest.importorskip("pandas")
    X, y, _ = problem
    columns = [f"größe {i}" for i in range(X.shape[1])]
    export_onnx(ERMClassifier(max_epochs=1).fit(pd.DataFrame(X, columns=columns), y), path)
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(metadata["feature_names"]) == columns
    assert metadata["estimator"] == "ERMClassifier"


def test_a_network_of_ones_own(problem, path):
    X, y, _ = problem
    module = nn.Sequential(nn.Linear(X.shape[1], 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.ReLU())
    clf = ERMClassifier(nn.Sequential(module, nn.Linear(8, len(np.unique(y)))), max_epochs=2)
    clf.fit(X, y)
    export_onnx(clf, path)
    np.testing.assert_allclose(run(path, X)["probabilities"], clf.predict_proba(X), atol=1e-5)


def test_what_cannot_be_exported(problem, path, monkeypatch):
    X, y, mask = problem
    with pytest.raises(ValueError, match="not fitted"):
        export_onnx(SwapExClassifier(), path)
    for other in (LogisticRegression().fit(X, y), MaskPropagator().fit(X, mask)):
        with pytest.raises(TypeError, match=f"estimator must be .* got {type(other).__name__}"):
            export_onnx(other, path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install skexplain\[export\]"):
        export_onnx(ERMClassifier(max_epochs=1).fit(X, y), path)
    assert not path.exists()
