"""``skexplain --help`` and ``--version`` answer at once: what they import, in a process alone."""

import subprocess
import sys

import pytest

import skexplain
from skexplain import studies
from skexplain._cli import _compare, _study_options
from skexplain.studies._study import SCALES

HEAVY = {"joblib", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "skorch", "torch"}

START = """\
import argparse, sys
from skexplain._cli import _parser, main


def commands(parser, words=()):
    yield words
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield from commands(child, (*words, word))


for arguments in [["--version"], *([*words, "--help"] for words in commands(_parser()))]:
    try:
        main(arguments)
    except SystemExit as stop:
        assert not stop.code, arguments
heavy = HEAVY & set(sys.modules)
assert not heavy, heavy
assert not [name for name in sys.modules if name.startswith("skexplain.studies")]
"""


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_help_and_version_import_nothing_heavy():
    done = run_python(f"HEAVY = {HEAVY}\n{START}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"skexplain {skexplain.__version__}\n")
    assert done.stdout.count("usage: skexplain") == 16  # 13 commands, two groups of them, and all


def test_names_in_the_help_are_those_of_the_studies():
    assert list(_compare.DATASETS) == list(studies.DATASETS)
    assert list(_compare.ESTIMATORS) == list(studies.ESTIMATORS)
    assert _study_options.SCALES == SCALES


def test_names_of_the_package_are_imported_when_they_are_needed():
    code = (
        "import sys, skexplain\n"
        "assert 'torch' not in sys.modules\n"
        "assert skexplain.masks.invert_mask and skexplain.SwapExClassifier\n"
        "names = {}\n"
        "exec('from skexplain import *', names)\n"
        "assert set(skexplain.estimators.__all__) <= set(names)\n"
        "assert {'masks', 'SwapExClassifier', '__version__'} <= set(dir(skexplain))\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="module 'skexplain' has no attribute 'SwapEx'"):
        skexplain.SwapEx  # noqa: B018
