"""Decoy MNIST: files in the idx format, whole and broken, and every pixel against its recipe."""

import gzip
import re
import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain.datasets._mnist import decoy_mnist, load_mnist_files, read_idx

SHADES = {
    "corner": lambda digits: 255 - 25 * digits,
    "half": lambda digits: 25 * digits,
}
DECOYS = ["half", "stripes", "corner"]
ROW_ARRAYS = ["data", "target", "mask", "groups", "data_test", "target_test", "mask_test"]
ROW_ARRAYS += ["groups_test", "data_random"]
PARTS = [("data", "mask"), ("data_test", "mask_test"), ("data_random", "mask")]
N_TRAIN, N_TEST = 5000, 2000  # more than one chunk, and one
NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def idx(array):
    """Write an array of bytes in the idx format, by hand."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def draw_digits(n_rows, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(n_rows, 28, 28), dtype=np.uint8)
    return images, rng.integers(10, size=n_rows)


@pytest.fixture(scope="module", params=DECOYS)
def decoy(request):
    return request.param


@pytest.fixture(scope="module")
def source():
    return (*draw_digits(N_TRAIN, 0), *draw_digits(N_TEST, 1))


@pytest.fixture(scope="module")
def digits(decoy, source):
    return decoy_mnist(*source, decoy, random_state=0)


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (0, 28, 28)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_read_idx(tmp_path, shape, compress):
    array = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    (tmp_path / "file").write_bytes(compress(idx(array)))
    read = read_idx(tmp_path / "file")
    assert read.dtype == np.uint8
    assert read.shape == shape
    assert read.flags.writeable
    assert_array_equal(read, array)


WHOLE = idx(np.zeros((2, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be an idx file of bytes, which begins with 00 00 08; got an empty file"),
        (b"\x00\x00", "got 00 00."),
        (b"<html>", "got 3c 68 74."),
        (b"\x00\x00\x0d" + WHOLE[3:], "got 00 00 0d."),
        (b"\x00\x00\x08\x00\x00", "a header of 4 bytes for its 0 axes, at least one"),
        (WHOLE[:11], "must have a header of 12 bytes for its 2 axes, at least one; got a file of"),
        (WHOLE[:-1], "must hold 18 bytes for an array of shape (2, 3); got 17."),
        (WHOLE + b"\x00", "must hold 18 bytes for an array of shape (2, 3); got 19."),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "must hold 79228162458924105385300197391 bytes"),
        (gzip.compress(WHOLE)[:-9], "must be a complete gzip file"),
        (gzip.compress(WHOLE)[:-8] + bytes(8), "must be a complete gzip file"),
        (gzip.compress(WHOLE)[:10] + b"\xff" * 20, "must be a complete gzip file"),
        (gzip.compress(WHOLE[:-1]), "must hold 18 bytes for an array of shape (2, 3); got 17."),
    ],
)
def test_broken_files_are_named(tmp_path, content, message):
    path = tmp_path / "some-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"some-idx1-ubyte.*{re.escape(message)}"):
        read_idx(path)


def write_mnist(folder, arrays, ending=""):
    compress = gzip.compress if ending else bytes
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / f"{name}{ending}").write_bytes(compress(idx(array.astype(np.uint8))))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_load_mnist_files(tmp_path, ending):
    arrays = (*draw_digits(6, 0), *draw_digits(4, 1))
    write_mnist(tmp_path, arrays, ending)
    loaded = load_mnist_files(str(tmp_path))
    for got, expected, dtype in zip(loaded, arrays, [np.uint8, np.int64] * 2, strict=True):
        assert got.dtype == dtype
        assert_array_equal(got, expected)


def test_missing_files_are_named(tmp_path):
    write_mnist(tmp_path, (*draw_digits(6, 0), *draw_digits(4, 1)))
    (tmp_path / NAMES[1]).unlink()
    (tmp_path / NAMES[2]).unlink()
    message = rf"{re.escape(str(tmp_path))} lacks {NAMES[1]}, {NAMES[2]}: put the files"
    with pytest.raises(FileNotFoundError, match=message):
        load_mnist_files(tmp_path)
    with pytest.raises(FileNotFoundError, match=", ".join(NAMES)):
        load_mnist_files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("position", "array", "message"),
    [
        (0, np.zeros((6, 32, 32)), "images of 28x28 pixels; got an array of shape (6, 32, 32)"),
        (1, np.zeros(5), "a label for each of the 6 images of train-images-idx3-ubyte; got"),
        (2, np.zeros((4, 784)), "images of 28x28 pixels; got an array of shape (4, 784)"),
        (3, np.zeros((4, 1)), "a label for each of the 4 images of t10k-images-idx3-ubyte; got"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, position, array, message):
    arrays = [*draw_digits(6, 0), *draw_digits(4, 1)]
    arrays[position] = array
    write_mnist(tmp_path, arrays)
    with pytest.raises(ValueError, match=f"{NAMES[position]}.*{re.escape(message)}"):
        load_mnist_files(tmp_path)


# -- recipes --------------------------------------------------------------------------------------


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
def test_corner_is_a_square_on_an_unchanged_digit(source, data, mask):
    digits = decoy_mnist(*source, "corner", random_state=0)
    corners = np.zeros((4, 28, 28), dtype=bool)
    corners[0, :4, :4] = corners[1, :4, 24:] = corners[2, 24:, :4] = corners[3, 24:, 24:] = True
    which = (digits[mask][:, None] == corners).all(axis=(2, 3))
    assert_array_equal(which.sum(axis=1), 1)
    # Each corner has its quarter, within four standard errors.
    assert np.all(np.abs(which.mean(axis=0) - 0.25) < 4 * np.sqrt(0.1875 / len(which)))
    images = source[2] if data == "data_test" else source[0]
    assert_array_equal(digits[data][~digits[mask]], images[~digits[mask]])


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
    for part in [decoy, "4x4" if decoy == "corner" else "half", "5000 training", "Ross", "Heo"]:
        assert part in digits.DESCR


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decoy": "none"}, "decoy must be one of ['corner', 'half', 'stripes']; got 'none'"),
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
