"""Check the built-in networks, the mapping layer and where it is inserted."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    HINTClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.exceptions import DivergenceError
from skexplain.training import build_network, measure_inputs
from skexplain.training._architectures import mode_matters
from skexplain.training._mapping import (
    LinearMapping,
    MappedModule,
    build_mapping,
    find_feature_layer,
)


@pytest.mark.parametrize(
    "shape",
    [(1,), (4,), (784,), (8, 8), (28, 28), (1, 40), (3, 5), (1, 1), (3, 64, 48), (1, 224, 224)],
)
def test_networks_fit_their_inputs(shape):
    X = np.random.default_rng(0).random((3, *shape))
    network = build_network(shape, 7, measure_inputs(X))
    logits = network(torch.as_tensor(X, dtype=torch.float32))
    assert logits.shape == (3, 7)
    assert not mode_matters(network)
    # Small: what a laptop trains.
    assert sum(p.numel() for p in network.parameters()) < 400_000


def test_networks_standardise_inside():
    X = np.random.default_rng(0).normal(50, 20, (100, 4))
    network = build_network((4,), 2, measure_inputs(X))
    standardised = network.features[0](torch.as_tensor(X, dtype=torch.float32))
    torch.testing.assert_close(standardised.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised.std(0, correction=0), torch.ones(4), atol=1e-5, rtol=0)
    assert {name for name, _ in network.named_buffers()} == {"features.0.mean", "features.0.sd"}


def test_volumes_need_a_module_of_their_own():
    X = np.zeros((10, 1, 4, 4, 4))
    with pytest.raises(ValueError, match=r'module="auto" takes X.*\(1, 4, 4, 4\).*pass a torch'):
        ERMClassifier().fit(X, np.arange(10) % 2)


def mapped(layer):
    return MappedModule(
        nn.Sequential(layer, nn.Linear(2, 2)), "1", LinearMapping((2,)), before=True
    )


@pytest.mark.parametrize(
    ("layer", "matters"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), False),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout()), True),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), True),
        (type("Own", (nn.Module,), {})(), True),
        (mapped(nn.Linear(2, 2)), False),
        (mapped(nn.Dropout()), True),
    ],
)
def test_only_known_layers_are_trusted_to_ignore_the_mode(layer, matters):
    assert mode_matters(layer) is matters


class WithFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU())
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2))

    def forward(self, x):
        return self.classifier(self.features(x))


class ForwardOnly(nn.Module):
    """The last linear layer by order of call is not the last by order of definition."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 2)
        self.body = nn.Linear(16, 5)

    def forward(self, x):
        return self.out(torch.relu(self.body(x.flatten(1))))


class NoLinearEnd(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 4)

    def forward(self, x):
        return self.conv(x).flatten(1)


X4 = torch.randn(3, 1, 4, 4)


def test_feature_layer_is_the_features_child():
    assert find_feature_layer(WithFeatures(), None, X4) == ("features", False)


def test_feature_layer_is_the_input_of_the_last_linear_layer():
    assert find_feature_layer(ForwardOnly(), None, X4) == ("out", True)
    sequential = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 2))
    assert find_feature_layer(sequential, None, X4) == ("3", True)


def test_feature_layer_by_name():
    assert find_feature_layer(WithFeatures(), "features.0", X4) == ("features.0", False)
    with pytest.raises(ValueError, match=r"feature_layer must name.*'features\.0'.*got 'feature'"):
        find_feature_layer(WithFeatures(), "feature", X4)
    with pytest.raises(ValueError, match=r"feature_layer must be given.*\['conv'\]"):
        find_feature_layer(NoLinearEnd(), None, X4)


@pytest.mark.parametrize(("module", "name", "before"), [
    (WithFeatures(), "features", False),
    (WithFeatures(), "classifier.1", True),
    (ForwardOnly(), "out", True),
])  # fmt: skip
def test_identity_mapping_changes_nothing_and_features_skip_the_head(module, name, before):
    expected = module(X4)
    module = copy.deepcopy(module)
    heads = []
    mapped = MappedModule(module, name, nn.Identity(), before)
    assert torch.equal(mapped(X4), expected)
    head = mapped.module.get_submodule(name).layer if before else mapped.module.classifier
    head.register_forward_hook(lambda *_: heads.append(1))
    features = mapped.features(X4)
    assert heads == []
    assert len(features) == 3
    # Afterwards it runs as before.
    assert torch.equal(mapped(X4), expected)
    assert heads == [1]


@pytest.mark.parametrize("kind", ["linear", "low_rank", "conv1x1"])
@pytest.mark.parametrize("shape", [(4, 3, 3), (4, 5), (2, 3, 2, 2)])
def test_mappings_keep_the_shape_and_start_where_told(kind, shape):
    features = torch.randn(3, *shape)
    mapping = build_mapping(kind, shape, "identity")
    torch.testing.assert_close(mapping(features), features)
    assert not torch.allclose(build_mapping(kind, shape, "default")(features), features)
    size, channels = int(np.prod(shape)), shape[0]
    n_weights = {
        "linear": size * (size + 1),
        "low_rank": size * (2 * min(32, size) + 1),
        "conv1x1": channels * (channels + 1),
    }
    assert sum(p.numel() for p in mapping.parameters()) == n_weights[kind]


def test_a_low_rank_mapping_adds_a_linear_map_of_low_rank():
    mapping = build_mapping("low_rank", (4, 5, 5), "default")
    features = torch.randn(150, 4, 5, 5)
    with torch.no_grad():
        change = (mapping(features) - features).flatten(1) - mapping.up.bias
        expected = features.flatten(1) @ (mapping.up.weight @ mapping.down.weight).T
    torch.testing.assert_close(change, expected)
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 32


def test_too_large_a_linear_mapping_is_refused():
    with pytest.raises(ValueError, match=r'mapping="linear" needs 4608 x 4608.*mapping="conv1x1"'):
        build_mapping("linear", (32, 12, 12), "default")
    with pytest.raises(ValueError, match=r'mapping="conv1x1" needs.*\(7,\).*mapping="linear"'):
        build_mapping("conv1x1", (7,), "default")


def images():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 1, 4, 4)).astype(np.float32)
    X[:, 0, 0, 0] += 3 * y
    mask = np.zeros((1, 1, 4, 4))
    mask[..., 0, 0] = 1
    return X, y, mask


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"mapping": "conv1x1"},
        {"mapping": "low_rank"},
        {"mapping": None},
        {"mapping_init": "identity"},
        {"schedule": "joint", "alpha": 0.1},
        {"module": WithFeatures},
        {"module": WithFeatures, "feature_layer": "features.0", "mapping": "conv1x1"},
        {"module": ForwardOnly},
        {"module": NoLinearEnd, "feature_layer": "conv"},
        {"module": WithFeatures, "mapping": nn.Conv2d(3, 3, 3, padding=1)},
        {"mask_fill": "mean"},
        {"mask_fill": np.full((1, 4, 4), 0.5)},
    ],
    ids=str,
)
def test_two_stage_works_with_any_module(params):
    X, y, mask = images()
    clf = TwoStageExplanationClassifier(
        mask_marks="relevant", max_epochs=60, lr=1e-2, batch_size=-1, random_state=0
    )
    clf.set_params(**params).fit(X, y, mask=mask)
    # Measured: 0.93 to 1.0.
    assert clf.score(X, y) > 0.8
    assert clf.history_[-1]["train_mapping"] > 0
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    if isinstance(params.get("mapping"), nn.Module):
        fresh = nn.Conv2d(3, 3, 3, padding=1)
        assert params["mapping"].weight.shape == fresh.weight.shape
        assert clf.module_.mapping is not params["mapping"]


def test_module_with_mapping_can_be_exported():
    X, y, mask = images()
    clf = TwoStageExplanationClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    module = clf.module_.eval()
    exported = torch.export.export(module, (torch.from_numpy(X),))
    torch.testing.assert_close(exported.module()(torch.from_numpy(X)), module(torch.from_numpy(X)))


def test_an_instance_is_copied_and_never_changed():
    X, y, mask = images()
    module = WithFeatures()
    before = copy.deepcopy(module.state_dict())
    clf = TwoStageExplanationClassifier(module, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    assert list(module.state_dict()) == list(before)
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)
    assert clf.module_.module is not module


def test_prepared_weights_of_an_instance_are_the_start():
    X, y, _ = images()
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    nn.init.constant_(module[1].weight, 0.25)
    clf = ERMClassifier(module, lr=1e-30, max_epochs=1).fit(X, y)
    torch.testing.assert_close(clf.module_[1].weight, module[1].weight)


def test_a_network_that_cannot_run_the_rows_says_what_it_was_given():
    X, y = np.zeros((10, 8, 8), dtype=np.float32), np.arange(10) % 2
    module = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 2))
    match = r"module cannot run samples of X, here a batch .* \(2, 8, 8\): expected 4D.*X\[:, None"
    with pytest.raises(ValueError, match=match):
        ERMClassifier(module).fit(X, y)
    match = r"module cannot run samples of X, here a batch of shape \(2, 64\): mat1 .*[^.]\. See"
    with pytest.raises(RuntimeError, match=match):
        ERMClassifier(nn.Linear(3, 2)).fit(X.reshape(10, -1), y)
    ERMClassifier(module, max_epochs=1).fit(X[:, None], y)


def test_a_softmax_at_the_end_of_a_network_is_warned_of():
    X, y, _ = images()
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2), nn.Softmax(dim=1))
    with pytest.warns(UserWarning, match="module returns probabilities.*leave the softmax"):
        ERMClassifier(module, max_epochs=1).fit(X, y)
    ERMClassifier(module[:2], max_epochs=1).fit(X, y)  # a warning is an error here


class _Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.EmbeddingBag(10, 2)

    def forward(self, x):
        return self.table(x.long())


@pytest.mark.parametrize(
    "estimator",
    [
        GradRegClassifier(_Embedded),
        PGDExClassifier(_Embedded),
        HINTClassifier(_Embedded, attribution="input_gradient"),
        InfluenceRegClassifier(_Embedded),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_a_penalty_on_the_input_gradient_refuses_a_network_without_one(estimator):
    generator = np.random.default_rng(0)
    X = generator.integers(10, size=(20, 5)).astype(np.float32)
    y, mask = np.arange(20) % 2, np.ones((20, 5)) * [1, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="module must pass a gradient to X.*SwapExClassifier"):
        estimator.fit(X, y, mask=mask)
    SwapExClassifier(_Embedded, max_epochs=1).fit(X, y, mask=mask)


# -- networks that are a little different ---------------------------------------------------------


class CausalMask(nn.Module):
    """A buffer that is infinite by design, and state that is no tensor."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 2)
        self.register_buffer("causal", torch.full((3, 3), -torch.inf).triu(1))

    def forward(self, x):
        return self.linear(x.flatten(1))

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        pass


def test_an_infinite_buffer_is_no_divergence():
    X, y, _ = images()
    clf = ERMClassifier(CausalMask, max_epochs=2, random_state=0).fit(X, y)
    assert clf.n_iter_ == 2
    with pytest.raises(DivergenceError, match="A weight is not finite|The loss is not finite"):
        clf.set_params(optimizer=torch.optim.SGD, lr=1e38, max_epochs=5).fit(X, y)


def test_a_network_that_starts_spoilt_diverges():
    X, y, _ = images()
    module = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    for weight in module.parameters():
        nn.init.constant_(weight, torch.nan)
    with pytest.raises(DivergenceError, match="The loss is not finite in epoch 1"):
        ERMClassifier(module).fit(X, y)


def test_a_network_of_two_and_three_dimensions_trains():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.volume, self.image = nn.Conv3d(1, 2, 1), nn.Conv2d(2, 2, 3)
            self.head = nn.LazyLinear(2)

        def forward(self, x):
            return self.head(self.image(self.volume(x).mean(2)).flatten(1))

    X, y = np.zeros((20, 1, 3, 8, 8), dtype=np.float32), np.arange(20) % 2
    assert ERMClassifier(Mixed, max_epochs=1).fit(X, y).n_iter_ == 1


def test_a_hook_makes_the_mode_matter():
    layer = nn.Linear(3, 2)
    assert not mode_matters(layer)
    assert mode_matters(nn.utils.spectral_norm(layer))


def test_a_network_may_keep_what_it_made_while_it_predicted():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.ones = nn.Linear(16, 2), torch.ones(0, 1)

        def forward(self, x):
            if len(x) > len(self.ones):
                self.ones = torch.ones(len(x), 1)
            return self.linear(x.flatten(1)) * self.ones[: len(x)]

    X, y, _ = images()
    clf = ERMClassifier(Keeps, batch_size=4).partial_fit(X, y, classes=np.unique(y))
    clf.predict(X)
    assert clf.partial_fit(X, y).n_iter_ == 2


def test_the_channel_axis_of_a_network_of_ones_own_is_its_own_affair():
    X, y = np.zeros((20, 6, 50, 1), dtype=np.float32), np.arange(20) % 2
    with pytest.raises(ValueError, match="looks like channels last"):
        ERMClassifier().fit(X, y)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(300, 2))
    assert ERMClassifier(flat, max_epochs=1).fit(X, y).n_iter_ == 1
    with pytest.raises(RuntimeError, match=r"Channels go on axis 1: X.transpose\(0, 3, 1, 2\)"):
        ERMClassifier(nn.Conv2d(1, 2, 3)).fit(X, y)


def test_a_field_of_records_trains():
    records = np.zeros(20, dtype=[("id", "u1"), ("x", "f4", 16)])
    records["x"] = np.random.default_rng(0).normal(size=(20, 16))
    module = nn.Linear(16, 2)
    fits = [
        ERMClassifier(module, max_epochs=1, random_state=0).fit(X, np.arange(20) % 2)
        for X in (records["x"], records["x"].copy())
    ]
    assert torch.equal(fits[0].module_.weight, fits[1].module_.weight)


def test_columns_that_float32_is_too_coarse_for_are_warned_of():
    X = np.random.default_rng(0).normal(size=(20, 3))
    ERMClassifier(max_epochs=1).fit(1e3 + X, np.arange(20) % 2)
    X[:, 1] = 1.7e9 + 10 * X[:, 1]
    with pytest.warns(UserWarning, match=r"1 column\(s\).*StandardScaler"):
        ERMClassifier(max_epochs=1).fit(X, np.arange(20) % 2)
