"""What a person takes away: masks, the model, its audit, and a script that repeats all of it."""

from __future__ import annotations

import io
import zipfile

from ._project import Project

# Name to take away, and name below the folder of the models.
_STORED = {
    "model": ("model.safetensors", "marks.safetensors"),
    "corrected": ("corrected.safetensors", "corrected.safetensors"),
    "audit": ("audit.html", "marks.html"),
}


def write_export(project: Project, what: str) -> tuple[str, str, bytes]:
    """Return the name, the media type and the content of a file to take away.

    Parameters
    ----------
    project : Project
    what : str
        "script": a zip archive with the masks and the script that repeats the training.  "model":
        the model of labels and marks.  "corrected": the one that was corrected.  "audit": the audit
        of the former, as a page.  Or one of the exports of masks that the data have.

    Raises
    ------
    ValueError
        If there is nothing to export, or `what` is something else.
    """
    masks = project.masks()
    if what == "script":
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            project.data.write_script(archive, masks)
        return "studio.zip", "application/zip", file.getvalue()
    if what in project.data.exports:
        if not any(mask is not None for mask in masks):
            raise ValueError("There is no mask yet.")
        kind, content = project.data.export(what, masks)
        return f"{what}.{kind.partition('/')[2]}", kind, content
    if what not in _STORED:
        raise ValueError(f"There is no export {what!r}.")
    name, stored = _STORED[what]
    path = project.models / stored
    if not path.exists():
        raise ValueError(
            "There is none yet: train with the marks first"
            + (", with marks of what is held out." if what == "audit" else ".")
        )
    return name, "application/octet-stream", path.read_bytes()
