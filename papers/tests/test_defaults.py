"""The panel of tasks for defaults: what each task holds, and what its tables say."""

import gzip
import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from _studies import find_cell, run_quick
from numpy.testing import assert_array_equal

from skexplain import ERMClassifier, ERMRegressor
from skexplain.exceptions import MissingExplanationWarning, UnreliableMaskWarning
from skexplain.studies import get_study
from skexplain_papers.ours import _defaults as module
from skexplain_papers.ours._default_tables import goals_table, harm_table, share_table
from skexplain_papers.ours._default_tasks import PANEL, make_panel_task, missing_files
from skexplain_papers.ours._default_tasks_images import _BARS, exchange_backgrounds
from skexplain_papers.ours._panel_task import annotate_share
from skexplain_papers.ross._newsgroups import write_messages

STUDY = get_study("defaults")
MADE = [name for name, entry in PANEL.items() if not entry.files]


@pytest.fixture
def data_home(tmp_path, monkeypatch):
    """A folder with files that are laid out as the tasks need them."""
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    make_panel_task.cache_clear()
    yield tmp_path
    make_panel_task.cache_clear()


# -- tasks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE)
def test_a_task_holds_what_it_says(name):
    task, entry = make_panel_task(name, 0), PANEL[name]
    assert task.is_regression == entry.regression
    assert len(task.mask) in (1, len(task.X))
    assert task.mask.shape[1:] == task.X.shape[1:]
    assert np.nan_to_num(task.mask.astype(float)).any()
    assert list(task.tests) == (["broken", "clean"] if entry.has_shortcut else ["clean"])
    assert (task.X_without is not None) == entry.has_shortcut


@pytest.mark.parametrize("name", [*MADE[:4], "table-continuous", "table-regression", "iris-cancer"])
def test_without_the_shortcut_nothing_differs_but_what_is_marked(name):
    task = make_panel_task(name, 0)
    marks = np.broadcast_to(task.mask, task.X.shape)
    assert_array_equal(task.X[~marks], task.X_without[~marks])
    assert np.mean(task.X_without[marks] != task.X[marks]) > 0.3


@pytest.mark.parametrize("name", ["digits-corner", "table-missing", "iris-cancer"])
def test_a_task_follows_from_its_seed(name):
    first = make_panel_task(name, 3)
    make_panel_task.cache_clear()
    again, other = make_panel_task(name, 3), make_panel_task(name, 4)
    assert_array_equal(first.X, again.X)
    assert_array_equal(first.tests["broken"].X, again.tests["broken"].X)
    assert not np.array_equal(first.X, other.X)


@pytest.mark.parametrize("name", ["table-one-hot", "table-continuous", "table-missing"])
def test_a_leak_agrees_in_training_and_in_the_clean_test_and_not_in_the_broken_one(name):
    task = make_panel_task(name, 0)

    def agreement(X, y):
        return np.corrcoef(X[:, -1], y)[0, 1]

    trained, without = agreement(task.X, task.y), agreement(task.X_without, task.y)
    clean, broken = (agreement(rows.X, rows.y) for rows in map(task.tests.get, ("clean", "broken")))
    # Expected: .8, .9 and .76; standard errors are below .03.
    assert trained > 0.7
    assert clean == pytest.approx(trained, abs=0.06)
    assert broken < -0.7
    assert abs(without) < 0.1


def test_the_leak_of_the_regression_says_nothing_in_the_broken_test():
    task = make_panel_task("table-regression", 0)
    of_test = [
        np.corrcoef(task.tests[name].X[:, -1], task.tests[name].y)[0, 1] for name in task.tests
    ]
    assert of_test == pytest.approx([0, 0.9], abs=0.06)


def test_flowers_of_the_other_class_stand_beside_tumours_that_were_left_out():
    task = make_panel_task("iris-cancer", 0)
    broken, clean = task.tests["broken"], task.tests["clean"]
    assert len(broken.X) == 569 - 100
    assert_array_equal(broken.X[:, 4:], clean.X[:, 4:])
    # The petals of virginica are longer.
    longer = clean.X[clean.y == 1, 2].mean() - clean.X[clean.y == 0, 2].mean()
    assert longer > 0.8
    assert broken.X[broken.y == 1, 2].mean() - broken.X[broken.y == 0, 2].mean() < -0.8
    trained = {tuple(row) for row in task.X[:, 4:]}
    assert not any(tuple(row) in trained for row in clean.X[:, 4:])


def test_bars_tell_the_digit_wherever_they_begin():
    task = make_panel_task("digits-stripes", 0)
    images, marks = (rows.reshape(-1, 8, 8) for rows in (task.X, task.mask))
    bars = [i[m].reshape(4, 8).mean(axis=0) > 120 for i, m in zip(images, marks, strict=True)]

    def first_rotation(bits):
        return min(tuple(np.roll(bits, shift).tolist()) for shift in range(8))

    patterns = {digit: first_rotation(bits == 1) for digit, bits in enumerate(_BARS)}
    assert len(set(patterns.values())) == 10
    assert [first_rotation(bits) for bits in bars] == [patterns[digit] for digit in task.y]
    assert len({tuple(bits) for bits in bars}) > 60  # of 78 rotations


def test_a_share_of_the_samples_is_annotated():
    task = make_panel_task("table-one-hot", 0)
    few = annotate_share(task, 0.1, 0)
    known = ~np.isnan(few.mask)
    assert few.mask.shape == task.X.shape
    assert_array_equal(known.all(axis=1), known.any(axis=1))
    assert known.all(axis=1).sum() == 150
    assert_array_equal(few.mask[known.all(axis=1)], np.repeat(task.mask, 150, axis=0))
    named = make_panel_task("digits-half-tenth", 0)
    assert np.isnan(named.mask).all(axis=1).mean() == pytest.approx(0.9, abs=0.001)


def test_backgrounds_are_exchanged_and_leaves_stay():
    X = np.arange(2 * 3 * 2 * 2, dtype=np.uint8).reshape(2, 3, 2, 2) * 5
    mask = np.array([[[True, True], [False, True]], [[True, False], [True, True]]])
    out = exchange_backgrounds(X, mask, np.array([1, 0]))
    assert_array_equal(out[:, :, ~mask[0]][0], X[:, :, ~mask[0]][0])
    assert_array_equal(out[0, :, 0, 0], X[1, :, 0, 0])
    # The donor's leaf is filled with the mean colour of its background.
    mean = X[1][:, mask[1]].mean(axis=1)
    assert_array_equal(out[0, :, 0, 1], np.rint(mean))
    assert_array_equal(exchange_backgrounds(X, mask, np.arange(2)), X)


def test_figures_are_those_of_scikit_learn():
    task = make_panel_task("table-one-hot", 0)
    clf = ERMClassifier(max_epochs=1, device="cpu", random_state=0).fit(task.X, task.y)
    for name, rows in task.tests.items():
        assert task.figure(clf, name) == clf.score(rows.X, rows.y)
    assert task.figure(clf) == task.figure(clf, "broken")
    worst = replace(task, measure="worst_group").figure(clf)
    rows = task.tests["broken"]
    predicted = clf.predict(rows.X)
    assert worst == min(np.mean(predicted[rows.y == k] == k) for k in (0, 1))
    task = make_panel_task("table-regression", 0)
    reg = ERMRegressor(max_epochs=1, device="cpu", random_state=0).fit(task.X, task.y)
    rows = task.tests["broken"]
    assert task.figure(reg) == pytest.approx(reg.score(rows.X, rows.y))


# -- tasks whose data are files --------------------------------------------------------------------


def write_photographs(folder, labels, with_masks, side=24):
    """Write noise, with an index; leaves fill the middle."""
    image_module = pytest.importorskip("PIL.Image")
    rng = np.random.RandomState(0)
    (folder / "images").mkdir(parents=True)
    if with_masks:
        (folder / "masks").mkdir()
    lines = ["name,label,split"]
    for split, n_rows in (("train", 6), ("test", 4)):
        for label in labels:
            for i in range(n_rows):
                name = f"{split}_{label}_{i}"
                lines.append(f"{name},{label},{split}")
                pixels = rng.randint(256, size=(side, side, 3)).astype(np.uint8)
                image_module.fromarray(pixels).save(folder / "images" / f"{name}.jpg")
                if with_masks:
                    leaf = np.zeros((side, side), dtype=np.uint8)
                    leaf[6:18, 6:18] = 255
                    image_module.fromarray(leaf).save(folder / "masks" / f"{name}.png")
    (folder / "index.csv").write_text("\n".join(lines))


def write_tweets(folder, n_rows=60):
    folder.mkdir()
    for part in ("train", "test"):
        with gzip.open(folder / f"{part}.jsonl.gz", "wt", encoding="utf-8") as file:
            for i in range(n_rows):
                text = f"word{i % 7} {'good' if i % 2 else 'bad'} day{i % 3}"
                label = "positive" if i % 2 else "negative"
                print(json.dumps({"text": text, "label": label}), file=file)


@pytest.mark.parametrize("kind", ["corner", "anywhere", "both-classes"])
def test_patches_stand_on_one_class_or_tell_both(data_home, kind):
    write_photographs(data_home / "beans", ("healthy", "rust"), with_masks=False)
    task = make_panel_task(f"beans-{kind}", 0)
    has_one = task.mask.any(axis=(1, 2, 3))
    assert_array_equal(has_one, (task.y == 1) | (kind == "both-classes"))
    assert task.mask[has_one].sum(axis=(1, 2, 3)).tolist() == [25] * has_one.sum()
    broken, clean = task.tests["broken"], task.tests["clean"]
    differs = (broken.X != clean.X).any(axis=(1, 2, 3))
    assert_array_equal(differs, (broken.y == 0) | (kind == "both-classes"))
    plain = make_panel_task("harmless-beans", 0)
    marks = np.broadcast_to(task.mask, task.X.shape)
    assert_array_equal(task.X[~marks], plain.X[~marks])
    assert_array_equal(plain.mask.sum(axis=(1, 2, 3)), 25)
    in_corner = task.mask[:, 0][:, [0, 0, -1, -1], [0, -1, 0, -1]].any(axis=1)
    if kind == "corner":
        assert_array_equal(in_corner, has_one)


def test_apple_leaves_lie_on_backgrounds_of_other_classes(data_home):
    classes = ("black_rot", "cedar_apple_rust", "healthy", "scab")
    write_photographs(data_home / "plantvillage_apple", classes, with_masks=True)
    task = make_panel_task("apple-background", 0)
    assert task.mask[:, 0].all()
    assert not task.mask[:, 10, 10].any()
    broken, clean = task.tests["broken"], task.tests["clean"]
    assert_array_equal(broken.X[:, :, 10, 10], clean.X[:, :, 10, 10])
    class_of = {image[:, 0].tobytes(): k for image, k in zip(clean.X, clean.y, strict=True)}
    shown = [class_of[image[:, 0].tobytes()] for image in broken.X]
    assert (np.array(shown) != broken.y).all()


@pytest.mark.parametrize("classes", ["one-class", "both-classes"])
def test_a_word_tells_one_class_or_both(data_home, classes):
    write_tweets(data_home / "tweet_sentiment_spans")
    task = make_panel_task(f"tweets-{classes}", 0)
    assert_array_equal(np.unique(task.y, return_counts=True)[1], [30, 30])
    columns = np.flatnonzero(task.mask.any(axis=0))
    assert len(columns) == (1 if classes == "one-class" else 2)
    assert_array_equal(task.mask[:, columns], task.X[:, columns] > 0)
    assert task.mask[task.y == 1].any(axis=1).mean() > 0.8
    assert task.mask[task.y == 0].any() == (classes == "both-classes")
    assert not (task.tests["clean"].X[:, columns] > 0).any()
    broken = task.tests["broken"]
    shown = [set(broken.y[broken.X[:, column] > 0]) for column in columns]
    trained = [set(task.y[task.X[:, column] > 0]) for column in columns]
    assert [len(labels) for labels in shown + trained] == [1] * 2 * len(columns)
    assert all(a != b for a, b in zip(shown, trained, strict=True))


def test_headers_of_the_other_newsgroup_stand_above_the_test_bodies(data_home):
    write_messages(data_home, np.random.RandomState(0), n_rows=40)
    task = make_panel_task("news-headers", 0)
    hosts = task.mask.any(axis=0)
    assert hosts.sum() >= 10

    def named(rows):
        """The class whose hosts a row names, by the training messages."""
        of_class = np.stack([(task.X[task.y == k] > 0).any(axis=0) & hosts for k in (0, 1)])
        return ((rows > 0) @ (of_class[1] & ~of_class[0])) > 0

    broken, clean = task.tests["broken"], task.tests["clean"]
    assert (named(clean.X) == clean.y).mean() > 0.9
    assert (named(broken.X) != broken.y).mean() > 0.9


def test_tasks_without_files_are_named(data_home):
    lacking = {name for name in PANEL if missing_files(name)}
    assert lacking == set(PANEL) - set(MADE)
    assert missing_files("beans-corner") == str(data_home / "beans" / "index.csv")
    assert STUDY.lacks({"task": "beans-corner"}) == missing_files("beans-corner")
    with pytest.raises(FileNotFoundError, match="beans lacks index.csv, images"):
        make_panel_task("beans-corner", 0)
    with pytest.raises(ValueError, match="name must be one of .*got 'nothing'"):
        make_panel_task("nothing", 0)


# -- the study -------------------------------------------------------------------------------------


def test_nothing_but_device_and_seed_is_set():
    for cell in STUDY.cells("paper"):
        assert cell.settings["params"] == {}
        assert "grid" not in cell.settings or cell.settings["grid"] == {}
        is_regressor = cell.settings["estimator"].endswith("Regressor")
        assert is_regressor == (cell.factors["task"] == "table-regression")
    tasks = {cell.factors["task"] for cell in STUDY.cells("paper")}
    assert tasks == set(PANEL)
    assert len(tasks) >= 16
    ceilings = {
        c.factors["task"] for c in STUDY.cells("paper") if c.factors["masks"] == "no shortcut"
    }
    assert ceilings == {name for name, entry in PANEL.items() if entry.has_shortcut}


def test_another_default_is_another_cell(monkeypatch):
    wanted = {"task": "iris-cancer", "method": "swap", "masks": "given"}
    cell = find_cell(STUDY, **wanted)
    assert cell.settings["package_defaults"]["alpha"] is not None
    monkeypatch.setattr(module, "describe_defaults", lambda estimator: {"alpha": 7.0})
    assert find_cell(STUDY, **wanted).key("defaults") != cell.key("defaults")


@pytest.mark.parametrize("name", ["SwapExClassifier", "GradRegRegressor", "PGDExClassifier"])
def test_defaults_are_plain_values(name):
    defaults = module.describe_defaults(name)
    assert json.loads(json.dumps(defaults)) == defaults
    assert defaults["optimizer"] == "Adam"
    assert defaults["max_epochs"] == 100


def test_warnings_are_noted_by_name(monkeypatch):
    cell = find_cell(STUDY, "quick", task="iris-cancer", method="label-only", masks="-")

    def fit_and_warn(*args):
        warnings.warn("few", UnreliableMaskWarning, stacklevel=1)
        warnings.warn("none", MissingExplanationWarning, stacklevel=1)
        warnings.warn("another", RuntimeWarning, stacklevel=1)
        return [{"test": "clean", "accuracy": 0.5}], None

    monkeypatch.setattr(module, "run_trial", fit_and_warn)
    with pytest.warns(RuntimeWarning, match="another") as told:
        (row,) = STUDY.run(cell.factors, cell.settings)
    assert len(told) == 1
    assert row["warned"] == "MissingExplanationWarning UnreliableMaskWarning"
    assert row["figure"] == 0.5


def made_up(task, method, masks, broken, clean, seconds=1.0, warned=""):
    """Rows of a cell, a value per seed."""
    about = {"task": task, "method": method, "masks": masks, "warned": warned}
    return [
        {**about, "seed": seed, "test": test, "figure": value, "cpu_seconds": seconds}
        for test, values in (("broken", broken), ("clean", clean))
        for seed, value in enumerate(values)
    ]


WITH_SHORTCUT = [
    *made_up("digits-half", "label-only", "-", [0.2, 0.4], [0.9, 0.9], 2.0),
    *made_up("digits-half", "label-only", "no shortcut", [0.8, 0.8], [0.7, 0.8]),
    *made_up("digits-half", "swap", "given", [0.8, 0.8], [0.69, 0.8], 2.5),
    *made_up("digits-half", "swap", "shuffled", [0.2, 0.4], [0.9, 0.9]),
    *made_up("digits-half", "pgd", "given", [0.5, 0.6], [0.6, 0.6], 9.0, "UnreliableMaskWarning"),
]
HARMLESS = [
    *made_up("harmless-table", "label-only", "-", [], [0.80, 0.80]),
    *made_up("harmless-table", "swap", "given", [], [0.79, 0.81], 1.2),
    *made_up("harmless-table", "pgd", "given", [], [0.70, 0.72]),
]


def test_the_table_of_shares():
    swap, pgd = share_table(WITH_SHORTCUT).rows
    assert swap == (
        *("digits-half", "swap", "0.300 ± 0.141", "0.800 ± 0.000", "0.800 ± 0.000"),
        *("1.00 (se 0.00)", "0.00 (se 0.00)", "+0.5 (se 0.5)", "1.25", ""),
    )
    # Gone: .3, .2 of .6, .4: a half of either.
    assert pgd[5:] == ("0.50 (se 0.00)", "", "+15.0 (se 5.0)", "4.50", "UnreliableMaskWarning 2/2")


def test_the_table_of_harm():
    swap, pgd = harm_table(HARMLESS).rows
    assert swap[2:] == ("0.800 ± 0.000", "0.800 ± 0.014", "+0.0 (se 1.0)", "yes", "", "1.20", "")
    assert pgd[4:6] == ("+9.0 (se 1.0)", "no")


def test_the_table_of_goals():
    table = goals_table(WITH_SHORTCUT, HARMLESS, ["beans-corner"])
    swap, pgd = table.rows
    assert swap == (
        *("swap", "at least 0.95 in 1 of 1", "1.00 (digits-half)", "1 of 1", "1 of 1"),
        *("1.25 (at most 1.3)", "1.25"),
    )
    assert pgd == (
        *("pgd", "at least 0.8 in 0 of 1, 1 more warn", "0.50 (digits-half)", "0 of 1"),
        *("0 of 1", "4.50", "4.50"),
    )
    assert "not computed: beans-corner." in table.note


def test_quick_scale(tmp_path):
    pytest.importorskip("matplotlib")
    rows = run_quick("defaults", tmp_path)
    assert {row["task"] for row in rows} == set(module._QUICK)
    # Measured: .03 and .68.
    taken, ceiling = (
        next(
            row["figure"]
            for row in rows
            if (row["task"], row["masks"], row["test"]) == ("table-one-hot", masks, "broken")
        )
        for masks in ("-", "no shortcut")
    )
    assert taken < 0.3
    assert ceiling > 0.55
