"""A model file brings back every estimator to the bit, holds no data, and says what it lacks."""

import json

import numpy as np
import pytest
import torch
from _estimators import ESTIMATORS, REGRESSORS, make_problem, quick
from safetensors import safe_open
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skexplain
from skexplain import (
    AvgExClassifier,
    ExplanationClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    MaskPropagator,
    SwapExClassifier,
    SwapExRegressor,
    TwoStageExplanationClassifier,
    WithPropagatedMasks,
    load,
    save,
)
from skexplain.exceptions import ModelFileError
from skexplain.penalties import InputGradientPenalty

pytestmark = pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")


class Small(nn.Module):
    """A network of a user's own."""

    def __init__(self, width=4):
        super().__init__()
        self.layers = nn.Sequential(nn.LazyLinear(width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def problem():
    X, y, mask = make_problem()
    mask[::3] = np.nan
    return X, np.where(y == 1, "melanoma", "nævus"), mask


def outputs(estimator, X):
    return estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)


def public(estimator):
    """The class that users have, of a test subclass."""
    return next(cls for cls in estimator.__mro__ if getattr(skexplain, cls.__name__, None) is cls)


@pytest.mark.parametrize("cls", [*ESTIMATORS, *REGRESSORS], ids=lambda cls: cls.__name__)
def test_comes_back_to_the_bit_and_trains_on(cls, problem, path):
    X, y, mask = problem
    if cls in REGRESSORS:
        y = X[:, 0]
    if public(cls) is skexplain.GradCAMRegClassifier:  # it reads maps
        X, mask = X.reshape(len(X), 1, 1, -1), mask.reshape(len(X), 1, 1, -1)
        X, mask = (values.repeat(6, axis=2) for values in (X, mask))
    params = quick(cls, max_epochs=2, random_state=0).get_params(deep=False)
    estimator = public(cls)(**params)
    estimator.fit(X, y, mask=mask)
    save(estimator, path)
    again = load(path)
    np.testing.assert_array_equal(outputs(again, X), outputs(estimator, X))
    assert again.predict(X).dtype == estimator.predict(X).dtype
    assert list(again.history_) == list(estimator.history_)
    assert again.alpha_ == estimator.alpha_
    assert repr(again) == repr(estimator)
    for model in (again, estimator):
        model.partial_fit(X, y, mask=mask)
    np.testing.assert_array_equal(outputs(again, X), outputs(estimator, X))
    for model in (again, estimator):
        model.set_params(warm_start=True, max_epochs=1).fit(X, y, mask=mask)
    np.testing.assert_array_equal(outputs(again, X), outputs(estimator, X))


@pytest.mark.parametrize(
    "params", [{"lr": 0.5}, {"alpha": "auto"}, {"optimizer__betas": (0.5, 0.9)}]
)
def test_parameters_set_before_a_file_is_written_count_after_it(params, problem, path):
    X, y, mask = problem
    clf = GradRegClassifier(max_epochs=2, alpha=1.0, random_state=0).fit(X, y, mask=mask)
    unchanged = clone(clf).fit(X, y, mask=mask).partial_fit(X, y, mask=mask)
    save(clf.set_params(**params), path)
    again = load(path)
    for model in (again, clf):
        model.partial_fit(X, y, mask=mask)
    np.testing.assert_array_equal(outputs(again, X), outputs(clf, X))
    assert again.alpha_ == clf.alpha_
    assert not np.array_equal(outputs(clf, X), outputs(unchanged, X))


class Hooked(torch.optim.SGD):
    """An optimizer with a parameter that a file cannot hold."""

    def __init__(self, params, lr, hook):
        super().__init__(params, lr=lr)


def test_settings_of_an_optimizer_that_a_file_cannot_hold_are_handed_in(problem, path):
    X, y, _ = problem
    clf = skexplain.ERMClassifier(
        optimizer=Hooked, optimizer__hook=len, max_epochs=2, random_state=0
    )
    save(clf.fit(X, y), path)
    again = load(path, optimizer=Hooked, optimizer__hook=len)
    for model in (again, clf):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(outputs(again, X), outputs(clf, X))


def test_group_weights_go_on(problem, path):
    X, y, _ = problem
    groups = np.arange(len(X)) % 3
    clf = GroupDROClassifier(max_epochs=2, random_state=0).fit(X, y, group_labels=groups)
    save(clf, path)
    again = load(path)
    for model in (again, clf):
        model.partial_fit(X, y, group_labels=groups)
    np.testing.assert_array_equal(again.group_weights_, clf.group_weights_)


@pytest.mark.parametrize("with_masks", [False, True])
def test_find_another_keeps_its_masks_where_asked_for(with_masks, problem, path):
    X, y, _ = problem
    base = GradRegClassifier(norm="l2", alpha=1.0, max_epochs=3)
    clf = FindAnotherExplanationClassifier(base, n_explanations=2, random_state=0).fit(X, y)
    save(clf, path, with_masks=with_masks)
    again = load(path)
    assert len(again.estimators_) == len(clf.estimators_)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(again.select(0).predict(X), clf.select(0).predict(X))
    if with_masks:
        again.fit_next(X, y)
        clf.fit_next(X, y)
        np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    else:
        with pytest.raises(ValueError, match="mask must be given: the file"):
            again.fit_next(X, y)
        again.fit_next(X, y, mask=np.eye(1, X.shape[1], dtype=bool))
        assert again.explanations_[-1].shape == X.shape


def test_propagated_masks(path):
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=(40, 8, 8)), np.zeros((40, 8, 8), dtype=bool)
    mask[:, 2:5, 2:5] = True
    few = [mask[i] if i < 15 else None for i in range(40)]
    clf = WithPropagatedMasks(
        SwapExClassifier(max_epochs=2, random_state=0), MaskPropagator(n_steps=30), min_iou=0
    )
    clf.fit(X, np.arange(40) % 2, mask=few)
    save(clf, path)
    again = load(path)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    filled = [model.propagator_.fill(X) for model in (again, clf)]
    np.testing.assert_array_equal(*filled)
    assert again.propagator_.iou_ == clf.propagator_.iou_
    save(clf.propagator_, path)
    np.testing.assert_array_equal(load(path).fill(X), filled[0])


def test_propagated_masks_of_tables(problem, path):
    X, _, mask = problem
    propagator = MaskPropagator().fit(X, mask)
    save(propagator, path)
    np.testing.assert_array_equal(load(path).fill(X), propagator.fill(X))


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [False, True], [-3.0, 2.0], ["a", "bcd"], np.array(["a", "bc"], dtype=object)],
    ids=str,
)
def test_class_labels_keep_their_dtype(labels, problem, path):
    X, y, mask = problem
    y = np.asarray(labels)[(y == "melanoma").astype(int)]
    clf = SwapExClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    save(clf, path)
    predicted = load(path).predict(X)
    np.testing.assert_array_equal(predicted, clf.predict(X))
    assert predicted.dtype == clf.predict(X).dtype


def test_column_names_come_back(problem, path):
    pd = pytest.importorskip("pandas")
    X, y, mask = problem
    frame = pd.DataFrame(X, columns=[f"größe {i}" for i in range(X.shape[1])])
    clf = SwapExClassifier(max_epochs=1, random_state=0).fit(frame, y, mask=mask)
    save(clf, path)
    again = load(path)
    assert list(again.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(again.predict_proba(frame), clf.predict_proba(frame))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[frame.columns[::-1]])


def test_penalties_by_name_come_back(problem, path):
    X, y, mask = problem
    clf = ExplanationClassifier(
        penalties=[("grad", InputGradientPenalty(norm="l1"))],
        alpha={"grad": 0.3},
        max_epochs=2,
        optimizer=torch.optim.AdamW,
        optimizer__betas=(0.8, 0.99),
        random_state=0,
    )
    clf.fit(X, y, mask=mask)
    save(clf, path)
    again = load(path)
    assert again.penalties[0][1].norm == "l1"
    assert again.optimizer is torch.optim.AdamW
    assert again.get_params()["optimizer__betas"] == (0.8, 0.99)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


# -- what is code ----------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [Small, Small(), lambda: Small()], ids=["class", "net", "call"])
def test_networks_of_ones_own_are_handed_in(module, problem, path):
    X, y, mask = problem
    clf = SwapExClassifier(module, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    save(clf, path)
    with pytest.raises(TypeError, match="load needs .'module'.*pass module="):
        load(path)
    again = load(path, module=module)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    for model in (again, clf):
        model.partial_fit(X, y, mask=mask)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_one_network_serves_all_estimators_inside(problem, path):
    X, y, mask = problem
    clf = WithPropagatedMasks(SwapExClassifier(Small, module__width=7, max_epochs=1))
    clf.fit(X, y, mask=mask)
    save(clf, path)
    again = load(path, module=Small)
    assert again.estimator.module is again.estimator_.module is Small
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_another_network_is_an_error(problem, path):
    X, y, mask = problem
    clf = SwapExClassifier(Small, max_epochs=1).fit(X, y, mask=mask)
    save(clf, path)
    with pytest.raises(ModelFileError, match="tensors differ, first"):
        load(path, module=lambda: nn.Sequential(nn.Linear(X.shape[1], 2)))
    with pytest.raises(ModelFileError, match="module, which has"):
        load(path, module=lambda: nn.Sequential(nn.Linear(X.shape[1], 999), nn.Linear(999, 2)))


def test_what_a_file_cannot_hold_is_asked_for(problem, path):
    from skorch.callbacks import EpochScoring

    X, y, mask = problem

    def move(rows, donors, generator):
        return rows.x

    callbacks = [("score", EpochScoring(lambda net, X, y: 0.0, name="zero", use_caching=False))]
    clf = AvgExClassifier(perturbation=move, callbacks=callbacks, max_epochs=1, random_state=0)
    clf.fit(X, y, mask=mask)
    save(clf, path)
    with pytest.raises(TypeError, match="'callbacks', 'perturbation'"):
        load(path)
    again = load(path, callbacks=None, perturbation=move)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    with pytest.raises(TypeError, match=r"got \['lr'\], which are in the file"):
        load(path, callbacks=None, perturbation=move, lr=1.0)


def test_a_pipeline_in_two_files(problem, path, tmp_path):
    """What docs/saving.md says: skops.io for the steps before, and nothing of ours to trust."""
    skops = pytest.importorskip("skops.io")
    X, y, mask = problem
    pipeline = make_pipeline(StandardScaler(), SwapExClassifier(max_epochs=1, random_state=0))
    pipeline.fit(X, y, swapexclassifier__mask=mask)
    steps = tmp_path / "steps.skops"
    skops.dump(pipeline[:-1], steps)
    save(pipeline[-1], path)
    assert skops.get_untrusted_types(file=steps) == []
    again = make_pipeline(*skops.load(steps), load(path))
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))


# -- errors ----------------------------------------------------------------------------------------


def test_only_fitted_estimators_of_this_package(problem, path):
    X, y, mask = problem
    with pytest.raises(TypeError, match=r"estimator must be one of .*LogisticRegression.*skops"):
        save(LogisticRegression(), path)
    with pytest.raises(TypeError, match=r"Pipeline"):
        save(make_pipeline(StandardScaler(), SwapExClassifier()), path)
    with pytest.raises(ValueError, match="not fitted"):
        save(SwapExClassifier(), path)
    pipeline = make_pipeline(StandardScaler(), SwapExClassifier(max_epochs=1))
    inner = WithPropagatedMasks(pipeline)
    inner.fit(X, y)
    with pytest.raises(TypeError, match=r"estimator.estimator is .*Pipeline"):
        save(inner, path)
    assert not path.exists()


def test_a_failed_save_keeps_the_old_file(problem, path, monkeypatch):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=1).fit(X, y, mask=mask)
    save(clf, path)
    before = path.read_bytes()
    clf.odd_ = object()
    with pytest.raises(TypeError, match=r"estimator.odd_ is an object"):
        save(clf, path)
    del clf.odd_

    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr("skexplain.persistence._container.save_file", full)
    with pytest.raises(OSError, match="No space"):
        save(clf, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    foreign = tmp_path / "foreign"
    for content in (b"", b"x", b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(100), bytes(1000)):
        foreign.write_bytes(content)
        with pytest.raises(ModelFileError, match="foreign is no complete safetensors file"):
            load(foreign)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, foreign)
    with pytest.raises(ModelFileError, match="no estimator of this package"):
        load(foreign)


def record_of(path):
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return json.loads(file.metadata()["skexplain"]), {n: file.get_tensor(n) for n in names}


def write(path, record, tensors):
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"skexplain": json.dumps(record)})


def test_versions_that_differ_are_said(problem, path):
    X, y, mask = problem
    clf = SwapExClassifier(max_epochs=1).fit(X, y, mask=mask)
    save(clf, path)
    record, tensors = record_of(path)
    record["versions"]["torch"] = "1.0.0+cpu"
    write(path, record, tensors)
    with pytest.warns(UserWarning, match=r"saved with torch '1.0.0\+cpu', this is"):
        load(path)
    write(path, {**record, "format": 2}, tensors)
    with pytest.raises(ModelFileError, match="format 2, written by skexplain .* reads format 1"):
        load(path)


# -- privacy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_no_sample_and_no_mask_is_in_a_file(dtype, path):
    rng = np.random.default_rng(0)
    X = (rng.random((50, 6, 6)) * 200).astype(dtype)
    mask = rng.random((50, 6, 6)) < 0.5
    base = GradRegClassifier(norm="l2", alpha=1.0, max_epochs=1)
    fitted = [
        SwapExClassifier(max_epochs=1),
        TwoStageExplanationClassifier(max_epochs=1),
        WithPropagatedMasks(SwapExClassifier(max_epochs=1), MaskPropagator(n_steps=5), min_iou=0),
        FindAnotherExplanationClassifier(base, n_explanations=2),
        SwapExRegressor(max_epochs=1),
    ]
    for estimator in fitted:
        few = list(mask[:20]) + [None] * 30
        estimator.fit(X, np.arange(50) % 2, mask=few)
        save(estimator, path)
        content = path.read_bytes()
        for x in X:
            for as_stored in (dtype, np.float32, np.float64):
                assert x.astype(as_stored).tobytes()[:48] not in content
        for m in mask:
            assert m.tobytes() not in content
            assert m.astype(np.float32).tobytes() not in content


class Versioned(Small):
    """A network that loads no weights of another version, as MNASNet of torchvision."""

    _version = 2

    def _load_from_state_dict(self, state, prefix, local_metadata, *args):
        assert local_metadata.get("version") == 2
        super()._load_from_state_dict(state, prefix, local_metadata, *args)


def test_layers_that_ask_for_their_version(path, problem):
    X, y, mask = problem
    clf = SwapExClassifier(Versioned, max_epochs=1, random_state=0).fit(X, y, mask=mask)
    save(clf, path)
    again = load(path, module=Versioned)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
