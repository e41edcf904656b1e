"""Whole tokens are exchanged: never a mean, never padding, never a reason of the donor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.masks import interpret_mask
from skexplain.masks._tokens import draw_tokens, exchange_tokens, swap_tokens

PAD = 0


def draw_case(seed, n=5, width=7, share=0.4):
    """Samples of different lengths, with marks; every id says from which sample and place it is."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, width + 1, n)
    real = np.arange(width) < lengths[:, None]
    ids = np.where(real, 1 + np.arange(n * width).reshape(n, width), PAD)
    marks = (rng.random((n, width)) < share) & real
    return torch.tensor(ids, dtype=torch.float32), torch.tensor(marks, dtype=torch.float32), real


def generator(seed):
    return torch.Generator().manual_seed(seed)


@settings(max_examples=30)
@given(st.integers(0, 500))
def test_a_swap_gives_irrelevant_tokens_for_irrelevant_ones(seed):
    ids, a, real = draw_case(seed)
    donors = torch.randperm(len(ids), generator=generator(seed))
    swapped = swap_tokens(ids, a, ids[donors], a[donors], generator(seed))
    assert torch.equal(swapped[a == 0], ids[a == 0])  # reasons and padding stay
    givable = set(ids[a == 1].tolist())
    for i, donor in enumerate(donors.tolist()):
        own = set(ids[donor][a[donor] == 1].tolist()) or givable
        for place in np.flatnonzero(a[i]):
            token = swapped[i, place].item()
            assert token in own
            if a[donor, place] == 1:
                assert token == ids[donor, place]


@settings(max_examples=30)
@given(st.integers(0, 500))
def test_an_exchange_takes_what_either_marks_and_keeps_the_length(seed):
    ids, a, real = draw_case(seed, share=0.2)
    donors = torch.randperm(len(ids), generator=generator(seed))
    otherwise = -torch.ones_like(ids)
    got = exchange_tokens(ids, a, ids[donors], a[donors], otherwise, PAD, generator(seed))
    for i, donor in enumerate(donors.tolist()):
        union = ((a[i] + a[donor]) > 0).numpy() & real[i]
        if union.sum() > real[i].sum() / 2:
            assert (got[i] == -1).all()
            continue
        np.testing.assert_array_equal(got[i][~union], ids[i][~union])
        assert (got[i][real[i]] != PAD).all()
        for place in np.flatnonzero(union & real[donor]):
            assert got[i, place] == ids[donor, place]


def test_a_degree_is_the_probability_that_a_token_goes():
    drawn = draw_tokens(torch.full((200, 200), 0.3), generator(0)).float().mean()
    assert drawn == pytest.approx(0.3, abs=0.01)
    assert not draw_tokens(torch.zeros(50, 50)).any()
    assert draw_tokens(torch.ones(50, 50)).all()


def test_a_sample_keeps_its_tokens_where_nothing_can_be_given():
    ids = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(swap_tokens(ids, torch.ones(2, 3), ids.flip(0), torch.zeros(2, 3)), ids)


@pytest.mark.parametrize("marks", ["irrelevant", "relevant"])
@settings(max_examples=30)
@given(seed=st.integers(0, 300))
def test_padding_is_neither_irrelevant_nor_known(marks, seed):
    _, a, real = draw_case(seed)
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(a.shape) < 0.2, np.nan, a.numpy())
    masks = interpret_mask(values, values.shape, marks=marks).without(~real)
    full = interpret_mask(values, values.shape, marks=marks)
    irrelevance, known = masks.degrees_of(np.arange(len(real)))
    of_all, known_of_all = full.degrees_of(np.arange(len(real)))
    expected = np.where(real, of_all, 0)
    if real.all():
        assert masks.absent is None
    else:
        np.testing.assert_array_equal(irrelevance, expected)
        known_of_all = np.ones_like(real) if known_of_all is None else known_of_all.numpy()
        np.testing.assert_array_equal(known, known_of_all & real)
        np.testing.assert_array_equal(masks.annotated, (known_of_all & real).any(axis=1))
    np.testing.assert_array_equal(masks.has_irrelevant, (expected > 0).any(axis=1))


def test_marks_are_alike_where_all_real_tokens_are_marked_alike():
    real = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)
    masks = interpret_mask([[1, 1, 0], [1, 0, 0], [np.nan, 1, 1], [1, 1, 1]], (4, 3)).without(~real)
    np.testing.assert_array_equal(masks.marks_alike(), [True, False, False, True])


def test_padding_does_not_make_parts_of_what_is_most_of_a_text():
    rng = np.random.default_rng(0)
    real = np.broadcast_to(np.arange(100) < 10, (40, 100))
    mask = (rng.random((40, 100)) < 0.6) & real  # most of the words
    assert interpret_mask(mask, mask.shape).marks_parts
    assert not interpret_mask(mask, mask.shape).without(~real).marks_parts
    few = (rng.random((40, 100)) < 0.1) & real
    assert interpret_mask(few, few.shape).without(~real).marks_parts
