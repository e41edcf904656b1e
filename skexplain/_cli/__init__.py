"""The ``skexplain`` command.

Most modules that are imported here hold a command each: its texts, its arguments and the function
that runs it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NoReturn

from .. import __version__
from .._text import printable
from . import (
    _audit,
    _compare,
    _convert,
    _images,
    _inspect,
    _propagate,
    _studio,
    _study_list,
    _study_page,
    _study_plot,
    _study_report,
    _study_run,
    _study_show,
)
from ._audit import audit
from ._compare import compare
from ._convert import convert
from ._images import images
from ._inspect import inspect
from ._output import show_error
from ._propagate import propagate
from ._studio import studio
from ._study_list import study_list
from ._study_page import study_page
from ._study_plot import study_plot
from ._study_report import study_report
from ._study_run import study_run
from ._study_show import study_show

_DESCRIPTION = """\
Learn from labels and from the reasons for them.

  skexplain audit             does a model lean on what must not matter?
  skexplain images            make data of a folder of pictures and an annotation tool's export
  skexplain studio            mark pictures in a browser, train again, and compare
  skexplain masks inspect     check masks before a training
  skexplain masks convert     make masks of a COCO file or of a folder of images
  skexplain masks propagate   fill in the masks of samples that are not annotated
  skexplain compare           train every estimator on data with a shortcut, see who is fooled
  skexplain study list        the papers' experiments, and how much of each is stored
  skexplain study run         repeat them; stop at any moment, and go on
  skexplain study show        the tables of a study, or its rows as a file
  skexplain study plot        the pictures of a study
  skexplain study report      one HTML page with all of this
  skexplain study page        a Markdown page per study
"""

_MASKS = """\
Masks say of each feature whether it may matter for the label. Annotate, convert, inspect, and
propagate where only some samples are annotated.
"""

_STUDIES = """\
Studies repeat the experiments of the papers, with controls. Run them, and show what is stored.
"""


def main(argv: Sequence[str] | None = None) -> int:
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
    if hasattr(sys.stdout, "reconfigure"):  # what a terminal cannot show must not cost the rest
        sys.stdout.reconfigure(errors="replace")
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():  # puts showwarning back
            warnings.showwarning = _show_warning
            status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # of head, say, which has read enough
        # The interpreter flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        show_error("interrupted")
        return 130
    except (ImportError, OSError, TypeError, ValueError) as error:
        show_error(f"skexplain: {error}")
        return 1


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning without the line of source code that raised it."""
    show_error(f"skexplain: warning: {message}")


class _Parser(argparse.ArgumentParser):
    """A parser whose messages hold no escape codes; its subparsers are of the same class."""

    def error(self, message: str) -> NoReturn:
        """Print the message, and exit with status 2."""
        super().error(printable(message))


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser("skexplain", description=_DESCRIPTION, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"skexplain {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add(commands, "audit", _audit, audit)
    _add(commands, "images", _images, images)
    _add(commands, "studio", _studio, studio)
    masks = _group(commands, "masks", "inspect, convert, propagate", _MASKS)
    _add(masks, "inspect", _inspect, inspect)
    _add(masks, "convert", _convert, convert)
    _add(masks, "propagate", _propagate, propagate)
    _add(commands, "compare", _compare, compare)
    study = _group(commands, "study", "list, run, show, plot, report, page", _STUDIES)
    _add(study, "list", _study_list, study_list)
    _add(study, "run", _study_run, study_run)
    _add(study, "show", _study_show, study_show)
    _add(study, "plot", _study_plot, study_plot)
    _add(study, "report", _study_report, study_report)
    _add(study, "page", _study_page, study_page)
    return parser


def _group(
    commands: argparse._SubParsersAction, name: str, summary: str, description: str
) -> argparse._SubParsersAction:
    group = commands.add_parser(name, help=summary, description=description)
    return group.add_subparsers(required=True, metavar="command")


def _add(
    commands: argparse._SubParsersAction,
    name: str,
    module: ModuleType,
    run: Callable[[argparse.Namespace], int],
) -> None:
    command = commands.add_parser(
        name,
        help=module.SUMMARY,
        description=module.DESCRIPTION,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command)
    command.set_defaults(run=run)
