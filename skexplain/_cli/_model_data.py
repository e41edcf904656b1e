"""A model, samples and masks, as the commands take them that run a model."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._options import add_marks

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# What MODEL and DATA are, for the description of a command.
FILES = """\
MODEL is a fitted estimator, saved with skexplain.save. With --allow-pickle it may be any classifier
of scikit-learn, saved with joblib.dump or pickle. To load such a file runs code that is in it:
open your own files only.

DATA is an .npz file with X (or data), y (or target) and, as needed, mask, groups and feature_names:
  numpy.savez("data.npz", X=X, y=y, mask=mask)
or a table as .csv (needs pandas) with the labels in the column --target.
"""


def add_model_and_data(command: ArgumentParser) -> None:
    """Add the model, the data, and what must not matter in these."""
    command.add_argument("model", metavar="MODEL", help="fitted classifier (skexplain.save)")
    command.add_argument(
        "--allow-pickle",
        action="store_true",
        help="load MODEL from joblib or pickle, which runs code that is in the file",
    )
    command.add_argument("data", metavar="DATA", help=".npz or .csv file")
    masks = command.add_mutually_exclusive_group()
    masks.add_argument(
        "--mask", metavar="FILE", help=".npy or .npz file with the mask (default: in DATA)"
    )
    masks.add_argument(
        "--irrelevant", nargs="+", metavar="COLUMN", help="columns that must not matter, by name"
    )
    add_marks(command, default=None)
    command.add_argument(
        "--target", default="target", metavar="COLUMN", help=".csv: labels (default: target)"
    )


def read_data(arguments: Namespace, model: Any, groups: str | None) -> Bunch:
    """Read the samples that the arguments name, with the columns that a model was fitted on."""
    from ._files import read_npz, read_table

    if Path(arguments.data).suffix.lower() == ".csv":
        columns = getattr(model, "feature_names_in_", None)
        return read_table(arguments.data, arguments.target, groups, columns)
    return read_npz(arguments.data, ["X", "y"], ["mask", "groups", "feature_names"])


def choose_mask(arguments: Namespace, data: Bunch) -> tuple[Any, Any]:
    """Return the mask and what it marks; columns that are named irrelevant are."""
    from ..masks import mask_from_columns
    from ._mask_input import read_mask_file

    if arguments.irrelevant:
        if data.feature_names is None:
            raise ValueError(
                f'--irrelevant needs names of the columns: {arguments.data} has no "feature_names".'
            )
        return mask_from_columns(list(data.feature_names), arguments.irrelevant), "irrelevant"
    mask = read_mask_file(arguments.mask)[0] if arguments.mask else data.mask
    if mask is None:
        raise ValueError(
            f"{arguments.data} holds no mask: pass --mask FILE, or --irrelevant COLUMN ... for a "
            "table."
        )
    return mask, arguments.marks
