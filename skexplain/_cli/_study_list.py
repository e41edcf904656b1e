"""``skexplain study list``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ._output import show
from ._study_options import add_store

SUMMARY = "list the studies, and how much of each is stored"

DESCRIPTION = """\
List the studies that are installed: with skexplain-papers (python -m pip install ./papers in a
checkout) the papers' tables and figures, and questions of our own. "stored" says how many of a
study's cells --folder holds; a study that is running can be watched.
"""

EXAMPLES = """\
examples:
  skexplain study list
  skexplain study list --scale paper
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_store(command)


def study_list(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studies import list_studies
    from ..studies._all_studies import NONE_INSTALLED
    from ..studies._table import align
    from ._study_results import load

    rows = [("name", "stored", "source", "title")]
    studies = list_studies()
    if not studies:
        print(f"skexplain: {NONE_INSTALLED}", file=sys.stderr)
    for study in studies:
        results = load(study, arguments)
        stored = f"{results.n_done} of {results.n_cells}"
        rows.append((study.name, stored, study.source or "-", study.title))
    show("\n".join(align(rows, n_left=len(rows[0]))))
    return 0
