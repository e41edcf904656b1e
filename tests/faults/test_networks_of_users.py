"""Networks as people have them: what they write to, return, freeze and keep."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    ERMClassifier,
    ERMRegressor,
    GradRegClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.inspection import saliency
from skexplain.metrics import accuracy_after_swap
from skexplain.penalties._layers import keep_outputs
from skexplain.training._architectures import let_go_of_graphs


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=120)
    X = rng.normal(100, 40, size=(120, 6)).astype(np.float32)
    X[:, 0] += 80 * y
    X[:, 5] = np.where(y, 230, 20)
    return X, y, np.eye(6, dtype=bool)[5:]


class Scaled(nn.Module):
    """Scales its input as given, or in the memory of the caller."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place = in_place
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        return self.body(x.div_(255) if self.in_place else x / 255)


METHODS = [
    SwapExClassifier,
    AvgExClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
    ERMClassifier,
]


@pytest.mark.parametrize("cls", METHODS, ids=lambda cls: cls.__name__)
def test_writing_into_the_input_changes_nothing(cls, problem):
    X, y, mask = problem
    if cls is ERMClassifier:
        mask = None
    fits = [
        cls(Scaled, module__in_place=in_place, max_epochs=4, lr=0.01, random_state=0)
        for in_place in (False, True)
    ]
    plain, in_place = (clf.fit(X, y, mask=mask) for clf in fits)
    np.testing.assert_array_equal(in_place.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(saliency(in_place, X[:9]), saliency(plain, X[:9]))
    mask = problem[2]
    assert accuracy_after_swap(in_place, X, y, mask, random_state=0) == accuracy_after_swap(
        plain, X, y, mask, random_state=0
    )


def test_writing_into_the_input_at_its_first_layer(problem):
    X, y, mask = problem

    def network(inplace):
        return nn.Sequential(nn.ReLU(inplace=inplace), nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))

    plain, in_place = (
        GradRegClassifier(lambda inplace=inplace: network(inplace), max_epochs=3, random_state=0)
        for inplace in (False, True)
    )
    plain.fit(X, y, mask=mask)
    np.testing.assert_array_equal(
        in_place.fit(X, y, mask=mask).predict_proba(X), plain.predict_proba(X)
    )


class Output(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.linear = nn.Linear(6, 2)

    def forward(self, x):
        logits = self.linear(x / 255)
        if self.kind == "object":
            return SimpleNamespace(logits=logits, loss=None)
        if self.kind == "dict":
            return {"loss": None, "logits": logits}
        return (logits, x) if self.kind == "tuple" else logits


@pytest.mark.parametrize("kind", ["object", "tuple", "dict"])
@pytest.mark.parametrize(
    "cls", [SwapExClassifier, GradRegClassifier, PGDExClassifier], ids=lambda cls: cls.__name__
)
def test_logits_are_read_from_what_is_returned(kind, cls, problem):
    X, y, mask = problem
    plain, wrapped = (
        cls(Output, module__kind=k, max_epochs=3, lr=0.01, random_state=0).fit(X, y, mask=mask)
        for k in ("tensor", kind)
    )
    np.testing.assert_array_equal(wrapped.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(saliency(wrapped, X[:9]), saliency(plain, X[:9]))
    again = pickle.loads(pickle.dumps(wrapped))
    np.testing.assert_array_equal(again.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(
        wrapped.partial_fit(X, y, mask=mask).predict_proba(X),
        plain.partial_fit(X, y, mask=mask).predict_proba(X),
    )


def test_bounds_and_decompositions_read_logits_too(problem):
    X, y, mask = problem
    for cls in (IBPExClassifier, CDEPClassifier):
        plain, wrapped = (
            cls(Output, module__kind=kind, max_epochs=2, random_state=0).fit(X, y, mask=mask)
            for kind in ("tensor", "tuple")
        )
        np.testing.assert_array_equal(wrapped.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: nn.Linear(6, 1), r"here \(2, 2\).*got \(2, 1\).*one output for two classes"),
        (nn.Identity, r"got \(2, 6\)"),
    ],
    ids=["one logit", "no head"],
)
def test_other_outputs_are_an_error(module, message, problem):
    X, y, _ = problem
    with pytest.raises(ValueError, match=message):
        ERMClassifier(module, max_epochs=1).fit(X, y)


class Frozen(nn.Module):
    """A frozen backbone with batch norm, and a head."""

    def __init__(self, frozen=True):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.backbone.requires_grad_(not frozen)
        self.head = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 2))

    def forward(self, x):
        return self.head(self.backbone(x))


@pytest.mark.parametrize("cls", [ERMClassifier, SwapExClassifier, TwoStageExplanationClassifier])
def test_frozen_parts_stay_frozen(cls, problem):
    X, y, mask = problem
    network = Frozen()
    before = copy.deepcopy(network.state_dict())
    mask = None if cls is ERMClassifier else mask
    clf = cls(network, max_epochs=3, random_state=0)
    if cls is TwoStageExplanationClassifier:
        clf.set_params(feature_layer="backbone")
    clf.fit(X, y, mask=mask)
    after = {name.replace("module.", ""): t for name, t in clf.module_.state_dict().items()}
    moved = {
        name
        for name, tensor in before.items()
        if not torch.equal(
            tensor, after.get(name, after.get(name.replace("backbone", "backbone.layer")))
        )
    }
    assert moved == {name for name in before if name.startswith("head")}


def test_a_network_that_is_all_frozen_is_an_error(problem):
    X, y, _ = problem
    frozen = nn.Linear(6, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="module must have parameters that require gradients"):
        ERMClassifier(frozen, max_epochs=1).fit(X, y)


class Keeps(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, x):
        self.last = {"hidden": [self.linear(x / 255)]}
        self.hidden = self.last["hidden"][0]
        return self.hidden


def test_a_fit_whose_forward_keeps_tensors_can_be_copied_and_holds_no_data(problem):
    X, y, mask = problem
    clf = SwapExClassifier(Keeps, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    for again in (copy.deepcopy(clf), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    clf.predict(X)
    copy.deepcopy(clf)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 4, sparse=True)
        self.head = nn.Linear(24, 2)

    def forward(self, x):
        return self.head(self.embed(x.long()).flatten(1))


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.SparseAdam])
def test_sparse_embeddings(optimizer):
    rng = np.random.default_rng(0)
    X, y = rng.integers(50, size=(60, 6)), rng.integers(2, size=60)

    class OnlyWords(Words):
        def __init__(self):
            super().__init__()
            self.head.requires_grad_(False)

    module = Words if optimizer is torch.optim.SGD else OnlyWords
    clf = SwapExClassifier(module, optimizer=optimizer, lr=0.1, max_epochs=8, random_state=0)
    clf.fit(X, y, mask=np.eye(6)[:1])
    assert clf.history_[-1, "train_loss"] < clf.history_[0, "train_loss"]


def test_long_doubles_are_numbers(problem):
    X, y, mask = problem
    wide = X.astype(np.longdouble)
    clf = SwapExClassifier(max_epochs=2, random_state=0).fit(wide, y, mask=mask)
    plain = SwapExClassifier(max_epochs=2, random_state=0).fit(X.astype(np.float64), y, mask=mask)
    np.testing.assert_array_equal(clf.predict_proba(wide), plain.predict_proba(X))
    reg = ERMRegressor(max_epochs=2, random_state=0).fit(X, y.astype(np.longdouble))
    assert np.isfinite(reg.predict(X)).all()


@pytest.mark.parametrize("given", [{"input_ids": np.zeros((9, 2))}, {"a": torch.zeros(9, 2)}])
def test_a_dict_of_tensors_is_an_error(given):
    with pytest.raises(ValueError, match=r"X must be one array.*got a dict of"):
        ERMClassifier(max_epochs=1).fit(given, np.arange(9) % 2)


def test_a_dataset_of_torch_is_an_error():
    given = torch.utils.data.TensorDataset(torch.zeros(9, 2))
    with pytest.raises(ValueError, match="X must be one array .* got a TensorDataset of torch"):
        ERMClassifier(max_epochs=1).fit(given, np.arange(9) % 2)


@pytest.mark.parametrize("labels", [[[0, 1], [1]], [["a", "b"], ["b", "c"]], [{0}, set()]])
def test_lists_of_labels_are_an_error(labels):
    with pytest.raises(ValueError, match=r"y must hold one label per sample.*MultiOutput"):
        ERMClassifier(max_epochs=1).fit(np.zeros((8, 2)), labels * 4)


def test_several_labels_per_sample_are_an_error(problem):
    X, y, _ = problem
    with pytest.raises(
        ValueError, match=r"y must hold one label per sample.*OneVsRest|MultiOutput"
    ):
        ERMClassifier(max_epochs=1).fit(X, np.c_[y, 1 - y])


def test_what_an_interrupt_left_behind_is_removed(problem):
    X, y, mask = problem
    clf = TwoStageExplanationClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    kept = []
    reading = keep_outputs(clf.module_, [clf.module_.layer_name])
    outputs = reading.__enter__()
    clf.module_._layer.stops = True
    clf.module_.register_forward_hook(lambda *_: kept.append(1))  # a user's own stays
    let_go_of_graphs(clf.module_)
    clf.predict(X)
    assert kept
    assert not outputs
    reading.__exit__(None, None, None)


# -- recurrent layers ------------------------------------------------------------------------------


class Recurrent(nn.Module):
    """Notes whether it may be run by cuDNN, whose layers have no gradient in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.layer = nn.GRU(1, 4, batch_first=True)
        self.head = nn.Linear(4, 2)
        self.seen = set()

    def forward(self, x):
        self.seen.add((self.training, torch.backends.cudnn.enabled, torch.is_grad_enabled()))
        return self.head(self.layer(x[:, :, None] / 255)[0][:, -1])


@pytest.mark.parametrize(
    "cls",
    [SwapExClassifier, GradRegClassifier, PGDExClassifier, InfluenceRegClassifier],
    ids=lambda cls: cls.__name__,
)
def test_recurrent_layers_run_without_cudnn_where_they_are_differentiated(cls, problem):
    X, y, mask = problem
    enabled = torch.backends.cudnn.enabled
    clf = cls(Recurrent, alpha=0.1, max_epochs=1, random_state=0).fit(X, y, mask=mask)
    saliency(clf, X[:3])
    seen = {flags for flags in clf.module_.seen if flags[2]}
    # (training, cuDNN): steps on the label loss as ever, penalties and saliency without cuDNN.
    assert seen == {(True, True, True), (False, False, True)}
    assert torch.backends.cudnn.enabled == enabled


def test_other_layers_keep_cudnn(problem):
    X, y, mask = problem

    class Plain(Recurrent):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(1, 4), nn.Linear(4, 2)

        def forward(self, x):
            self.seen.add((self.training, torch.backends.cudnn.enabled))
            return self.head(self.layer(x[:, :, None] / 255)[:, -1])

    clf = GradRegClassifier(Plain, max_epochs=1, random_state=0).fit(X, y, mask=mask)
    assert all(cudnn for _, cudnn in clf.module_.seen)
