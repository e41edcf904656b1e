"""``skexplain audit``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from ._model_data import FILES, add_model_and_data, choose_mask, read_data
from ._options import add_seed
from ._output import show

# Not 1 and 2, which errors and wrong arguments end with.
_LEANS = 3

SUMMARY = "report whether a model leans on what must not matter"

DESCRIPTION = """\
Report whether a fitted model leans on features that must not matter: each sample is given what
another one marks, or loses its own, and predictions that change were owed to it. Take samples that
the model was not trained on: what it knows by heart hides a lean. Any classifier or regressor of
scikit-learn can be audited.

"""
DESCRIPTION += FILES

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
    add_model_and_data(command)
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
    data = read_data(arguments, model, arguments.groups)
    mask, marks = choose_mask(arguments, data)
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
