"""A project: pictures, the marks of people and the trained models, in a folder of plain files."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import threading
from datetime import datetime, timezone
from numbers import Integral
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from .._checks import as_array, check_count, check_flag, check_number, check_path
from ..datasets import load_images
from ..masks import ImageGeometry
from ._files import append_line, read_lines, whole_file, write_json

FORMAT = 1

# What a project is made of, below its folder.
_SETTINGS, _PICTURES, _MASKS, _JOURNAL, _MODELS = (
    "project.json",
    "pictures.npy",
    "masks",
    "journal.jsonl",
    "models",
)

Who = Literal["person", "copied", "suggested", "propagated"]


class Conflict(ValueError):
    """A mask was changed by another page since it was read.

    Parameters
    ----------
    picture : int
        Number of the picture.
    revision : int
        The present revision of its mask.
    """

    def __init__(self, picture: int, revision: int) -> None:
        super().__init__(
            f"The mask of picture {picture} was changed elsewhere: it is at revision {revision}."
        )
        self.picture = picture
        self.revision = revision


class Project:
    """Pictures, masks and models of a studio, in a folder of plain files.

    Every change is on the disk when the call returns, whole or not at all.  Calls from several
    threads are put in order; one process at a time may open a project.

    Parameters
    ----------
    folder : path-like
        The folder of the project, as :meth:`create` made it.

    Attributes
    ----------
    folder : Path
        The folder of the project.
    settings : dict
        What :meth:`create` was given, names and labels of the pictures among it.
    X : uint8 ndarray of shape (n_pictures, n_channels, h, w)
        The pictures, a memory map.
    y : ndarray of shape (n_pictures,)
        Names of the classes.
    held_out : ndarray of bool of shape (n_pictures,)
        Whether a picture is kept out of the training, to compare models on.

    Raises
    ------
    FileNotFoundError
        If the folder holds no project.
    ValueError
        If its files are damaged or of a later version.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skexplain.studio import Project
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
    ...         path = Path(folder, "photos", name).with_suffix(".png")
    ...         path.parent.mkdir(parents=True, exist_ok=True)
    ...         Image.new("RGB", (60, 40), "orange").save(path)
    ...     project = Project.create(f"{folder}/project", f"{folder}/photos", size=32, held_out=0.5)
    ...     mask = np.zeros(project.shape, dtype=bool)
    ...     mask[:8] = True
    ...     revision = project.set_mask(0, mask, revision=0)
    ...     state = project.state_of(0)
    >>> revision, state["name"], state["annotated"]
    (1, 'cat/1.png', True)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = check_path("folder", folder)
        settings = self.folder / _SETTINGS
        if not settings.exists():
            raise FileNotFoundError(f"{self.folder} holds no project: there is no {_SETTINGS}.")
        try:
            self.settings = json.loads(settings.read_text(encoding="utf-8"))
            if self.settings["format"] != FORMAT:
                raise ValueError(f"its format is {self.settings['format']}, not {FORMAT}")
            self.X = np.load(self.folder / _PICTURES, mmap_mode="r")
            self.y = np.array(self.settings["labels"])
            self.names = [str(name) for name in self.settings["names"]]
            self.geometry = [_geometry(record) for record in self.settings["geometry"]]
            self.held_out = np.array(self.settings["held_out"], dtype=bool)
            if not len(self.X) == len(self.y) == len(self.names) == len(self.held_out):
                raise ValueError("its pictures, names and labels differ in number")
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ValueError(f"{settings} cannot be read: {error!r}.") from error
        self._lock = threading.RLock()
        self._revisions, self._sources = [0] * len(self), [""] * len(self)
        for record in read_lines(self.folder / _JOURNAL):
            number, revision = record.get("picture"), record.get("revision")
            if isinstance(number, int) and isinstance(revision, int) and 0 <= number < len(self):
                self._revisions[number] = revision
                self._sources[number] = str(record.get("by", ""))
        self._changes: list[int] = []

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        pictures: str | os.PathLike[str],
        *,
        size: int | tuple[int, int] = 96,
        fit: str = "pad",
        held_out: float = 0.3,
        max_epochs: int = 30,
        random_state: int = 0,
        verbose: bool = False,
    ) -> Project:
        """Make a project of a folder of pictures.

        Parameters
        ----------
        folder : path-like
            The folder to make; it must not hold a project.
        pictures : path-like
            A folder with one folder of pictures per class.  It is only read.
        size : int or tuple of int, default=96
            Side, or height and width, of what the models are given.
        fit : {"resize", "crop", "pad"}, default="pad"
            See :func:`~skexplain.datasets.load_images`.
        held_out : float, default=0.3
            Share of the pictures of each class that models are compared on.
        max_epochs : int, default=30
            Epochs of each training.
        random_state : int, default=0
            For which pictures are held out, and for the trainings.
        verbose : bool, default=False
            Whether to show a progress bar.

        Returns
        -------
        Project

        Raises
        ------
        FileExistsError
            If the folder holds a project already.
        ValueError
            If there are no class folders, a class has fewer than two pictures, or `held_out` leaves
            fewer pictures than classes in one of the two parts.
        """
        folder = check_path("folder", folder)
        check_number("held_out", held_out)
        if held_out >= 1:
            raise ValueError(f"held_out must be a share below 1, got {held_out!r}.")
        check_count("max_epochs", max_epochs)
        check_count("random_state", random_state, low=0)
        check_flag("verbose", verbose)
        if (folder / _SETTINGS).exists():
            raise FileExistsError(f"{folder} holds a project already.")
        (folder / _MASKS).mkdir(parents=True, exist_ok=True)
        (folder / _MODELS).mkdir(exist_ok=True)
        bunch = load_images(
            pictures,
            size,
            fit=fit,
            memmap=folder / _PICTURES,
            errors="warn",
            verbose=verbose,
        )
        if bunch.target_names is None or len(bunch.target_names) < 2:
            raise ValueError(f"{pictures} must hold at least two folders of pictures, the classes.")
        counts = np.bincount(bunch.target)
        if counts.min() < 2:
            name = str(bunch.target_names[counts.argmin()])
            raise ValueError(f"Each class must have at least two pictures; {name!r} has one.")
        numbers = np.arange(len(bunch.target))
        n_held_out = math.ceil(held_out * len(numbers))
        if not len(counts) <= n_held_out <= len(numbers) - len(counts):
            raise ValueError(
                f"held_out must leave a picture of each of {len(counts)} classes in both parts; "
                f"got {held_out}, which is {n_held_out} of {len(numbers)} pictures."
            )
        _, chosen = train_test_split(
            numbers, test_size=held_out, stratify=bunch.target, random_state=random_state
        )
        settings = {
            "format": FORMAT,
            "pictures": str(Path(pictures).resolve()),
            "fit": fit,
            "share_held_out": held_out,
            "max_epochs": max_epochs,
            "random_state": random_state,
            "names": bunch.filenames.tolist(),
            "labels": bunch.target_names[bunch.target].tolist(),
            "held_out": np.isin(numbers, chosen).tolist(),
            "geometry": [dataclasses.asdict(geometry) for geometry in bunch.geometry],
            "skipped": {str(name): str(why) for name, why in bunch.skipped.items()},
        }
        write_json(folder / _SETTINGS, settings)  # last: without it there is no project
        return cls(folder)

    def __len__(self) -> int:
        return len(self.X)

    @property
    def models(self) -> Path:
        """Folder of the models."""
        return self.folder / _MODELS

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pictures in X, and of masks."""
        return int(self.X.shape[-2]), int(self.X.shape[-1])

    @property
    def version(self) -> int:
        """Number of changes of masks since the project was opened."""
        return len(self._changes)

    def changed_since(self, version: int) -> set[int]:
        """Return the numbers of the pictures whose masks have changed since a version."""
        return set(self._changes[version:])

    # -- marks ------------------------------------------------------------------------------------

    def state_of(self, number: int) -> dict[str, Any]:
        """Return what is known of a picture.

        Parameters
        ----------
        number : int
            Number of the picture.

        Returns
        -------
        dict
            Its ``name``, ``label``, ``held_out``, the ``revision`` of its mask, 0 if there has
            never been one, whether it is ``annotated``, and ``by`` whom.
        """
        self.check(number)
        return {
            "name": self.names[number],
            "label": str(self.y[number]),
            "held_out": bool(self.held_out[number]),
            "revision": self._revisions[number],
            "annotated": self._mask_file(number).exists(),
            "by": self._sources[number],
        }

    def mask_of(self, number: int) -> tuple[NDArray[np.bool_] | None, int]:
        """Return the mask of a picture and its revision; None where it is not annotated."""
        self.check(number)
        with self._lock:
            return self._read_mask(number), self._revisions[number]

    def set_mask(
        self, number: int, mask: NDArray | None, *, revision: int, by: Who = "person"
    ) -> int:
        """Store the mask of a picture.

        Parameters
        ----------
        number : int
            Number of the picture.
        mask : ndarray of shape (h, w) or None
            What must not matter, not 0; all 0: annotated, with nothing marked.  None: not
            annotated.
        revision : int
            Revision of the mask that this one replaces.
        by : {"person", "copied", "suggested", "propagated"}, default="person"
            Where the mask is from.

        Returns
        -------
        int
            Its revision.

        Raises
        ------
        Conflict
            If the present mask is of another revision.
        ValueError
            If there is no such picture, or the mask is of another shape.
        """
        self.check(number)
        check_count("revision", revision, low=0)
        if mask is not None:
            mask = as_array("mask", mask)
            if mask.shape != self.shape:
                raise ValueError(f"mask must be of shape {self.shape}, got {mask.shape}.")
            if mask.dtype.kind not in "buif" or not np.isfinite(mask).all():
                raise ValueError(f"mask must hold finite numbers, or be bool; got {mask.dtype}.")
        with self._lock:
            present = self._revisions[number]
            if revision != present:
                raise Conflict(number, present)
            file = self._mask_file(number)
            if mask is None:
                file.unlink(missing_ok=True)
            else:
                from PIL import Image

                with whole_file(file) as beside:
                    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(beside)
            record = {
                "picture": number,
                "revision": present + 1,
                "by": by,
                "action": "cleared" if mask is None else "marked",
                "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            }
            append_line(self.folder / _JOURNAL, record)
            self._revisions[number], self._sources[number] = present + 1, by
            self._changes.append(number)
            return present + 1

    def fill(self, masks: dict[int, NDArray], *, by: Who) -> int:
        """Store masks of pictures that are not annotated, and leave the others as they are.

        Returns
        -------
        int
            The number of masks that were stored.
        """
        n_stored = 0
        with self._lock:
            for number, mask in masks.items():
                if not self._mask_file(number).exists():
                    self.set_mask(number, mask, revision=self._revisions[number], by=by)
                    n_stored += 1
        return n_stored

    def masks(self) -> list[NDArray[np.bool_] | None]:
        """Return the masks of all pictures, as ``fit(mask=...)`` takes them."""
        with self._lock:
            return [self._read_mask(number) for number in range(len(self))]

    def _read_mask(self, number: int) -> NDArray[np.bool_] | None:
        from PIL import Image

        file = self._mask_file(number)
        if not file.exists():
            return None
        with Image.open(file) as image:
            mask = np.asarray(image.convert("L")) > 127
        if mask.shape != self.shape:
            raise ValueError(f"{file} must be of shape {self.shape}, got {mask.shape}.")
        return mask

    def _mask_file(self, number: int) -> Path:
        # Numbers, not the names of pictures: a name may be anything.
        return self.folder / _MASKS / f"{number:06}.png"

    def check(self, number: int) -> None:
        """Check that there is a picture of this number.

        Parameters
        ----------
        number : int
            Number of the picture.

        Raises
        ------
        ValueError
            If there is none.
        """
        if not isinstance(number, Integral) or not 0 <= number < len(self):
            raise ValueError(f"There are {len(self)} pictures, from 0; got {number!r}.")


def _geometry(record: dict[str, Any]) -> ImageGeometry:
    """Return a geometry from JSON, which has no tuples."""
    fields: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in record.items()
    }
    return ImageGeometry(**fields)
