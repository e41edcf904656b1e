"""Pictures as arrays, masks beside data, and networks with pretrained weights."""

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain.studio import Project, read_pictures

pytest.importorskip("PIL")
from _studio import save_photos, stickers  # noqa: E402
from _weights import install_stand_in  # noqa: E402
from PIL import Image  # noqa: E402

from skexplain.studio import _tasks  # noqa: E402
from skexplain.studio._exports import write_export  # noqa: E402
from skexplain.studio._pixels import large_picture  # noqa: E402


def silent(share, text):
    assert 0 <= share <= 1
    assert text


def arrays(n_samples=16, n_channels=3, size=16):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, size=(n_samples, n_channels, size, size), dtype=np.uint8)
    y = np.array(["well", "ill"])[np.arange(n_samples) % 2]
    mask = np.zeros((n_samples, size, size), dtype=np.float32)
    mask[:, 2:5, 3:9] = 1
    mask[3] = np.nan
    mask[4] = 0
    return X, y, mask


def save_arrays(path, **given):
    np.savez(path, **given)
    return path


@pytest.mark.parametrize("axes", ["channels first", "channels last", "grey"])
@pytest.mark.parametrize("type_", [np.uint8, np.float32])
def test_pictures_of_arrays(tmp_path, axes, type_):
    X, y, mask = arrays()
    given = {"channels first": X, "channels last": np.moveaxis(X, 1, 3), "grey": X[:, 0]}[axes]
    source = save_arrays(tmp_path / "p.npz", X=given.astype(type_), y=y, mask=mask)
    project = Project.create(tmp_path / "project", source)
    expected = X[:, :1] if axes == "grey" else X
    for opened in (project, Project(project.folder)):
        assert opened.data.kind == "pictures"
        assert opened.X.dtype == type_
        assert_array_equal(opened.X, expected)
        assert_array_equal(opened.y, y)
        assert opened.mask_of(3) == (None, 0)
        assert not opened.mask_of(4)[0].any()
        assert_array_equal(opened.mask_of(5)[0], mask[5])
        assert opened.state_of(5)["by"] == "imported"
    with Image.open(io.BytesIO(large_picture(project, 0))) as shown:
        assert shown.size == (16, 16)
        assert shown.mode == ("L" if axes == "grey" else "RGB")


def test_what_is_no_picture_is_said(tmp_path):
    X, y, _ = arrays()
    for given, raised in (
        ({"X": X}, "must hold arrays X and y"),
        ({"X": X, "y": y[:3]}, "must hold X of shape"),
        ({"X": X[0, 0, 0], "y": y}, "must hold X of shape"),
        ({"X": X.astype(str), "y": y}, "must hold finite numbers in X; got values of type"),
        ({"X": np.where(X > 9, np.nan, X), "y": y}, "must hold finite numbers in X"),
        ({"X": X, "y": np.where(np.arange(len(X)), 0, np.nan)}, "a class of each picture in y"),
    ):
        with pytest.raises(ValueError, match=raised):
            read_pictures(save_arrays(tmp_path / "p.npz", **given))
    (tmp_path / "p.npz").write_text("no arrays")
    with pytest.raises(ValueError, match=r"p\.npz cannot be read as arrays"):
        Project.create(tmp_path / "project", tmp_path / "p.npz")
    (tmp_path / "m.safetensors").write_text("a model")
    with pytest.raises(ValueError, match=r"pass the data, and the model as --model m\.safetensors"):
        Project.create(tmp_path / "project", tmp_path / "m.safetensors")
    assert not (tmp_path / "project" / "project.json").exists()


def test_masks_that_do_not_fit_make_no_project(tmp_path):
    X, y, mask = arrays()
    source = save_arrays(tmp_path / "p.npz", X=X, y=y, mask=mask[:, :3])
    with pytest.raises(ValueError, match="mask"):
        Project.create(tmp_path / "project", source)
    assert not (tmp_path / "project" / "project.json").exists()


def test_the_mask_of_a_table(tmp_path):
    pytest.importorskip("pandas")
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    source = save_arrays(tmp_path / "t.npz", X=X, y=y, mask=[[1, np.nan, 0]])
    project = Project.create(tmp_path / "project", source)
    assert [None if one is None else bool(one[0]) for one in project.masks()] == [True, None, False]
    source = save_arrays(tmp_path / "t.npz", X=X, y=y, mask=np.ones((20, 3)))
    with pytest.raises(ValueError, match="one value for each of 3 columns; got shape"):
        Project.create(tmp_path / "other", source)


def test_which_network_is_trained(tmp_path, monkeypatch):
    photos = save_photos(tmp_path / "photos")
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    project = Project.create(tmp_path / "without", photos, size=64)
    assert "small network" in project.data.network
    assert project.settings["max_epochs"] == 30
    with pytest.raises(ImportError, match=r"skexplain\[weights\]"):
        Project.create(tmp_path / "none", photos, size=64, network="pretrained")
    (tmp_path / "packages").mkdir()
    install_stand_in(tmp_path / "packages", monkeypatch)
    assert Project(tmp_path / "without").settings["network"] == "small"
    for folder, options in (("tiny", {"size": 32}), ("asked", {"size": 64, "network": "small"})):
        other = Project.create(tmp_path / folder, photos, **options)
        assert other.settings["network"] == "small"
    project = Project.create(tmp_path / "with", photos, size=64)
    assert "pretrained weights" in project.data.network
    assert project.settings["max_epochs"] == 15
    X, y, _ = arrays(n_channels=1, size=64)
    with pytest.raises(ValueError, match=r"three channels .* got uint8 of shape \(16, 1, "):
        Project.create(
            tmp_path / "grey", save_arrays(tmp_path / "g.npz", X=X, y=y), network="pretrained"
        )


@pytest.mark.slow  # other processes; CI runs it with those in a browser
@pytest.mark.parametrize("data", ["photos", "arrays"])
def test_the_script_repeats_it(tmp_path, monkeypatch, data):
    (tmp_path / "packages").mkdir()
    install_stand_in(tmp_path / "packages", monkeypatch)
    if data == "photos":
        source = save_photos(tmp_path / "photos", n_pictures=24)
    else:
        X, y, _ = arrays(n_samples=24, size=64)
        source = save_arrays(tmp_path / "p.npz", X=X, y=y)
    network = {"photos": "pretrained", "arrays": "small"}[data]
    project = Project.create(tmp_path / "project", source, size=64, network=network, max_epochs=2)
    marks = stickers(project.X) if data == "photos" else arrays(n_samples=24, size=64)[2]
    for number, mask in enumerate(np.nan_to_num(marks)):
        project.set_mask(number, mask, revision=0)
    for task in (_tasks.train_first, _tasks.suggest, _tasks.correct):
        task(project, silent)
    _tasks.train(project, "marks", silent)
    assert _tasks.saliency_of(project, "corrected", 0).shape == (64, 64)
    zipfile.ZipFile(io.BytesIO(write_export(project, "script")[2])).extractall(tmp_path / "out")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "out" / "repeat.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "packages")},
    )
    assert done.returncode == 0, done.stderr
    predicted = (tmp_path / "out" / "predictions.txt").read_text(encoding="utf-8").split()
    assert predicted == _tasks.read_record(project, "marks")["predictions"]
