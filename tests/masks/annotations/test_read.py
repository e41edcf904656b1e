"""What each tool exports lands where it was drawn, whatever the size and orientation of a file."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from _exports import EXPORTS, LABEL, Figure, folder_of, label_studio, write_json
from _photographs import SIZES, overlap, save, scene, seen
from sklearn.utils import Bunch

from skexplain.datasets import load_images
from skexplain.masks import read_annotations

FITS = ["resize", "pad", "crop"]


class Photographs:
    """A photograph of each size and orientation, with a figure of one kind."""

    def __init__(self, folder, kind):
        self.folder = folder
        self.names, self.figures = [], []
        for number, size in enumerate(SIZES):
            for orientation in range(1, 9):
                figure = Figure(size, kind)
                name = f"{'ab'[orientation % 2]}/IMG {number} ({orientation}).jpg"
                options = {"quality": 95, "subsampling": 0}
                save(folder / name, scene(size, figure.mask()), orientation, **options)
                self.names.append(name)
                self.figures.append(figure)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return {
        kind: Photographs(tmp_path_factory.mktemp(kind), kind)
        for kind in ("box", "turned", "ellipse")
    }


@pytest.fixture(scope="module")
def loaded(photographs):
    return {
        (kind, fit): load_images(each.folder, size=160, fit=fit)
        for kind, each in photographs.items()
        for fit in FITS
    }


@pytest.mark.parametrize(("tool", "fit"), [*zip(EXPORTS, itertools.cycle(FITS), strict=False)])
def test_marks_lie_where_they_were_drawn(tool, fit, photographs, loaded, tmp_path):
    kind, export = EXPORTS[tool]
    bunch, each = loaded[kind, fit], photographs[kind]
    path = export(folder_of(tmp_path), each.names, each.figures)
    mask = read_annotations(path, like=bunch)
    assert mask.shape == (40, 160, 160)
    assert overlap(mask, seen(bunch.data)).min() > 0.95
    if tool != "sam":  # which has no labels
        np.testing.assert_array_equal(read_annotations(path, like=bunch, labels=LABEL), mask)
        with pytest.raises(ValueError, match=r"has no label 'rulers'; it has \['ruler & co'"):
            read_annotations(path, like=bunch, labels="rulers")


# -- which picture ---------------------------------------------------------------------------------


def like(names, size=(40, 60), orientation=1):
    from skexplain.masks import ImageGeometry

    geometry = ImageGeometry.fitted(size, (20, 20), "resize", orientation=orientation)
    return Bunch(filenames=np.array(names), geometry=[geometry] * len(names))


def read(tmp_path, names, bunch, **options):
    figures = [Figure((40, 60), "box") for _ in names]
    folder = folder_of(tmp_path)
    return read_annotations(
        label_studio(folder, names, figures, "rectangle"), like=bunch, **options
    )


def annotated(mask):
    """Return the rows with marks; the others must be unknown."""
    known = ~np.isnan(np.asarray(mask, dtype=float)).any(axis=(1, 2))
    assert (np.asarray(mask, dtype=float)[known] > 0).any(axis=(1, 2)).all()
    return np.flatnonzero(known).tolist()


@pytest.mark.parametrize(
    ("theirs", "row"),
    [
        ("my photo (1).JPG", 1),
        ("other.png", 0),
        ("deep/folder/other.jpg", 0),
    ],
)
def test_names_of_uploads(tmp_path, theirs, row):
    bunch = like(["cat/other.jpg", "dog/my photo (1).jpg"])
    assert annotated(read(tmp_path, [theirs], bunch)) == [row]


def test_folders_tell_equal_names_apart(tmp_path):
    export = {
        "images": [{"id": 1, "file_name": "images\\dog\\1.jpg", "height": 40, "width": 60}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 30, 30]}],
    }
    path = write_json(tmp_path / "a.json", export)
    bunch = like(["cat/1.jpg", "dog/1.jpg"])
    assert annotated(read_annotations(path, like=bunch)) == [1]
    export["images"][0]["file_name"] = "1.jpg"
    with pytest.raises(ValueError, match="fits 2 pictures: .'cat/1.jpg', 'dog/1.jpg'"):
        read_annotations(write_json(path, export), like=bunch)


def test_two_tasks_of_one_picture(tmp_path):
    with pytest.raises(ValueError, match=r"task\[0\] and .*task\[1\] are both of the picture"):
        read(tmp_path, ["a.jpg", "x/a.jpg"], like(["a.jpg"]))


def test_ids_and_order(tmp_path):
    bunch = like(["x", "y", "z"])
    figures = [Figure((40, 60), "box")] * 2
    path = label_studio(tmp_path, ["a.jpg", "b.jpg"], figures, "polygon")  # ids are 0 and 1
    assert annotated(read_annotations(path, like=bunch, images=[1, 5, 0])) == [0, 2]
    assert annotated(read_annotations(path, like=like(["x", "y"]), images="order")) == [0, 1]
    with pytest.raises(ValueError, match="as many pictures as like has, 3; the export has 2"):
        read_annotations(path, like=bunch, images="order")
    with pytest.warns(UserWarning, match="1 of 2 pictures are not in like: .*a.jpg"):
        mask = read_annotations(path, like=bunch.geometry, images=["b.jpg", "q", "p"])
    assert annotated(mask) == [0]


def test_what_finds_no_picture_is_listed(tmp_path):
    with pytest.warns(UserWarning, match="2 of 3 pictures are not in like: .*b.jpg, .*c.jpg"):
        mask = read(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], like(["z.jpg", "a.jpg"]))
    assert annotated(mask) == [1]


def test_no_picture_at_all(tmp_path):
    with pytest.raises(ValueError, match=r"has none of the pictures \['z.jpg'\]; it has .*a.jpg"):
        read(tmp_path, ["a.jpg"], like(["z.jpg"]))


# -- upright or stored -----------------------------------------------------------------------------


def coco_of(tmp_path, sizes):
    images = [
        {"id": i, "file_name": f"{i}.jpg", "height": h, "width": w}
        for i, (h, w) in enumerate(sizes)
    ]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [0, 0, w / 2, h / 2]}
        for i, (h, w) in enumerate(sizes)
    ]
    return write_json(tmp_path / "a.json", {"images": images, "annotations": annotations})


def quarter(mask):
    """Return which quarter of a mask is marked, as (lower, right)."""
    row, column = np.argwhere(mask).mean(axis=0) > np.array(mask.shape) / 2
    return bool(row), bool(column)


def test_sizes_tell_how_a_tool_showed_pictures(tmp_path):
    from skexplain.masks import ImageGeometry

    lying = ImageGeometry.fitted((40, 60), (20, 20), "resize", orientation=6)  # seen as 60 x 40
    turned = ImageGeometry.fitted((40, 60), (20, 20), "resize", orientation=3)
    bunch = Bunch(filenames=["0.jpg", "1.jpg"], geometry=[lying, turned])
    # As it is seen: the upper left quarter is that of X.
    mask = read_annotations(coco_of(tmp_path, [(60, 40), (40, 60)]), like=bunch)
    assert [quarter(row) for row in mask] == [(False, False), (False, False)]
    # As it is stored: it turns with the picture; the first speaks for the second.
    path = coco_of(tmp_path, [(40, 60), (40, 60)])
    mask = read_annotations(path, like=bunch)
    assert [quarter(row) for row in mask] == [(False, True), (True, True)]
    np.testing.assert_array_equal(mask, read_annotations(path, like=bunch, drawn_on="stored"))
    with pytest.raises(ValueError, match="either of pictures as they are stored .* or as they"):
        read_annotations(path, like=bunch, drawn_on="upright")
    with pytest.raises(ValueError, match="1.jpg|image id 1.* is 30 x 30"):
        read_annotations(coco_of(tmp_path, [(60, 40), (30, 30)]), like=bunch)


def test_another_size_of_the_same_proportions(tmp_path):
    mask = read_annotations(coco_of(tmp_path, [(20, 30)]), like=like(["0.jpg"]))
    assert mask[0].mean() == 0.25


# -- annotated or not ------------------------------------------------------------------------------


def test_what_nobody_has_annotated(tmp_path):
    size = {"original_width": 60, "original_height": 40}
    value = {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["a"]}
    result = {"type": "rectanglelabels", "value": value, **size}
    tasks = [
        {"data": {"image": "0.jpg"}, "annotations": [{"result": [result]}]},
        {"data": {"image": "1.jpg"}, "annotations": [{"result": []}]},
        {"data": {"image": "2.jpg"}, "annotations": []},
        {"data": {"image": "3.jpg"}, "annotations": [], "predictions": [{"result": [result]}]},
    ]
    path = write_json(tmp_path / "a.json", tasks)
    bunch = like([f"{i}.jpg" for i in range(5)])

    def rows(**options):
        mask = read_annotations(path, like=bunch, **options)
        return ["?" if np.isnan(row).any() else float(row.mean()) for row in mask]

    with pytest.warns(UserWarning, match="1 tasks with predictions alone"):
        assert rows() == [0.25, "?", "?", "?", "?"]
    with pytest.warns(UserWarning, match="predictions=True"):
        assert rows(missing="empty") == [0.25, 0, "?", "?", "?"]
    assert rows(predictions=True) == [0.25, "?", "?", 0.25, "?"]
    with pytest.raises(ValueError, match=r"task\[1\] has no shape to mark"):
        rows(missing="error")


def test_a_list_of_predictions(tmp_path):
    result = {"type": "rectanglelabels", "original_width": 60, "original_height": 40}
    result["value"] = {"x": 0, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["a"]}
    path = write_json(tmp_path / "a.json", [{"result": [result], "score": 0.5}])
    assert read_annotations(path, like=like(["x"]), images="order").mean() == 0.25
    with pytest.raises(ValueError, match='It has no names: pass images="order"'):
        read_annotations(path, like=like(["x"]))


# -- what is no export of pictures -----------------------------------------------------------------


def refused(tmp_path, name, content, message):
    path = Path(tmp_path, name)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_annotations(path, like=like(["a.jpg"]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xml", "<annotations><track/></annotations>", "is an export of a video"),
        ("a.json", {"objects": [], "frames": [], "size": {}}, "is an export of a video"),
        ("a.json", {"project": {}, "metadata": {}, "view": {}}, "is a project of VIA 3"),
        (
            "a.geojson",
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [], "plane": {"z": 2}},
            },
            "lies in a stack of planes",
        ),
        (
            "a.json",
            [
                {
                    "data": {"video": "a.mp4"},
                    "annotations": [
                        {"result": [{"type": "videorectangle", "value": {"sequence": []}}]}
                    ],
                }
            ],
            "is of type 'videorectangle': only pictures",
        ),
        (
            "a.json",
            [
                {
                    "data": {"text": "x"},
                    "annotations": [
                        {
                            "result": [
                                {"type": "labels", "value": {"start": 1, "end": 2, "labels": ["a"]}}
                            ]
                        }
                    ],
                }
            ],
            "only pictures are read, no video or text",
        ),
        (
            "a.json",
            [
                {
                    "data": {"image": "a.jpg"},
                    "annotations": [
                        {"result": [{"type": "rectangle", "image_rotation": 90, "value": {"x": 1}}]}
                    ],
                }
            ],
            "was turned in Label Studio",
        ),
        ("a.json", {"a": 1}, "must be of one of .*; it is not recognised"),
        ("a.json", "{", "is not a JSON file"),
        ("a.xml", "<a>", "is not an XML file"),
        ("a.txt", "hello world", "it is not recognised"),
        ("a.zip", "x", "is packed: unpack it"),
    ],
)
def test_what_is_refused_by_name(tmp_path, name, content, message):
    refused(tmp_path, name, content, message)


def test_several_formats_in_one_folder(tmp_path):
    (tmp_path / "a.txt").write_text("0 .5 .5 .5 .5")
    (tmp_path / "a.json").write_text('{"shapes": [], "imagePath": "a.jpg"}')
    with pytest.raises(ValueError, match=r"holds several formats: labelme .*, yolo .* Say format="):
        read_annotations(tmp_path, like=like(["a.jpg"]))
    with pytest.warns(UserWarning, match="1 files are not recognised, such as .*a.json"):
        mask = read_annotations(tmp_path, like=like(["a.jpg"]), format="yolo")
    assert mask.mean() == 0.25
    (tmp_path / "readme.txt").write_text("words")
    (tmp_path / "classes.txt").write_text("cat\ndog")
    (tmp_path / "a.json").unlink()
    assert read_annotations(tmp_path, like=like(["a.jpg"]), labels="cat").mean() == 0.25


def test_there_is_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="existing file or folder"):
        read_annotations(tmp_path / "absent", like=like(["a"]))
    with pytest.raises(ValueError, match="holds no annotation files"):
        read_annotations(tmp_path, like=like(["a"]))


def test_shapes_without_area_are_counted(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(
        '<annotations><image name="a.jpg" width="60" height="40"><polyline points="1,2;3,4"/>'
        '<points points="1,2"/><box label="x" xtl="1" ytl="1" xbr="1" ybr="9"/>'
        '<tag label="y"/><box label="z" xtl="0" ytl="0" xbr="30" ybr="20"/></image></annotations>'
    )
    with pytest.warns(UserWarning, match="1 boxes without an area, 1 points, 1 polyline"):
        mask = read_annotations(path, like=like(["a.jpg"]))
    assert mask.mean() == 0.25
    with pytest.raises(ValueError, match="no label 'y'; it has .*These mark nothing: 1 boxes with"):
        read_annotations(path, like=like(["a.jpg"]), labels="y")


def test_shapes_in_what_was_cropped_are_counted(tmp_path):
    from skexplain.masks import ImageGeometry

    geometry = ImageGeometry.fitted((40, 120), (20, 20), "crop")
    bunch = Bunch(filenames=["0.jpg"], geometry=[geometry])
    content = json.loads(coco_of(tmp_path, [(40, 120)]).read_text())
    content["annotations"][0]["bbox"] = [0, 0, 20, 20]
    with pytest.warns(UserWarning, match="1 shapes that lie in what was cropped"):
        mask = read_annotations(write_json(tmp_path / "a.json", content), like=bunch)
    assert not mask.any()


def test_holes(tmp_path):
    square = [[0, 0], [60, 0], [60, 40], [0, 40]]
    hole = [[15, 10], [45, 10], [45, 30], [15, 30]]
    geometry = {"type": "MultiPolygon", "coordinates": [[square, hole]]}
    write_json(tmp_path / "a.geojson", [{"type": "Feature", "geometry": geometry}])
    mask = read_annotations(tmp_path / "a.geojson", like=like(["a.svs"]))
    assert mask.mean() == 0.75
    assert not mask[0, 5:15, 5:15].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "excel"}, "format must be one of"),
        ({"drawn_on": "paper"}, "drawn_on must be one of"),
        ({"missing": "?"}, "missing must be one of"),
        ({"images": "name"}, 'images must be a sequence, or "order"'),
        ({"images": ["a"]}, "one entry per picture: 2; got 1"),
        ({"labels": 3.5}, "labels must be labels"),
    ],
)
def test_arguments_are_checked(tmp_path, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read(tmp_path, ["a.jpg"], like(["a.jpg", "b.jpg"]), **options)
    with pytest.raises(ValueError, match="images must be names or ids"):
        read(tmp_path / "b", ["a.jpg"], like(["a.jpg"]).geometry)
