"""Check that images and masks come back as an estimator would see them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from skexplain.datasets import augment_images


def shift(images, masks, generator):
    """Move by two pixels to the right; zeros come in."""
    return tuple(functional.pad(part, (2, 0))[..., :-2] for part in (images, masks))


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (300, 3, 6, 6)).astype(np.uint8)


def test_marks_follow_and_what_comes_from_outside_is_unknown(images):
    mask = np.random.default_rng(1).choice([0, 0.5, 1, np.nan], (300, 6, 6))
    moved, moved_mask = augment_images(images, mask, augment=shift)
    np.testing.assert_array_equal(moved[..., 2:], images[..., :-2])
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved_mask[..., 2:], mask[..., :-2])
    assert np.isnan(moved_mask[..., :2]).all()
    # The marks are of either polarity: nothing is inverted.
    assert np.nanmean(moved_mask) == pytest.approx(np.nanmean(mask[..., :-2]))


@pytest.mark.parametrize("shape", [(300, 6, 6), (1, 6, 6), (300, 1, 6, 6), (300, 3, 6, 6)])
def test_masks_of_every_shape(images, shape):
    _, moved = augment_images(images, np.ones(shape, dtype=bool), augment=shift)
    assert moved.shape == (300, *shape[1:])
    assert (moved[..., 2:] == 1).all()


def test_samples_without_a_mask_have_none(images):
    _, moved = augment_images(images[:3], [None, np.ones((6, 6)), None], augment=shift)
    assert np.isnan(moved[::2]).all()
    assert np.nansum(moved[1]) == 24


def test_seeds(images):
    grey = images[:, 0] / 255
    first, again, other = (augment_images(grey, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.dtype == np.float64
    assert augment_images(grey)[1] is None
    assert 0 <= first.min() < first.max() <= 1


def test_integers_are_rounded_into_their_range(images):
    def brighter(images, masks, generator):
        return images + 20.6, masks

    moved, _ = augment_images(images, augment=brighter)
    expected = np.minimum(images.astype(int) + 21, 255)
    np.testing.assert_array_equal(moved, expected)


def test_errors(images):
    with pytest.raises(ValueError, match="augment must be None unless X holds images"):
        augment_images(images[:, 0, 0])
    for augment in (None, "strong"):
        with pytest.raises(ValueError, match='augment must be "light"'):
            augment_images(images, augment=augment)
    with pytest.raises(ValueError, match="X must hold finite numbers"):
        augment_images(np.full((2, 4, 4), np.nan))
    with pytest.raises(ValueError, match="X must hold numbers"):
        augment_images(np.full((2, 4, 4), "a"))
    with pytest.raises(ValueError, match="mask"):
        augment_images(images, np.ones((300, 5, 5)))
    with pytest.raises(TypeError, match="augment must return two tensors"):
        augment_images(images, augment=lambda images, masks, generator: torch.zeros(3))
