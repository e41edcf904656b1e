"""Stored results of the studies that the arguments name, and their text."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from ..studies import load_results
from ..studies._study_report import describe_command, describe_state, try_tables

if TYPE_CHECKING:
    from ..studies import Study, StudyResults


def load(study: Study | str, arguments: Namespace) -> StudyResults:
    """Read what is stored of a study, which may be nothing."""
    folder, n_seeds = arguments.folder, arguments.seeds
    return load_results(study, arguments.scale, n_seeds=n_seeds, folder=folder)


def load_stored(study: Study | str, arguments: Namespace) -> StudyResults:
    """Read what is stored of a study.

    Raises
    ------
    ValueError
        If that is nothing.
    """
    results = load(study, arguments)
    if not results.n_done:
        name = results.study.name
        others = f" ({results.n_others} cells of other kinds are)" if results.n_others else ""
        raise ValueError(
            f"nothing of {name!r} is stored in {arguments.folder} at scale {arguments.scale}"
            f"{others}. To compute it: {describe_command(results)}"
        )
    return results


def format_results(results: StudyResults, markdown: bool = False) -> str:
    """Write title, source, state and tables as text."""
    study = results.study
    head = [study.title, study.source, describe_state(results)]
    tables = try_tables(results)
    texts = [table.to_markdown() if markdown else table.to_text() for table in tables]
    if not texts:
        texts = ["The tables need cells that are not stored yet."]
    return "\n\n".join([("\n\n" if markdown else "\n").join(filter(None, head)), *texts])
