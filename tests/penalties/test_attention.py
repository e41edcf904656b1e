"""Attention supervision: weights are those of attention by hand, however a network computes it."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from _texts import N_IDS, PAD, make_case, make_texts
from torch import nn
from torch.nn import functional

from skexplain import ERMClassifier, ExplanationClassifier
from skexplain.penalties import AttentionPenalty


class Network(nn.Module):
    """One layer of attention, computed in one of several ways."""

    def __init__(self, way="multihead"):
        super().__init__()
        self.way = way
        self.embedding = nn.Embedding(N_IDS, 8, padding_idx=PAD)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, ids):
        x, there = self.embedding(ids), ids != PAD
        if self.way in ("multihead", "with weights"):
            options = {"key_padding_mask": ~there, "need_weights": self.way == "with weights"}
            mixed, weights = self.attention(x, x, x, **options)
            assert (weights is None) == (self.way == "multihead")
        else:
            query, key, value = self.parts(x)
            mask = there[:, None, None, :]
            if self.way == "fused":
                mixed = functional.scaled_dot_product_attention(query, key, value, mask)
            else:
                scores = (query @ key.mT / 2).masked_fill(~mask, -torch.inf)
                mixed = torch.softmax(scores, -1) @ value
            mixed = self.attention.out_proj(mixed.transpose(1, 2).flatten(2))
        return self.head((mixed * there[:, :, None]).sum(1))

    def parts(self, x):
        layer = self.attention
        parts = functional.linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, -1)
        return [part.unflatten(2, (2, 4)).transpose(1, 2) for part in parts]


def by_hand(network, ids):
    """Mean over two heads of the weights of each text, in numpy."""
    with torch.no_grad():
        query, key, _ = (part.numpy() for part in network.parts(network.embedding(ids.long())))
    scores = np.einsum("nhqd,nhkd->nhqk", query, key) / math.sqrt(4)
    scores = np.where((ids == PAD).numpy()[:, None, None, :], -np.inf, scores)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return (scores / scores.sum(-1, keepdims=True)).mean(1)


@pytest.fixture
def case():
    _, rows = make_case(0)
    torch.manual_seed(0)
    return Network().double().eval(), rows


@pytest.mark.parametrize("way", ["multihead", "with weights", "fused", "written out"])
@pytest.mark.parametrize("query", [None, 0, 2])
def test_values(case, way, query):
    network, rows = case
    network.way = way
    weights = by_hand(network, rows.x)
    expected = []
    for n, ids in enumerate(rows.x.numpy()):
        real = ids != PAD
        attention = weights[n, real].mean(0) if query is None else weights[n, query]
        kept = (1 - rows.irrelevance[n].numpy()) * attention * real
        expected.append(-np.log(kept.sum() / (attention * real).sum()))
    penalty = AttentionPenalty(query=query)
    penalty.check_module(network, rows.x[:2].long())
    values = penalty(of_floats(network), rows)
    np.testing.assert_allclose(values.detach(), expected, rtol=1e-10)
    values.sum().backward()
    assert network.attention.in_proj_weight.grad.abs().sum() > 0


def of_floats(network):
    """Return the network behind a layer that makes ids of floats."""

    class ToIds(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x.long())

    return ToIds()


def test_unknown_tokens_count_in_neither_sum(case):
    network, rows = case
    known = rows.known & (torch.arange(rows.x.shape[1]) != 1)
    irrelevance = torch.zeros_like(rows.x)
    irrelevance[:, 0] = 1
    rows = replace(rows, known=known, irrelevance=irrelevance)
    weights = torch.as_tensor(by_hand(network, rows.x))[:, 0]
    others = (weights[:, 2:] * known[:, 2:]).sum(1)
    values = AttentionPenalty(query=0)(of_floats(network), rows)
    torch.testing.assert_close(values, -(others / (weights[:, 0] + others)).log())
    nothing_else = replace(rows, irrelevance=known.double())
    values = AttentionPenalty()(of_floats(network), nothing_else)
    assert values.tolist() == [0.0] * len(rows.x)


def test_outputs_stay_as_they_are(case):
    network, rows = case
    before = network(rows.x.long())
    AttentionPenalty()(of_floats(network), rows)
    assert torch.equal(network(rows.x.long()), before)
    assert not network._forward_hooks
    assert not network._forward_pre_hooks


def test_a_layer_of_several():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(N_IDS, 8, padding_idx=PAD)
            layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(8, 2)

        def forward(self, ids):
            x = self.blocks(self.embedding(ids), src_key_padding_mask=ids == PAD)
            return self.head(x[:, 0])

    torch.manual_seed(0)
    network, (_, rows) = Deep().double().eval(), make_case(0)
    first, second, last = (
        AttentionPenalty(layer)(network_, rows).detach()
        for layer, network_ in (
            ("network.blocks.layers.0", of_floats(network)),
            ("network.blocks.layers.1", of_floats(network)),
            (None, of_floats(network)),
        )
    )
    torch.testing.assert_close(second, last)
    assert not torch.allclose(first, second)
    # The first layer attends to the embedding itself.
    alone = Network().double()
    alone.embedding, alone.attention = network.embedding, network.blocks.layers[0].self_attn
    torch.testing.assert_close(first, AttentionPenalty()(of_floats(alone), rows).detach())


def test_training_moves_attention_away():
    X, y, mask = make_texts()
    settings = {"max_epochs": 20, "lr": 0.01, "random_state": 0, "pad_id": PAD}
    supervised = ExplanationClassifier(
        Network, penalties=[("attention", AttentionPenalty("attention"))], **settings
    ).fit(X, y, mask=mask)
    plain = ERMClassifier(Network, **settings).fit(X, y)

    def attended(clf):
        weights = by_hand(clf.module_.eval(), torch.as_tensor(X))
        real = (X != PAD)[:, :, None]
        return ((weights * real).sum(1) / real.sum(1))[:, 0].mean()

    # Measured: .36 and .10.
    assert attended(plain) > 0.25
    assert attended(supervised) < 0.15


@pytest.mark.parametrize("way", ["multihead", "with weights", "fused", "written out"])
def test_bfloat16(case, way):
    """Weights in bfloat16 have three digits; sums over them and the logarithm are in float32."""
    network, rows = case
    network.float().way = way
    rows = replace(rows, x=rows.x.float(), irrelevance=rows.irrelevance.float())
    expected = AttentionPenalty()(of_floats(network), rows)
    with torch.autocast("cpu", torch.bfloat16):
        values = AttentionPenalty()(of_floats(network), rows)
    assert values.dtype == torch.float32
    assert not torch.equal(values, expected)
    torch.testing.assert_close(values, expected, rtol=0.02, atol=0.002)


def test_training_in_bfloat16_moves_attention_away_as_well():
    X, y, mask = make_texts()
    clf = ExplanationClassifier(
        Network,
        penalties=[("attention", AttentionPenalty("attention"))],
        mixed_precision=True,
        max_epochs=20,
        lr=0.01,
        random_state=0,
        pad_id=PAD,
    ).fit(X, y, mask=mask)
    weights = by_hand(clf.module_.eval(), torch.as_tensor(X))
    real = (X != PAD)[:, :, None]
    # Measured: .10, and .36 without the penalty.
    assert ((weights * real).sum(1) / real.sum(1))[:, 0].mean() < 0.15


def test_errors():
    X, y, mask = make_texts()

    def fit(module, penalty, X=X):
        penalties = [("attention", penalty)]
        ExplanationClassifier(module, penalties=penalties, max_epochs=1).fit(X, y, mask=mask)

    with pytest.raises(ValueError, match="layer must name a submodule.*'depth'"):
        fit(Network, AttentionPenalty("depth"))
    with pytest.raises(
        ValueError, match="layer must be one in which attention is computed.*'head'"
    ):
        fit(Network, AttentionPenalty("head"))
    with pytest.raises(ValueError, match="query must be a position of the 8 tokens of X; got 8"):
        fit(Network, AttentionPenalty(query=8))
    with pytest.raises(ValueError, match="query must be a position from 0 or None; got -1"):
        fit(Network, AttentionPenalty(query=-1))
    with pytest.raises(ValueError, match="layer must be the name of a layer or None; got 3"):
        fit(Network, AttentionPenalty(3))

    class OfNumbers(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.head = (
                nn.MultiheadAttention(4, 2, batch_first=True),
                nn.Linear(4, 2),
            )

        def forward(self, x):
            x = x[:, :, None].expand(-1, -1, 4)
            return self.head(self.attention(x, x, x)[0].mean(1))

    for module in (OfNumbers, nn.Sequential(nn.Linear(X.shape[1], 2))):  # with attention or not
        with pytest.raises(ValueError, match="AttentionPenalty is for ids of tokens"):
            fit(module, AttentionPenalty(), X.astype(float))


def test_networks_of_transformers():
    """The weights are those that transformers return themselves, in both forms of attention."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=N_IDS, intermediate_size=16, pad_token_id=PAD, **sizes
    )
    torch.manual_seed(0)
    eager, fused = (
        transformers.BertForSequenceClassification._from_config(
            copy.deepcopy(config), attn_implementation=form
        ).eval()
        for form in ("eager", "sdpa")
    )
    fused.load_state_dict(eager.state_dict())
    X = torch.as_tensor(make_texts(4)[0])
    there = (X != PAD).long()
    with torch.no_grad():
        attentions = eager(X, attention_mask=there, output_attentions=True).attentions
        for number in (0, 1):
            penalty = AttentionPenalty(f"network.bert.encoder.layer.{number}")
            for network in (eager, fused):

                class Masked(nn.Module):
                    def __init__(self, network):
                        super().__init__()
                        self.network = network

                    def forward(self, ids):
                        return self.network(ids, attention_mask=(ids != PAD).long()).logits

                torch.testing.assert_close(
                    penalty._weights(Masked(network), X), attentions[number].mean(1)
                )


class Uniform(nn.Module):
    """Attention whose scores are multiplied by a number."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.embedding = nn.Embedding(N_IDS, 8, padding_idx=PAD)
        self.head = nn.Linear(8, 2)

    def forward(self, ids):
        x = self.embedding(ids)[:, None]
        mixed = functional.scaled_dot_product_attention(x, x, x, scale=self.scale)
        return self.head(mixed[:, 0].mean(1))


@pytest.mark.parametrize("scale", [None, 0.0, 2.0])
def test_the_scale_of_scores_is_read(scale):
    network = Uniform(scale)
    ids = torch.randint(2, N_IDS, (3, 5))
    with torch.no_grad():
        x = network.embedding(ids)
        scores = x @ x.mT * (1 / math.sqrt(8) if scale is None else scale)
        expected = scores.softmax(-1).numpy()
        found = AttentionPenalty()._weights(network, ids).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    if scale == 0:
        np.testing.assert_allclose(found, 0.2, rtol=1e-6)
