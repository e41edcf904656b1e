"""``skexplain correct``."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ._model_data import FILES, add_model_and_data, choose_mask, read_data
from ._options import add_seed, positive
from ._output import show

_METHODS = ("auto", "project", "oblique", "reactive", "refit_head", "finetune")
_ENDINGS = (".safetensors", ".joblib")

SUMMARY = "correct a fitted network, so that what must not matter does not"

DESCRIPTION = """\
Correct a fitted network from masks: by directions taken out of its features, a last layer fitted
anew on samples with the irrelevant part of others, or further training. What is best is found by
cross-validation, and held against shuffled masks and random directions: read the report before you
use the result.

A result that ends in .safetensors is a model file like MODEL, with other weights; one that ends in
.joblib is a pickle of skexplain.correction.CorrectedClassifier, with the report and the way back.

"""
DESCRIPTION += FILES

EXAMPLES = """\
examples:
  skexplain correct model.safetensors data.npz --output corrected.safetensors
  skexplain correct model.safetensors train.npz --seen --output corrected.safetensors
  skexplain correct model.safetensors data.npz --method refit_head --output corrected.joblib
  skexplain correct model.safetensors patients.csv --irrelevant ward --output corrected.joblib
"""


def add_arguments(command: ArgumentParser) -> None:
    """Add the arguments to the parser of the command."""
    add_model_and_data(command)
    command.add_argument(
        "--output",
        required=True,
        type=_output_file,
        metavar="FILE",
        help="write the corrected model: .safetensors, or .joblib",
    )
    command.add_argument(
        "--method", choices=_METHODS, default="auto", help="what is done (default: auto)"
    )
    command.add_argument(
        "--layer",
        nargs="+",
        metavar="NAME",
        help="layers among which is chosen, by name, or auto (default: what the last linear layer "
        "is given)",
    )
    command.add_argument(
        "--n-directions",
        type=positive,
        metavar="K",
        help="directions that are taken out (default: by cross-validation)",
    )
    command.add_argument(
        "--seen", action="store_true", help="the model was trained on the samples of DATA"
    )
    command.add_argument("--cache", metavar="FOLDER", help="keep features there, for the next call")
    add_seed(command)


def _output_file(text: str) -> str:
    """Read the name of the file to write."""
    if not text.endswith(_ENDINGS):
        raise argparse.ArgumentTypeError(f"must end in {' or '.join(_ENDINGS)}, got {text}")
    return text


def correct(arguments: Namespace) -> int:
    """Run the command and return its exit status."""
    import joblib
    from sklearn.frozen import FrozenEstimator

    from ..correction import CorrectedClassifier
    from ..metrics._perturb import mask_marks_of
    from ..persistence import save
    from ._files import load_model

    model = load_model(arguments.model, arguments.allow_pickle)
    data = read_data(arguments, model, None)
    mask, marks = choose_mask(arguments, data)
    layer = arguments.layer
    corrected = CorrectedClassifier(
        FrozenEstimator(model),
        method=arguments.method,
        layer=layer[0] if layer and len(layer) == 1 else layer,
        n_directions=arguments.n_directions or "auto",
        mask_marks=marks or mask_marks_of(model),
        seen=arguments.seen,
        cache=arguments.cache,
        random_state=arguments.seed,
    ).fit(data.X, data.y, mask=mask)
    # The report first: a file that cannot be written must not cost it.
    if corrected.report_ is not None:
        show(corrected.report_)
    if corrected.method_ == "nothing":
        show(f"{Path(arguments.output).name} holds the model as it was.")
    if arguments.output.endswith(".joblib"):
        joblib.dump(corrected, arguments.output)
    else:
        save(corrected.to_estimator(), arguments.output)
    return 0
