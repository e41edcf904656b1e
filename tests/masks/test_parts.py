"""Check places that are the same in all masks, which then hold for samples without one."""

import numpy as np
import pytest

from skexplain.masks import interpret_mask


def masks_of(given, n=30, **params):
    """Masks of n samples, of which only the first have one."""
    given = np.asarray(given, dtype=float)
    mask = np.full((n, *given.shape[1:]), np.nan)
    mask[: len(given)] = given
    return interpret_mask(mask, mask.shape, **params)


def corner(n=6, size=6):
    marks = np.zeros((n, size, size))
    marks[:, :2, :2] = 1
    return marks


def test_a_place_that_all_masks_mark():
    masks = masks_of(corner())
    np.testing.assert_array_equal(masks.pooled.numpy(), corner(1))


def test_several_places_and_samples_that_mark_nothing():
    """Two words, one in the texts of each class, and texts without either."""
    marks = np.zeros((9, 10))
    marks[:3, 2], marks[3:6, 7] = 1, 1
    expected = np.zeros((1, 10))
    expected[0, [2, 7]] = 1
    np.testing.assert_array_equal(masks_of(marks).pooled.numpy(), expected)


def test_the_largest_degree_of_each_feature():
    marks = np.zeros((3, 10))
    marks[:, 4] = [0.2, 0.7, 0.5]
    np.testing.assert_allclose(masks_of(marks).pooled.numpy()[0, 4], 0.7, rtol=1e-6)


@pytest.mark.parametrize("agreeing", [17, 18])
def test_nine_tenths_of_the_marks_must_agree(agreeing):
    """18 of 20 marks at a place of several samples are enough, 17 of 20 are not."""
    marks = np.zeros((20, 12))
    marks[:agreeing, 0] = 1
    for row, place in zip(range(agreeing, 20), range(1, 4), strict=False):
        marks[row, place] = 1
    assert (masks_of(marks).pooled is None) == (agreeing == 17)


def test_a_single_mask_tells_nothing_of_the_others():
    assert masks_of(corner(1)).pooled is None


def test_places_that_differ_are_nobody_elses():
    marks = np.zeros((6, 40))
    marks[np.arange(6), 5 * np.arange(6)] = 1
    assert masks_of(marks).pooled is None


def test_places_that_cover_most_of_a_sample():
    """Each quarter of the columns is marked in a quarter of the samples: all of them together."""
    marks = np.kron(np.repeat(np.eye(4), 4, axis=0), np.ones(4))
    masks = masks_of(marks)
    assert masks.marks_parts
    assert masks.pooled is None


def test_nobody_lacks_a_mask():
    assert masks_of(corner(30)).pooled is None


@pytest.mark.parametrize("marks", [corner()[:1], np.ones((6, 6, 6))])
def test_no_parts_no_places(marks):
    mask = marks if len(marks) == 1 else None
    masks = masks_of(marks) if mask is None else interpret_mask(mask, (30, 6, 6))
    assert masks.pooled is None


def test_marks_of_reasons():
    assert masks_of(1 - corner(), marks="relevant").pooled is None


def test_a_list_with_none_and_an_array_with_nan_agree():
    listed = interpret_mask([*corner(), *[None] * 24], (30, 6, 6))
    np.testing.assert_array_equal(listed.pooled.numpy(), masks_of(corner()).pooled.numpy())


@pytest.mark.parametrize("share", [0.1, 0.29, 0.3, 0.6])
@pytest.mark.parametrize("alike", [True, False])
def test_bools_and_degrees_are_parts_alike(share, alike):
    marks = np.random.default_rng(0).random((40, 4)) < share
    marks[:, 0] = np.arange(40) % 3 > 0
    if alike:
        marks[:] = marks[1]
    as_bools, as_degrees = (interpret_mask(m, m.shape) for m in (marks, marks.astype(float)))
    assert as_bools.marks_parts == as_degrees.marks_parts
