"""``skexplain masks inspect``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from ._options import add_marks, add_mask_input
from ._output import show

if TYPE_CHECKING:
    import numpy as np

SUMMARY = "check masks before a training"

DESCRIPTION = """\
Print the shape of masks, how many samples are annotated and how much of them is marked; raise an
error for values that are no marks. Samples that should be annotated and are not, masks that mark
nothing and masks that mark everything are all legal, and all lead to a disappointing model.
"""

EXAMPLES = """\
examples:
  skexplain masks inspect masks.npz
  skexplain masks inspect data.npz --output picture.png          (drawn on X, if it is there)
  skexplain masks inspect masks.npz --data data.npz --output picture.png
  skexplain masks inspect instances.json --categories ruler --size 64 64 --resize area
"""

_N_ROWS = 4


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_mask_input(command)
    add_marks(command)
    command.add_argument(
        "--output", metavar="FILE.png", help='draw some samples (needs the extra "plot")'
    )
    command.add_argument(
        "--data", metavar="FILE.npz", help="with X (or data), on which masks are drawn"
    )


def inspect(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..masks import mask_coverage
    from ._mask_input import read_masks

    mask, _ = read_masks(arguments)
    show(f"{arguments.input}: shape {mask.shape}, {mask.dtype}")
    coverage = mask_coverage(mask)
    show(coverage)
    show(_hint(coverage.quantiles[0.5], arguments.marks))
    if arguments.output:
        _draw(arguments, mask, coverage)
    return 0


def _hint(median: float, marks: str) -> str:
    meaning = {"irrelevant": "must not matter", "relevant": "is the reason"}[marks]
    hint = f'A mark is read as "{meaning}" (mask_marks="{marks}").'
    # What must not matter mostly takes less than half of a sample, and so does the reason.
    if median > 0.5:
        hint += (
            " More than half is marked in most samples: if it is the rest that you meant to mark, "
            "turn the masks round (skexplain masks convert --invert)."
        )
    return hint


def _draw(arguments: Namespace, mask: np.ndarray, coverage: Any) -> None:
    import numpy as np

    from ..inspection import MaskDisplay
    from ..studies._report import require_matplotlib

    pyplot = require_matplotlib()
    X = _inputs(arguments)
    rows = np.flatnonzero(coverage.marked > 0)[:_N_ROWS]
    display = MaskDisplay.from_mask(
        np.zeros(mask.shape) if X is None else X,
        mask,
        mask_marks=arguments.marks,
        rows=rows if len(rows) else None,
    )
    display.figure_.savefig(arguments.output, dpi=150)
    pyplot.close(display.figure_)


def _inputs(arguments: Namespace) -> np.ndarray | None:
    """Return X from where it was said to be or, if it is there, from beside the mask."""
    from ._files import read_npz

    if arguments.data:
        return read_npz(arguments.data, ["X"]).X
    return read_npz(arguments.input, optional=["X"]).X if arguments.input.endswith(".npz") else None
