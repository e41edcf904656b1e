"""Check that tokens of vision transformers are laid out as the pictures whose patches they are."""

import numpy as np
import pytest
import torch
from _vision_transformer import VisionTransformer
from torch import nn

from skexplain import (
    CDEPClassifier,
    ExplanationClassifier,
    GradCAMRegClassifier,
    HINTClassifier,
    IBPExClassifier,
)
from skexplain.inspection import predict_bounds, saliency
from skexplain.penalties import EnergyPenalty, GradCAMPenalty
from skexplain.penalties._token_grid import as_map


def pictures(*size):
    return torch.zeros(2, 3, *size)


def tokens_of(values, n_extra):
    """Tokens whose single channel holds the values of a grid, behind some others."""
    flat = torch.as_tensor(values, dtype=torch.float32).flatten().expand(2, -1)
    return torch.cat([torch.full((2, n_extra), -1.0), flat], 1)[:, :, None]


@pytest.mark.parametrize("n_extra", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("size", "grid"),
    [((224, 224), (14, 14)), ((56, 112), (7, 14)), ((98, 70), (7, 5)), ((230, 230), (14, 14))],
)
def test_patches_are_laid_out_row_by_row(size, grid, n_extra):
    values = np.arange(np.prod(grid)).reshape(grid)
    laid_out = as_map(tokens_of(values, n_extra), pictures(*size))
    assert laid_out.shape == (2, 1, *grid)
    np.testing.assert_array_equal(laid_out[1, 0], values)


def test_what_is_no_grid_is_an_error():
    with pytest.raises(ValueError, match="layer must return maps, or tokens .* got 13 tokens"):
        as_map(torch.zeros(2, 13, 5), pictures(3, 9))


def test_channels_on_the_last_axis():
    last = torch.arange(2 * 7 * 7 * 16).view(2, 7, 7, 16)
    assert as_map(last, pictures(56, 56)).equal(last.permute(0, 3, 1, 2))
    for first in (torch.zeros(2, 16, 7, 7), torch.zeros(2, 4, 4, 4), torch.zeros(2, 7, 7, 12)):
        assert as_map(first, pictures(56, 56)) is first
    series = torch.zeros(2, 4, 9)
    assert as_map(series, torch.zeros(2, 3, 18)) is series


# -- networks -------------------------------------------------------------------------------------


class Pooled(nn.Module):
    """Patches as tokens or as a map, on the same weights."""

    def __init__(self, as_tokens):
        super().__init__()
        self.patches = nn.Conv2d(3, 5, 4, stride=4)
        self.layer = nn.Identity()
        self.head = nn.Linear(5, 2)
        self.as_tokens = as_tokens

    def forward(self, x):
        maps = self.patches(x).tanh()
        extra = torch.ones(len(x), 1, 5) * x.mean((1, 2, 3))[:, None, None]
        if self.as_tokens:
            tokens = self.layer(torch.cat([extra, maps.flatten(2).transpose(1, 2)], 1))
            maps, extra = tokens[:, 1:].transpose(1, 2), tokens[:, :1]
        else:
            maps = self.layer(maps).flatten(2)
        return self.head(maps.square().mean(2) + extra[:, 0])


RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 3, 8, 8)).astype(np.float32)
Y = np.arange(16) % 2
MASK = np.zeros((16, 8, 8), dtype=bool)
MASK[:, :4, :4] = True


@pytest.mark.parametrize("cls", [GradCAMRegClassifier, HINTClassifier])
def test_tokens_train_as_the_map_that_they_are(cls):
    maps, tokens = (Pooled(as_tokens) for as_tokens in (False, True))
    tokens.load_state_dict(maps.state_dict())
    fitted = [
        cls(module, layer="layer", max_epochs=3, random_state=0, device="cpu").fit(X, Y, mask=MASK)
        for module in (maps, tokens)
    ]
    outputs = [clf.predict_proba(X) for clf in fitted]
    np.testing.assert_allclose(*outputs, rtol=1e-4, atol=1e-6)
    shown = [saliency(clf, X, method="grad_cam", layer="layer") for clf in fitted]
    np.testing.assert_allclose(*shown, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("cls", [GradCAMRegClassifier, HINTClassifier])
def test_a_block_before_the_last(cls):
    params = {"layer": "blocks.0", "max_epochs": 2, "random_state": 0, "device": "cpu"}
    weights = [
        cls(VisionTransformer, alpha=alpha, **params).fit(X, Y, mask=MASK).module_.patches.weight
        for alpha in (0.0, 1.0)
    ]
    assert not weights[0].equal(weights[1])


def test_energy_of_tokens_is_that_of_the_map():
    maps, tokens = (Pooled(as_tokens) for as_tokens in (False, True))
    tokens.load_state_dict(maps.state_dict())
    penalties = [("energy", EnergyPenalty("layer"))]
    losses = [
        ExplanationClassifier(module, penalties=penalties, max_epochs=2, random_state=0)
        .fit(X, Y, mask=MASK)
        .history_[:, "train_energy"]
        for module in (maps, tokens)
    ]
    assert losses[0][0] > 0
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_tokens_that_nothing_reads_are_an_error():
    with pytest.raises(ValueError, match="one whose tokens .*got 'blocks.1'.*earlier"):
        GradCAMPenalty("blocks.1").check_module(VisionTransformer(2).eval(), torch.from_numpy(X))


@pytest.mark.parametrize("cls", [IBPExClassifier, CDEPClassifier])
def test_bounds_and_decompositions_of_attention(cls):
    clf = cls(VisionTransformer, max_epochs=1, random_state=0, device="cpu")
    clf.fit(X, Y, mask=MASK)
    lower, upper = predict_bounds(clf, X[:4], MASK[:4], 0.05)
    change = np.random.default_rng(0).uniform(-0.05, 0.05, X[:4].shape) * MASK[:4, None]
    moved = X[:4] + change * X.std((0, 2, 3), keepdims=True)
    probabilities = clf.predict_proba(moved.astype(np.float32))
    assert (lower < upper).all()
    assert (lower - 1e-5 <= probabilities).all()
    assert (probabilities <= upper + 1e-5).all()
