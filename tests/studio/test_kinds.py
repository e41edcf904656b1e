"""Texts and tables: they are recognised, marked, learnt from and taken away as by the library."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain import SwapExClassifier, WithTokenizer
from skexplain.studio import Project, encode_columns, read_table

pytest.importorskip("PIL")
from _studio import save_photos  # noqa: E402
from _studio_kinds import save_table, save_texts, write_records  # noqa: E402

from skexplain.studio import _tasks  # noqa: E402
from skexplain.studio._exports import write_export  # noqa: E402


def silent(share, text):
    assert 0 <= share <= 1
    assert text


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Texts in which "Portable" is marked everywhere, with both models."""
    folder = tmp_path_factory.mktemp("texts")
    project = Project.create(folder / "p", save_texts(folder / "texts.csv", 60), max_epochs=3)
    project.set_mask(1, words_of(project, 1) == "Portable", revision=0)
    project.fill(project.data.copies(1, project.mask_of(1)[0]), by="copied", add=True)
    for kind in ("labels", "marks"):
        _tasks.train(project, kind, silent)
    return project


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table in which "ward" is marked, "age" is not, and "dose" is not decided on."""
    pytest.importorskip("pandas")
    folder = tmp_path_factory.mktemp("table")
    path = save_table(folder / "table.csv")
    project = Project.create(folder / "p", path, label="outcome", max_epochs=3)
    project.set_mask(1, np.array([True]), revision=0)
    project.set_mask(0, np.array([False]), revision=0)
    for kind in ("labels", "marks"):
        _tasks.train(project, kind, silent)
    return project


def words_of(project, number):
    return np.array([word for word, _ in project.data.content(number)["words"]])


def test_the_kind_is_seen_from_the_files(tmp_path):
    pytest.importorskip("pandas")
    made = {
        "texts": [save_texts(tmp_path / f"a.{ending}") for ending in ("csv", "json", "jsonl")],
        "pictures": [save_photos(tmp_path / "photos")],
    }
    for label in ("well", "ill"):
        for number in range(4):
            path = tmp_path / "letters" / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"A letter, {label}.", encoding="utf-8")
    made["texts"].append(tmp_path / "letters")
    records = [{"age": n, "label": "ab"[n % 2]} for n in range(8)]
    write_records(tmp_path / "b.csv", records)
    X, y = np.arange(8.0).reshape(8, 1), np.arange(8) % 2
    np.savez(tmp_path / "c.npz", X=X, y=y, feature_names=["age"])
    made["table"] = [tmp_path / "b.csv", tmp_path / "c.npz"]
    for kind, sources in made.items():
        for number, source in enumerate(sources):
            project = Project.create(tmp_path / f"{kind}-{number}", source, size=16, held_out=0.5)
            assert project.data.kind == kind
            again = Project(project.folder)
            assert again.names == project.names
            assert_array_equal(again.y, project.y)
    assert Project(tmp_path / "table-1").names == ["age"]
    assert Project(tmp_path / "texts-3").names[0] == "ill/0.txt"


@pytest.mark.parametrize(
    ("name", "content", "options", "said"),
    [
        ("a.csv", "text,label\nx,a\n", {}, "at least two classes"),
        ("a.csv", "x,z\n1,2\n3,4\n", {}, "Which column of .* is the label"),
        ("a.csv", "x,z\n1,2\n3,4\n", {"label": "w"}, "label='w' is no column"),
        ("a.json", "{}", {}, "list of records"),
        ("a.json", "{", {}, "cannot be read as JSON"),
        ("a.txt", "x", {}, "must be a folder, or end in"),
        ("a.csv", "text,label\nx,a\n", {"kind": "films"}, "kind must be one of"),
        ("a.csv", "", {}, "Which column of .* is the label"),
        ("a.csv", "x;y\n1;2\n3;4\n", {}, r"must be separated by commas; the first .* 'x;y'"),
        ("a.csv", "y,x,y\n1,2,3\n4,5,6\n", {}, "has 2 columns named 'y'"),
        ("a.csv", "text,y,text\na b c d,2,3\n", {"kind": "texts"}, "has 2 columns named 'text'"),
        ("a.csv", "text,y\npain, and fever,2\n", {}, "Record 1 of .* has 3 values for 2 columns"),
        (
            "a.csv",
            "x,y\n1,2,3\n",
            {"kind": "table"},
            "more values in a row than columns",
        ),
        ("a.csv", f"text,y\n{'a b ' * 40_000},2\n", {}, "field larger than field limit"),
        ("a.csv", "x,y\n1,a\ninf,b\n2,a\n3,b\n", {}, "finite numbers; column 'x'"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, options, said):
    pytest.importorskip("pandas")
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        Project.create(tmp_path / "p", tmp_path / name, **options)
    assert not (tmp_path / "p" / "project.json").exists()


def test_texts_that_cannot_be_used_are_left_out_and_named(tmp_path):
    records = [{"text": "some words", "label": "ab"[n % 2]} for n in range(8)]
    write_records(tmp_path / "a.jsonl", [*records, {"text": " ", "label": "a"}, {"text": "x"}])
    project = Project.create(tmp_path / "p", tmp_path / "a.jsonl", held_out=0.5)
    assert len(project) == 8
    assert list(project.settings["skipped"]) == ["9:  ", "10: x"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"y": [0, 1]}, "X of two axes, and y with a class for each row"),
        ({"feature_names": ["a"]}, "a name for each of 2 columns; got 1"),
        ({"feature_names": ["a", "a"]}, "different names in feature_names"),
    ],
)
def test_arrays_that_are_no_table_are_named(tmp_path, given, said):
    pytest.importorskip("pandas")
    np.savez(tmp_path / "a.npz", **{"X": np.zeros((8, 2)), "y": [0, 1] * 4, **given})
    with pytest.raises(ValueError, match=said):
        read_table(tmp_path / "a.npz")


def test_rows_without_a_label_are_left_out_and_named(tmp_path):
    pytest.importorskip("pandas")
    rows = [f"{n},{n % 3 == 0},,{n % 2}\n" for n in range(12)]
    (tmp_path / "a.csv").write_text("dose,fever,empty,label\n3,True,,\n" + "".join(rows))
    project = Project.create(tmp_path / "p", tmp_path / "a.csv", held_out=0.5)
    assert project.settings["skipped"] == {"row 1": "no label"}
    assert np.unique(project.y).tolist() == ["0", "1"]  # not 0.0, in spite of the gap
    assert [project.state_of(number)["label"] for number in range(3)] == [
        "numbers, 0 to 11",
        "2 different values",
        "no values",
    ]
    assert project.data.content(1)["classes"][0] == ["0", "False (67%), True (33%)"]
    assert project.data.content(2)["classes"][0] == ["0", "100% missing"]


def test_marks_of_a_text_are_brought_to_all_that_are_equal(tmp_path):
    records = [{"text": "some words", "label": "ab"[n % 2]} for n in range(4)]
    write_records(tmp_path / "a.jsonl", records)
    project = Project.create(tmp_path / "p", tmp_path / "a.jsonl", held_out=0.5)
    brought = [{"text": "some words", "label": [span]} for span in ([0, 4, "x"], [5, 10, "x"])]
    write_records(tmp_path / "marks.jsonl", brought)
    masks = project.data.read_marks(tmp_path / "marks.jsonl")
    assert {number: mask.tolist() for number, mask in masks.items()} == {
        number: [True, True] for number in range(4)
    }


def test_marks_of_words_are_spans_and_are_there_again(texts):
    assert (texts.folder / "masks" / "000001.json").exists()
    again = Project(texts.folder)
    for number, text in enumerate(texts.X):
        mask = again.mask_of(number)[0]
        assert_array_equal(words_of(texts, number)[mask], ["Portable"] * ("Portable" in text))
        spans = json.loads((texts.folder / "masks" / f"{number:06}.json").read_text())
        assert [text[start:end] for start, end in spans] == ["Portable"] * ("Portable" in text)
    content = texts.data.content(0)
    joined = content["before"] + "".join(word + gap for word, gap in content["words"])
    assert joined == texts.X[0]


def test_words_side_by_side_are_one_span(texts):
    mask = np.zeros(texts.data.shape_of(0), dtype=bool)
    mask[[0, 1, 3]] = True
    first, second = texts.data.spans_of(0, mask)
    assert texts.X[0][slice(*first)] == " ".join(texts.X[0].split()[:2])
    assert texts.X[0][slice(*second)] == texts.X[0].split()[3]


def test_the_model_of_texts_is_the_library_s(texts):
    train = np.flatnonzero(~texts.held_out)
    clf = WithTokenizer(SwapExClassifier(lr=0.01, max_epochs=3, random_state=0))
    clf.fit([texts.X[i] for i in train], texts.y[train], mask=[["Portable"]])
    record = _tasks.read_record(texts, "marks")
    assert_array_equal(record["predictions"], clf.predict(texts.X))
    assert record["verdict"] in ("leans", "does not lean", "unclear")
    shuffled = texts.data.shuffled(texts.masks(), 0)
    assert [mask.sum() for mask in shuffled] == [mask.sum() for mask in texts.masks()]


def test_where_a_model_looks_in_a_text(texts):
    shares = _tasks.saliency_of(texts, "labels", 3)
    assert shares.shape == texts.data.shape_of(3)
    assert shares.max() == 255


def test_a_decoy_word_is_suggested(tmp_path):
    source = save_texts(tmp_path / "texts.jsonl", n_texts=120)
    project = Project.create(tmp_path / "p", source, max_epochs=20)
    found = {one.text: one for one in project.data.suggest(None, 0)}
    assert found["portable"].p_value < 0.05
    assert not any(name.startswith("word") for name in found)
    for number, text in enumerate(project.X):
        assert (number in found["portable"].masks) == ("Portable" in text)


def test_marks_spread_to_the_same_words(tmp_path):
    project = Project.create(tmp_path / "p", save_texts(tmp_path / "texts.jsonl"))
    with pytest.raises(ValueError, match="Mark words in some texts first"):
        _tasks.propagate(project, silent)
    for number in (1, 3):
        project.set_mask(number, words_of(project, number) == "Portable", revision=0)
    _tasks.propagate(project, silent)
    guessed = _tasks.propagated_masks(project)
    assert sorted(guessed) == [i for i in range(len(project)) if i not in (1, 3)]
    for number, mask in guessed.items():
        assert_array_equal(mask, words_of(project, number) == "Portable")
    seen = {word.lower() for number in (1, 3) for word in words_of(project, number)}
    n_unseen = [sum(word.lower() not in seen for word in words_of(project, i)) for i in guessed]
    assert n_unseen == sorted(n_unseen, reverse=True)  # the least certain first


def test_spans_of_a_tool_are_brought(texts, tmp_path):
    export = write_export(texts, "doccano")[2]
    (tmp_path / "marks.jsonl").write_bytes(export)
    read = texts.data.read_marks(tmp_path / "marks.jsonl")
    marked = [i for i, text in enumerate(texts.X) if "Portable" in text]
    assert sorted(read) == marked
    for number in marked:
        assert_array_equal(read[number], texts.mask_of(number)[0])
    (tmp_path / "others.jsonl").write_text('{"id": 1, "text": "x y", "label": [[0, 1, "a"]]}\n')
    with pytest.raises(ValueError, match="no marks in any of these texts"):
        texts.data.read_marks(tmp_path / "others.jsonl")


def test_the_model_of_a_table_is_the_library_s(table):
    assert table.names == ["age", "ward", "dose"]
    assert table.state_of(0)["label"].startswith("numbers, ")
    assert table.state_of(1)["label"] == "2 different values"
    frame, y = read_table(table.settings["source"], label="outcome")
    train = np.flatnonzero(~table.held_out)
    X = encode_columns(frame).fit(frame.iloc[train]).transform(frame).astype(np.float32)
    assert X.shape[1] == 5  # age, its missing values, two wards, dose
    mask = np.array([[0, 0, 1, 1, np.nan]], dtype=np.float32)
    clf = SwapExClassifier(lr=0.01, max_epochs=3, random_state=0)
    clf.fit(X[train], y[train], mask=mask)
    record = _tasks.read_record(table, "marks")
    assert_array_equal(record["predictions"], clf.predict(X))
    assert record["verdict"] in ("leans", "does not lean", "unclear")
    (control,) = (i for i, mask in enumerate(table.data.shuffled(table.masks(), 0)) if mask[0])
    assert control != 1


def test_a_leaking_column_is_first(tmp_path):
    pytest.importorskip("pandas")
    source = save_table(tmp_path / "table.csv", n_rows=300, n_noise=4)
    project = Project.create(tmp_path / "p", source, label="outcome", max_epochs=20)
    _tasks.train(project, "labels", silent)
    _tasks.suggest(project, silent)
    record = _tasks.read_record(project, "suggestions")
    assert record["next"][0] == 1
    assert [one["text"] for one in record["found"]] == ["ward"]
    assert list(_tasks.suggested_masks(project, 0)) == [1]
    looks = [int(_tasks.saliency_of(project, "labels", i)[0]) for i in range(7)]
    assert np.argmax(looks) == 1
    assert sum(looks) <= 255
    with pytest.raises(ValueError, match="cannot be guessed"):
        _tasks.propagate(project, silent)


def test_marks_of_columns_are_exported(table):
    marks = json.loads(write_export(table, "columns")[2])
    assert marks == {"age": False, "ward": True, "dose": None}


@pytest.mark.slow  # CI runs it with those in a browser
@pytest.mark.parametrize("name", ["texts", "table"])
def test_the_control_is_trained(name, request):
    project = request.getfixturevalue(name)
    _tasks.train(project, "shuffled", silent)
    record = _tasks.read_record(project, "shuffled")
    assert record["title"] == project.data.control
    assert record["verdict"] in ("leans", "does not lean", "unclear")


@pytest.mark.slow  # CI runs it with those in a browser
@pytest.mark.parametrize("name", ["texts", "table"])
def test_a_model_is_corrected(name, request):
    project = request.getfixturevalue(name)
    _tasks.correct(project, silent)
    record = _tasks.read_record(project, "corrected")
    assert record["title"] == "labels alone, then corrected"
    stored = _tasks._load(project, "corrected")
    everything = project.data.samples_of(np.arange(len(project.y)))
    assert_array_equal(stored.predict(everything), record["predictions"])


@pytest.mark.slow  # other processes; CI runs it with those in a browser
@pytest.mark.parametrize("name", ["texts", "table"])
def test_the_script_repeats_it(name, request, tmp_path):
    project = request.getfixturevalue(name)
    content = write_export(project, "script")[2]
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "repeat.py")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    record = _tasks.read_record(project, "marks")
    predicted = (tmp_path / "predictions.txt").read_text(encoding="utf-8").split()
    assert predicted == record["predictions"]
