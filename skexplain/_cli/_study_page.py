"""``skexplain study page``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ._output import show
from ._study_options import add_names, add_store

SUMMARY = "a Markdown page per study, as in docs/results"

DESCRIPTION = """\
Write a Markdown page for each study, and its pictures beside it (needs the extra "plot"). What is
written by hand between the lines <!-- meaning --> and <!-- /meaning --> of a page is kept.
"""

EXAMPLES = """\
examples:
  skexplain study page annotation-budget --scale paper
  skexplain study page annotation-budget --output pages
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_names(command, "studies, by name")
    add_store(command)
    command.add_argument(
        "--output", default="docs/results", metavar="DIR", help="(default: docs/results)"
    )


def study_page(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studies import write_markdown
    from ._study_results import load_stored

    for results in [load_stored(name, arguments) for name in arguments.names]:
        for path in write_markdown(results, Path(arguments.output) / f"{results.study.name}.md"):
            show(path)
    return 0
