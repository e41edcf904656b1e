"""What takes time: each task writes what the public call returns, and the script repeats it."""

import io
import subprocess
import sys
import time
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain import MaskPropagator, SwapExClassifier, load, save
from skexplain.studio import Project

pytest.importorskip("PIL")
from _studio import save_photos, stickers  # noqa: E402

from skexplain.exceptions import UnreliableMaskWarning  # noqa: E402
from skexplain.studio import _jobs, _tasks  # noqa: E402
from skexplain.studio._exports import write_export  # noqa: E402
from skexplain.studio._jobs import Jobs  # noqa: E402


def silent(share, text):
    assert 0 <= share <= 1
    assert text


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A project in which every sticker is marked, and both models are trained."""
    folder = tmp_path_factory.mktemp("studio")
    photos = save_photos(folder / "photos", n_pictures=40)
    project = Project.create(folder / "project", photos, size=16, max_epochs=2)
    for number, mask in enumerate(stickers(project.X)):
        project.set_mask(number, mask, revision=0)
    for kind in ("labels", "marks"):
        _tasks.train(project, kind, silent)
    return project


def test_the_model_is_the_library_s(marked):
    train = ~marked.held_out
    clf = SwapExClassifier(max_epochs=2, random_state=0)
    clf.fit(marked.X[train], marked.y[train], mask=stickers(marked.X)[train])
    record = _tasks.read_record(marked, "marks")
    assert_array_equal(record["predictions"], clf.predict(marked.X))
    assert record["accuracy"] == clf.score(marked.X[~train], marked.y[~train])
    assert record["verdict"] in ("leans", "does not lean", "unclear")
    assert record["n_marked"] == train.sum()
    stored = load(marked.models / "marks.safetensors")
    assert_array_equal(stored.predict(marked.X), clf.predict(marked.X))
    assert (marked.models / "marks.html").read_text(encoding="utf-8").startswith("<!")


def test_the_first_model_is_audited_with_the_marks_and_not_trained_again(marked):
    before = (marked.models / "labels.safetensors").stat()
    record = _tasks.read_record(marked, "labels")
    project = Project(marked.folder)
    (project.models / "labels.html").unlink()
    _tasks.train_first(project, silent)
    assert (marked.models / "labels.safetensors").stat().st_mtime_ns == before.st_mtime_ns
    assert _tasks.read_record(marked, "labels") == record
    assert (project.models / "labels.html").exists()


@pytest.mark.slow  # CI runs it with those in a browser
def test_the_control_is_trained(marked):
    _tasks.train(marked, "shuffled", silent)
    record = _tasks.read_record(marked, "shuffled")
    assert record["title"] == "labels and marks of other pictures"
    assert record["n_marked"] == (~marked.held_out).sum()


def test_the_control_has_the_masks_of_others(marked):
    train = np.flatnonzero(~marked.held_out)
    masks = marked.masks()
    masks[train[0]] = None
    given = marked.data.shuffled(masks, 0)
    assert given[train[0]] is None
    assert {id(given[row]) for row in train} == {id(masks[row]) for row in train}
    assert any(given[row] is not masks[row] for row in train)


def test_without_marks_it_says_what_is_missing(tmp_path):
    photos = save_photos(tmp_path / "photos")
    project = Project.create(tmp_path / "project", photos, size=16, max_epochs=1)
    with pytest.raises(ValueError, match="Mark something in pictures of the training first"):
        _tasks.train(project, "marks", silent)
    _tasks.train(project, "labels", silent)
    record = _tasks.read_record(project, "labels")
    assert record["verdict"] is None
    assert "0 held-out pictures have marks" in record["reason"]
    for what in ("model", "audit", "coco", "other"):
        with pytest.raises(ValueError, match="There is no"):
            write_export(project, what)
    with pytest.raises(ValueError, match="no model of labels and marks yet"):
        _tasks.saliency_of(project, "marks", 0)


def test_saliency_is_in_shares(marked):
    shares = _tasks.saliency_of(marked, "labels", 1)
    assert shares.shape == marked.data.shape
    assert shares.dtype == np.uint8
    assert shares.max() == 255


def test_suggestions_and_what_to_mark_next(marked, tmp_path):
    _tasks.suggest(marked, silent)
    record = _tasks.read_record(marked, "suggestions")
    assert record["next"] == []  # every picture is annotated
    for number, one in enumerate(record["found"]):
        masks = _tasks.suggested_masks(marked, number)
        assert sorted(masks) == sorted(one["items"])
        assert all(mask.shape == marked.data.shape for mask in masks.values())
    with pytest.raises(ValueError, match="no suggestion 99"):
        _tasks.suggested_masks(marked, 99)


@pytest.mark.slow  # CI runs it with those in a browser
def test_a_saved_model_is_looked_at_and_corrected(marked, tmp_path):
    project = Project.create(tmp_path / "project", marked.settings["source"], size=16)
    with pytest.raises(ValueError, match="no model of labels alone yet"):
        _tasks.suggest(project, silent)
    _tasks.take(project, marked.models / "labels.safetensors")
    _tasks.train_first(project, silent)
    record = _tasks.read_record(project, "given")
    assert record["title"] == "the given model"
    assert record["predictions"] == _tasks.read_record(marked, "labels")["predictions"]
    for number, mask in enumerate(marked.masks()):
        project.set_mask(number, mask, revision=0)
    _tasks.correct(project, silent)
    assert _tasks.read_record(project, "corrected")["n_marked"] == (~project.held_out).sum()
    other = SwapExClassifier(max_epochs=1, random_state=0)
    other.fit(marked.X, marked.y == "sick", mask=stickers(marked.X))
    save(other, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"must be \['healthy', 'sick'\], as of the data; got"):
        _tasks.take(project, tmp_path / "other.safetensors")


@pytest.mark.slow  # CI runs it with those in a browser
def test_propagated_masks_are_of_the_others(tmp_path):
    photos = save_photos(tmp_path / "photos", n_pictures=24)
    project = Project.create(tmp_path / "project", photos, size=16)
    known = [*range(8), *range(12, 20)]  # of both classes
    for number in known:
        project.set_mask(number, stickers(project.X)[number], revision=0)
    _tasks.propagate(project, silent)
    guessed = _tasks.propagated_masks(project)
    assert sorted(guessed) == [i for i in range(24) if i not in known]
    assert _tasks.read_record(project, "propagated")["next"] == list(guessed)
    assert list(guessed) != sorted(guessed)  # the least certain first
    X = np.asarray(project.X)
    masks = [stickers(X)[i] if i in known else None for i in range(24)]
    filled = np.asarray(MaskPropagator(random_state=0).fit(X, masks).fill(X, masks)) > 0.5
    for number, mask in guessed.items():
        assert_array_equal(mask, filled.reshape(24, 16, 16)[number])
    assert all(mask.shape == project.data.shape for mask in guessed.values())
    assert all(mask.dtype == bool for mask in guessed.values())


@pytest.mark.slow  # CI runs it with those in a browser
def test_guesses_are_made_anew(tmp_path):
    """Those of before are no marks; with one mask their overlap is not known."""
    project = Project.create(tmp_path / "p", save_photos(tmp_path / "photos"), size=16)
    marks = stickers(project.X)
    project.set_mask(1, marks[1], revision=0)
    with pytest.warns(UnreliableMaskWarning):
        _tasks.propagate(project, silent)
    assert _tasks.read_record(project, "propagated")["iou"] is None
    project.fill(_tasks.propagated_masks(project), by="propagated")
    for number in (0, 3, 5):
        project.set_mask(number, marks[number], revision=project.mask_of(number)[1])
    _tasks.propagate(project, silent)
    assert sorted(_tasks.propagated_masks(project)) == [
        i for i in range(16) if i not in (0, 1, 3, 5)
    ]
    alone = Project.create(tmp_path / "alone", tmp_path / "photos", size=16)
    alone.fill({number: marks[number] for number in (0, 1, 3, 5)}, by="imported")
    _tasks.propagate(alone, silent)
    expected = _tasks.propagated_masks(alone)
    for number, mask in _tasks.propagated_masks(project).items():
        assert_array_equal(mask, expected[number])


def test_a_task_that_does_not_start_is_no_end(tmp_path, monkeypatch):
    project = Project.create(tmp_path / "p", save_photos(tmp_path / "photos"), size=16)
    started = []

    def start(*args, **kwargs):
        if len(started) < 1:
            started.append(args)
            raise OSError("there is no memory")
        return popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], **kwargs)

    popen = subprocess.Popen
    monkeypatch.setattr(_jobs.subprocess, "Popen", start)
    jobs = Jobs(project, print)
    try:
        for said in ("there is no memory", "killed by signal 9: is the memory full?"):
            jobs.add("first")
            deadline = time.monotonic() + 60
            while (jobs.state()["error"] or {}).get("text") is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            state = jobs.state()
            assert said in state["error"]["text"]
            assert state["running"] is None
    finally:
        jobs.close()


@pytest.mark.slow  # other processes; CI runs it with those in a browser
def test_the_script_repeats_it(marked, tmp_path):
    name, _, content = write_export(marked, "script")
    assert name == "studio.zip"
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "repeat.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    record = _tasks.read_record(marked, "marks")
    assert f"accuracy on held-out pictures: {record['accuracy']}" in done.stdout
    predicted = (tmp_path / "predictions.txt").read_text(encoding="utf-8").split()
    assert predicted == record["predictions"]
    again = load(tmp_path / "model.safetensors")
    stored = load(marked.models / "marks.safetensors")
    assert_array_equal(again.predict_proba(marked.X), stored.predict_proba(marked.X))


@pytest.mark.parametrize("what", ["coco", "label_studio"])
def test_masks_go_back_to_the_tools(marked, tmp_path, what):
    from skexplain.datasets import load_images
    from skexplain.masks import read_annotations

    (tmp_path / "export.json").write_bytes(write_export(marked, what)[2])
    photos = load_images(marked.settings["source"], 16, fit="pad")
    options = {"predictions": True} if what == "label_studio" else {}
    mask = read_annotations(tmp_path / "export.json", like=photos, missing="empty", **options)
    read = np.nan_to_num(np.asarray(mask, dtype=float)) > 0.5
    drawn = np.stack(marked.masks())
    assert (read & drawn).sum() / (read | drawn).sum() > 0.8  # the pictures are larger than X


def test_lines_that_some_library_prints_are_no_records(tmp_path):
    jobs = Jobs(Project.create(tmp_path / "p", save_photos(tmp_path / "few", 8), size=16), print)
    lines = io.StringIO('5\nnull\n{"share": 0.5}\na warning\n')
    running = {"share": 0.0}
    process = SimpleNamespace(stdout=lines, returncode=0, wait=lambda: 0)
    assert jobs._follow(process, running) is None
    assert running["share"] == 0.5
    assert running["reports"] == 1  # too few to say how long it takes
    jobs.close()
