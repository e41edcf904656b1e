"""Ablation, settings, cost and birds of Tao & Shokri."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from _bird_files import write_birds
from numpy.testing import assert_array_equal

from skexplain.studies import run_study
from skexplain.studies.tools import control_masks, control_parameters
from skexplain_papers._published import find_published
from skexplain_papers._trial import make_estimator
from skexplain_papers.tao_shokri._ablation import Ablation, told_rows
from skexplain_papers.tao_shokri._birds import STAND_IN, Birds
from skexplain_papers.tao_shokri._cost import Cost, choose_by_other_seeds, split_budget
from skexplain_papers.tao_shokri._factorial import (
    BASE,
    LABEL_ONLY,
    OFF,
    TWO_STAGE,
    Accuracies,
    all_settings,
)
from skexplain_papers.tao_shokri._settings import Settings
from skexplain_papers.tao_shokri._shapes import MAKERS

STUDIES = [Ablation(), Settings(), Cost(), Birds()]


def named(study):
    return study.name


@pytest.mark.parametrize("study", STUDIES, ids=named)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_declaration(study, scale):
    cells = study.cells(scale)
    keys = {cell.key(study.name) for cell in cells}
    assert len(keys) == len(cells) > 0
    for cell in cells:
        assert json.loads(json.dumps(cell.settings)) == cell.settings
        assert all(isinstance(value, int | float | str) for value in cell.factors.values())
    seeds = [cell.factors["seed"] for cell in cells]
    assert seeds == sorted(seeds)


@pytest.mark.parametrize("study", STUDIES, ids=named)
def test_each_method_has_its_controls(study):
    cells = study.cells("paper")
    kinds = {(cell.factors["method"], cell.factors["masks"]) for cell in cells}
    assert ("label-only", "-") in kinds
    for method in study.methods:
        if (method, "given") in kinds:
            assert {(method, "off"), (method, "shuffled")} & kinds


@pytest.mark.parametrize("study", [Ablation(), Settings(), Birds()], ids=named)
def test_published_figures_belong_to_cells(study):
    """Each of both main methods finds one on the data sets of the paper."""
    for cell in study.cells("paper"):
        factors = {**cell.factors, "test": "clean", "at": "convergence"}
        if factors["method"] == "two-stage" and factors["masks"] == "given":
            assert find_published(study.name, factors, "accuracy") is not None


def test_table_3_is_told_in_full():
    factors = {"dataset": "triangle", "size": 50, "at": "40", "method": "joint"}
    assert str(find_published("tao-ablation", factors, "accuracy")) == "0.827 ± 0.060"


@pytest.mark.parametrize("study", [Ablation(), Birds()], ids=named)
def test_variants_lack_one_part_each(study):
    methods = {name: study.methods[name]["params"] for name in ("two-stage", "no mapping", "joint")}
    full = methods["two-stage"]
    assert {"mapping", "schedule", "alpha"}.isdisjoint(full)  # defaults
    assert methods["no mapping"] == {**full, "mapping": None}
    assert methods["joint"] == {**full, "schedule": "joint"}


# -- ablation -------------------------------------------------------------------------------------


def cell_of(study, scale, **factors):
    """The first cell with these factors."""
    return next(c for c in study.cells(scale) if factors.items() <= c.factors.items())


@pytest.mark.parametrize(
    ("method", "masks"),
    [("two-stage", "given"), ("two-stage", "off"), ("no mapping", "shuffled"), ("joint", "given")],
)
def test_curves_are_those_of_one_fit(method, masks):
    cell = cell_of(Ablation(), "quick", method=method, masks=masks)
    settings = {**cell.settings, "epochs": [1, 3]}
    rows = Ablation().run(cell.factors, settings)
    assert [row["epoch"] for row in rows] == [1, 3]

    task = Ablation().task(cell.factors, settings)
    settings = {**settings, "params": {**settings["params"], "max_epochs": 3}}
    estimator = make_estimator({**settings, **control_parameters(settings, masks)}, seed=0)
    estimator.fit(task.X, task.y, mask=control_masks(task.mask, masks, 0))
    test = task.tests["clean"]
    assert rows[-1]["accuracy"] == estimator.score(test.X[:500], test.y[:500])
    assert rows[-1]["objective"] == estimator.history_[-1, "train_loss"]


def curve(method, masks, seed, accuracies, objectives):
    return [
        {
            "dataset": "triangle",
            "size": 50,
            "method": method,
            "masks": masks,
            "seed": seed,
            "epoch": epoch,
            "accuracy": accuracy,
            "objective": objective,
        }
        for epoch, accuracy, objective in zip((20, 40, 60), accuracies, objectives, strict=True)
    ]


def test_convergence_is_the_lowest_objective():
    told = told_rows(curve("two-stage", "given", 0, [0.6, 0.7, 0.9], [3.0, 1.0, 2.0]))
    assert {row["at"]: row["accuracy"] for row in told} == {
        "20": 0.6,
        "40": 0.7,
        "convergence": 0.7,
    }


def test_parts_are_paired_differences():
    falling = [3.0, 2.0, 1.0]
    rows = [
        *curve("label-only", "-", 0, [0.5, 0.5, 0.5], falling),
        *curve("two-stage", "given", 0, [0.7, 0.8, 0.9], falling),
        *curve("two-stage", "given", 1, [0.5, 0.6, 0.7], falling),
        *curve("no mapping", "given", 0, [0.6, 0.8, 0.8], falling),
        *curve("no mapping", "given", 1, [0.4, 0.4, 0.4], falling),
    ]
    parts = Ablation().tables(rows)[-1]
    line = {row[2:4]: row[4:] for row in parts.rows}
    # At convergence .1 and .3: mean .2, standard error .1; the paper has .839 - .796.
    assert line["convergence", "no mapping"] == ("+0.200 (se 0.100)", "+0.043")
    assert line["convergence", "joint"] == ("", "-0.009")


# -- settings -------------------------------------------------------------------------------------


def test_design():
    settings = all_settings()
    # 2 x 2 x 2 x 3, and one at a time a batch size, a start and two rates of the second step.
    assert len(settings) == len({tuple(s.values()) for s in settings}) == 24 + 4
    assert settings[0] == BASE
    of_seed = {}
    for factors in (cell.factors for cell in Settings().cells("paper")):
        arms = of_seed.setdefault((factors["dataset"], factors["seed"]), Counter())
        arms[factors["method"], factors["masks"]] += 1
    n_seeds = 1 + max(seed for _, seed in of_seed)
    assert n_seeds > 6
    assert set(of_seed) == {(name, seed) for name in MAKERS for seed in range(n_seeds)}
    every = {LABEL_ONLY: 25, TWO_STAGE: 28, OFF: 26, ("two-stage", "shuffled"): 1}
    # At .001, labels alone at .01, too; without a mapping's rate of .1.
    of_paper = {LABEL_ONLY: 17, TWO_STAGE: 11, OFF: 10, ("two-stage", "shuffled"): 1}
    for (_, seed), arms in of_seed.items():
        assert arms == (every if seed < 6 else of_paper)


def test_settings_reach_data_and_estimator():
    study = Settings()
    factors = {"dataset": "fox-vs-cat", **BASE, "seed": 0}
    filled = study.task(factors, {})
    outline = study.task({**factors, "drawing": "outline", "pixels": 255.0}, {})
    assert filled.X.max() == 1
    assert outline.X.max() == 255
    assert ((outline.X > 0) <= (filled.X > 0)).all()
    assert outline.X.mean() / 255 < 0.6 * filled.X.mean()
    assert_array_equal(filled.mask, outline.mask)
    assert set(filled.tests) == {"clean", "transfer"}
    cell = cell_of(study, "paper", method="two-stage", masks="given", stopping="early", lr=0.1)
    params = cell.settings["params"]
    assert params["early_stopping"]
    assert params["lr"] == 0.1
    assert params["mapping_lr"] == 0.001


def test_early_stopping_holds_rows_out():
    """Warnings are errors: with fewer than ten rows held out there would be one."""
    cell = cell_of(Settings(), "paper", method="label-only", stopping="early", lr=0.01)
    settings = {**cell.settings, "params": {**cell.settings["params"], "max_epochs": 2}}
    estimator = make_estimator(settings, seed=0)
    task = Settings().task(cell.factors, settings)
    estimator.fit(task.X, task.y)
    assert "valid_loss" in estimator.history_[-1]


def outcome(arm, seed, accuracy, test="clean", **changes):
    method, masks = arm
    setting = {**BASE, **changes}
    return {
        "dataset": "fox-vs-cat",
        "test": test,
        "method": method,
        "masks": masks,
        "seed": seed,
        "accuracy": accuracy,
        **setting,
    }


# A learning rate of .01 lifts label-only by .2 and .4, and two-stage by .1 and .1.
ROWS = [
    outcome(LABEL_ONLY, 0, 0.5),
    outcome(LABEL_ONLY, 1, 0.5),
    outcome(LABEL_ONLY, 0, 0.7, lr=0.01),
    outcome(LABEL_ONLY, 1, 0.9, lr=0.01),
    outcome(TWO_STAGE, 0, 0.7),
    outcome(TWO_STAGE, 1, 0.8),
    outcome(TWO_STAGE, 0, 0.8, lr=0.01),
    outcome(TWO_STAGE, 1, 0.9, lr=0.01),
    outcome(OFF, 0, 0.7),
    outcome(OFF, 1, 0.8),
    outcome(TWO_STAGE, 0, 0.75, mapping_lr=0.01),
]


def test_effects_by_hand():
    accuracies = Accuracies(ROWS)
    effect = accuracies.effect("label-only", "lr", 0.01)
    assert (effect.mean, effect.n) == (pytest.approx(0.3), 2)
    assert effect.se == pytest.approx(0.1)
    gain = accuracies.effect("two-stage over label-only", "lr", 0.01)
    assert gain.mean == pytest.approx(-0.2)  # 0 and .2 less than .2 and .3
    # Seed 0 alone has both levels; label-only has no such rate.
    assert accuracies.effect("two-stage", "mapping_lr", 0.01).mean == pytest.approx(0.05)
    assert accuracies.effect("label-only", "mapping_lr", 0.01).mean == 0
    assert accuracies.effect("off", "pixels", 255.0).n == 0


def test_effect_is_the_mean_over_settings_first():
    rows = [
        *(outcome(LABEL_ONLY, 0, accuracy) for accuracy in [0.5]),
        outcome(LABEL_ONLY, 0, 0.6, lr=0.01),
        outcome(LABEL_ONLY, 0, 0.5, pixels=255.0),
        outcome(LABEL_ONLY, 0, 0.9, pixels=255.0, lr=0.01),
        *(outcome(TWO_STAGE, 0, 0.5, pixels=p, lr=r) for p in (1.0, 255.0) for r in (0.001, 0.01)),
    ]
    effect = Accuracies(rows).effect("label-only", "lr", 0.01)
    assert (effect.mean, effect.n) == (pytest.approx(0.25), 1)
    assert math.isnan(effect.se)


def test_effects_are_those_at_the_rate_of_the_base():
    rows = [
        outcome(method, 0, accuracy, pixels=pixels, lr=lr)
        for method in (LABEL_ONLY, TWO_STAGE)
        for pixels, lr, accuracy in [(1.0, 0.001, 0.6), (255.0, 0.001, 0.9), (1.0, 0.1, 0.5)]
    ]
    rows += [outcome(method, 0, 0.5, pixels=255.0, lr=0.1) for method in (LABEL_ONLY, TWO_STAGE)]
    accuracies = Accuracies(rows)
    assert accuracies.effect("label-only", "pixels", 255.0).mean == pytest.approx(0.3)
    # The rate's own effect has both pairs: -.1 and -.4.
    assert accuracies.effect("label-only", "lr", 0.1).mean == pytest.approx(-0.25)


def test_settings_tables_by_hand():
    summary, _, gains = Settings().tables(ROWS)
    (line,) = summary.rows
    told = dict(zip(summary.columns, line, strict=True))
    assert told["published"] == "0.594 ± 0.119, 0.750 ± 0.029"
    assert told["settings"] == "3"
    # Over label-only of .01: 0 and -.1, .1 and 0, .05 alone; over off: nothing.
    assert told["gain > 2 se over label-only of lr 0.01"] == "0"
    assert told["gain > 2 se over off"] == "0"
    assert told["nearest setting"] == "base"
    assert told["gain there"] == "-0.050 (se 0.050)"
    by_setting = {row[2]: row[3:] for row in gains.rows}
    assert by_setting["lr 0.01"][-1] == "+0.050 (se 0.050)"
    assert by_setting["base"][4] == "+0.000 (se 0.000)"


# -- cost -----------------------------------------------------------------------------------------


def test_split_by_hand():
    assert split_budget(4.8, 1.0) == (100, 100)
    assert split_budget(1.2, 0.0) == (100, 0)
    assert split_budget(3.0, 0.5) == (100, 50)
    assert split_budget(1.56, 0.1) == (100, 10)


def test_no_split_exceeds_its_budget():
    for cell in Cost().cells("paper"):
        budget = 100 * cell.factors["dollars"]
        spent = 1.2 * cell.factors["labels"] + 3.6 * cell.factors["masks_bought"]
        assert budget - 6 < spent <= budget + 1e-9  # less than a row with its mask, and a mask


def test_all_splits_train_for_some_200_steps():
    for cell in Cost().cells("paper"):
        n_batches = -(-cell.factors["labels"] // 64)
        n_epochs = cell.settings["params"]["max_epochs"]
        assert n_epochs == 20 or 180 < n_epochs * n_batches <= 200


@pytest.mark.parametrize("training", ["1:1", "spurious"])
def test_masks_that_were_not_bought_are_unknown(training):
    factors = {"dataset": "triangle", "training": training, "dollars": 0.5, "share": 0.1}
    task = Cost().task({**factors, "labels": 32, "masks_bought": 3, "seed": 0}, {})
    annotated = ~np.isnan(task.mask).all(axis=(1, 2, 3))
    assert annotated.tolist() == [True] * 3 + [False] * 29
    assert not np.isnan(task.mask[:3]).any()
    border = task.X[..., [0, 1, 2, 3, 4, 5, -6, -5, -4, -3, -2, -1]].any()
    assert border == (training == "spurious")


def test_split_is_chosen_without_its_own_seed():
    def split(*accuracies):
        return [{"seed": s, "accuracy": a} for s, a in enumerate(accuracies)]

    # The lucky one has the higher mean, .5; without its lucky seed it is worse.
    splits = {"lucky": split(1.0, 0.25, 0.25), "steady": split(0.4, 0.4, 0.4)}
    chosen = choose_by_other_seeds(splits, "accuracy")
    assert [row["accuracy"] for row in chosen] == [0.4, 0.25, 0.25]
    alone = {"a": split(0.3), "b": split(0.6)}
    assert [row["accuracy"] for row in choose_by_other_seeds(alone, "accuracy")] == [0.6]


def bought(method, share, seed, accuracy):
    n_labels, n_masks = split_budget(1.0, share)
    return {
        **{"dataset": "fox-vs-cat", "training": "1:1", "test": "clean", "dollars": 1.0},
        **{"share": share, "labels": n_labels, "masks_bought": n_masks},
        **{"method": method, "masks": "given" if share else "-"},
        **{"seed": seed, "accuracy": accuracy},
    }


def test_best_split_by_hand():
    rows = [
        bought(method, share, seed, accuracy + 0.1 * seed)
        for seed in (0, 1)
        for method, share, accuracy in (
            ("label-only", 0.0, 0.5),
            ("shift", 0.0, 0.6),
            ("swap", 1.0, 0.7),
            ("swap", 0.1, 0.55),
        )
    ]
    rows.append({**bought("swap", 1.0, 0, 0.95), "masks": "shuffled"})  # must not be taken
    best = Cost().tables(rows)[0]
    told = dict(zip(best.columns, best.rows[0], strict=True))
    assert told["best split"] == "swap, 100% masked"
    assert told["labels + masks"] == "20 + 20"
    assert told["gain over label-only"] == "+0.200 (se 0.000)"
    assert told["gain over the better of both"] == "+0.100 (se 0.000)"


# -- birds ----------------------------------------------------------------------------------------


def test_birds_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    with pytest.raises(OSError, match="CUB_200_2011"):
        run_study(Birds(), "paper", folder=tmp_path)
    Birds().prepare("quick")


@pytest.mark.parametrize("training", ["plain", "spurious"])
def test_paper_path_of_birds(tmp_path, monkeypatch, training):
    write_birds(tmp_path, n_images=32)
    monkeypatch.setenv("SKEXPLAIN_DATA", str(tmp_path))
    study = Birds()
    study.prepare("paper")
    cell = cell_of(study, "paper", method="two-stage", training=training)
    assert cell.settings["params"]["mapping_lr"] == (0.001 if training == "plain" else 0.01)
    factors = {**cell.factors, "size": 10}
    task = study.task(factors, {})
    assert task.X.shape == (10, 3, 64, 64)
    assert task.X.max() == 1
    assert np.bincount(task.y).tolist() == [5, 5]
    pure_green = (task.X[:, 1] == 1) & (task.X[:, [0, 2]] == 0).all(axis=1)
    assert (pure_green.sum() >= 5 * 8 * 8) == (training == "spurious")  # squares of class 0
    assert cell.settings["params"]["optimizer"] == "SGD"
    settings = {**cell.settings, "params": {**cell.settings["params"], "max_epochs": 1}}
    (row,) = study.run(factors, settings)
    assert len(row["_predicted"]) == 8
    (line, *_) = study.tables([{**cell.factors, **row}])[0].rows
    assert ("0.860 ± 0.079" if training == "plain" else "0.878") in line


def test_stand_in_is_small_and_has_three_channels():
    task = Birds().task({"dataset": STAND_IN, "size": 20, "seed": 0}, {})
    assert task.X.shape == (20, 3, 32, 32)
    assert task.mask.shape == (20, 1, 32, 32)
    assert_array_equal(task.X[:, 0], task.X[:, 2])


# -- end to end -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=named)
def test_quick_scale(study, tmp_path):
    results = run_study(study, "quick", folder=tmp_path)
    assert results.is_complete
    for table in results.tables():
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
    for name, figure in results.pictures().items():
        figure.savefig(tmp_path / f"{name}.png")
        assert all(ax.has_data() for ax in figure.axes if ax.get_visible())
