"""``skexplain studio``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ._options import add_seed, positive
from ._output import show

SUMMARY = "mark pictures, texts or columns in a browser, train again, and compare"

DESCRIPTION = """\
Open a local page for pictures or texts with their classes, or for a table: train on the labels, see
what the model leans on, mark what must not matter, train again, compare, and take masks, model and
a script away.  DATA is a folder with one folder of pictures, or of .txt files, per class; a .csv,
.json or .jsonl file with texts and labels; a table, as .csv or .npz; or pictures as .npz, with
arrays X, y and, if there are masks already, mask.  It is only read: what is marked lies in the
folder of the project, as plain files.  A project that is there already goes on with the settings
that it was made with.  Needs pip install "skexplain[studio]", and for tables
"skexplain[studio,table]".  Ctrl-C ends it; nothing is lost.
"""

EXAMPLES = """\
examples:
  skexplain studio photos/
  skexplain studio photos/ --project trial/ --size 64 --fit crop
  skexplain studio letters.csv --text letter --label diagnosis
  skexplain studio patients.csv --kind table --label outcome
  skexplain studio photos/ --model trained.safetensors
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    command.add_argument("data", metavar="DATA", help="folder with a folder per class, or a file")
    command.add_argument(
        "--kind",
        choices=["pictures", "texts", "table"],
        help="what DATA has (default: what its files show)",
    )
    command.add_argument("--text", metavar="COLUMN", help="column of the texts")
    command.add_argument(
        "--label", metavar="COLUMN", help="column of the classes (default: one of a usual name)"
    )
    command.add_argument(
        "--project",
        metavar="FOLDER",
        help='folder of the project (default: beside DATA, with "-studio" in its name)',
    )
    command.add_argument(
        "--size",
        nargs="+",
        type=positive,
        default=[96],
        metavar="PIXELS",
        help="of pictures: side, or height and width, of what the models are given (default: 96)",
    )
    command.add_argument(
        "--fit",
        choices=["resize", "crop", "pad"],
        default="pad",
        help="pictures of other proportions are stretched, cut or padded (default: pad)",
    )
    command.add_argument(
        "--network",
        choices=["pretrained", "small"],
        help="of pictures: a new last layer on pretrained weights, or a small network from scratch "
        "(default: the former where its weights are installed, see the extra weights)",
    )
    command.add_argument(
        "--max-epochs",
        type=positive,
        metavar="N",
        help="of a training (default: 30 for pictures, 15 on pretrained weights, 40 for texts, "
        "60 for tables)",
    )
    command.add_argument(
        "--host",
        default="127.0.0.1",
        help="where to listen; 0.0.0.0: at all addresses (default: 127.0.0.1)",
    )
    command.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="name of this machine by which the page may be opened, beside its addresses",
    )
    command.add_argument("--port", type=int, default=0, help="port (default: a free one)")
    command.add_argument(
        "--model",
        metavar="FILE",
        help="model file that is looked at and corrected, instead of a first model",
    )
    command.add_argument(
        "--no-training", action="store_true", help="do not train a first model at once"
    )
    command.add_argument(
        "--no-browser", action="store_true", help="print the address, and open no browser"
    )
    add_seed(command)


def studio(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..studio import Project, serve
    from ..studio._source import find_source
    from ..studio._tasks import take

    source = Path(arguments.data)
    here = source.resolve()
    name = here.stem if here.is_file() else here.name
    path = Path(arguments.project or here.parent / f"{name}-studio")
    size = arguments.size
    if len(size) > 2:
        raise ValueError(f"--size must be one side, or height and width; got {len(size)} numbers.")
    if (path / "project.json").exists():
        project = Project(path)
        find_source(project, source)
        show(f"{path}: going on with {len(project)} {project.data.items}")
    else:
        project = Project.create(
            path,
            source,
            kind=arguments.kind,
            text=arguments.text,
            label=arguments.label,
            size=(size[0], size[-1]),
            fit=arguments.fit,
            network=arguments.network,
            max_epochs=arguments.max_epochs,
            random_state=arguments.seed,
            verbose=sys.stderr.isatty(),
        )
        show(f"{path}: {len(project)} {project.data.items}")
    if project.data.network:
        show(f"what is trained: {project.data.network}")
    if arguments.model is not None:
        take(project, Path(arguments.model))
    serve(
        project,
        host=arguments.host,
        port=arguments.port,
        names=arguments.name,
        open_browser=not arguments.no_browser,
        train=not arguments.no_training,
        show=lambda text: show(text, flush=True),
    )
    return 0
