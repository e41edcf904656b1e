"""``skexplain study plot``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ._output import show
from ._study_options import add_name, add_store

SUMMARY = "draw the pictures of what is stored"

DESCRIPTION = """\
Draw the pictures of what is stored of a study (needs the extra "plot"), and print the names of
their files.
"""

EXAMPLES = """\
examples:
  skexplain study plot annotation-budget
  skexplain study plot annotation-budget --scale paper --output pictures --format svg
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_name(command)
    add_store(command)
    command.add_argument(
        "--output", default=".", metavar="DIR", help="where to put them (default: here)"
    )
    command.add_argument(
        "--format", choices=["png", "svg"], default="png", help="ending (default: png)"
    )


def study_plot(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studies._study_report import save_pictures, try_pictures
    from ._study_results import load_stored

    figures = try_pictures(load_stored(arguments.name, arguments))
    if not figures:
        raise ValueError(f"the pictures of {arguments.name!r} need cells that are not stored yet.")
    for path in save_pictures(figures, arguments.output, arguments.format):
        show(path)
    return 0
