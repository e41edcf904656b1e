"""``skexplain study report``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ._output import show
from ._study_options import add_store

if TYPE_CHECKING:
    from ..studies import StudyResults

SUMMARY = "one HTML page with tables and pictures of all studies"

DESCRIPTION = """\
Write one self-contained HTML page about the studies that have results: what each asks, its tables
and pictures, and how to repeat it (needs the extra "plot").
"""

EXAMPLES = """\
examples:
  skexplain study report
  skexplain study report annotation-budget --scale paper --output budget.html
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    command.add_argument(
        "names", nargs="*", metavar="NAME", help="studies (default: all that have results)"
    )
    add_store(command)
    command.add_argument(
        "--output", default="report.html", metavar="FILE.html", help="(default: report.html)"
    )


def study_report(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studies import write_report
    from ._study_results import load_stored

    if arguments.names:
        results = [load_stored(name, arguments) for name in arguments.names]
    else:
        results = _all_stored(arguments)
    write_report(results, arguments.output)
    show(arguments.output)
    return 0


def _all_stored(arguments: Namespace) -> list[StudyResults]:
    from ..studies import list_studies
    from ..studies._study_report import shell_command
    from ._study_results import load

    loaded = [load(study, arguments) for study in list_studies()]
    results = [result for result in loaded if result.n_done]
    if not results:
        raise ValueError(
            f"nothing is stored in {arguments.folder} at scale {arguments.scale}. To compute it: "
            + shell_command("all", arguments.scale, arguments.seeds)
        )
    return results
