"""Check that pretrained networks get a head for the classes at hand, and rates of their own."""

from functools import partial

import numpy as np
import pytest
import torch
from _vision_transformer import VisionTransformer
from torch import nn

from skexplain import (
    ERMClassifier,
    ERMRegressor,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.training import replace_head

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3, 8, 8)).astype(np.float32)
Y = np.arange(24) % 3
MASK = np.zeros((1, 8, 8), dtype=bool)
MASK[:, 4:] = True


class Convolutional(nn.Module):
    """With batch norm; its constructor does not say how many outputs there are to be."""

    def __init__(self, n_units=5):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()
        )
        self.fc = nn.Linear(4 * 64, n_units)

    def forward(self, x):
        return self.fc(self.body(x))


def fit(module, cls=ERMClassifier, y=Y, mask=None, **params):
    clf = cls(module, max_epochs=2, batch_size=8, random_state=0, device="cpu", **params)
    return clf.fit(X, y, mask=mask)


def moved(clf, before):
    """Names of parameters and buffers that differ from those of a network."""
    old = before.state_dict()
    return {
        name
        for name, new in clf.module_.state_dict().items()
        if new.shape != old[name].shape or not new.equal(old[name])
    }


# -- the number of outputs ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n_outputs", "num_classes", "num_labels", "n_classes"])
def test_constructors_are_handed_the_number_of_outputs(name):
    namespace = {"nn": nn, "Convolutional": Convolutional}
    exec(f"def make({name}=1000): return Convolutional({name})", namespace)
    assert fit(namespace["make"]).module_.fc.out_features == 3
    assert fit(namespace["make"], ERMRegressor).module_.fc.out_features == 1
    with pytest.raises(ValueError, match=r"outputs of shape \(n_samples, 3\).*got \(2, 7\)"):
        fit(namespace["make"], **{f"module__{name}": 7})
    with pytest.raises(ValueError, match=r"got \(2, 7\)"):
        fit(partial(namespace["make"], **{name: 7}))


def test_a_head_of_other_classes_is_an_error_that_names_the_remedy():
    with pytest.raises(ValueError, match=r"got \(2, 1000\).*skexplain\.training\.replace_head"):
        fit(Convolutional(1000))
    with pytest.raises(ValueError, match=r"got \(2, 1000\).*replace_head"):
        fit(partial(VisionTransformer, num_classes=1000))


def test_a_replaced_head_is_new_and_the_rest_is_kept():
    network = Convolutional(1000)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    replaced = replace_head(network, 3)
    assert replaced.fc.out_features == 3
    assert network.fc.out_features == 1000
    assert all(tensor.equal(state[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(replaced.body[0].weight, network.body[0].weight)


@pytest.mark.parametrize("n_outputs", [0, -1, 2.0, True, "2"])
def test_the_number_of_outputs_is_checked(n_outputs):
    with pytest.raises(ValueError, match="n_outputs must be a positive integer"):
        replace_head(nn.Sequential(nn.Linear(3, 4)), n_outputs)


@pytest.mark.parametrize("module", [None, nn.Linear])
def test_only_a_network_has_a_head(module):
    with pytest.raises(TypeError, match="module must be a network, an instance of nn.Module; got"):
        replace_head(module, 2)


def test_a_convolution_as_head_keeps_its_groups_and_padding():
    old = nn.Conv2d(4, 6, 3, groups=2, padding=1, padding_mode="circular")
    new = replace_head(nn.Sequential(old), 4, layer="0")[0]
    assert (new.groups, new.padding_mode, new.out_channels) == (2, "circular", 4)
    assert new.weight.shape == (4, 2, 3, 3)
    with pytest.raises(ValueError, match="n_outputs must be a multiple of 2 .* got 3"):
        replace_head(nn.Sequential(old), 3, layer="0")


def test_a_new_head_has_the_precision_of_the_old_one():
    network = replace_head(nn.Sequential(nn.Linear(3, 4)).to(torch.bfloat16), 2)
    assert network(torch.zeros(1, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_head_that_has_not_run_yet_stays_lazy():
    network = replace_head(nn.Sequential(nn.LazyLinear(5)), 2)
    assert network(torch.zeros(1, 3)).shape == (1, 2)


def test_the_new_head_depends_on_the_seed_alone():
    network = Convolutional(1000)
    first, again = (fit(partial(replace_head, network)) for _ in range(2))
    other = ERMClassifier(partial(replace_head, network), max_epochs=1, random_state=1).fit(X, Y)
    assert first.module_.fc.weight.equal(again.module_.fc.weight)
    assert not first.module_.fc.weight.equal(other.module_.fc.weight)


def test_heads_that_are_not_told():
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="layer must be named for a Sequential.*'1'.*LazyLinear"):
        replace_head(backbone, 3)
    assert replace_head(backbone, 3, layer="0")[0].weight.shape == (3, 3, 3, 3)
    with pytest.raises(ValueError, match=r"layer must name .* one of \['0'\]; got 'head'"):
        replace_head(backbone, 3, layer="head")


class WithAuxiliaryHead(Convolutional):
    """Returns the logits of two heads while it is trained, as GoogLeNet of torchvision does."""

    aux_logits = True

    def forward(self, x):
        logits = super().forward(x)
        return (logits, 2 * logits) if self.training else logits


def test_auxiliary_logits_are_not_read():
    network = WithAuxiliaryHead(3)
    plain = Convolutional(3)
    plain.load_state_dict(network.state_dict())
    assert not moved(
        fit(network, SwapExClassifier, mask=MASK), fit(plain, SwapExClassifier, mask=MASK).module_
    )


# -- learning rates -------------------------------------------------------------------------------


def test_the_backbone_has_a_rate_of_its_own():
    clf = fit(VisionTransformer, SwapExClassifier, mask=MASK, lr=1e-2, backbone_lr=1e-5)
    groups = {group["lr"]: group["params"] for group in clf.trainer_.optimizer_.param_groups}
    head = {id(parameter) for parameter in clf.module_.head.parameters()}
    assert {id(parameter) for parameter in groups[1e-2]} == head
    assert len(groups[1e-5]) == len(list(clf.module_.parameters())) - 2
    clf.set_params(warm_start=True, backbone_lr=1e-4, lr=1e-3).fit(X, Y, mask=MASK)
    assert {group["lr"] for group in clf.trainer_.optimizer_.param_groups} == {1e-3, 1e-4}


def test_one_rate_for_both_is_that_of_all():
    network = Convolutional(3)
    plain, split = (
        fit(network, lr=1e-2, optimizer=torch.optim.SGD, backbone_lr=rate) for rate in (None, 1e-2)
    )
    assert moved(split, network)
    assert not moved(split, plain.module_)


def test_a_rate_of_zero_freezes_batch_norm_too_and_can_be_raised():
    network = Convolutional(3)
    clf = fit(network, backbone_lr=0, warm_start=True)
    assert moved(clf, network) == {"fc.weight", "fc.bias"}
    clf.set_params(backbone_lr=1e-3).fit(X, Y)
    assert {"body.0.weight", "body.1.running_mean"} <= moved(clf, network)


def test_what_was_frozen_by_hand_stays_frozen():
    network = Convolutional(3)
    network.body[:2].requires_grad_(False)
    clf = fit(network, SwapExClassifier, mask=MASK)
    assert moved(clf, network) == {"fc.weight", "fc.bias"}


def test_a_mapping_layer_is_trained_with_the_head():
    network = Convolutional(3)
    clf = fit(
        network, TwoStageExplanationClassifier, mask=MASK, feature_layer="body", backbone_lr=0
    )
    old, new = network.state_dict(), clf.module_.module.state_dict()
    assert new["body.layer.0.weight"].equal(old["body.0.weight"])
    assert new["body.layer.1.running_mean"].equal(old["body.1.running_mean"])
    assert not new["fc.weight"].equal(old["fc.weight"])


def test_rates_that_cannot_be():
    clf = fit(Convolutional(3), warm_start=True)
    with pytest.raises(ValueError, match="backbone_lr must be None where it was None at the first"):
        clf.set_params(backbone_lr=1e-3).fit(X, Y)
    clf = fit(Convolutional(3), warm_start=True, backbone_lr=1e-3)
    with pytest.raises(ValueError, match="backbone_lr must be a number, as at the first fit"):
        clf.set_params(backbone_lr=None).fit(X, Y)
    with pytest.raises(ValueError, match="backbone_lr must be None for a network whose last"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 3), nn.LayerNorm(3)), backbone_lr=1e-3)
    with pytest.raises(ValueError, match="no layer before the head can be trained; got 0.001"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), backbone_lr=1e-3)


def test_without_a_mapping_layer_something_before_the_features_is_trained():
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    X, mask = np.random.default_rng(0).normal(size=(20, 2)), np.array([[True, False]])
    clf = TwoStageExplanationClassifier(network, mapping=None, backbone_lr=0, max_epochs=1)
    with pytest.raises(ValueError, match="mapping must be a layer where nothing before"):
        clf.fit(X, X[:, 1] > 0, mask=mask)
