"""Run one task of a project in a process of its own: ``python -m skexplain.studio._worker``."""

from __future__ import annotations

import json
import sys

from ._project import Project
from ._tasks import TASKS


def send(record: dict[str, object]) -> None:
    """Write a record for the server to read."""
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def main(folder: str, task: str) -> int:
    """Run a task; each line of the output is a JSON record of how far it is.

    Returns
    -------
    int
        1 if it failed; the last record then says why.
    """

    def report(share: float, text: str) -> None:
        send({"share": share, "text": text})

    try:
        TASKS[task](Project(folder), report=report)
    except Exception as error:  # the page shows it, whatever it is
        send({"error": f"{error}" or type(error).__name__})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
