"""Check both rules of the toy colours against their definition, and their probabilities against the
original.
"""

import re

import numpy as np
import pytest
from _pictures import check_seeds, sha256
from numpy.testing import assert_array_equal

from skexplain.datasets import make_toy_colors
from skexplain.masks import interpret_mask

PALETTE = [(255, 0, 0), (0, 255, 0), (0, 128, 255), (128, 0, 255)]
CORNERS = [(0, 0), (0, 4), (4, 0), (4, 4)]
TOP_MIDDLE = [(0, 1), (0, 2), (0, 3)]


@pytest.fixture(scope="module")
def colors():
    return make_toy_colors(random_state=0)


@pytest.fixture(scope="module", params=["", "_test"])
def part(request, colors):
    """Images as indices into the palette, and their classes."""
    pixels = colors["data" + request.param].reshape(-1, 25, 1, 3)
    matches = (pixels == PALETTE).all(axis=-1)
    assert_array_equal(matches.sum(axis=-1), 1)  # every pixel has a colour of the palette
    return matches.argmax(axis=-1).reshape(-1, 5, 5), colors["target" + request.param]


def assert_share(hits, probability, n_errors=4):
    """Check that a share lies within so many standard errors of a probability."""
    hits = np.asarray(hits)
    error = np.sqrt(probability * (1 - probability) / len(hits))
    assert np.all(np.abs(hits.mean(axis=0) - probability) < n_errors * error)


def test_types_and_shapes(colors):
    for part in ["", "_test"]:
        assert colors["data" + part].shape == (20_000, 75)
        assert colors["data" + part].dtype == np.uint8
        assert colors["mask" + part].shape == (1, 75)
        assert colors["mask" + part].dtype == bool
        assert_array_equal(np.unique(colors["target" + part]), [0, 1])
    assert len(colors.target_names) == 2


def test_both_rules_hold_in_class_0_and_neither_in_class_1(part):
    for grid, label in zip(*part, strict=True):
        assert (len({grid[pixel] for pixel in CORNERS}) == 1) == (label == 0)
        assert (len({grid[pixel] for pixel in TOP_MIDDLE}) == 3) == (label == 0)


def test_classes_are_equally_probable(part):
    assert_share(part[1], 1 / 2)


def test_one_of_two_corner_pairs_is_made_to_differ(part):
    grid = part[0][part[1] == 1]
    same_falling = grid[:, 0, 0] == grid[:, 4, 4]
    same_rising = grid[:, 0, 4] == grid[:, 4, 0]
    assert not np.any(same_falling & same_rising)
    # The pair that was not chosen is equal by chance: 1/2 * 1/4.
    assert_share(same_falling, 1 / 8)
    assert_share(same_rising, 1 / 8)


def test_top_is_a_uniform_arrangement_or_has_a_repeat(part):
    grid, target = part
    code = grid[:, 0, 1:4] @ [16, 4, 1]
    arrangements = np.unique(code[target == 0])
    assert len(arrangements) == 4 * 3 * 2
    assert_share(code[target == 0][:, None] == arrangements, 1 / 24)
    # 40 of 64 triples repeat a colour at once, 4 of them three times; the other 24 have pixels
    # redrawn until one equals one other, any of three pairs, which never makes all three equal.
    first, second, third = grid[target == 1, 0, 1:4].T
    assert_share((first == second) & (second == third), 4 / 64)
    for one, other in [(first, second), (second, third), (first, third)]:
        assert_share(one == other, (4 + 12 + 8) / 64)


@pytest.mark.parametrize("label", [0, 1])
def test_every_pixel_has_all_colours_alike(part, label):
    grid = part[0][part[1] == label]
    for color in range(4):
        assert_share(grid == color, 1 / 4, n_errors=4.5)  # 25 pixels, 4 colours, 4 times
    assert_share(grid[:, 1:4, :-1] == grid[:, 1:4, 1:], 1 / 4, n_errors=4.5)  # neighbours


def test_columns_have_the_names_of_their_pixels(colors):
    images = make_toy_colors(images=True, random_state=0)
    assert images.data.shape == (20_000, 3, 5, 5)
    assert images.data.flags.c_contiguous
    assert_array_equal(images.target_test, colors.target_test)
    assert len(set(colors.feature_names)) == 75
    for column, name in enumerate(colors.feature_names):
        _, row, across, channel = name.split("_")
        plane = images.data_test[:, ["red", "green", "blue"].index(channel)]
        assert_array_equal(colors.data_test[:, column], plane[:, int(row), int(across)])
    assert "feature_names" not in images


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize(("rule", "pixels"), [("corners", CORNERS), ("top_middle", TOP_MIDDLE)])
def test_masks_are_the_pixels_of_a_rule_or_all_others(images, rule, pixels):
    expected = np.zeros((5, 5), dtype=bool)
    for pixel in pixels:
        expected[pixel] = True
    for name, irrelevant in [(rule, expected), (f"all_but_{rule}", ~expected)]:
        colors = make_toy_colors(5, 3, irrelevant=name, images=images, random_state=0)
        assert interpret_mask(colors.mask, colors.data.shape).for_all_rows
        # Channels stand last in a row of columns, first in an image.
        by_pixel = colors.mask.reshape(5, 5, 3) if not images else colors.mask[0, 0][..., None]
        assert_array_equal(by_pixel, np.broadcast_to(irrelevant[..., None], by_pixel.shape))
        assert_array_equal(colors.mask, colors.masks[name])
        assert_array_equal(colors.mask_test, colors.mask)
        assert not np.shares_memory(colors.mask, colors.masks[name])
        assert set(colors.masks) == {
            "corners",
            "top_middle",
            "all_but_corners",
            "all_but_top_middle",
        }


def test_masks_do_not_change_the_images():
    first = make_toy_colors(50, 20, irrelevant="corners", random_state=0)
    second = make_toy_colors(50, 20, irrelevant="all_but_top_middle", random_state=0)
    assert_array_equal(first.data, second.data)
    assert_array_equal(first.data_test, second.data_test)


def test_sizes_may_differ_and_be_one():
    colors = make_toy_colors(1, 7, random_state=0)
    assert colors.data.shape == (1, 75)
    assert colors.data_test.shape == (7, 75)


def test_seeds():
    check_seeds(lambda **seed: make_toy_colors(100, 100, **seed))


def test_seed_gives_the_same_bytes_everywhere():
    checksum = "5e61fc2b6a27424b1b487697d8b5163275d2cef8486b74c601392e8675694d51"
    assert sha256(make_toy_colors(500, 300, random_state=0)) == checksum


def test_description_says_what_there_is():
    description = make_toy_colors(12, 34, irrelevant="all_but_corners", random_state=0).DESCR
    for part in ["12 training and 34 test", "all but corners", "75 columns", "Ross", "BSD-3"]:
        assert part in description


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"irrelevant": "centre"}, ValueError, "irrelevant must be one of ['all_but_corners'"),
        ({"irrelevant": ["corners"]}, ValueError, "irrelevant must be one of"),
        ({"n_samples": 0}, ValueError, "n_samples"),
        ({"n_test": 2.5}, TypeError, "n_test"),
        ({"images": "yes"}, TypeError, "images must be a bool; got 'yes'"),
        ({"random_state": "zero"}, ValueError, "random_state must be an int"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make_toy_colors(**parameters)
