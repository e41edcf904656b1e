"""``skexplain study``, end to end: cells in a folder, tables on the terminal, files, and errors."""

import csv
import re
import sys

import pytest
from _toy_study import TITLE, Failing, Missing, Toy, Whole

from skexplain import _cli, studies
from skexplain.studies import (
    StudyResults,
    _all_studies,
    load_results,
    run_study,
)

COMMANDS = ["list", "run", "show", "plot", "report", "page"]


def run(*arguments):
    return _cli.main(["study", *map(str, arguments)])


def fails(capsys, *arguments):
    """Run a command that must end with status 1 and one line, which is returned."""
    assert run(*arguments) == 1
    text = capsys.readouterr().err
    assert text.startswith("skexplain: ")
    assert text.count("\n") == 1
    return text


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    """The toys are all studies that there are."""
    studies = {study.name: study for study in (Missing(), Failing(), Toy())}
    monkeypatch.setattr(_all_studies, "_studies", lambda: studies)
    return studies


@pytest.fixture
def folder(tmp_path, toys):
    """Results of the toy."""
    run_study(toys["toy"], folder=tmp_path / "store")
    return tmp_path / "store"


# Run and list


def test_run_stores_every_cell_and_ends_with_the_tables(tmp_path, toys, capsys):
    arguments = ["run", "toy", "--folder", tmp_path, "--n-jobs", 1]
    assert run(*arguments) == 0
    printed = capsys.readouterr()
    results = load_results("toy", folder=tmp_path)
    assert results.is_complete
    head = f"{TITLE}\nLaplace, Table 1 & 2\n4 of 4 cells, scale quick\n"
    tables = "\n\n".join(table.to_text() for table in results.tables())
    assert printed.out == f"{head}\n{tables}\n\n"
    # A log shows that the run is alive, too.
    assert printed.err.startswith("\rtoy:   0%|")
    assert "| 4/4 [" in printed.err
    assert run(*arguments, "--scale", "paper") == 0
    assert "6 of 6 cells, scale paper; 4 cells of another" in capsys.readouterr().out


def test_seeds_are_those_that_are_asked_for(folder, tmp_path, capsys):
    """Where cells are computed, and where they are read; and a page says how to get them."""
    stored = ["toy", "--seeds", 3, "--folder", folder]
    assert run("show", *stored) == 0
    assert "4 of 6 cells" in capsys.readouterr().out
    assert run("run", *stored, "--n-jobs", 1) == 0
    assert "6 of 6 cells" in capsys.readouterr().out
    assert run("page", *stored, "--output", tmp_path) == 0
    assert "skexplain study run toy --scale quick --seeds 3" in (tmp_path / "toy.md").read_text()
    assert run("list", "--seeds", 1, "--folder", folder) == 0
    assert "2 of 2" in capsys.readouterr().out
    text = fails(capsys, "show", "failing", "--seeds", 3, "--folder", folder)
    assert text.endswith("To compute it: skexplain study run failing --scale quick --seeds 3\n")
    with pytest.raises(SystemExit):
        run("show", "toy", "--seeds", 0)
    assert "--seeds: must be at least 1, got 0" in capsys.readouterr().err


def test_run_hands_its_options_on(tmp_path, toys, monkeypatch):
    given = []

    def record(*args, **kwargs):
        given.append((*args, kwargs))
        return StudyResults(toys["toy"], "paper", [], 0, 6)

    monkeypatch.setattr(studies, "run_study", record)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    arguments = ["--folder", tmp_path, "--n-jobs", 3, "--scheduler", "tcp://a:1"]
    assert run("run", "toy", "--scale", "paper", "--seeds", 7, *arguments) == 0
    options = {"n_seeds": 7, "n_jobs": 3, "scheduler": "tcp://a:1", "progress": True}
    assert given == [(toys["toy"], "paper", {"folder": str(tmp_path), **options})]


def test_a_terminal_is_shown_a_bar(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run("run", "toy", "--folder", tmp_path, "--n-jobs", 1) == 0
    assert re.search(r"toy: 100%\|.*\| 4/4 \[00:0\d<00:00", capsys.readouterr().err)


def test_all_goes_on_where_one_cannot_run_and_one_fails(tmp_path, capsys):
    assert run("run", "all", "--folder", tmp_path, "--n-jobs", 1) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{TITLE}\nLaplace, Table 1 & 2\n4 of 4 cells")
    assert "skexplain: missing cannot run: put coins into the purse\n" in printed.err
    assert "1 cell of 'failing' failed, all others are stored" in printed.err
    assert "RuntimeError: the coin rolled away" in printed.err
    assert load_results("failing", folder=tmp_path).n_done == 3


def test_ctrl_c_tells_what_is_stored_and_how_to_go_on(tmp_path, monkeypatch, capsys):
    def interrupt(self, factors, settings):
        if factors == {"coin": "fair", "seed": 1}:
            raise KeyboardInterrupt
        return Toy.run(self, factors, settings)

    monkeypatch.setattr(Failing, "run", interrupt)
    assert run("run", "failing", "toy", "--folder", tmp_path, "--n-jobs", 1) == 130
    assert capsys.readouterr().err.endswith(
        f"failing: 2 of 4 cells are stored in {tmp_path}\n"
        "The same command goes on from there.\ninterrupted\n"
    )
    monkeypatch.setattr(Failing, "run", Toy.run)
    assert run("run", "failing", "--folder", tmp_path, "--n-jobs", 1) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("\rfailing:  50%|")
    assert "4 of 4 cells" in printed.out


def test_list_tells_how_much_is_stored(folder, capsys):
    assert run("list", "--folder", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "stored", "source", "title"]
    assert re.fullmatch(rf"toy +4 of 4 +Laplace, Table 1 & 2 +{TITLE}", lines[-1])
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["missing", "0", "of", "4"],
        ["failing", "0", "of", "4"],
    ]
    assert run("list", "--folder", folder, "--scale", "paper") == 0
    assert re.search(r"toy +0 of 6 ", capsys.readouterr().out)


# What is stored


def test_show_prints_the_tables_and_saves_the_rows(folder, capsys):
    output = folder / "rows.csv"
    results = load_results("toy", folder=folder)
    assert run("show", "toy", "--folder", folder, "--output", output) == 0
    shown = capsys.readouterr().out
    assert all(table.to_text() in shown for table in results.tables())
    assert "incomplete" not in shown
    with open(output, encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    expected = [{name: str(value) for name, value in row.items()} for row in results.rows]
    assert written == expected
    assert run("show", "toy", "--folder", folder, "--format", "markdown") == 0
    shown = capsys.readouterr().out
    assert all(table.to_markdown() in shown for table in results.tables())


def test_show_says_what_is_not_there(tmp_path, capsys):
    arguments = ["--folder", tmp_path, "--n-jobs", 1]
    run("run", "failing", *arguments)
    capsys.readouterr()
    assert run("show", "failing", "--folder", tmp_path) == 0
    assert "incomplete: 3 of 4 cells, scale quick\n" in capsys.readouterr().out
    text = fails(capsys, "show", "failing", "--folder", tmp_path, "--scale", "paper")
    assert "nothing of 'failing' is stored in" in text
    assert "(3 cells of other kinds are)" in text
    assert text.endswith("skexplain study run failing --scale paper\n")


def test_tables_and_pictures_may_need_all_cells(tmp_path, toys, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(toys, "failing", type("Both", (Failing, Whole), {"name": "failing"})())
    run("run", "failing", "--folder", tmp_path, "--n-jobs", 1)
    capsys.readouterr()
    assert run("show", "failing", "--folder", tmp_path) == 0
    assert capsys.readouterr().out.endswith("\n\nThe tables need cells that are not stored yet.\n")
    arguments = ["--folder", tmp_path, "--output", tmp_path / "new"]
    assert "need cells that are not stored yet" in fails(capsys, "plot", "failing", *arguments)
    assert not (tmp_path / "new").exists()


def test_show_saves_parquet(folder):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    output = folder / "rows.parquet"
    assert run("show", "toy", "--folder", folder, "--output", output) == 0
    results = load_results("toy", folder=folder)
    pandas.testing.assert_frame_equal(pandas.read_parquet(output), results.to_frame())


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b'<?xml version="1.0"')]
)
def test_plot_writes_the_pictures(folder, ending, start, capsys):
    pytest.importorskip("matplotlib")
    output = folder / "pictures" / "of" / "toy"
    assert run("plot", "toy", "--folder", folder, "--output", output, "--format", ending) == 0
    paths = [output / f"{name}.{ending}" for name in ("toy", "toy-again")]
    assert capsys.readouterr().out.split() == list(map(str, paths))
    assert all(path.read_bytes().startswith(start) for path in paths)


@pytest.mark.parametrize("names", [[], ["toy"]], ids=["all", "named"])
def test_report_is_one_page_of_what_has_results(folder, names, capsys):
    pytest.importorskip("matplotlib")
    output = folder / "report.html"
    assert run("report", *names, "--folder", folder, "--output", output) == 0
    assert capsys.readouterr().out == f"{output}\n"
    text = output.read_text(encoding="utf-8")
    assert re.findall(r'<article id="([^"]*)"', text) == ["toy-quick"]
    assert "<code>skexplain study run toy --scale quick</code>" in text


def test_pages_keep_their_meaning(folder, capsys):
    pytest.importorskip("matplotlib")
    arguments = ["page", "toy", "--folder", folder, "--output", folder / "pages"]
    assert run(*arguments) == 0
    written = [folder / "pages" / name for name in ("toy.png", "toy-again.png", "toy.md")]
    assert capsys.readouterr().out.split() == list(map(str, written))
    page = written[-1]
    text = page.read_text(encoding="utf-8").replace("<!-- meaning -->", "<!-- meaning -->\nNone.")
    page.write_text(text, encoding="utf-8")
    assert run(*arguments) == 0
    assert page.read_text(encoding="utf-8") == text


# Errors


@pytest.mark.parametrize("command", COMMANDS[1:])
def test_an_unknown_name_lists_the_names(command, tmp_path, capsys):
    text = fails(capsys, command, "toi", "--folder", tmp_path)
    assert "study must be one of ['missing', 'failing', 'toy'], got 'toi'" in text


def test_an_unknown_name_keeps_all_from_running(tmp_path, capsys):
    fails(capsys, "run", "toy", "toi", "--folder", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_nothing_is_stored(tmp_path, capsys):
    text = fails(capsys, "report", "--folder", tmp_path, "--scale", "paper")
    assert f"nothing is stored in {tmp_path} at scale paper" in text
    assert "skexplain study run all --scale paper" in text
    text = fails(capsys, "report", "--folder", tmp_path, "--seeds", 3)
    assert text.endswith("To compute it: skexplain study run all --scale quick --seeds 3\n")


def test_folders_that_cannot_be_written(folder, capsys):
    file = folder / "file"
    file.touch()
    assert "--folder must be a folder that can" in fails(capsys, "run", "toy", "--folder", file)
    assert "file" in fails(capsys, "plot", "toy", "--folder", folder, "--output", file)
    assert "nowhere" in fails(
        capsys, "report", "--folder", folder, "--output", folder / "nowhere" / "report.html"
    )


def test_a_lack_of_extras_is_named(folder, monkeypatch, capsys):
    for missing in ("matplotlib", "pandas", "distributed"):
        monkeypatch.setitem(sys.modules, missing, None)
    arguments = ["--folder", folder, "--output"]
    assert "skexplain[plot]" in fails(capsys, "plot", "toy", *arguments, folder)
    assert "skexplain[plot]" in fails(capsys, "report", *arguments, folder / "report.html")
    assert "skexplain[plot]" in fails(capsys, "page", "toy", *arguments, folder)
    assert "skexplain[table]" in fails(capsys, "show", "toy", *arguments, folder / "rows.parquet")
    assert run("run", "toy", "--folder", folder / "new", "--scheduler", "tcp://a:1") == 1
    assert "skexplain[cluster]" in capsys.readouterr().err


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_can_be_parsed(command, capsys):
    with pytest.raises(SystemExit) as stop:
        run(command, "--help")
    assert stop.value.code == 0
    examples = capsys.readouterr().out.partition("\nexamples:\n")[2].splitlines()
    assert examples
    for example in examples:
        words = example.partition("  (")[0].split()
        assert words[0] == "skexplain"
        parsed = _cli._parser().parse_args(words[1:])
        assert parsed.run.__name__ == f"study_{command}"


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        _cli.main(["--help"])
    printed = capsys.readouterr().out
    for command in COMMANDS:
        assert f"skexplain study {command} " in printed


@pytest.mark.parametrize("arguments", [["run"], ["show"], ["plot", "toy", "--format", "gif"], []])
def test_bad_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    assert stop.value.code == 2
    assert "usage: skexplain study" in capsys.readouterr().err
