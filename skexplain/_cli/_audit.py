"""``skexplain audit``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._options import add_marks, add_seed
from ._output import show

if TYPE_CHECKING:
    from sklearn.utils import Bunch

# Not 1 and 2, which errors and wrong arguments end with.
_LEANS = 3

SUMMARY = "report whether a model leans on what must not matter"

DESCRIPTION = """\
Report whether a fitted classifier leans on features that must not matter: each sample is given
what another one marks, or loses its own, and predictions that change were owed to it. Take samples
that the model was not trained on: what it knows by heart hides a lean. Any classifier of
scikit-learn can be audited.

MODEL is a fitted estimator, saved with skexplain.save. With --allow-pickle it may be any classifier
of scikit-learn, saved with joblib.dump or pickle. To load such a file runs code that is in it:
open your own files only.

DATA is an .npz file with X (or data), y (or target) and, as needed, mask, groups and feature_names:
  numpy.savez("data.npz", X=X, y=y, mask=mask)
or a table as .csv (needs pandas) with the labels in the column --target.
"""

EXAMPLES = """\
examples:
  skexplain audit model.safetensors data.npz --output report.html
  skexplain audit model.safetensors data.npz --mask masks.npz --csv numbers.csv
  skexplain audit model.safetensors patients.csv --target died --irrelevant hospital ward
  skexplain audit model.joblib data.npz --allow-pickle
  skexplain audit model.safetensors data.npz --fail-if-leans    (in continuous integration)
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
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
    command.add_argument("--groups", metavar="COLUMN", help=".csv: group of each sample")
    command.add_argument(
        "--epsilon",
        type=float,
        metavar="E",
        help="radius of the certified accuracy (estimators of this package)",
    )
    add_seed(command)
    command.add_argument(
        "--output", metavar="FILE.html", help='write the report (needs the extra "plot")'
    )
    command.add_argument("--csv", metavar="FILE.csv", help="write the numbers")
    command.add_argument(
        "--fail-if-leans", action="store_true", help=f"exit status {_LEANS} where the model leans"
    )


def audit(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    from .. import inspection
    from ..studies import write_csv
    from ..studies._report import require_matplotlib
    from ._files import load_model

    if arguments.output:
        require_matplotlib()  # now rather than after the work; and no window is opened
    model = load_model(arguments.model, arguments.allow_pickle)
    data = _read_data(arguments, model)
    mask, marks = _choose_mask(arguments, data)
    report = inspection.audit(
        model,
        data.X,
        data.y,
        mask,
        group_labels=data.groups,
        mask_marks=marks,
        epsilon=arguments.epsilon,
        feature_names=data.feature_names,
        random_state=arguments.seed,
    )
    report.provenance["data"] = f"{Path(arguments.data).name}: {report.provenance['data']}"
    report.provenance["model"] = f"{Path(arguments.model).name}: {report.provenance['model']}"
    # The numbers first: a file that cannot be written must not cost them.
    show(report)
    if arguments.csv:
        numbers = {"verdict": report.verdict, "reason": report.reason, **report.numbers()}
        rows = [{"name": name, "value": value} for name, value in numbers.items()]
        write_csv(rows, arguments.csv)
    if arguments.output:
        report.to_html(arguments.output)
    return _LEANS if arguments.fail_if_leans and report.verdict == "leans" else 0


def _read_data(arguments: Namespace, model: Any) -> Bunch:
    from ._files import read_npz, read_table

    if Path(arguments.data).suffix.lower() == ".csv":
        columns = getattr(model, "feature_names_in_", None)
        return read_table(arguments.data, arguments.target, arguments.groups, columns)
    return read_npz(arguments.data, ["X", "y"], ["mask", "groups", "feature_names"])


def _choose_mask(arguments: Namespace, data: Bunch) -> tuple[Any, Any]:
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
