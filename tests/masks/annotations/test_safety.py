"""Files that lie, climb, unpack to too much or are noise raise a ValueError and do nothing else."""

import base64
import io
import json
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from _exports import EXPORTS, Figure, png, text64, write_json
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.utils import Bunch

from skexplain.masks import ImageGeometry, read_annotations
from skexplain.masks._annotations._label_studio_rle import decode_brush, encode_brush
from skexplain.masks._annotations._yolo import names_of_yaml

SIZE = (24, 30)
LIKE = Bunch(filenames=["a/1.jpg"], geometry=[ImageGeometry.fitted(SIZE, (12, 15), "resize")])


def read(path, **options):
    return read_annotations(path, like=LIKE, **options)


# -- XML -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_no_entities(tmp_path, doctype):
    (tmp_path / "a.xml").write_text(f"{doctype}<annotations>&x;</annotations>")
    with pytest.raises(ValueError, match="document type or entities, which are not read"):
        read(tmp_path / "a.xml")


def test_no_deep_files(tmp_path):
    (tmp_path / "a.xml").write_text("<a>" * 100_000)
    with pytest.raises(ValueError, match="in more than 100 others"):
        read(tmp_path / "a.xml")
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is not a JSON file"):
        read(tmp_path / "a.json")


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "..\\secret.png", "C:x", ".."]
)
def test_names_that_climb_out_of_a_folder(tmp_path, name):
    (tmp_path / "secret.png").write_bytes(png(np.ones(SIZE, dtype=bool)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/1.xml").write_text(
        "<annotation><filename>1.jpg</filename><folder>a</folder><object>"
        f"<segm><mask>{name}</mask></segm></object></annotation>"
    )
    with pytest.raises(ValueError, match="name of a file, without folders"):
        read(tmp_path / "in")


def test_folders_that_climb(tmp_path):
    (tmp_path / "m.png").write_bytes(png(np.ones(SIZE, dtype=bool)))
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/deep/1.xml").write_text(
        "<annotation><filename>1.jpg</filename><folder>../..</folder><object>"
        "<segm><mask>m.png</mask></segm></object></annotation>"
    )
    with pytest.warns(UserWarning, match="1 masks whose images are not there"):
        read(tmp_path / "in/deep")


# -- bombs -----------------------------------------------------------------------------------------


def huge_png():
    """A picture of 16 million pixels in two kilobytes."""
    file = io.BytesIO()
    Image.new("1", (4000, 4000)).save(file, "PNG")
    return file.getvalue()


def bomb_of(kind):
    height, width = SIZE
    data = huge_png()
    if kind == "label_studio":
        value = {"imageDataURL": "data:image/png;base64," + text64(data), "bitmasklabels": ["x"]}
        result = {"type": "bitmasklabels", "value": value}
        result |= {"original_width": width, "original_height": height}
        return [{"data": {"image": "1.jpg"}, "annotations": [{"result": [result]}]}]
    if kind == "labelme":
        shape = {"label": "x", "shape_type": "mask", "points": [[0, 0], [9, 9]]}
        shape["mask"] = text64(data)
        size = {"imageHeight": height, "imageWidth": width}
        return {"shapes": [shape], "imagePath": "1.jpg", **size}
    data = zlib.compress(bytes(1 << 20) if kind == "zlib" else data)
    item = {"geometryType": "bitmap", "bitmap": {"origin": [0, 0], "data": text64(data)}}
    return {"size": {"height": height, "width": width}, "objects": [item]}


@pytest.mark.parametrize("kind", ["label_studio", "labelme", "supervisely", "zlib"])
def test_bombs(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("skexplain.masks._annotations._images._MAX_BYTES", 1 << 19)
    path = write_json(tmp_path / "1.jpg.json", bomb_of(kind))
    with pytest.raises(ValueError, match="more than its picture|unpacks to more than"):
        read(path)


def test_run_lengths_that_lie(tmp_path):
    values = encode_brush(np.zeros(SIZE, dtype=bool))
    with pytest.raises(ValueError, match="rle holds 2880 values, but the picture has"):
        decode_brush(values, (10_000, 10_000))
    with pytest.raises(ValueError, match="rle is cut off"):
        decode_brush(values[:-2], SIZE)
    (tmp_path / "a.xml").write_text(
        '<annotations><image name="1.jpg" width="30" height="24"><mask label="x" left="0" top="0" '
        'width="30" height="24" rle="0, 999999999999"/></image></annotations>'
    )
    with pytest.raises(ValueError, match="rle"):
        read(tmp_path / "a.xml")


@pytest.mark.parametrize("side", [10**6, 10**400, -1, 0, 1.5, "x", [3]])
def test_sizes_that_lie(tmp_path, side):
    content = {"shapes": [], "imagePath": "1.jpg", "imageHeight": side, "imageWidth": 10**6}
    with pytest.raises(ValueError, match="1.json"):
        read(write_json(tmp_path / "1.json", content))


# -- brushes ---------------------------------------------------------------------------------------

MASKS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.lists(
        st.lists(st.booleans(), min_size=size[1], max_size=size[1]),
        min_size=size[0],
        max_size=size[0],
    )
)


@given(MASKS)
def test_brushes_come_back(rows):
    mask = np.array(rows)
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


def test_long_runs_come_back():
    mask = np.zeros((300, 400), dtype=bool)
    mask[100:, 7:] = True
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


@given(st.lists(st.integers(0, 255), max_size=60))
def test_brushes_of_noise(values):
    try:
        mask = decode_brush([0, 0, 0, 24, *values], (2, 3))
    except ValueError:
        return
    assert mask.shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [a, 'b c', \"d\"]\nnc: 3", {"0": "a", "1": "b c", "2": "d"}),
        ("names:\n- a\n- b\nnc: 2", {"0": "a", "1": "b"}),
        ('# x\nnames:\n  0: a\n  7: "b"\ntrain: x', {"0": "a", "7": "b"}),
        ("names: {0: a, 1: b}", {"0": "a", "1": "b"}),
        ("names: [a,\n  b]\ntrain: [c]", {"0": "a", "1": "b"}),
        ("nc: 2", {}),
    ],
)
def test_names_of_classes(text, names):
    assert names_of_yaml(text, "data.yaml") == names


# -- noise -----------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats()
    | st.sampled_from(["", "x", "polygon", "1.jpg", "1", "-1", "nan", "\0", "é"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values),
    max_leaves=6,
)


def places(content, path=()):
    """Return where the values of a JSON content are."""
    found = [path]
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in items:
        found += places(value, (*path, key))
    return found


def replaced(content, path, value):
    """Return a copy with another value at a place; the value `...` takes it away."""
    if not path:
        return value
    copy = dict(content) if isinstance(content, dict) else list(content)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    if copy[path[0]] is ... or (len(path) == 1 and value is ...):
        del copy[path[0]]
    return copy


def check(path):
    """Read a file: it is read, or it raises a ValueError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mask = read(path)
    except ValueError:
        return
    assert mask.shape == (1, 12, 15)
    assert mask.dtype in (bool, np.float32)


JSON_TOOLS = [
    tool
    for tool in EXPORTS
    if tool.partition("-")[0] not in ("cvat", "voc", "labelme_xml", "via_csv", "yolo")
]


@settings(max_examples=150)
@given(data=st.data(), tool=st.sampled_from(JSON_TOOLS))
def test_json_with_anything_anywhere(data, tool):
    kind, export = EXPORTS[tool]
    with tempfile.TemporaryDirectory() as folder:
        path = export(Path(folder), ["a/1.jpg"], [Figure(SIZE, kind)])
        file = next(path.rglob("*json")) if path.is_dir() else path
        content = json.loads(file.read_text())
        for _ in range(data.draw(st.integers(1, 3))):
            where = data.draw(st.sampled_from(places(content)))
            value = data.draw(JSON | (st.just(...) if where else st.nothing()))
            content = replaced(content, where, value)
        file.write_text(json.dumps(content, allow_nan=True))
        check(path)


TEXT_TOOLS = [tool for tool in EXPORTS if tool not in JSON_TOOLS]
PIECES = st.text(max_size=5) | st.sampled_from(
    ["<", ">", "&x;", "<object>", "</object>", "-1", "nan", "1e999", "9" * 30, "\n", ",", " ", "0"]
)


@settings(max_examples=150)
@given(data=st.data(), tool=st.sampled_from([*TEXT_TOOLS, JSON_TOOLS[0]]))
def test_text_with_anything_anywhere(data, tool):
    kind, export = EXPORTS[tool]
    with tempfile.TemporaryDirectory() as folder:
        path = export(Path(folder), ["a/1.jpg"], [Figure(SIZE, kind)])
        endings = (".xml", ".csv", ".txt", ".yaml", "json")
        files = [f for f in [path, *path.rglob("*")] if f.is_file() and f.name.endswith(endings)]
        file = data.draw(st.sampled_from(sorted(files)))
        text = file.read_text(encoding="utf-8")
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(text)))
            stop = min(start + data.draw(st.integers(0, 12)), len(text))
            text = text[:start] + data.draw(PIECES) + text[stop:]
        file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        check(path)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([".json", ".xml", ".txt", ".csv"]))
def test_noise(content, ending):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"1{ending}")
        path.write_bytes(content)
        check(path)


@settings(max_examples=40)
@given(st.binary(max_size=200), st.booleans())
def test_mask_images_of_noise(content, packed):
    data = zlib.compress(content) if packed else content
    item = {
        "geometryType": "bitmap",
        "bitmap": {"origin": [0, 0], "data": base64.b64encode(data).decode()},
    }
    with tempfile.TemporaryDirectory() as folder:
        size = {"height": SIZE[0], "width": SIZE[1]}
        path = write_json(Path(folder, "1.jpg.json"), {"size": size, "objects": [item]})
        with pytest.raises(ValueError, match="1.jpg.json"):
            read(path)


@pytest.mark.parametrize(("name", "module"), [("1.dcm", "pydicom"), ("1.nii", "nibabel")])
def test_medical_files_of_noise(name, module):
    pytest.importorskip(module)

    @settings(max_examples=60)
    @given(st.binary(max_size=400))
    def check_noise(content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(bytes(128) + b"DICM" + content if name == "1.dcm" else content)
            check(path)

    check_noise()
