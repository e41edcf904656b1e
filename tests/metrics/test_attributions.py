"""Check shares of saliency by hand and against a loop over the words of the paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from skexplain.metrics import irrelevant_saliency_mass, wrong_reason_share

METRICS = [irrelevant_saliency_mass, wrong_reason_share]
SHAPES = {"table": (7, 6), "grey images": (7, 3, 4), "images": (7, 2, 3, 4)}
every_metric = pytest.mark.parametrize("metric", METRICS)


def test_wrong_reasons_by_hand():
    saliency = [
        [[0, 2], [4, 0]],  # scaled 0 1/2 1 0: mean 3/8
        [[3, -5], [0, 3]],  # scaled 1 0 0 1: mean 1/2
        [[-1, -2], [-3, -4]],  # nothing positive: dropped
        [[8, 0], [0, 0]],  # scaled 1 0 0 0: mean 1/4
        [[1, 3], [5, 3]],  # scaled 0 1/2 1 1/2: mean 1/2
    ]
    # The threshold is the mean of these, 13/32: one half is active.
    mask = [
        [[1, 1], [0, 0]],  # one of two is active
        [[1, 0], [0, 1]],  # two of two
        [[1, 1], [1, 1]],
        [[0, 0], [0, 0]],  # does not count
        None,  # does not count, but its saliency does
    ]
    assert wrong_reason_share(saliency, mask) == pytest.approx((1 / 2 + 1) / 2)
    # Without the last row's half the threshold would be 3/8; of degrees, the second counts half.
    mask[0] = [[1, 0.5], [0, 0]]
    assert wrong_reason_share(saliency, mask) == pytest.approx((0.5 / 1.5 + 1) / 2)


def test_the_threshold_is_over_all_rows():
    """Whether one half is active depends on a row that has no mask."""
    saliency, mask = [[0, 1, 2.0], [0, 0, 1]], [[0, 1, 0], None]
    assert wrong_reason_share(saliency, mask) == 1  # mean 5/12
    saliency[1] = [0, 1, 1]
    assert wrong_reason_share(saliency, mask) == 0  # mean 7/12


def wrong_reasons_in_words(saliency, mask):
    """Friedrich et al.'s metric as a loop over images."""
    scaled = {}
    for i, image in enumerate(saliency):
        image = np.where(image > 0, image, 0)
        if image.max() > 0:
            scaled[i] = (image - image.min()) / (image.max() - image.min())
    threshold = np.mean([image.mean() for image in scaled.values()])
    return np.mean(
        [(image > threshold)[mask[i]].sum() / mask[i].sum() for i, image in scaled.items()]
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_wrong_reasons_are_those_of_the_paper(shape, seed):
    rng = np.random.default_rng(seed)
    saliency = rng.normal(size=shape)
    saliency[0] = 0
    mask = rng.random(shape) < 0.4
    mask.reshape(len(mask), -1)[:, 0] = True
    expected = wrong_reasons_in_words(saliency, mask)
    assert wrong_reason_share(saliency, mask) == pytest.approx(expected)
    # Each image has a scale of its own.
    scales = rng.uniform(0.1, 10, size=(len(saliency), *(1,) * (saliency.ndim - 1)))
    assert wrong_reason_share(saliency * scales, mask) == pytest.approx(expected)


def test_saliency_mass_by_hand():
    saliency = [[1, -3, 0], [2, 2, 4], [0, 0, 0], [5, 5, 5]]
    mask = [[0, 1, 1], [0.5, 0, 1], [1, 1, 1], [0, 0, 0]]
    # 3 of 4, and 1 + 4 of 8; the third has no saliency, the fourth nothing irrelevant.
    assert irrelevant_saliency_mass(saliency, mask) == pytest.approx((3 / 4 + 5 / 8) / 2)


@every_metric
def test_marks_of_reasons_and_unknown_ones(metric):
    saliency = np.random.default_rng(0).normal(size=(5, 4))
    marks = np.array([[1, 0, 0, 1]])
    expected = metric(saliency, marks)
    assert metric(saliency, 1 - marks, mask_marks="relevant") == expected
    assert metric(saliency, np.array([[1, np.nan, 0, 1]])) == expected
    assert metric(saliency, np.array([[0, np.nan, 1, 0]]), mask_marks="relevant") == expected


@every_metric
def test_one_mask_for_all_rows_and_channels(metric):
    saliency = np.random.default_rng(0).normal(size=(5, 3, 4, 2))
    marks = np.random.default_rng(1).random((1, 4, 2)) < 0.5
    everywhere = np.broadcast_to(marks[:, None], saliency.shape)
    assert_allclose(metric(saliency, marks), metric(saliency, everywhere))


@every_metric
def test_extremes(metric):
    inside = np.array([[1.0, 1.0, 0.0], [2.0, 1.5, 0.0]])
    assert metric(inside, [[1, 1, 0]]) == 1
    assert metric(inside, [[0, 0, 1]]) == 0


@every_metric
def test_nothing_to_be_seen_is_nan(metric):
    assert np.isnan(metric(np.zeros((2, 3)), [[1, 1, 0]]))
    assert np.isnan(metric([[0, 0], [1, 2]], [[1, 1], [0, 0]]))


@every_metric
@pytest.mark.parametrize(
    ("saliency", "mask", "marks", "text"),
    [
        ([1, 2], [1, 2], "irrelevant", "saliency must have a row per row of X"),
        ([[1, np.nan]], [[1, 0]], "irrelevant", "saliency must be finite"),
        ([[1, 2]], [[1, 0, 0]], "irrelevant", "mask must have shape"),
        ([[1, 2]], [[0, 0]], "irrelevant", "mask must mark something irrelevant"),
        ([[1, 2]], None, "irrelevant", "mask must mark something irrelevant"),
        ([[1, 2]], [[1, 0]], "both", "mask_marks must be one of"),
    ],
)
def test_bad_input_is_named(metric, saliency, mask, marks, text):
    with pytest.raises(ValueError, match=text):
        metric(saliency, mask, mask_marks=marks)
