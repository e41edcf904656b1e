"""Check that imports run one way, that files stay short, and that nothing optional is needed to
import.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import skexplain

PACKAGE = Path(skexplain.__file__).parent

# A room may import from the floors below its own.
FLOORS = [
    {"_checks", "_surroundings", "_text", "_typing", "exceptions"},
    {"masks", "propagation"},
    {"metrics"},
    {"penalties"},
    {"training"},
    {"estimators"},
    {"model_selection", "datasets", "inspection", "persistence", "correction"},
    {"studies", "studio"},
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


def of_all_files(rule):
    """What a rule finds in each file, under the names of those in which it finds something."""
    found = {str(path.relative_to(PACKAGE)): list(rule(path)) for path in MODULES}
    return {name: findings for name, findings in found.items() if findings}


def test_imports_run_downwards():
    def upward(path):
        room = room_of(path)
        if room != "__init__":
            for other in imported_rooms(path):
                if other in FLOOR and other != room and FLOOR[other] >= FLOOR[room]:
                    yield f"{room} imports {other}"

    assert of_all_files(upward) == {}


def test_partners_are_known_in_one_place():
    def misplaced(path):
        text = path.read_text(encoding="utf-8")
        if (
            re.search(r"^\s*(import|from) skorch", text, re.MULTILINE)
            and room_of(path) != "training"
        ):
            yield "skorch"
        if "sklearn.utils._param_validation" in text and path.name != "_parameters.py":
            yield "sklearn.utils._param_validation"

    assert of_all_files(misplaced) == {}


def test_a_file_is_one_room():
    def too_long(path):
        if (n_lines := len(path.read_text(encoding="utf-8").splitlines())) > 420:
            yield n_lines

    assert of_all_files(too_long) == {}


OPTIONAL = [
    *("accelerate", "captum", "distributed", "filelock", "kornia", "matplotlib", "nibabel", "onnx"),
    *("pandas", "PIL", "pooch", "pyarrow", "pydicom"),
]


def test_imports_without_what_is_optional():
    """All packages are missing at once, so each of them is missing."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n"
        "import skexplain, skexplain.studies, skexplain._cli, skexplain.datasets\n"
        "import skexplain.metrics, skexplain.masks, skexplain.penalties, skexplain.inspection\n"
        "import skexplain.correction\n"
        "import numpy as np\n"
        "X, y = np.eye(20, 4), np.arange(20) % 2\n"
        "mask = np.array([[True, False, False, False]])\n"
        "skexplain.GradRegClassifier(max_epochs=1).fit(X, y, mask=mask).predict(X)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path.home())
