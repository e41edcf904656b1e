"""Check masks of COCO files against pycocotools, and that an error names the broken record."""

import contextlib
import io
import json

import numpy as np
import pandas as pd
import pycocotools.mask as coco_masks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from skexplain.masks import encode_rle, interpret_mask, mask_from_coco, resize_mask
from skexplain.masks._rasterise import fill_box_as_coco, fill_polygon, fill_polygon_as_coco

# pycocotools 2.0.11 beside numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEIGHT, WIDTH = 24, 31
CATEGORIES = [{"id": 1, "name": "ruler"}, {"id": 2, "name": "patch"}, {"id": 3, "name": "patch"}]
COORDINATES = st.one_of(
    st.floats(-10, 40, width=32),
    st.integers(-10, 40),
    st.integers(-100, 400).map(lambda tenths: tenths / 10),  # what is rounded both ways
)
POLYGONS = st.lists(COORDINATES, min_size=6, max_size=20).map(lambda xy: xy[: len(xy) // 2 * 2])


def image(number, name=None, height=HEIGHT, width=WIDTH):
    return {"id": number, "file_name": name or f"{number}.png", "height": height, "width": width}


def annotation(number, image_id, category=1, **rest):
    return {"id": number, "image_id": image_id, "category_id": category, **rest}


def random_mask(seed):
    return np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.3


def content():
    """A file with every kind of region; image 4 has none."""
    run_lengths = [encode_rle(random_mask(i), compress=bool(i)) for i in range(2)]
    triangle, sliver = [2, 3, 20.5, 4, 7, 22.25], [10, 10, 30, 10.2, 10, 10.4]
    return {
        "images": [image(1), image(2, "b/2.png"), image(3), image(4)],
        "categories": CATEGORIES,
        "annotations": [
            annotation(10, 1, segmentation=[triangle, sliver], bbox=[2, 3, 18.5, 19.25]),
            annotation(11, 1, 2, segmentation=run_lengths[0], iscrowd=1, bbox=[0, 0, 31, 24]),
            annotation(12, 2, segmentation=run_lengths[1], bbox=[0, 0, 31, 24]),
            annotation(13, 2, 3, segmentation=[], bbox=[3.5, 4.4, 8.3, 2.2]),
            annotation(14, 3, 2, bbox=[-2, 20, 12, 30]),
        ],
    }


def written(tmp_path, data):
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def oracle(data, image_id, keep=lambda record: True):
    """The union that pycocotools' own classes give."""
    api = COCO()
    api.dataset = json.loads(json.dumps(data))
    with contextlib.redirect_stdout(io.StringIO()):
        api.createIndex()
    union = np.zeros((HEIGHT, WIDTH), dtype=bool)
    for record in api.loadAnns(api.getAnnIds(imgIds=[image_id])):
        if not keep(record):
            continue
        if not record.get("segmentation"):  # a box, which only the lower level draws
            rle = coco_masks.frPyObjects(np.array([record["bbox"]], dtype=float), HEIGHT, WIDTH)
            union |= coco_masks.decode(rle)[..., 0].astype(bool)
        else:
            union |= api.annToMask(record).astype(bool)
    return union


# -- as pycocotools draws ------------------------------------------------------------------------


@given(POLYGONS)
def test_polygons_as_pycocotools(xy):
    """Every pixel (on x86-64: elsewhere a fused multiply-add may round a tie the other way)."""
    expected = coco_masks.decode(coco_masks.frPyObjects([xy], HEIGHT, WIDTH))[..., 0]
    vertices = np.array(xy, dtype=float).reshape(-1, 2)
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    assert fill_polygon_as_coco(mask, vertices) == expected.any()
    np.testing.assert_array_equal(mask, expected)


@given(POLYGONS.filter(lambda xy: len(set(xy)) > 3), st.integers(1, 9), st.integers(1, 9))
def test_polygons_in_small_images_as_pycocotools(xy, height, width):
    expected = coco_masks.decode(coco_masks.frPyObjects([xy], height, width))[..., 0]
    vertices = np.array(xy, dtype=float).reshape(-1, 2)
    mask = np.zeros((height, width), dtype=bool)
    assert fill_polygon_as_coco(mask, vertices) == expected.any()
    np.testing.assert_array_equal(mask, expected)


@given(COORDINATES, COORDINATES, st.floats(0, 40, width=32), st.floats(0, 40, width=32))
def test_boxes_as_pycocotools(x, y, width, height):
    box = np.array([[x, y, width, height]], dtype=float)
    expected = coco_masks.decode(coco_masks.frPyObjects(box, HEIGHT, WIDTH))[..., 0]
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    fill_box_as_coco(mask, box[0, :2], box[0, :2] + box[0, 2:])
    np.testing.assert_array_equal(mask, expected)


def test_the_two_rules_differ_along_outlines_only():
    """Blobs of about 300 pixels.  Measured: IoU .990 in the mean, .976 at least."""
    rng = np.random.default_rng(0)
    overlaps = []
    for _ in range(100):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 30))
        radius = rng.uniform(9, 11, 30)
        blob = np.stack([15 + radius * np.cos(angles), 12 + radius * np.sin(angles)], axis=1)
        ours, theirs = masks = np.zeros((2, HEIGHT, WIDTH), dtype=bool)
        for mask, fill in zip(masks, (fill_polygon, fill_polygon_as_coco), strict=True):
            fill(mask, blob)
        overlaps.append((ours & theirs).sum() / (ours | theirs).sum())
    assert min(overlaps) > 0.95
    assert min(overlaps) < 1


@pytest.mark.parametrize("image_id", [1, 2, 3])
def test_files_as_pycocotools(tmp_path, image_id):
    data = content()
    expected = oracle(data, image_id)
    assert expected.any()
    for source in (data, written(tmp_path, data), str(written(tmp_path, data))):
        mask = mask_from_coco(source, [image_id])
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask[0], expected)


def test_boxes_instead_of_outlines():
    mask = mask_from_coco(content(), [1, 3], regions="bbox", include_crowd=False)
    expected = coco_masks.decode(
        coco_masks.frPyObjects(np.array([[2, 3, 18.5, 19.25]]), HEIGHT, WIDTH)
    )
    np.testing.assert_array_equal(mask[0], expected[..., 0])
    np.testing.assert_array_equal(mask[1], oracle(content(), 3))


def test_filters():
    data = content()
    no_crowd = mask_from_coco(data, [1], include_crowd=False)
    np.testing.assert_array_equal(no_crowd[0], oracle(data, 1, lambda r: not r.get("iscrowd")))
    for categories in ("patch", [2, 3], ["patch", 2], np.array([2, 3])):
        mask = mask_from_coco(data, [1, 2], categories=categories)
        for row, number in zip(mask, (1, 2), strict=True):
            keep = oracle(data, number, lambda record: record["category_id"] in (2, 3))
            np.testing.assert_array_equal(row, keep)


# -- rows ----------------------------------------------------------------------------------------


def test_joined_by_id_or_name_in_the_order_of_X():
    by_id = mask_from_coco(content(), [3, 1, 2, 1])
    by_name = mask_from_coco(content(), ["3.png", "1.png", "b/2.png", "1.png"])
    bare = mask_from_coco(content(), np.array(["3.png", "1.png", "2.png", "1.png"]))
    np.testing.assert_array_equal(by_name, by_id)
    np.testing.assert_array_equal(bare, by_id)
    assert not (by_id[0] == by_id[1]).all()


def test_a_bare_name_never_hides_an_exact_one():
    data = {
        "images": [
            image(1, "a/x.png"),
            image(2, "x.png"),
            image(3, "c/y.png"),
            image(4, "d/y.png"),
        ],
        "annotations": [annotation(1, 1, bbox=[0, 0, 5, 5])],
    }
    assert mask_from_coco(data, ["a/x.png"]).sum() == 25
    with pytest.raises(ValueError, match=r"annotations has 2 images of the name 'x.png': use ids"):
        mask_from_coco(data, ["x.png"])
    with pytest.raises(ValueError, match=r"2 images of the name 'y.png': use ids"):
        mask_from_coco(data, ["y.png"])


def test_not_annotated_or_nothing_marked():
    images = [1, 4, "absent.png"]
    unknown = mask_from_coco(content(), images)
    assert unknown.dtype == np.float32
    assert interpret_mask(unknown, unknown.shape).annotated.tolist() == [True, False, False]
    empty = mask_from_coco(content(), images, missing="empty")
    assert interpret_mask(empty, empty.shape).annotated.tolist() == [True, True, False]
    assert not empty[1].any()
    with pytest.raises(ValueError, match=r"has no image 'absent.png'"):
        mask_from_coco(content(), images, missing="error")
    with pytest.raises(ValueError, match=r"image id 4 has no region to mark"):
        mask_from_coco(content(), images[:2], missing="error")


def test_images_in_a_series_are_taken_in_their_order():
    images = [1, 4, "absent.png"]
    series = pd.Series(images, index=[2, 0, 5])
    np.testing.assert_array_equal(
        mask_from_coco(content(), series), mask_from_coco(content(), images)
    )
    with pytest.raises(ValueError, match=r"has no image 'absent.png'"):
        mask_from_coco(content(), series, missing="error")


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "masks.json"
    path.write_text(json.dumps(content()), encoding="utf-8-sig")
    np.testing.assert_array_equal(mask_from_coco(path, [1]), mask_from_coco(content(), [1]))


def test_resized_to_X():
    data = content()
    full = mask_from_coco(data, [1, 2])
    for method, dtype in (("area", np.float32), ("nearest", bool)):
        small = mask_from_coco(data, [1, 2], shape=(8, 10), resize=method)
        assert small.dtype == dtype
        np.testing.assert_array_equal(small, resize_mask(full, (8, 10), method=method))
    data["images"][1] |= {"height": 48, "width": 62}
    data["annotations"][2:4] = [annotation(12, 2, bbox=[0, 0, 31, 48])]
    mixed = mask_from_coco(data, [1, 2], shape=(HEIGHT, WIDTH), resize="area")
    np.testing.assert_array_equal(mixed[0], full[0])
    assert mixed[1].mean() == pytest.approx(0.5)


# -- errors --------------------------------------------------------------------------------------


def broken(key, number, **changes):
    data = content()
    data[key][number] = {**data[key][number], **changes}
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"images": []}, "has none of the images"),
        ({}, 'must have a list "images"; got None'),
        ({"images": [7]}, r"images\[0\] must be an object; got 7"),
        (broken("images", 1, id=None), r'images\[1\] \(id None\): "id" must be a whole number'),
        (broken("images", 1, id=1), r"images\[1\] \(id 1\): another image has the same id"),
        (broken("images", 1, width="9"), r'images\[1\] \(id 2\): "height", "width" must be'),
        (broken("images", 1, width=10**9), r"images\[1\] \(id 2\): .* at most"),
        (broken("images", 1, file_name=3), r'images\[1\] \(id 2\): "file_name" must be text'),
        (content() | {"annotations": None}, 'must have a list "annotations"'),
        (content() | {"annotations": [[]]}, r"annotations\[0\] must be an object"),
        (broken("annotations", 0, image_id=77), r"\[0\] \(id 10\): no image has the id 77"),
        (broken("annotations", 0, image_id=True), r'\(id 10\): "image_id" must be a whole number'),
        (broken("annotations", 0, segmentation=[[1, 2, 3]]), r"\(id 10\): .*list of polygons"),
        (broken("annotations", 0, segmentation=[[1, 2, 3, 4, 5, "6"]]), r"\(id 10\): .*polygons"),
        (broken("annotations", 0, segmentation="x"), r"\(id 10\): .*list of polygons"),
        (broken("annotations", 0, segmentation=[[0, 0, 1, 1, 1e300, 0]]), "reaches farther"),
        (broken("annotations", 0, segmentation={"counts": [5]}), r"\(id 10\): run lengths must be"),
        (
            broken("annotations", 0, segmentation={"size": [2, 2], "counts": [4]}),
            r"\(id 10\): .size. of the run lengths is \(2, 2\), that of the image \(24, 31\)",
        ),
        (  # the sides swapped
            broken("annotations", 0, segmentation={"size": [31, 24], "counts": [31 * 24]}),
            r"\(id 10\): .size. of the run lengths is \(31, 24\)",
        ),
        (
            broken("annotations", 0, segmentation={"size": [24, 31], "counts": [4]}),
            r"\(id 10\): .*they add up to 4",
        ),
        (broken("annotations", 0, segmentation=None, bbox=None), r"\(id 10\): .bbox. must be"),
        (
            broken("annotations", 0, segmentation=[], bbox=[1, 2, -3, 4]),
            r"\(id 10\): .bbox. must be",
        ),
    ],
)
def test_a_malformed_record_is_named(tmp_path, data, message):
    path = written(tmp_path, data)
    with pytest.raises(ValueError, match=message) as caught:
        mask_from_coco(path, [1])
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "\x00", '{"a": ' + "9" * 5000 + "}", "[]"]
)
def test_what_is_no_json_object(tmp_path, text):
    path = tmp_path / "masks.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"masks\.json (is not a JSON file|must hold a JSON object)"
    ):
        mask_from_coco(path, [1])


def test_what_is_no_text(tmp_path):
    path = tmp_path / "masks.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"masks\.json is not a JSON file"):
        mask_from_coco(path, [1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"annotations": 3}, TypeError, "annotations must be a path or a dict"),
        ({"images": "1.png"}, TypeError, "images must be a sequence"),
        ({"images": [1.5]}, TypeError, "images must hold ids"),
        (
            {"images": ["9.png", 9]},
            ValueError,
            r"none of the images \['9.png', 9\]; it has \['1.png",
        ),
        ({"categories": "rulers"}, ValueError, r"no category 'rulers'; it has \['ruler'\]"),
        ({"categories": 9}, ValueError, "no category 9"),
        ({"categories": [[1]]}, ValueError, "no category"),
        ({"categories": 1.5}, TypeError, "categories must be ids or names"),
        ({"regions": "box"}, ValueError, "regions must be"),
        ({"missing": None}, ValueError, "missing must be one of"),
        ({"resize": "area"}, ValueError, "resize needs shape"),
        ({"resize": "mean", "shape": (8, 8)}, ValueError, "resize must be"),
        ({"shape": (8, 8)}, ValueError, r"image id 1 is 24 x 31 .*, expected 8 x 8"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        mask_from_coco(**{"annotations": content(), "images": [1, 2], **arguments})


def test_files_of_several_sizes_need_a_shape():
    data = broken("images", 1, height=5)
    with pytest.raises(ValueError, match=r"image id 2 is 5 x 31 .*, expected 24 x 31.*resize="):
        mask_from_coco(data, [1, 2])


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=10,
)
SMALL = st.integers(0, 6) | GARBAGE
IMAGES = st.fixed_dictionaries({"id": SMALL, "height": SMALL, "width": SMALL}) | GARBAGE
SEGMENTATIONS = (
    st.lists(st.lists(st.integers(-9, 9) | st.floats(), max_size=8), max_size=3)
    | st.fixed_dictionaries({"size": st.lists(SMALL, max_size=2), "counts": st.text() | GARBAGE})
    | GARBAGE
)
ANNOTATIONS = (
    st.fixed_dictionaries(
        {"image_id": st.just(1) | SMALL, "category_id": SMALL},
        optional={"segmentation": SEGMENTATIONS, "bbox": GARBAGE, "iscrowd": GARBAGE},
    )
    | GARBAGE
)


@given(
    st.fixed_dictionaries(
        {
            "images": st.lists(IMAGES, max_size=2).map(lambda more: [image(1, None, 6, 5), *more]),
            "annotations": st.lists(ANNOTATIONS, max_size=3) | GARBAGE,
        },
        optional={"categories": GARBAGE},
    )
    | st.dictionaries(st.sampled_from(["images", "annotations"]), GARBAGE),
    st.sampled_from([None, 1, "x"]),
)
def test_garbage_is_read_or_named(data, categories):
    """Whatever a file holds: a legal mask, or an error of ours that names the file."""
    try:
        mask = mask_from_coco(data, [1], categories=categories)
    except ValueError as error:
        mask, message = None, str(error)
    if mask is None:
        assert message.startswith(("annotations", "categories: annotations"))
        assert len(message) < 600
    else:
        interpret_mask(mask, (1, 6, 5))


# -- units, turned boxes, and what lies outside --------------------------------------------------


def read(*records, height=100, width=80, **arguments):
    """Read annotations of one image."""
    data = {
        "images": [image(1, height=height, width=width)],
        "categories": CATEGORIES,
        "annotations": [annotation(i, 1, **record) for i, record in enumerate(records)],
    }
    return mask_from_coco(data, [1], **arguments)[0]


QUARTER = [[8, 20, 48, 20, 48, 70, 8, 70]]
SHARES = [[0.1, 0.2, 0.6, 0.2, 0.6, 0.7, 0.1, 0.7]]


def test_coordinates_in_every_unit():
    expected = read({"segmentation": QUARTER})
    assert expected.sum() == 40 * 50
    for unit, factor in (("share", 1), ("percent", 100)):
        polygon = (factor * np.array(SHARES)).tolist()
        box = [0.1 * factor, 0.2 * factor, 0.5 * factor, 0.5 * factor]
        np.testing.assert_array_equal(read({"segmentation": polygon}, unit=unit), expected)
        np.testing.assert_array_equal(read({"bbox": box}, unit=unit), expected)
        np.testing.assert_array_equal(
            read({"segmentation": polygon, "bbox": box}, unit=unit, regions="bbox"), expected
        )


@pytest.mark.parametrize(
    "records",
    [
        [{"segmentation": SHARES}],
        [{"bbox": [0.1, 0.2, 0.5, 0.5]}],
        [{"bbox": [0, 0, 1, 1]}, {"segmentation": SHARES}],
        [{"segmentation": SHARES}, {"segmentation": encode_rle(np.eye(100, 80))}],
    ],
)
def test_shares_that_are_read_as_pixels_are_refused(records):
    with pytest.raises(ValueError, match='annotations: .* within one pixel: .*unit="share"'):
        read(*records)
    read(*records, unit="pixel")  # as somebody says


def test_percent_that_are_read_as_pixels_are_noticed():
    """They could be pixels, so that it is a warning, which unit="pixel" ends."""
    images = [{"id": 1, "height": 480, "width": 640}]
    records = [
        annotation(1, 1, 1, bbox=[2.5, 3.25, 60, 20]),
        annotation(2, 1, 2, bbox=[1, 2, 3, 4]),
    ]
    data = {"images": images, "categories": CATEGORIES, "annotations": records}
    with pytest.warns(UserWarning, match='regions all lie in the upper .*"percent"') as caught:
        mask_from_coco(data, [1])
    assert caught[0].filename == __file__
    mask_from_coco(data, [1], unit="pixel")
    records.append(annotation(3, 1, 2, bbox=[200, 100, 3, 4]))
    mask_from_coco(data, [1])


def test_small_regions_beside_larger_ones_are_pixels():
    mask = read({"segmentation": SHARES}, {"segmentation": QUARTER})
    assert mask.sum() == 1 + 40 * 50
    assert mask[0, 0]
    # Also where the larger ones are of another category, or of another image.
    small, large = {"bbox": [0, 0, 1, 1]}, {"bbox": [10, 10, 5, 5]}
    records = [annotation(1, 1, 1, **small), annotation(2, 1, 2, **large)]
    data = {"images": [image(1), image(2)], "categories": CATEGORIES, "annotations": records}
    assert mask_from_coco(data, [1], categories="ruler").sum() == 1
    records[1] = annotation(2, 2, 1, **large)
    assert mask_from_coco(data, [1]).sum() == 1


@pytest.mark.parametrize(
    ("record", "unit"),
    [({"segmentation": QUARTER}, "share"), ({"bbox": [8, 20, 400, 50]}, "percent")],
)
def test_what_reaches_far_beyond_the_image_is_refused_by_record(record, unit):
    with pytest.raises(ValueError, match=r"annotations\[0\] \(id 0\): reaches from .* fit"):
        read(record, unit=unit)


@pytest.mark.parametrize(
    "record",
    [
        {"bbox": [300, 10, 20, 20]},
        {"bbox": [-30, 10, 20, 20]},
        {"bbox": [10, 100, 20, 20]},  # begins where the image ends
        {"segmentation": [[10, -40, 30, -40, 30, -1]]},
        {"segmentation": [[70, -20, 120, -20, 120, 50]]},  # spans the corner, past it
        {"segmentation": [[8, 20, 48, 20, 48, 70], [8, 200, 48, 200, 48, 270]]},
        {"bbox": [300, 10, 20, 20], "attributes": {"rotation": 30}},
    ],
)
def test_marks_outside_of_the_image_are_refused_by_record(record):
    with pytest.raises(ValueError, match=r"annotations\[1\] \(id 1\): .*lies outside the image"):
        read({"bbox": [8, 20, 10, 10]}, record)


def test_what_hangs_over_the_edge_is_cut_off():
    assert read({"bbox": [-10, 90, 30, 400]}).sum() == 20 * 10
    # A region of less than a pixel, or without width at the very edge, marks nothing, as ever.
    assert not read({"bbox": [80, 0, 0, 10]}, {"bbox": [5.1, 5.1, 0.2, 0.2]}, unit="pixel").any()


@pytest.mark.parametrize(
    ("angle", "rows", "columns"),
    [(0, 10, 40), (90, 40, 10), (-90, 40, 10), (180, 10, 40), (270.0, 40, 10)],
)
def test_turned_boxes(angle, rows, columns):
    """As CVAT writes rotated rectangles: about the centre, and without a segmentation."""
    record = {"segmentation": [], "bbox": [30, 45, 40, 10], "attributes": {"rotation": angle}}
    for arguments in ({}, {"regions": "bbox"}):
        mask = read(record, **arguments)
        assert (mask.any(axis=1).sum(), mask.any(axis=0).sum()) == (rows, columns)
        assert mask.sum() == 400


def test_a_box_turned_by_half_a_right_angle():
    """Clockwise, as it is seen; pycocotools draws the same outline."""
    record = {"bbox": [20, 40, 40, 10], "attributes": {"occluded": False, "rotation": 45.0}}
    mask, half = read(record), np.sqrt(0.5)
    along, across = 20 * half, 5 * half
    corners = [
        (40 - along + across, 45 - along - across),
        (40 + along + across, 45 + along - across),
        (40 + along - across, 45 + along + across),
        (40 - along - across, 45 - along + across),
    ]
    expected = coco_masks.decode(coco_masks.frPyObjects([np.ravel(corners).tolist()], 100, 80))
    np.testing.assert_array_equal(mask, expected[..., 0])
    assert mask[45 + 12, 40 + 12]
    assert not mask[45 - 12, 40 + 12]


def test_an_outline_is_not_turned():
    """CVAT writes a rotation of 0 for these, others whatever they like."""
    record = {"segmentation": QUARTER, "attributes": {"rotation": 30}}
    np.testing.assert_array_equal(read(record), read({"segmentation": QUARTER}))


@pytest.mark.parametrize("angle", ["90", True, None, [90], float("nan"), float("inf")])
def test_an_angle_that_is_none_is_refused(angle):
    with pytest.raises(ValueError, match=r'annotations\[0\] \(id 0\): "rotation" must be a number'):
        read({"bbox": [30, 45, 40, 10], "attributes": {"rotation": angle}})


@pytest.mark.parametrize("crowd", ["false", "0", None, 2, -1, 0.5, [], {}])
@pytest.mark.parametrize("include_crowd", [True, False])
def test_a_crowd_is_zero_or_one(crowd, include_crowd):
    with pytest.raises(
        ValueError, match=r'annotations\[0\] \(id 0\): "iscrowd" must be 0 or 1; got'
    ):
        read({"bbox": [30, 45, 40, 10], "iscrowd": crowd}, include_crowd=include_crowd)


def test_a_crowd_may_be_true_or_false():
    records = [{"bbox": [0, 0, 4, 4], "iscrowd": True}, {"bbox": [9, 9, 4, 4], "iscrowd": False}]
    assert read(*records).sum() == 32
    assert read(*records, include_crowd=False).sum() == 16
