"""What a person takes away: masks, the model, its audit, and a script that repeats all of it."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ..masks import write_annotations
from ._project import Project

# Name to take away, and name below the folder of the models.
_STORED = {
    "model": ("model.safetensors", "marks.safetensors"),
    "audit": ("audit.html", "marks.html"),
}

_SCRIPT = '''\
"""What was done in the studio, once more: pictures and masks in, a trained model out.

The masks lie beside this file, in the folder "masks": a PNG file for each annotated picture.
"""

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from skexplain import SwapExClassifier, save
from skexplain.datasets import load_images
from skexplain.inspection import audit
from skexplain.masks import mask_from_folder

here = Path(__file__).parent
photos = load_images({pictures!r}, {size!r}, fit={fit!r}, errors="warn")
y = photos.target_names[photos.target]
mask = mask_from_folder(here / "masks", list(photos.filenames), marked="nonzero")
train, held_out = train_test_split(
    np.arange(len(y)), test_size={held_out!r}, stratify=photos.target, random_state={seed!r}
)
train = np.sort(train)

clf = SwapExClassifier(max_epochs={max_epochs!r}, random_state={seed!r})
clf.fit(photos.data[train], y[train], mask=mask[train])
print("accuracy on held-out pictures:", clf.score(photos.data[held_out], y[held_out]))
print(audit(clf, photos.data[held_out], y[held_out], mask[held_out], random_state={seed!r}))
save(clf, here / "model.safetensors")
np.savetxt(here / "predictions.txt", clf.predict(photos.data), fmt="%s", encoding="utf-8")
'''


def write_export(project: Project, what: str) -> tuple[str, str, bytes]:
    """Return the name, the media type and the content of a file to take away.

    Parameters
    ----------
    project : Project
    what : {"script", "coco", "label_studio", "model", "audit"}
        A zip archive with the masks, as a folder of PNG files, and the script that repeats the
        training; the masks as a COCO file or as predictions of Label Studio; the model of labels
        and marks; its audit as a page.

    Raises
    ------
    ValueError
        If there is nothing to export, or `what` is something else.
    """
    if what == "script":
        return "studio.zip", "application/zip", _archive(project)
    if what in ("coco", "label_studio"):
        return f"{what}.json", "application/json", _annotations(project, what)
    if what not in _STORED:
        raise ValueError(f"There is no export {what!r}.")
    name, stored = _STORED[what]
    path = project.models / stored
    if not path.exists():
        raise ValueError(
            "There is none yet: train with the marks first"
            + (", with marks in held-out pictures." if what == "audit" else ".")
        )
    return name, "application/octet-stream", path.read_bytes()


def script_of(project: Project) -> str:
    """Return the Python script that repeats the training with marks."""
    settings = project.settings
    return _SCRIPT.format(
        pictures=settings["pictures"],
        size=project.shape,
        fit=settings["fit"],
        held_out=settings["share_held_out"],
        seed=settings["random_state"],
        max_epochs=settings["max_epochs"],
    )


def _archive(project: Project) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("repeat.py", script_of(project))
        for name, mask in zip(project.names, project.masks(), strict=True):
            if mask is not None:
                picture = io.BytesIO()
                Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(picture, "png")
                archive.writestr(f"masks/{name}.png", picture.getvalue())
    return file.getvalue()


def _annotations(project: Project, format: str) -> bytes:
    masks = project.masks()
    if not any(mask is not None for mask in masks):
        raise ValueError("There is no mask yet.")
    unknown = np.full(project.shape, np.nan, dtype=np.float32)
    stacked = np.stack([unknown if mask is None else mask.astype(np.float32) for mask in masks])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotations.json")
        write_annotations(
            path,
            stacked,
            like=project.geometry,
            label="must not matter",
            format=format,
            images=project.names,
        )
        return path.read_bytes()
