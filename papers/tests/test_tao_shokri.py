"""Studies on shapes: training sets, methods, and the tables that check the paper's claims."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from skexplain.metrics import prediction_agreement
from skexplain.studies import get_study, run_study
from skexplain_papers._augmentations import WholeShift
from skexplain_papers._published import find_published, published_figures
from skexplain_papers._trial import make_estimator, run_trial, with_objects
from skexplain_papers.tao_shokri._agreement import agreement, agreement_table
from skexplain_papers.tao_shokri._claims import (
    factor_of_rows,
    fewer_rows_table,
    rows_needed,
    sd_ratio,
    spread_table,
)
from skexplain_papers.tao_shokri._imbalance import few_masks_table
from skexplain_papers.tao_shokri._shapes import GRIDS, METHODS, shapes_task

STUDIES = ["tao-sizes", "tao-imbalance", "tao-spurious"]


# --- data


@pytest.mark.parametrize(("ratio", "n_ones"), [("1:1", 10), ("1:9", 2)])
def test_training_sets_have_their_ratio_and_test_sets_are_balanced(ratio, n_ones):
    task = shapes_task("fox-vs-cat", 20, ratio, 3)
    assert task.X.shape == (20, 1, 64, 64)
    assert task.X.dtype == np.float32
    assert task.X.min() == 0
    assert task.X.max() == 1
    assert task.y.sum() == n_ones
    assert list(task.tests) == ["clean", "transfer"]
    assert all(test.y.mean() == 0.5 for test in task.tests.values())


def test_seeds_share_the_test_sets_and_no_training_row_is_tested():
    one, other = (shapes_task("triangle", 50, "1:1", seed) for seed in (0, 1))
    assert not np.array_equal(one.X, other.X)
    for name, test in one.tests.items():
        np.testing.assert_array_equal(test.X, other.tests[name].X)
    # Transfer rows are what the masks of the clean ones leave: parts of the same shapes.
    less = one.tests["clean"].X - one.tests["transfer"].X
    assert less.min() == 0
    assert (less.max(axis=(1, 2, 3)) == 1).all()
    np.testing.assert_array_equal(one.tests["transfer"].y, one.tests["clean"].y)


def test_a_square_tells_the_label_in_training_and_the_opposite_where_it_is_flipped():
    task = shapes_task("triangle", 40, "1:1", 0, spurious="row")
    left, right = task.X[:, 0, :, 0].max(1), task.X[:, 0, :, -1].max(1)
    np.testing.assert_array_equal(left, task.y)
    np.testing.assert_array_equal(right, 1 - task.y)
    flipped = task.tests["flipped"]
    np.testing.assert_array_equal(flipped.X[:, 0, :, 0].max(1), 1 - flipped.y)
    assert task.tests["clean"].X[..., 0].max() == 0
    assert task.mask[..., 0].all()
    assert task.mask[..., -1].all()


def test_sparse_masks_explain_the_minority_alone():
    task = shapes_task("triangle", 50, "1:9", 0, sparse=True)
    annotated = ~np.isnan(task.mask).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(annotated, task.y == 1)
    assert annotated.sum() == 5


# --- methods


def test_the_shift_without_masks_moves_whole_images():
    images = np.zeros((2, 1, 8, 8), dtype=np.float32)
    images[:, 0, 3, 3] = 1
    rows = type("Rows", (), {"x": torch.from_numpy(images).repeat(100, 1, 1, 1)})
    moved = WholeShift(2)(rows, generator=torch.Generator().manual_seed(0))
    assert moved.shape == rows.x.shape
    places = moved[:, 0].nonzero()[:, 1:]
    assert len(places) == 200  # each dot is somewhere
    assert set(places.flatten().tolist()) == {1, 2, 3, 4, 5}


def test_the_shift_learns_from_what_it_moved():
    """The package's own shift leaves nothing of a row that is all irrelevant: log 2 forever."""
    task = shapes_task("triangle", 20, "1:1", 0, n_test=20)
    method = {**METHODS["shift"], "params": {**METHODS["shift"]["params"], "max_epochs": 25}}
    _, estimator = run_trial(task, method, "-", 0)
    losses = estimator.history_[-10:, "train_average_case"]
    assert np.mean(losses) < 0.5 * math.log(2)  # 0.07 when written


def test_other_descriptions_stay_as_they_are():
    method = {"estimator": "SwapExClassifier", "params": {"perturbation": "shift"}}
    assert with_objects(method) is method


@pytest.mark.parametrize("name", METHODS)
def test_grids_have_nine_candidates_that_the_estimator_takes(name):
    assert np.prod([len(values) for values in GRIDS[name].values()]) == 9
    estimator = make_estimator(METHODS[name], 0)
    clone(estimator).set_params(**{key: values[-1] for key, values in GRIDS[name].items()})


@pytest.mark.parametrize("name", ["grad-reg", "swap"])
def test_label_only_is_these_methods_switched_off(name):
    """So that no control "off" needs to be computed for them."""
    task = shapes_task("triangle", 10, "1:1", 0, n_test=50)
    both = {
        "label-only": ("label-only", "-"),
        name: (name, "off"),
    }
    weights = []
    for method, masks in both.values():
        params = {**METHODS[method]["params"], "max_epochs": 2}
        _, estimator = run_trial(task, {**METHODS[method], "params": params}, masks, 0)
        weights.append(torch.cat([p.flatten() for p in estimator.module_.parameters()]))
    assert torch.equal(*weights)


def test_switched_off_two_stage_needs_no_second_rate():
    task = shapes_task("triangle", 10, "1:1", 0, n_test=50)
    predicted = []
    for rate in (0.001, 0.1):
        params = {**METHODS["two-stage"]["params"], "max_epochs": 2, "alpha": 0, "mapping_lr": rate}
        rows, _ = run_trial(
            task, {**METHODS["two-stage"], "params": params}, "given", 0, keep_predictions=True
        )
        predicted.append([row["_predicted"] for row in rows])
    assert predicted[0] == predicted[1]


# --- declarations


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_cells_are_plain_and_distinct(name, scale):
    cells = get_study(name).cells(scale)
    assert len({cell.key(name) for cell in cells}) == len(cells)
    json.dumps([[cell.factors, cell.settings] for cell in cells])
    factors = [json.dumps(cell.factors) for cell in cells]
    assert len(set(factors)) == len(factors)
    assert [cell.factors["seed"] for cell in cells] == sorted(c.factors["seed"] for c in cells)


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_tuned_unless_its_row_says_so(name):
    for cell in get_study(name).cells("paper"):
        assert bool(cell.settings["grid"]) == cell.factors["method"].endswith("-tuned")


@pytest.mark.parametrize("name", STUDIES)
def test_published_figures_find_their_rows(name):
    cells = get_study(name).cells("paper")
    tests = ["clean", "transfer", "flipped"]
    columns = [
        {**cell.factors, "test": test}
        for cell in cells
        if cell.factors["seed"] == 0
        for test in tests
    ]
    figures = [figure for figure in published_figures() if figure.study == name]
    assert figures
    for figure in figures:
        assert any(
            find_published(name, factors, figure.measure) is figure for factors in columns
        ), figure


def test_published_figures_are_those_of_the_paper():
    keys = {"dataset": "triangle", "size": 50, "test": "clean", "method": "two-stage"}
    assert str(find_published("tao-sizes", keys, "accuracy")) == "0.839 ± 0.028"
    assert str(find_published("tao-imbalance", keys, "accuracy")) == "0.803 ± 0.070"
    assert str(find_published("tao-spurious", keys, "accuracy")) == "0.796"
    assert find_published("tao-sizes", keys, "agreement").value == 0.949


def test_a_lone_explained_row_swaps_with_none():
    cells = get_study("tao-imbalance").cells("paper")
    sizes = {c.factors["size"] for c in cells if c.factors["method"] == "swap-sparse"}
    assert 10 not in sizes
    assert 50 in sizes


@pytest.mark.parametrize("name", STUDIES)
def test_controls_stand_beside_every_method(name):
    cells = [cell.factors for cell in get_study(name).cells("paper")]
    for cell in cells:
        assert cell["masks"] != "shuffled" or cell["size"] < 200  # where a fit is cheap
        if cell["method"].endswith("-tuned"):
            assert cell["size"] == 50
        if cell["method"].endswith("-early"):
            assert cell["size"] in (50, 100)
    small = [c for c in cells if c["size"] == 50 and not c["method"].endswith("-tuned")]
    with_masks = {cell["method"] for cell in small if cell["masks"] == "given"}
    assert len(with_masks) >= 4
    for kind in ("shuffled", "-"):
        methods = {cell["method"] for cell in small if cell["masks"] == kind}
        assert methods == with_masks if kind == "shuffled" else {"label-only", "shift"} <= methods
    assert ("two-stage", "off") in {(cell["method"], cell["masks"]) for cell in cells}


@pytest.mark.parametrize("name", STUDIES)
def test_what_the_paper_claims_has_its_repetitions(name):
    study, seeds = get_study(name), {}
    for factors in (cell.factors for cell in study.cells("paper")):
        if factors["size"] == 50:
            arm = factors["dataset"], factors["method"], factors["masks"]
            seeds.setdefault(arm, []).append(factors["seed"])
    for (_, method, masks), own in seeds.items():
        of_paper = study.claimed_beyond_shuffled if masks == "shuffled" else study.claimed
        assert len(own) == 30 if method in of_paper else len(own) < 10
        assert own == list(range(len(own)))


def test_a_study_runs_the_shift_of_whole_images():
    cells = get_study("tao-sizes").cells("quick")
    (cell, *_) = [cell for cell in cells if cell.factors["method"] == "shift"]
    settings = {**cell.settings, "params": {**cell.settings["params"], "max_epochs": 1}}
    rows = get_study("tao-sizes").run(cell.factors, settings)
    assert [row["test"] for row in rows] == ["clean", "transfer"]
    assert all(len(row["_predicted"]) == 200 for row in rows)


# --- spread


def test_sd_ratio_ends_where_sums_and_differences_correlate_at_the_level():
    """The interval by its definition, with the correlation test of scipy."""
    x, y = np.random.RandomState(0).multivariate_normal([0, 0], [[4, 1], [1, 1]], 12).T
    ratio, low, high = sd_ratio(x, y)
    assert ratio == pytest.approx(np.std(x) / np.std(y))
    for end in (low, high):
        assert stats.pearsonr(x / end + y, x / end - y).pvalue == pytest.approx(0.05)
    assert low < ratio < high


def test_sd_ratio_is_unknown_without_spread():
    assert all(map(math.isnan, sd_ratio([1, 1, 1], [0, 1, 2])))
    assert all(map(math.isnan, sd_ratio([1, 2], [0, 1])))


# --- rows that are saved


def test_rows_needed_interpolates_on_the_logarithm():
    means = {10: 0.6, 1000: 0.8}
    assert rows_needed(means, 0.7) == pytest.approx(100)
    assert rows_needed(means, 0.8) == pytest.approx(1000)
    assert rows_needed(means, 0.9) == math.inf
    assert rows_needed(means, 0.5) == 0
    # The first crossing counts where accuracy does not grow throughout.
    assert rows_needed({10: 0.6, 100: 0.8, 1000: 0.7}, 0.7) == pytest.approx(10**1.5)


def test_factor_of_rows():
    many = {10: [0.6, 0.6], 1000: [0.8, 0.8]}
    assert factor_of_rows([0.7, 0.7], many, 50) == pytest.approx((2, 2, 2))
    factor, low, high = factor_of_rows([0.55, 0.95], many, 50)
    assert (low, high) == (0, math.inf)
    assert factor == pytest.approx(10 ** (1 + 2 * 0.75) / 50)


# --- agreement


def _models(predictions, **factors):
    return [{"seed": i, "_predicted": p, **factors} for i, p in enumerate(predictions)]


def test_agreement_and_its_jackknife_by_hand():
    # Pairs agree on 1, 1/2 and 1/2 of the rows; without one model: 1/2, 1/2, 1.
    found = agreement(_models(["01", "01", "00"]))
    assert found.mean == pytest.approx(2 / 3)
    values = np.array([0.5, 0.5, 1])
    assert found.se == pytest.approx(np.sqrt(2 / 3 * np.sum((values - values.mean()) ** 2)))


def test_agreement_is_of_ten_models():
    predictions = ["".join(p) for p in np.random.RandomState(0).choice(["0", "1"], (12, 20))]
    found = agreement(_models(predictions))
    assert found.n == 10
    assert found.mean == prediction_agreement([list(p) for p in predictions[:10]])
    assert math.isnan(agreement(_models(["01"])).mean)


# --- tables from made-up rows


def _rows(accuracies, **factors):
    return [
        {"seed": seed, "accuracy": accuracy, "_predicted": "01", **factors}
        for seed, accuracy in enumerate(accuracies)
    ]


_PANEL = {"dataset": "triangle", "test": "clean"}


def _made_up_rows():
    rows = []
    for size, shift in ((10, 0.0), (100, 0.2)):
        of_size = {**_PANEL, "size": size}
        low, high = 0.55 + shift, 0.65 + shift
        rows += _rows([low, high, 0.6 + shift], **of_size, method="label-only", masks="-")
        rows += _rows([0.69, 0.7, 0.71], **of_size, method="two-stage", masks="given")
        rows += _rows([low, high, 0.6 + shift], **of_size, method="two-stage", masks="off")
    return rows


def test_spread_table():
    table = spread_table(get_study("tao-sizes"), _made_up_rows())
    assert [row[:3] for row in table.rows] == [
        ("triangle", "10", "clean"),
        ("triangle", "100", "clean"),
    ]
    assert [row[3].split()[0] for row in table.rows] == ["5.0", "5.0"]
    assert [row[4].split()[0] for row in table.rows] == ["1.0", "1.0"]
    assert table.rows[0][5] == "1.4"  # .118 / .082


def test_fewer_rows_table():
    table = fewer_rows_table(get_study("tao-sizes"), _made_up_rows())
    of_ten, of_hundred = table.rows
    assert of_ten[:5] == ("triangle", "clean", "10", "0.700", f"{10**1.5 / 10:.2g}")
    assert of_hundred[4] == f"{10**1.5 / 100:.2g}"
    assert of_ten[-1] == ">10"  # published: .732 at 10 rows; label-only has .687 at 100


def test_agreement_table_has_published_figures_and_controls():
    rows = _made_up_rows()
    for row in rows:
        row["size"] = {10: 50, 100: 100}[row["size"]]
    table = agreement_table(get_study("tao-sizes"), rows, ("dataset", "size", "test"))
    assert table.columns[-4:] == ("with masks", "published", "off", "one class only")
    by_method = {row[1:2] + row[3:4]: row for row in table.rows}
    assert by_method["50", "two-stage"][4:-1] == ("1.000 (se 0.000)", "0.949", "1.000 (se 0.000)")


def test_agreement_table_counts_models_that_guess():
    of_set = {"dataset": "triangle", "test": "clean", "size": 50, "masks": "given"}
    rows = [
        {**of_set, "method": "two-stage", "seed": seed, "_predicted": predicted}
        for seed, predicted in enumerate(["1111", "0000", "0101"])
    ]
    table = agreement_table(get_study("tao-sizes"), rows, ("dataset", "size", "test"))
    assert table.rows[0][-1] == "2 of 3"


def test_few_masks_are_held_against_the_best_control():
    of_size = {"dataset": "triangle", "test": "clean", "size": 10}
    rows = _rows([0.5, 0.6, 0.55], **of_size, method="label-only", masks="-")
    rows += _rows([0.7, 0.8, 0.75], **of_size, method="two-stage-sparse", masks="given")
    rows += _rows([0.6, 0.7, 0.66], **of_size, method="two-stage-sparse", masks="reweighted")
    rows += _rows([0.9, 0.9, 0.9], **of_size, method="two-stage", masks="given")
    (row,) = few_masks_table(rows, "accuracy").rows
    assert row[:4] == ("triangle", "clean", "1", "two-stage-sparse")
    assert row[5] == "reweighted"
    assert row[6].startswith("+0.097")
    assert row[7] == "yes"


@pytest.mark.parametrize("method", ["label-only", "two-stage"])
def test_tables_of_a_run_that_has_only_begun(method):
    rows = [row for row in _made_up_rows() if row["method"] == method]
    study = get_study("tao-sizes")
    assert [row[3] for row in spread_table(study, rows).rows] == ["", ""]
    assert fewer_rows_table(study, rows).rows == []
    assert study.tables(rows)


def test_claims_are_about_the_values_of_the_paper():
    rows = _made_up_rows()
    tuned = [{**row, "method": f"{row['method']}-tuned", "accuracy": 0.9} for row in rows]
    study = get_study("tao-sizes")
    assert study.tables(rows)[-2:] == study.tables([*rows, *tuned])[-2:]


def test_large_sets_have_as_many_steps_as_small_ones_at_least():
    for cell in get_study("tao-sizes").cells("paper"):
        steps = cell.settings["params"]["max_epochs"] * math.ceil(cell.factors["size"] / 64)
        assert steps >= 100 if cell.factors["size"] < 200 else steps >= 240


def test_sparse_two_stage_has_the_control_of_two_stage():
    of_size = {"dataset": "triangle", "test": "clean", "size": 10}
    rows = _rows([0.5, 0.6, 0.55], **of_size, method="label-only", masks="-")
    rows += _rows([0.7, 0.8, 0.75], **of_size, method="two-stage-sparse", masks="given")
    rows += _rows([0.9, 0.9, 0.8], **of_size, method="two-stage", masks="off")
    (row,) = get_study("tao-imbalance").tables(rows)[-1].rows
    assert row[5] == "off"


def test_shuffled_masks_still_mark_the_square():
    """Why the study of the square has a verdict without them."""
    cells = get_study("tao-spurious").cells("quick")
    rows = []
    for cell in cells:
        high = {"shuffled": 0.9, "given": 0.8}.get(cell.factors["masks"], 0.6)
        accuracy = high + 0.01 * cell.factors["seed"]
        rows.append({**cell.factors, "test": "clean", "accuracy": accuracy, "_predicted": "01"})
    tables = {table.title: table for table in get_study("tao-spurious").tables(rows)}
    assert tables["Does knowing where pay?"].rows[0][-1] == "no"
    assert tables["Does knowledge of the shortcut pay?"].rows[0][-1] == "yes"


# --- end to end


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_quick_scale(name, tmp_path):
    pytest.importorskip("matplotlib")
    results = run_study(name, scale="quick", folder=tmp_path)
    assert results.is_complete
    assert len(results.tables()) >= 3
    assert all(0 <= row["accuracy"] <= 1 for row in results.rows)
    assert list(results.pictures()) == [name]
