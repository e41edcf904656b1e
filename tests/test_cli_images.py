"""``skexplain images``: what it writes is what the library reads; what does not fit is an error."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain import _cli
from skexplain.datasets import load_images
from skexplain.masks import read_annotations

pytest.importorskip("PIL")
from _photographs import SIZES, box, box_mask, save, scene  # noqa: E402


@pytest.fixture
def photos(tmp_path):
    """Photographs of two classes, in several orientations, and boxes in a COCO file."""
    images, annotations = [], []
    for number, size in enumerate(SIZES):
        name = f"{('benign', 'malignant')[number % 2]}/{number}.png"
        save(tmp_path / "photos" / name, scene(size, box_mask(size)), orientation=number + 1)
        images.append({"id": number, "file_name": name, "height": size[0], "width": size[1]})
        left, top, right, bottom = box(size)
        annotations.append(
            {"id": number, "image_id": number, "bbox": [left, top, right - left, bottom - top]}
            | {"category_id": number % 2}
        )
    categories = [{"id": 0, "name": "ruler"}, {"id": 1, "name": "patch"}]
    export = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "export.json").write_text(json.dumps(export))
    return tmp_path / "photos", tmp_path / "export.json", tmp_path / "data.npz"


def run(*arguments):
    return _cli.main(["images", *map(str, arguments)])


def fails(capsys, *arguments):
    assert run(*arguments) == 1
    text = capsys.readouterr().err
    assert text.startswith("skexplain: ")
    assert text.count("\n") == 1
    return text


def test_writes_what_the_library_reads(photos, capsys):
    folder, export, output = photos
    options = ["--size", 32, 48, "--fit", "pad", "--annotations", export]
    assert run(folder, output, *options, "--mark", "ruler", "--missing", "empty") == 0
    expected = load_images(folder, (32, 48), fit="pad")
    mask = read_annotations(export, like=expected, labels="ruler", missing="empty")
    with np.load(output) as data:
        assert set(data) == {"X", "y", "mask", "names"}
        assert_array_equal(data["X"], expected.data)
        assert_array_equal(data["y"], expected.target_names[expected.target])
        assert_array_equal(data["names"], expected.filenames)
        assert_array_equal(data["mask"], mask)
    printed = capsys.readouterr().out
    assert "X of shape (5, 3, 32, 48), uint8" in printed
    assert "benign: 3, malignant: 2" in printed


@pytest.mark.filterwarnings("default")
def test_pictures_alone(photos, tmp_path, capsys):
    folder, _, output = photos
    table = tmp_path / "labels.csv"
    table.write_text("name,score\nbenign/0,0.5\nbenign/4,1.5\nmalignant/1,2.5\n")
    assert run(folder, output, "--size", 16, "--labels", table, "--mode", "L") == 0
    assert "2 files" in capsys.readouterr().err
    with np.load(output) as data:
        assert set(data) == {"X", "y", "names"}
        assert data["X"].shape == (3, 1, 16, 16)
        assert_array_equal(data["y"], [0.5, 1.5, 2.5])


@pytest.mark.filterwarnings("default")
def test_says_what_does_not_fit(photos, capsys):
    folder, export, output = photos
    assert "need --annotations" in fails(capsys, folder, output, "--mark", "ruler")
    assert "got 3 numbers" in fails(capsys, folder, output, "--size", 1, 2, 3)
    text = fails(capsys, folder, output, "--size", 8, "--annotations", export, "--mark", "rule")
    assert "rule" in text
    (folder / "benign" / "broken.png").write_bytes(b"no picture")
    assert "benign/broken.png" in fails(capsys, folder, output, "--size", 8)
    assert not output.exists()
    assert run(folder, output, "--size", 8, "--skip-broken") == 0
    assert "benign/broken.png" in capsys.readouterr().err
