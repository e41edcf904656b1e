"""Marks land on the grid where they were drawn on the picture file, whatever was done to it."""

import dataclasses

import numpy as np
import pytest
from _photographs import box, box_mask, folder_of_photographs, overlap, seen, stored
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skexplain.datasets import load_images
from skexplain.masks import (
    ImageGeometry,
    mask_from_boxes,
    mask_from_coco,
    mask_from_folder,
    mask_from_labels,
    mask_from_polygons,
)
from skexplain.masks._place import place

FITS = ["resize", "crop", "pad"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    names, sizes = folder_of_photographs(folder)
    return folder, names, sizes


@pytest.fixture(scope="module", params=FITS)
def loaded(request, photographs):
    folder, names, sizes = photographs
    bunch = load_images(folder, size=(96, 80), fit=request.param)
    assert list(bunch.filenames) == names
    return bunch, names, sizes


def check(mask, bunch):
    assert overlap(mask, seen(bunch.data)).min() > 0.95
    unknown = np.isnan(mask) if mask.dtype == np.float32 else np.zeros(mask.shape, dtype=bool)
    for row, geometry in zip(unknown, bunch.geometry, strict=True):
        outside = np.ones(geometry.shape, dtype=bool)
        outside[geometry.inside] = False
        np.testing.assert_array_equal(row, outside)


def test_boxes(loaded):
    bunch, _, sizes = loaded
    check(mask_from_boxes([[box(size)] for size in sizes], like=bunch), bunch)
    shares = [[np.array(box(size)) / (*size[::-1], *size[::-1])] for size in sizes]
    check(mask_from_boxes(shares, unit="share", like=bunch.geometry), bunch)
    halves = [[np.array(box(size)) / 2] for size in sizes]
    check(mask_from_boxes(halves, image_sizes=np.array(sizes) / 2, like=bunch), bunch)


def test_polygons(loaded):
    bunch, _, sizes = loaded
    corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in map(box, sizes)]
    check(mask_from_polygons([[outline] for outline in corners], like=bunch), bunch)


@pytest.mark.parametrize("as_stored", [False, True])
def test_label_images_and_folders(loaded, as_stored, tmp_path):
    bunch, names, sizes = loaded
    labels = []
    for name, size, geometry in zip(names, sizes, bunch.geometry, strict=True):
        mask = box_mask(size)
        # The size tells whether a mask is turned as its picture is, unless both are the same.
        if as_stored and geometry.orientation >= 5 and size[0] != size[1]:
            mask = stored(mask, geometry.orientation)
        labels.append(mask * 7)
        path = tmp_path / name.replace(".jpg", ".png")
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(path)
    check(mask_from_labels(labels, 7, like=bunch), bunch)
    check(mask_from_folder(tmp_path, like=bunch), bunch)
    check(mask_from_folder(tmp_path, names, like=bunch.geometry, resize="nearest"), bunch)
    area = mask_from_folder(tmp_path, like=bunch, resize="area")
    assert overlap(area, seen(bunch.data)).min() > 0.95


def test_coco(loaded):
    bunch, names, sizes = loaded
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "ruler"}]}
    for number, (name, size) in enumerate(zip(names, sizes, strict=True)):
        image = {"id": number, "file_name": name, "height": size[0], "width": size[1]}
        x0, y0, x1, y1 = box(size)
        record = {"id": number, "image_id": number, "category_id": 1}
        content["images"].append(image)
        content["annotations"].append(record | {"bbox": [x0, y0, x1 - x0, y1 - y0]})
    check(mask_from_coco(content, like=bunch), bunch)


def test_one_grid_is_said_once():
    geometry = [ImageGeometry.fitted((4, 6), (2, 3), "resize")]
    with pytest.raises(TypeError, match="either shape, .*, or like"):
        mask_from_boxes([None], (2, 3), like=geometry)
    with pytest.raises(TypeError, match="either shape, .*, or like"):
        mask_from_polygons([None])
    with pytest.raises(ValueError, match="shape must be None with like"):
        mask_from_folder(".", ["a"], shape=(2, 3), like=geometry)


@pytest.mark.parametrize("like", [{}, "x", [1], [], {"geometry": None}, 3])
def test_what_is_no_geometry(like):
    with pytest.raises(ValueError, match="like must be what .*load_images returned"):
        mask_from_boxes([None], like=like)


def test_as_many_pictures_as_marks():
    geometry = [ImageGeometry.fitted((4, 6), (2, 3), "resize")]
    with pytest.raises(ValueError, match="like has 1 pictures, but there are 2 boxes"):
        mask_from_boxes([None, None], like=geometry)
    other = ImageGeometry.fitted((4, 6), (2, 2), "resize")
    with pytest.raises(ValueError, match="one grid"):
        mask_from_boxes([None, None], like=[*geometry, other])


def test_outside_and_cropped():
    geometry = [ImageGeometry.fitted((10, 30), (10, 10), "crop")]
    assert not mask_from_boxes([[(0, 0, 5, 5)]], like=geometry).any()  # seen, but cut off
    with pytest.raises(ValueError, match=r"boxes\[0\], box 0: lies outside the image of 10 x 30"):
        mask_from_boxes([[(31, 0, 35, 5)]], like=geometry)


def test_a_mask_of_another_size():
    geometry = [ImageGeometry.fitted((40, 60), (10, 10), "resize")]
    small = np.zeros((20, 30), dtype=int)
    with pytest.raises(ValueError, match=r"labels\[0\] is 20 x 30 .* picture is 40 x 60"):
        mask_from_labels([small], 1, like=geometry)


def test_what_is_thin_is_not_lost():
    geometry = ImageGeometry.fitted((1000, 1000), (10, 10), "resize")
    line = np.zeros((1000, 1000), dtype=bool)
    line[501, 100:900] = True
    np.testing.assert_array_equal(np.argwhere(place(line, geometry))[:, 1], np.arange(1, 9))
    cropped = dataclasses.replace(geometry, crop=(0, 0, 1000, 400))
    assert not place(line, cropped).any()


SIDES = st.integers(1, 60)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(FITS), st.integers(1, 8), st.data())
def test_points_come_back(height, width, rows, columns, fit, orientation, data):
    geometry = ImageGeometry.fitted((height, width), (rows, columns), fit, orientation=orientation)
    upright = geometry.upright_size
    points = np.array(
        data.draw(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=1))
    )
    np.testing.assert_allclose(geometry.from_grid(geometry.to_grid(points)), points, atol=1e-9)
    left, top, right, bottom = geometry.crop
    assert 0 <= left < right <= upright[1]
    assert 0 <= top < bottom <= upright[0]
    if fit != "resize":  # one scale, but for padding of whole pixels
        across, down = (right - left) / (bottom - top), columns / rows
        if fit == "crop":
            assert np.isclose(across, down)
    # A pixel of the stored picture and its centre go to the same place.
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    raster = np.zeros((height, width), dtype=bool)
    raster[row, column] = True
    turned = np.argwhere(geometry.upright(raster))[0]
    by_point = geometry.from_grid(geometry.to_grid([(column + 0.5, row + 0.5)], stored=True))[0]
    np.testing.assert_allclose(by_point, turned[::-1] + 0.5, atol=1e-9)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_shows(orientation):
    upright = np.arange(12, dtype=np.uint8).reshape(3, 4)
    geometry = ImageGeometry.fitted(
        stored(upright, orientation).shape, (3, 4), "resize", orientation=orientation
    )
    np.testing.assert_array_equal(geometry.upright(stored(upright, orientation)), upright)
    assert geometry.upright_size == (3, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 3), (2, 2), "pad"), "size must be"),
        (((3, 3), (2,), "pad"), "shape must be"),
        (((3, 3), (2, 2), "fill"), "fit must be one of"),
    ],
)
def test_geometry_checks_its_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageGeometry.fitted(*arguments)
    with pytest.raises(ValueError, match="orientation must be an integer, 1 to 8"):
        ImageGeometry.fitted((3, 3), (2, 2), "pad", orientation=9)


def test_area_equals_the_mean_below():
    rng = np.random.default_rng(0)
    raster = (rng.random((8, 12)) < 0.4).astype(np.float32)
    raster[0, 0] = np.nan
    geometry = ImageGeometry.fitted((8, 12), (4, 4), "crop")
    expected = np.nanmean(raster[:, 2:10].reshape(4, 2, 4, 2), axis=(1, 3))
    np.testing.assert_allclose(place(raster, geometry, "area"), expected, atol=1e-6)
