"""Faults that tools/mutations.py plants fit the code, and the tests that must find them exist."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("mutations", ROOT / "tools" / "mutations.py")
mutations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(mutations)


@pytest.mark.parametrize("number", range(len(mutations.MUTANTS)))
def test_a_mutant_fits_the_code(number):
    file, old, new, test = mutations.MUTANTS[number]
    assert old in (ROOT / "skexplain" / file).read_text(encoding="utf-8")
    assert old != new
    path, _, name = test.partition("::")
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    assert f"def {name.partition('[')[0]}" in text
