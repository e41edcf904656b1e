"""Check that MNIST is read from files in the idx format, found or downloaded, and that broken files
raise an error.
"""

import gzip
import hashlib
import os
import re

import numpy as np
import pytest
from _mirrors import dead_mirror, serve
from _mnist_files import NAMES, draw_digits, idx, write_mnist
from numpy.testing import assert_array_equal
from sklearn.utils import Bunch

from skexplain.datasets import _mnist, fetch_decoy_mnist, get_data_home
from skexplain.datasets._mnist import load_mnist, load_mnist_files, read_idx


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


# No time of writing in the archives: test processes must collect the same names.
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
        (gzip.compress(WHOLE, mtime=0)[:-9], "must be a complete gzip file"),
        (gzip.compress(WHOLE, mtime=0)[:-8] + bytes(8), "must be a complete gzip file"),
        (gzip.compress(WHOLE, mtime=0)[:10] + b"\xff" * 20, "must be a complete gzip file"),
        (
            gzip.compress(WHOLE[:-1], mtime=0),
            "must hold 18 bytes for an array of shape (2, 3); got 17.",
        ),
    ],
)
def test_broken_files_are_named(tmp_path, content, message):
    path = tmp_path / "some-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"some-idx1-ubyte.*{re.escape(message)}"):
        read_idx(path)


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


# -- from a folder --------------------------------------------------------------------------------


ARRAYS = (*draw_digits(6, 0), *draw_digits(4, 1))


def load(home, download_if_missing=False, n_train=None, n_test=None, seed=0):
    rng = np.random.RandomState(seed)
    return load_mnist(home, download_if_missing, n_train, n_test, rng)


def assert_arrays(got, expected):
    for one, other in zip(got, expected, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("folder", [".", "mnist"])
def test_files_are_found_in_data_home_and_its_folder(tmp_path, monkeypatch, folder):
    write_mnist(tmp_path / folder, ARRAYS)
    assert_arrays(load(tmp_path), ARRAYS)
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    assert_arrays(load(None), ARRAYS)


def test_rows_are_drawn_without_replacement(tmp_path):
    write_mnist(tmp_path, ARRAYS)
    X, y, X_test, y_test = load(tmp_path, n_train=5, n_test=3)
    rows = [np.flatnonzero((ARRAYS[0] == image).all(axis=(1, 2))).item() for image in X]
    assert len(np.unique(rows)) == 5
    assert_array_equal(y, ARRAYS[1][rows])
    rows = [np.flatnonzero((ARRAYS[2] == image).all(axis=(1, 2))).item() for image in X_test]
    assert len(np.unique(rows)) == 3
    assert_array_equal(y_test, ARRAYS[3][rows])
    other = load(tmp_path, n_train=5, n_test=3, seed=1)
    assert np.any(other[0] != X)


def test_more_rows_than_there_are(tmp_path):
    write_mnist(tmp_path, ARRAYS)
    with pytest.raises(ValueError, match="n_train must be at most 6, all images; got 7"):
        load(tmp_path, n_train=7)
    with pytest.raises(ValueError, match="n_test must be at most 4, all images; got 5"):
        load(tmp_path, n_test=5)


# -- downloads ------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Let the first mirror be dead and the second one this machine; return what is asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = tmp_path / "served"
    write_mnist(served, ARRAYS, ".gz")
    md5 = [hashlib.md5((served / f"{name}.gz").read_bytes()).hexdigest() for name in NAMES]
    monkeypatch.setattr(_mnist, "_MD5_GZIPPED", md5)
    with serve(served) as (url, requested):
        monkeypatch.setattr(_mnist, "_MIRRORS", (dead_mirror(), url))
        yield requested


@pytest.fixture
def openml(monkeypatch):
    """Let OpenML have all rows in one table of numbers and text; return how it is asked."""
    calls = []
    images = np.concatenate([ARRAYS[0], ARRAYS[2]]).reshape(10, 784).astype(float)
    labels = np.concatenate([ARRAYS[1], ARRAYS[3]]).astype(str).astype(object)
    table = Bunch(data=images, target=labels)

    def fetch(**arguments):
        calls.append(arguments)
        if isinstance(table.data, Exception):
            raise table.data
        return table

    md5 = [hashlib.md5(idx(array.astype(np.uint8))).hexdigest() for array in ARRAYS]
    monkeypatch.setattr(_mnist, "_MD5", md5)
    monkeypatch.setattr(_mnist, "_N_TRAIN", 6)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    return table, calls


def test_missing_files_are_downloaded_into_the_folder_mnist(tmp_path, mirror):
    home = tmp_path / "home"
    assert_arrays(load(home, download_if_missing=True), ARRAYS)
    assert sorted(path.name for path in (home / "mnist").iterdir()) == sorted(
        f"{name}.gz" for name in NAMES
    )
    assert_arrays(load(home), ARRAYS)
    assert mirror == [f"/{name}.gz" for name in NAMES]


def test_only_what_is_missing_is_downloaded(tmp_path, mirror):
    write_mnist(tmp_path / "mnist", ARRAYS)
    (tmp_path / "mnist" / NAMES[2]).unlink()
    assert_arrays(load(tmp_path, download_if_missing=True), ARRAYS)
    assert mirror == [f"/{NAMES[2]}.gz"]


def test_no_download_unless_asked_for(tmp_path, mirror):
    message = rf"{NAMES[0]}\.gz is missing and download_if_missing is False\. Put it there by hand"
    with pytest.raises(OSError, match=message):
        load(tmp_path)
    assert mirror == []


def test_openml_where_no_mirror_has_the_right_bytes(tmp_path, mirror, openml):
    (tmp_path / "served" / f"{NAMES[3]}.gz").write_bytes(gzip.compress(b"other"))
    home = tmp_path / "home"
    assert_arrays(load(home, download_if_missing=True), ARRAYS)
    # Three files had come from the mirror, and stay.
    assert sorted(path.name for path in (home / "mnist").iterdir()) == sorted(
        [f"{name}.gz" for name in NAMES[:3]] + [NAMES[3]]
    )
    assert (home / "mnist" / NAMES[3]).read_bytes() == idx(ARRAYS[3].astype(np.uint8))
    assert openml[1][0]["data_id"] == 554
    assert_arrays(load(home), ARRAYS)


@pytest.mark.parametrize("change", ["dead", "another order"])
def test_all_sources_fail(tmp_path, monkeypatch, openml, change):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_mnist, "_MIRRORS", (dead_mirror(),))
    table, _ = openml
    table.data = ConnectionError("no route") if change == "dead" else table.data[::-1]
    message = "could not be downloaded. Put it there by hand from http.*"
    message += {
        "dead": "- OpenML, data set 554: no route",
        "another order": f"- OpenML, data set 554: its copy of {NAMES[0]} has the checksum md5",
    }[change]
    with pytest.raises(OSError, match=f"(?s){message}"):
        load(tmp_path, download_if_missing=True)
    assert not list(tmp_path.rglob("*ubyte"))


@pytest.mark.slow
@pytest.mark.skipif("SKEXPLAIN_DATA" not in os.environ, reason="needs MNIST in SKEXPLAIN_DATA")
def test_the_real_files():
    arrays = load(get_data_home())
    assert [len(array) for array in arrays] == [60000, 60000, 10000, 10000]
    for array, md5 in zip(arrays, _mnist._MD5, strict=True):
        assert hashlib.md5(idx(array.astype(np.uint8))).hexdigest() == md5
    digits = fetch_decoy_mnist("half", n_train=100, random_state=0)
    assert digits.data.shape == (100, 28, 28)
    assert digits.data_test.shape == (10000, 28, 28)
