"""Objects in declarations: equal keys where results are equal, other keys where they may differ."""

import functools
import importlib.util
import json
import linecache
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skexplain import GradRegClassifier, SwapExClassifier
from skexplain.penalties import InputGradientPenalty
from skexplain.studies import Cell, Task, TestRows, TrialStudy, load_results, run_study
from skexplain.studies._describe import describe
from skexplain.studies.tools import make_estimator, run_trial


def key(value):
    return Cell({"seed": 0}, {"params": {"thing": value}}).key("s")


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.width = width
        self.linear = nn.Linear(width, 2)

    def forward(self, X):
        return self.linear(X)


class Penalty(InputGradientPenalty):
    """A penalty of one's own."""


class Shift:
    """A perturbation of one's own, of no known kind."""

    def __init__(self, size):
        self.size = size

    def move(self, X):
        return X + self.size


@dataclass
class Settings:
    values: list


def seeded(width):
    torch.manual_seed(0)
    return Net(width)


def without_bias(width):
    network = seeded(width)
    nn.init.zeros_(network.linear.bias)
    return network


def scale(X, factor=2.0):
    return factor * X


def scaled_by(factor):
    return lambda X: factor * X


# Each makes an object; the second differs from the first in one point.
PAIRS = {
    "estimator": (lambda: SwapExClassifier(alpha=1.0), lambda: SwapExClassifier(alpha=2.0)),
    "keyword": (
        lambda: SwapExClassifier(optimizer__weight_decay=0.1),
        lambda: SwapExClassifier(optimizer__weight_decay=0.2),
    ),
    "class": (lambda: SwapExClassifier, lambda: GradRegClassifier),
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression(C=1.0)),
        lambda: make_pipeline(StandardScaler(), LogisticRegression(C=2.0)),
    ),
    "penalty": (lambda: Penalty(norm="l1"), lambda: Penalty(norm="l2")),
    "network class": (lambda: Net, lambda: nn.Linear),
    "network": (lambda: seeded(3), lambda: seeded(4)),
    "weights": (lambda: seeded(3), lambda: without_bias(3)),
    "partial": (lambda: functools.partial(Net, 3), lambda: functools.partial(Net, width=3)),
    "object": (lambda: Shift(3), lambda: Shift(4)),
    "dataclass": (lambda: Settings([1, 2]), lambda: Settings([1, 3])),
    "array": (lambda: np.arange(3), lambda: np.arange(3.0)),
    "tensor": (lambda: torch.arange(3), lambda: torch.arange(4)),
    "bfloat16": (lambda: torch.ones(2, dtype=torch.bfloat16), lambda: torch.ones(2)),
    "function": (lambda: scale, lambda: scaled_by),
    "closure": (lambda: scaled_by(2), lambda: scaled_by(3)),
    "method": (lambda: Shift(2).move, lambda: Shift(3).move),
    "number": (lambda: np.int64(3), lambda: 4),
}


@pytest.mark.parametrize("name", PAIRS)
def test_equal_objects_have_equal_keys_and_others_have_others(name):
    make, make_other = PAIRS[name]
    assert key(make()) == key(make())
    assert key(make()) != key(make_other())
    json.dumps(describe(make(), "thing"))


def test_plain_values_describe_themselves():
    plain = {"a": [1, 0.5, float("inf"), None, True, "x"], "b": {"c": []}}
    assert describe(plain, "settings") == plain
    assert key(np.float32(0.5)) == key(0.5)


def test_keys_are_the_same_in_every_process():
    code = "import test_describe as t\nfor make, _ in t.PAIRS.values(): print(t.key(make()))\n"
    command = [sys.executable, "-W", "ignore", "-c", code]
    folder = __file__.rpartition("/")[0]
    environment = {"PYTHONHASHSEED": "17", "PYTHONPATH": folder}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    here = importlib.util.spec_from_file_location("test_describe", __file__)
    module = importlib.util.module_from_spec(here)
    sys.modules["test_describe"] = module  # under the name that it has over there
    here.loader.exec_module(module)
    assert found.stdout.split() == [module.key(make()) for make, _ in module.PAIRS.values()]
    del sys.modules["test_describe"]


BASE = "from torch import nn\nclass Base(nn.Module):\n    width = {width}\n"
OWN = "from base_of_own import Base\nclass Own(Base):\n    def forward(self, X): return {}\n"


def test_edited_sources_give_another_key(tmp_path, monkeypatch):
    """That of the class, and that of what it is derived from."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def key_of(returned, width):
        (tmp_path / "base_of_own.py").write_text(BASE.format(width=width))
        (tmp_path / "own.py").write_text(OWN.format(returned))
        for name in ("own", "base_of_own"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.checkcache()
        own = importlib.import_module("own")
        return key(own.Own), key(own.Own())

    first = key_of("X", 1)
    assert key_of("X", 1) == first
    assert not set(first) & set(key_of("X + 1", 1))
    assert not set(first) & set(key_of("X", 2))


class Slotted:
    __slots__ = ("a",)


UNKNOWN = {
    "generator": (np.random.default_rng(0), "params['thing']"),
    "slots": (Slotted(), "params['thing']"),
    "set": ({1, 2}, "params['thing']"),
    "in a list": ([1, np.random.RandomState(0)], "params['thing'][1]"),
    "of an estimator": (
        SwapExClassifier(random_state=np.random.RandomState(0)),
        "params['thing'].random_state",
    ),
    "of an object": (Shift(object()), "params['thing'].size"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_described_is_named(name):
    value, place = UNKNOWN[name]
    with pytest.raises(TypeError, match=re.escape(f"settings[{place[:6]!r}]{place[6:]} must be")):
        key(value)


def test_a_class_without_source_says_what_to_do():
    own = {"__name__": "nowhere"}
    exec("class Own:\n    pass", own)
    with pytest.raises(TypeError, match=r"thing'\] must be a .*nowhere:Own.* Define it in a file"):
        key(own["Own"])


@pytest.mark.parametrize("value", [Net, [1], np.int64(1)])
def test_factors_are_plain(value):
    with pytest.raises(TypeError, match=r"factors\['size'\] must be a number or a string, got"):
        Cell({"size": value, "seed": 0}).key("s")


class Own(GradRegClassifier):
    """An estimator of one's own."""


class Trials(TrialStudy):
    """Own estimators by class and by instance, an own network, an own penalty with a grid."""

    name = "own"
    title = "Own"
    panels = ("test",)
    strength = 2.0

    @property
    def methods(self):
        own = SwapExClassifier(alpha=self.strength, max_epochs=2, batch_size=7)
        pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        return {
            "label-only": {"estimator": pipeline, "without_masks": True},
            "class": {"estimator": Own, "params": {"max_epochs": 1}, "module": Net},
            "penalty": {
                "estimator": "ExplanationClassifier",
                "params": {"penalties": [("own", Penalty())], "max_epochs": 1},
                "grid": {"own__norm": ["l1", "l2"]},
            },
            "instance": {
                "estimator": own,
                "module": functools.partial(Net, width=3),
                "controls": ("off", "shuffled"),
                "off": {"alpha": 0.0},
            },
        }

    def trials(self, scale):
        yield {}, list(self.methods), range(2), {}

    def task(self, factors, settings):
        rng = np.random.RandomState(factors["seed"])
        X = rng.normal(size=(30, 3)).astype(np.float32)
        y = (X[:, 0] > 0).astype(int)
        mask = np.zeros((30, 3), dtype=bool)
        mask[:15, 1] = mask[15:, 2] = True
        return Task(X, y, mask, {"clean": TestRows(X, y)})


def test_a_study_of_ones_own_objects_is_stored_and_found(tmp_path):
    results = run_study(Trials(), folder=tmp_path)
    assert results.is_complete
    assert len(results.rows) == 2 * 6
    assert {row["chosen"] for row in results.rows} - {""} <= {"own__norm=l1", "own__norm=l2"}
    assert load_results(Trials(), folder=tmp_path).rows == results.rows
    other = Trials()
    other.strength = 3.0
    changed = load_results(other, folder=tmp_path)
    assert (changed.n_done, changed.n_others) == (6, 6)  # those of the instance


def test_an_instance_keeps_its_parameters_and_is_seeded():
    estimator = make_estimator(Trials().methods["instance"], 5)
    assert (estimator.alpha, estimator.batch_size, estimator.random_state) == (2.0, 7, 5)
    assert estimator.module.func is Net
    pipeline = make_estimator(Trials().methods["label-only"], 5)
    assert pipeline[-1].random_state == 5


def test_masks_reach_the_last_part_of_a_pipeline():
    task = Trials().task({"seed": 0}, {})
    plain = SwapExClassifier(max_epochs=1)
    pipeline = make_pipeline(StandardScaler(), plain)
    of_pipeline = run_trial(task, {"estimator": pipeline}, "given", 0)[1]
    X = StandardScaler().fit_transform(task.X)
    alone = clone(plain).set_params(random_state=0).fit(X, task.y, mask=task.mask)
    np.testing.assert_array_equal(of_pipeline.predict_proba(task.X), alone.predict_proba(X))


def test_masks_must_be_taken():
    task = Trials().task({"seed": 0}, {})
    method = {"estimator": LogisticRegression()}
    with pytest.raises(ValueError, match="masks='given' must go to an estimator whose fit takes"):
        run_trial(task, method, "given", 0)
    assert run_trial(task, method, "-", 0)[0][0]["accuracy"] > 0.5
