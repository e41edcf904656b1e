"""Masks go back to the tools, and come back from them."""

import json

import numpy as np
import pycocotools.mask as coco_masks
import pytest
from _photographs import folder_of_photographs, overlap
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import Bunch

from skexplain.datasets import load_images
from skexplain.masks import ImageGeometry, mask_from_coco, read_annotations, write_annotations
from skexplain.masks._place import lift, place

# pycocotools 2.0.11 beside numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FORMATS = ["coco", "label_studio"]


def blobs(n, shape, seed=0):
    """Return masks whose regions are larger than a pixel."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, *shape), dtype=bool)
    for mask in masks:
        for _ in range(2):
            top, left = rng.integers(0, shape[0] // 2), rng.integers(0, shape[1] // 2)
            mask[top : top + shape[0] // 3, left : left + shape[1] // 4] = True
    return masks


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
def test_what_is_written_is_read(tmp_path, format, fit):
    folder_of_photographs(tmp_path / "photos", ".png")
    bunch = load_images(tmp_path / "photos", size=(48, 40), fit=fit)
    masks = blobs(len(bunch.data), (48, 40))
    for mask, geometry in zip(masks, bunch.geometry, strict=True):
        outside = np.ones(geometry.shape, dtype=bool)
        outside[geometry.inside] = False
        mask[outside] = False
    path = tmp_path / "out.json"
    write_annotations(path, masks, like=bunch, label="ruler", format=format)
    back = read_annotations(path, like=bunch, labels="ruler", predictions=True)
    np.testing.assert_array_equal(np.nan_to_num(back.astype(float)), masks)


@given(
    *(st.integers(1, 30) for _ in range(4)),
    st.sampled_from(["resize", "crop", "pad"]),
    st.integers(1, 8),
)
def test_larger_pictures_keep_every_pixel(height, width, rows, columns, fit, orientation):
    size = (height + rows, width + columns)
    if orientation > 4:
        size = size[::-1]
    geometry = ImageGeometry.fitted(size, (rows, columns), fit, orientation=orientation)
    mask = np.random.default_rng(0).random((rows, columns)) < 0.5
    lifted = lift(mask, geometry)
    assert lifted.shape == geometry.upright_size
    if lifted.any():
        np.testing.assert_array_equal(
            place(lifted, geometry)[geometry.inside], mask[geometry.inside]
        )


def like(n, size=(8, 12), shape=(8, 12)):
    names = [f"{i} x.jpg" for i in range(n)]
    return Bunch(filenames=names, geometry=[ImageGeometry.fitted(size, shape, "resize")] * n)


def test_coco_is_what_its_own_tools_read(tmp_path):
    masks = blobs(2, (8, 12))
    write_annotations(tmp_path / "a.json", masks, like=like(2), label="ruler")
    content = json.loads((tmp_path / "a.json").read_text())
    for record, mask in zip(content["annotations"], masks, strict=True):
        runs = coco_masks.frPyObjects(record["segmentation"], 8, 12)
        np.testing.assert_array_equal(coco_masks.decode(runs), mask)
        assert record["area"] == coco_masks.area(runs) == mask.sum()
        np.testing.assert_array_equal(record["bbox"], coco_masks.toBbox(runs))
    assert [image["height"] for image in content["images"]] == [8, 8]
    np.testing.assert_array_equal(mask_from_coco(content, like=like(2)), masks)


@pytest.mark.parametrize("format", FORMATS)
def test_unknown_and_unmarked(tmp_path, format):
    mask = np.zeros((4, 1, 8, 12))
    mask[0] = np.nan
    mask[2, 0, :4] = 0.6
    mask[2, 0, 4] = np.nan
    mask[3, 0, :4] = 0.4
    path = tmp_path / "a.json"
    write_annotations(path, mask, like=like(4), label="x", format=format)
    content = json.loads(path.read_text())
    if format == "coco":
        assert [record["image_id"] for record in content["annotations"]] == [3]
        assert len(content["images"]) == 4
    else:
        results = [[p["result"] for p in task["predictions"]] for task in content]
        assert [[len(r) for r in each] for each in results] == [[], [0], [1], [0]]
        assert content[2]["data"]["image"] == "/data/local-files/?d=2 x.jpg"
    back = read_annotations(path, like=like(4), missing="empty", predictions=True)
    np.testing.assert_array_equal(back[2, :4], 1)
    assert not back[2, 4:].any()
    write_annotations(path, mask, like=like(4), label="x", format=format, threshold=0.3)
    assert read_annotations(path, like=like(4), missing="empty", predictions=True)[3].any()


def test_addresses_and_names_of_tags(tmp_path):
    write_annotations(
        tmp_path / "a.json",
        blobs(1, (8, 12)),
        like=like(1).geometry,
        images=["a.jpg"],
        label="x",
        format="label_studio",
        url="s3://bucket/{name}",
        from_name="brush",
        to_name="photo",
    )
    (task,) = json.loads((tmp_path / "a.json").read_text())
    assert task["data"] == {"image": "s3://bucket/a.jpg"}
    (result,) = task["predictions"][0]["result"]
    assert (result["from_name"], result["to_name"]) == ("brush", "photo")
    assert result["value"]["brushlabels"] == ["x"]


@pytest.mark.parametrize("format", FORMATS)
def test_names_of_files_may_hold_what_addresses_give_a_meaning(tmp_path, format):
    names = ["a&b.png", "a#b.png", "a+b.png", "a b?.png", "100%.png", "=cmd.png", "\x1b[2J.png"]
    masks = blobs(len(names), (8, 12))
    options = {"like": like(len(names)).geometry, "images": names}
    write_annotations(tmp_path / "a.json", masks, label="$x\n=1", format=format, **options)
    back = read_annotations(tmp_path / "a.json", predictions=True, **options)
    np.testing.assert_array_equal(back, masks)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "voc"}, "format must be one of"),
        ({"label": ""}, "label must be text"),
        ({"threshold": 0}, "threshold must be a positive number"),
        ({"threshold": 2}, "threshold must lie in"),
        ({"url": "x"}, "url must be text"),
        ({"images": ["a"]}, "images must be names of 2 files"),
        ({"mask": np.zeros((2, 8, 11))}, r"mask must be numbers of shape \(2, 8, 12\)"),
        ({"mask": np.full((2, 8, 12), 255)}, r"mask must lie in \[0, 1\]; got 255 to 255"),
    ],
)
def test_arguments_are_checked(tmp_path, options, message):
    arguments = {"mask": blobs(2, (8, 12)), "like": like(2), "label": "x"} | options
    with pytest.raises(ValueError, match=message):
        write_annotations(tmp_path / "a.json", **arguments)


def test_another_grid_reads_what_was_written(tmp_path):
    masks = blobs(3, (24, 24))
    small = like(3, (240, 240), (24, 24))
    write_annotations(tmp_path / "a.json", masks, like=small, label="x")
    large = like(3, (240, 240), (48, 48))
    back = read_annotations(tmp_path / "a.json", like=large)
    assert overlap(back, np.kron(masks, np.ones((2, 2)))).min() == 1
