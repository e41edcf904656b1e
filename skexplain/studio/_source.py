"""Where the data of a project are, also after they were moved."""

from __future__ import annotations

from pathlib import Path

from ._files import write_json
from ._project import SETTINGS, Project


def find_source(project: Project, source: Path) -> None:
    """Check that data are those of a project; where they were moved, store where they are now.

    Parameters
    ----------
    project : Project
    source : Path
        Where the data are.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If the project is of other data.
    """
    known = Path(project.settings["source"])
    if not source.exists():
        raise FileNotFoundError(
            f"There is no {source}; {project.folder} is the project of {known}. If the data were "
            "moved, pass where they are now."
        )
    if known.exists() and known.samefile(source):
        return
    if known.exists() or not project.data.may_be(source):
        raise ValueError(
            f"{project.folder} is the project of {known}, not of {source}; pass another --project."
        )
    project.settings["source"] = str(source.resolve())
    write_json(project.folder / SETTINGS, project.settings)
