"""The comparison: what each cell is given, how it is summed up, and what the command does."""

import csv
import math
import sys
import warnings

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from skexplain import ERMClassifier, SwapExClassifier, _cli
from skexplain.datasets import make_decoy_digits
from skexplain.exceptions import ShortcutInUseWarning
from skexplain.studies import (
    DATASETS,
    ESTIMATORS,
    compare,
    format_table,
    plot_comparison,
    summarise,
)
from skexplain.studies._controls import shuffle_masks


class Recorder(ERMClassifier):
    calls: list = []

    def fit(self, X, y, *, mask=None, sample_weight=None):
        Recorder.calls.append((X, y, mask))
        return super().fit(X, y, mask=mask)


def test_every_cell_is_given_what_its_name_says(monkeypatch):
    monkeypatch.setitem(ESTIMATORS, "erm", {"estimator": Recorder})
    monkeypatch.setitem(ESTIMATORS, "recorder", {"estimator": Recorder})
    Recorder.calls.clear()
    rows = compare(["decoy-half"], ["recorder"], seeds=[7], max_epochs=1)
    digits = make_decoy_digits("half", flatten=True, random_state=7)
    kinds = [(row["estimator"], row["masks"]) for row in rows]
    assert kinds == [
        ("erm", "-"),
        ("erm", "no shortcut"),
        ("recorder", "given"),
        ("recorder", "shuffled"),
    ]
    given, without, masked, shuffled = Recorder.calls
    for X, y, _ in (given, masked, shuffled):
        np.testing.assert_array_equal(X, digits.data)
        np.testing.assert_array_equal(y, digits.target)
    np.testing.assert_array_equal(without[0], digits.data_random)
    np.testing.assert_array_equal(masked[2], digits.mask)
    # Shuffled as in every study: the same masks in another order, none at its own place.
    np.testing.assert_array_equal(shuffled[2], shuffle_masks(digits.mask, 7))
    assert sorted(map(bytes, shuffled[2])) == sorted(map(bytes, digits.mask))


class Tree(DecisionTreeClassifier):
    """Takes no masks, and has no epochs."""


def test_estimators_of_ones_own_are_compared_by_class_and_by_instance():
    own = {"swap, twice": SwapExClassifier(alpha=2.0), "tree": Tree}
    rows = compare(["decoy-corner"], own, seeds=2, max_epochs=1)
    kinds = [("erm", "-"), ("erm", "no shortcut")]
    kinds += [("swap, twice", "given"), ("swap, twice", "shuffled"), ("tree", "-")]
    assert [(row["estimator"], row["masks"]) for row in rows] == 2 * kinds
    assert own["swap, twice"].max_epochs == SwapExClassifier().max_epochs  # a clone is fitted
    digits = make_decoy_digits("corner", flatten=True, random_state=1)
    tree = Tree(random_state=1).fit(digits.data, digits.target)
    assert rows[-1]["accuracy"] == tree.score(digits.data_test, digits.target_test)
    assert len(summarise(rows)) == 5


def test_a_name_of_the_catalogue_is_not_given_away():
    with pytest.raises(ValueError, match="other names than the catalogue: 'erm'"):
        compare(estimators={"erm": Tree})


def test_processes_give_the_rows_of_one_process():
    common = {"seeds": 2, "max_epochs": 1}
    alone = compare(["decoy-corner"], ["grad-reg"], **common)
    together = compare(["decoy-corner"], ["grad-reg"], n_jobs=2, **common)
    for left, right in zip(alone, together, strict=True):
        del left["seconds"], right["seconds"]
        assert left == right


@pytest.mark.parametrize("argument", ["datasets", "estimators"])
def test_unknown_names_are_refused(argument):
    with pytest.raises(ValueError, match=f"{argument} must be among .*got 'nothing'"):
        compare(**{argument: ["nothing"]})


def row(estimator, masks, seed, mean_group, seconds=1.0):
    return {
        "dataset": "d",
        "estimator": estimator,
        "masks": masks,
        "seed": seed,
        "accuracy": mean_group,
        "mean_group": mean_group,
        "worst_group": mean_group / 2,
        "seconds": seconds,
    }


def test_summary_by_hand():
    rows = [
        row("erm", "-", 0, 0.5),
        row("erm", "-", 1, 0.6, 2.0),
        row("m", "given", 0, 0.8, 3.0),
        row("m", "given", 1, 0.7, 2.0),
        row("m", "shuffled", 0, 0.5),
        row("m", "shuffled", 1, 0.5),
    ]
    erm, method, shuffled = summarise(rows)
    assert method["mean_group"] == pytest.approx(0.75)
    assert method["mean_group_sd"] == pytest.approx(np.std([0.8, 0.7], ddof=1))
    assert method["vs_erm"] == pytest.approx(0.2)
    # Differences 0.3 and 0.1: sd 0.1414, over the root of 2.
    assert method["vs_erm_se"] == pytest.approx(0.1)
    assert method["vs_shuffled"] == pytest.approx(0.25)
    assert method["times_erm"] == pytest.approx(2.0)
    assert math.isnan(shuffled["vs_shuffled"])
    assert erm["vs_erm"] == 0
    table = format_table([erm, method, shuffled])
    assert "0.750 ±0.071" in table
    assert "+0.200 (se 0.100)" in table
    assert "nan" not in table


def test_one_seed_has_no_spread():
    table = format_table(summarise([row("erm", "-", 0, 0.5), row("m", "given", 0, 0.8)]))
    assert "1 seed\n" in table
    assert "±" not in table
    assert "+0.300" in table


def test_command_writes_table_csv_and_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    output, plot = tmp_path / "rows.csv", tmp_path / "picture.png"
    arguments = ["--dataset", "decoy-half", "--estimators", "grad-reg", "--seeds", "1"]
    arguments += ["--epochs", "1", "--n-jobs", "1", "--output", str(output), "--plot", str(plot)]
    assert _cli.main(["compare", *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("decoy-half, 1 seed\n")
    for word in ("grad-reg", "shuffled", "no shortcut", "worst group", "x erm"):
        assert word in printed
    with open(output, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [r["masks"] for r in rows] == ["-", "no shortcut", "given", "shuffled"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_numbers_are_printed_even_if_a_file_cannot_be_written(tmp_path, capsys):
    arguments = ["--dataset", "decoy-half", "--estimators", "erm", "--seeds", "1", "--epochs", "1"]
    arguments += ["--n-jobs", "1", "--output", str(tmp_path / "missing" / "rows.csv")]
    assert _cli.main(["compare", *arguments]) == 1
    captured = capsys.readouterr()
    assert "decoy-half, 1 seed" in captured.out
    assert "rows.csv" in captured.err


def test_a_picture_without_matplotlib_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"skexplain\[plot\]"):
        plot_comparison([row("erm", "given", 0, 0.5)], tmp_path / "x.png")


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["--version"]])
def test_help_teaches(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        _cli.main(arguments)
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    if arguments[0] == "compare":
        printed = "".join(printed.split())  # lines may break within a name
        for name in [*DATASETS, *ESTIMATORS, "--seeds", "ceiling", "examples:"]:
            assert name in printed


@pytest.mark.parametrize(
    "arguments",
    [[], ["compare", "--estimators", "nothing"], ["compare", "--seeds", "0"], ["unknown"]],
)
def test_bad_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        _cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: skexplain" in capsys.readouterr().err


def test_interruption_ends_with_status_130(monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_cli, "compare", interrupted)
    assert _cli.main(["compare"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["decoy-corner", "decoy-half"])
def test_masks_repair_what_the_shortcut_broke(dataset):
    """Paired over ten seeds, as docs/results/decoy_digits.md reports it."""
    by_key = {
        (s["estimator"], s["masks"]): s
        for s in summarise(
            compare([dataset], ["grad-reg", "pgd-ex", "pgd-ex+grad-reg"], seeds=10, n_jobs=2)
        )
    }
    erm, ceiling = by_key["erm", "-"], by_key["erm", "no shortcut"]
    assert ceiling["worst_group"] - erm["worst_group"] > 0.2
    for name in ("grad-reg", "pgd-ex", "pgd-ex+grad-reg"):
        method = by_key[name, "given"]
        assert method["vs_erm"] > 2 * method["vs_erm_se"]
        if dataset == "decoy-corner":
            assert method["mean_group"] > ceiling["mean_group"] - 0.03
        else:
            assert method["vs_shuffled"] > 2 * method["vs_shuffled_se"]


def test_how_much_of_a_shortcut_is_left_is_no_warning_in_a_comparison():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compare(["decoy-half"], ["grad-reg"], seeds=1, max_epochs=2)
    assert not [each for each in caught if issubclass(each.category, ShortcutInUseWarning)]
