"""The layers behind a site trained further: what changes, and that it can be undone."""

import copy

import numpy as np
import pytest
import torch
from _corrections import MASK, Biased, D, make_data, outputs
from torch import nn

from skexplain import ERMClassifier, GradRegClassifier, SwapExClassifier
from skexplain import TwoStageExplanationClassifier as TwoStage
from skexplain.correction import CorrectedClassifier, correct
from skexplain.exceptions import MissingExplanationWarning

TRAINER = ERMClassifier(lr=0.1, max_epochs=4)


def make_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(D, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)
    ).eval()


def changed_weights(clf, network):
    old = network.state_dict()
    return {name for name, t in clf.module_.state_dict().items() if not torch.equal(t, old[name])}


def test_a_head_on_features_of_swapped_copies_loses_the_shortcut():
    X, y = make_data()
    clf = correct(Biased(), X, MASK, y, method="finetune", trainer=TRAINER, random_state=0)
    lie, truth = make_data(500, seed=1, agreement=0.0)
    assert (outputs(Biased(), lie).argmax(1).numpy() == truth).mean() < 0.2
    assert clf.score(lie, truth) > 0.9
    assert clf.report_.is_repair
    assert changed_weights(clf, Biased()) == {"head.weight", "head.bias"}
    assert torch.equal(outputs(clf.undo(), X), outputs(Biased(), X))


@pytest.mark.parametrize("trainer", [TRAINER, SwapExClassifier(lr=0.1, max_epochs=4)])
def test_layers_behind_the_site_alone_are_trained(trainer):
    """On features where the trainer needs no masks, else on the inputs."""
    X, y = make_data()
    network = make_network()
    state = copy.deepcopy(network.state_dict())
    params = {"method": "finetune", "layer": "0", "trainer": trainer, "random_state": 0}
    clf = correct(network, X, MASK, y, **params)
    behind = {"3.weight", "3.bias", "5.weight", "5.bias"}  # and no statistics of the batch norm
    assert changed_weights(clf, network) == behind
    assert torch.equal(outputs(clf.undo(), X), outputs(network, X))
    assert all(torch.equal(state[name], t) for name, t in network.state_dict().items())
    assert list(clf.module_.state_dict()) == list(state)
    assert trainer.random_state is None
    np.testing.assert_array_equal(
        clf.decision_function(X),
        CorrectedClassifier(network, **params).fit(X, y, mask=MASK).decision_function(X),
    )


def test_training_on_features_is_training_on_the_copies_themselves(monkeypatch):
    """The layers before the site are frozen: whether they run makes no difference."""
    X, y = make_data(80)
    params = {"method": "finetune", "layer": "0", "trainer": TRAINER, "random_state": 0}
    on_features = correct(make_network(), X, MASK, y, **params)
    monkeypatch.setattr("skexplain.correction._corrected.find_tail", lambda *_: None)
    on_inputs = correct(make_network(), X, MASK, y, **params)
    for name, weights in on_inputs.module_.state_dict().items():
        torch.testing.assert_close(on_features.module_.state_dict()[name], weights)
    assert changed_weights(on_inputs, make_network())


def test_penalties_of_ones_own():
    X, y = make_data()
    trainer = GradRegClassifier(alpha=10, lr=0.1, max_epochs=4)
    clf = correct(Biased(), X, MASK, y, method="finetune", trainer=trainer, random_state=0)
    plain = abs(outputs(Biased(), np.eye(D)).diff()[-1].item())
    assert abs(outputs(clf.module_, np.eye(D)).diff()[-1].item()) < plain
    assert trainer.module == "auto"  # it is cloned


@pytest.mark.parametrize("mask", [np.zeros((1, D)), [None] * 200])
def test_masks_that_mark_nothing_change_no_bit(mask):
    X, y = make_data()
    with pytest.warns(MissingExplanationWarning):
        clf = correct(Biased(), X, mask, y, method="finetune")
    assert torch.equal(outputs(clf.module_, X), outputs(Biased(), X))
    assert clf.method_ == "nothing"


def test_what_shuffled_masks_reach_is_no_repair():
    """One column is marked in all samples, another one in each: whose mask it is tells nothing."""
    X, y = make_data(300)
    mask = np.repeat(MASK, 300, axis=0)
    mask[np.arange(300), np.random.default_rng(0).integers(1, D - 1, size=300)] = True
    clf = correct(Biased(), X, mask, y, method="finetune", trainer=TRAINER, random_state=0)
    assert clf.report_.gain > 0.05
    assert clf.report_.shuffled_gain == pytest.approx(clf.report_.gain, abs=0.03)
    assert not clf.report_.is_repair


def test_some_masks_and_clean_samples():
    X, y = make_data()
    mask = [MASK[0] if row % 2 else None for row in range(200)]
    for trainer in (TRAINER, SwapExClassifier(lr=0.05, max_epochs=3)):
        clf = correct(
            Biased(),
            X,
            mask,
            y,
            method="finetune",
            trainer=trainer,
            clean_share=0.2,
            random_state=0,
        )
        assert clf.report_.gain > 0


def test_a_network_with_one_output_and_a_head_that_stands_in():
    X, y = make_data()
    network = nn.Sequential(nn.Linear(D, 4), nn.Tanh(), nn.Linear(4, 1))
    params = {"method": "finetune", "trainer": TRAINER, "random_state": 0}
    for layer, seen in ((["0"], True), ("0", False)):
        clf = correct(network, X, MASK, y, layer=layer, seen=seen, **params)
        assert clf.module_(torch.zeros(3, D)).shape == (3, 1)
        assert clf.score(X, y) > 0.8


def test_errors_name_what_was_expected():
    X, y = make_data()
    with pytest.raises(TypeError, match="trainer must be None or a classifier of this package"):
        correct(Biased(), X, MASK, y, method="finetune", trainer=nn.Linear(1, 1))
    with pytest.raises(ValueError, match="y must be given with method='finetune'"):
        correct(Biased(), X, MASK, method="finetune")
    trainer = TwoStage(max_epochs=1)
    with pytest.raises(ValueError, match="without a mapping layer"):
        correct(make_network(), X, MASK, y, method="finetune", layer="0", trainer=trainer)
    few = [MASK[0] if label else None for label in y]
    with pytest.raises(ValueError, match='of all 2 classes for method="finetune", got 1'):
        correct(Biased(), X, few, y, method="finetune", exchange=False)


def test_images_are_augmented_and_not_their_features(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1, 8, 8)).astype(np.float32)
    mask = np.zeros((1, 8, 8))
    mask[:, :2] = 1
    shapes = []

    def note(images, masks, generator):
        shapes.append(images.shape[1:])
        return images, masks

    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 2))
    trainer = ERMClassifier(max_epochs=1, augment=note)
    params = {"method": "finetune", "layer": "0", "trainer": trainer, "random_state": 0}
    correct(network, X, mask, np.arange(40) % 2, **params)
    assert set(shapes) == {(1, 8, 8)}
