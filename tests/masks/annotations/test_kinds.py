"""Kinds of shapes and spellings of each format, as small files worked out by hand."""

import json
import math

import numpy as np
import pytest
from _exports import png, text64, write_json
from sklearn.utils import Bunch

from skexplain.masks import ImageGeometry, read_annotations

SIZE = (40, 60)
LIKE = Bunch(filenames=["a/1.jpg"], geometry=[ImageGeometry.fitted(SIZE, SIZE, "resize")])
Y, X = np.mgrid[:40, :60] + 0.5


def read(tmp_path, name, content, **options):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_annotations(path, like=LIKE, **options)[0]


def box(left, top, right, bottom):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


# -- LabelMe ---------------------------------------------------------------------------------------


def labelme(**shape):
    size = {"imageHeight": 40, "imageWidth": 60}
    return {"imagePath": "1.jpg", "shapes": [{"label": "x"} | shape], **size}


def test_labelme_circle(tmp_path):
    content = labelme(shape_type="circle", points=[[30, 20], [33, 24]])
    assert iou(read(tmp_path, "1.json", content), np.hypot(X - 30, Y - 20) < 5) > 0.95


def test_labelme_of_old_versions_and_of_others(tmp_path):
    corners = [[1, 2], [7, 2], [7, 5], [1, 5]]
    for shape in ({"points": corners}, {"shape_type": "rotation", "points": corners}):
        np.testing.assert_array_equal(read(tmp_path, "1.json", labelme(**shape)), box(1, 2, 7, 5))
    rows = labelme(shape_type="mask", points=[[3, 4], [5, 4]], mask=[[1, 0, 1]])
    np.testing.assert_array_equal(read(tmp_path, "1.json", rows), box(3, 4, 4, 5) | box(5, 4, 6, 5))
    with pytest.warns(UserWarning, match="1 linestrip"):
        read(tmp_path, "1.json", labelme(shape_type="linestrip", points=corners))


def test_pixels_outside_of_the_picture(tmp_path):
    shape = {"shape_type": "mask", "points": [[58, 0], [61, 0]]}
    shape["mask"] = text64(png(np.ones((1, 4), dtype=bool)))
    with pytest.raises(ValueError, match=r"pixels reach from x, y = \[58, 0\] to \[62, 1\]"):
        read(tmp_path, "1.json", labelme(**shape))
    shape = {"shape_type": "mask", "points": [[1, 0], [60, 39]]}
    shape["mask"] = text64(png(np.ones(SIZE, dtype=bool)))
    with pytest.raises(ValueError, match=r"from x, y = \[1, 0\] to \[61, 40\]"):
        read(tmp_path, "1.json", labelme(**shape))


# -- VOC -------------------------------------------------------------------------------------------


def voc(inner):
    size = "<size><width>0</width><height>0</height></size>"  # not read by the tool
    return f"<annotation><filename>1.jpg</filename>{size}<object>{inner}</object></annotation>"


def test_voc_turned_boxes_and_outlines(tmp_path):
    turned = (
        f"<name>x</name><robndbox><cx>20</cx><cy>10</cy><w>8</w><h>4</h>"
        f"<angle>{math.pi / 2}</angle></robndbox>"
    )
    np.testing.assert_array_equal(read(tmp_path, "1.xml", voc(turned)), box(18, 6, 22, 14))
    points = [(1, 2), (7, 2), (7, 5), (1, 5)]
    outline = "".join(f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(points, 1))
    outline = f"<name>x</name><bndbox/><polygon>{outline}</polygon>"
    np.testing.assert_array_equal(read(tmp_path, "1.xml", voc(outline)), box(1, 2, 7, 5))
    with pytest.raises(ValueError, match="object 0: xmin must be a number"):
        read(tmp_path, "1.xml", voc("<bndbox/>"))


# -- Label Studio ----------------------------------------------------------------------------------


def result(**value):
    size = {"original_width": 60, "original_height": 40}
    return {"type": "x", **size, "value": {"rectanglelabels": ["x"], **value}}


QUARTER = {"x": 0, "y": 0, "width": 50, "height": 50}


def test_a_file_of_a_cloud_storage(tmp_path):
    content = {"id": 1, "result": [result(**QUARTER)], "task": {"data": {"image": "1.jpg"}}}
    np.testing.assert_array_equal(read(tmp_path, "7.json", content), box(0, 0, 30, 20))


@pytest.mark.parametrize(
    "address",
    [
        "https://host/x/1.jpg?X-Amz-Signature=a%2Fb.png",
        "s3://bucket/a/1.jpg",
        "/data/local-files/?d=a/1.jpg",
        "/data/upload/5/0123abcd-1.jpg",
        "/data/upload/5/a%2F1.jpg",
        r"C:\photos\a\1.jpg",
    ],
)
def test_addresses_of_pictures(tmp_path, address):
    annotations = [{"result": [result(**QUARTER)]}]
    task = {"data": {"photo": address, "note": "b"}, "annotations": annotations}
    np.testing.assert_array_equal(read(tmp_path, "1.json", [task]), box(0, 0, 30, 20))


def test_tasks_of_several_pictures(tmp_path):
    data = {"before": "0.jpg", "after": "1.jpg"}
    one = result(**QUARTER) | {"to_name": "after"}
    task = {"data": data, "annotations": [{"result": [one]}]}
    np.testing.assert_array_equal(read(tmp_path, "1.json", [task]), box(0, 0, 30, 20))
    task["annotations"] = [{"result": [result(**QUARTER)]}]
    with pytest.raises(ValueError, match="several pictures, .'after', 'before'"):
        read(tmp_path, "1.json", [task])
    task = {"data": {"image": "1.jpg"}, "annotations": [{"result": [one | {"item_index": 1}]}]}
    with pytest.raises(ValueError, match="has several pictures, of which one"):
        read(tmp_path, "1.json", [task])


def test_several_people_are_united(tmp_path):
    other = result(x=50, y=0, width=50, height=50)
    people = [{"result": [result(**QUARTER)]}, {"result": [other]}]
    task = {"data": {"image": "1.jpg"}, "annotations": people}
    np.testing.assert_array_equal(read(tmp_path, "1.json", [task]), box(0, 0, 60, 20))


# -- COCO ------------------------------------------------------------------------------------------


def test_coco_in_shares(tmp_path):
    image = {"id": 1, "file_name": "1.jpg", "height": 40, "width": 60}
    record = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0.1, 0.1, 0.5, 0.5]}
    with pytest.raises(ValueError, match="all lie between 0 and 1"):
        read(tmp_path, "1.json", {"images": [image], "annotations": [record]})


# -- YOLO ------------------------------------------------------------------------------------------


def test_yolo_spellings(tmp_path):
    half = box(0, 0, 30, 40)
    for line in ("0 .25 .5 .5 1", "0 .25 .5 .5 1 .9\n", "00 0 0 .5 0 .5 1 0 1\n\n"):
        np.testing.assert_array_equal(read(tmp_path, "1.txt", line, labels=0), half)
    with pytest.raises(ValueError, match="line 1 has 7 numbers behind the class"):
        read(tmp_path, "1.txt", "0 .1 .1 .1 .1 .1 .1 .1")
    with pytest.raises(ValueError, match="line 2 must hold shares .* it reaches from 15 to 25"):
        read(tmp_path, "1.txt", "0 .5 .5 .5 .5\n0 20 20 10 10")
    assert np.isnan(read(tmp_path, "1.txt", "")).all()
    assert not read(tmp_path, "1.txt", "", missing="empty").any()


# -- VIA, QuPath -----------------------------------------------------------------------------------


def test_via_circle_and_points(tmp_path):
    shapes = [{"name": "circle", "cx": 30, "cy": 20, "r": 5}, {"name": "point", "cx": 1, "cy": 1}]
    regions = [{"shape_attributes": shape, "region_attributes": {}} for shape in shapes]
    content = {"1.jpg77": {"filename": "1.jpg", "size": 77, "regions": regions}}
    with pytest.warns(UserWarning, match="these mark nothing: 1 point"):
        mask = read(tmp_path, "1.json", content)
    assert iou(mask, np.hypot(X - 30, Y - 20) < 5) > 0.95


def test_a_line_of_csv_without_a_region(tmp_path):
    text = (
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        'region_attributes\n1.jpg,7,"{}",0,0,"{}","{}"\n'
    )
    assert not read(tmp_path, "1.csv", text, missing="empty").any()


def test_qupath_classes(tmp_path):
    square = [[0, 0], [30, 0], [30, 20], [0, 20]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [square]}}
    kind = {"names": ["Tumor", "CD8"], "color": [1, 2, 3]}
    feature["properties"] = {"name": "first", "classification": kind}
    for label in ("Tumor", "CD8", "first"):
        mask = read(tmp_path, "1.geojson", feature, labels=label)
        np.testing.assert_array_equal(mask, box(0, 0, 30, 20))


def test_supervisely_holes(tmp_path):
    points = {
        "exterior": [[0, 0], [30, 0], [30, 30], [0, 30]],
        "interior": [[[5, 5], [20, 5], [20, 20], [5, 20]]],
    }
    item = {"geometryType": "polygon", "classTitle": "x", "points": points}
    content = {"size": {"height": 40, "width": 60}, "objects": [item]}
    mask = read(tmp_path, "1.jpg.json", content)
    assert iou(mask, box(0, 0, 30, 30) & ~box(5, 5, 20, 20)) > 0.9
    item["geometryType"] = "cuboid"
    with pytest.warns(UserWarning, match="1 cuboid"):
        read(tmp_path, "1.jpg.json", content)


def test_files_by_hand_are_written_and_read_in_utf8(tmp_path):
    bunch = Bunch(filenames=["Über mich.jpg"], geometry=LIKE.geometry)
    image = {"id": 1, "file_name": "über_mich.JPG", "height": 40, "width": 60}
    record = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 30, 20]}
    path = write_json(tmp_path / "a.json", {"images": [image], "annotations": [record]})
    np.testing.assert_array_equal(read_annotations(path, like=bunch)[0], box(0, 0, 30, 20))
