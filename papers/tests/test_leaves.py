"""Check the study of leaves: its data, its copies, and that each photograph is read once."""

import numpy as np
import pytest
import torch

from skexplain.studies import get_study
from skexplain_papers._augmentations import flip_and_shift
from skexplain_papers.ours import _leaf_models as models
from skexplain_papers.ours import _leaves as leaves


def moved(x, max_shift, seed=0):
    return flip_and_shift(x, max_shift, torch.Generator().manual_seed(seed))


def test_pictures_are_mirrored_along_either_axis():
    x = torch.rand(64, 2, 5, 7)
    axes = ((), (2,), (3,), (2, 3))
    mirrored = [x.flip(axis) for axis in axes]
    kinds = [
        next(i for i, each in enumerate(mirrored) if each[row].equal(result))
        for row, result in enumerate(moved(x, 0.0))
    ]
    assert set(kinds) == {0, 1, 2, 3}


def test_edges_are_repeated_where_a_picture_was_shifted():
    x = torch.arange(20.0).expand(200, 1, 20, 20)
    shown = moved(x, 0.1)
    assert {tuple(row.unique().tolist())[:1] for row in shown} == {(0.0,), (1.0,), (2.0,)}
    assert shown.equal(moved(x, 0.1))
    assert not shown.equal(moved(x, 0.1, seed=1))


class Mean(torch.nn.Module):
    """Stands for the pretrained network: maps of the mean colour."""

    n_seen = 0

    def extract_features(self, x):
        self.n_seen += len(x)
        return x.mean((2, 3), keepdim=True).expand(-1, -1, 2, 2)


@pytest.fixture
def network(monkeypatch):
    network = Mean()
    monkeypatch.setattr(models, "_kept", {})
    monkeypatch.setattr(models.Lite0, "_networks", [network])
    return network


def test_features_of_a_photograph_are_computed_once(network):
    X = np.random.default_rng(0).integers(256, size=(40, 3, 4, 4), dtype=np.uint8)
    features = models.Lite0Features().transform(X)
    np.testing.assert_allclose(features, (X.mean((2, 3)) - 127) / 128, atol=1e-5)
    assert network.n_seen == 40
    models.Lite0Features().transform(X[::-1])
    models.Lite0()(torch.from_numpy(X.astype(np.float32)))
    assert network.n_seen == 40


@pytest.mark.parametrize("swap", [False, True])
def test_a_head_is_fitted_on_moved_copies(network, swap):
    task = leaves._drawn_task(12, 0)
    clf = models.MovedCopies(models._head(), swap=swap, n_copies=2, random_state=0)
    clf.fit(task.X, task.y, mask=task.mask)
    assert len(task.X) < network.n_seen <= 2 * len(task.X)  # a move may change nothing
    assert set(clf.predict(task.X)) <= {0, 1}


def test_backgrounds_are_exchanged_or_alone():
    task = leaves._drawn_task(12, 0)
    shown, exchanged, alone = (test.X for test in task.tests.values())
    drawn = leaves.make_leaves(12, 0)
    leaf = ~np.broadcast_to(drawn.mask_test[:, None], shown.shape)
    np.testing.assert_array_equal(exchanged[leaf], shown[leaf])
    np.testing.assert_array_equal(alone[~leaf], shown[~leaf])
    assert (exchanged != shown)[~leaf].mean() > 0.9
    one_grey = np.where(leaf, alone, 0).max((2, 3)) == np.where(leaf, alone, 255).min((2, 3))
    assert one_grey.all()


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    study = get_study("leaves")
    assert study.lacks({"start": "scratch"}) == str(tmp_path / "plantvillage_apple" / "index.csv")
    assert study.lacks({"start": "drawn"}) == ""
    study.prepare("paper")  # needs no pretrained network where the photographs are missing
