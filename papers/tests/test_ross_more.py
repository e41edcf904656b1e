"""Studies of Ross et al.: Decoy MNIST, iris-cancer, newsgroups, the plane, certainty."""

import json

import numpy as np
import pytest
from _mnist_files import draw_digits, write_mnist
from numpy.testing import assert_allclose, assert_array_equal

from skexplain import ERMClassifier, GradRegClassifier
from skexplain.inspection import largest_gradient_mask
from skexplain.studies import Task, TestRows, get_study, run_study
from skexplain.studies.tools import mean_of, where
from skexplain_papers._published import find_published, published_figures
from skexplain_papers._trial import run_trial
from skexplain_papers.ross._certainty import attack_success, choose_values
from skexplain_papers.ross._decoy_mnist import decoy_settings, decoy_task
from skexplain_papers.ross._iris_cancer import iris_task, use_of_iris
from skexplain_papers.ross._newsgroups import mask_absent_words, newsgroups_task
from skexplain_papers.ross._plane import boundary_angles
from skexplain_papers.ross._sequences import run_sequence, sequence_settings, share_on_shortcut
from skexplain_papers.ross._settings import ross_settings
from skexplain_papers.ross._strength import choices

NAMES = [
    "ross-decoy-mnist",
    "ross-strength",
    "ross-variants",
    "ross-find-another",
    "ross-iris-cancer",
    "ross-iris-cancer-another",
    "ross-newsgroups",
    "ross-newsgroups-another",
    "ross-plane",
    "ross-certainty",
]


# -- declarations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_declarations(name):
    study = get_study(name)
    for scale, most in (("quick", 20), ("paper", 3000)):
        cells = study.cells(scale)
        json.dumps([[cell.factors, cell.settings] for cell in cells])
        assert 0 < len({cell.key(name) for cell in cells}) == len(cells) <= most
        seeds = [cell.factors["seed"] for cell in cells]
        assert seeds == sorted(seeds)


def rows_of(study, measures):
    """Made-up rows: every cell of the paper's scale, on every test set, of every measure."""
    names = {"model": range(1, 8)} if study.name.endswith("another") else {"model": [None]}
    return [
        {**cell.factors, "test": test, "model": model, **dict.fromkeys(measures, 0.5)}
        for cell in study.cells("paper")
        for test in ("train", "valid", "as sent", "no decoy", "decoy tells", "decoy lies")
        + ("iris in", "iris out", "headers shuffled")
        for model in names["model"]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_published_figure_belongs_to_a_row(name):
    study = get_study(name)
    figures = [figure for figure in published_figures() if figure.study == name]
    assert bool(figures) == (name != "ross-certainty")
    rows = rows_of(study, {figure.measure for figure in figures})
    for figure in figures:
        assert any(find_published(name, row, figure.measure) == figure for row in rows), figure


def test_published_figures_by_hand():
    """Some, from the notebook's text."""
    sweep = {"dataset": "decoy-mnist", "strength": "1e0", "test": "decoy lies"}
    assert find_published("ross-strength", sweep, "accuracy").value == 0.842
    fifth = {"dataset": "decoy-mnist", "alpha": 1e5, "model": 5, "test": "decoy tells"}
    assert find_published("ross-find-another", fifth, "accuracy").value == 0.497
    used = {"inputs": "raw", "model": 3, "test": "iris in"}
    assert find_published("ross-iris-cancer-another", used, "on_the_trap").value == 0.101


def test_settings_are_those_of_a_sum_over_the_batch():
    """Their gradient of l2 |w|^2 beside a sum of 67 losses is ours of a mean, divided by 67."""
    settings = ross_settings(34, 2, n_rows=67, max_epochs=200)
    assert settings["params"]["optimizer__weight_decay"] == 2 * 1e-4 / 67
    assert ross_settings(784, 10, 60_000)["params"]["optimizer__weight_decay"] == 2 * 1e-4 / 256
    assert settings["params"]["max_epochs"] == 200


# -- rows -----------------------------------------------------------------------------------------


def test_where_and_mean_of():
    rows = [{"seed": i, "test": test, "x": i + 0.5} for i in range(3) for test in "ab"]
    assert where(rows, test="b", seed=1) == [{"seed": 1, "test": "b", "x": 1.5}]
    found = mean_of(rows, "x", test="a")
    assert (found.mean, found.sd, found.n) == (1.5, 1.0, 3)


# -- Decoy MNIST ----------------------------------------------------------------------------------


def test_decoys_tell_and_lie():
    task = decoy_task("decoy-digits", 3, hold_out=True)
    n_rows = len(task.X) + len(task.tests["valid"].X)
    assert (n_rows, len(task.tests["valid"].X)) == (1198, 1198 // 15)
    assert_array_equal(task.tests["train"].X, task.X)
    for name in ("train", "valid", "decoy tells", "decoy lies"):
        X, y = task.tests[name].X, task.tests[name].y
        corners = X.reshape(-1, 8, 8)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
        told = (corners == (255 - 25 * y)[:, None]).any(axis=1)
        # A shade of a random digit is right in a tenth of the rows, and zero is nine's neighbour.
        assert told.all() if name != "decoy lies" else told.mean() < 0.25
    assert_array_equal(task.X[task.mask].reshape(-1, 4)[:, 0], 255 - 25 * task.y)
    assert not np.array_equal(task.X, task.X_without)
    assert_array_equal(task.X[~task.mask], task.X_without[~task.mask])


def test_clean_digits_are_those_below_the_decoys():
    decoys, clean = decoy_task("decoy-digits", 0), decoy_task("digits", 0)
    assert list(clean.tests) == ["train", "no decoy"]
    assert not clean.mask.any()
    assert_array_equal(clean.X[~decoys.mask], decoys.X[~decoys.mask])
    assert_array_equal(clean.y, decoys.y)


def test_mnist_comes_with_decoys_and_without(tmp_path, monkeypatch):
    images, labels = draw_digits(60, 0)
    images_test, labels_test = draw_digits(30, 1)
    write_mnist(tmp_path, (images, labels, images_test, labels_test))
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    get_study("ross-decoy-mnist").prepare("paper")  # finds them
    decoys, clean = decoy_task("decoy-mnist", 0), decoy_task("mnist", 0)
    assert_array_equal(clean.X, images.reshape(60, 784))
    assert_array_equal(clean.tests["no decoy"].X, images_test.reshape(30, 784))
    assert_array_equal(decoys.mask.sum(axis=1), 16)
    assert_array_equal(decoys.X[~decoys.mask], clean.X[~decoys.mask])
    assert_array_equal(decoys.X[decoys.mask].reshape(60, 16)[:, 0], 255 - 25 * labels)


def test_a_penalty_of_weight_zero_is_label_only():
    """Why the studies have no control that switches it off, and what linear-sum is."""
    task = decoy_task("decoy-digits", 0)
    network = {**decoy_settings("quick"), "defaults": "stored"}
    network["params"]["max_epochs"] = 3

    def predicted(estimator, **params):
        method = {**network, "estimator": estimator, "params": {**network["params"], **params}}
        _, fitted = run_trial(task, method, "given", 0)
        return fitted.predict_proba(task.X)

    plain = predicted("ERMClassifier")
    assert_array_equal(predicted("GradRegClassifier", alpha=0.0), plain)
    assert_allclose(
        predicted("GradRegClassifier", alpha=1e3, output="prob_sum"), plain, rtol=0, atol=1e-4
    )
    assert np.abs(predicted("GradRegClassifier", alpha=1e3) - plain).max() > 0.1


def strength_rows():
    """By strength: train, valid and test accuracy, early ratio."""
    table = {
        "1e-2": (1.00, 0.96, 0.70, 0.0001),
        "1e0": (0.99, 0.98, 0.80, 0.001),
        "1e2": (0.98, 0.97, 0.95, 0.1),
        "1e3": (0.97, 0.96, 0.94, 0.8),
        "1e6": (0.50, 0.50, 0.50, 900.0),
        "auto": (0.97, 0.96, 0.93, 0.9),
    }
    return [
        {
            "dataset": "decoy-mnist",
            "strength": strength,
            "masks": "given",
            "seed": seed,
            "test": test,
            "accuracy": value + 0.01 * seed,
            "alpha": 700.0 if strength == "auto" else float(strength),
            "early_ratio": ratio,
        }
        for strength, (*values, ratio) in table.items()
        for test, value in zip(("train", "valid", "decoy lies"), values, strict=True)
        for seed in (0, 2)
    ]


def test_rules_choose_by_their_own_figures():
    body = {row[0]: row[1:] for row in choices(strength_rows()).rows}
    assert body["early ratio nearest to 1"] == ("1e3", "0.950 ± 0.014")
    assert body["highest validation accuracy"] == ("1e0", "0.810 ± 0.014")
    assert body["best on the test set, for comparison"] == ("1e2", "0.960 ± 0.014")
    assert body['alpha="auto"'] == ("700", "0.940 ± 0.014")


def test_the_sweep_stands_beside_the_published_one():
    table = get_study("ross-strength").tables(strength_rows())[0]
    (row,) = [row for row in table.rows if row[0] == "1e3"]
    assert row[2:8] == (
        *("0.980 ± 0.014", "0.980"),
        *("0.970 ± 0.014", "0.960"),
        *("0.950 ± 0.014", "0.960"),
    )


# -- sequences ------------------------------------------------------------------------------------


def two_columns(seed=0):
    """Two columns predict the label, the shortcut best; four do not."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 6))
    X[:, 0] += 8 * y
    X[:, 1] += 2 * y
    without = X * [0, 1, 1, 1, 1, 1]
    mask = np.arange(6)[None] == 0
    return Task(X, y, mask, {"in": TestRows(X, y), "out": TestRows(without, y)})


def sequence(masks):
    network = {"module": "auto", "params": {"lr": 0.01, "max_epochs": 40}}
    rows = run_sequence(two_columns(), sequence_settings(network, 10.0, 2), masks, 0)
    return {(row["model"], row["test"]): row for row in rows}


def test_a_second_model_looks_elsewhere():
    rows = sequence("given")
    assert list(rows) == [(1, "in"), (1, "out"), (2, "in"), (2, "out")]
    assert rows[1, "in"]["on_the_trap"] > 0.9
    assert rows[1, "in"]["seen_before"] is None
    assert rows[2, "in"]["on_the_trap"] < 0.1
    assert rows[2, "in"]["seen_before"] < 0.1
    # Measured .49 and .84.
    assert rows[1, "out"]["accuracy"] < 0.7 < 0.75 < rows[2, "out"]["accuracy"]


def test_a_second_model_that_is_told_nothing_looks_there_again():
    rows = sequence("off")
    assert rows[2, "in"]["on_the_trap"] > 0.9
    assert rows[2, "in"]["seen_before"] > 0.9


def test_share_on_shortcut_by_hand():
    explanation = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)
    mask = np.array([[True, False, False]])
    assert share_on_shortcut(explanation, mask) == 0.25  # a half, nothing; the third looks nowhere
    assert share_on_shortcut(np.zeros((2, 3), dtype=bool), mask) is None


def test_sequence_tables():
    study = get_study("ross-find-another")
    rows = [
        {
            **{"dataset": "decoy-mnist", "alpha": 1e3, "masks": "given", "seed": 0},
            **{"model": model, "test": "decoy lies", "accuracy": 0.5 + model / 10},
            **{"on_the_trap": 0.1, "seen_before": None if model == 1 else 0.2},
        }
        for model in (1, 2)
    ]
    accuracy, leaned, seen = study.tables(rows)
    assert accuracy.rows == [
        ("decoy-mnist", "1000.0", "decoy lies", "given", "0.600", "0.700"),
        ("decoy-mnist", "1000.0", "decoy lies", "published", "0.553", "0.963"),
    ]
    assert leaned.rows == [("decoy-mnist", "1000.0", "given", "0.100", "0.100")]
    assert seen.rows == [("decoy-mnist", "1000.0", "given", "", "0.200")]


# -- iris-cancer ----------------------------------------------------------------------------------


def test_flowers_are_taken_away():
    raw, scaled = iris_task("raw", 0), iris_task("standardised", 0)
    assert raw.X.shape == (67, 34)
    as_is, out, swapped = (raw.tests[f"iris {name}"].X for name in ("in", "out", "swapped"))
    assert (out[:, :4] == 0).all()
    for other in (out, swapped):
        assert_array_equal(other[:, 4:], as_is[:, 4:])
    assert not np.array_equal(swapped[:, :4], as_is[:, :4])
    assert_array_equal(np.sort(swapped[:, :4], axis=0), np.sort(as_is[:, :4], axis=0))
    assert_allclose(scaled.X.mean(axis=0), 0, atol=1e-10)
    assert_allclose(scaled.X.std(axis=0), 1)
    expected = -raw.X[:, 0].mean() / raw.X[:, 0].std()  # not 0: no flower is
    assert_allclose(scaled.tests["iris out"].X[:, 0], expected)


def test_use_of_iris():
    task = iris_task("standardised", 0)
    X = task.tests["iris in"].X
    network = {"max_epochs": 40, "lr": 0.01, "random_state": 0}
    plain = ERMClassifier(**network).fit(task.X, task.y)
    blind = GradRegClassifier(alpha=1e4, norm="l2", **network).fit(task.X, task.y, mask=task.mask)
    used, unused = (use_of_iris(model, X, task.mask) for model in (plain, blind))
    assert used["iris_in_top_10"] > 1 > 0.1 > unused["iris_in_top_10"]
    assert unused["iris_share"] < 0.01
    looks_at = largest_gradient_mask(plain, X)
    by_hand = np.mean([row[:4].sum() / row.sum() for row in looks_at])
    assert_allclose(used["iris_share"], by_hand, rtol=1e-6)


# -- newsgroups -----------------------------------------------------------------------------------


def test_made_up_messages():
    task = newsgroups_task("made-up", 0)
    assert task.X.shape == (200, 121)
    assert list(task.tests) == ["train", "as sent", "headers shuffled"]
    # A host and "From" in each row; the host tells the label.
    assert_array_equal(task.mask.sum(axis=1), 2)
    host = task.mask & (task.mask.mean(axis=0) < 1)
    counts = np.array([host[task.y == label].sum(axis=0) for label in (0, 1)])
    assert (counts.min(axis=0) == 0).all()
    assert not np.array_equal(task.tests["as sent"].X, task.tests["headers shuffled"].X)
    again = newsgroups_task("made-up", 0)
    assert_array_equal(task.X, again.X)


def test_absent_words_by_hand():
    X = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0]], dtype=float)
    mask = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    # The first is a header word: absent in the second row, in the body of the third.
    assert_array_equal(mask_absent_words(X, mask), [[1, 0, 0], [1, 0, 0], [0, 0, 0]])


# -- the plane ------------------------------------------------------------------------------------


def test_angles_to_a_straight_boundary():
    """The classes part at x1 = 0.5, between places of the grid at 0 and at 1."""
    ticks = np.arange(-10, 11)
    classes = (ticks[:, None] > 0.5).astype(int) + 0 * ticks
    points = np.array([[-4.0, 3.0], [6.0, -2.0], [5.0, 0.0], [5.0, 1.0]])
    gradient = np.array([[-2.0, 0.0], [1.0, np.sqrt(3)], [0.0, 1.0], [0.0, 0.0]])
    angle, distance = boundary_angles(points, gradient, classes, -10.0, 10.0)
    assert_allclose(distance, [5, 6, 5, 5])
    assert_allclose(angle, [0, 60, 90, np.nan], atol=1e-6)


def test_no_angles_without_a_boundary():
    one = np.ones((1, 2))
    angle, distance = boundary_angles(one, one, np.zeros((5, 5), dtype=int), 0.0, 4.0)
    assert np.isnan(angle).all()
    assert np.isnan(distance).all()


def test_gradients_of_a_circle_point_outwards():
    ticks = np.linspace(-1, 1, 201)
    classes = (ticks[:, None] ** 2 + ticks**2 > 0.25).astype(int)
    points = np.random.default_rng(0).uniform(-0.9, 0.9, size=(300, 2))
    angle, distance = boundary_angles(points, points, classes, -1.0, 1.0)
    near = (distance > 0.05) & (np.linalg.norm(points, axis=1) > 0.3)
    assert angle[near].mean() < 5  # measured 2.4: places of the grid are no curve
    across = boundary_angles(points, points[:, ::-1] * [1, -1], classes, -1.0, 1.0)[0]
    assert across[near].mean() > 85


# -- certainty ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strips():
    """A classifier of pixels: the first of two tells."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, size=(400, 2)).astype(np.float32)
    y = (X[:, 0] > 0.5).astype(int)
    clf = ERMClassifier(lr=0.01, max_epochs=60, input_unit="input", random_state=0).fit(X, y)
    return clf, X, y


def test_attacks_by_hand(strips):
    """FGSM reaches rows within its size of 0.5; JSMA can only brighten."""
    clf, X, y = strips
    assert clf.score(X, y) > 0.97
    for size in (0.1, 0.3):
        near = np.mean(np.abs(X[:, 0] - 0.5) < size)
        assert abs(attack_success(clf, X, y, "fgsm", size, 0) - near) < 0.05
    dark = np.mean(y == 0)
    assert abs(attack_success(clf, X, y, "jsma", 0.5, 0) - dark) < 0.05


def test_rows_that_are_wrong_already_do_not_count(strips):
    clf, X, y = strips
    half_wrong = np.where(np.arange(len(y)) % 2, y, 1 - y)
    assert attack_success(clf, X, half_wrong, "fgsm", 1e-6, 0) < 0.01


def test_jsma_must_reach_its_target():
    """Three bands of one pixel: from the first, brightening it goes past the second."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, size=(600, 2)).astype(np.float32)
    y = np.digitize(X[:, 0], [1 / 3, 2 / 3])
    clf = ERMClassifier(lr=0.01, max_epochs=60, input_unit="input", random_state=0).fit(X, y)
    # Half of the first two bands aim at the last.
    assert abs(attack_success(clf, X, y, "jsma", 0.5, 0) - 1 / 3) < 0.06


def certainty_rows(figures):
    """From {(method, value): (valid accuracy, valid success, test success)}."""
    return [
        {
            **{"dataset": "mnist", "method": method, "value": value, "seed": 0, "part": part},
            **{"attack": attack, "size": 0.1, "accuracy": accuracy, "success": success},
        }
        for (method, value), (accuracy, valid, test) in figures.items()
        for part, success in (("valid", valid), ("test", test))
        for attack in ("fgsm", "jsma")
    ]


def test_values_are_chosen_on_held_out_rows():
    rows = certainty_rows(
        {
            ("label-only", 0.0): (0.95, 0.8, 0.8),
            ("certainty", 0.1): (0.945, 0.6, 0.1),
            ("certainty", 1.0): (0.942, 0.4, 0.7),  # the least success that is affordable
            ("certainty", 10.0): (0.90, 0.1, 0.1),
            ("noise", 0.1): (0.90, 0.2, 0.2),  # nothing is: the most accurate
            ("noise", 0.2): (0.80, 0.1, 0.1),
        }
    )
    chosen = choose_values(rows)
    assert {row["part"] for row in chosen} == {"test"}
    assert {(row["method"], row["value"]) for row in chosen} == {
        ("label-only", 0.0),
        ("certainty", 1.0),
        ("noise", 0.1),
    }


def test_certainty_tables_pair_seeds():
    rows = certainty_rows({("label-only", 0.0): (0.9, 0.8, 0.8), ("noise", 0.1): (0.9, 0.5, 0.5)})
    chosen, sweep = get_study("ross-certainty").tables(rows)
    found = [row for row in chosen.rows if row[1] == "fgsm" and row[3] == "noise"]
    assert found == [("mnist", "fgsm", "0.1", "noise", "0.900", "0.500", "-0.300", "", "")]
    assert ("mnist", "noise", "0.1", "0.900", "0.500", "0.500") in sweep.rows


# -- end to end -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_quick_scale(name, tmp_path):
    results = run_study(name, folder=tmp_path)
    assert results.is_complete
    for table in results.tables():
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
    for picture in results.pictures().values():
        picture.savefig(tmp_path / "picture.png")
    check = _CHECKS.get(name)
    if check is not None:
        check(results.rows)


def _accuracy(rows, **factors):
    return mean_of(rows, "accuracy", **factors).mean


def _check_decoy(rows):
    lies = where(rows, test="decoy lies")  # measured .87 and .92
    assert _accuracy(lies, masks="given") > _accuracy(lies, masks="-") + 0.02


def _check_iris(rows):
    out = where(rows, inputs="standardised", test="iris out")  # measured .55 and .91
    assert _accuracy(out, masks="given") > _accuracy(out, masks="-") + 0.15


def _check_plane(rows):
    near = where(rows, classes=2, boundary="the true one", distance="1 to 5")
    assert mean_of(near, "angle", labels="true").mean < 20  # measured 8
    assert mean_of(near, "angle", labels="shuffled").mean > 30  # measured 67


def _check_certainty(rows):
    at = {"part": "test", "attack": "fgsm", "size": 0.1}
    plain = mean_of(rows, "success", method="label-only", **at).mean  # measured .50
    assert mean_of(rows, "success", method="certainty", value=1e-3, **at).mean < plain - 0.1


_CHECKS = {
    "ross-decoy-mnist": _check_decoy,
    "ross-iris-cancer": _check_iris,
    "ross-plane": _check_plane,
    "ross-certainty": _check_certainty,
}
