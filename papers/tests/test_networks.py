"""The networks of the papers, and the names under which descriptions give them."""

import pytest
import torch

from skexplain_papers._networks import small_cnn
from skexplain_papers._trial import make_estimator, with_objects


def make_module(spec):
    return with_objects({"module": spec})["module"]


def test_a_description_names_its_network():
    description = {"estimator": "ERMClassifier", "module": {"name": "small-cnn", "side": 16}}
    estimator = make_estimator(description, 0)
    assert estimator.module.func is small_cnn
    assert estimator.module.keywords == {"side": 16}


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match=r"module must be one of \['small-cnn', .*got 'nothing'"):
        make_module("nothing")


@pytest.mark.parametrize(
    ("spec", "shape", "n_classes", "n_weights"),
    [
        # 3 x 3 convolutions to 8, 16, 16 channels, then 16 * 8 * 8 features of a 64 x 64 image.
        ("small-cnn", (1, 64, 64), 2, 80 + 1168 + 2320 + 2 * 1024 + 2),
        ({"name": "small-cnn", "n_channels": 3, "side": 16}, (3, 16, 16), 2, 224 + 3488 + 2 * 65),
        ("bird-cnn", (3, 64, 64), 2, 224 + 1168 + 2 * 4096 + 2),
        ("ross-mlp", (28, 28), 10, 785 * 50 + 51 * 30 + 31 * 10),
        ({"name": "mlp", "n_features": 4, "n_classes": 3, "hidden": [5]}, (4,), 3, 25 + 18),
    ],
)
def test_networks_of_the_papers(spec, shape, n_classes, n_weights):
    network = make_module(spec)()
    assert network(torch.zeros(2, *shape)).shape == (2, n_classes)
    assert sum(p.numel() for p in network.parameters()) == n_weights


def test_networks_are_drawn_as_the_paper_says():
    torch.manual_seed(0)
    values = torch.cat([p.detach().ravel() for p in make_module("ross-mlp")().parameters()])
    assert values.std() == pytest.approx(0.1, rel=0.02)
    assert make_module("auto") == "auto"
    spec = {"name": "mlp", "n_features": 4, "n_classes": 3, "hidden": [5]}
    make_module(spec)
    assert spec["name"] == "mlp"  # a declaration is not changed
