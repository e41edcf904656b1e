"""Editors and type checkers see every parameter: misspelt names and wrong types are found."""

import importlib.util
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skexplain
from skexplain.estimators._parameters import PREFIXES

TOOLS = Path(__file__).parents[1] / "tools"
INSTALLED = Path(skexplain.__file__).parents[1]

# Lines that end in "# wrong" have a mistake that a type checker must find; all others have none.
PROGRAM = """\
from typing import Any

import numpy as np
import torch
from torch import nn

import skexplain
from skexplain import ERMRegressor, GradRegClassifier, MaskPropagator, SwapExClassifier
from skexplain import WithPropagatedMasks, WithTokenizer, WordTokenizer
from skexplain.estimators import ExplanationClassifier, FindAnotherExplanationClassifier
from skexplain.masks import interpret_mask, mask_from_boxes, union_masks
from skexplain.metrics import accuracy_after_swap, worst_group_accuracy
from skexplain.model_selection import SubsampleSplit, swap_accuracy_scorer
from skexplain.propagation import Interval, propagate_interval

X, y = np.ones((4, 2)), np.array([0, 1, 0, 1])
mask = np.array([[False, True]])

clf = SwapExClassifier(alpha=0.5, max_epochs=3, lr=0.01, random_state=0)
clf = SwapExClassifier(nn.Linear, module__in_features=2, module__out_features=2)
clf = SwapExClassifier("auto", optimizer=torch.optim.SGD, optimizer__momentum=0.9)
clf = SwapExClassifier(module__width=8, optimizer__weight_decay=0.1, callbacks__print_log=None)
clf = SwapExClassifier(batch_size=-1, device=torch.device("cpu"), class_weight="balanced")
clf = clf.fit(X, y, mask=mask, sample_weight=[1, 2, 1, 2])
clf = clf.fit(X, y, mask=[None, [True, False], None, [False, True]]).set_params(alpha=1)
clf = clf.partial_fit(X, y, [0, 1], mask=mask).set_fit_request(mask=True)
probabilities: np.ndarray = clf.predict_proba(X)
score: float = clf.score(X, y)
alpha: float = clf.alpha_
network: nn.Module = clf.module_
classes: np.ndarray = clf.classes_
of_any_network: dict[str, Any] = {"module__n_blocks": 3}
SwapExClassifier(nn.Linear, **of_any_network).set_params(module__n_blocks=3)
FindAnotherExplanationClassifier(GradRegClassifier(alpha=10)).fit(X, y)
WithPropagatedMasks(SwapExClassifier(), MaskPropagator(threshold=None)).fit(X, y, mask=mask)
texts = WithTokenizer(SwapExClassifier(), WordTokenizer(min_count=2), max_length=64)
texts = texts.fit(["a b", "c"], y, mask=[[(0, 1), "b"], None]).fit(["a"], y, mask=[["a"]])
of_texts: np.ndarray = texts.predict(["a"])
vocabulary: dict[str, int] = WordTokenizer().fit(["a"]).vocabulary_

SwapExClassifier(alhpa=3)  # wrong
SwapExClassifier(max_epoch=3)  # wrong
skexplain.SwapExClassifier(learning_rate=0.1)  # wrong
SwapExClassifier(lr="fast")  # wrong
SwapExClassifier(alpha="yes")  # wrong
SwapExClassifier(max_epochs=2.5)  # wrong
SwapExClassifier(mask_marks="irelevant")  # wrong
SwapExClassifier(module__widht=8)  # wrong
SwapExClassifier(optimizer__weight_decay="big")  # wrong
SwapExClassifier(iterator_train__shuffle=True)  # wrong
ERMRegressor(class_weight="balanced")  # wrong
GradRegClassifier(norm="l3")  # wrong
ExplanationClassifier(penalties="swap")  # wrong
SubsampleSplit(10, class_ratios=0.1)  # wrong
clf.fit(X, y, masks=mask)  # wrong
clf.fit(X, y, mask)  # wrong
WithPropagatedMasks(clf, MaskPropagator(), min_io=0.5)  # wrong
WithTokenizer(clf, max_lenght=64)  # wrong
WithTokenizer(clf, max_length="long")  # wrong
FindAnotherExplanationClassifier(n_explanations="five")  # wrong

boxes = mask_from_boxes([[(0, 0, 1, 1)], None], (2, 2), box_format="xywh", missing="empty")
union_masks(mask, [[0.5, 1.0]])
interpret_mask(mask, X.shape).has_irrelevant.any()
worst: float = worst_group_accuracy(y, y, ["a", "a", "b", "b"])
swapped: float = accuracy_after_swap(clf, X, y, mask, random_state=0)
swap_accuracy_scorer(mask=mask)(clf, X, y)
lower: torch.Tensor = propagate_interval(nn.Linear(2, 2), torch.ones(1, 2), torch.ones(1)).lower
shifted = 2 * Interval(torch.ones(1, 2), torch.ones(1, 2)) + 1

mask_from_boxes([[(0, 0, 1, 1)]], (2, 2), box_format="yolo")  # wrong
mask_from_boxes([[(0, 0, 1, 1)]], size=(2, 2))  # wrong
interpret_mask(mask, X.shape, marks="relevnat")  # wrong
worst_group_accuracy(y, y, groups=["a", "a", "b", "b"])  # wrong
accuracy_after_swap(clf, X, y, mask, n_repeats="5")  # wrong
swap_accuracy_scorer(masks=mask)  # wrong
"""
WRONG = {i for i, line in enumerate(PROGRAM.splitlines(), start=1) if line.endswith("# wrong")}


def needs(package):
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"{package} comes with the extra types")


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


@pytest.fixture
def stubs(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS)
    yield importlib.import_module("make_stubs")
    del sys.modules["make_stubs"]


def test_the_stub_is_up_to_date(stubs):
    assert stubs.STUB.read_text(encoding="utf-8") == stubs.stub(), "run tools/make_stubs.py"


def test_every_prefix_has_names(stubs):
    assert set(stubs.PREFIXED) == set(PREFIXES)


@needs("mypy")
@pytest.mark.slow
def test_mypy_finds_mistakes_and_nothing_else(program, tmp_path):
    # mypy does not follow the import hook of an editable installation.
    path = {} if INSTALLED.name == "site-packages" else {"MYPYPATH": str(INSTALLED)}
    options = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", tmp_path, program],
        env={**os.environ, **path},
        capture_output=True,
        text=True,
    )
    lines = [line.split(":", 3) for line in run.stdout.splitlines() if ": error: " in line]
    assert run.returncode == 1, run.stderr
    assert {int(number) for _, number, *_ in lines} == WRONG, run.stdout


@needs("pyright")
def test_pyright_finds_mistakes_and_nothing_else(program):
    (program.parent / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(INSTALLED)]}))
    command = [sys.executable, "-m", "pyright"]
    if subprocess.run([*command, "--version"], capture_output=True).returncode:
        pytest.skip("pyright needs node, or a download of it")
    run = subprocess.run(
        [*command, "--outputjson", "--pythonpath", sys.executable, program],
        cwd=program.parent,
        capture_output=True,
        text=True,
    )
    found = json.loads(run.stdout)["generalDiagnostics"]
    assert {d["range"]["start"]["line"] + 1 for d in found if d["severity"] == "error"} == WRONG


@needs("jedi")
@pytest.mark.parametrize("name", skexplain.__all__)
def test_editors_complete_every_parameter(name, tmp_path):
    import jedi

    project = jedi.Project(tmp_path, added_sys_path=[str(INSTALLED)])
    script = jedi.Script(
        f"from skexplain import {name}\n{name}(",
        project=project,
        environment=jedi.InterpreterEnvironment(),
    )
    (signature,) = script.get_signatures()
    shown = [parameter.name for parameter in signature.params]
    expected = inspect.signature(getattr(skexplain, name)).parameters
    assert [name for name in shown if name != "prefixed"] == list(expected)
    if name in skexplain.__all__[::5]:  # a completion follows from the signature, and takes long
        completed = {completion.name for completion in script.complete()}
        named = [p.name for p in expected.values() if p.kind is not p.VAR_KEYWORD]
        assert {f"{parameter}=" for parameter in named} <= completed
