"""What studies have shown, as pages: HTML that holds all of them, Markdown for one."""

import datetime
import inspect
import platform
import re
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..inspection._html import data_url, html_page
from ._all_studies import list_studies
from ._report_style import STYLE
from ._results import StudyResults
from ._statistics import group
from ._study import Study

_PARTNERS = ("numpy", "scikit-learn", "torch", "skorch")
_DPI = 150
_UNITS = (("h", 3600), ("min", 60))


def write_report(results: Any, path: Any) -> None:
    """Write one self-contained HTML page about studies: tables, pictures, how to repeat them.

    Parameters
    ----------
    results : list of StudyResults
        With some rows each.
    path : str or path-like
        File to write.

    Raises
    ------
    ImportError
        If matplotlib is not installed (extra "plot").
    ValueError
        If there are no results, or a study has no rows.

    Examples
    --------
    >>> from skexplain.studies import run_study, write_report
    >>> results = run_study("annotation-budget")  # doctest: +SKIP
    >>> write_report([results], "report.html")  # doctest: +SKIP
    """
    if not results:
        raise ValueError("results must hold at least one study.")
    for result in results:
        _check_rows(result)
    contents = "\n".join(_contents_entry(result) for result in results)
    articles = "\n".join(_article(result) for result in results)
    body = (
        f"<header>\n<h1>Studies</h1>\n<p>{_summary(results)}</p>\n</header>\n"
        f'<nav aria-label="Contents">\n<ol>\n{contents}\n</ol>\n</nav>\n'
        f"<main>\n{articles}\n</main>\n<footer>{escape(_versions())}</footer>"
    )
    Path(path).write_text(html_page("Studies: skexplain", body, STYLE), encoding="utf-8")


def write_markdown(results: StudyResults, path: Any) -> list[Any]:
    """Write a Markdown page about a study, and its pictures beside it.

    What is written by hand between the lines ``<!-- meaning -->`` and ``<!-- /meaning -->`` of the
    page is kept when the page is written again.

    Parameters
    ----------
    results : StudyResults
        With some rows.
    path : str or path-like
        File to write.

    Returns
    -------
    list of Path
        The files that were written: the page and its pictures.

    Raises
    ------
    ImportError
        If matplotlib is not installed (extra "plot").
    ValueError
        If there are no rows, or the page is there without these lines: it may be someone's work.

    Examples
    --------
    >>> from skexplain.studies import run_study, write_markdown
    >>> results = run_study("annotation-budget")  # doctest: +SKIP
    >>> write_markdown(results, "annotation-budget.md")  # doctest: +SKIP
    """
    _check_rows(results)
    path = Path(path)
    meaning = _kept_meaning(path)
    figures = try_pictures(results)
    blocks = [
        f"# {results.study.title}",
        *filter(None, [results.study.source, *_what_it_asks(results.study)]),
        *(f"![{_alt(figure, results.study)}]({name}.png)" for name, figure in figures.items()),
        meaning,
        "\n".join(f"* {label}: {_as_code(label, text)}" for label, text in _facts(results).items()),
        *(table.to_markdown() for table in try_tables(results)),
    ]
    page = "\n\n".join(blocks) + "\n"
    return [*save_pictures(figures, path.parent), _write(path, page)]


def save_pictures(figures: Any, folder: Any, ending: str = "png") -> Any:
    """Write figures to files.

    Parameters
    ----------
    figures : dict of str to matplotlib.figure.Figure
        By the name of their file.
    folder : str or path-like
        Made if it is not there.
    ending : {"png", "svg"}, default="png"

    Returns
    -------
    list of Path
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [Path(folder) / f"{name}.{ending}" for name in figures]
    for path, figure in zip(paths, figures.values(), strict=True):
        figure.savefig(path, dpi=_DPI)
    return paths


def describe_state(results: StudyResults) -> str:
    """Return how much of a study is stored, and what is left out.

    Parameters
    ----------
    results : StudyResults

    Returns
    -------
    str
    """
    state = "" if results.is_complete else "incomplete: "
    state += f"{results.n_done} of {results.n_cells} cells, scale {results.scale}"
    if results.n_others:
        state += f"; {results.n_others} cells of another scale, declaration or version are left out"
    return state


def try_tables(results: StudyResults) -> Any:
    """Return the tables of a study, or [] where they need cells that are not stored yet."""
    return _try(results.tables, results, [])


def try_pictures(results: StudyResults) -> Any:
    """Return the pictures of a study, or {} where they need cells that are not stored yet."""
    return _try(results.pictures, results, {})


def _try(make: Any, results: StudyResults, nothing: Any) -> Any:
    try:
        return make()
    except ImportError:
        raise
    except Exception:  # a study is free to count on all of its rows
        if results.is_complete:
            raise
        return nothing


def _check_rows(results: StudyResults) -> None:
    if not results.rows:
        raise ValueError(
            f"results of {results.study.name!r} must hold rows; none is stored at scale "
            f"{results.scale!r}."
        )


# What is reported of a run.


def _facts(results: StudyResults) -> Any:
    """Return what a reader needs to judge and to repeat the results, by label."""
    facts = {
        "Command": describe_command(results),
        "Cells": describe_state(results),
        "Seeds": _seeds(results),
        "Computing time": f"{_duration(_seconds(results))}, one thread per cell",
        "Package": f"skexplain {__version__}",
    }
    if figures := results.study.published:
        facts["Published figures"] = "; ".join(dict.fromkeys(f.source for f in figures))
    return facts


def describe_command(results: StudyResults) -> str:
    """Return what computes these results: a command, or Python for a study of one's own."""
    study, scale, n_seeds = results.study, results.scale, results.n_seeds
    if study in list_studies():
        return shell_command(study.name, scale, n_seeds)
    seeds = "" if n_seeds is None else f", n_seeds={n_seeds}"
    return f'run_study({type(study).__name__}(), "{scale}"{seeds})'


def shell_command(name: str, scale: str, n_seeds: int | None) -> str:
    """Return the command that computes a study, or "all" of them."""
    seeds = "" if n_seeds is None else f" --seeds {n_seeds}"
    return f"skexplain study run {name} --scale {scale}{seeds}"


def _by_cell(results: StudyResults, without: Any = ()) -> Any:
    """Group rows by the factors of their cell."""
    cells = results.study.cells(results.scale)
    names = dict.fromkeys(name for cell in cells for name in cell.factors)
    return group(results.rows, [name for name in names if name not in without])


def _seconds(results: StudyResults) -> float:
    return sum(rows[0]["cell_seconds"] for rows in _by_cell(results).values())


def _seeds(results: StudyResults) -> str:
    groups = _by_cell(results, without=("seed",)).values()
    counts = {len({row.get("seed") for row in rows}) for rows in groups}
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _duration(seconds: float) -> str:
    """Write a time to two digits or more: 7.3 s, 12 min, 3.4 h."""
    unit, length = next(
        ((unit, length) for unit, length in _UNITS if seconds >= 2 * length), ("s", 1)
    )
    amount = seconds / length
    return f"{amount:.{1 if amount < 10 else 0}f} {unit}"


def _what_it_asks(study: Study) -> list[Any]:
    """Return the paragraphs of the docstring, without its numpydoc sections."""
    text = inspect.cleandoc(type(study).__doc__ or "")
    paragraphs = [" ".join(paragraph.split("\n")) for paragraph in text.split("\n\n")]
    n_before = next(
        (i for i, paragraph in enumerate(paragraphs) if re.match(r"[A-Z]\w+ -{3,}", paragraph)),
        None,
    )
    return [paragraph.replace("``", "`") for paragraph in paragraphs[:n_before] if paragraph]


def _alt(figure: Any, study: Study) -> str:
    """Return in words what a picture shows: title, axes, panels."""
    axes = [ax for ax in figure.axes if ax.get_visible()]
    x = _distinct(ax.get_xlabel() for ax in axes)
    y = _distinct(ax.get_ylabel() for ax in axes)
    panels = _distinct(ax.get_title(where) for ax in axes for where in ("left", "center"))
    shown = f"{y} against {x}" if x and y else x or y
    parts = [study.title, shown, panels and f"panels: {panels}"]
    return " ".join("; ".join(filter(None, parts)).split())


def _distinct(texts: Any) -> str:
    return ", ".join(dict.fromkeys(filter(None, texts)))


def _versions() -> str:
    partners = ", ".join(f"{name} {version(name)}" for name in _PARTNERS)
    return (
        f"Written on {datetime.date.today():%d %B %Y} with skexplain {__version__}, "
        f"{partners}, Python {platform.python_version()}."
    )


# HTML


def _summary(results: Any) -> str:
    n_cells = sum(result.n_done for result in results)
    seconds = sum(map(_seconds, results))
    studies = "1 study" if len(results) == 1 else f"{len(results)} studies"
    return f"{studies}, {n_cells} cells, {_duration(seconds)} of computing on one thread."


def _contents_entry(result: Any) -> str:
    study = result.study
    source = f" <span>{escape(study.source)}</span>" if study.source else ""
    return f'<li><a href="#{_anchor(result)}">{escape(study.title)}</a>{source}</li>'


def _anchor(result: Any) -> str:
    return escape(f"{result.study.name}-{result.scale}")


def _article(result: Any) -> str:
    study = result.study
    source = f'<p class="source">{escape(study.source)}</p>\n' if study.source else ""
    state = "" if result.is_complete else f'<p class="incomplete">{describe_state(result)}</p>\n'
    asks = "\n".join(f"<p>{_inline_code(text)}</p>" for text in _what_it_asks(study))
    facts = "\n".join(
        f"<div><dt>{label}</dt><dd>{_html_code(label, text)}</dd></div>"
        for label, text in _facts(result).items()
    )
    pictures = "\n".join(_figure(figure, study) for figure in try_pictures(result).values())
    tables = "\n".join(table.to_html() for table in try_tables(result))
    return (
        f'<article id="{_anchor(result)}">\n<h2>{escape(study.title)}</h2>\n{source}{state}'
        f"{asks}\n{pictures}\n{tables}\n<dl>\n{facts}\n</dl>\n</article>"
    )


def _figure(figure: Any, study: Study) -> str:
    # As wide as it was drawn, 96 pixels an inch, so that letters have the same size in all.
    return (
        f'<figure><img width="{96 * figure.get_figwidth():.0f}" alt="{escape(_alt(figure, study))}"'
        f' src="{data_url(figure, _DPI)}"></figure>'
    )


def _html_code(label: str, text: str) -> str:
    return f"<code>{escape(text)}</code>" if label == "Command" else escape(text)


def _inline_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


# Markdown

_MEANING = re.compile(r"<!-- meaning -->.*?<!-- /meaning -->", re.DOTALL)


def _kept_meaning(path: Any) -> Any:
    """Return what stands between the marks of a page, with the marks."""
    if not path.exists():
        return "<!-- meaning -->\n<!-- /meaning -->"
    found = _MEANING.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(
            f"{path} is there and has no <!-- meaning --> ... <!-- /meaning -->: written by hand? "
            "Add these lines around what is to be kept, or choose another file."
        )
    return found[0]


def _as_code(label: str, text: str) -> str:
    return f"`{text}`" if label == "Command" else text


def _write(path: Any, text: str) -> Any:
    path.write_text(text, encoding="utf-8")
    return path
