"""Published figures are where they belong."""

import csv
import math
from importlib.resources import files

import pytest

from skexplain.studies import get_study, list_studies
from skexplain_papers import _published as module
from skexplain_papers._published import Published, published_figures

FIGURES = published_figures()


def test_every_line_is_read():
    text = files("skexplain_papers").joinpath("published.csv").read_text(encoding="utf-8")
    lines = list(csv.reader(text.splitlines()))
    assert lines[0] == ["study", "source", "factors", "measure", "value", "spread"]
    assert all(len(line) == 6 for line in lines)
    assert len(FIGURES) == len(lines) - 1


@pytest.mark.parametrize("name", sorted({figure.study for figure in FIGURES}))
def test_figures_of_a_study_are_well_formed(name):
    study = get_study(name)
    own = [figure for figure in FIGURES if figure.study == name]
    for figure in own:
        assert figure.source
        assert figure.measure
        assert figure.factors
        assert math.isfinite(figure.value)
        assert figure.spread is None or figure.spread >= 0
        texts = [figure.source, figure.measure, *figure.factors, *figure.factors.values()]
        assert all(text == text.strip() != "" for text in texts)
    keys = [(f.measure, tuple(sorted(f.factors.items()))) for f in own]
    assert len(set(keys)) == len(keys), {key for key in keys if keys.count(key) > 1}
    # A factor that cells have has a value that a cell has; others are columns of rows and tables.
    columns = {}
    for cell in study.cells("paper"):
        for factor, value in cell.factors.items():
            columns.setdefault(factor, set()).add(str(value))
    unknown = {
        (factor, value)
        for figure in own
        for factor, value in figure.factors.items()
        if factor in columns and value not in columns[factor]
    }
    assert not unknown


def test_a_line_becomes_a_figure():
    line = {
        "study": "s",
        "source": "Some & Body, Table 1",
        "factors": "dataset=a;rule=x=y",
        "measure": "accuracy",
        "value": ".5",
        "spread": "",
    }
    factors = {"dataset": "a", "rule": "x=y"}
    expected = Published("Some & Body, Table 1", factors, "accuracy", 0.5, None, "s")
    assert module._read(line) == expected
    assert module._read({**line, "factors": "", "spread": "0.1"}).factors == {}


def test_every_study_of_a_paper_has_figures():
    with_figures = {figure.study for figure in FIGURES}
    assert with_figures <= {study.name for study in list_studies()}
