"""What every study must be: well declared, quick at its quick scale, with tables and pictures."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import skexplain_papers
from skexplain.studies import Study, get_study, list_studies, load_results, run_study
from skexplain.studies._runner import find_cells
from skexplain_papers import ours
from skexplain_papers._published import published_figures

STUDIES = list_studies()
_each_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


def test_studies_have_names_of_their_own():
    assert list(skexplain_papers.STUDIES) == STUDIES
    assert len({study.title for study in STUDIES}) == len(STUDIES)


@_each_study
def test_a_study_is_found_and_says_what_it_is(study):
    assert isinstance(study, Study)
    assert get_study(study.name) is study
    assert get_study(study) is study
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", study.name)
    assert study.title == study.title.strip() != ""
    assert "\n" not in study.title + study.source
    if study not in ours.STUDIES and any(f.study == study.name for f in published_figures()):
        assert study.source


@pytest.mark.parametrize("scale", ["quick", "paper"])
@_each_study
def test_cells_are_well_declared(study, scale):
    cells = study.cells(scale)
    assert cells
    keys = {cell.key(study.name) for cell in cells}
    assert len(keys) == len(cells)
    # Rows are told apart by the factors alone.
    factors = {json.dumps(cell.factors, sort_keys=True) for cell in cells}
    assert len(factors) == len(cells)
    for cell in cells:
        assert isinstance(cell.factors["seed"], int)
        assert all(isinstance(value, str | int | float) for value in cell.factors.values())
        json.dumps(cell.settings)  # plain values, radii of inf among them
    seeds = [cell.factors["seed"] for cell in cells]
    assert seeds == sorted(seeds)  # stopped at any time, there are pairs to compare
    if scale == "quick":
        assert len(cells) <= 80
        assert len(cells) <= len(study.cells("paper"))
    assert keys == {cell.key(study.name) for cell in study.cells(scale)}


@_each_study
def test_other_numbers_of_seeds_keep_the_cells_that_are_declared(study):
    """All else of a cell is the same in every repetition, so that its seed can be replaced."""
    cells = study.cells("paper")
    n_seeds = 1 + max(cell.factors["seed"] for cell in cells)
    of_first = {cell.with_seed(0).key(study.name) for cell in cells}
    more = find_cells(study, "paper", n_seeds)[1]
    assert {cell.key(study.name) for cell in cells} <= {cell.key(study.name) for cell in more}
    assert len(more) == n_seeds * len(of_first)
    assert {cell.key(study.name) for cell in find_cells(study, "paper", 1)[1]} == of_first


def test_keys_are_the_same_in_every_process():
    code = (
        "from skexplain.studies import list_studies\n"
        "for study in list_studies():\n"
        "    for scale in ('quick', 'paper'):\n"
        "        for cell in study.cells(scale): print(cell.key(study.name))"
    )
    command = [sys.executable, "-c", code]
    other = subprocess.run(
        command, env={"PYTHONHASHSEED": "17"}, capture_output=True, text=True, check=True
    )
    here = [
        cell.key(study.name)
        for study in STUDIES
        for scale in ("quick", "paper")
        for cell in study.cells(scale)
    ]
    assert other.stdout.split() == here


@_each_study
def test_nothing_is_loaded_where_nothing_is_stored(study, tmp_path):
    results = load_results(study.name, "paper", folder=tmp_path)
    assert (results.rows, results.n_done, results.n_others) == ([], 0, 0)
    assert not results.is_complete


ROWS = Path(__file__).parents[2] / "docs" / "results" / "rows"


def test_what_is_stored_is_found_under_its_keys():
    """A key that changes would leave the results of weeks out."""
    stored = {path.name.partition(".")[0] for path in ROWS.iterdir()}
    assert len(stored) == 32
    for name in stored:
        results = load_results(name, "paper", folder=ROWS)
        assert results.is_complete, name


def test_studies_with_stored_results_keep_their_defaults():
    stored = {path.name.partition(".")[0] for path in ROWS.iterdir()}
    package = {study.name for study in STUDIES if study.defaults == "package"}
    assert package.isdisjoint(stored - {"defaults"})  # that study is about the defaults


@pytest.mark.slow
def test_the_quick_scale_of_all_studies_from_end_to_end(tmp_path, capsys):
    """All in one, so that the time is that of all: ten minutes are the aim, on one core."""
    pytest.importorskip("matplotlib")
    seconds = {}
    for study in STUDIES:
        start = time.process_time()  # which other processes do not lengthen
        results = run_study(study, folder=tmp_path)
        assert results.is_complete
        assert results.rows
        tables = results.tables()
        assert tables
        for table in tables:
            assert table.rows, table.title
            for text in (table.to_text(), table.to_markdown(), table.to_html()):
                assert table.title.split("&")[0] in text
            assert all(len(row) == len(table.columns) for row in table.rows)
        pictures = results.pictures()
        assert pictures
        for name, figure in pictures.items():
            path = tmp_path / f"{name}.png"
            figure.savefig(path)
            assert path.stat().st_size > 5000
        results.save(tmp_path / f"{study.name}.csv")
        seconds[study.name] = time.process_time() - start
        with capsys.disabled():
            print(f"{seconds[study.name]:7.1f} s  {study.name}", flush=True)  # noqa: T201
    with capsys.disabled():
        print(f"{sum(seconds.values()):7.1f} s  in all")  # noqa: T201
