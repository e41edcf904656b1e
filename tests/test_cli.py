"""Check the command line end to end: from files to files and text, with errors of one line."""

import csv
import io
import json
import pickle
import sys

import joblib
import numpy as np
import pytest
from _estimators import quick
from numpy.testing import assert_array_equal
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skexplain import ERMClassifier, MaskPropagator, SwapExClassifier, _cli, estimators, save
from skexplain.inspection import MaskDisplay, audit

COMMANDS = [
    ["audit"],
    ["correct"],
    ["masks", "inspect"],
    ["masks", "convert"],
    ["masks", "propagate"],
    ["compare"],
]


def run(*arguments):
    """Run a command; models that are audited here are pickles of trees."""
    if arguments[0] == "audit":
        arguments = (*arguments, "--allow-pickle")
    return _cli.main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    """Run a command that must end with status 1 and one line, which is returned."""
    assert run(*arguments) == 1
    text = capsys.readouterr().err
    assert text.startswith("skexplain: ")
    assert text.count("\n") == 1
    return text


# Audit


@pytest.fixture
def table(tmp_path):
    """Two columns, of which a tree reads the one that must not matter; its files and what is in."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    X = np.stack([rng.normal(size=80), y], axis=1)
    model = DecisionTreeClassifier(random_state=0).fit(X, y)
    mask = np.array([[False, True]])
    joblib.dump(model, tmp_path / "model.joblib")
    np.savez(tmp_path / "data.npz", X=X, y=y, mask=mask, groups=y)
    return tmp_path, model, X, y, mask


def test_audit_prints_and_writes_the_library_s_report(table, capsys):
    pytest.importorskip("matplotlib")
    folder, model, X, y, mask = table
    html, numbers = folder / "report.html", folder / "numbers.csv"
    arguments = ["--output", html, "--csv", numbers, "--seed", 3]
    assert run("audit", folder / "model.joblib", folder / "data.npz", *arguments) == 0
    expected = audit(model, X, y, mask, group_labels=y, random_state=3)
    assert capsys.readouterr().out == f"{expected}\n"
    with open(numbers, encoding="utf-8") as file:
        written = {row["name"]: row["value"] for row in csv.DictReader(file)}
    assert written.pop("verdict") == "leans"
    assert written.pop("reason") == expected.reason
    assert {name: float(value) for name, value in written.items()} == expected.numbers()
    page = html.read_text(encoding="utf-8")
    assert "It leans on what it must not." in page
    assert "data:image/png;base64," in page
    assert "data.npz: 80 samples" in page
    assert "model.joblib: sklearn, DecisionTreeClassifier" in page


def test_audit_reads_pickles_names_of_data_sets_and_masks_in_files(table, capsys):
    folder, model, X, y, _ = table
    (folder / "model.pickle").write_bytes(pickle.dumps(model))
    np.savez(folder / "bunch.npz", data=X, target=y)
    np.save(folder / "mask.npy", [[1, 0]])  # with "relevant" column 1 is the irrelevant one
    arguments = [folder / "model.pickle", folder / "bunch.npz", "--mask", folder / "mask.npy"]
    assert run("audit", *arguments, "--marks", "relevant") == 0
    assert "It leans on what it must not." in capsys.readouterr().out
    assert run("audit", *arguments, "--marks", "irrelevant") == 0
    assert "No sign that it leans" in capsys.readouterr().out


def test_audit_takes_model_files_and_pickles_only_where_allowed(table, capsys):
    folder, _, X, y, mask = table
    arguments = ["audit", str(folder / "model.joblib"), str(folder / "data.npz")]
    assert _cli.main(arguments) == 1
    said = capsys.readouterr().err
    assert "model.joblib is no file of skexplain.save" in said
    assert "pass --allow-pickle for files of your own" in said
    clf = SwapExClassifier(max_epochs=1, random_state=0).fit(X, y, mask=mask)
    save(clf, folder / "model.safetensors")
    arguments[1] = str(folder / "model.safetensors")
    assert _cli.main(arguments) == 0
    assert "SwapExClassifier" in capsys.readouterr().out
    damaged = (folder / "model.safetensors").read_bytes()[:-4]
    (folder / "model.safetensors").write_bytes(damaged)
    assert _cli.main(arguments) == 1
    assert "is no complete safetensors file" in capsys.readouterr().err


def test_audit_fails_a_model_that_leans_only_if_asked_to(table, capsys):
    folder, *_, mask = table
    arguments = ["audit", folder / "model.joblib", folder / "data.npz"]
    assert run(*arguments) == 0
    assert run(*arguments, "--fail-if-leans") == 3
    np.save(folder / "mask.npy", ~mask)
    assert run(*arguments, "--fail-if-leans", "--mask", folder / "mask.npy") == 0


@pytest.mark.parametrize("with_names", [True, False])
def test_audit_of_a_table(table, with_names, capsys):
    pd = pytest.importorskip("pandas")
    folder, _, X, y, _ = table
    frame = pd.DataFrame(X, columns=["age", "ward"])
    fitted = DecisionTreeClassifier(random_state=0).fit(frame if with_names else X, y)
    joblib.dump(fitted, folder / "model.joblib")
    if with_names:  # a column that the model does not know is left out
        frame.insert(0, "patient", [f"p{row}" for row in range(80)])
    frame = frame.assign(died=y, sex=np.arange(80) % 2)
    frame.to_csv(folder / "table.csv", index=False)
    arguments = ["audit", folder / "model.joblib", folder / "table.csv", "--target", "died"]
    arguments += ["--groups", "sex"]
    assert run(*arguments, "--irrelevant", "ward", "--fail-if-leans") == 3
    assert "worst group" in capsys.readouterr().out
    assert run(*arguments, "--irrelevant", "age", "--fail-if-leans") == 0
    assert "Close to 'wrd': ['ward']" in fails(capsys, *arguments, "--irrelevant", "wrd")
    if with_names:
        frame.drop(columns="age").to_csv(folder / "table.csv", index=False)
        expected = "must have the columns ['age']; it has ['patient', 'ward', 'died', 'sex']"
        assert expected in fails(capsys, *arguments, "--irrelevant", "ward")


def test_audit_of_an_npz_by_names(table, capsys):
    folder, _, X, y, _ = table
    arguments = ["audit", folder / "model.joblib", folder / "named.npz", "--irrelevant", "ward"]
    np.savez(folder / "named.npz", X=X, y=y, feature_names=["age", "ward"])
    assert run(*arguments, "--fail-if-leans") == 3
    np.savez(folder / "named.npz", X=X, y=y)
    assert 'named.npz has no "feature_names"' in fails(capsys, *arguments)


def test_audit_certifies_within_epsilon(table, capsys):
    folder, _, X, y, mask = table
    fitted = quick(ERMClassifier, random_state=0).fit(X, y)
    joblib.dump(fitted, folder / "model.joblib")
    assert run("audit", folder / "model.joblib", folder / "data.npz", "--epsilon", 0.5) == 0
    expected = audit(fitted, X, y, mask, group_labels=y, epsilon=0.5, random_state=0)
    assert capsys.readouterr().out == f"{expected}\n"
    assert "certified_accuracy" in expected


def test_audit_certifies_under_the_marks_it_is_told(table, capsys):
    folder, _, X, y, mask = table
    for marks, told in (("irrelevant", ["--marks", "relevant"]), ("relevant", [])):
        fitted = quick(ERMClassifier, random_state=0, mask_marks=marks).fit(X, y)
        joblib.dump(fitted, folder / "model.joblib")
        expected = audit(fitted, X, y, mask, mask_marks="relevant", epsilon=1.2, random_state=0)
        assert expected.certified_accuracy > 0.5  # if "ward" moved, 0
        np.savez(folder / "data.npz", X=X, y=y, mask=mask, feature_names=["age", "ward"])
        arguments = ["audit", folder / "model.joblib", folder / "data.npz", "--epsilon", 1.2]
        assert run(*arguments, *told) == 0
        assert capsys.readouterr().out == f"{expected}\n"
        # "age", named irrelevant, is what the mask does not mark as relevant.
        assert run(*arguments, "--irrelevant", "age") == 0
        assert capsys.readouterr().out == f"{expected}\n"


def test_audit_says_what_is_wrong_with_its_files(table, capsys):
    folder, _, X, y, mask = table
    model, data, other = folder / "model.joblib", folder / "data.npz", folder / "other.npz"
    assert "missing.joblib" in fails(capsys, "audit", folder / "missing.joblib", data)
    assert "missing.npz" in fails(capsys, "audit", model, folder / "missing.npz")
    for content in (b"no archive", b""):
        other.write_bytes(content)
        for arguments in ((other, data), (model, other)):
            assert "other.npz must be" in fails(capsys, "audit", *arguments)
    other.write_bytes(model.read_bytes()[:300])
    assert "other.npz must be an estimator saved by" in fails(capsys, "audit", other, data)
    damaged = bytearray(data.read_bytes())
    damaged[600] ^= 1  # within the numbers of X
    other.write_bytes(damaged)
    assert "other.npz: array 'X' must" in fails(capsys, "audit", model, other)
    np.savez(other, X=X, target_names=y)
    assert "must hold an array 'y' or 'target'; it holds ['X', 'target_names']" in fails(
        capsys, "audit", model, other
    )
    np.savez(other, X=X, y=y)
    assert "other.npz holds no mask: pass --mask FILE" in fails(capsys, "audit", model, other)
    np.savez(other, X=X, y=y.astype(object), mask=mask)
    assert "other.npz: array 'y' must hold numbers" in fails(capsys, "audit", model, other)
    np.savez(other, X=X, y=y, mask=mask * 255)
    assert "mask must hold bool, numbers in [0, 1]" in fails(capsys, "audit", model, other)
    np.savez(other, X=X, y=y[1:], mask=mask)
    assert "y has 79 rows" in fails(capsys, "audit", model, other)
    np.save(folder / "other.npy", X)
    assert "it is an .npy file" in fails(capsys, "audit", model, folder / "other.npy")
    for no_model, kind in ((StandardScaler().fit(X), "StandardScaler"), ({"model": 1}, "dict")):
        joblib.dump(no_model, model)
        printed = fails(capsys, "audit", model, data)
        assert f"must be a fitted classifier or regressor, got {kind}" in printed


def test_output_that_cannot_show_a_character_costs_nothing_else(table, monkeypatch):
    folder = table[0]
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    assert run("audit", folder / "model.joblib", folder / "data.npz") == 0
    assert b"? its standard error" in stream.buffer.getvalue()  # in place of an ellipsis


def test_audit_says_what_is_wrong_with_a_table(table, monkeypatch, capsys):
    pytest.importorskip("pandas")
    folder, *_ = table
    path = folder / "table.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    arguments = ["audit", folder / "model.joblib", path, "--irrelevant", "a"]
    assert "table.csv must have the columns ['target']; it has ['a', 'b']" in fails(
        capsys, *arguments
    )
    path.write_text("", encoding="utf-8")
    assert "table.csv must be a CSV table" in fails(capsys, *arguments)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "tables need pandas: pip install pandas" in fails(capsys, *arguments)


def test_a_report_without_matplotlib_names_the_extra(table, monkeypatch, capsys):
    folder, *_ = table
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["audit", folder / "model.joblib", folder / "data.npz"]
    assert "skexplain[plot]" in fails(capsys, *arguments, "--output", folder / "x.html")
    assert run(*arguments) == 0


# Masks

COCO = {
    "images": [
        {"id": 7, "file_name": "b.png", "height": 2, "width": 4},
        {"id": 3, "file_name": "a.png", "height": 2, "width": 4},
        {"id": 5, "height": 2, "width": 4},
    ],
    "categories": [{"id": 1, "name": "ruler"}, {"id": 2, "name": "lesion"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 4, 1]},
        {"id": 2, "image_id": 3, "category_id": 2, "bbox": [0, 0, 1, 2]},
    ],
}
FIRST = np.array([[1, 1, 1, 1], [0, 0, 0, 0]])  # of b.png
SECOND = np.array([[1, 0, 0, 0], [1, 0, 0, 0]])  # of a.png
NOTHING = np.full((2, 4), np.nan)


@pytest.fixture
def coco(tmp_path):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(COCO), encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path):
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "masks"
    folder.mkdir()
    for name, mask in (("b_mask.png", FIRST), ("a_mask.png", SECOND)):
        Image.fromarray((mask * 255).astype(np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("not a mask", encoding="utf-8")
    return folder


def load(path):
    with np.load(path) as content:
        return dict(content)


def test_convert_coco_in_its_own_order(coco, capsys):
    output = coco.with_name("out.npz")
    assert run("masks", "convert", coco, output) == 0
    result = load(output)
    assert_array_equal(result["mask"], [FIRST, SECOND, NOTHING])
    assert result["names"].tolist() == ["b.png", "a.png", "5"]
    printed = capsys.readouterr().out
    assert "out.npz: shape (3, 2, 4), float32" in printed
    assert "2 of 3 samples annotated" in printed


def test_convert_coco_with_a_byte_order_mark(coco):
    coco.write_text(json.dumps(COCO), encoding="utf-8-sig")
    output = coco.with_name("out.npz")
    assert run("masks", "convert", coco, output) == 0
    assert_array_equal(load(output)["mask"], [FIRST, SECOND, NOTHING])


def test_convert_coco_by_names_and_categories(coco):
    output, names = coco.with_name("out.npz"), coco.with_name("names.txt")
    names.write_text("\ufeffa.png\nz.png\nphoto.png\nb.png\n\n", encoding="utf-8")
    arguments = ["--names", names, "--categories", "ruler", "--missing", "empty"]
    assert run("masks", "convert", coco, output, *arguments) == 0
    result = load(output)
    # a.png is in the file, without a ruler; the others were never looked at.
    assert_array_equal(result["mask"], [0 * FIRST, NOTHING, NOTHING, FIRST])
    assert result["names"].tolist() == ["a.png", "z.png", "photo.png", "b.png"]


def test_convert_coco_in_shares(coco, capsys):
    output, shares = coco.with_name("out.npz"), json.loads(json.dumps(COCO))
    for record in shares["annotations"]:
        record["bbox"] = (np.array(record["bbox"]) / [4, 2, 4, 2]).tolist()
    coco.write_text(json.dumps(shares), encoding="utf-8")
    assert 'pass unit="share"' in fails(capsys, "masks", "convert", coco, output)
    assert run("masks", "convert", coco, output, "--unit", "share") == 0
    assert_array_equal(load(output)["mask"], [FIRST, SECOND, NOTHING])


def test_convert_resizes_and_inverts(coco):
    output = coco.with_name("out.npz")
    arguments = ["--size", 2, 2, "--resize", "area", "--invert"]
    assert run("masks", "convert", coco, output, *arguments) == 0
    expected = [[[0, 0], [1, 1]], [[0.5, 1], [0.5, 1]], [[np.nan, np.nan]] * 2]
    assert_array_equal(load(output)["mask"], expected)


def test_convert_a_folder(pictures, capsys):
    output, names = pictures.with_name("out.npz"), pictures.with_name("names.txt")
    assert run("masks", "convert", pictures, output, "--suffix", "_mask.png") == 0
    result = load(output)
    assert_array_equal(result["mask"], [SECOND, FIRST])  # of the alphabet
    assert result["names"].tolist() == ["a", "b"]
    names.write_text("photos/b.jpg\nphotos/c.jpg\n", encoding="utf-8")
    arguments = ["--suffix", "_mask.png", "--names", names, "--marked", "255", "254"]
    assert run("masks", "convert", pictures, output, *arguments) == 0
    assert_array_equal(load(output)["mask"], [FIRST, NOTHING])
    arguments[-2:] = ["0"]
    assert run("masks", "convert", pictures, output, *arguments) == 0
    assert_array_equal(load(output)["mask"], [1 - FIRST, NOTHING])
    arguments[-1:] = ["alpha"]
    capsys.readouterr()
    assert "expected one of ['RGBA', 'LA', 'PA']" in fails(
        capsys, "masks", "convert", pictures, output, *arguments
    )


def test_convert_an_array_keeps_its_names(tmp_path):
    source, output = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, mask=[FIRST, SECOND], names=["b", "a"])
    arguments = ["--size", 2, 2, "--resize", "nearest"]
    assert run("masks", "convert", source, output, *arguments) == 0
    result = load(output)
    assert_array_equal(result["mask"], [[[1, 1], [0, 0]], [[0, 0], [0, 0]]])
    assert result["names"].tolist() == ["b", "a"]
    np.save(tmp_path / "in.npy", [FIRST])
    assert run("masks", "convert", tmp_path / "in.npy", output, "--size", 2, 4, "--invert") == 0
    result = load(output)
    assert_array_equal(result["mask"], [1 - FIRST])
    assert "names" not in result


def test_convert_says_what_is_wrong(coco, pictures, capsys):
    folder = coco.parent
    output, names, array = folder / "out.npz", folder / "names.txt", folder / "a.npz"

    def message(source, *arguments):
        return fails(capsys, "masks", "convert", source, output, *arguments)

    assert "nowhere does not exist" in message(folder / "nowhere")
    names.write_text("a.png\n\nb.png\n", encoding="utf-8")
    assert "names.txt must be one of: a folder of mask images, a COCO file" in message(names)
    assert "line 2 is blank" in message(coco, "--names", names)
    names.write_bytes(b"\xff\xfe\x00")
    assert "names.txt must be text in UTF-8" in message(coco, "--names", names)
    assert "no category 'rulr'" in message(coco, "--categories", "rulr")
    assert "--suffix does not go with" in message(coco, "--suffix", ".png")
    assert "--resize needs --size H W" in message(coco, "--resize", "area")
    assert "instances.json: image id 7 is 2 x 4" in message(coco, "--size", 2, 2)
    assert "--categories does not go with" in message(pictures, "--categories", "a")
    assert "it holds ['a_mask.png'" in message(pictures, "--suffix", ".gif")
    np.savez(array, one=FIRST, two=FIRST)
    assert "a.npz must hold an array 'mask'; it holds ['one', 'two']" in message(array)
    np.savez(array, one=[FIRST])
    assert "--names does not go with" in message(array, "--names", names)
    assert "must hold masks of size 2 x 2 (--size)" in message(array, "--size", 2, 2)
    np.savez(array, one=[FIRST * 255])
    assert "Divide a 0..255 image by 255" in message(array)
    for content in ("[", "[]", '{"images": [{}]}', '{"images": [3]}'):
        coco.write_text(content, encoding="utf-8")
        assert "instances.json must be a COCO file" in message(coco)
    assert not output.exists()


def test_inspect_shows_what_convert_would_write(coco, capsys):
    assert run("masks", "inspect", coco) == 0
    printed = capsys.readouterr().out
    assert "instances.json: shape (3, 2, 4), float32" in printed
    assert "2 of 3 samples annotated, 0 of them with nothing marked" in printed
    assert "0.25, 0.312, 0.375, 0.438, 0.5" in printed
    assert 'read as "must not matter"' in printed
    assert "turn the masks round" not in printed


def test_inspect_doubts_masks_that_mark_most(tmp_path, capsys):
    np.save(tmp_path / "mask.npy", 1 - np.array([FIRST, SECOND, SECOND]))
    assert run("masks", "inspect", tmp_path / "mask.npy", "--marks", "relevant") == 0
    printed = capsys.readouterr().out
    assert 'read as "is the reason" (mask_marks="relevant")' in printed
    assert "turn the masks round (skexplain masks convert --invert)" in printed


def test_inspect_prints_the_shape_of_an_illegal_mask(tmp_path, capsys):
    np.save(tmp_path / "mask.npy", np.array([FIRST, 3 * SECOND]))
    assert run("masks", "inspect", tmp_path / "mask.npy") == 1
    captured = capsys.readouterr()
    assert "shape (2, 2, 4), int64" in captured.out
    assert "got 3 in 1 of 2 samples, at samples [1]" in captured.err


@pytest.mark.parametrize("where", ["beside", "elsewhere", "nowhere"])
def test_inspect_draws_annotated_rows(tmp_path, monkeypatch, where):
    pytest.importorskip("matplotlib")
    drawn = {}
    real = MaskDisplay.from_mask

    def from_mask(X, mask, **given):
        drawn.update(given, X=X)
        return real(X, mask, **given)

    monkeypatch.setattr(MaskDisplay, "from_mask", from_mask)
    X = np.random.default_rng(0).normal(size=(8, 2, 4))
    mask = np.stack([NOTHING, 0 * FIRST, *[FIRST] * 6])
    arrays = {"mask": mask, "X": X} if where == "beside" else {"mask": mask}
    np.savez(tmp_path / "mask.npz", **arrays)
    np.savez(tmp_path / "data.npz", data=X)
    arguments = ["--data", tmp_path / "data.npz"] if where == "elsewhere" else []
    picture = tmp_path / "picture.png"
    assert run("masks", "inspect", tmp_path / "mask.npz", "--output", picture, *arguments) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert drawn["rows"].tolist() == [2, 3, 4, 5]
    assert_array_equal(drawn["X"], 0 * X if where == "nowhere" else X)


def test_inspect_draws_a_mask_without_marks(tmp_path):
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "mask.npy", [[0, 0, 0]])
    picture = tmp_path / "picture.png"
    assert run("masks", "inspect", tmp_path / "mask.npy", "--output", picture) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def few(tmp_path):
    """A table of which column 1 is irrelevant in the four annotated samples, column 0 in one."""
    X = np.random.default_rng(0).normal(size=(12, 3))
    mask = np.full((12, 3), np.nan)
    mask[:4] = [0, 1, 0]
    mask[3, 0] = 1
    path = tmp_path / "few.npz"
    np.savez(path, X=X, mask=mask, names=[f"row {row}" for row in range(12)])
    return path, X, mask


def test_propagate_fills_in_the_masks_of_the_others(few, capsys):
    path, _, mask = few
    output = path.with_name("out.npz")
    assert run("masks", "propagate", path, output) == 0
    result = load(output)
    expected = np.tile([0, 1, 0], (12, 1))
    expected[3, 0] = 1  # what was annotated stays
    assert_array_equal(result["mask"], expected)
    assert result["names"].tolist() == [f"row {row}" for row in range(12)]
    printed = capsys.readouterr().out
    assert (
        "learnt from 4 of 12 samples; intersection over union on samples left out: 0.875" in printed
    )  # 1, 1, 1, 1/2
    assert "seconds\n" in printed
    assert "12 of 12 samples annotated" in printed
    # A mask of its own file goes before that in the data.
    np.savez(path.with_name("other.npz"), mask=mask[:, [1, 0, 2]])
    assert run("masks", "propagate", path, output, "--mask", path.with_name("other.npz")) == 0
    result = load(output)
    assert_array_equal(result["mask"], expected[:, [1, 0, 2]])
    assert "names" not in result


def test_propagate_hands_its_options_on(few, monkeypatch):
    path, X, mask = few
    made = []

    def propagator(**params):
        made.append(MaskPropagator(**params))
        return made[-1]

    monkeypatch.setattr(estimators, "MaskPropagator", propagator)
    arguments = ["--marks", "relevant", "--seed", 5, "--max-side", 48]
    output = path.with_name("out.npz")
    assert run("masks", "propagate", path, output, *arguments) == 0
    params = made[0].get_params()
    assert (params["mask_marks"], params["random_state"], params["max_side"]) == ("relevant", 5, 48)
    assert_array_equal(load(output)["mask"], made[0].fill(X, mask))


@pytest.mark.filterwarnings("default")  # not an error, so that it is shown
def test_propagate_says_what_is_wrong(few, capsys):
    path, X, mask = few
    output = path.with_name("out.npz")

    def message():
        return fails(capsys, "masks", "propagate", path, output)

    np.savez(path, X=X)
    assert "few.npz must hold an array 'mask'; it holds ['X']" in message()
    np.savez(path, X=X, mask=np.full_like(mask, np.nan))
    assert "mask must annotate at least one sample" in message()
    np.savez(path, X=X, mask=mask[:, 1:])
    assert "mask must have shape" in message()
    assert not output.exists()
    np.savez(path, X=X, mask=np.where(np.arange(12)[:, None] < 1, mask, np.nan))
    assert run("masks", "propagate", path, output) == 0
    text = capsys.readouterr().err
    assert text.startswith("skexplain: warning: MaskPropagator has learnt from 1 annotated sample")
    assert text.count("\n") == 1


# All


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_examples_that_can_be_parsed(command, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*command, "--help")
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    examples = printed.partition("\nexamples:\n")[2].splitlines()
    assert examples
    for example in examples:
        words = example.partition("  (")[0].split()
        if len(words) > 1 and words[0] == "skexplain":
            parsed = _cli._parser().parse_args(words[1:])
            assert parsed.run.__name__ == command[-1]


def test_help_lists_the_commands_and_warns_of_pickles(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    printed = capsys.readouterr().out
    for command in COMMANDS:
        assert f"skexplain {' '.join(command)} " in printed
    with pytest.raises(SystemExit):
        run("audit", "--help")
    assert "open your own files only" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "model"],
        ["audit", "model", "data.npz", "--mask", "m.npy", "--irrelevant", "age"],
        ["masks"],
        ["masks", "convert", "in.json", "out.csv"],
        ["masks", "convert", "in.json", "out.npz", "--size", "0", "3"],
        ["masks", "propagate", "in.npz", "out.npz", "--marks", "wrong"],
    ],
    ids=" ".join,
)
def test_bad_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert "usage: skexplain" in capsys.readouterr().err
