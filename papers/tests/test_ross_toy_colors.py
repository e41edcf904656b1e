"""Toy colours: their losses by hand, masks and shares by hand, and what quick scale shows."""

import copy
import json
import math

import numpy as np
import pytest
import torch

from skexplain.studies import run_study
from skexplain.studies._controls import shuffle_masks
from skexplain.studies.tools import crossing
from skexplain_papers._networks import ross_mlp
from skexplain_papers._published import published_figures
from skexplain_papers._trial import make_estimator
from skexplain_papers.ross import _toy_color_annotations
from skexplain_papers.ross._toy_color_annotations import ToyAnnotations
from skexplain_papers.ross._toy_color_data import RULES, describe_fit, draw_colors, look
from skexplain_papers.ross._toy_color_rules import ToyRules
from skexplain_papers.ross._toy_color_sizes import ToySizes
from skexplain_papers.ross._toy_color_strength import ToyStrength
from skexplain_papers.ross._toy_color_tables import (
    crossings,
    describe_spread,
    transition_table,
)

STUDIES = [ToyRules(), ToyStrength(), ToyAnnotations(), ToySizes()]
BY_NAME = {study.name: study for study in STUDIES}


@pytest.fixture(scope="module")
def colors():
    return draw_colors({"rows": 60, "test_rows": 40}, 0)


def their_training(network, colors, mask, loss, n_epochs, lr):
    """Train on all rows at once; `loss` is given label losses, squared gradients, and weights."""
    network = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    x = torch.tensor(colors.data, dtype=torch.float32, requires_grad=True)
    y = torch.as_tensor(colors.target)
    annotated = torch.as_tensor(~np.isnan(mask).any(axis=(1, 2, 3)))
    where = torch.as_tensor(np.nan_to_num(mask))
    for _ in range(n_epochs):
        log_probabilities = network(x).log_softmax(1)
        label_losses = -log_probabilities[torch.arange(len(y)), y]
        (gradient,) = torch.autograd.grad(log_probabilities.sum(), x, create_graph=True)
        squares = (gradient * where * annotated[:, None, None, None]).square().flatten(1).sum(1)
        weights = sum(parameter.square().sum() for parameter in network.parameters())
        optimizer.zero_grad()
        loss(label_losses, squares, weights).backward()
        optimizer.step()
    return network


def assert_trains_as(loss, settings, colors, mask):
    """Compare weights after some steps on all rows."""
    n = len(colors.data)
    settings = copy.deepcopy(settings)
    settings["params"] |= {"max_epochs": 5, "lr": 1e-3, "batch_size": n}
    torch.manual_seed(0)
    network = ross_mlp(75, 2)
    mask = np.broadcast_to(mask.astype(np.float32), (n, 1, 5, 5)).copy()
    settings["defaults"] = ToySizes.defaults  # as the runner completes them
    estimator = make_estimator(settings, 0).set_params(module=network)
    estimator.fit(colors.data, colors.target, mask=mask)
    expected = their_training(network, colors, mask, loss, 5, 1e-3)
    moved = 0.0
    for ours, theirs, start in zip(
        estimator.module_.parameters(), expected.parameters(), network.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)
        moved = max(moved, float((theirs - start).abs().max().detach()))
    assert moved > 3e-3  # five steps of 1e-3: the agreement is not for want of training


def test_the_loss_is_theirs(colors):
    settings = describe_fit("paper", 1000.0)
    n = len(colors.data)
    settings["params"]["optimizer__weight_decay"] *= 256 / n  # the batch is smaller here

    def loss(label_losses, squares, weights):
        return (label_losses.sum() + 1000 * squares.sum() + 1e-4 * weights) / n

    assert_trains_as(loss, settings, colors, colors.masks["corners"])


def test_few_annotations_count_as_in_one_sum(colors):
    cells = ToyAnnotations().cells("paper")
    cell = next(c for c in cells if c.factors["annotated"] == 281)
    assert cell.factors["weighting"] == "as one sum"
    assert cell.settings["params"]["alpha"] == pytest.approx(1000 * 281 / 20_000)
    # Here 15 of 60 rows: a quarter of lambda, and all 15 in the batch.
    settings = describe_fit("paper", 1000.0 * 15 / 60)
    mask = colors.masks["corners"].repeat(60, axis=0).astype(np.float32)
    mask[15:] = np.nan
    n = len(colors.data)
    settings["params"]["optimizer__weight_decay"] *= 256 / n

    def loss(label_losses, squares, weights):
        return (label_losses.sum() + 1000 * squares.sum() + 1e-4 * weights) / n

    assert_trains_as(loss, settings, colors, mask)


@pytest.mark.parametrize(
    ("method", "rule"), [("pro-rule 1", "all_but_corners"), ("anti-rule 2", "top_middle")]
)
def test_the_normalised_loss_is_theirs(colors, method, rule):
    study = ToySizes()
    cells = study.cells("paper")
    cell = next(c for c in cells if c.factors["method"] == method and c.factors["rows"] == 10)
    mask = colors.masks[rule]
    n_marked = 3 * mask.sum() * len(colors.data)

    def loss(label_losses, squares, weights):
        return label_losses.mean() + 1e4 * squares.sum() / n_marked + 1e-4 * weights

    assert_trains_as(loss, cell.settings, colors, mask)


def test_oversampled_rows_are_added_to_each_batch():
    cells = ToyAnnotations().cells("paper")
    params = {
        cell.factors["annotated"]: cell.settings["params"]
        for cell in cells
        if cell.factors["weighting"] == "in every batch"
    }
    # Eleven rows beside 256, in sums: 1000 * 11 / 256 of a mean over eleven.
    assert params[11]["annotated_per_batch"] == 11
    assert params[11]["alpha"] == pytest.approx(1000 * 11 / 256)
    assert params[5000]["annotated_per_batch"] == 256
    assert params[5000]["alpha"] == pytest.approx(1000)
    means = [c for c in cells if c.factors["weighting"] == "as a mean"]
    assert {c.settings["params"]["alpha"] for c in means} == {1000}


def test_only_the_first_rows_are_annotated(monkeypatch):
    monkeypatch.setattr(_toy_color_annotations, "fit_and_look", lambda colors, mask, *_: mask)
    settings = {"rows": 30, "test_rows": 5}
    (mask,) = ToyAnnotations().run({"annotated": 11, "seed": 0}, settings)
    corners = np.zeros((1, 5, 5))
    corners[0, [0, 0, 4, 4], [0, 4, 0, 4]] = 1
    np.testing.assert_array_equal(mask[:11], np.broadcast_to(corners, (11, 1, 5, 5)))
    assert np.isnan(mask[11:]).all()
    assert len(mask) == 30


def test_moved_masks_cover_a_corner_as_often_as_the_note_says(colors):
    corners = colors.masks["corners"]
    moves = [np.roll(corners, (i, j), axis=(-2, -1)) for i in range(5) for j in range(5)][1:]
    assert sum(bool((move & corners).any()) for move in moves) == 8
    assert not np.array_equal(shuffle_masks(corners, 0), corners)
    assert not (colors.masks["centre"] & colors.masks["both"]).any()
    assert colors.masks["both"].sum() == 7


class Linear(torch.nn.Module):
    """Looks at two channels of one corner, and half as much at one pixel of the top middle."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32))

    def forward(self, x):
        score = (x * self.weight).flatten(1).sum(1)
        return torch.stack([score, torch.zeros_like(score)], 1)


@pytest.mark.parametrize(("small", "top_middle"), [(0.5, 0.0), (0.7, 0.5)])
def test_look_counts_a_pixel_once(colors, small, top_middle):
    weight = np.zeros((3, 5, 5))
    weight[:2, 0, 0] = 1e-3, 0.9e-3
    weight[2, 0, 2] = -small * 1e-3
    settings = describe_fit("paper", 0.0, max_epochs=1, lr=1e-12)
    estimator = make_estimator(settings, 0).set_params(
        module=Linear(weight), optimizer__weight_decay=0.0
    )
    estimator.fit(colors.data, colors.target)
    seen = look(estimator, colors)
    assert seen["top_middle"] == top_middle  # half as large a gradient is not among the largest
    assert seen["corners"] == 1 - top_middle
    expected = np.zeros((5, 5))
    expected[0, 0], expected[0, 2] = 1 / (1 + small), small / (1 + small)
    np.testing.assert_allclose(np.reshape(seen["_map"], (5, 5)), expected, atol=1e-4)


def test_a_model_without_gradients_looks_nowhere(colors):
    estimator = make_estimator(describe_fit("paper", 0.0, max_epochs=1, lr=1e-12), 0)
    estimator.set_params(module=Linear(np.zeros((3, 5, 5))), optimizer__weight_decay=0.0)
    estimator.fit(colors.data, colors.target)
    estimator.module_.weight.data.zero_()
    seen = look(estimator, colors)
    assert seen == {"corners": None, "top_middle": None, "_map": [0.0] * 25}


def test_crossing_by_hand():
    assert crossing([1, 100], [0, 1], 0.5) == pytest.approx(10)
    assert crossing([1, 10, 100], [0.2, 0.4, 0.8], 0.6) == pytest.approx(10 * math.sqrt(10))
    assert crossing([3, 10], [0.9, 1], 0.5) == 3
    assert math.isnan(crossing([1, 10], [0, 0.4], 0.5))
    assert crossing([3, 10], [0.9, 1], 0.5, from_start=0.0) == 0
    assert crossing([1, 10], [0, 0.4], 0.5, never=math.inf) == math.inf
    assert describe_spread([3.0, math.nan, 1.0, 2.0]) == "2 (1 to 3), 3 of 4"
    assert describe_spread([math.nan]) == "none of 1"


def test_crossings_go_by_seed_and_leave_out_what_is_not_known():
    rows = [
        {"seed": seed, "annotated": n, "top_middle": share}
        for seed, shares in {0: (0, 0, 1), 1: (0, None, 0.25)}.items()
        for n, share in zip((0, 1, 100), shares, strict=True)
    ]
    found = crossings(rows[::-1], "annotated", "top_middle", 0.5)
    assert found[0] == pytest.approx(10)
    assert math.isnan(found[1])


def test_transition_table_says_in_how_many_seeds():
    rows = [{"masks": "-", "strength": 0, "seed": 0, "top_middle": 0}]
    rows += [
        {"masks": "given", "strength": s, "seed": seed, "top_middle": share}
        for seed in range(2)
        for s, share in ((1, 0), (100, 1 - seed))
    ]
    table = transition_table(ToyStrength(), rows, "strength", ["masks"])
    assert table.rows == [("given", "10 (10 to 10), 1 of 2")]


def test_factor_of_data_by_hand():
    rows = []
    for method, accuracies in {"normal": (0.5, 0.5, 0.9), "pro-rule 1": (0.5, 0.9, 0.9)}.items():
        masks = "-" if method == "normal" else "given"
        for n, accuracy in zip((10, 100, 1000), accuracies, strict=True):
            row = {"rows": n, "method": method, "masks": masks, "seed": 0, "accuracy": accuracy}
            rows.append(row)
    table = ToySizes().tables(rows)[0]
    (row,) = table.rows
    assert row[table.columns.index("accuracy 0.8")] == "10 (10 to 10), 1 of 1; published 70.8"
    assert row[table.columns.index("accuracy 0.99")] == "none of 1; published 5.95"


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_cells_are_plain_and_distinct(study, scale):
    cells = study.cells(scale)
    for cell in cells:
        assert json.loads(json.dumps([cell.factors, cell.settings])) == [
            cell.factors,
            cell.settings,
        ]
    assert len({cell.key(study.name) for cell in cells}) == len(cells)
    seeds = [cell.factors["seed"] for cell in cells]
    assert seeds == sorted(seeds)
    assert len(cells) <= 20 or scale == "paper"


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_published_figures_find_a_cell(study):
    declared = [cell.factors for cell in study.cells("paper")]
    figures = [figure for figure in published_figures() if figure.study == study.name]
    assert figures
    for figure in figures:
        wanted = {k: v for k, v in figure.factors.items() if k not in ("turn", "level")}
        found = [f for f in declared if wanted.items() <= {k: str(v) for k, v in f.items()}.items()]
        assert found, figure
        assert figure.measure in ("accuracy", "data_factor", *RULES)


def made_up_rows(study, scale="paper"):
    """Return rows that each study could have."""
    rng = np.random.RandomState(0)
    for cell in study.cells(scale):
        share = float(rng.rand())
        row = {"accuracy": 0.5 + share / 2, "corners": 1 - share, "top_middle": share}
        row |= {"_map": rng.rand(25).tolist(), "test": "both rules hold", "seconds": 1.0}
        turns = (1, 2, 3) if cell.factors.get("model") == "find another" else (None,)
        for turn in turns:
            own = {"turn": turn, "strength": 1e3, "overlap": 0.1, "stopped_by": ""} if turn else {}
            yield {**cell.factors, **row, **own}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_tables_and_pictures_of_made_up_rows(study):
    rows = list(made_up_rows(study))
    tables = study.tables(rows)
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
    shown = sum(cell != "" for table in tables for row in table.rows for cell in row)
    assert shown > 20
    pytest.importorskip("matplotlib")
    ((name, figure),) = study.pictures(rows).items()
    assert name == study.name
    assert len(figure.axes) >= 2


def test_published_figures_stand_beside_ours():
    table = ToyRules().tables(list(made_up_rows(ToyRules())))[0]
    published = {row[:3]: row[table.columns.index("accuracy") + 1] for row in table.rows}
    assert published["neither", "given", ""] == "0.537"
    assert published["neither", "shuffled", ""] == ""
    assert published["find another", "published strengths", "3"] == "0.544"
    table = ToyAnnotations().tables(list(made_up_rows(ToyAnnotations())))[0]
    column = table.columns.index("corners") + 1
    published = {row[:3]: row[column] for row in table.rows}
    assert published["as one sum", "given", "91"] == "0.400"
    assert published["in every batch", "given", "91"] == ""


def test_the_search_by_our_rules_shows_the_model_it_ended_before():
    settings = describe_fit("quick", 1e3, max_epochs=4)
    factors = {"model": "find another", "masks": "raised strengths", "seed": 0}
    rows = ToyRules().run(factors, settings)
    assert [row["turn"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["overlap"] == 0
    # After so few epochs the second model is too weak; it is shown all the same.
    assert [row["stopped_by"] for row in rows] == ["", "min_accuracy"]
    assert rows[1]["accuracy"] < 0.9 * rows[0]["accuracy"]
    rows = [{**factors, **row} for row in rows]
    table = ToyRules().tables([{**rows[0], "model": "plain", "masks": "-", "turn": None}, *rows])[1]
    assert [row[-1] for row in table.rows] == ["", "min_accuracy"]


def _at(rows, **factors):
    (row,) = [row for row in rows if factors.items() <= row.items()]
    return row


@pytest.mark.slow
def test_the_rule_flips_at_quick_scale(tmp_path):
    rows = run_study(ToyRules(), "quick", folder=tmp_path, progress=False).rows
    plain = _at(rows, model="plain")
    assert plain["corners"] > 0.7  # measured .89
    flipped = _at(rows, model="not corners", masks="given")
    assert flipped["top_middle"] > 0.8  # measured .96
    assert flipped["accuracy"] > 0.95  # measured .996
    assert _at(rows, model="not top middle", masks="given")["corners"] > 0.8  # measured .98
    assert _at(rows, model="neither", masks="given")["accuracy"] < 0.65  # measured .51
    assert _at(rows, model="not the centre")["corners"] > 0.7  # measured .95
    second = _at(rows, model="find another", turn=2)
    assert second["top_middle"] > plain["top_middle"] + 0.2  # measured .54 and .07
    assert _at(rows, model="find another", turn=3)["strength"] == 1e6


@pytest.mark.slow
def test_more_penalty_and_more_masks_flip_the_rule_at_quick_scale(tmp_path):
    rows = run_study(ToyStrength(), "quick", folder=tmp_path, progress=False).rows
    shares = [row["top_middle"] for row in rows if row["masks"] == "given"][:3]
    assert shares[2] > shares[0] + 0.5  # measured .06, .10, .96
    rows = run_study(ToyAnnotations(), "quick", folder=tmp_path, progress=False).rows
    at_281 = {row["weighting"]: row["top_middle"] for row in rows if row["annotated"] == 281}
    # Measured .50, .78 and .93.
    assert at_281["as a mean"] > at_281["as one sum"] + 0.15


@pytest.mark.slow
def test_a_mask_saves_data_at_quick_scale(tmp_path):
    rows = run_study(ToySizes(), "quick", folder=tmp_path, progress=False).rows
    rows = [row for row in rows if row["rows"] == 181 and row["masks"] != "shuffled"]
    accuracy = {row["method"]: row["accuracy"] for row in rows}
    assert accuracy["pro-rule 1"] > accuracy["normal"] + 0.15  # measured .90 and .61
    assert accuracy["everything"] > accuracy["normal"] + 0.05  # measured .76: no mask is needed
