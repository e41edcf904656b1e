"""Check every pixel and every mask of Color MNIST against its recipe."""

import hashlib

import numpy as np
import pytest
import scipy.stats
from _mnist_files import draw_digits, write_mnist
from numpy.testing import assert_array_equal

from skexplain.datasets import fetch_color_mnist
from skexplain.datasets._color_mnist import _draw_pixels
from skexplain.masks import interpret_mask

# What the package `colour` 0.1.5 gives for Color("red").range_to(Color("purple"), 10), of 255.
PALETTE = [
    (255.0, 0.0, 0.0),
    (240.889, 133.827, 0.0),
    (201.580, 226.778, 0.0),
    (70.889, 212.667, 0.0),
    (0.0, 198.556, 44.123),
    (0.0, 184.444, 143.457),
    (0.0, 113.556, 170.333),
    (0.0, 17.358, 156.222),
    (63.160, 0.0, 142.111),
    (128.0, 0.0, 128.0),
]
N_TRAIN, N_TEST = 4200, 60  # more than one chunk, and one


@pytest.fixture(scope="module")
def source():
    return (*draw_digits(N_TRAIN, 0), *draw_digits(N_TEST, 1))


@pytest.fixture(scope="module")
def home(tmp_path_factory, source):
    folder = tmp_path_factory.mktemp("home")
    write_mnist(folder, source)
    return folder


@pytest.fixture(scope="module")
def digits(home):
    return fetch_color_mnist(data_home=home, random_state=0)


def test_types_and_shapes(digits, source):
    for part, n_rows, target in [("", N_TRAIN, source[1]), ("_test", N_TEST, source[3])]:
        assert digits["data" + part].dtype == np.uint8
        assert digits["mask" + part].dtype == bool
        assert digits["data" + part].shape == (n_rows, 3, 28, 28)
        assert digits["mask" + part].shape == (n_rows, 1, 28, 28)
        assert_array_equal(digits["target" + part], target)
        assert_array_equal(digits["groups" + part], target)
    assert_array_equal(digits.target_names, np.arange(10))
    assert f"{N_TRAIN} training and {N_TEST} test" in digits.DESCR


def test_palette_is_that_of_the_paper(digits):
    np.testing.assert_allclose(255 * digits.palette, PALETTE, atol=1e-3)


@pytest.mark.parametrize(
    ("part", "position", "color_of"), [("data", 0, lambda d: d), ("data_test", 2, lambda d: 9 - d)]
)
def test_pixels_are_grey_times_colour(digits, source, part, position, color_of):
    images, labels = source[position : position + 2]
    for row in range(30):
        color = np.array(PALETTE[color_of(labels[row])])[:, None, None] / 255
        # Within rounding of both.
        assert np.all(np.abs(digits[part][row] - images[row] * color) < 0.501)


def test_all_rows_are_painted(digits, source):
    """The brightest channel tells the grey value times the colour's largest part."""
    largest = np.max(PALETTE, axis=1)[source[1]][:, None, None] / 255
    assert np.all(np.abs(digits.data.max(axis=1) - source[0] * largest) < 0.501)


def test_random_colours_are_independent_of_the_label(digits, source):
    # A row whose grey value is 255 somewhere shows its colour there.
    images = source[0].reshape(N_TRAIN, -1)
    rows = np.flatnonzero((images == 255).any(axis=1))
    shown = digits.data_random.reshape(N_TRAIN, 3, -1)[rows, :, images[rows].argmax(axis=1)]
    distance = np.abs(shown[:, None] - np.array(PALETTE)).max(axis=2)
    assert np.all(distance.min(axis=1) < 0.51)
    color, labels = distance.argmin(axis=1), digits.target[rows]
    share = np.bincount(color, minlength=10) / len(rows)
    assert np.all(np.abs(share - 0.1) < 5 * np.sqrt(0.09 / len(rows)))
    assert abs(np.mean(color == labels) - 0.1) < 4 * np.sqrt(0.09 / len(rows))


def test_lit_is_the_share_of_training_images(digits, source):
    assert digits.lit[3, 4] == np.sum(source[0][:, 3, 4] != 0) / N_TRAIN
    assert digits.lit.shape == (28, 28)


def test_masks_are_eight_pixels_each(digits):
    for mask in (digits.mask, digits.mask_test):
        assert_array_equal(mask.sum(axis=(1, 2, 3)), 8)


def test_pixels_are_drawn_in_proportion_to_how_often_they_are_lit():
    """Two kinds of pixels, one lit three times as often; pixels that are never lit are not drawn.

    Drawing one after the other without replacement follows Wallenius' distribution.
    """
    lit = np.zeros(784)
    lit[:20], lit[20:720] = 0.9, 0.3
    mask = _draw_pixels(20000, lit.reshape(28, 28), np.random.RandomState(0)).reshape(20000, -1)
    assert_array_equal(mask.sum(axis=1), 8)
    assert not mask[:, 720:].any()
    expected = scipy.stats.nchypergeom_wallenius.mean(720, 20, 8, 3)  # .63
    got = mask[:, :20].sum(axis=1)
    assert abs(got.mean() - expected) < 5 * got.std() / np.sqrt(20000)


def test_fewer_lit_pixels_than_are_drawn():
    lit = np.zeros((28, 28))
    lit[5, 5] = lit[5, 6] = 0.5
    mask = _draw_pixels(3, lit, np.random.RandomState(0))
    assert_array_equal(mask, np.broadcast_to(lit > 0, mask.shape))


def test_masks_are_legal_for_the_images(digits):
    masks = interpret_mask(digits.mask, digits.data.shape)
    assert masks.has_irrelevant.all()


def test_equal_seeds_give_equal_bytes(home):
    def fetch(random_state):
        return fetch_color_mnist(data_home=home, n_train=50, n_test=20, random_state=random_state)

    first, again, other = fetch(0), fetch(np.random.RandomState(0)), fetch(1)
    names = ["data", "target", "mask", "data_test", "target_test", "mask_test", "data_random"]
    for name in names:
        assert_array_equal(first[name], again[name])
        assert np.any(first[name] != other[name])
    digest = hashlib.sha256(b"".join(first[name].tobytes() for name in names)).hexdigest()
    assert digest == "f2d307758606913ec5553269d35122f1dd8705d445525e7b2bab05d72c01c04a"
