"""Check what a built wheel holds: every module, the marker of types, the licence, the command."""

import sys
from pathlib import Path
from zipfile import ZipFile

_CHECKOUT = Path(__file__).resolve().parents[1]


def check_wheel(path):
    """Return what is wrong with the wheel at a path, as a list of sentences."""
    with ZipFile(path) as wheel:
        names = set(wheel.namelist())
        metadata = {
            Path(name).name: wheel.read(name).decode() for name in names if ".dist-info/" in name
        }
    package = {name for name in names if ".dist-info/" not in name}
    expected = {
        module.relative_to(_CHECKOUT).as_posix()
        for module in (_CHECKOUT / "skexplain").rglob("*.py*")
        if module.suffix in (".py", ".pyi")
    } | {"skexplain/py.typed", "skexplain/studies/published.csv"}

    problems = [f"{name} is missing" for name in sorted(expected - package)]
    problems += [f"{name} does not belong there" for name in sorted(package - expected)]
    for folder in (_CHECKOUT / "skexplain").rglob("*/"):
        if any(folder.glob("*.py")) and not (folder / "__init__.py").exists():
            problems.append(f"{folder.relative_to(_CHECKOUT)} has no __init__.py")
    for name, text in [
        ("METADATA", "License-Expression: BSD-3-Clause"),
        ("LICENSE", "The skexplain developers"),
        ("entry_points.txt", "skexplain = skexplain._cli:main"),
    ]:
        if text not in metadata.get(name, ""):
            problems.append(f"{name} does not say {text!r}")
    return problems


if __name__ == "__main__":
    found = check_wheel(sys.argv[1])
    print("\n".join(found) or f"{Path(sys.argv[1]).name} is complete")
    sys.exit(bool(found))
