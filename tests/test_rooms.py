"""The house: imports run one way, rooms stay small, and nothing optional is needed to import."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skexplain

PACKAGE = Path(skexplain.__file__).parent

# A room may import from the floors below its own.
FLOORS = [
    {"_checks", "exceptions"},
    {"masks", "propagation"},
    {"metrics"},
    {"penalties"},
    {"training"},
    {"estimators"},
    {"model_selection", "datasets", "inspection", "correction"},
    {"studies"},
    {"_cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms of this package that a module imports from, by relative or absolute import."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            yield from [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skexplain."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("skexplain."))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    room = room_of(path)
    if room == "__init__":
        return
    for other in imported_rooms(path):
        if other in FLOOR and other != room:
            assert FLOOR[other] < FLOOR[room], f"{room} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_partners_are_known_in_one_place(path):
    text = path.read_text(encoding="utf-8")
    if re.search(r"^\s*(import|from) skorch", text, re.MULTILINE):
        assert room_of(path) == "training"
    if "sklearn.utils._param_validation" in text:
        assert path.name == "_parameters.py"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_one_room(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


OPTIONAL = ["captum", "distributed", "matplotlib", "pandas", "PIL", "pooch", "pyarrow"]


@pytest.mark.parametrize("missing", OPTIONAL)
def test_imports_without_what_is_optional(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import skexplain, skexplain.studies, skexplain._cli, skexplain.datasets\n"
        "import skexplain.metrics, skexplain.masks, skexplain.penalties, skexplain.inspection\n"
        "import skexplain.correction\n"
        "import numpy as np\n"
        "X, y = np.eye(20, 4), np.arange(20) % 2\n"
        "mask = np.array([[True, False, False, False]])\n"
        "skexplain.GradRegClassifier(max_epochs=1).fit(X, y, mask=mask).predict(X)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path.home())
