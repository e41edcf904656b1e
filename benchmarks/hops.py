"""How far a fit walks before its first step: functions, files, classes, penalties, lines.

For each estimator, the functions and files of the package that one `fit` enters before the first
step of the optimizer, its own classes in the order of method resolution, and how many penalties it
builds; then the lines of the three rooms that a fit walks through.

    python benchmarks/hops.py
    python benchmarks/hops.py --functions SwapExClassifier   # names what it enters
"""

import argparse
import inspect
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

import skexplain
from skexplain.penalties import InputGradientPenalty, Penalty

PACKAGE = Path(skexplain.__file__).parent
ROOMS = ("estimators", "training", "penalties")
PARAMETERS = {
    "ExplanationClassifier": {"penalties": [("grad", InputGradientPenalty())]},
    "HINTClassifier": {"attribution": "input_gradient"},
}


class _FirstStepError(Exception):
    """Ends a fit at its first step."""


class _StopAtStep(torch.optim.SGD):
    def step(self, closure=None):
        sys.setprofile(None)  # what ends a fit is no way to its first step
        raise _FirstStepError


class _Walk:
    """Records the functions of the package that are entered, for `sys.setprofile`."""

    def __init__(self):
        self.functions, self.n_penalties = set(), 0

    def __call__(self, frame, event, argument):
        """Note a call."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(str(PACKAGE)):
            return
        if code.co_name[0] != "<":  # comprehensions are lines of the function around them
            self.functions.add((code.co_filename, code.co_qualname))
        owner = frame.f_locals.get("self") if code.co_name == "__init__" else None
        self.n_penalties += isinstance(owner, Penalty)


def walk(name):
    """Fit an estimator up to its first step; returns what was entered on the way."""
    cls = getattr(skexplain, name)
    rng = np.random.default_rng(0)
    image = name.startswith("GradCAM")
    X = rng.normal(size=(32, 1, 8, 8) if image else (32, 4))
    mask = np.zeros((1, *X.shape[1:]), dtype=bool)
    mask[..., -1] = True
    y = np.arange(32) % 2
    if name.startswith("ConceptGradReg"):
        units = np.array([[True, False, False, False]])
        mask, parameters = units, {"module": _bottleneck(name), "layer": "0"}
    else:
        parameters = PARAMETERS.get(name, {})
    estimator = cls(**{"optimizer": _StopAtStep, "lr": 1.0, "random_state": 0, **parameters})
    recorded = _Walk()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.setprofile(recorded)
        try:
            estimator.fit(X, y, mask=mask)
        except _FirstStepError:
            pass
        finally:
            sys.setprofile(None)
    return recorded


def _bottleneck(name):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 4), torch.nn.Linear(4, 1 if name.endswith("Regressor") else 2)
    )


def own_classes(cls):
    """Classes of the package in the order of method resolution."""
    return [base.__name__ for base in cls.__mro__ if base.__module__.startswith("skexplain")]


def estimators():
    """Names of the estimators that train a network themselves."""
    return [
        name
        for name in skexplain.__all__
        if inspect.isclass(cls := getattr(skexplain, name)) and "module" in _parameters(cls)
    ]


def _parameters(cls):
    return inspect.signature(cls).parameters


def main():
    """Print the table, or the functions that one estimator enters."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", metavar="ESTIMATOR", help="list what this one enters")
    chosen = parser.parse_args().functions
    if chosen:
        for file, function in sorted(walk(chosen).functions):
            print(Path(file).relative_to(PACKAGE), function)
        return
    print(f"{'estimator':34}{'functions':>10}{'files':>7}{'classes':>9}{'penalties':>11}")
    for name in estimators():
        recorded = walk(name)
        n_files = len({file for file, _ in recorded.functions})
        n_classes = len(own_classes(getattr(skexplain, name)))
        counts = (len(recorded.functions), n_files, n_classes, recorded.n_penalties)
        print(f"{name:34}{counts[0]:10}{counts[1]:7}{counts[2]:9}{counts[3]:11}")
    for room in ROOMS:
        files = sorted((PACKAGE / room).glob("*.py"))
        n_lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
        print(f"{room}: {n_lines} lines in {len(files)} files")


if __name__ == "__main__":
    main()
