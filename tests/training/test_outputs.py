"""What a network returns is read, and replaced, in whatever it is wrapped."""

from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import ERMClassifier
from skexplain.correction import correct
from skexplain.training._outputs import first_output, replace_first_output

Pair = namedtuple("Pair", ["first", "second"])
Output = namedtuple("Output", ["hidden", "logits"])
KINDS = {
    "tensor": lambda h: h,
    "tuple": lambda h: (h, "more"),
    "list": lambda h: [h, "more"],
    "named tuple": lambda h: Pair(h, "more"),
    "named tuple of logits": lambda h: Output("more", h),
    "dict": lambda h: {"loss": "more", "logits": h},
    "mapping": lambda h: OrderedDict(loss="more", logits=h),
    "object": lambda h: SimpleNamespace(loss="more", logits=h),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_value_is_read_and_replaced(kind):
    old, new = torch.zeros(2), torch.ones(2)
    outputs = KINDS[kind](old)
    assert first_output(outputs) is old
    changed = replace_first_output(outputs, new)
    assert type(changed) is type(outputs)
    assert changed is new or changed == KINDS[kind](new)
    assert first_output(changed) is new
    assert first_output(outputs) is old


@pytest.mark.parametrize("outputs", [(), [], {}, {"scores": 1}, 3])
def test_what_has_no_value_stays(outputs):
    assert first_output(outputs) is outputs


class Wrapped(nn.Module):
    """A network whose first part, and which itself, return something of a kind."""

    def __init__(self, kind):
        super().__init__()
        self.body, self.head, self.kind = Body(kind), nn.Linear(8, 2), kind

    def forward(self, x):
        return KINDS[self.kind](self.head(first_output(self.body(x))))


class Body(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.linear, self.kind = nn.Linear(4, 8), kind

    def forward(self, x):
        return KINDS[self.kind](self.linear(x).relu())


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_all_kinds_are_trained_and_corrected_alike(kind):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    X = rng.normal(size=(80, 4)) + y[:, None] * [1, 0, 0, 3]
    networks = []
    for each in ("tensor", kind):
        torch.manual_seed(0)
        networks.append(Wrapped(each))
    plain, wrapped = (
        ERMClassifier(network, max_epochs=3, lr=0.01, random_state=0).fit(X, y)
        for network in networks
    )
    np.testing.assert_array_equal(wrapped.predict_proba(X), plain.predict_proba(X))
    settings = {"method": "project", "n_directions": 1, "random_state": 0}
    for layer in (None, "body"):
        expected, found = (
            correct(network, X, [[0, 0, 0, 1]], y, layer=layer, **settings) for network in networks
        )
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
        assert (found.predict_proba(X) != plain.predict_proba(X)).any()
