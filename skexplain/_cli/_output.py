"""Output of the command to the terminal, in which names may hold escape codes."""

from __future__ import annotations

import sys

from .._text import printable


def show(text: object, *, end: str = "\n", flush: bool = False) -> None:
    """Write text to the standard output; of its control characters only line breaks act."""
    print(printable(text, keep="\n"), end=end, flush=flush)


def show_error(text: object) -> None:
    """Write text to the standard error, as :func:`show` does."""
    print(printable(text, keep="\n"), file=sys.stderr, flush=True)
