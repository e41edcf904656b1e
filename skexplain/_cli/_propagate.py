"""``skexplain masks propagate``."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace

from ._options import add_marks, add_seed, npz_file, positive
from ._output import show

SUMMARY = "fill in the masks of samples that are not annotated"

DESCRIPTION = """\
Learn from the annotated samples what their masks look like, and fill in the others, those with NaN.
DATA.npz holds X (or data) and, unless --mask names it, mask. Printed is how well masks of annotated
samples are predicted that were left out (intersection over union, 1 is best). To draw the result:
  skexplain masks inspect OUTPUT.npz --data DATA.npz --output picture.png
"""

EXAMPLES = """\
examples:
  skexplain masks propagate data.npz filled.npz
  skexplain masks propagate data.npz filled.npz --mask masks.npz --max-side 64
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    command.add_argument("data", metavar="DATA.npz", help="file with X and mask")
    command.add_argument("output", type=npz_file, metavar="OUTPUT.npz", help="file to write")
    command.add_argument(
        "--mask", metavar="FILE", help=".npy or .npz file with the mask (default: in DATA.npz)"
    )
    add_marks(command)
    command.add_argument(
        "--max-side",
        type=positive,
        default=32,
        metavar="N",
        help="images are averaged down to this side; raise it for thin parts (default: 32)",
    )
    add_seed(command)


def propagate(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..estimators import MaskPropagator
    from ..masks import mask_coverage
    from ._files import read_npz, write_masks
    from ._mask_input import read_mask_file

    data = read_npz(arguments.data, ["X"] if arguments.mask else ["X", "mask"], ["names"])
    X, mask, names = data.X, data.get("mask"), data.names
    if arguments.mask:
        mask, names = read_mask_file(arguments.mask)
    start = time.perf_counter()
    propagator = MaskPropagator(
        mask_marks=arguments.marks,
        max_side=arguments.max_side,
        verbose=sys.stderr.isatty(),
        random_state=arguments.seed,
    ).fit(X, mask)
    filled = propagator.fill(X, mask)
    seconds = time.perf_counter() - start
    show(
        f"learnt from {propagator.n_annotated_} of {len(X)} samples; intersection over union on "
        f"samples left out: {propagator.iou_:.3f}; {seconds:.1f} seconds"
    )
    write_masks(arguments.output, filled, names)
    show(f"{arguments.output}: shape {filled.shape}, {filled.dtype}")
    show(mask_coverage(filled))
    return 0
