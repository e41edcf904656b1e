"""Which files an export has, and what wrote them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import (
    _coco,
    _cvat,
    _dicom_seg,
    _label_studio,
    _labelme,
    _labelme_xml,
    _nifti,
    _qupath,
    _supervisely,
    _via,
    _voc,
    _yolo,
)
from ._fields import load_json, load_xml
from ._shapes import AnnotatedPicture


class Format(NamedTuple):
    """A format: the kind of its files, what recognises them, and what reads them."""

    kind: str
    matches: Callable[[Any], bool]
    read: Callable[..., list[AnnotatedPicture]]


# Of one kind the first that recognises a file reads it.
FORMATS = {
    "label_studio": Format("json", _label_studio.matches, _label_studio.read),
    "coco": Format("json", _coco.matches, _coco.read),
    "sam": Format("json", _coco.matches_sam, _coco.read_sam),
    "labelme": Format("json", _labelme.matches, _labelme.read),
    "supervisely": Format("json", _supervisely.matches, _supervisely.read),
    "qupath": Format("json", _qupath.matches, _qupath.read),
    "via": Format("json", _via.matches, _via.read),
    "via_csv": Format("csv", _via.matches_csv, _via.read_csv),
    "cvat": Format("xml", _cvat.matches, _cvat.read),
    "labelme_xml": Format("xml", _labelme_xml.matches, _labelme_xml.read),
    "voc": Format("xml", _voc.matches, _voc.read),
    "yolo": Format("txt", _yolo.matches, _yolo.read),
    "dicom_seg": Format("dicom", _dicom_seg.matches, _dicom_seg.read),
    "nifti": Format("nifti", lambda image: True, _nifti.read),
}


def _load_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except ValueError as error:
        raise ValueError(f"{path} is not a text file: {error}") from error


_LOADERS: dict[str, Callable[[Path], Any]] = {
    "json": load_json,
    "xml": load_xml,
    "txt": _load_text,
    "csv": _load_text,
    "dicom": _dicom_seg.load,
    "nifti": _nifti.load,
}

_ENDINGS = {
    **{".json": "json", ".geojson": "json", ".xml": "xml", ".txt": "txt", ".csv": "csv"},
    **{".dcm": "dicom", ".nii": "nifti", ".nii.gz": "nifti"},
}

# Files beside annotations that have none.
_BESIDE = {
    *("classes.txt", "obj.names", "obj.data", "train.txt", "val.txt", "valid.txt", "test.txt"),
    *("notes.json", "meta.json", "obj_class_to_machine_color.json", "predefined_classes.txt"),
}


def kind_of(path: Path) -> str | None:
    """Return the kind of a file by its name, None where annotations have no such names."""
    name = path.name.lower()
    return next((kind for ending, kind in _ENDINGS.items() if name.endswith(ending)), None)


def list_files(path: Path) -> list[Path]:
    """Return the file, or the files of a folder that may hold annotations."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"path must be an existing file or folder; got {str(path)!r}.")
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for name in sorted(files):
            is_beside = name.lower() in _BESIDE or name.lower().startswith(("readme", "licen"))
            if kind_of(Path(name)) and not is_beside and not name.startswith("."):
                found.append(Path(place, name))
    if not found:
        raise ValueError(
            f"{path} holds no annotation files; these end in {', '.join(sorted(_ENDINGS))}."
        )
    return found


def read_files(
    path: Path, expected: str | None, *, predictions: bool
) -> tuple[str, list[AnnotatedPicture], list[str]]:
    """Read an export.

    Parameters
    ----------
    path : Path
        A file or a folder.
    expected : str or None
        The format; None: the one that recognises the files.
    predictions : bool
        Whether Label Studio's predictions count where there is no annotation.

    Returns
    -------
    format : str
    pictures : list of AnnotatedPicture
    unknown : list of str
        Files of the folder that no format recognises.
    """
    by_format: dict[str, list[AnnotatedPicture]] = {}
    unknown: list[str] = []
    first: dict[str, Path] = {}
    for file in list_files(path):
        if file.suffix.lower() == ".zip":
            raise ValueError(f"{file} is packed: unpack it, and pass the folder.")
        kind = kind_of(file) or _kind_by_content(file)
        content = None if kind is None else _LOADERS[kind](file)
        name = _recognise(kind, content) if expected is None else expected
        if name is None or FORMATS[name].kind != kind:
            # A folder of DICOM files has pictures as well.
            if kind != "dicom" or path.is_file():
                unknown.append(str(file))
            continue
        options = {"predictions": predictions} if name == "label_studio" else {}
        first.setdefault(name, file)
        by_format.setdefault(name, []).extend(FORMATS[name].read(file, content, **options))
    if len(by_format) > 1:
        names_of_files = ", ".join(f"{name} ({file})" for name, file in first.items())
        raise ValueError(
            f"{path} holds several formats: {names_of_files}. Say format=, or read them alone."
        )
    if not by_format:
        what = f"of the format {expected!r}" if expected else f"of one of {list(FORMATS)}"
        raise ValueError(f"{path} must be {what}; it is not recognised.")
    ((name, pictures),) = by_format.items()
    return name, pictures, unknown


def _kind_by_content(path: Path) -> str | None:
    with open(path, "rb") as file:
        return "dicom" if file.read(132)[128:] == b"DICM" else None


def _recognise(kind: str | None, content: Any) -> str | None:
    return next(
        (name for name, each in FORMATS.items() if each.kind == kind and each.matches(content)),
        None,
    )
