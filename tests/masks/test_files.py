"""Check that mask images are found by name and read as what they are."""

import struct
import sys
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

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
        ["c.jpg", "photos/a.jpg", "b.v2.jpg", "photos/a.jpg"],
        ["x/c", "a.png", "b.v2", "a.png"],
        ["c", folder / "a.jpeg", "b.v2", folder / "a.jpeg"],
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


def test_a_palette_is_read_by_colour(tmp_path):
    """Index 0 is white here; numbers are indices all the same."""
    indices = np.array([[0, 1, 1], [1, 0, 1]], dtype=np.uint8)
    for colour in ([255, 255, 255], [9, 0, 0]):
        image = Image.fromarray(indices)
        image.putpalette([*colour, 0, 0, 0])
        image.save(tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as opened:
            assert opened.mode == "P"
        for marked in ("auto", "nonzero"):
            mask = mask_from_folder(tmp_path, ["a"], marked=marked)
            np.testing.assert_array_equal(mask, [indices == 0])
        np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"], marked=1), [indices == 1])


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


# -- what can be read in several ways ------------------------------------------------------------


@pytest.fixture
def disc():
    """A white disc on black, as it was drawn: bool of 60 x 80."""
    i, j = np.mgrid[:60, :80]
    return (i - 30) ** 2 + (j - 40) ** 2 < 20**2


def soft(disc):
    """The same with an edge of five shades, and all its bright pixels inside."""
    return (255 * ndimage.uniform_filter(disc.astype(float), 3)).astype(np.uint8)


@pytest.mark.parametrize("colour", ["grey", (255, 255, 255), (200, 10, 30)])
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_edges_are_cut_at_half_and_said(tmp_path, disc, suffix, colour):
    pixels = soft(disc) if suffix == ".png" else 255 * disc.astype(np.uint8)
    if colour != "grey":
        pixels = (pixels[..., None] / 255 * colour).astype(np.uint8)
    for name in ("a", "b"):
        Image.fromarray(pixels).save(tmp_path / f"{name}{suffix}", quality=80)
    message = rf"2 of 2 files .* brighter than half.*a{suffix}"
    with pytest.warns(UserWarning, match=message) as caught:
        mask = mask_from_folder(tmp_path, ["a", "b"], suffix=suffix)[0]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    # Colours are stored at half the size, and a soft edge is wide: measured 0, .009 and .03.
    exact = suffix != ".png" and colour in ("grey", (255, 255, 255))
    tolerated = 0 if exact else 0.05
    assert (mask != disc).sum() <= tolerated * disc.sum()


def test_noise_of_lossy_files_is_never_marked(tmp_path, disc):
    Image.fromarray(255 * disc.astype(np.uint8)).save(tmp_path / "a.jpg", quality=50)
    for marked, message in (("nonzero", "black is no longer 0"), ([255], "stored as JPEG, which")):
        with pytest.raises(ValueError, match=rf"a\.jpg: .*{message}"):
            mask_from_folder(tmp_path, ["a"], suffix=".jpg", marked=marked)
    # Ones in place of 255 are lost in the noise; black and white ones have none.
    Image.fromarray(disc.astype(np.uint8)).save(tmp_path / "b.jpg", quality=100)
    with pytest.raises(ValueError, match=r"b\.jpg: has .* on one side of half"):
        mask_from_folder(tmp_path, ["b"], suffix=".jpg")
    for grey in (0, 255):
        Image.new("L", (80, 60), grey).save(tmp_path / "c.jpg")
        assert (mask_from_folder(tmp_path, ["c"], suffix=".jpg") == bool(grey)).all()


@pytest.mark.parametrize(
    "values", [[[0, 1, 2]], [[1, 2, 2]], [[100, 100, 120]], [[200, 255, 255]], [[0, 3, 7]]]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_are_told_from_marks(tmp_path, values, dtype):
    """What "auto" refuses, a person can say."""
    values = np.array(values, dtype=dtype)
    save(tmp_path, "a.png", values)
    with pytest.raises(ValueError, match=r"a\.png: has \d grey values .*: are they labels\?"):
        mask_from_folder(tmp_path, ["a"])
    np.testing.assert_array_equal(
        mask_from_folder(tmp_path, ["a"], marked="nonzero")[0], values > 0
    )
    last = values[0, 2]
    mask = mask_from_folder(tmp_path, ["a"], marked=int(last))[0]
    np.testing.assert_array_equal(mask, values == last)


def test_several_colours_are_refused(tmp_path):
    parts = np.zeros((4, 6, 3), dtype=np.uint8)
    parts[0], parts[1] = (200, 0, 0), (0, 200, 0)
    photo = np.random.default_rng(0).integers(256, size=(4, 6, 3), dtype=np.uint8)
    no_black = np.full((4, 6, 3), 255, dtype=np.uint8)
    no_black[0] = (255, 0, 0)
    for pixels in (parts, photo, no_black):
        for image in (Image.fromarray(pixels), Image.fromarray(pixels).quantize(16)):
            image.save(tmp_path / "a.png")
            with pytest.raises(ValueError, match=r"a\.png: has several colours"):
                mask_from_folder(tmp_path, ["a"])
    save(tmp_path, "a.png", parts)
    mask = mask_from_folder(tmp_path, ["a"], marked="nonzero")[0]
    np.testing.assert_array_equal(mask, parts.any(axis=2))


def drawing(colour, below, alpha, elsewhere):
    """Two rows of a colour and an alpha on two rows of others."""
    pixels = np.empty((4, 3, 4), dtype=np.uint8)
    pixels[:2], pixels[2:] = (*colour, alpha), (*below, elsewhere)
    return pixels


WHITE, BLACK, RED = (255,) * 3, (0,) * 3, (255, 0, 0)


@pytest.mark.parametrize(
    ("colour", "below", "alpha", "elsewhere"),
    [
        (WHITE, BLACK, 255, 255),  # nothing is transparent
        (WHITE, BLACK, 128, 128),
        (WHITE, WHITE, 255, 0),  # drawn on a transparent layer
        (BLACK, BLACK, 255, 0),
        (RED, RED, 90, 0),
        (WHITE, BLACK, 255, 0),  # both say the same
        (RED, BLACK, 90, 0),
    ],
)
def test_the_channel_that_varies_decides(tmp_path, colour, below, alpha, elsewhere):
    pixels = drawing(colour, below, alpha, elsewhere)
    save(tmp_path, "a.png", pixels)
    expected = [[[True] * 3] * 2 + [[False] * 3] * 2]
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), expected)
    if len(set(colour)) == len(set(below)) == 1:
        save(tmp_path, "a.png", pixels[..., 2:])
        with Image.open(tmp_path / "a.png") as image:
            assert image.mode == "LA"
        np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), expected)


@pytest.mark.parametrize(
    ("colour", "below", "alpha", "elsewhere", "message"),
    [
        (BLACK, WHITE, 255, 0, "varies in colour and in transparency"),
        (WHITE, BLACK, 0, 255, "varies in colour and in transparency"),
        (WHITE, BLACK, 0, 0, "is transparent everywhere"),
    ],
)
def test_colour_and_transparency_that_disagree(tmp_path, colour, below, alpha, elsewhere, message):
    pixels = drawing(colour, below, alpha, elsewhere)
    save(tmp_path, "a.png", pixels)
    with pytest.raises(ValueError, match=rf"a\.png: {message}"):
        mask_from_folder(tmp_path, ["a"])
    by_alpha = mask_from_folder(tmp_path, ["a"], marked="alpha")[0]
    np.testing.assert_array_equal(by_alpha, pixels[..., 3] > 0)
    by_colour = mask_from_folder(tmp_path, ["a"], marked="nonzero")[0]
    np.testing.assert_array_equal(by_colour, pixels[..., :3].any(axis=2))


def test_one_transparent_colour_is_transparency(tmp_path):
    grey = Image.fromarray(np.array([[7, 9, 9]], dtype=np.uint8))
    grey.save(tmp_path / "grey.png", transparency=7)
    Image.merge("RGB", [grey] * 3).save(tmp_path / "rgb.png", transparency=(7, 7, 7))
    palette = Image.fromarray(np.array([[0, 1, 1]], dtype=np.uint8))
    palette.putpalette([255, 255, 255] * 2)
    palette.save(tmp_path / "palette.png", transparency=0)
    for name in ("grey", "rgb", "palette"):
        mask = mask_from_folder(tmp_path, [name], marked="alpha")
        np.testing.assert_array_equal(mask, [[[False, True, True]]])
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["palette"]), mask)


@pytest.mark.parametrize("marked", ["auto", "nonzero", "alpha", "degree", 255])
def test_a_tag_that_turns_the_image_is_refused(tmp_path, marked):
    tags = Image.Exif()
    tags[0x0112] = 6
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(PIXELS).save(tmp_path / name, exif=tags)
        with pytest.raises(ValueError, match="EXIF orientation 6: it is to be shown turned"):
            mask_from_folder(tmp_path, ["a"], suffix=name[1:], marked=marked)
    tags[0x0112] = 1
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=tags)
    np.testing.assert_array_equal(mask_from_folder(tmp_path, ["a"]), [MARKED])


def test_several_pages_are_refused(tmp_path):
    page, other = Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)
    for suffix in (".tif", ".gif"):
        page.save(tmp_path / f"a{suffix}", save_all=True, append_images=[other])
        with pytest.raises(ValueError, match=rf"a{suffix}: has 2 frames or pages"):
            mask_from_folder(tmp_path, ["a"], suffix=suffix)


def write_png(path, values):
    """Write 16 bits per colour, which pillow cannot."""
    height, width, channels = values.shape

    def chunk(kind, content):
        content = kind + content
        length = struct.pack(">I", len(content) - 4)
        return length + content + struct.pack(">I", zlib.crc32(content))

    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_per_colour_are_refused(tmp_path, channels):
    """Pillow reads the upper eight: a mask of ones would be black."""
    write_png(tmp_path / "a.png", np.ones((2, 3, channels), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"a\.png: has 16 bits per colour"):
        mask_from_folder(tmp_path, ["a"])


@pytest.mark.parametrize("mode", ["CMYK", "F", "YCbCr"])
def test_other_modes_are_refused(tmp_path, mode):
    Image.new("L", (3, 2), 255).convert(mode).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif: is an image of mode '{mode}'"):
        mask_from_folder(tmp_path, ["a"], suffix=".tif")


def test_values_that_no_file_has_are_said(folder):
    with pytest.warns(UserWarning, match=r"No pixel of 2 files has one of the values marked=\[7\]"):
        mask_from_folder(folder, ["a", "c"], marked=7)


# -- one file per image --------------------------------------------------------------------------


def test_two_images_that_find_one_mask_are_refused(folder):
    for names in (["cat/a.jpg", "dog/a.jpg"], ["a.jpg", "a.png"], ["a", "x/a"], ["a.1", "a.2"]):
        with pytest.raises(ValueError, match=r"names '.*' and '.*' both find the mask .*a\.png"):
            mask_from_folder(folder, names)
    # The same image twice, as a bootstrap draws it, is no clash.
    assert len(mask_from_folder(folder, ["a.jpg", "c.jpg", "a.jpg"])) == 3


def test_masks_in_folders_as_the_images(folder):
    for name in ("cat", "dog"):
        (folder / name).mkdir()
    save(folder, "cat/a.png", 255 - PIXELS)
    save(folder, "dog/a.png", 0 * PIXELS)
    mask = mask_from_folder(folder, ["dog/a.jpg", "cat/a.jpg", "a.jpg"])
    np.testing.assert_array_equal(mask, [0 * MARKED, ~MARKED, MARKED])


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
