"""Names from data in terminals, pictures, pages and CSV files: what acts there becomes text.

The helpers by themselves, and one table of hostile names over every display, report and writer.
"""

import csv
import html
import io
import re
from html.parser import HTMLParser

import joblib
import matplotlib as mpl
import numpy as np
import pytest
from _hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.text import Text
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

from skexplain import _cli
from skexplain._text import csv_cell, drawable, html_text, printable
from skexplain.inspection import (
    GroupAccuracyDisplay,
    MaskDisplay,
    PerturbationCurveDisplay,
    SaliencyDisplay,
    audit,
)
from skexplain.inspection._audit_pictures import draw_examples
from skexplain.inspection._drawing import shown_rows
from skexplain.inspection._html import html_page
from skexplain.inspection._suggestion import MaskSuggestion
from skexplain.studies import StudyResults, write_csv

mpl.use("Agg")

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

each_name = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


# -- the helpers -----------------------------------------------------------------------------------


@given(st.text())
def test_printable_text_holds_nothing_that_acts_and_plain_text_stays(text):
    shown = printable(text)
    assert not CONTROL.search(shown)
    shown.encode("utf-8")  # no lone surrogates
    assert printable(shown) == shown
    if text.isprintable():
        assert shown == text
    assert printable(text, keep="\n").count("\n") == text.count("\n")


def test_printable_text_shows_what_was_there():
    assert printable("a\x1b[2J\n") == r"a\x1b[2J\n"
    assert printable("größe ☃ 名") == "größe ☃ 名"
    assert printable(3) == "3"


@given(st.text())
def test_drawable_text_is_drawn_as_it_is(text):
    shown, is_math = Text(text=drawable(text))._preprocess_math(drawable(text))
    assert is_math is False
    assert shown == printable(text)


@given(st.text())
def test_html_text_is_read_back_as_text(text):
    read, tags = [], []
    parser = HTMLParser()
    parser.handle_data = read.append
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, attributes))
    parser.feed(f'<p title="{html_text(text)}">{html_text(text)}')
    parser.close()
    assert tags == [("p", [("title", printable(text))])]
    assert "".join(read) == printable(text)


def test_csv_cells_are_no_formulas_and_numbers_stay():
    for start in "=+-@\t\r＝":
        assert csv_cell(f"{start}1+1") == f"'{start}1+1"
    assert csv_cell("a;=1+1") == "a;'=1+1"
    assert csv_cell("a\t@b\x1b[2J\ud800") == r"a	'@b\x1b[2J\ud800"
    for value in (-1.5, 3, None, "", "a=b", "erm", "1e-5", "a; b", "a\nb", "-"):
        assert csv_cell(value) is value


# -- pictures --------------------------------------------------------------------------------------


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def check_picture(figure, *names):
    """Draw, which raises where mathtext or a glyph fails, and check that the names are drawn."""
    figure.canvas.draw()
    drawn = [Text(text=text)._preprocess_math(text) for text in texts_of(figure)]
    assert not any(is_math for _, is_math in drawn)
    for name in names:
        assert any(printable(name) in text for text, _ in drawn), name


# All kinds in one name, for a title or a legend; an underscore would hide it from the legend.
NAME = "_ $a$ $ \\\\$ <b> =1 \x1b[31m \x00 \n \u202e \ud800 {0} %s"
X, ONE_MASK, IMAGE = np.random.default_rng(0).normal(size=(2, 2)), [[True, False]], np.eye(3)[None]
GROUPS = dict.fromkeys(HOSTILE.values(), 1)
WIDE = np.ones((1, len(HOSTILE)))
NAMED = {"feature_names": list(HOSTILE.values())}
SUGGESTION = {"score": 1.0, "predictive_power": 1.0, "flip_rate": 0.0, "p_value": 0.01}
DISPLAYS = {
    "groups": lambda: GroupAccuracyDisplay(GROUPS, GROUPS).plot(),
    "title of groups": lambda: GroupAccuracyDisplay({"a": 1.0}, {"a": 1}, name=NAME).plot(),
    "legend": lambda: PerturbationCurveDisplay.from_predictions([0], [[0]], [1.0], name=NAME),
    "axis of a curve": lambda: PerturbationCurveDisplay.from_predictions(
        [0], [[0]], [1.0], perturbation=NAME, unit=NAME
    ),
    "columns of masks": lambda: MaskDisplay.from_mask(WIDE, WIDE, **NAMED),
    "title of masks": lambda: MaskDisplay.from_mask(X, ONE_MASK, name=NAME),
    "columns of saliency": lambda: SaliencyDisplay.from_predictions(
        WIDE, WIDE, **NAMED, max_features=len(HOSTILE)
    ),
    "map of a table": lambda: SaliencyDisplay.from_predictions(X, {NAME: X}),
    "map of an image": lambda: SaliencyDisplay.from_predictions(IMAGE, {NAME: IMAGE}),
    "title of saliency": lambda: SaliencyDisplay.from_predictions(X, X, name=NAME),
    "columns of a suggestion": lambda: MaskSuggestion(
        mask=WIDE[0] > 0,
        rows=np.arange(1),
        suspicion=WIDE[0],
        shown=shown_rows(WIDE, **NAMED),
        **SUGGESTION,
    ).plot(n_features=len(HOSTILE)),
    "title of a suggestion": lambda: MaskSuggestion(
        mask=WIDE[0] > 0,
        rows=np.arange(1),
        suspicion=WIDE[0],
        shown=shown_rows(WIDE),
        **SUGGESTION,
    ).plot(name=NAME),
}


@pytest.mark.parametrize("make", DISPLAYS.values(), ids=DISPLAYS)
def test_names_in_displays_are_drawn_as_text(make, request):
    figure = make().figure_
    several = any(word in request.node.callspec.id for word in ("groups", "columns"))
    title = "title" in request.node.callspec.id
    check_picture(figure, *(HOSTILE.values() if several and not title else [NAME]))


@pytest.mark.parametrize("name", [NAME, *HOSTILE.values()])
def test_documents_are_drawn_as_text(name):
    names, document = [name, "word"], f"a {name} word"
    mask = MaskDisplay.from_mask(X[:1], ONE_MASK, feature_names=names, documents=[document])
    pieces = [text for text in texts_of(mask.figure_) if text not in ("a", "word")]
    assert pieces
    assert not any(CONTROL.search(text) for text in pieces)
    assert not any(Text(text=text)._preprocess_math(text)[1] for text in pieces)


def test_a_document_is_drawn():
    SaliencyDisplay.from_predictions(
        X, {NAME: X}, feature_names=[NAME, "word"], documents=[f"a {NAME} word", "b"]
    ).figure_.canvas.draw()


# -- the audit -------------------------------------------------------------------------------------

NAMES = list(HOSTILE.values())


@pytest.fixture(scope="module")
def named():
    """Samples of which column d tells class d; each class, and each column, has a hostile name."""
    codes = np.repeat(np.arange(len(NAMES)), 6)
    X = np.eye(len(NAMES))[codes]
    return X, codes, np.array(NAMES, dtype=object)[codes]


class _Page(HTMLParser):
    """The tags, and the text, of a page; attributes that would run code count as tags."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags |= {tag, *(name for name, _ in attributes if name.startswith("on"))}

    def handle_data(self, data):
        self.text += data


def test_names_in_a_report_are_text(named, tmp_path):
    X, codes, labels = named
    model = DecisionTreeClassifier(random_state=0).fit(X, labels)
    # Classes without a mask are listed in a note, five at most.
    for without in (NAMES[:5], NAMES[9:14], NAMES[14:19]):
        mask = [None if label in without else [True] * len(NAMES) for label in labels]
        report = audit(model, X, labels, mask, n_repeats=1, random_state=0)
        report.provenance["data"] = " ".join(NAMES)
        assert all(printable(name) in "".join(report.notes) for name in without)
        assert not CONTROL.search(repr(report).replace("\n", ""))
        report.to_html(tmp_path / "report.html")
        page = _Page((tmp_path / "report.html").read_text(encoding="utf-8"))
        assert "script" not in page.tags
        assert not [tag for tag in page.tags if tag.startswith("on")]
        assert all(printable(name) in page.text for name in NAMES)
        assert not CONTROL.search(page.text.replace("\n", ""))


def test_names_in_the_pictures_of_a_report_are_text(named):
    """Columns, groups and, beside images, classes."""
    X, codes, labels = named
    model = DecisionTreeClassifier(random_state=0).fit(X, codes)
    mask = np.arange(len(NAMES))[None] < 20  # so many are swapped one by one
    given = {"group_labels": labels, "feature_names": NAMES, "n_repeats": 1, "random_state": 0}
    figures = audit(model, X, codes, mask, **given).figures()
    by_column, by_group = (
        next(figure for caption, figure in figures.items() if word in caption)
        for word in ("one column", "by group")
    )
    check_picture(by_column, *NAMES[:20])
    check_picture(by_group, *NAMES)


@each_name
def test_classes_beside_images_are_text(name):
    image = np.zeros((2, 3, 3))
    examples = Bunch(
        shown=shown_rows(image, np.ones((1, 3, 3))),
        change="swapped",
        original=image,
        changed=image,
        saliency=None,
        y=[name, "b"],
        predicted=["b", name],
        predicted_changed=[name, "b"],
    )
    check_picture(draw_examples(examples), name)


@each_name
def test_titles_of_pages_are_text(name):
    page = html_page(name, "")
    title = page.partition("<title>")[2].partition("</title>")[0]
    assert html.unescape(title) == printable(name)
    assert "<" not in title


# -- tables ----------------------------------------------------------------------------------------


@each_name
def test_names_in_csv_files_are_no_formulas(name, tmp_path):
    rows = [{"estimator": name, name: -1.5}]
    write_csv(rows, tmp_path / "rows.csv")
    StudyResults(None, "quick", rows, 1, 1).save(tmp_path / "study.csv")
    for path in (tmp_path / "rows.csv", tmp_path / "study.csv"):
        read = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        header, (text, *numbers) = read
        for cell in (*header, text):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert not CONTROL.search(cell.replace("\n", "").replace("\r", ""))
        assert numbers in (["-1.5"], [])  # a study's columns that begin with "_" are not saved


# -- the command -----------------------------------------------------------------------------------


def test_the_command_prints_names_of_classes_as_text(named, tmp_path, capsys):
    X, codes, _ = named
    names = [name.replace("\ud800", "").replace("\x00", "") for name in NAMES]  # numpy drops them
    labels = np.array(names)[codes]
    joblib.dump(DecisionTreeClassifier(random_state=0).fit(X, labels), tmp_path / "model.joblib")
    mask = np.ones(X.shape)
    mask[codes >= len(NAMES) - 5] = np.nan
    np.savez(tmp_path / "data.npz", X=X, y=labels, mask=mask)
    files = [str(tmp_path / "model.joblib"), str(tmp_path / "data.npz")]
    assert _cli.main(["audit", *files, "--allow-pickle"]) == 0
    printed = capsys.readouterr().out
    assert "few samples or none have a mask" in printed
    assert not CONTROL.search(printed.replace("\n", ""))


@each_name
def test_the_command_prints_names_of_files_as_text(name, tmp_path, capsys):
    assert _cli.main(["masks", "inspect", f"{tmp_path}/{name.replace(chr(0), '')}.npy"]) == 1
    with pytest.raises(SystemExit):
        _cli.main(["masks", "convert", "in.json", f"{name}.csv"])
    printed = capsys.readouterr().err
    assert printable(name).split("\\n")[0] in printed
    assert not CONTROL.search(printed.replace("\n", ""))
