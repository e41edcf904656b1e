"""Check masks that are resized, united, inverted and measured."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skexplain.masks import (
    interpret_mask,
    invert_mask,
    mask_coverage,
    pool_masks,
    resize_mask,
    union_masks,
)

SIDES = st.integers(1, 9)
SHAPES = st.tuples(st.integers(1, 3), SIDES, SIDES)
DEGREES = st.sampled_from([0, 0.25, 0.5, 1, np.nan])
BOOLS = SHAPES.flatmap(lambda shape: hnp.arrays(bool, shape))
SOFT = SHAPES.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=DEGREES))


def block_means(mask, height, width):
    """Mean of what is known over new pixels, on a grid so fine that no pixel is cut."""
    n, h, w = mask.shape
    fine = mask.astype(float).repeat(height, axis=1).repeat(width, axis=2)
    blocks = fine.reshape(n, height, h, width, w).transpose(0, 1, 3, 2, 4)
    blocks = blocks.reshape(n, height, width, -1)
    known = ~np.isnan(blocks)
    sums, counts = np.where(known, blocks, 0).sum(axis=-1), known.sum(axis=-1)
    return np.where(counts, sums / np.maximum(counts, 1), np.nan)


# -- resize --------------------------------------------------------------------------------------


@given(BOOLS | SOFT, SIDES, SIDES)
def test_area(mask, height, width):
    resized = resize_mask(mask, (height, width))
    np.testing.assert_allclose(resized, block_means(mask, height, width), atol=1e-6)
    interpret_mask(resized, resized.shape)  # rounding never leaves [0, 1]


@given(BOOLS | SOFT, SIDES, SIDES)
def test_nearest(mask, height, width):
    resized = resize_mask(mask, (height, width), method="nearest")
    assert resized.dtype == mask.dtype
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(mask)[:, None].double(), (height, width), mode="nearest-exact"
    )
    # torch places a pixel in floating point; where its centre is between two, both are nearest.
    rows, columns = (
        (2 * np.arange(new) + 1) * old % (2 * new) == 0
        for old, new in zip(mask.shape[1:], (height, width), strict=True)
    )
    sure = ~(rows[:, None] | columns)
    np.testing.assert_array_equal(resized[:, sure], expected[:, 0].numpy()[:, sure])


def test_nearest_is_exact_at_every_size():
    for old in range(1, 40):
        for new in range(1, 40):
            marks = np.eye(old, dtype=bool)[:, None]
            found = resize_mask(marks, (1, new), method="nearest")[:, 0].argmax(axis=0)
            assert found.tolist() == [(2 * i + 1) * old // (2 * new) for i in range(new)]


def test_resize_keeps_other_axes_and_rows_without_annotation():
    mask = np.random.default_rng(0).random((2, 3, 4, 6)) < 0.5
    resized = resize_mask(mask, (2, 3))
    assert resized.shape == (2, 3, 2, 3)
    np.testing.assert_array_equal(resized[1, 2], resize_mask(mask[1, 2][None], (2, 3))[0])
    rows = resize_mask([None, mask[0, 0]], (2, 3))
    assert np.isnan(rows[0]).all()
    np.testing.assert_array_equal(rows[1], resized[0, 0])
    assert resize_mask(mask, (4, 6)) is mask


# -- union and inversion -------------------------------------------------------------------------


@given(BOOLS, st.data())
def test_union_of_bool(first, data):
    second = data.draw(hnp.arrays(bool, first.shape))
    union = union_masks(first, second, np.zeros((1, *first.shape[1:]), dtype=bool))
    assert union.dtype == bool
    np.testing.assert_array_equal(union, first | second)


@given(SOFT)
def test_pooled_masks_are_the_union_of_all_rows(mask):
    pooled = pool_masks(mask)
    assert pooled.shape == (1, *mask.shape[1:])
    np.testing.assert_array_equal(pooled, union_masks(*mask[:, None]))
    # A row that marks nothing adds what is known; one without a mask adds nothing.
    np.testing.assert_array_equal(pool_masks([*mask, None]), pooled)
    np.testing.assert_array_equal(
        pool_masks([*mask, np.zeros_like(mask[0])]), np.nan_to_num(pooled)
    )


@given(SOFT, st.data())
def test_union_and_inverse_with_unknown(first, data):
    second = data.draw(hnp.arrays(np.float32, first.shape, elements=DEGREES))
    union = union_masks(first, second)
    known = ~(np.isnan(first) & np.isnan(second))
    np.testing.assert_array_equal(~np.isnan(union), known)
    expected = np.maximum(np.nan_to_num(first), np.nan_to_num(second))
    np.testing.assert_array_equal(union[known], expected[known])
    np.testing.assert_array_equal(union_masks(second, first), union)
    np.testing.assert_array_equal(invert_mask(invert_mask(first)), first)
    np.testing.assert_array_equal(invert_mask(first), 1 - first)


def test_union_of_different_people():
    """Each looked at rows of their own; a list and an array, a mask of uint8 and one of bool."""
    first = [[[1, 0]], None, None]
    second = np.array([[[np.nan, np.nan]], [[0, 1]], [[np.nan, np.nan]]])
    union = union_masks(first, second)
    np.testing.assert_array_equal(union, [[[1, 0]], [[0, 1]], [[np.nan, np.nan]]])
    eights = union_masks(np.array([[0, 1]], dtype=np.uint8), [[True, False]])
    assert eights.dtype == np.uint8
    assert eights.tolist() == [[1, 1]]


def test_union_leaves_its_arguments_alone():
    first, second = np.zeros((2, 3), dtype=bool), np.ones((1, 3), dtype=bool)
    assert union_masks(first, second).all()
    assert not first.any()
    alone = union_masks(first)
    alone[:] = True
    assert not first.any()


def test_inverse_keeps_dtype_and_meaning():
    for dtype in (bool, np.uint8, np.float32):
        mask = np.array([[1, 0, 1]], dtype=dtype)
        inverse = invert_mask(mask)
        assert inverse.dtype == dtype
        assert inverse.tolist() == [[0, 1, 0]]
    frame = pd.DataFrame({"age": [0, 1], "city": [1, 1]})
    pd.testing.assert_frame_equal(
        invert_mask(frame), pd.DataFrame({"age": [1, 0], "city": [0, 0]}), check_dtype=False
    )


@given(SOFT)
def test_an_inverse_is_the_other_polarity(mask):
    ours = interpret_mask(invert_mask(mask), mask.shape)
    other = interpret_mask(mask, mask.shape, marks="relevant")
    for mine, theirs in zip(
        ours.degrees(torch.from_numpy(ours.values)),
        other.degrees(torch.from_numpy(other.values)),
        strict=True,
    ):
        assert (mine is None and theirs is None) or torch.equal(mine, theirs)


# -- coverage ------------------------------------------------------------------------------------


def test_coverage_by_hand():
    mask = [[1, 0, 0, np.nan], None, [0, 0, 0, 0], [1, 0.5, 0, 0.5]]
    coverage = mask_coverage(mask)
    assert coverage.n_samples == 4
    assert coverage.annotated.tolist() == [True, False, True, True]
    np.testing.assert_allclose(coverage.marked, [1 / 3, np.nan, 0, 0.5])
    assert coverage.quantiles == pytest.approx(
        {0: 0, 0.25: 1 / 6, 0.5: 1 / 3, 0.75: 5 / 12, 1: 0.5}
    )
    assert repr(coverage).splitlines() == [
        "3 of 4 samples annotated, 1 of them with nothing marked",
        "marked share of an annotated sample (min, quartiles, max): 0, 0.167, 0.333, 0.417, 0.5",
    ]


def test_coverage_of_one_mask_for_all_rows():
    coverage = mask_coverage(np.array([[True, False]]), n_samples=7)
    assert coverage.annotated.tolist() == [True] * 7
    assert coverage.marked.tolist() == [0.5] * 7


def test_coverage_where_nobody_annotated():
    coverage = mask_coverage(np.full((3, 2), np.nan))
    assert repr(coverage).startswith("0 of 3 samples annotated, 0 of them")
    assert all(np.isnan(value) for value in coverage.quantiles.values())


@given(SOFT)
def test_coverage_and_interpretation_agree(mask):
    masks = interpret_mask(mask, mask.shape)
    coverage = mask_coverage(mask)
    np.testing.assert_array_equal(coverage.annotated, masks.annotated)
    np.testing.assert_array_equal(coverage.marked > 0, masks.has_irrelevant)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [invert_mask, mask_coverage, union_masks])
@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (None, TypeError, "mask must be an array or a list"),
        ([None, None], ValueError, "mask must have an annotated sample"),
        ([True, False], ValueError, "mask must have shape"),
        (np.full((2, 2), 255), ValueError, "mask must hold bool, numbers in"),
        ([[[1, 0]], [[1]], None], ValueError, "mask must hold masks of one shape"),
        ([["a"]], TypeError, "mask must hold bool"),
    ],
)
def test_illegal_masks(function, mask, error, message):
    with pytest.raises(error, match=message):
        function(mask)


def test_bad_arguments():
    table = np.zeros((2, 3), dtype=bool)
    with pytest.raises(ValueError, match=r"mask must have shape \(n_samples or 1, ..., h, w\)"):
        resize_mask(table, (2, 2))
    with pytest.raises(ValueError, match=r"shape must be \(height, width\)"):
        resize_mask(table[None], 2)
    with pytest.raises(ValueError, match="method must be"):
        resize_mask(table[None], (2, 2), method="bilinear")
    with pytest.raises(ValueError, match="at least one mask"):
        union_masks()
    with pytest.raises(ValueError, match="one number of axes"):
        union_masks(table, table[None])
    with pytest.raises(ValueError, match="one shape, or 1 on an axis"):
        union_masks(table, table[:, :2])
    for n_samples in (3, 1.5):
        with pytest.raises(ValueError, match="1 or n_samples"):
            mask_coverage(table, n_samples=n_samples)
