"""The README and docs/: code runs, links lead somewhere, pages read well as plain files."""

import re
import sys
import types
from pathlib import Path

import pytest

import skexplain

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def run(page, monkeypatch):
    """Run the code of a page, and yield after each block."""
    script = types.ModuleType(page.stem)  # a module, so that its classes can be pickled
    monkeypatch.setitem(sys.modules, page.stem, script)
    for code in blocks(page):
        exec(compile(code, str(page), "exec"), vars(script))
        yield


@pytest.mark.parametrize("page", [p for p in PAGES[1:] if blocks(p)], ids=lambda p: p.name)
def test_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what a page writes is not left behind
    for _ in run(page, monkeypatch):
        pass


def test_the_readme_runs_and_says_what_its_example_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rest = run(PAGES[0], monkeypatch)
    next(rest)
    plain, robust = map(float, capsys.readouterr().out.split())
    # Measured: .26 and .90.
    assert plain < 0.4
    assert robust > 0.7
    assert len(list(rest)) == len(blocks(PAGES[0])) - 1


def anchors(page):
    """Names under which the headings of a page, and of what it includes, can be linked to."""
    text = page.read_text(encoding="utf-8")
    for included in re.findall(r"^```\{include\} (.*)", text, re.M):
        text += (page.parent / included).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def check_link(folder, target):
    path, _, anchor = target.partition("#")
    assert (folder / path).exists(), target
    assert not anchor or anchor in anchors(folder / path), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith("http"):
            check_link(page.parent, page.name + target if target[0] == "#" else target)


# Pages that are made for the site alone.
SITE = {ROOT / "docs" / name for name in ("index.md", "changelog.md", "contributing/index.md")}


@pytest.mark.parametrize("page", [p for p in PAGES if p not in SITE], ids=lambda p: p.name)
def test_a_page_reads_well_where_files_are_browsed(page):
    """Roles and directives of Sphinx stand in comments for the site alone."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^<!-- site\n.*?^-->$", "", text, flags=re.M | re.S)
    assert re.findall(r"\{[\w:]+\}`|^[`:]{3,}\{.*", text, re.M) == []


def test_the_readme_cites_what_the_citation_file_cites():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for title in re.findall(r'^ *(?:- )?title: "?(.*?)"?$', citation, re.M):
        assert f"{{{title}}}" in readme
    version = re.search(r"^version: (.*)", citation, re.M)[1]
    assert version == skexplain.__version__
    assert f"version = {{{version}}}" in readme


def test_every_example_is_named_by_a_page_of_the_guide():
    text = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    examples = {path.stem for path in (ROOT / "examples").glob("plot_*.py")}
    # The README has the code of the first one.
    named = re.findall(r"\]\(\.\./examples/(\w+)\.py\)", text)
    assert examples - set(named) == {"plot_01_decoy_digits"}


def test_errors_name_pages_that_are_there():
    named = set()
    for path in (ROOT / "skexplain").rglob("*.py"):
        # A text may be broken between two literals.
        text = re.sub(r'"\n\s*f?"', "", path.read_text(encoding="utf-8"))
        named |= set(re.findall(r"See (docs/[\w/]+\.md(?:#[\w-]+)?)", text))
    assert {"docs/masks.md#shapes", "docs/limits.md#networks"} <= named
    for target in named:
        check_link(ROOT, target)
