"""A trial sees training rows only, hands masks to whom they belong, and repeats bit by bit."""

import itertools
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from skexplain import ERMClassifier, GradRegClassifier, SwapExClassifier, estimators
from skexplain.model_selection import make_mask_scorer
from skexplain.studies import Cell, Task, TestRows, TrialStudy, run_study
from skexplain.studies import _trial as module
from skexplain.studies._published import Published
from skexplain.studies._trial import make_estimator, run_trial

# Each row tells its number in its last column, and its mask does so, too.
N_TRAIN, N_TEST = 24, 10


def numbered(numbers):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)).astype(np.float32)
    y = np.arange(100) % 2
    X[:, 0] += 3 * y
    X[:, 2] = np.arange(100)
    return X[numbers], y[numbers]


def make_task(**changes):
    X, y = numbered(np.arange(N_TRAIN))
    mask = np.stack([np.zeros(N_TRAIN), np.ones(N_TRAIN), np.arange(N_TRAIN) / 100], axis=1)
    X_test, y_test = numbered(np.arange(N_TRAIN, N_TRAIN + N_TEST))
    tests = {"clean": TestRows(X_test, y_test), "grouped": TestRows(X_test, y_test, y_test + 10)}
    return Task(**{"X": X, "y": y, "mask": mask.astype(np.float32), "tests": tests, **changes})


def rows_of(X):
    return np.asarray(X)[:, 2].astype(int).tolist()


class Spy(GradRegClassifier):
    """Notes which rows it is fitted to, and with which masks."""

    calls: list = []

    __metadata_request__fit = {"group_labels": True}

    def fit(self, X, y, *, mask=None, group_labels=None):
        Spy.calls.append((rows_of(X), np.asarray(mask), self.alpha, group_labels))
        return super().fit(X, y, mask=mask)


SCORED: list = []


def note_rows(estimator, X, y, mask):
    SCORED.append((rows_of(X), np.asarray(mask)))
    return estimator.alpha  # the largest wins


@pytest.fixture
def spy(monkeypatch):
    monkeypatch.setitem(module._ESTIMATORS, "Spy", Spy)
    monkeypatch.setitem(
        module.SCORERS,
        "noted",
        lambda: make_mask_scorer(note_rows).set_score_request(mask="right_mask"),
    )
    Spy.calls.clear()
    SCORED.clear()
    return {
        "estimator": "Spy",
        "params": {"max_epochs": 1},
        "grid": {"alpha": [0.1, 3.0, 1.0]},
        "scoring": "noted",
        "off": {"alpha": 0.0},
        "cv": 4,
    }


def test_tuning_sees_training_rows_and_their_masks_alone(spy):
    task = make_task()
    rows, fitted = run_trial(task, spy, "given", seed=3)
    assert len(Spy.calls) == 3 * 4 + 1
    for numbers, mask, *_ in Spy.calls:
        np.testing.assert_array_equal(mask, task.mask[numbers])
    folds = [numbers for numbers, *_ in Spy.calls[:4]]
    for (numbers, _, alpha, _), expected in zip(
        Spy.calls, [*itertools.product([0.1, 3.0, 1.0], folds)], strict=False
    ):
        assert (alpha, numbers) == expected  # the same folds for each candidate
    assert len(SCORED) == 3 * 4
    for (fitted_to, *_), (scored, mask) in zip(Spy.calls, SCORED, strict=False):
        assert sorted(fitted_to + scored) == list(range(N_TRAIN))
        np.testing.assert_array_equal(mask, task.mask[scored])
    numbers, _, alpha, _ = Spy.calls[-1]
    assert (sorted(numbers), alpha) == (list(range(N_TRAIN)), 3.0)
    assert fitted.alpha == 3.0
    assert [row["chosen"] for row in rows] == ["alpha=3.0", "alpha=3.0"]


@pytest.mark.parametrize("masks", ["given", "shuffled", "everywhere", "-"])
def test_controls_search_the_same_grid_and_are_scored_with_the_right_masks(spy, masks):
    task = make_task()
    run_trial(task, spy, masks, seed=3)
    assert {alpha for _, _, alpha, _ in Spy.calls} == {0.1, 3.0, 1.0}
    control = module.control_masks(task.mask, masks, 3)
    for numbers, mask, *_ in Spy.calls:
        np.testing.assert_array_equal(mask, control if masks == "-" else control[numbers])
    for scored, mask in SCORED:
        np.testing.assert_array_equal(mask, task.mask[scored])


def test_off_searches_what_is_left_of_the_grid(spy):
    run_trial(make_task(), {**spy, "grid": {"alpha": [1.0], "lr": [0.1, 0.2]}}, "off", seed=0)
    assert {alpha for _, _, alpha, _ in Spy.calls} == {0.0}
    assert len(Spy.calls) == 2 * 4 + 1
    Spy.calls.clear()
    rows, _ = run_trial(make_task(), spy, "off", seed=0)
    assert len(Spy.calls) == 1
    assert rows[0]["chosen"] == ""


def test_further_arguments_are_sliced_like_rows(spy):
    groups = np.arange(N_TRAIN) // 6
    task = make_task(fit_params={"group_labels": groups})
    run_trial(task, spy, "given", seed=0)
    assert len(Spy.calls) == 3 * 4 + 1
    for numbers, _, _, group_labels in Spy.calls:
        np.testing.assert_array_equal(group_labels, groups[numbers])


def test_a_rare_class_means_fewer_folds_and_a_single_row_no_search(spy):
    y = np.zeros(N_TRAIN, dtype=int)
    y[:2] = 1
    run_trial(make_task(y=y), spy, "given", seed=0)
    assert len(Spy.calls) == 3 * 2 + 1
    for scored, _ in SCORED:
        assert len({0, 1} & set(scored)) == 1
    Spy.calls.clear()
    y[0] = 0
    rows, fitted = run_trial(make_task(y=y), spy, "given", seed=0)
    assert len(Spy.calls) == 1
    assert (rows[0]["chosen"], fitted.alpha) == ("", GradRegClassifier().alpha)


@pytest.mark.parametrize("scoring", ["accuracy", "swapped", "worst-of-clean-and-swapped"])
@pytest.mark.parametrize("masks", ["given", "shuffled"])
def test_scorers_by_name(scoring, masks):
    method = {
        "estimator": "SwapExClassifier",
        "params": {"max_epochs": 1},
        "grid": {"alpha": [0.5, 2.0]},
        "scoring": scoring,
    }
    rows, _ = run_trial(make_task(), method, masks, seed=0)
    assert rows[0]["chosen"] in ("alpha=0.5", "alpha=2.0")


def test_label_only_can_be_tuned_by_what_needs_masks():
    """Column 1 is the shortcut: what leans on it is not chosen, though it knows of no masks."""
    X, y = numbered(np.arange(60))
    X = np.stack([X[:, 0] / 3, 4.0 * y, np.zeros(60)], axis=1).astype(np.float32)
    mask = np.tile(np.float32([0, 1, 0]), (60, 1))
    method = {
        "estimator": "ERMClassifier",
        "params": {"max_epochs": 30, "lr": 0.05},
        # A network that is blind for column 1, and one that sees little else.
        "module": "auto",
        "grid": {
            "module": [partial(Weighing, [1.0, 0.0, 1.0]), partial(Weighing, [0.0, 1.0, 0.0])]
        },
        "scoring": "swapped",
    }
    task = Task(X, y, mask, {"clean": TestRows(X, y)})
    _, fitted = run_trial(task, method, "-", seed=0)
    assert fitted.module.args[0] == [1.0, 0.0, 1.0]


class Weighing(torch.nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights))
        self.linear = torch.nn.Linear(3, 2)

    def forward(self, X):
        return self.linear(X * self.weights)


def test_rows_score_each_test_set_by_its_groups():
    rows, fitted = run_trial(
        make_task(), {"estimator": "ERMClassifier", "params": {"max_epochs": 2}}, "-", seed=1
    )
    clean, grouped = rows
    X, y = numbered(np.arange(N_TRAIN, N_TRAIN + N_TEST))
    predicted = fitted.predict(X)
    per_class = [np.mean(predicted[y == label] == label) for label in (0, 1)]
    assert clean["test"] == "clean"
    assert clean["accuracy"] == accuracy_score(y, predicted)
    assert clean["mean_group"] == pytest.approx(np.mean(per_class))
    assert clean["worst_group"] == min(per_class)
    assert {**grouped, "test": "clean"} == clean
    assert "_predicted" not in clean
    assert clean["seconds"] > 0
    assert clean["cpu_seconds"] > 0


def test_predictions_are_kept_a_character_per_row():
    X, _ = numbered(np.arange(60))
    y = np.array([f"class {i % 12:02}" for i in range(60)])
    task = Task(X, y, np.ones((1, 3), dtype=bool), {"train": TestRows(X, y)})
    method = {"estimator": "ERMClassifier", "params": {"max_epochs": 30, "lr": 0.1}}
    (row,), fitted = run_trial(task, method, "-", 0, keep_predictions=True)
    assert len(row["_predicted"]) == 60
    codes = [int(character, 36) for character in row["_predicted"]]
    np.testing.assert_array_equal(fitted.classes_[codes], fitted.predict(X))
    assert max(codes) > 9


@pytest.mark.parametrize("masks", ["given", "shuffled", "off", "reweighted", "everywhere"])
def test_a_seed_repeats_bit_by_bit(masks):
    method = {
        "estimator": "SwapExClassifier",
        "params": {"max_epochs": 2},
        "grid": {"lr": [0.01, 0.1]},
        "off": {"alpha": 0.0},
    }

    def probabilities(seed):
        rows, fitted = run_trial(make_task(), method, masks, seed)
        return [{**row, "seconds": 0, "cpu_seconds": 0} for row in rows], fitted.predict_proba(
            numbered(range(100))[0]
        )

    (rows, found), (again, repeated) = probabilities(7), probabilities(7)
    assert rows == again
    np.testing.assert_array_equal(found, repeated)
    assert not np.array_equal(found, probabilities(8)[1])


def test_the_ceiling_is_fitted_without_the_shortcut(spy):
    X_without = make_task().X[::-1]
    run_trial(make_task(X_without=X_without), {**spy, "grid": {}}, "no shortcut", seed=0)
    assert Spy.calls[0][0] == list(range(N_TRAIN))[::-1]
    with pytest.raises(ValueError, match="'no shortcut' needs a task with X_without"):
        run_trial(make_task(), spy, "no shortcut", seed=0)


def test_masks_that_say_nothing_are_no_reason_to_warn():
    mask = np.full((N_TRAIN, 3), np.nan, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_trial(
            make_task(mask=mask),
            {"estimator": "GradRegClassifier", "params": {"max_epochs": 1}},
            "given",
            0,
        )


def test_a_description_becomes_an_estimator():
    description = {
        "estimator": "SwapExClassifier",
        "params": {"alpha": 3.0, "optimizer": "SGD", "optimizer__momentum": 0.5},
        "module": Weighing,
    }
    estimator = make_estimator(description, 4)
    assert type(estimator) is SwapExClassifier
    assert estimator.optimizer is torch.optim.SGD
    assert (estimator.alpha, estimator.random_state, estimator.device) == (3.0, 4, "cpu")
    assert estimator.module is Weighing
    assert make_estimator({"estimator": "ERMClassifier"}, 0).module == ERMClassifier().module


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"estimator": "Nothing"}, r"estimator must be one of \[.*'ERMClassifier'.*got 'Nothing'"),
        ({"params": {"optimizer": "Nothing"}}, r"optimizer must be .*'Adam'.*got 'Nothing'"),
        ({"scoring": "nothing"}, r"scoring must be one of \['accuracy', .*got 'nothing'"),
    ],
)
def test_unknown_names_are_refused(change, error):
    method = {"estimator": "ERMClassifier", "grid": {"lr": [0.1]}, **change}
    with pytest.raises(ValueError, match=error):
        run_trial(make_task(), method, "-", 0)


def test_unknown_masks_are_refused():
    with pytest.raises(ValueError, match=r"masks must be one of \['given', .*got 'wrong'"):
        run_trial(make_task(), {"estimator": "ERMClassifier"}, "wrong", 0)


def test_every_estimator_has_a_name():
    assert {"ERMClassifier", "TwoStageExplanationClassifier"} <= module._ESTIMATORS.keys()
    assert module._ESTIMATORS.keys() == set(estimators.__all__)


class Trials(TrialStudy):
    name = "trials"
    title = "Trials"
    methods = {
        "label-only": {
            "estimator": "ERMClassifier",
            "grid": {"lr": [0.1]},
            "without_masks": True,
            "ceiling": True,
        },
        "swap": {
            "estimator": "SwapExClassifier",
            "params": {"alpha": 2.0},
            "controls": ("off", "shuffled"),
            "off": {"alpha": 0.0},
        },
    }
    panels = ("test",)

    def trials(self, scale):
        for size in (12, 24):
            yield {"size": size}, ["label-only", "swap"], range(2), {"params": {"max_epochs": 1}}

    def task(self, factors, settings):
        task = make_task()
        n = factors["size"]
        return Task(task.X[:n], task.y[:n], task.mask[:n], task.tests, task.X[:n])


def test_a_trial_study_lists_its_cells_by_seed():
    cells = Trials().cells("quick")
    kinds = [("label-only", "-"), ("label-only", "no shortcut")]
    kinds += [("swap", masks) for masks in ("given", "off", "shuffled")]
    assert [tuple(cell.factors.values()) for cell in cells] == [
        (size, *kind, seed) for seed in (0, 1) for size in (12, 24) for kind in kinds
    ]
    settings = {cell.factors["method"]: cell.settings for cell in cells}
    assert settings == {
        "label-only": {
            "estimator": "ERMClassifier",
            "params": {"max_epochs": 1},
            "grid": {"lr": [0.1]},
        },
        "swap": {
            "estimator": "SwapExClassifier",
            "params": {"alpha": 2.0, "max_epochs": 1},
            "grid": {},
            "off": {"alpha": 0.0},
        },
    }


def test_keeping_predictions_is_part_of_what_is_declared():
    """Else rows without them would be taken for rows with them."""

    class Keeping(Trials):
        keep_predictions = True

    pairs = zip(Trials().cells("quick"), Keeping().cells("quick"), strict=True)
    assert all(left.key("trials") != right.key("trials") for left, right in pairs)
    cell = Keeping().cells("quick")[0]
    assert len(Keeping().run(cell.factors, cell.settings)[0]["_predicted"]) == N_TEST


def test_a_trial_study_from_end_to_end(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    figure = Published("a", {"size": "24", "method": "swap"}, "accuracy", 0.99, None)
    monkeypatch.setattr(Trials, "published", [figure])
    study = Trials()
    study.x = "size"
    results = run_study(study, folder=tmp_path)
    assert results.is_complete
    assert len(results.rows) == 20 * 2
    gains, verdict = results.tables()
    assert len(gains.rows) == 2 * 2 * 3
    assert [row[gains.columns.index("published")] for row in gains.rows].count("0.990") == 2
    assert len(verdict.rows) == 2 * 2
    (picture,) = results.pictures().values()
    picture.savefig(tmp_path / "picture.png")


def test_declared_cells_are_cells():
    assert all(isinstance(cell, Cell) for cell in Trials().cells("paper"))
