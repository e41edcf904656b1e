"""``skexplain compare``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ._options import add_n_jobs, positive
from ._output import show

# As studies.DATASETS and studies.ESTIMATORS: to import that room takes seconds, and --help needs
# only the names.
DATASETS = ("decoy-corner", "decoy-half", "decoy-half-images")
ESTIMATORS = (
    "erm",
    "group-dro",
    "swap-ex",
    "avg-ex",
    "counterexample",
    "grad-reg",
    "grad-reg-random",
    "grad-reg-adversarial",
    "grad-reg-certified",
    "rr-clarc",
    "tap",
    "energy",
    "pgd-ex",
    "pgd-ex+grad-reg",
    "ibp-ex",
    "ibp-ex+grad-reg",
    "cdep",
    "hint",
    "influence",
    "grad-cam",
    "two-stage",
)

SUMMARY = "train every estimator on data with a shortcut"

DESCRIPTION = """\
Train estimators on images in which a shade of grey gives the label away in training and lies in the
test set. Each that learns from masks is trained with them and, as a control, with masks shuffled
between samples; beside them stand the plain network (erm) and the same without the shortcut in its
training data, the ceiling. Printed are accuracy, its mean over groups and that of the worst group
(mean and standard deviation over seeds), and the gain in mean-group accuracy over erm and over
shuffled masks, paired over seeds, with its standard error.
"""

EXAMPLES = """\
examples:
  skexplain compare
  skexplain compare --dataset decoy-half --estimators grad-reg pgd-ex --seeds 10
  skexplain compare --output rows.csv --plot picture.png
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    _add_choice(command, "--dataset", DATASETS, "data sets")
    _add_choice(command, "--estimators", ESTIMATORS, "estimators; erm is always there")
    command.add_argument(
        "--seeds", type=positive, default=3, metavar="N", help="repetitions (default: 3)"
    )
    command.add_argument(
        "--epochs", type=positive, default=30, metavar="N", help="epochs of a fit (default: 30)"
    )
    add_n_jobs(command)
    command.add_argument("--output", metavar="FILE.csv", help="write a line per fit")
    command.add_argument(
        "--plot", metavar="FILE.png", help='draw the result (needs the extra "plot")'
    )


def _add_choice(command: ArgumentParser, option: str, names: Sequence[str], what: str) -> None:
    command.add_argument(
        option,
        nargs="+",
        choices=names,
        metavar="NAME",
        help=f"{what}, of: {', '.join(names)} (default: all)",
    )


def compare(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from .. import studies

    rows = studies.compare(
        arguments.dataset,
        arguments.estimators,
        seeds=arguments.seeds,
        max_epochs=arguments.epochs,
        n_jobs=arguments.n_jobs,
        progress=True,
    )
    # The numbers first: a file that cannot be written must not cost them.
    show(studies.format_table(studies.summarise(rows)))
    if arguments.output:
        studies.write_csv(rows, arguments.output)
    if arguments.plot:
        studies.plot_comparison(rows, arguments.plot)
    return 0
