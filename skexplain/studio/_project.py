"""A project: data, the marks of people and the trained models, in a folder of plain files."""

from __future__ import annotations

import json
import os
import threading
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import (
    check_count,
    check_flag,
    check_number,
    check_option,
    check_path,
    check_text,
)
from ._data import Data, Mask, Options, hold_out
from ._files import whole_file, write_json
from ._journal import Conflict, Journal, Who
from ._kinds import KINDS, kind_of

FORMAT = 2

# What a project is made of, below its folder; its data beside it.
SETTINGS, _MASKS, _JOURNAL, _MODELS = "project.json", "masks", "journal.jsonl", "models"


class Project:
    """Data, masks and models of a studio, in a folder of plain files.

    What is marked are its items: pictures, texts, or the columns of a table.

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
        What :meth:`create` was given, names and labels among it.
    data : Data
        Pictures, texts or a table.
    X : sequence of length n_samples
        Inputs of the models: of pictures a memory map of shape (n_samples, n_channels, h, w), of
        texts a list of str, of a table an ndarray of its encoded columns.
    y : ndarray of str of shape (n_samples,)
        Names of the classes.
    held_out : ndarray of bool of shape (n_samples,)
        Whether a sample is kept out of the training, to compare models on.
    names : list of str
        Names of the items.

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
    ...     mask = np.zeros(project.data.shape, dtype=bool)
    ...     mask[:8] = True
    ...     revision = project.set_mask(0, mask, revision=0)
    ...     state = project.state_of(0)
    >>> revision, state["name"], state["annotated"]
    (1, 'cat/1.png', True)
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        settings = self.folder / SETTINGS
        if not settings.exists():
            raise FileNotFoundError(f"{self.folder} holds no project: there is no {SETTINGS}.")
        try:
            read = json.loads(settings.read_text(encoding="utf-8"))
            if read["format"] != FORMAT:
                raise ValueError(f"its format is {read['format']}, not {FORMAT}")
            self._open(read)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ValueError(f"{settings} cannot be read: {error!r}.") from error

    def _open(self, settings: dict[str, Any]) -> None:
        """Read what the folder holds, by the settings of the project."""
        self.settings = settings
        self.data: Data = KINDS[settings["kind"]](self.folder, settings)
        self.X, self.y, self.names = self.data.X, self.data.y, self.data.names
        self.held_out = self.data.held_out
        self._lock = threading.RLock()
        self._journal = Journal(self.folder / _JOURNAL, len(self))
        self._changes: list[int] = []

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        source: str | os.PathLike[str],
        *,
        kind: Literal["pictures", "texts", "table"] | None = None,
        size: int | tuple[int, int] = 96,
        fit: str = "pad",
        text: str | None = None,
        label: str | None = None,
        network: Literal["pretrained", "small"] | None = None,
        held_out: float = 0.3,
        max_epochs: int | None = None,
        random_state: int = 0,
        verbose: bool = False,
    ) -> Project:
        """Make a project of a folder of pictures or texts, or of a table.

        Parameters
        ----------
        folder : path-like
            The folder to make; it must not hold a project.
        source : path-like
            A folder with one folder of pictures, or of texts (.txt), per class; a .csv, .json or
            .jsonl file with texts and their labels; a table, as .csv or .npz; or pictures as .npz,
            see :func:`read_pictures`.  It is only read.
        kind : {"pictures", "texts", "table"} or None, default=None
            What `source` has.  None: what its files show; a .csv file with a column of sentences
            holds texts.
        size : int or tuple of int, default=96
            Of pictures: side, or height and width, of what the models are given.
        fit : {"resize", "crop", "pad"}, default="pad"
            Of pictures: see :func:`~skexplain.datasets.load_images`.
        text, label : str or None, default=None
            Names of the columns of texts and labels.  None: those with a usual name.
        network : {"pretrained", "small"} or None, default=None
            Of pictures: a new last layer on :class:`~skexplain.training.PretrainedNetwork`, or the
            built-in network, from scratch.  None: the former for colour pictures of at least 64
            pixels a side where its weights are installed.
        held_out : float, default=0.3
            Share of the samples of each class that models are compared on.
        max_epochs : int or None, default=None
            Epochs of each training; None: 30 for pictures, 15 where the last layer alone is
            trained, 40 for texts, 60 for tables.
        random_state : int, default=0
            For which samples are held out, and for the trainings.
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
            If there are no classes, a class has fewer than two samples, `held_out` leaves fewer
            samples than classes in one of the two parts, or `source` cannot be read.
        """
        folder, source = check_path("folder", folder), check_path("source", source)
        if kind is not None:
            check_option("kind", kind, KINDS)
        check_text("text", text)
        check_text("label", label)
        if network is not None:
            check_option("network", network, ("pretrained", "small"))
        check_number("held_out", held_out)
        if max_epochs is not None:
            check_count("max_epochs", max_epochs)
        check_count("random_state", random_state, low=0, high=2**32 - 1)
        check_flag("verbose", verbose)
        if (folder / SETTINGS).exists():
            raise FileExistsError(f"{folder} holds a project already.")
        kind = kind or kind_of(source, text)
        (folder / _MASKS).mkdir(parents=True, exist_ok=True)
        (folder / _MODELS).mkdir(exist_ok=True)
        options = Options(size, fit, text, label, network, verbose)
        stored = KINDS[kind].store(folder, source, options)
        epochs = stored.pop("epochs", KINDS[kind].epochs)
        settings = {
            "format": FORMAT,
            "kind": kind,
            "source": str(source.resolve()),
            "share_held_out": float(held_out),
            "max_epochs": epochs if max_epochs is None else int(max_epochs),
            "random_state": int(random_state),
            "held_out": hold_out(
                np.array(stored["labels"]), held_out, random_state, KINDS[kind].samples
            ),
            **stored,
        }
        project = cls.__new__(cls)
        project.folder = folder
        project._open(settings)
        project.fill(project.data.given_masks(), by="imported")
        write_json(folder / SETTINGS, settings)  # last: without it there is no project
        return project

    def __len__(self) -> int:
        return len(self.names)

    @property
    def models(self) -> Path:
        """Folder of the models."""
        return self.folder / _MODELS

    @property
    def version(self) -> int:
        """Number of changes of masks since the project was opened."""
        return len(self._changes)

    def changed_since(self, version: int) -> set[int]:
        """Return the numbers of the items whose masks have changed since a version."""
        return set(self._changes[version:])

    # -- marks ------------------------------------------------------------------------------------

    def state_of(self, number: int) -> dict[str, Any]:
        """Return what is known of an item.

        Parameters
        ----------
        number : int
            Number of the item.

        Returns
        -------
        dict
            Its ``name``, ``label``, ``held_out``, the ``revision`` of its mask, 0 if there has
            never been one, whether it is ``annotated``, and ``by`` whom.
        """
        self.check(number)
        return {
            "name": self.names[number],
            **self.data.about(number),
            "revision": self._journal.revisions[number],
            "annotated": self._mask_file(number).exists(),
            "by": self._journal.sources[number],
        }

    def mask_of(self, number: int) -> tuple[NDArray[np.bool_] | None, int]:
        """Return the mask of an item and its revision; None where it is not annotated."""
        self.check(number)
        with self._lock:
            return self._read_mask(number), self._journal.revisions[number]

    def set_mask(
        self, number: int, mask: ArrayLike | None, *, revision: int, by: Who = "person"
    ) -> int:
        """Store the mask of an item.

        Parameters
        ----------
        number : int
            Number of the item.
        mask : array-like or None
            What must not matter, not 0; all 0: annotated, with nothing marked.  None: not
            annotated.  Its shape is (h, w) for pictures, (n_words,) for texts, (1,) for columns.
        revision : int
            Revision of the mask that this one replaces.
        by : {"person", "copied", "suggested", "propagated", "imported"}, default="person"
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
            If there is no such item, or the mask is of another shape or does not hold finite
            numbers.
        """
        self.check(number)
        check_count("revision", revision, low=0)
        check_option("by", by, get_args(Who))
        marked = None if mask is None else self.data.check_mask(number, mask)
        with self._lock:
            present = self._journal.revisions[number]
            if revision != present:
                raise Conflict(number, present)
            file = self._mask_file(number)
            if marked is None:
                file.unlink(missing_ok=True)
            else:
                with whole_file(file) as beside:
                    self.data.write_mask(beside, number, marked)
            action = "cleared" if marked is None else "marked"
            new = self._journal.add(number, by, action)
            self._changes.append(number)
            return new

    def fill(
        self, masks: dict[int, Mask], *, by: Who, add: bool = False, replace: Who | None = None
    ) -> int:
        """Store masks of items that are not annotated.

        Parameters
        ----------
        masks : dict of int to ndarray
            Masks, by the numbers of items; each of the shape that `set_mask` takes.
        by : str
            Where they are from, as in `set_mask`.
        add : bool, default=False
            Whether they are added to the masks that there are; else these are left as they are.
        replace : str or None, default=None
            Masks from there are replaced.

        Returns
        -------
        int
            The number of masks that were stored.

        Raises
        ------
        ValueError
            As in `set_mask`; then none is stored.
        """
        n_stored = 0
        for number in masks:
            self.check(number)
        checked = {number: self.data.check_mask(number, masks[number]) for number in masks}
        with self._lock:
            for number, mask in checked.items():
                new = mask
                if self._mask_file(number).exists() and self._journal.sources[number] != replace:
                    present = self._read_mask(number) if add else None
                    if present is None or not (mask & ~present).any():
                        continue
                    new = present | mask
                self.set_mask(number, new, revision=self._journal.revisions[number], by=by)
                n_stored += 1
        return n_stored

    def masks(self, *, without: Who | None = None) -> list[NDArray[np.bool_] | None]:
        """Return the masks of all items, None where one is not annotated.

        Parameters
        ----------
        without : str or None, default=None
            Masks from there are None, too; see `set_mask`.
        """
        with self._lock:
            return [
                None if source == without else self._read_mask(number)
                for number, source in enumerate(self._journal.sources)
            ]

    def _read_mask(self, number: int) -> Mask | None:
        file, shape = self._mask_file(number), self.data.shape_of(number)
        if not file.exists():
            return None
        mask = self.data.read_mask(file, number)
        if mask.shape != shape:
            raise ValueError(f"{file} must be of shape {shape}, got {mask.shape}.")
        return mask

    def _mask_file(self, number: int) -> Path:
        # Numbers, not names: a name may be anything.
        return self.folder / _MASKS / f"{number:06}{self.data.suffix}"

    def check(self, number: int) -> None:
        """Check that there is an item of this number.

        Parameters
        ----------
        number : int
            Number of the item.

        Raises
        ------
        ValueError
            If there is none.
        """
        is_number = isinstance(number, Integral) and not isinstance(number, bool)
        if not is_number or not 0 <= number < len(self):
            raise ValueError(f"There are {len(self)} {self.data.items}, from 0; got {number!r}.")
