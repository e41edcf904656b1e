"""``skexplain study run``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from ._options import add_n_jobs
from ._output import show, show_error
from ._study_options import add_names, add_store

if TYPE_CHECKING:
    from ..studies import Study, StudyResults

SUMMARY = "compute studies, or go on where they were stopped"

DESCRIPTION = """\
Compute the cells of studies that are not stored yet, and print their tables. Each finished cell is
stored at once: stop it with Ctrl-C or by any other means, and the same command goes on. Where
several studies are named, one that lacks its data or fails does not keep the others from running.
"""

EXAMPLES = """\
examples:
  skexplain study run annotation-budget
  skexplain study run annotation-budget --scale paper --n-jobs 8
  skexplain study run tao-sizes --scale paper --seeds 30    (as many as in the paper)
  skexplain study run all --scale paper --scheduler tcp://10.0.0.1:8786    (a Dask cluster)
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_names(command)
    add_store(command)
    add_n_jobs(command)
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help='of a Dask cluster that computes instead of this machine (needs the extra "cluster")',
    )


def study_run(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studies import StudyError, get_study, list_studies
    from ._study_results import format_results

    everything = "all" in arguments.names
    studies = list_studies() if everything else [get_study(name) for name in arguments.names]
    _make_folder(arguments.folder)
    problems = []
    for study in studies:
        try:
            study.prepare(arguments.scale)
        except (ImportError, OSError) as error:
            problems.append(f"{study.name} cannot run: {error}")
            continue
        try:
            results = _run(study, arguments)
        except StudyError as error:
            problems.append(str(error))
            continue
        show(format_results(results), end="\n\n", flush=True)
    for problem in problems:
        show_error(f"skexplain: {problem}")
    return 1 if problems else 0


def _make_folder(folder: str) -> None:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"--folder must be a folder that can be written: {error}") from error


def _run(study: Study, arguments: Namespace) -> StudyResults:
    from ..studies import run_study

    try:
        return run_study(
            study,
            arguments.scale,
            n_seeds=arguments.seeds,
            folder=arguments.folder,
            n_jobs=arguments.n_jobs,
            scheduler=arguments.scheduler,
            progress=True,
        )
    except KeyboardInterrupt:
        _print_state(study, arguments)
        show_error("The same command goes on from there.")
        raise


def _print_state(study: Study, arguments: Namespace) -> None:
    from ._study_results import load

    results = load(study, arguments)
    state = f"{results.n_done} of {results.n_cells} cells are stored in {arguments.folder}"
    show_error(f"{study.name}: {state}")
