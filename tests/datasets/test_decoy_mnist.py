"""Check every pixel of Decoy MNIST against its recipe, and that it is fetched only when it is
missing.
"""

import hashlib
import re

import numpy as np
import pytest
from _mnist_files import draw_digits, write_mnist
from numpy.testing import assert_array_equal

from skexplain.datasets import fetch_decoy_mnist
from skexplain.datasets._decoy_mnist import decoy_mnist

SHADES = {
    "corner": lambda digits: 255 - 25 * digits,
    "half": lambda digits: 25 * digits,
    "reversed": lambda digits: 255 - 25 * digits,
}
DECOYS = ["half", "stripes", "corner", "reversed"]
ROW_ARRAYS = ["data", "target", "mask", "groups", "data_test", "target_test", "mask_test"]
ROW_ARRAYS += ["groups_test", "data_random"]
PARTS = [("data", "mask"), ("data_test", "mask_test"), ("data_random", "mask")]
N_TRAIN, N_TEST = 5000, 2000  # more than one chunk, and one


@pytest.fixture(scope="module", params=DECOYS)
def decoy(request):
    return request.param


@pytest.fixture(scope="module")
def source():
    return (*draw_digits(N_TRAIN, 0), *draw_digits(N_TEST, 1))


@pytest.fixture(scope="module")
def digits(decoy, source):
    return decoy_mnist(*source, decoy, random_state=0)


def shown_digits(decoy, images, mask):
    """Read the digit off each row's decoy, after checking that every masked pixel tells it."""
    pixels = images[mask].reshape(len(images), -1).astype(int)
    if decoy != "stripes":
        assert_array_equal(pixels.min(axis=1), pixels.max(axis=1))
        digits = np.argmax(pixels[:, :1] == SHADES[decoy](np.arange(10)), axis=1)
        assert_array_equal(pixels[:, 0], SHADES[decoy](digits))
        return digits
    # The noise of 14 rows averages out beside an amplitude of 100.
    spectrum = np.abs(np.fft.rfft(pixels.reshape(-1, 14, 28).mean(axis=1), axis=1))
    return spectrum[:, 1:].argmax(axis=1)


def test_types_and_shapes(digits, source):
    for part, n_rows, target in [("", N_TRAIN, source[1]), ("_test", N_TEST, source[3])]:
        assert digits["data" + part].dtype == np.uint8
        assert digits["mask" + part].dtype == bool
        assert digits["data" + part].shape == digits["mask" + part].shape == (n_rows, 28, 28)
        assert_array_equal(digits["target" + part], target)
        assert_array_equal(digits["groups" + part], target)
        assert not np.shares_memory(digits["groups" + part], digits["target" + part])
    assert digits.data_random.shape == digits.data.shape
    assert digits.data_random.dtype == np.uint8
    assert_array_equal(digits.target_names, np.arange(10))


def test_training_decoy_is_the_label(decoy, digits):
    assert_array_equal(shown_digits(decoy, digits.data, digits.mask), digits.target)


@pytest.mark.parametrize(
    ("data", "mask", "target"),
    [("data_test", "mask_test", "target_test"), ("data_random", "mask", "target")],
)
def test_other_decoys_are_independent_of_the_label(decoy, digits, data, mask, target):
    if (decoy, data) == ("reversed", "data_test"):
        return  # has a test of its own
    shown, labels = shown_digits(decoy, digits[data], digits[mask]), digits[target]
    n_rows = len(labels)
    shares = np.bincount(shown, minlength=10) / n_rows
    assert np.all(np.abs(shares - 0.1) < 5 * np.sqrt(0.09 / n_rows))
    assert abs(np.mean(shown == labels) - 0.1) < 4 * np.sqrt(0.09 / n_rows)
    assert abs(np.corrcoef(shown, labels)[0, 1]) < 4 / np.sqrt(n_rows)


def test_random_decoys_change_nothing_else(digits):
    assert_array_equal(digits.data_random[~digits.mask], digits.data[~digits.mask])
    assert np.any(digits.data_random[digits.mask] != digits.data[digits.mask])


@pytest.mark.parametrize(("data", "mask"), PARTS)
@pytest.mark.parametrize(("decoy", "side"), [("corner", 4), ("reversed", 5)])
def test_corner_is_a_square_on_an_unchanged_digit(source, decoy, side, data, mask):
    digits = decoy_mnist(*source, decoy, random_state=0)
    corners = np.zeros((4, 28, 28), dtype=bool)
    corners[0, :side, :side] = corners[1, :side, -side:] = True
    corners[2, -side:, :side] = corners[3, -side:, -side:] = True
    which = (digits[mask][:, None] == corners).all(axis=(2, 3))
    assert_array_equal(which.sum(axis=1), 1)
    # Each corner has its quarter, within four standard errors.
    assert np.all(np.abs(which.mean(axis=0) - 0.25) < 4 * np.sqrt(0.1875 / len(which)))
    images = source[2] if data == "data_test" else source[0]
    assert_array_equal(digits[data][~digits[mask]], images[~digits[mask]])


def test_reversed_shades_follow_the_label_the_other_way(source):
    digits = decoy_mnist(*source, "reversed", random_state=0)
    shades = digits.data_test[digits.mask_test].reshape(N_TEST, 25)
    assert_array_equal(shades, np.repeat(25 * digits.target_test[:, None], 25, axis=1))


@pytest.mark.parametrize("decoy", ["half", "stripes"])
@pytest.mark.parametrize("mask", ["mask", "mask_test"])
def test_half_is_the_upper_or_the_lower_one(source, decoy, mask):
    masks = decoy_mnist(*source, decoy, random_state=0)[mask]
    upper = masks[:, 0, 0]
    assert abs(upper.mean() - 0.5) < 4 * np.sqrt(0.25 / len(upper))
    in_upper_half = np.arange(28)[:, None] < 14
    assert_array_equal(
        masks, np.broadcast_to(upper[:, None, None] == in_upper_half, (len(upper), 28, 28))
    )


def squeezed(images):
    """Return the digit's half of every training image, shape (n, 14, 28)."""
    labels = np.zeros(len(images), dtype=int)
    digits = decoy_mnist(images, labels, images, labels, "half", random_state=0)
    return digits.data[~digits.mask].reshape(-1, 14, 28).astype(int)


def test_squeezing_leaves_columns_as_they_are():
    """Weights add up to one, and each output row mixes pixels of one column only."""
    columns = np.random.default_rng(0).integers(256, size=(20, 1, 28), dtype=np.uint8)
    images = np.broadcast_to(columns, (20, 28, 28))
    assert_array_equal(squeezed(images), np.broadcast_to(columns, (20, 14, 28)))


def test_squeezing_keeps_slopes():
    """Where no border is in reach, row i is the slope's value between rows 2i and 2i + 1."""
    slope = np.broadcast_to(8 * np.arange(28, dtype=np.uint8)[:, None], (1, 28, 28))
    expected = 16 * np.arange(14) + 4
    assert_array_equal(squeezed(slope)[0, 2:-2], np.tile(expected[2:-2, None], 28))


def test_squeezing_is_bicubic_with_antialias():
    """Keys' kernel (a = -1/2) over twice its width: rows .25, .75, 1.25 and 1.75 away count."""
    images = np.full((1, 28, 28), 100, dtype=np.uint8)
    images[:, 13] = 200
    weights = {6: 0.8671875, 7: 0.2265625, 5: -0.0703125, 8: -0.0234375}
    expected = np.full(14, 100.0)
    for row, weight in weights.items():
        expected[row] += 100 * weight / 2
    assert_array_equal(squeezed(images)[0], np.tile(np.rint(expected)[:, None], 28))


def test_squeezing_does_not_wrap_around_at_edges():
    """Bicubic weights overshoot beside an edge: cut off at black and white."""
    edges = np.where(np.arange(28)[None] < np.arange(1, 28)[:, None], 0, 255).astype(np.uint8)
    halves = squeezed(np.repeat(edges[:, :, None], 28, axis=2))
    assert np.all(np.diff(halves, axis=1) >= 0)
    # An edge between two output rows leaves grey in these two alone.
    assert_array_equal(halves[13, :6], 0)
    assert_array_equal(halves[13, 8:], 255)


def test_stripes_hold_the_same_digits_as_half(source):
    """Places come first from the random state, so that both variants can be compared."""
    half, stripes = (decoy_mnist(*source, decoy, random_state=0) for decoy in ("half", "stripes"))
    assert_array_equal(half.mask, stripes.mask)
    assert_array_equal(half.data[~half.mask], stripes.data[~half.mask])


def test_stripes_are_a_shifted_sinusoid_with_noise(source):
    digits = decoy_mnist(*source, "stripes", random_state=0)
    texture = digits.data[digits.mask].reshape(-1, 14, 28).astype(float)
    wave = texture.mean(axis=1)
    coefficient = np.fft.rfft(wave, axis=1)[np.arange(N_TRAIN), digits.target + 1] / 14
    # Standard error 10 * sqrt(2 / (14 * 28)) = 0.7 in a row.
    assert np.all(np.abs(np.abs(coefficient) - 100) < 6 * 0.72)
    assert np.all(np.abs(wave.mean(axis=1) - 128) < 6 * 0.51)
    noise = (texture - wave[:, None]) * np.sqrt(14 / 13)
    assert abs(noise.std() - 10) < 0.1
    # The phase is uniform: its mean direction is within four standard errors of none.
    direction = np.mean(coefficient / np.abs(coefficient))
    assert abs(direction) < 4 / np.sqrt(N_TRAIN)


# -- randomness and arguments ---------------------------------------------------------------------


def test_equal_seeds_give_equal_bytes(decoy, digits, source):
    again = decoy_mnist(*source, decoy, random_state=np.random.RandomState(0))
    other = decoy_mnist(*source, decoy, random_state=1)
    for name in ROW_ARRAYS:
        assert_array_equal(again[name], digits[name])
    for name in ("mask", "mask_test", "data_test", "data_random"):
        assert np.any(other[name] != digits[name])


def test_arguments_and_global_random_state_are_untouched(decoy):
    source = (*draw_digits(20, 0), *draw_digits(10, 1))
    copies = [array.copy() for array in source]
    before = np.random.get_state()  # noqa: NPY002
    digits = decoy_mnist(*source, decoy)
    after = np.random.get_state()  # noqa: NPY002
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    for array, copy in zip(source, copies, strict=True):
        assert_array_equal(array, copy)
        assert not any(np.shares_memory(array, digits[name]) for name in ("data", "data_random"))


def test_the_test_set_may_be_empty(decoy):
    images, labels = draw_digits(10, 0)
    digits = decoy_mnist(images, labels, images[:0], labels[:0], decoy, random_state=0)
    assert digits.data_test.shape == (0, 28, 28)


def test_description_says_what_there_is(decoy, digits):
    shape = {"corner": "4x4", "reversed": "5x5"}.get(decoy, "half")
    for part in [decoy, shape, "5000 training", "CC BY-SA", "Ross", "Heo", "Rieger"]:
        assert part in digits.DESCR


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"decoy": "none"},
            "decoy must be one of ['corner', 'half', 'reversed', 'stripes']; got 'none'",
        ),
        ({"decoy": None}, "decoy must be one of"),
        ({"images": np.zeros((3, 28, 28))}, "images must be uint8 of shape (n, 28, 28); got float"),
        ({"images_test": np.zeros((3, 784), np.uint8)}, "images_test must be uint8 of shape (n,"),
        ({"labels": np.zeros(2, int)}, "labels must be integers of shape (3,), one for each of"),
        ({"labels_test": np.zeros(3)}, "labels_test must be integers of shape (3,)"),
        ({"labels": np.array([0, 10, 1])}, "labels must lie in 0 to 9; got 0 to 10"),
        ({"labels_test": np.array([0, -1, 1])}, "labels_test must lie in 0 to 9; got -1 to 1"),
        ({"random_state": "zero"}, "random_state must be an int"),
    ],
)
def test_bad_arguments_are_named(changed, message):
    images, labels = draw_digits(3, 0)
    arguments = {"images": images, "labels": labels, "images_test": images, "labels_test": labels}
    with pytest.raises(ValueError, match=re.escape(message)):
        decoy_mnist(**{**arguments, **changed})


# -- fetching -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    write_mnist(tmp_path, (*draw_digits(60, 0), *draw_digits(40, 1)), ".gz")
    return tmp_path


def test_fetched_is_what_is_made_of_the_files(home, decoy):
    fetched = fetch_decoy_mnist(decoy, data_home=home, random_state=0)
    made = decoy_mnist(*draw_digits(60, 0), *draw_digits(40, 1), decoy, random_state=0)
    assert fetched.DESCR == made.DESCR
    for name in ROW_ARRAYS:
        assert_array_equal(fetched[name], made[name])


# "half" and "stripes" leave rounding to torch and numpy: theirs may differ between versions.
@pytest.mark.parametrize(
    ("decoy", "sha256"),
    [
        ("corner", "8eaf993efab9702dac81845a67d13a3f38bd1e0748537f547444b621b2a6eeec"),
        ("reversed", "9fb61eccb6fcbeeb4209c36e5e46e05aa0bc5fde82d356854fdd4decd113993c"),
    ],
)
def test_equal_seeds_give_the_bytes_they_always_gave(home, decoy, sha256):
    digits = fetch_decoy_mnist(decoy, n_train=30, n_test=20, data_home=home, random_state=0)
    content = b"".join(digits[name].tobytes() for name in ROW_ARRAYS)
    assert hashlib.sha256(content).hexdigest() == sha256


def test_arguments_are_checked_before_files_are_looked_for(tmp_path):
    for arguments, message in [
        ({"decoy": "halves"}, "decoy must be one of"),
        ({"random_state": "zero"}, "random_state must be an int"),
        ({"n_train": 0}, "n_train must be a positive integer, got 0"),
        ({"n_test": 2.0}, r"n_test must be a positive integer, got 2\.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            fetch_decoy_mnist(data_home=tmp_path, download_if_missing=False, **arguments)
