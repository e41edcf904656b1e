"""Check what a built wheel holds: every module, its data files, the licence, the entry points."""

import sys
from pathlib import Path
from zipfile import ZipFile

_CHECKOUT = Path(__file__).resolve().parents[1]

# Package: its folder, patterns of what it holds beside modules, and a line of its entry points.
_PACKAGES = {
    "skexplain": (
        _CHECKOUT,
        ["py.typed", "datasets/descr/*.rst", "studio/page/*"],
        "skexplain = skexplain._cli:main",
    ),
    "skexplain_papers": (
        _CHECKOUT / "papers",
        ["published.csv"],
        "papers = skexplain_papers:STUDIES",
    ),
}


def check_wheel(path):
    """Return what is wrong with the wheel at a path, as a list of sentences."""
    name = Path(path).name.partition("-")[0]
    folder, data, entry_point = _PACKAGES[name]
    with ZipFile(path) as wheel:
        names = set(wheel.namelist())
        metadata = {
            Path(name).name: wheel.read(name).decode() for name in names if ".dist-info/" in name
        }
    package = {name for name in names if ".dist-info/" not in name}
    modules = [file for file in (folder / name).rglob("*.py*") if file.suffix in (".py", ".pyi")]
    expected = {module.relative_to(folder).as_posix() for module in modules}
    files = [path for pattern in data for path in (folder / name).glob(pattern)]
    expected |= {file.relative_to(folder).as_posix() for file in files}

    problems = [f"{name} is missing" for name in sorted(expected - package)]
    problems += [f"{name} does not belong there" for name in sorted(package - expected)]
    for inner in {module.parent for module in modules}:
        if not (inner / "__init__.py").exists():
            problems.append(f"{inner.relative_to(folder)} has no __init__.py")
    for file, text in [
        ("METADATA", "License-Expression: BSD-3-Clause"),
        ("LICENSE", "The skexplain developers"),
        ("entry_points.txt", entry_point),
    ]:
        if text not in metadata.get(file, ""):
            problems.append(f"{file} does not say {text!r}")
    return problems


if __name__ == "__main__":
    found = check_wheel(sys.argv[1])
    print("\n".join(found) or f"{Path(sys.argv[1]).name} is complete")
    sys.exit(bool(found))
