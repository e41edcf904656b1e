"""Corrections of networks that read tokens: whole tokens are swapped, and padding stays."""

import numpy as np
import pytest
import torch
from _texts import MASK, PAD, FloatReader, Reader, make_texts

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.correction import CorrectedClassifier
from skexplain.correction._copies import SwappedCopies
from skexplain.correction._network import Network, Site
from skexplain.correction._tail import find_tail
from skexplain.metrics import nuisance_flip_rate

PROJECT = {"method": "project", "n_directions": 1, "n_copies": 1, "random_state": 0}
SHORT = {"max_epochs": 1, "random_state": 0}


@pytest.mark.parametrize("bare", [False, True])
def test_whole_tokens_are_swapped_and_padding_stays(bare, monkeypatch):
    X, y, _ = make_texts(80)
    mask = np.zeros(X.shape, dtype=bool)
    mask[np.arange(80), np.arange(80) % 2] = True  # the first or the second token
    mask[:, -1] = True  # padding in most texts
    model = ERMClassifier(Reader, **SHORT).fit(X, y)
    copies, draw = [], SwappedCopies.draw

    def keep(self, *args):
        copies.extend(draw(self, *args))
        yield from copies[-1:]

    monkeypatch.setattr(SwappedCopies, "draw", keep)
    model = model.module_ if bare else model
    CorrectedClassifier(model, exchange=False, **PROJECT).fit(X, y, mask=mask)
    (part, *others) = copies
    np.testing.assert_array_equal(part == PAD, X == PAD)
    assert set(part[:, 0]) == {2, 3}  # and no mean of ids, where a donor keeps its reason
    assert (part != X)[mask].any()
    assert not (part != X)[~mask].any()
    # Those of the control are of shuffled masks.
    assert all(np.array_equal(other == PAD, X == PAD) for other in others)


def test_a_network_that_leaves_out_padding_later_is_not_cut():
    X, y, _ = make_texts(80)
    X = X[np.argsort((X == PAD).sum(axis=1), kind="stable")]  # the first ones have none
    model = ERMClassifier(Reader, **SHORT).fit(X, y)
    network = Network(model, 128)
    assert find_tail(network, Site("mix", "behind", -1, is_head=False), X[:8]) is not None
    assert find_tail(network, Site("mix", "behind", -1, is_head=False), X) is None


def test_metrics_read_tokens_through_a_correction():
    X, y, mask = make_texts(80)
    plain = ERMClassifier(Reader, mask_id=MASK, **SHORT).fit(X, y)
    clf = CorrectedClassifier(plain, **PROJECT).fit(X, y, mask=mask)
    flipped = [nuisance_flip_rate(each, X, mask, perturbation="erase") for each in (plain, clf)]
    assert flipped[1] <= flipped[0]


def test_training_further_reads_tokens_as_the_network_does(monkeypatch):
    X, y, mask = make_texts(80)
    given = {"embedding_layer": "embedding", "pad_id": PAD, "mask_id": MASK}
    plain = ERMClassifier(FloatReader, **given, **SHORT).fit(X.astype(np.float32), y)
    fitted, fit = [], SwapExClassifier.fit

    def keep(self, *args, **kwargs):
        fitted.append(self)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(SwapExClassifier, "fit", keep)
    trainer = SwapExClassifier(max_epochs=1)
    params = {"method": "finetune", "layer": "mix", "trainer": trainer, "random_state": 0}
    clf = CorrectedClassifier(plain, n_copies=1, **params).fit(X.astype(np.float32), y, mask=mask)
    found = {(each.embedding_layer_, each.pad_id_, each.mask_id_) for each in fitted}
    assert found == {("layers.embedding", PAD, MASK)}
    assert torch.equal(clf.undo().mix.weight, plain.module_.mix.weight)
