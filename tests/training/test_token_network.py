"""The built-in network for texts: padding takes no part."""

import numpy as np
import torch

from skexplain.training._token_network import TokenNetwork


def network(**options):
    torch.manual_seed(0)
    return TokenNetwork(6, 2, pad_id=0, neutral_id=1, width=4, **options).eval()


def test_outputs_by_hand():
    net = network()
    ids = torch.tensor([[2, 3, 2, 0, 0], [0, 0, 0, 0, 0]])
    rows = net.embedding.weight[[2, 3, 2]]
    pooled = torch.cat([rows.mean(0), rows.max(0).values])
    expected = torch.stack([net.head(pooled), net.head.bias])
    torch.testing.assert_close(net(ids), expected)


def test_padding_takes_no_part():
    net = network()
    ids = torch.tensor([[2, 3, 4]])
    torch.testing.assert_close(net(ids), net(torch.cat([ids, torch.zeros(1, 9, dtype=int)], 1)))
    with torch.no_grad():
        net.embedding.weight[0] = 7
    torch.testing.assert_close(net(ids), net(torch.cat([ids, torch.zeros(1, 9, dtype=int)], 1)))


def test_what_says_nothing_begins_as_zeros():
    weight = network().embedding.weight.detach().numpy()
    assert not weight[:2].any()
    assert (weight[2:] != 0).all()
    assert np.abs(weight).max() < 0.5


def test_scale_of_targets():
    net = network(target_scale=(100.0, 5.0))
    ids = torch.tensor([[2, 3]])
    torch.testing.assert_close(net(ids), net.head[0](_pooled(net, ids)) * 5 + 100)


def _pooled(net, ids):
    rows = net.embedding(ids)
    return torch.cat([rows.mean(1), rows.amax(1)], 1)
