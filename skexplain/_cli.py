"""The ``skexplain`` command."""

import argparse
import os
import sys

from . import __version__
from .studies import (
    DATASETS,
    ESTIMATORS,
    compare,
    format_table,
    plot_comparison,
    summarise,
    write_csv,
)

_DESCRIPTION = """\
Learn from labels and from the reasons for them.

  skexplain compare           train every estimator on data with a shortcut, see who is fooled
"""

_COMPARE = """\
Train estimators on images in which a shade of grey gives the label away in training and lies in the
test set. Each that learns from masks is trained with them and, as a control, with masks shuffled
between rows; beside them stand the plain network (erm) and the same without the shortcut in its
training data, the ceiling. Printed are accuracy, its mean over groups and that of the worst group
(mean and standard deviation over seeds), and the gain in mean-group accuracy over erm and over
shuffled masks, paired over seeds, with its standard error.
"""

_EXAMPLES = """\
examples:
  skexplain compare
  skexplain compare --dataset decoy-half --estimators grad-reg pgd-ex --seeds 10
  skexplain compare --output rows.csv --plot picture.png
"""


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None: those of the process.

    Returns
    -------
    int
        Exit status.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ImportError, OSError, ValueError) as error:
        print(f"skexplain: {error}", file=sys.stderr)
        return 1


def _parser():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("skexplain", description=_DESCRIPTION, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"skexplain {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser(
        "compare",
        help="train every estimator on data with a shortcut",
        description=_COMPARE,
        epilog=_EXAMPLES,
        formatter_class=raw,
    )
    _add_choice(command, "--dataset", DATASETS, "data sets")
    _add_choice(command, "--estimators", ESTIMATORS, "estimators; erm is always there")
    command.add_argument(
        "--seeds", type=_positive, default=3, metavar="N", help="repetitions (default: 3)"
    )
    command.add_argument(
        "--epochs", type=_positive, default=30, metavar="N", help="epochs of a fit (default: 30)"
    )
    command.add_argument(
        "--n-jobs",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="processes (default: one per core)",
    )
    command.add_argument("--output", metavar="FILE.csv", help="write a line per fit")
    command.add_argument(
        "--plot", metavar="FILE.png", help='draw the result (needs the extra "plot")'
    )
    command.set_defaults(run=_run_compare)
    return parser


def _add_choice(command, name, catalogue, what):
    command.add_argument(
        name,
        nargs="+",
        choices=list(catalogue),
        metavar="NAME",
        help=f"{what}, of: {', '.join(catalogue)} (default: all)",
    )


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _run_compare(arguments):
    rows = compare(
        arguments.dataset,
        arguments.estimators,
        seeds=arguments.seeds,
        max_epochs=arguments.epochs,
        n_jobs=arguments.n_jobs,
        progress=sys.stderr.isatty(),
    )
    # The numbers first: a file that cannot be written must not cost them.
    print(format_table(summarise(rows)))
    if arguments.output:
        write_csv(rows, arguments.output)
    if arguments.plot:
        plot_comparison(rows, arguments.plot)
    return 0
