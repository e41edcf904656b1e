"""``skexplain study show``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ._output import show
from ._study_options import add_name, add_store

SUMMARY = "print the tables of what is stored, or save its rows"

DESCRIPTION = """\
Print the tables of what is stored of a study, which may be still running. Cells of another
declaration or version of the package are left out.
"""

EXAMPLES = """\
examples:
  skexplain study show annotation-budget
  skexplain study show annotation-budget --scale paper --output rows.parquet
  skexplain study show annotation-budget --format markdown
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_name(command)
    add_store(command)
    command.add_argument(
        "--format", choices=["text", "markdown"], default="text", help="(default: text)"
    )
    command.add_argument(
        "--output",
        metavar="FILE",
        help='write the rows: .csv, or .parquet (needs the extra "table")',
    )


def study_show(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ._study_results import format_results, load_stored

    results = load_stored(arguments.name, arguments)
    # The tables first: a file that cannot be written must not cost them.
    show(format_results(results, markdown=arguments.format == "markdown"))
    if arguments.output:
        results.save(arguments.output)
    return 0
