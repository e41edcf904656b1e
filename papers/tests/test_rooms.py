"""The house beside: what it takes from skexplain is public, but for what is listed here."""

import ast
from importlib.metadata import requires
from pathlib import Path

import skexplain
import skexplain_papers

PACKAGE = Path(skexplain_papers.__file__).parent

#: Private names of skexplain: parts of its data sets and networks that the papers vary.
PRIVATE = {
    "skexplain.datasets._data_home.require_files",
    "skexplain.datasets._decoy_mnist.decoy_mnist",
    "skexplain.datasets._images.channels_first",
    "skexplain.datasets._images.read_image",
    "skexplain.datasets._images.resize",
    "skexplain.datasets._mnist.load_mnist",
    "skexplain.datasets._planes._three_classes",
    "skexplain.datasets._planes._two_classes",
    "skexplain.inspection._captum.require_captum",
    "skexplain.penalties._average_case.shift_images",
    "skexplain.training._architectures.Standardize",
    "skexplain.training._batches.batch_sizes",
}


def imported(path):
    """Names that a module imports from skexplain."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skexplain":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_what_is_private_is_listed():
    names = {name for path in PACKAGE.rglob("*.py") for name in imported(path)}
    assert {"skexplain.studies.Cell", "skexplain.studies.tools.gains_table"} <= names
    assert {name for name in names if "._" in name} == PRIVATE


def test_files_stay_small():
    sizes = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in PACKAGE.rglob("*.py")}
    assert max(sizes.values()) <= 420


def test_it_belongs_to_this_version():
    """Stored results are of one version, and so is what is private."""
    assert skexplain_papers.__version__ == skexplain.__version__
    assert f"skexplain[data,plot,studies]=={skexplain.__version__}" in requires("skexplain-papers")
