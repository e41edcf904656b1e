"""Where a network can be cut and corrected, and features that are computed once."""

import numpy as np
import pytest
import torch
from _corrections import MASK, Biased, D, make_data, outputs
from joblib import Memory
from torch import nn

from skexplain.correction import CorrectedClassifier, correct
from skexplain.correction._features import FeatureReader
from skexplain.correction._network import Network
from skexplain.correction._tail import find_sites, find_tail


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.act(self.conv(x) + x)


class Residual(nn.Module):
    """Blocks in a list, one activation for all, shapes that change without a layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.blocks = nn.ModuleList([Block(4), Block(4), Block(4)])
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = nn.functional.avg_pool2d(self.act(self.stem(x / 2)), 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.act(x).mean((2, 3)))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(20, 8)
        self.position = nn.Parameter(torch.randn(5, 8))
        layers = [nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2)]
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(8, 2)

    def forward(self, tokens):
        h = self.embed(tokens) + self.position
        for layer in self.layers:
            h = layer(h)
        return self.head(h.mean(1))


PICTURES = np.random.default_rng(0).normal(size=(12, 1, 8, 8)).astype(np.float32)
TOKENS = np.random.default_rng(0).integers(20, size=(12, 5))


@pytest.mark.parametrize(
    ("network", "X", "layers"),
    [
        (Residual(), PICTURES, ["blocks.2", "blocks.1", "blocks.0"]),
        (Tokens(), TOKENS, ["layers.1", "layers.0", "embed"]),
        (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), PICTURES[:, 0, 0, :4], ["0"]),
    ],
)
def test_the_tail_of_a_layer_computes_what_the_network_does(network, X, layers):
    network.eval()
    runs = Network(network, 5)
    sites = find_sites(runs, X, "auto", None)
    assert [site.layer for site in sites[1:]] == layers
    assert sites[0].is_head
    with torch.no_grad():
        expected = network(torch.from_numpy(X)).numpy()
        for site in sites:
            tail = find_tail(runs, site, X)
            features = torch.cat([h for (h,) in runs.read([X], [site])])
            found = tail(features).numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(tail(features[3:5]).numpy(), expected[3:5], atol=1e-5)


@pytest.mark.parametrize("layer", ["blocks.1.conv", "act", "stem"])
def test_a_network_is_not_cut_where_something_else_passes(layer):
    """Around a convolution within a block its input passes, too."""
    runs = Network(Residual().eval(), 8)
    sites = find_sites(runs, PICTURES, "stem" if layer == "act" else layer, None)
    can = {"blocks.1.conv": False, "stem": True, "act": False}[layer]
    if layer == "act":
        with pytest.raises(ValueError, match="must run once per pass of the network"):
            list(runs.read([PICTURES], [sites[0].__class__("act", "behind", 1, False)]))
    else:
        assert (find_tail(runs, sites[0], PICTURES) is not None) is can


def test_a_correction_is_the_same_with_and_without_a_cut(monkeypatch):
    X, y = make_data(120)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, 2))
    params = {"layer": "0", "method": "project", "random_state": 0}
    cut = correct(network, X, MASK, y, **params)
    monkeypatch.setattr("skexplain.correction._corrected.find_tail", lambda *_: None)
    whole = correct(network, X, MASK, y, **params)
    assert cut.report_.candidates == pytest.approx(whole.report_.candidates)
    np.testing.assert_allclose(cut.decision_function(X), whole.decision_function(X), atol=1e-5)


def test_auto_finds_the_layer_at_which_a_projection_is_exact():
    """The shortcut is a column of the first layer's output; behind it, it is spread by tanh."""

    class Spread(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(1)
            self.inner = nn.Linear(D, 4, bias=False)
            self.mix = nn.Linear(4, 32)
            self.head = nn.Linear(32, 2)
            with torch.no_grad():
                self.inner.weight.copy_(torch.eye(4, D))
                self.inner.weight[3] = 3 * torch.eye(D)[-1]

        def forward(self, x):
            return self.head(torch.tanh(2 * self.mix(self.inner(x))))

    X, y = make_data(300)
    network = Spread()
    with torch.no_grad():
        h = torch.tanh(2 * network.mix(network.inner(torch.from_numpy(X.astype(np.float32)))))
        target = torch.from_numpy((2.0 * y - 1)[:, None].astype(np.float32))
        weights = torch.linalg.lstsq(h, target).solution[:, 0]
        network.head.weight.copy_(torch.stack([-weights, weights]))
        network.head.bias.zero_()
    found = correct(network, X, MASK, y, method="project", layer="auto", random_state=0)
    at_head = correct(network, X, MASK, y, method="project", random_state=0)
    assert found.report_.layer in ("inner", "mix")
    assert found.report_.swap_accuracy[1] > at_head.report_.swap_accuracy[1]
    assert found.report_.flip_rate[1] == 0
    assert "at head" in " ".join(found.report_.candidates)
    only = correct(network, X, MASK, y, method="project", layer=["mix"], random_state=0)
    assert {name.split(" at ")[1] for name in only.report_.candidates if " at " in name} == {
        "head",
        "mix",
    }
    with pytest.raises(ValueError, match="layer must be None or one of .*; got 'mixx'"):
        correct(network, X, MASK, y, layer=["mixx"])
    with pytest.raises(ValueError, match=r"y must be given .* and 2 layer\(s\)"):
        correct(network, X, MASK, method="project", n_directions=1, layer=["mix"])


# -- features on disk ------------------------------------------------------------------------------


class Counting(Biased):
    """Counts the samples that it runs on."""

    n_samples = 0
    scale = 1.0  # neither a weight nor printed

    def forward(self, x):
        Counting.n_samples += len(x)
        return self.head(self.body(x * self.scale))


def fit_counted(network, X, y, cache, mask=MASK, **params):
    Counting.n_samples = 0
    params = {"layer": "body", "method": "project", "random_state": 0, **params}
    clf = CorrectedClassifier(network, n_directions=1, cache=cache, **params)
    clf.fit(X, y, mask=mask)
    return clf, Counting.n_samples


def test_features_are_read_from_disk_and_never_stale(tmp_path):
    X, y = make_data()
    network = Counting()
    plain, without = fit_counted(network, X, y, None)
    first, computed = fit_counted(network, X, y, tmp_path)
    again, read = fit_counted(network, X, y, Memory(tmp_path, verbose=0))
    assert read < without - 4 * 200 + 30
    assert computed > without
    for clf in (first, again):
        np.testing.assert_array_equal(clf.decision_function(X), plain.decision_function(X))
    other = X.copy()
    other[0, 0] += 1
    for change in ({"X": other}, {"mask": np.arange(D)[None] > D - 3}, {"random_state": 1}):
        data = {"network": network, "X": X, "y": y, "cache": tmp_path, **change}
        assert fit_counted(**data)[1] > read + 3 * 200 - 30
    network.head.weight.data *= 2  # weights
    assert fit_counted(network, X, y, tmp_path)[1] > read + 4 * 200 - 30
    network.scale = 2.0  # what no file says is seen at the first samples
    changed, n_samples = fit_counted(network, X, y, tmp_path)
    assert n_samples > read + 4 * 200 - 30
    expected, _ = fit_counted(network, X, y, None)
    np.testing.assert_array_equal(changed.decision_function(X), expected.decision_function(X))


def test_a_damaged_file_is_computed_anew_and_no_pickle_is_opened(tmp_path):
    X, y = make_data()
    expected, _ = fit_counted(Counting(), X, y, tmp_path)
    files = sorted(tmp_path.rglob("*.npy"))
    assert len(files) == 4  # the samples and three copies
    assert not list(tmp_path.rglob("unfinished*"))
    files[0].write_bytes(files[0].read_bytes()[:100])
    np.save(files[1], np.array([{}], dtype=object), allow_pickle=True)
    again, _ = fit_counted(Counting(), X, y, tmp_path)
    np.testing.assert_array_equal(again.decision_function(X), expected.decision_function(X))
    with pytest.raises(TypeError, match="cache must be None, the path of a folder or a joblib"):
        fit_counted(Counting(), X, y, 3)


def test_features_at_each_position_are_kept_where_there_is_room(monkeypatch):
    runs = Network(Residual().eval(), 8)
    sites = find_sites(runs, PICTURES, "auto", None)
    for room, kept in ((1 << 20, [True] * 4), (300, [True, False, False, False])):
        monkeypatch.setattr("skexplain.correction._features._MAX_VALUES", room)
        reader = FeatureReader(runs, sites, [True] * 4, 1, PICTURES, None)
        assert reader.keeps_whole == kept
        for site, features in zip(sites, reader.read(lambda: [PICTURES], 12), strict=True):
            assert features.pooled.shape == (12, 4)
            if features.whole is not None and not site.is_head:
                np.testing.assert_allclose(features.whole.mean((2, 3)), features.pooled, atol=1e-6)


def test_tokens_are_pooled_or_corrected_one_by_one():
    """channel_axis=1 takes positions for channels: directions are those of single tokens."""
    y = np.arange(60) % 2
    X = np.random.default_rng(0).integers(2, 20, size=(60, 5))
    X[:, 0] = y
    mask = np.arange(5)[None] == 0
    network = Tokens().eval()
    for axis, n_channels in ((None, 8), (1, 5)):
        clf = correct(
            network,
            X,
            mask,
            y,
            method="project",
            layer="layers.0",
            channel_axis=axis,
            n_directions=1,
            random_state=0,
        )
        assert len(clf.module_.layers[0].correction.mean) == n_channels
        assert not np.array_equal(clf.predict_proba(X), outputs_of(network, X))


def outputs_of(network, X):
    with torch.no_grad():
        return network(torch.from_numpy(X)).softmax(1).numpy()


def test_integers_of_a_network_without_an_embedding_are_numbers():
    X = np.arange(12).reshape(4, 3)
    assert Network(nn.Linear(3, 2), 4).as_tensor(X).dtype == torch.float32
    assert outputs(nn.Linear(3, 2), X).shape == (4, 2)
