"""``skexplain images``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from ._options import npz_file, positive
from ._output import show

SUMMARY = "make data of a folder of pictures and of the export of an annotation tool"

DESCRIPTION = """\
Read the pictures of a folder, one folder per class or a table of names and labels, and, with
--annotations, what was drawn on them: Label Studio, CVAT, LabelMe, Pascal VOC, YOLO, COCO, VIA,
Supervisely, QuPath, DICOM SEG, NIfTI.  Masks land where they were drawn, whatever the size and the
orientation of a picture.
OUTPUT.npz holds "X" (uint8), "names" and, where there are any, "y" (names of classes) and "mask":
  data = numpy.load("data.npz"); clf.fit(data["X"], data["y"], mask=data["mask"])
"""

EXAMPLES = """\
examples:
  skexplain images photos/ data.npz --size 64
  skexplain images photos/ data.npz --size 64 --annotations export.json --mark ruler patch
  skexplain images photos/ data.npz --size 64 96 --labels labels.csv --fit pad --missing empty \\
      --annotations cvat.xml
  skexplain masks inspect data.npz --output picture.png          (draws what was read)
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    command.add_argument("folder", metavar="FOLDER", help="folder of pictures")
    command.add_argument("output", type=npz_file, metavar="OUTPUT.npz", help="file to write")
    command.add_argument(
        "--size",
        nargs="+",
        type=positive,
        metavar="PIXELS",
        help="side, or height and width, of the pictures in X (default: their own)",
    )
    command.add_argument(
        "--labels",
        metavar="FILE.csv",
        help="table of two columns, names and labels (default: the folders are the classes)",
    )
    command.add_argument(
        "--fit",
        choices=["resize", "crop", "pad"],
        default="resize",
        help="pictures of other proportions are stretched, cut or padded (default: resize)",
    )
    command.add_argument(
        "--mode", choices=["RGB", "L"], default="RGB", help="colours, or grey (default: RGB)"
    )
    command.add_argument(
        "--skip-broken",
        action="store_true",
        help="leave broken files out with a warning (default: an error lists them)",
    )
    command.add_argument(
        "--annotations", metavar="PATH", help="file or folder that an annotation tool exported"
    )
    command.add_argument(
        "--mark",
        nargs="+",
        metavar="LABEL",
        help="labels of the tool whose shapes are marked (default: all)",
    )
    command.add_argument(
        "--missing",
        choices=["unknown", "empty", "error"],
        help="a picture that somebody annotated without a shape to mark: not annotated, annotated "
        "with nothing marked, or an error (default: unknown)",
    )
    command.add_argument(
        "--drawn-on",
        choices=["upright", "stored"],
        help="whether the tool turned pictures by their EXIF orientation (default: as the sizes in "
        "the export say)",
    )


def images(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    import numpy as np

    from ..datasets import load_images
    from ..masks import mask_coverage, read_annotations

    options = {"labels": arguments.mark, "missing": arguments.missing}
    options["drawn_on"] = arguments.drawn_on
    given = {name: value for name, value in options.items() if value is not None}
    if given and not arguments.annotations:
        raise ValueError("--mark, --missing and --drawn-on need --annotations, the export.")
    size = arguments.size
    if size is not None and len(size) > 2:
        raise ValueError(f"--size must be one side, or height and width; got {len(size)} numbers.")
    photos = load_images(
        arguments.folder,
        size if size is None or len(size) == 2 else size[0],
        labels=arguments.labels,
        fit=arguments.fit,
        mode=arguments.mode,
        errors="warn" if arguments.skip_broken else "raise",
        verbose=sys.stderr.isatty(),
    )
    arrays = {"X": photos.data, "names": photos.filenames}
    if photos.target is not None:
        numbers = photos.target_names is None  # labels that are numbers with fractions
        arrays["y"] = photos.target if numbers else photos.target_names[photos.target]
    if arguments.annotations:
        arrays["mask"] = read_annotations(arguments.annotations, like=photos, **given)
    np.savez_compressed(arguments.output, **arrays)
    for name, values in arrays.items():
        show(f"{arguments.output}: {name} of shape {values.shape}, {values.dtype}")
    if "y" in arrays:
        classes, counts = np.unique(arrays["y"], return_counts=True)
        if len(classes) <= 20:
            show(", ".join(f"{label}: {n}" for label, n in zip(classes, counts, strict=True)))
    if "mask" in arrays:
        show(mask_coverage(arrays["mask"]))
    return 0
