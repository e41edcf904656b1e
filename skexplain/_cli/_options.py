"""Options that several commands have."""

from __future__ import annotations

import argparse
import os
from argparse import ArgumentParser


def positive(text: str) -> int:
    """Read a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def npz_file(text: str) -> str:
    """Read the name of an .npz file to write; numpy would add the ending unasked."""
    if not text.endswith(".npz"):
        raise argparse.ArgumentTypeError(f"must end in .npz, got {text}")
    return text


def add_marks(command: ArgumentParser, default: str | None = "irrelevant") -> None:
    """Add ``--marks``; a default of None stands for what an estimator says."""
    command.add_argument(
        "--marks",
        choices=["irrelevant", "relevant"],
        default=default,
        help="what a mark of 1 says: must not matter, or is the reason "
        f"(default: {default or 'what the estimator says'})",
    )


def add_seed(command: ArgumentParser) -> None:
    """Add ``--seed``; not drawn, so that a call can be repeated."""
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all that is random (default: 0)"
    )


def add_n_jobs(command: ArgumentParser) -> None:
    """Add ``--n-jobs``."""
    command.add_argument(
        "--n-jobs",
        type=int,
        default=os.cpu_count(),
        metavar="N",
        help="processes (default: one per core)",
    )


def add_mask_input(command: ArgumentParser) -> None:
    """Add the input, and how it is read; what is not given is left to the library's defaults."""
    command.add_argument(
        "input",
        metavar="INPUT",
        help="folder of mask images (one per sample), COCO file .json, or array .npy or .npz "
        '(then "mask", or the only array in it)',
    )
    command.add_argument(
        "--names",
        metavar="FILE.txt",
        help="names of X's images, one per line, in the order of the samples of X "
        "(default: all images that have masks, in the order of the file, or of the alphabet)",
    )
    command.add_argument(
        "--missing",
        choices=["unknown", "empty", "error"],
        help="a sample without marks: not annotated, annotated as having none, or an error "
        "(default: unknown)",
    )
    command.add_argument(
        "--size", nargs=2, type=positive, metavar=("H", "W"), help="height and width of X's images"
    )
    command.add_argument(
        "--resize",
        choices=["area", "nearest"],
        help="bring masks to --size, where X shows the whole images at another size: "
        "shares of a pixel, or the pixel below its centre (default: another size is an error)",
    )
    command.add_argument(
        "--categories", nargs="+", metavar="NAME", help="COCO: what to mark (default: all)"
    )
    command.add_argument(
        "--unit",
        choices=["pixel", "share", "percent"],
        help="COCO: what coordinates are (default: pixels, unless all lie within one)",
    )
    command.add_argument(
        "--suffix", help='folder: what follows a name, such as "_segmentation.png" (default: .png)'
    )
    command.add_argument(
        "--marked",
        nargs="+",
        metavar="WHAT",
        help='folder: which pixels are marked, "auto", "nonzero", "degree", "alpha" or grey values '
        "(default: auto, what is drawn in one colour on black or transparent)",
    )
