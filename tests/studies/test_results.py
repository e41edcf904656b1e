"""Rows come back from CSV, Parquet and a DataFrame as they were; pictures name what they show."""

import csv
import sys

import pytest

from skexplain.studies import StudyResults
from skexplain.studies._pictures import panel_title

ROWS = [
    {"size": 50, "method": "a, b", "accuracy": 0.1 + 0.2, "chosen": "", "_predicted": "01"},
    {"size": 100, "method": "ü", "accuracy": None, "chosen": 'alpha="auto"', "alpha": 1.0},
    {"size": 100, "method": "c", "accuracy": 1e-300, "chosen": "", "alpha": "auto"},
]
COLUMNS = ["size", "method", "accuracy", "chosen", "alpha"]


@pytest.fixture
def results():
    return StudyResults(None, "quick", ROWS, 3, 4)


def test_columns_are_those_of_all_rows_but_the_hidden(results):
    assert results.columns == COLUMNS
    assert not results.is_complete
    assert StudyResults(None, "quick", ROWS, 4, 4).is_complete


def test_csv_comes_back(results, tmp_path):
    results.save(tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == COLUMNS
    for row, expected in zip(found, ROWS, strict=True):
        texts = {name: expected.get(name) for name in COLUMNS}
        assert row == {name: "" if v is None else str(v) for name, v in texts.items()}
    assert float(found[0]["accuracy"]) == 0.1 + 0.2


def test_frame_has_the_rows(results):
    pandas = pytest.importorskip("pandas")
    frame = results.to_frame()
    assert list(frame.columns) == COLUMNS
    assert frame["size"].tolist() == [50, 100, 100]
    assert frame["accuracy"].iloc[0] == 0.1 + 0.2
    assert pandas.isna(frame["accuracy"].iloc[1])
    assert frame["alpha"].iloc[1:].tolist() == [1.0, "auto"]


def test_parquet_comes_back_with_mixed_columns_as_text(results, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    results.save(tmp_path / "rows.parquet")
    found = pandas.read_parquet(tmp_path / "rows.parquet")
    assert list(found.columns) == COLUMNS
    assert found["size"].tolist() == [50, 100, 100]
    assert found["method"].tolist() == ["a, b", "ü", "c"]
    assert found["accuracy"].iloc[[0, 2]].tolist() == [0.1 + 0.2, 1e-300]
    assert pandas.isna(found["accuracy"].iloc[1])
    assert found["alpha"].iloc[1:].tolist() == ["1.0", "auto"]
    assert pandas.isna(found["alpha"].iloc[0])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_no_rows_are_a_file_without_rows(tmp_path, ending):
    pandas = pytest.importorskip("pandas")
    empty = StudyResults(None, "quick", [], 0, 4)
    path = tmp_path / f"rows.{ending}"
    empty.save(path)
    assert path.exists()
    assert len(empty.to_frame()) == 0
    if ending == "parquet":
        assert len(pandas.read_parquet(path)) == 0


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_without_pandas_or_pyarrow_the_error_names_the_extra(
    results, tmp_path, monkeypatch, missing
):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"skexplain\[table\]"):
        results.save(tmp_path / "rows.parquet")
    if missing == "pandas":
        with pytest.raises(ImportError, match=r"a DataFrame needs pandas: .*skexplain\[table\]"):
            results.to_frame()
    results.save(tmp_path / "rows.csv")  # which needs none


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", ".csv"])
def test_other_endings_are_refused(results, tmp_path, name):
    with pytest.raises(ValueError, match=r"path must end with \.csv or \.parquet, got '.*'"):
        results.save(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_title_of_a_panel_names_its_numbers():
    title = panel_title({"dataset": "digits", "alpha": 1e3, "rows": 50, "masks": None})
    assert title == "digits, alpha 1000, rows 50"
