"""Batches by length: the same samples and outputs, with less padding."""

import numpy as np
import pytest
import torch
from _estimators import weights
from _texts import PAD, Attending, Reader, make_texts

from skexplain import (
    ERMClassifier,
    ERMRegressor,
    GradRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
)
from skexplain.training._lengths import outputs_by_length, split_by_length, text_lengths

X, Y, _ = make_texts(100)
# Of the token that is the shortcut, in each text but some.
MASK = [
    [float(place == 0) for place in range(X.shape[1])] if row % 3 else None for row in range(100)
]


class Wide(Reader):
    """Notes how many tokens a batch of training has."""

    seen = ()

    def forward(self, ids):
        if self.training:
            type(self).seen = (*self.seen, ids.shape[1])
        return super().forward(ids)


def fit(cls=ERMClassifier, module=Reader, X=X, mask=None, **params):
    settings = {"max_epochs": 3, "random_state": 0, "batch_size": 16, "batches_by_length": True}
    given = {} if mask is None else {"mask": mask}
    return cls(module, **{**settings, **params}).fit(X, Y, **given)


def test_lengths():
    ids = np.array([[3, PAD, 4, PAD], [PAD] * 4, [1, 2, 3, 4]])
    assert text_lengths(ids, PAD).tolist() == [3, 1, 4]


def test_batches_hold_each_sample_once_and_little_padding():
    lengths = torch.as_tensor(np.random.default_rng(0).integers(1, 50, size=1001))
    order = torch.randperm(1001, generator=torch.Generator().manual_seed(0))
    sizes = [16] * 61 + [25]

    def split(seed):
        return split_by_length(order, lengths, sizes, torch.Generator().manual_seed(seed))

    batches = split(0)
    assert sorted(map(len, batches)) == sizes
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(1001))
    assert all(map(torch.equal, batches, split(0)))
    assert not all(
        len(a) == len(b) and torch.equal(a, b) for a, b in zip(batches, split(1), strict=True)
    )

    def padded(parts):
        return sum(len(part) * int(lengths[part].max()) for part in parts)

    # Measured: 1.06 and 1.91 of the tokens.
    assert padded(batches) < 1.15 * lengths.sum()
    assert padded(order.split(sizes)) > 1.7 * lengths.sum()


def test_one_batch_of_all_is_the_same_up_to_rounding():
    by_length, plain = (
        fit(batch_size=-1, batches_by_length=given, max_epochs=20) for given in (True, False)
    )
    torch.testing.assert_close(weights(by_length), weights(plain), rtol=1e-3, atol=1e-5)


def test_the_network_is_given_less_padding():
    Wide.seen = ()
    fit(module=Wide)
    assert len(Wide.seen) == 3 * 7  # steps
    assert min(Wide.seen) < X.shape[1]
    assert sum(Wide.seen) < 0.9 * X.shape[1] * len(Wide.seen)


@pytest.mark.parametrize("cls", [SwapExClassifier, GradRegClassifier, PGDExClassifier])
def test_methods(cls):
    first, again = (fit(cls, mask=MASK) for _ in range(2))
    assert torch.equal(weights(first), weights(again))
    plain = first.set_params(batches_by_length=False).predict_proba(X)
    first.set_params(batches_by_length=True)
    np.testing.assert_allclose(first.predict_proba(X), plain, rtol=1e-5, atol=1e-7)
    for row in (0, 57):
        np.testing.assert_allclose(first.predict_proba(X[[row]])[0], plain[row], rtol=1e-5)


def test_outputs_are_in_the_order_of_X():
    def total(ids):
        return torch.as_tensor(ids).sum(1, keepdim=True)

    assert torch.equal(outputs_by_length(total, X, PAD, 7), total(X))


def test_regression_goes_on():
    reg = ERMRegressor(
        Reader, max_epochs=2, random_state=0, batches_by_length=True, warm_start=True
    )
    reg.fit(X, Y.astype(float)).fit(X[:50], Y[:50].astype(float))
    assert np.isfinite(reg.predict(X)).all()


def test_errors():
    with pytest.raises(ValueError, match="must be False for a network whose outputs depend on pad"):
        fit(module=Attending)
    with pytest.raises(ValueError, match="must be False unless X holds ids of tokens"):
        fit(module="auto", X=X.astype(float))

    class WithoutPadding(Reader):
        def __init__(self):
            super().__init__()
            self.embedding.padding_idx = None

    with pytest.raises(ValueError, match="where the id of padding is not known: pass pad_id"):
        fit(module=WithoutPadding)
    fit(module=WithoutPadding, pad_id=PAD)
