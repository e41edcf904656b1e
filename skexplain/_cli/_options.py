"""Options that several commands have."""

import argparse
import os


def positive(text):
    """Read a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def npz_file(text):
    """Read the name of an .npz file to write; numpy would add the ending unasked."""
    if not text.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"must end in .npz, got {text}")
    return text


def add_marks(command, default="irrelevant"):
    """Add ``--marks``; a default of None stands for what an estimator says."""
    command.add_argument(
        "--marks",
        choices=["irrelevant", "relevant"],
        default=default,
        help="what a mark of 1 says: must not matter, or is the reason "
        f"(default: {default or 'what the estimator says'})",
    )


def add_seed(command):
    """Add ``--seed``; not drawn, so that a call can be repeated."""
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all that is random (default: 0)"
    )


def add_n_jobs(command):
    """Add ``--n-jobs``."""
    command.add_argument(
        "--n-jobs",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="processes (default: one per core)",
    )
