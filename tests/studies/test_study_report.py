"""Pages about studies: whole, escaped, readable at any width, and kind to hand-written text."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from _toy_study import TITLE, Failing, Toy, Whole

import skexplain
from skexplain.studies import (
    Study,
    StudyError,
    StudyResults,
    Table,
    _study_report,
    load_results,
    run_study,
    write_markdown,
    write_report,
)
from skexplain.studies._published import Published

VOID = {"meta", "img", "br", "hr", "link"}


class Page(HTMLParser):
    """Reads a page; a tag that is not closed, or not where it was opened, is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def attributes(self, tag, name):
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    pytest.importorskip("matplotlib")
    return run_study(Toy(), folder=tmp_path_factory.mktemp("toy"))


def rows_of(*cells):
    """Rows from (coin, seed, cell_seconds), two to a cell."""
    return [
        {"coin": coin, "seed": seed, "cell_seconds": seconds, "test": test, "share": 0.5}
        for coin, seed, seconds in cells
        for test in ("heads", "tails")
    ]


def test_html_is_well_formed_self_contained_and_escaped(toy, tmp_path):
    write_report([toy], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    page = Page(text)
    # Escaped: the reader sees the text as it was written.
    assert TITLE in page.text["h2"]
    assert "Does a coin <remember>?" in page.text["p"]
    assert "throws" in page.text["code"]
    assert not [tag for tag, _ in page.tags if tag in {"dice", "of", "remember", "script", "link"}]
    assert not re.search(r"https?://", text)
    sources = page.attributes("img", "src")
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    assert page.attributes("img", "width") == ["691", "346"]  # 7.2 and 3.6 inches
    # Contents lead to the studies.
    assert page.attributes("a", "href") == ["#toy-quick"]
    assert page.attributes("article", "id") == ["toy-quick"]
    assert page.text["th"] == ["coin", "test", "share", "a", "b"]
    cells = [cell for table in toy.tables() for row in table.rows for cell in row]
    assert page.text["td"] == cells


def test_html_tells_how_to_judge_and_repeat(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(_study_report, "list_studies", lambda: [toy.study])
    partial = StudyResults(toy.study, "paper", rows_of(("fair", 0, 1.0)), 1, 6, 4)
    write_report([toy, partial], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    told = page.text["dd"]
    assert "4 of 4 cells, scale quick" in told
    assert f"skexplain {skexplain.__version__}" in told
    state = (
        "incomplete: 1 of 6 cells, scale paper; 4 cells of another scale, declaration or version "
        "are left out"
    )
    assert state in told
    assert page.text["p"].count(state) == 1  # and no such line for what is complete
    assert {"skexplain study run toy --scale quick", "skexplain study run toy --scale paper"} < set(
        page.text["code"]
    )
    (footer,) = page.text["footer"]
    assert re.search(r"Written on \d\d \w+ 20\d\d with skexplain .*, torch \d", footer)
    assert any(line.startswith("2 studies, 5 cells, ") for line in page.text["p"])


def test_alt_text_says_what_a_picture_shows(toy, tmp_path):
    write_report([toy], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    expected = f'{TITLE}; share of heads against throw; panels: fair, bent "one"'
    assert page.attributes("img", "alt") == [expected, TITLE]


def facts(rows, scale="quick", study=None):
    study = study or Toy()
    return _study_report._facts(StudyResults(study, scale, rows, len(rows) // 2, 4))


def test_time_is_counted_once_per_cell():
    rows = rows_of(("fair", 0, 1.5), ("bent", 0, 1.5), ("fair", 1, 2.0))
    assert facts(rows)["Computing time"] == "5.0 s, one thread per cell"


def test_seeds_are_counted_per_setting():
    rows = rows_of(("fair", 0, 1.0), ("fair", 1, 1.0), ("bent", 0, 1.0))
    assert facts(rows)["Seeds"] == "1 to 2"
    assert facts(rows[:4])["Seeds"] == "2"


def test_the_sources_of_published_figures_are_told(monkeypatch):
    figures = [
        Published("Laplace, Table 1", {}, "share", 0.5, None),
        Published("read off Fig. 2", {}, "share", 0.5, None),
        Published("Laplace, Table 1", {"coin": "bent"}, "share", 0.7, None),
    ]
    monkeypatch.setattr(Toy, "published", figures)
    monkeypatch.setattr(Failing, "published", ())
    rows = rows_of(("fair", 0, 1.0))
    assert facts(rows)["Published figures"] == "Laplace, Table 1; read off Fig. 2"
    assert "Published figures" not in facts(rows, study=Failing())


def test_the_command_is_that_of_the_shell_or_of_python(monkeypatch):
    rows, installed = rows_of(("fair", 0, 1.0)), Whole()
    # Whether the papers' studies are installed does not matter.
    monkeypatch.setattr(_study_report, "list_studies", lambda: [installed])
    assert facts(rows, "paper")["Command"] == 'run_study(Toy(), "paper")'
    results = StudyResults(installed, "paper", [], 0, 1)
    command = f"skexplain study run {installed.name} --scale paper"
    assert _study_report.describe_command(results) == command


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (7.34, "7.3 s"),
        (119, "119 s"),
        (120, "2.0 min"),
        (754, "13 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (40 * 3600, "40 h"),
    ],
)
def test_durations(seconds, text):
    assert _study_report._duration(seconds) == text


def test_what_a_study_asks_is_its_own_docstring():
    class Silent(Study):
        pass

    assert _study_report._what_it_asks(Silent()) == []
    assert _study_report._what_it_asks(Toy()) == [
        "Does a coin <remember>?",
        "Each is thrown as often as `throws` says.",
    ]


def test_markdown_holds_everything(toy, tmp_path):
    written = write_markdown(toy, tmp_path / "toy.md")
    assert written == [tmp_path / "toy.png", tmp_path / "toy-again.png", tmp_path / "toy.md"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[:2])
    text = written[-1].read_text(encoding="utf-8")
    assert text.startswith(f"# {TITLE}\n\nLaplace, Table 1 & 2\n\n")
    assert "](toy.png)\n\n![" in text
    assert "<!-- meaning -->\n<!-- /meaning -->" in text
    assert '* Command: `run_study(Toy(), "quick")`\n* Cells: 4 of 4 cells, scale quick\n' in text
    for table in toy.tables():
        assert table.to_markdown() in text


def test_markdown_keeps_what_is_written_by_hand(toy, tmp_path):
    page = tmp_path / "toy.md"
    write_markdown(toy, page)
    first = page.read_text(encoding="utf-8")
    meaning = "<!-- meaning -->\nCoins \\1 forget.\n\n* é\n<!-- /meaning -->"
    page.write_text(first.replace("<!-- meaning -->\n<!-- /meaning -->", meaning), "utf-8")
    edited = page.read_text(encoding="utf-8")
    page.write_text(edited.replace("# Coins", "# Old coins"), "utf-8")
    write_markdown(toy, page)
    assert page.read_text(encoding="utf-8") == edited
    assert meaning in edited


def test_markdown_spares_a_page_that_it_did_not_write(toy, tmp_path):
    page = tmp_path / "toy.md"
    page.write_text("by hand", encoding="utf-8")
    with pytest.raises(ValueError, match=r"toy\.md is there and has no <!-- meaning -->"):
        write_markdown(toy, page)
    assert page.read_text(encoding="utf-8") == "by hand"
    assert list(tmp_path.iterdir()) == [page]


def test_nothing_to_write(tmp_path):
    nothing = load_results(Toy(), folder=tmp_path)
    for write in (lambda *given: write_report([given[0]], given[1]), write_markdown):
        with pytest.raises(ValueError, match="results of 'toy' must hold rows; none is stored at"):
            write(nothing, tmp_path / "page")
    with pytest.raises(ValueError, match="at least one study"):
        write_report([], tmp_path / "page")
    assert not list(tmp_path.iterdir())


def test_pictures_need_matplotlib(tmp_path, monkeypatch):
    results = run_study(Toy(), folder=tmp_path / "store")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"skexplain\[plot\]"):
        write_report([results], tmp_path / "report.html")
    with pytest.raises(ImportError, match=r"skexplain\[plot\]"):
        write_markdown(results, tmp_path / "toy.md")


def test_a_failed_cell_leaves_a_page_of_the_others(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(StudyError):
        run_study(Failing(), folder=tmp_path)
    write_markdown(load_results(Failing(), folder=tmp_path), tmp_path / "failing.md")
    assert "incomplete: 3 of 4 cells" in (tmp_path / "failing.md").read_text(encoding="utf-8")


def test_tables_and_pictures_may_need_all_cells(toy, tmp_path):
    few = StudyResults(Whole(), "quick", toy.rows[:6], 3, 4)
    write_report([toy, few], tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.attributes("article", "id") == ["toy-quick", "whole-quick"]
    assert "incomplete: 3 of 4 cells, scale quick" in page.text["p"]
    assert write_markdown(few, tmp_path / "whole.md") == [tmp_path / "whole.md"]
    # A complete study has no such excuse.
    with pytest.raises(IndexError):
        write_report([StudyResults(Whole(), "quick", toy.rows[:6], 4, 4)], tmp_path / "report.html")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1000, 400])
def test_no_width_of_screen_needs_sideways_scrolling(toy, tmp_path, width):
    names = tuple(f"column {i}" for i in range(30))
    wide = Toy()
    wide.tables = lambda rows: [Table("Wide", names, [names])]
    page = tmp_path / "report.html"
    write_report([StudyResults(wide, "quick", toy.rows, 4, 4)], page)
    # Chromium opens no window of less than 500 pixels, so the page is made narrow inside of it.
    measure = f"""<script>
      document.documentElement.style.width = "{width}px";
      const table = document.querySelector("table"), box = table.getBoundingClientRect();
      document.title = [document.body.scrollWidth, document.body.clientWidth,
        box.width < {width} && table.scrollWidth > box.width].join();
    </script></body>"""
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", measure), encoding="utf-8")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,2000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, check=True, capture_output=True, timeout=120, text=True).stdout
    # The page fits its width; the table scrolls in a box of its own.
    assert f"<title>{width},{width},true</title>" in shown
