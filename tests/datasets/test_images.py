"""Check which picture files are read, which raise an error, and how samples are drawn from them."""

import sys
import tracemalloc

import numpy as np
import pytest
from _pictures import pixels_of, save, save_noise, truncate
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from skexplain.datasets._images import (
    ImageRecord,
    channels_first,
    read_image,
    read_parts,
    resize,
    split_rows,
    stratified_rows,
)


def test_colours_are_channels_and_rows_are_rows(tmp_path):
    pixels = np.zeros((2, 3, 3))
    pixels[0, 2] = [10, 20, 30]
    save(tmp_path / "a.png", pixels)
    array = channels_first(read_image(tmp_path / "a.png"))
    assert array.shape == (3, 2, 3)
    assert array[:, 0, 2].tolist() == [10, 20, 30]
    assert array.sum() == 60


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_any_kind_of_picture_becomes_rgb(tmp_path, mode):
    Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode).save(tmp_path / "a.png")
    assert_array_equal(channels_first(read_image(tmp_path / "a.png")), np.full((3, 4, 4), 255))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "a.tif"])
def test_truncated_picture_is_an_error_that_names_it(tmp_path, name):
    save_noise(tmp_path / name, 40, 40, seed=0)
    truncate(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} must be a complete picture"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_no_picture_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match="a.png must be a complete picture"):
        read_image(tmp_path / "a.png")


def test_missing_picture_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.png is missing"):
        read_image(tmp_path / "a.png")


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "skexplain\[data\]"'):
        read_image(tmp_path / "a.png")


def test_resize_interpolates_pictures_and_copies_masks():
    mask = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    assert resize(mask, 2) is mask
    assert_array_equal(
        resize(mask, 4, nearest=True), np.kron(np.array([[0, 255], [255, 0]]), np.ones((2, 2)))
    )
    assert 0 < np.asarray(resize(mask, 1))[0, 0] < 255


@given(n_rows=st.integers(0, 300), seed=st.integers(0, 99))
def test_split_is_a_partition_of_the_published_sizes(n_rows, seed):
    train, valid, test = split_rows(n_rows, (0.75, 0.1), np.random.RandomState(seed))
    assert sorted([*train, *valid, *test]) == list(range(n_rows))
    assert (len(train), len(valid)) == (int(0.75 * n_rows), int(0.1 * n_rows))


def test_split_of_salient_imagenet_has_the_published_test_size():
    sizes = [len(part) for part in split_rows(445, (0.6, 0.15), np.random.RandomState(0))]
    assert sizes == [267, 66, 112]


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_stratified_rows_are_proportional(sizes, share, seed):
    rng = np.random.RandomState(seed)
    strata = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n_rows = int(share * len(strata))
    rows = stratified_rows(strata, n_rows, rng)
    assert len(rows) == n_rows
    assert (np.diff(rows) > 0).all()
    counts = np.bincount(strata[rows], minlength=len(sizes))
    # Each stratum holds a row for every threshold passed; the last row drawn may go to any of them.
    assert (np.abs(counts - n_rows * np.array(sizes) / len(strata)) <= 1 + len(sizes) / 2).all()


def test_stratified_rows_by_hand():
    strata = np.array([0] * 60 + [1] * 30 + [2] * 10)
    rows = stratified_rows(strata, 10, np.random.RandomState(0))
    assert np.bincount(strata[rows]).tolist() == [6, 3, 1]
    assert_array_equal(stratified_rows(strata, 100, np.random.RandomState(0)), np.arange(100))
    draws = {tuple(stratified_rows(strata, 10, np.random.RandomState(seed))) for seed in range(5)}
    assert len(draws) == 5


def test_parts_are_read_without_a_second_copy(tmp_path):
    side, n_rows = 64, 50
    save_noise(tmp_path / "a.png", side, side, seed=0)
    records = [ImageRecord("a.png", 1, 2)] * n_rows

    def read(record):
        return channels_first(read_image(tmp_path / record.filename)), True

    read(records[0])  # pillow's plugins are imported once
    tracemalloc.start()
    bunch = read_parts(records, {"": np.arange(40), "_test": np.arange(40, 50)}, read, side, bool)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The arrays themselves are 4 bytes per pixel, measured peak 1.10 times that.
    assert peak < 1.3 * 4 * n_rows * side**2
    assert_array_equal(bunch.data[39], pixels_of(tmp_path / "a.png"))
    assert bunch.mask_test.shape == (10, side, side)
    assert bunch.mask_test.all()
    assert bunch.target_test.tolist() == [1] * 10
    assert bunch.groups.tolist() == [2] * 40
    assert bunch.filenames_test.tolist() == ["a.png"] * 10
