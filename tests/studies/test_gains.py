"""Who is held against what, on rows whose means, gains and errors are computed by hand."""

import math
from html.parser import HTMLParser

import pytest

from skexplain.studies import Table
from skexplain.studies import _gains as module
from skexplain.studies._gains import best_control, gains_table, verdict_table
from skexplain.studies._published import Published
from skexplain.studies._statistics import group
from skexplain.studies._table import align


class Named:
    name = "by-hand"
    title = "By hand"
    published = ()


def rows(method, masks, *values, test="clean"):
    return [
        {"test": test, "method": method, "masks": masks, "seed": seed, "accuracy": value}
        for seed, value in enumerate(values)
    ]


# Gains of "m" over "off", its best control: 0.2, 0.1; mean 0.15, sd 0.0707, se 0.05.
# Over label-only: 0.3, 0.3.  "shuffled" of another method is higher, and no control of m.
ROWS = [
    *rows("label-only", "-", 0.5, 0.6),
    *rows("label-only", "no shortcut", 0.95, 0.95),
    *rows("m", "given", 0.8, 0.9),
    *rows("m", "off", 0.6, 0.8),
    *rows("m", "shuffled", 0.5, 0.5),
    *rows("other", "given", 0.7, 0.7),
    *rows("other", "shuffled", 0.9, 0.9),
]


def as_dicts(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def table_of(given):
    return as_dicts(gains_table(Named, given, ("test",), "accuracy", "label-only"))


def verdict(given):
    table = verdict_table(given, ("test",), "accuracy")
    assert all(len(row) == len(table.columns) for row in table.rows)
    return table.rows


def test_gains_by_hand():
    label_only, ceiling, m, other = table_of(ROWS)
    assert [row["method"] for row in (label_only, ceiling, m, other)] == [
        "label-only",
        "label-only, no shortcut",
        "m",
        "other",
    ]
    assert m == {
        "test": "clean",
        "method": "m",
        "with masks": "0.850 ± 0.071",
        "off": "0.700 ± 0.141",
        "shuffled": "0.500 ± 0.000",
        "gain over label-only": "+0.300 (se 0.000)",
        "gain over best control": "+0.150 (se 0.050) off",
    }
    # Differences -0.2 and -0.2.
    assert other["gain over best control"] == "-0.200 (se 0.000) shuffled"
    assert other["off"] == ""
    assert label_only["with masks"] == "0.550 ± 0.071"
    assert label_only["gain over label-only"] == ""
    assert label_only["gain over best control"] == ""
    assert ceiling["gain over label-only"] == ""  # a bound, no gain
    assert ceiling["gain over best control"] == ""


def test_a_method_without_masks_is_a_control_of_all_others():
    shift = rows("shift", "-", 0.75, 0.85)
    m = table_of([*ROWS, *shift])[2]
    assert m["gain over best control"] == "+0.050 (se 0.000) shift"
    cells = group([*ROWS, *shift], ["method", "masks"])
    assert best_control(cells, "m", "accuracy") == ("shift", "-")
    assert best_control(cells, "other", "accuracy") == ("other", "shuffled")
    assert best_control(group(rows("m", "given", 1), ["method", "masks"]), "m", "accuracy") is None


def test_published_figures_stand_beside_those_with_masks(monkeypatch):
    figures = [
        Published("a", {"method": "m", "test": "clean"}, "accuracy", 0.875, 0.01),
        Published("a", {"method": "label-only"}, "accuracy", 0.5, None),
        Published("a", {"method": "other", "test": "other"}, "accuracy", 0.1, None),
    ]
    monkeypatch.setattr(Named, "published", figures)
    published = [row["published"] for row in table_of(ROWS)]
    assert published == ["0.500", "", "0.875 ± 0.010", ""]


def test_panels_do_not_mix():
    flipped = [
        *rows("label-only", "-", 0.2, test="flipped"),
        *rows("m", "given", 0.7, test="flipped"),
    ]
    table = table_of([*ROWS, *flipped])
    assert [row["test"] for row in table] == 4 * ["clean"] + 2 * ["flipped"]
    assert table[-1]["gain over label-only"] == "+0.500"
    assert table[-1]["gain over best control"] == "+0.500 label-only"


def test_verdict_by_hand():
    # The best with masks is m; 0.15 > 2 * 0.05.
    expected = ("clean", "m", "0.850 ± 0.071", "m, off", "0.700 ± 0.141", "+0.150 (se 0.050)")
    assert verdict(ROWS) == [(*expected, "yes")]
    # Gains 0.2 and 0: mean 0.1, se 0.1.
    rival = rows("shift", "-", 0.6, 0.9)
    assert verdict([*ROWS, *rival]) == [
        ("clean", "m", "0.850 ± 0.071", "shift", "0.750 ± 0.212", "+0.100 (se 0.100)", "no")
    ]


@pytest.mark.parametrize(
    ("method", "control", "gain", "word"),
    [
        ([0.9], [0.1], "+0.800", "no"),  # one repetition tells nothing of chance
        ([0.9, 0.9], [0.9, 0.9], "+0.000 (se 0.000)", "no"),  # a tie
        ([1.0, 1.0], [0.9, 0.9], "+0.100 (se 0.000)", "yes"),
        ([0.5, 0.5], [0.9, 0.9], "-0.400 (se 0.000)", "no"),
        ([0.9, math.nan], [0.1, 0.1], "", None),  # a failed repetition: no figure
        ([0.9, None], [0.1, 0.1], "+0.800", "no"),
    ],
)
def test_a_verdict_needs_more_than_luck(method, control, gain, word):
    found = verdict([*rows("label-only", "-", *control), *rows("m", "given", *method)])
    assert [row[-2:] for row in found] == ([] if word is None else [(gain, word)])


@pytest.mark.parametrize("order", [1, -1])
def test_what_diverged_is_no_best_control(order):
    controls = [rows("shift", "-", math.nan, 0.9), rows("label-only", "-", 0.5, 0.6)][::order]
    found = verdict([*controls[0], *controls[1], *rows("m", "given", 0.8, 0.9)])
    assert [row[3] for row in found] == ["label-only"]
    assert found[0][-1] == "yes"


def test_a_control_of_fewer_seeds_is_compared_on_these():
    """A lucky subset of seeds makes no best control, and the figures shown add up."""
    method = rows("m", "given", 0.9, 0.7, 0.5)
    lucky = rows("shift", "-", 0.8)  # a higher mean than label-only's; m gains 0.1 where it was run
    found = verdict([*method, *lucky, *rows("label-only", "-", 0.85, 0.65, 0.45)])
    assert found[0][1:] == (
        *("m", "0.700 ± 0.200", "label-only", "0.650 ± 0.200", "+0.050 (se 0.000)", "yes"),
    )
    found = verdict([*method, *lucky])
    assert found[0][1:] == ("m", "0.900", "shift", "0.800", "+0.100", "no")


def test_a_verdict_names_the_controls_that_are_missing():
    """Those that the method has elsewhere; none is named, nor a column made, where all are."""
    large = [*rows("label-only", "-", 0.5, test="large"), *rows("m", "given", 0.9, test="large")]
    table = verdict_table([*ROWS, *large], ("test",), "accuracy")
    assert [row["control missing"] for row in as_dicts(table)] == ["", "off, shuffled"]
    assert "control missing" not in verdict_table(ROWS, ("test",), "accuracy").columns


def test_there_is_no_verdict_without_a_method_with_masks_or_a_control():
    assert verdict(rows("label-only", "-", 0.5, 0.6)) == []
    assert verdict(rows("m", "given", 0.5, 0.6)) == []
    assert verdict([]) == []


def test_a_name_that_nobody_measured_gives_empty_cells():
    table = gains_table(Named, ROWS, ("test", "size"), "worst_group", "label-only")
    assert {row["with masks"] for row in as_dicts(table)} == {""}
    assert module._text(None) == ""


TABLE = Table("A < B", ("name", "n"), [("a|b", "1"), ("<i>", "22")], "x & y")


def test_table_as_text():
    assert TABLE.to_text() == "A < B\nname   n\n--------\na|b    1\n<i>   22\nx & y"
    assert Table("Empty", ("a", "b"), []).to_text() == "Empty\na  b\n----"
    assert align([("a", "b"), ("cc", "dd")], n_left=2) == ["a   b", "cc  dd"]


def test_table_as_markdown():
    assert TABLE.to_markdown() == (
        "**A < B**\n\n| name | n |\n|---|---|\n| a\\|b | 1 |\n| <i> | 22 |\n\nx & y"
    )


def test_table_as_html_is_read_back():
    class Cells(HTMLParser):
        found: list = []

        def handle_data(self, data):
            if data.strip():
                self.found.append(data)

    parser = Cells()
    parser.feed(TABLE.to_html())
    assert parser.found == ["A < B", "name", "n", "a|b", "1", "<i>", "22", "x & y"]
