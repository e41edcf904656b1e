"""Check that every benchmark runs, and that its loops by hand do the work of the estimators."""

import copy
import importlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("needs the folder benchmarks/", allow_module_level=True)
sys.path.append(str(BENCHMARKS))  # scripts import one another

_benchmark = importlib.import_module("_benchmark")
_data = importlib.import_module("_data")
_loops = importlib.import_module("_loops")
_page = importlib.import_module("_page")
count_flops = importlib.import_module("_flops").count_flops
hops = importlib.import_module("hops")
METHODS = importlib.import_module("_methods").METHODS
run = importlib.import_module("run")
take_turns = importlib.import_module("_timing").take_turns

PAIRS = [(method, net) for method in _loops.LOOPS for net in METHODS[method].networks]

# -- the runner ------------------------------------------------------------------------------------


# Both start processes that import torch.
SLOW = ("memory", "search")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in run.NAMES]
)
def test_a_benchmark_runs(name, tmp_path):
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    run.main([name, "--quick", "--json", str(figures), "--output", str(page)])

    (entry,) = json.loads(figures.read_text())[name].values()
    assert entry["command"].startswith(f"python benchmarks/run.py {name}")
    assert entry["rows"]
    benchmark = importlib.import_module(name).BENCHMARK
    keys = {column.key for column in benchmark.columns}
    for row in entry["rows"]:
        assert set(row) - {"goal"} <= keys
        assert "note" in row or math.isfinite(row[benchmark.judged])
    assert f"## {benchmark.title}" in page.read_text()


def test_each_turn_begins_with_another():
    order = []
    contestants = {name: (lambda name=name: order.append(name)) for name in "abc"}
    times = take_turns(contestants, _benchmark.Options(repeats=3, warm_up=True))
    assert "".join(order) == "abc bca cab abc".replace(" ", "")
    assert [len(taken) for taken in times.values()] == [3, 3, 3]


def test_quick_figures_are_not_written_unless_asked_for(monkeypatch):
    def refuse(*args):
        raise AssertionError("written")

    monkeypatch.setattr(run, "merge", refuse)
    run.main(["predict", "--quick"])


def test_an_unknown_name_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["speed"])
    assert "no such benchmark: speed" in capsys.readouterr().err


# -- the page --------------------------------------------------------------------------------------

TOY = _benchmark.Benchmark(
    title="Toy",
    text="What is measured.",
    columns=(_benchmark.Column("case", "case"), _benchmark.Column("ratio", "ratio", ".2f")),
    judged="ratio",
    measure=None,
)
ENTRY = {
    "command": "python benchmarks/run.py toy",
    "machine": "A machine.",
    "rows": [
        {"case": "a", "ratio": 1.004, "goal": 1},
        {"case": "b", "ratio": 1.006, "goal": 1},
        {"case": "c", "ratio": 1.5},
    ],
}


def test_the_page_shows_goals_beside_figures(tmp_path):
    page = tmp_path / "page.md"
    _page.write_page(page, {"toy": TOY}, {"toy": {"cpu, 1": ENTRY}})
    text = page.read_text()
    assert "`python benchmarks/run.py toy`: A machine." in text
    assert "| a | 1.00 | ≤ 1, met |\n| b | 1.01 | ≤ 1, **missed** |\n| c | 1.50 |  |" in text


def test_what_is_written_by_hand_is_kept(tmp_path):
    page = tmp_path / "page.md"
    _page.write_page(page, {"toy": TOY}, {"toy": {}})
    marked = "<!-- meaning toy -->\n"
    by_hand = page.read_text().replace(marked, f"{marked}Case b waits for \\1.\n")
    page.write_text(by_hand)
    _page.write_page(page, {"toy": TOY}, {})  # also without figures
    assert page.read_text() == by_hand


def test_a_page_by_hand_is_not_overwritten(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Mine\n")
    with pytest.raises(ValueError, match="written by hand"):
        _page.write_page(page, {"toy": TOY}, {})


def test_a_benchmark_replaces_its_own_figures_alone(tmp_path):
    path = tmp_path / "figures.json"
    _page.merge(path, "a", "cpu, 1", {"rows": [1]})
    _page.merge(path, "a", "cuda, 1", {"rows": [2]})
    _page.merge(path, "b", "cpu, 1", {"rows": [3]})
    figures = _page.merge(path, "a", "cpu, 1", {"rows": [4]})
    assert figures == json.loads(path.read_text())
    assert figures == {
        "a": {"cpu, 1": {"rows": [4]}, "cuda, 1": {"rows": [2]}},
        "b": {"cpu, 1": {"rows": [3]}},
    }


# -- loops by hand ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("training_alone")
@pytest.mark.parametrize(("method", "network"), PAIRS)
def test_a_loop_does_the_work_of_the_estimator(method, network):
    data = _data.make_data(64, _data.SHAPES[network])
    model = _data.make_network(network)
    estimator = METHODS[method].prepare(model, "cpu", max_epochs=1)
    loop = _loops.make_loop(method, epochs=1)
    ours = count_flops(lambda: estimator.fit(data.X, data.y, mask=data.mask))
    by_hand = count_flops(lambda: loop.run(copy.deepcopy(model), *data.tensors("cpu")))
    # Less where the estimator computes no gradient of the inputs; more where the loop, which is for
    # one network, has the influence share the forward of the label loss.
    assert 0.85 < ours / by_hand < 1.15


#: Parameters by which an estimator computes the very numbers of the loop.
EXACT = {
    "ERM": {},
    "Grad-Reg": {},
    "IBP-Ex": {"clip": _data.RANGE, "epsilon_ramp": 0, "alpha_ramp": 0},
    "CDEP": {},
    "HINT, input gradient": {},
    "Grad-CAM": {},
    "influence": {},
    "two-stage": {"mapping_init": "identity"},
    "group DRO": {},
}


# Each method on each network, and the plain and the tuned loop of each in turn.
EXACT_PAIRS = [
    (*pair, number % 2 == 1)
    for number, pair in enumerate(pair for pair in PAIRS if pair[0] in EXACT)
]


@pytest.mark.parametrize(("method", "network", "tuned"), EXACT_PAIRS)
def test_a_loop_without_draws_gives_the_weights_of_the_estimator(method, network, tuned):
    torch.manual_seed(0)
    data = _data.make_data(30, _data.SHAPES[network])
    model = _data.make_network(network)
    epochs, batch_size = 3, len(data.X)  # one batch, so that the order of rows does not matter
    estimator = METHODS[method].prepare(model, "cpu", max_epochs=epochs, input_unit="input")
    estimator.set_params(batch_size=batch_size, **EXACT[method])
    estimator.fit(data.X, data.y, mask=data.mask)

    by_hand, mapping = copy.deepcopy(model), None
    loop = _loops.make_loop(method, epochs, batch_size=batch_size, tuned=tuned)
    if method == "two-stage":
        mapping = identity(model[-1].in_features)
        start = [*model.parameters(), *copy.deepcopy(mapping).parameters()]
        loop.run(by_hand, *data.tensors("cpu"), mapping=mapping)
        trained = [*by_hand.parameters(), *mapping.parameters()]
    else:
        start = model.parameters()
        loop.run(by_hand, *data.tensors("cpu"))
        trained = by_hand.parameters()

    start, trained, ours = map(flat, (start, trained, estimator.module_.parameters()))
    # A step of Adam is as long where the gradient is nothing but rounding.
    assert (ours - trained).norm() < 1e-2 * (trained - start).norm()


def identity(size):
    mapping = nn.Linear(size, size)
    nn.init.eye_(mapping.weight)
    nn.init.zeros_(mapping.bias)
    return mapping


def flat(parameters):
    return torch.cat([parameter.detach().flatten() for parameter in parameters])


@pytest.mark.parametrize("move", ["swap", "gaussian", "refill", "attack"])
def test_a_loop_moves_what_is_irrelevant(move):
    data = _data.make_data(50, (784,))
    X, y, a = data.tensors("cpu")
    index = torch.arange(20)
    moved = getattr(_loops, move)(_data.make_network("MLP"), X, y, a, index)
    changed = moved != X[index]
    np.testing.assert_array_less(changed.float(), a[index] + 0.5)  # nothing relevant
    assert changed.sum() > 0.9 * a[index].sum()


def test_the_attack_stays_in_its_box():
    X, y, a = _data.make_data(50, (784,)).tensors("cpu")
    index = torch.arange(50)
    low, high = _loops.box(X, a)
    moved = _loops.attack(_data.make_network("MLP"), X, y, a, index)
    assert ((low <= moved) & (moved <= high)).all()
    assert (high - low).max() <= 2 * _loops.EPSILON


def test_a_fit_builds_its_penalties_once():
    recorded = hops.walk("IBPExClassifier")
    assert recorded.n_penalties == 1
    names = {name for _, name in recorded.functions}
    assert {"BaseExplanationEstimator._fit", "_IBPEx._method", "Trainer.train"} <= names
    assert "Trainer._validate_epoch" not in names  # it ends at the first step
    assert len(hops.own_classes(hops.skexplain.IBPExClassifier)) == 4
    assert set(hops.estimators()) > {"ERMClassifier", "IBPExClassifier"}
