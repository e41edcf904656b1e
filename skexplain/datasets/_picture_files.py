"""Which picture files to load, and their labels: class folders, lists, tables."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from .._checks import check_path, is_iterable
from ._images import import_pillow
from ._picture_pixels import is_dicom

# Files that systems put into folders by themselves; DICOMDIR lists the DICOM files of a disc.
_OF_THE_SYSTEM = {"thumbs.db", "desktop.ini", "dicomdir"}
# What separates the columns of a CSV file; Excel writes semicolons where decimals have a comma.
_SEPARATORS = (",", ";", "\t")

_N_SHOWN = 10


class PictureFiles(NamedTuple):
    """The pictures to load.

    Attributes
    ----------
    paths : list of Path
        The files.
    names : list of str
        What they are called, below the folder.
    labels : list or None
        The label of each, as it was given.
    others : list of str
        Files in the folder that are no pictures by their names.
    """

    paths: list[Path]
    names: list[str]
    labels: list | None
    others: list[str]


def find_pictures(source: Any, labels: Any) -> PictureFiles:
    """Find the pictures and labels that the arguments of :func:`load_images` name."""
    if not isinstance(source, str | os.PathLike):
        return _from_list(source, labels)
    folder = check_path("source", source)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"source must be an existing folder or a list of files; got {str(folder)!r}."
        )
    names, others = _walk(folder)
    if labels is not None:
        return _from_table(folder, names, others, read_table(labels))
    if not names:
        raise ValueError(f"{folder} holds no pictures; it holds {show_names(others)}.")
    parts = [PurePosixPath(name).parts for name in names]
    flat = [name for name, part in zip(names, parts, strict=True) if len(part) == 1]
    if flat and len(flat) < len(names):
        raise ValueError(
            f"{folder} must hold either one folder per class or pictures without folders; it holds "
            f"both. Pictures without a folder: {show_names(flat)}."
        )
    classes = None if flat else [part[0] for part in parts]
    return PictureFiles([folder / name for name in names], names, classes, others)


def _from_list(files: Any, labels: Any) -> PictureFiles:
    if isinstance(files, Mapping) or not is_iterable(files):
        raise TypeError(f"source must be a folder or a sequence of files; got {files!r}.")
    paths = [check_path(f"source[{number}]", file) for number, file in enumerate(files)]
    if not paths:
        raise ValueError("source must name at least one file; got an empty sequence.")
    names = [str(path) for path in paths]
    given = None
    if labels is not None:
        is_table = isinstance(labels, Mapping) or hasattr(labels, "columns")
        if is_table or not is_iterable(labels):
            raise TypeError(
                "labels must be a sequence with one label per file where source is a sequence; got "
                f"{type(labels).__name__}."
            )
        given = list(labels)
        if len(given) != len(paths):
            raise ValueError(
                f"labels must have one label per file: {len(paths)}; got {len(given)}."
            )
    return PictureFiles(paths, names, given, [])


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of pictures and of other files below a folder, in order."""
    Image = import_pillow()
    Image.init()
    known = (set(Image.registered_extensions()) | {".dcm"}) - {".pdf", ".mpg", ".mpeg"}
    pictures: list[str] = []
    others: list[str] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or name.lower() in _OF_THE_SYSTEM:
                continue
            found = Path(place, name).relative_to(folder).as_posix()
            is_known = os.path.splitext(name)[1].lower() in known
            (pictures if is_known or _begins_as_dicom(folder / found) else others).append(found)
    return sorted(pictures), sorted(others)


def _begins_as_dicom(path: Path) -> bool:
    """Whether a file is a DICOM file, whose names often have no ending; False if unreadable."""
    try:
        return is_dicom(path)
    except (OSError, ValueError):
        return False


def read_table(labels: Any) -> dict[str, Any]:
    """Return labels by name from a mapping, a Series, a table of two columns or a CSV file."""
    if isinstance(labels, str | os.PathLike):
        pairs = [(name, _number_or_text(label)) for name, label in _read_csv(labels)]
    elif hasattr(labels, "columns"):
        if len(labels.columns) != 2:
            raise ValueError(
                f"labels must have two columns, name and label; got {list(labels.columns)}."
            )
        pairs = list(labels.itertuples(index=False, name=None))
    elif isinstance(labels, Mapping) or hasattr(labels, "items"):
        pairs = list(labels.items())
    else:
        raise TypeError(
            "labels must map names to labels (a dict, a Series, a table of two columns or a CSV "
            f"file) where source is a folder; got {type(labels).__name__}."
        )
    table: dict[str, Any] = {}
    for name, label in pairs:
        if table.setdefault(str(name), label) != label:
            raise ValueError(f"labels must name each picture once; {name!r} has two labels.")
    if not table:
        raise ValueError("labels must name at least one picture; got an empty table.")
    return table


def _read_csv(path: str | os.PathLike) -> list[list[str]]:
    """Return the lines of a table of two columns, below its header."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{os.fspath(path)} must be text in UTF-8; got another encoding ({error})."
        ) from error
    for separator in _SEPARATORS:
        lines = csv.reader(StringIO(text, newline=""), delimiter=separator)
        header, *rows = [row for row in lines if row] or [[]]
        if len(header) == 2 and all(len(row) == 2 for row in rows):
            return rows
    raise ValueError(
        f"{os.fspath(path)} must have two columns, name and label, below a header; its lines are "
        f"{', '.join(map(repr, text.splitlines()[:2])) or 'none'}."
    )


def _number_or_text(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _from_table(
    folder: Path, names: Sequence[str], others: list[str], table: dict[str, Any]
) -> PictureFiles:
    """Find the file of each name in a table: by its path, its last part, or without its ending."""
    places: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        for key in {name, path.name, str(path.with_suffix("")), path.stem}:
            places.setdefault(key, []).append(name)
    found: list[str] = []
    lost: list[str] = []
    unclear: list[str] = []
    for name in table:
        files = places.get(PurePosixPath(name.replace("\\", "/")).as_posix(), [])
        exact = [file for file in files if file == name]
        if len(exact or files) == 1:
            found.append((exact or files)[0])
        else:
            (unclear if files else lost).append(name)
    if lost or unclear:
        wrong = [f"{len(lost)} are not in {folder}: {show_names(lost)}"] if lost else []
        if unclear:
            wrong.append(f"{len(unclear)} are there more than once: {show_names(unclear)}")
        raise ValueError(f"labels name {len(table)} pictures, of which {'; '.join(wrong)}.")
    if len(set(found)) < len(found):
        twice = sorted({name for name in found if found.count(name) > 1})
        raise ValueError(f"labels name a picture in two ways: {show_names(twice)}.")
    others = sorted({*others, *(set(names) - set(found))})
    return PictureFiles([folder / name for name in found], found, list(table.values()), others)


def encode(labels: list) -> tuple[np.ndarray, np.ndarray | None]:
    """Return targets and the names of classes; None where labels are numbers with fractions."""
    values = np.asarray(labels)
    if values.ndim != 1 or values.dtype.kind == "O":
        try:
            values = np.asarray([str(label) for label in labels] if _is_text(labels) else labels)
        except ValueError:
            values = np.empty(0, dtype=object)
    if values.ndim != 1 or values.dtype.kind not in "iufbU":
        raise ValueError("labels must be text or numbers, one per picture.")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError("labels must be finite; some are missing.")
        if (values % 1 != 0).any():
            return values.astype(np.float64), None
    names, target = np.unique(values, return_inverse=True)
    return target.astype(np.int64), names


def _is_text(labels: list) -> bool:
    return all(isinstance(label, str) for label in labels)


def show_names(names: Sequence[str]) -> str:
    """Return names as text, the first of many."""
    shown = ", ".join(names[:_N_SHOWN]) or "nothing"
    return shown + (f" and {len(names) - _N_SHOWN} more" if len(names) > _N_SHOWN else "")
