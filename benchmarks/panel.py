"""Measure what estimators do with their defaults, on a panel of tasks.

    python benchmarks/panel.py                    # all: about an hour of one core
    python benchmarks/panel.py --seeds 1          # one repetition
    python benchmarks/panel.py --jobs 2           # in two processes
    python benchmarks/panel.py --quick            # half a minute, to see that it runs
    python benchmarks/panel.py --show             # the tables of what is stored; no fits

The tasks, the methods and the tables are those of the study "defaults", which stands beside the
papers' studies (python -m pip install ./papers); `skexplain study page defaults --scale paper`
writes its page.  A run that was stopped goes on where it was, and cells
that failed are tried again.  Photographs, tweets and messages are read from the folder that
SKEXPLAIN_DATA names; tasks whose files are missing are left out.
"""

import argparse
import sys

from skexplain.studies import StudyError, load_results, run_study

STUDY = "defaults"


def main(arguments=None):
    """Run what is missing, print the tables, and return the exit status."""
    chosen = _parse(arguments)
    stored = {"n_seeds": chosen.seeds, "folder": chosen.folder}
    scale = "quick" if chosen.quick else "paper"
    failure = None
    if not chosen.show:
        try:
            run_study(STUDY, scale, n_jobs=chosen.jobs, progress=True, **stored)
        except StudyError as error:
            failure = error
    results = load_results(STUDY, scale, **stored)
    print(f"{results.n_done} of {results.n_cells} cells")
    for table in results.tables() if results.rows else []:
        print(f"\n{table.to_text()}")
    if failure is not None:
        print(f"\n{failure}", file=sys.stderr)
    return int(failure is not None)


def _parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, help="repetitions (default: as the study declares)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--folder", default="study-results", help="of finished cells")
    parser.add_argument("--quick", action="store_true", help="few tasks and short fits")
    parser.add_argument("--show", action="store_true", help="print what is stored; no fits")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
