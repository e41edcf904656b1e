"""``skexplain studio``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ._options import add_seed, positive
from ._output import show

SUMMARY = "mark pictures in a browser, train again, and compare"

DESCRIPTION = """\
Open a local page for a folder with one folder of pictures per class: train on the labels, see what
the model leans on, mark what must not matter, train again, compare, and take masks, model and a
script away.  What is marked lies in the folder of the project, as plain files; the pictures are
only read.  A project that is there already goes on with the settings that it was made with.
Needs pip install "skexplain[studio]".  Ctrl-C ends it; nothing is lost.
"""

EXAMPLES = """\
examples:
  skexplain studio photos/
  skexplain studio photos/ --project trial/ --size 64 --fit crop
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    command.add_argument("folder", metavar="FOLDER", help="folder with a folder per class")
    command.add_argument(
        "--project",
        metavar="FOLDER",
        help='folder of the project (default: beside the pictures, with "-studio" in its name)',
    )
    command.add_argument(
        "--size",
        nargs="+",
        type=positive,
        default=[96],
        metavar="PIXELS",
        help="side, or height and width, of what the models are given (default: 96)",
    )
    command.add_argument(
        "--fit",
        choices=["resize", "crop", "pad"],
        default="pad",
        help="pictures of other proportions are stretched, cut or padded (default: pad)",
    )
    command.add_argument(
        "--max-epochs", type=positive, default=30, metavar="N", help="of a training (default: 30)"
    )
    command.add_argument("--host", default="127.0.0.1", help="where to listen (default: 127.0.0.1)")
    command.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    command.add_argument(
        "--no-browser", action="store_true", help="print the address, and open no browser"
    )
    add_seed(command)


def studio(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studio import Project, serve

    folder = Path(arguments.folder)
    path = Path(arguments.project or folder.resolve().parent / f"{folder.resolve().name}-studio")
    size = arguments.size
    if len(size) > 2:
        raise ValueError(f"--size must be one side, or height and width; got {len(size)} numbers.")
    if (path / "project.json").exists():
        project = Project(path)
        if not Path(project.settings["pictures"]).samefile(folder):
            raise ValueError(
                f"{path} is the project of {project.settings['pictures']}; pass another --project."
            )
        show(f"{path}: going on with {len(project)} pictures")
    else:
        project = Project.create(
            path,
            folder,
            size=(size[0], size[-1]),
            fit=arguments.fit,
            max_epochs=arguments.max_epochs,
            random_state=arguments.seed,
            verbose=sys.stderr.isatty(),
        )
        show(f"{path}: {len(project)} pictures")
    serve(
        project,
        host=arguments.host,
        port=arguments.port,
        open_browser=not arguments.no_browser,
        show=lambda text: show(text, flush=True),
    )
    return 0
