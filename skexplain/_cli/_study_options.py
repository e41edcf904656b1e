"""Arguments that several of the ``skexplain study`` commands have."""

from __future__ import annotations

from argparse import ArgumentParser

from ._options import positive

# As studies._study.SCALES: to import that room takes seconds, and --help needs them.
SCALES = ("quick", "paper")


def add_names(command: ArgumentParser, what: str = "studies, by name; all: all of them") -> None:
    """Add the names of studies."""
    command.add_argument("names", nargs="+", metavar="NAME", help=what)


def add_name(command: ArgumentParser) -> None:
    """Add the name of one study."""
    command.add_argument("name", metavar="NAME", help="study, as skexplain study list names it")


def add_store(command: ArgumentParser) -> None:
    """Add ``--scale``, ``--seeds`` and ``--folder``: which cells, and where they are kept."""
    command.add_argument(
        "--scale",
        choices=SCALES,
        default="quick",
        help="quick: a minute, to see that it runs; paper: what a claim rests on (default: quick)",
    )
    command.add_argument(
        "--seeds",
        type=positive,
        metavar="N",
        help="repetitions of each cell, with seeds 0 to N - 1 (default: as the study declares)",
    )
    command.add_argument(
        "--folder",
        default="study-results",
        metavar="DIR",
        help="where finished cells are kept (default: study-results)",
    )
