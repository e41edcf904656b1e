"""The files of CUB-200-2011: unpacking them, and what the tables say of two species."""

import os
import re
import shutil
import tarfile
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import IO

from ._data_home import download, require_files
from ._images import ImageRecord

SPECIES = ("Indigo_Bunting", "Blue_Grosbeak")  # classes 0 and 1

_FOLDER = "CUB_200_2011"
_ARCHIVE = "CUB_200_2011.tgz"
_URL = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
_HASH = "md5:97eceeb196236b17998738112f37df78"

_IMAGES = "images.txt"
_CLASS_OF_IMAGE = "image_class_labels.txt"
_SPLIT = "train_test_split.txt"
_BOXES = "bounding_boxes.txt"
_CLASSES = "classes.txt"
_PARTS = "parts/parts.txt"
_PART_PLACES = "parts/part_locs.txt"
_TABLES = (_IMAGES, _CLASS_OF_IMAGE, _SPLIT, _BOXES, _CLASSES, _PARTS, _PART_PLACES)

# What is unpacked.  A name of this form cannot lead out of the folder.
_WANTED = re.compile(
    rf"{_FOLDER}/({'|'.join(map(re.escape, _TABLES))}"
    rf"|images/\d+\.({'|'.join(SPECIES)})/[\w.-]+\.jpg)"
)

_INSTRUCTIONS = """\
It must hold CUB-200-2011 as {archive} from
{url} has it. Complete it, or delete it for a new download.
Check: wc -l {folder}/images.txt counts 11788 lines."""


@dataclass(frozen=True)
class Bird(ImageRecord):
    """A picture with what the tables say of it.

    Attributes
    ----------
    box : tuple of float
        x, y, width and height of the bird, in pixels of the photograph.
    beak : tuple of float or None
        x and y of the beak in the photograph; None where it is not visible.
    in_training : bool
        Whether the data set's own split has it in the training part.
    """

    box: tuple
    beak: tuple | None
    in_training: bool


def find_folder(home: Path, download_if_missing: bool) -> Path:
    """Return the folder of the data set, downloaded and unpacked if it is not there.

    Parameters
    ----------
    home : pathlib.Path
        Where the archive and the folder stand.
    download_if_missing : bool
        Whether to download what is not there.

    Returns
    -------
    pathlib.Path
        The folder; it holds all tables.

    Raises
    ------
    OSError
        If something is missing and may not or cannot be downloaded.
    ValueError
        If the archive is broken.
    """
    folder = home / _FOLDER
    if not folder.is_dir():
        archive = download(_ARCHIVE, [_URL], _HASH, home, download_if_missing=download_if_missing)
        _unpack(archive, home)
    instructions = _INSTRUCTIONS.format(archive=_ARCHIVE, url=_URL, folder=folder)
    return require_files(folder, _TABLES, instructions)


def _unpack(archive: Path, home: Path) -> None:
    """Unpack the tables and the two species; the folder appears when it is complete."""
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() else None
                    if file is not None and _WANTED.fullmatch(member.name):
                        _write(file, Path(scratch, member.name))
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ValueError(
                f"{archive} must be a complete tar archive: {error}. Delete it for a new download."
            ) from error
        if not Path(scratch, _FOLDER).is_dir():
            raise ValueError(f"{archive} must hold the folder {_FOLDER}; it does not.")
        os.replace(Path(scratch, _FOLDER), home / _FOLDER)


def _write(source: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with source, open(path, "wb") as file:
        shutil.copyfileobj(source, file)


def read_birds(folder: Path) -> list[Bird]:
    """Read what the tables say of the pictures of both species.

    Parameters
    ----------
    folder : pathlib.Path
        The unpacked data set.

    Returns
    -------
    list of Bird
        In the order of the table of labels.

    Raises
    ------
    ValueError
        If a table has a broken line, or none for a picture.
    """
    labels = _labels_of_classes(folder)
    names, parts, boxes = _Table(folder / _IMAGES), _Table(folder / _SPLIT), _Table(folder / _BOXES)
    beaks = _Table(folder / _PART_PLACES, only_part=_number_of_beak(folder))

    birds = []
    for image, (number,) in _Table(folder / _CLASS_OF_IMAGE).rows.items():
        if number not in labels:
            continue
        (name,), (in_training,) = names.fields(image, 1), parts.numbers(image, 1)
        *beak, visible = beaks.numbers(image, 3)
        birds.append(
            Bird(
                filename=f"images/{name}",
                target=labels[number],
                group=labels[number],
                box=boxes.numbers(image, 4),
                beak=tuple(beak) if visible else None,
                in_training=bool(in_training),
            )
        )
    return birds


def _labels_of_classes(folder: Path) -> dict[str, int]:
    """Return the label of each species by its number in the table of classes."""
    path = folder / _CLASSES
    species = {n: name.partition(".")[2] for n, (name,) in _Table(path).rows.items()}
    missing = [name for name in SPECIES if name not in species.values()]
    if missing:
        raise ValueError(f"{path} must name the class {missing[0]}; it does not.")
    return {number: SPECIES.index(name) for number, name in species.items() if name in SPECIES}


def _number_of_beak(folder: Path) -> str:
    path = folder / _PARTS
    for number, name in _Table(path).rows.items():
        if name == ["beak"]:
            return number
    raise ValueError(f"{path} must name the part beak; it does not.")


class _Table:
    """A table of CUB-200-2011: a line for each image, class or part, whose number stands first.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    only_part : str or None, default=None
        For the table of places, where a part's number follows the image's: the part to read.
    """

    def __init__(self, path: Path, only_part: str | None = None) -> None:
        self.path = path
        self.rows = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            number, *fields = line.split() or [""]
            if only_part is None:
                self.rows[number] = fields
            elif fields[:1] == [only_part]:
                self.rows[number] = fields[1:]

    def fields(self, number: str, n_fields: int) -> list[str]:
        """Return what the line of a number says."""
        if number not in self.rows:
            raise ValueError(f"{self.path} has no line for image {number}.")
        fields = self.rows[number]
        if len(fields) != n_fields:
            raise ValueError(
                f"{self.path} must have {n_fields} fields for image {number}; got {fields}."
            )
        return fields

    def numbers(self, number: str, n_fields: int) -> tuple[float, ...]:
        """Return what the line of a number says, as a tuple of float."""
        fields = self.fields(number, n_fields)
        with suppress(ValueError):
            numbers = tuple(map(float, fields))
            if all(map(isfinite, numbers)):
                return numbers
        raise ValueError(f"{self.path} must have numbers for image {number}; got {fields}.")
