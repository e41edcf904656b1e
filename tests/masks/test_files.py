"""Mask images are found by name, and read as what they are."""

import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skexplain.masks import mask_from_folder, resize_mask

PIXELS = np.array([[0, 255, 0], [255, 255, 0]], dtype=np.uint8)
MARKED = PIXELS > 0


def save(folder, name, pixels=PIXELS, mode=None):
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(folder / name)


@pytest.fixture
def folder(tmp_path):
    save(tmp_path, "a.png")
    save(tmp_path, "b.v2.png", 255 - PIXELS)
    save(tmp_path, "b.png", 0 * PIXELS)  # what "b.v2" is not
    save(tmp_path, "c.png", 0 * PIXELS)
    return tmp_path


def test_joined_by_name_in_the_order_of_X(folder):
    for names in (
        ["c.jpg", "photos/a.jpg", "b.v2.jpg", "a"],
        ["x/c", "a.png", "b.v2", folder / "a.jpeg"],
        np.array(["c", "a", "b.v2", "a"]),
    ):
        mask = mask_from_folder(folder, names)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, [0 * MARKED, MARKED, ~MARKED, MARKED])


def test_names_stay_in_the_folder(folder):
    inner = folder / "inner"
    inner.mkdir()
    save(inner, "d.png")
    for name in ("../a.png", "../a", str(folder / "a")):
        with pytest.raises(FileNotFoundError, match="no mask for any of"):
            mask_from_folder(inner, [name])


def test_a_suffix_can_be_more_than_an_ending(tmp_path):
    save(tmp_path, "ISIC_07_segmentation.png")
    mask = mask_from_folder(tmp_path, ["ISIC_07.jpg"], suffix="_segmentation.png")
    np.testing.assert_array_equal(mask, [MARKED])


def test_not_annotated_or_nothing_marked(folder):
    names = ["a", "c", "zebra"]
    unknown = mask_from_folder(folder, names)
    assert unknown.dtype == np.float32
    # A black file is an annotation.
    assert np.isnan(unknown).all(axis=(1, 2)).tolist() == [False, False, True]
    empty = mask_from_folder(folder, names, missing="empty")
    assert empty.dtype == bool
    assert not empty[1:].any()
    for each in (names, pd.Series(names, index=[2, 0, 1])):
        with pytest.raises(FileNotFoundError, match=r"has no mask zebra\.png for 'zebra'"):
            mask_from_folder(folder, each, missing="error")


# -- kinds of images -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "LA", "I;16"])
def test_nonzero_in_every_mode(tmp_path, mode):
    save(tmp_path, "a.png", PIXELS if mode != "I;16" else PIXELS.astype(np.uint16) * 9, mode)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == mode
    if mode in ("RGBA", "LA"):  # opaque: black is still not marked
        np.testing.assert_array_equal(
            mask_from_folder(tmp_path, ["a"], marked="alpha"), np.ones((1, 2, 3), dtype=bool)
        )
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), [MARKED])


def test_zeros_and_ones_are_marks(tmp_path):
    save(tmp_path, "a.png", PIXELS // 255)
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), [MARKED])


def test_a_palette_is_read_by_index(tmp_path):
    """Index 1 is drawn in black here, index 0 in white: colours must not count."""
    image = Image.fromarray(np.array([[0, 1, 2], [2, 0, 1]], dtype=np.uint8), mode=None)
    image.putpalette([255, 255, 255, 0, 0, 0, 9, 9, 9])
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == "P"
    expected = np.array([[[0, 1, 1], [1, 0, 1]]])
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), expected)
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"], marked=2)[0, 0], [0, 0, 1])


def test_grey_values_as_labels_and_as_degrees(tmp_path):
    save(tmp_path, "a.png", np.array([[0, 3, 5, 255]], dtype=np.uint8))
    nan = np.nan
    labels = mask_from_folder(tmp_path, ["a"], marked=[3, 5], unknown=255)
    np.testing.assert_array_equal(labels, [[[0, 1, 1, nan]]])
    degrees = mask_from_folder(tmp_path, ["a"], marked="degree")
    np.testing.assert_allclose(degrees, [[[0, 3 / 255, 5 / 255, 1]]], rtol=1e-6)
    save(tmp_path, "b.png", np.array([[0, 65535]], dtype=np.uint16))
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["b"], marked="degree"), [[[0, 1]]])


def test_alpha(tmp_path):
    pixels = np.full((2, 3, 4), 200, dtype=np.uint8)
    pixels[..., 3] = PIXELS
    save(tmp_path, "a.png", pixels)
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"], marked="alpha"), [MARKED])


# -- sizes ---------------------------------------------------------------------------------------


def test_resized_to_X(folder):
    save(folder, "large.png", np.kron(PIXELS, np.ones((4, 2), dtype=np.uint8)))
    names = ["a", "large"]
    nearest = mask_from_folder(folder, names, shape=(2, 3), resize="nearest")
    assert nearest.dtype == bool
    np.testing.assert_array_equal(nearest, [MARKED, MARKED])
    area = mask_from_folder(folder, names, shape=(1, 2), resize="area")
    np.testing.assert_array_equal(area, resize_mask(np.array([MARKED, MARKED]), (1, 2)))
    for arguments in ({}, {"shape": (2, 3)}):
        with pytest.raises(ValueError, match=r"large\.png is 8 x 6 .* expected 2 x 3.*resize="):
            mask_from_folder(folder, names, **arguments)


# -- errors --------------------------------------------------------------------------------------


def test_a_broken_image_is_named(folder):
    save(folder, "large.png", np.random.default_rng(0).integers(255, size=(20, 30), dtype=np.uint8))
    whole = (folder / "large.png").read_bytes()
    for cut in (0, 10, 30, 45, len(whole) // 2):
        (folder / "broken.png").write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"broken\.png: "):
            mask_from_folder(folder, ["large", "broken"])
    (folder / "broken.png").write_text("no image")
    with pytest.raises(ValueError, match=r"broken\.png: "):
        mask_from_folder(folder, ["a", "broken"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"names": "a"}, TypeError, "names must be a sequence"),
        ({"names": [3]}, TypeError, "names must hold str"),
        ({"names": ["x", "y"]}, FileNotFoundError, r"\['x', 'y'\].*it holds \['a\.png'"),
        ({"folder": "/nowhere"}, FileNotFoundError, "folder must be an existing folder"),
        ({"marked": "grey"}, ValueError, "marked must be one of"),
        ({"marked": 0.5}, ValueError, "marked must be a whole number"),
        ({"unknown": 255}, ValueError, "unknown needs marked to be int"),
        ({"marked": "alpha"}, ValueError, r"a\.png: is an image of mode 'L', expected one of"),
        ({"missing": "zero"}, ValueError, "missing must be one of"),
        ({"resize": "area"}, ValueError, "resize needs shape"),
    ],
)
def test_bad_arguments(folder, arguments, error, message):
    with pytest.raises(error, match=message):
        mask_from_folder(**{"folder": folder, "names": ["a"], **arguments})


def test_colours_are_no_labels(folder):
    save(folder, "rgb.png", mode="RGB")
    for marked in (1, "degree"):
        with pytest.raises(ValueError, match=r"rgb\.png: is an image of mode 'RGB'"):
            mask_from_folder(folder, ["rgb"], marked=marked)


def test_without_pillow(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r'pip install "skexplain\[data\]"'):
        mask_from_folder(folder, ["a"])
