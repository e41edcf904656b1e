"""What a person has marked is there again: whole and in its last revision, whatever happened."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain.datasets import load_images
from skexplain.studio import Conflict, Project
from skexplain.studio._source import find_source

pytest.importorskip("PIL")
from _studio import save_photos  # noqa: E402
from _studio_kinds import save_table, save_texts  # noqa: E402


@pytest.fixture
def project(tmp_path):
    return Project.create(tmp_path / "project", save_photos(tmp_path / "photos"), size=16)


def box(project, top=2):
    mask = np.zeros(project.data.shape, dtype=bool)
    mask[top : top + 4, 3:9] = True
    return mask


def test_pictures_are_those_that_the_library_loads(project, tmp_path):
    bunch = load_images(tmp_path / "photos", 16, fit="pad")
    assert_array_equal(project.X, bunch.data)
    assert_array_equal(project.y, bunch.target_names[bunch.target])
    assert project.names == list(bunch.filenames)
    assert project.data.geometry == list(bunch.geometry)
    assert project.held_out.sum() == 5
    assert len(set(project.y[project.held_out])) == 2


def test_marks_are_there_again(project):
    assert project.mask_of(3) == (None, 0)
    assert project.set_mask(3, box(project), revision=0) == 1
    assert project.set_mask(4, np.zeros(project.data.shape), revision=0) == 1
    assert project.set_mask(5, box(project), revision=0) == 1
    assert project.set_mask(5, None, revision=1) == 2
    for opened in (project, Project(project.folder)):
        mask, revision = opened.mask_of(3)
        assert_array_equal(mask, box(project))
        assert revision == 1
        assert not opened.mask_of(4)[0].any()  # annotated, with nothing marked
        assert opened.mask_of(5) == (None, 2)
        assert [mask is not None for mask in opened.masks()] == [i in (3, 4) for i in range(16)]
        assert opened.state_of(3)["annotated"]
        assert opened.state_of(3)["by"] == "person"


def test_nobody_overwrites_what_another_has_drawn(project):
    project.set_mask(0, box(project), revision=0)
    with pytest.raises(Conflict, match="item 0 was changed elsewhere: it is at revision 1"):
        project.set_mask(0, box(project, top=8), revision=0)
    assert_array_equal(project.mask_of(0)[0], box(project))


def test_of_many_at_once_one_wins(project):
    won, lost = [], []

    def draw(top):
        try:
            won.append((top, project.set_mask(0, box(project, top), revision=0)))
        except Conflict:
            lost.append(top)

    threads = [threading.Thread(target=draw, args=(top,)) for top in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [(top, revision)] = won
    assert revision == 1
    assert len(lost) == 7
    assert_array_equal(project.mask_of(0)[0], box(project, top))


def test_fill_leaves_what_is_annotated(project):
    project.set_mask(1, np.zeros(project.data.shape), revision=0)
    masks = dict.fromkeys([0, 1, 2], box(project))
    assert project.fill(masks, by="propagated") == 2
    assert not project.mask_of(1)[0].any()
    assert project.state_of(0)["by"] == "propagated"
    assert project.changed_since(1) == {0, 2}
    assert project.fill(masks, by="propagated") == 0


def test_fill_replaces_what_was_guessed(project):
    mask, nothing = box(project), np.zeros(project.data.shape, dtype=bool)
    project.fill({0: mask, 1: mask}, by="propagated")
    project.set_mask(1, mask, revision=1)  # a person has checked it
    assert [found is not None for found in project.masks(without="propagated")[:3]] == [
        False, True, False,
    ]  # fmt: skip
    again = dict.fromkeys(range(3), nothing)
    assert project.fill(again, by="propagated", replace="propagated") == 2
    assert [bool(found.any()) for found in project.masks()[:3]] == [False, True, False]


def test_fill_stores_all_masks_or_none(project):
    bad = np.full(project.data.shape, np.nan)
    with pytest.raises(ValueError, match="mask must hold finite numbers"):
        project.fill({0: box(project), 1: bad}, by="imported")
    with pytest.raises(ValueError, match="from 0; got 99"):
        project.fill({0: box(project), 99: box(project)}, by="imported")
    assert project.mask_of(0) == (None, 0)
    assert not (project.folder / "journal.jsonl").exists()


def test_data_that_were_moved_are_found(project, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "photos").rename(tmp_path / "elsewhere" / "pictures")
    with pytest.raises(FileNotFoundError, match="There is no .*photos; .* pass where they are now"):
        find_source(project, tmp_path / "photos")
    save_photos(tmp_path / "others", n_pictures=4)
    with pytest.raises(ValueError, match=r"is the project of .*photos, not of .*others; pass"):
        find_source(project, tmp_path / "others")
    find_source(project, moved)
    assert Project(project.folder).settings["source"] == str(moved)
    find_source(project, moved)
    save_photos(tmp_path / "photos")  # the same names at another place, while the first is there
    with pytest.raises(ValueError, match=r"is the project of .*pictures, not of"):
        find_source(project, tmp_path / "photos")


def test_a_line_that_was_cut_costs_no_other(project):
    project.set_mask(0, box(project), revision=0)
    with open(project.folder / "journal.jsonl", "ab") as file:
        file.write(b'{"picture": 1, "revis')
    again = Project(project.folder)
    assert again.mask_of(0)[1] == 1
    again.set_mask(2, box(project), revision=0)
    assert Project(project.folder).mask_of(2)[1] == 1


KILLED = """
import os, sys
import numpy as np
from skexplain.studio import Project
project = Project(sys.argv[1])
mask = np.zeros(project.data.shape, dtype=bool)
for number in range(10**9):
    mask[:] = number % 2
    revision = project.set_mask(number % 16, mask, revision=number // 16)
    os.write(1, b"%d %d\\n" % (number % 16, revision))
"""


@pytest.mark.slow  # other processes; CI runs it with those in a browser
def test_killed_at_any_moment_it_loses_the_last_stroke_at_most(project):
    for _ in range(2):
        for file in (project.folder / "masks").iterdir():
            file.unlink()
        (project.folder / "journal.jsonl").unlink(missing_ok=True)
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(project.folder)], stdout=subprocess.PIPE
        ) as process:
            lines = [process.stdout.readline() for _ in range(40)]
            process.kill()
            lines += process.stdout.readlines()
        told = dict(tuple(map(int, line.split())) for line in lines if line.endswith(b"\n"))
        again = Project(project.folder)
        for number, revision in told.items():
            mask, present = again.mask_of(number)
            assert present - revision in (0, 1)
            assert mask.all() or not mask.any()


def test_what_is_no_project_is_said(project, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no project"):
        Project(tmp_path)
    with pytest.raises(FileExistsError, match="holds a project already"):
        Project.create(project.folder, tmp_path / "photos")
    settings = json.loads((project.folder / "project.json").read_text())
    for damage in ({"format": 1}, {"labels": ["a"]}, {"geometry": [{"a": 1}]}):
        (project.folder / "project.json").write_text(json.dumps(settings | damage))
        with pytest.raises(ValueError, match=r"project\.json cannot be read"):
            Project(project.folder)
    (project.folder / "project.json").write_text("{")
    with pytest.raises(ValueError, match=r"project\.json cannot be read"):
        Project(project.folder)


def test_bad_arguments(project, tmp_path):
    with pytest.raises(ValueError, match=r"There are 16 pictures, from 0; got 16"):
        project.set_mask(16, box(project), revision=0)
    with pytest.raises(ValueError, match=r"mask must be of shape \(16, 16\), got \(3, 3\)"):
        project.set_mask(0, np.ones((3, 3)), revision=0)
    flat = save_photos(tmp_path / "few", n_pictures=3)
    with pytest.raises(ValueError, match="at least two pictures; 'sick' has one"):
        Project.create(tmp_path / "other", flat, size=16)
    with pytest.raises(ValueError, match="at least two folders"):
        Project.create(tmp_path / "third", flat / "healthy", size=16)
    pictures = save_photos(tmp_path / "ten", n_pictures=10)
    for share in (0.1, 0.9):
        with pytest.raises(ValueError, match="held_out must leave pictures of each of 2 classes"):
            Project.create(tmp_path / "other", pictures, size=16, held_out=share)
    assert not (tmp_path / "other" / "project.json").exists()


@pytest.fixture(params=["pictures", "texts", "table"])
def source(request, tmp_path):
    """Data of each kind."""
    if request.param == "pictures":
        return save_photos(tmp_path / "photos")
    if request.param == "texts":
        return save_texts(tmp_path / "texts.jsonl")
    pytest.importorskip("pandas")
    return save_table(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("bad", "raised"),
    [
        ({"held_out": "a third"}, "held_out must be a non-negative number, got 'a third'"),
        ({"held_out": float("nan")}, "held_out must be a non-negative number, got nan"),
        ({"held_out": True}, "held_out must be a non-negative number, got True"),
        ({"held_out": -0.5}, "held_out must be a non-negative number, got -0.5"),
        ({"held_out": 1}, "held_out must leave"),
        ({"max_epochs": 0}, "max_epochs must be a positive integer, got 0"),
        ({"max_epochs": "many"}, "max_epochs must be a positive integer, got 'many'"),
        ({"max_epochs": 2.5}, "max_epochs must be a positive integer, got 2.5"),
        ({"random_state": -1}, "random_state must be an integer, 0 to 4294967295, got -1"),
        ({"random_state": None}, "random_state must be an integer, 0 to 4294967295, got None"),
        ({"verbose": "no"}, "verbose must be True or False, got 'no'"),
        ({"network": "large"}, "network must be one of .* got 'large'"),
        ({"kind": ["texts"]}, r"kind must be one of .* got \['texts'\]"),
        ({"text": 3}, "text must be text or None, got 3"),
        ({"label": 3}, "label must be text or None, got 3"),
        ({"source": 3}, "source must be a path, text or path-like, got 3"),
        ({"folder": None}, "folder must be a path, text or path-like, got None"),
    ],
)
def test_bad_arguments_of_new_projects(source, tmp_path, bad, raised):
    arguments = {"folder": tmp_path / "p", "source": source, "label": None, **bad}
    if source.name == "table.csv" and "label" not in bad:
        arguments["label"] = "outcome"
    with pytest.raises((TypeError, ValueError), match=raised):
        Project.create(**arguments)
    assert not (tmp_path / "p" / "project.json").exists()


def test_bad_masks(source, tmp_path):
    label = "outcome" if source.name == "table.csv" else None
    project = Project.create(tmp_path / "p", source, label=label, size=16)
    shape = project.data.shape_of(0)
    finite = r"mask must hold finite numbers or bool, or be None where \w+ 0 is not annotated"
    for bad, raised in (
        (np.full(shape, np.nan), finite),
        (np.full(shape, np.inf), finite),
        (np.full(shape, "no"), finite),
        (np.full(shape, None), finite),
        ("everything", r"mask must be of shape .* got \(\)"),
        (np.ones((*shape, 2)), "mask must be of shape"),
        ([[1], [1, 2]], "mask must be an array, or lists of equal lengths"),
    ):
        with pytest.raises(ValueError, match=raised):
            project.set_mask(0, bad, revision=0)
        with pytest.raises(ValueError, match=raised):
            project.fill({0: bad}, by="imported")
    with pytest.raises(ValueError, match="from 0; got -1"):
        project.fill({-1: np.ones(shape)}, by="imported")
    for bad, raised in (
        ({"revision": "0"}, "revision must be an integer of at least 0, got '0'"),
        ({"revision": 0, "by": "me"}, "by must be one of .* got 'me'"),
        ({"revision": 0, "number": 0.0}, "from 0; got 0.0"),
        ({"revision": 0, "number": True}, "from 0; got True"),
        ({"revision": 0, "number": "0"}, "from 0; got '0'"),
    ):
        with pytest.raises(ValueError, match=raised):
            project.set_mask(**{"number": 0, "mask": np.ones(shape), **bad})
    assert project.mask_of(0) == (None, 0)  # and nothing is stored
    assert not (project.folder / "journal.jsonl").exists()
    assert project.set_mask(np.int64(0), np.ones(shape).tolist(), revision=0) == 1
    assert Project(project.folder).mask_of(0)[0].all()
