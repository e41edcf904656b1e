"""``skexplain masks convert``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ._options import add_mask_input, npz_file
from ._output import show

SUMMARY = "make masks of a COCO file or of a folder of images"

DESCRIPTION = """\
Make masks that fit(mask=...) takes of what an annotation tool wrote: a COCO file (CVAT, Label
Studio, Roboflow, VIA) or a folder with one mask image per sample; or resize or invert masks in an
array.
OUTPUT.npz holds "mask" and, where samples have names, "names":
  mask = numpy.load("masks.npz")["mask"]
Samples are joined to X by name: --names lists the images of X in the order of its samples.
"""

EXAMPLES = """\
examples:
  skexplain masks convert instances.json masks.npz --names images.txt --categories ruler patch
  skexplain masks convert masks/ masks.npz --suffix _segmentation.png --size 64 64 --resize area
  skexplain masks convert masks/ masks.npz --names images.txt --missing empty
  skexplain masks convert reasons.npz masks.npz --invert
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_mask_input(command)
    command.add_argument("output", type=npz_file, metavar="OUTPUT.npz", help="file to write")
    command.add_argument(
        "--invert", action="store_true", help="mark what is not marked, and the other way round"
    )


def convert(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from ..masks import invert_mask, mask_coverage
    from ._files import write_masks
    from ._mask_input import read_masks

    mask, names = read_masks(arguments)
    coverage = mask_coverage(mask)  # raises for what is no mask
    if arguments.invert:
        mask, coverage = invert_mask(mask), None
    write_masks(arguments.output, mask, names)
    show(f"{arguments.output}: shape {mask.shape}, {mask.dtype}")
    show(coverage or mask_coverage(mask))
    return 0
