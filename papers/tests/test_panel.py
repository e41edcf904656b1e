"""The benchmark of the defaults runs the study of that name."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
panel = importlib.import_module("panel")


@pytest.mark.slow
def test_the_panel_runs_goes_on_and_shows_what_is_stored(tmp_path, capsys):
    arguments = ["--quick", "--folder", str(tmp_path)]
    assert panel.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Do the defaults hold?" in printed
    assert panel.main([*arguments, "--show"]) == 0
    assert capsys.readouterr().out == printed


def test_a_failed_cell_of_the_panel_costs_itself_alone(tmp_path, capsys, monkeypatch):
    def fail(*args, **kwargs):
        raise panel.StudyError("1 cell of 'defaults' failed, all others are stored.")

    monkeypatch.setattr(panel, "run_study", fail)
    assert panel.main(["--quick", "--folder", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("0 of ")
    assert "1 cell of 'defaults' failed" in err
