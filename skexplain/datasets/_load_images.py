"""Pictures from folders and lists of files, as X, with the geometry that masks need."""

from __future__ import annotations

import errno
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch
from tqdm import tqdm

from .._checks import check_count, check_flag, check_option, check_path
from ..masks import ImageGeometry
from ._picture_files import PictureFiles, encode, find_pictures, show_names
from ._picture_pixels import read_picture

_CHANNELS = {"RGB": 3, "L": 1}

# Pictures that are written to a memory map at once.
_CHUNK = 64
# Stands for the array of pictures before the first and after the last.
_NONE_YET = np.empty(0, dtype=np.uint8)


def load_images(
    source: Any,
    size: int | tuple[int, int] | None = None,
    *,
    labels: Any = None,
    fit: str = "resize",
    mode: str = "RGB",
    fill: int = 0,
    memmap: str | os.PathLike | None = None,
    errors: str = "raise",
    verbose: bool = False,
) -> Bunch:
    """Load pictures as people have them: class folders, lists of files, a table of labels.

    Pictures are turned upright by their EXIF orientation.  Of each the result has the geometry,
    which mask builders take (``like=bunch``), so that masks land where they were drawn.

    Parameters
    ----------
    source : path-like or sequence of path-like
        A folder, or the files themselves.  A folder holds one folder per class, whose pictures may
        lie deeper, or pictures alone.
    size : int or tuple of int, default=None
        Side, or height and width, of the pictures in X.  None: their own, which must be the same.
    labels : sequence, mapping, DataFrame or path-like, default=None
        For a list of files a label of each.  For a folder a table from names to labels, which also
        says which pictures are loaded and in which order: a dict or a Series, a DataFrame or a CSV
        file of two columns (UTF-8; commas, semicolons or tabs between them).  A name may lack its
        folder or its ending.  None: the class folders.
    fit : {"resize", "crop", "pad"}, default="resize"
        How a picture of other proportions is brought to `size`: stretched; cut at both sides; or
        whole, with padding at both sides.
    mode : {"RGB", "L"}, default="RGB"
        Colours, or grey.
    fill : int, default=0
        Value of padding and of what lies behind transparent pixels, 0 to 255.
    memmap : path-like, default=None
        Write the data to this .npy file and return a memory map of it, so that the pictures need
        not fit into memory.  The file is there only once it is complete.
    errors : {"raise", "warn"}, default="raise"
        What to do about files that are no complete pictures: raise an error that lists all of them,
        or leave them out with a warning that does.
    verbose : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        data : uint8 ndarray of shape (n_samples, n_channels, h, w)
            The pictures.
        target : ndarray of shape (n_samples,) or None
            Numbers of the classes; the labels themselves where these are numbers with fractions;
            None without labels.
        target_names : ndarray of shape (n_classes,) or None
            Names of the classes, sorted.
        filenames : ndarray of shape (n_samples,)
            Names of the files, below the folder, with "/" between folders.
        geometry : ndarray of shape (n_samples,)
            An :class:`~skexplain.masks.ImageGeometry` of each.
        skipped : dict
            Why files were left out, by name.
        instance_uids : ndarray of shape (n_samples,)
            The identifiers of DICOM pictures, to which segmentations refer; only where there are
            some.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If files are broken, truncated, too large or no pictures; if names in the table find no
        picture, or several; if pictures differ in size and `size` is None; or if another argument
        is not as described.
    ImportError
        If pillow is not installed, or pydicom for a DICOM file.

    Warns
    -----
    UserWarning
        If files of the folder were left out: with ``errors="warn"``, because they are no pictures
        by their names, or because the table does not have them.

    See Also
    --------
    skexplain.masks.read_annotations : Masks of an annotation tool's export.

    Notes
    -----
    Grey of 16 bits is scaled from 65535 to 255.  DICOM pictures are shown through the window that
    they have, and without one from their least to their greatest value.  Pictures of more than 134
    million pixels and those with several frames or pages count as broken.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skexplain.datasets import load_images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("cat", "dog"):
    ...         Path(folder, name).mkdir()
    ...         Image.new("RGB", (60, 40), "orange").save(f"{folder}/{name}/1.png")
    ...     bunch = load_images(folder, size=32)
    >>> bunch.data.shape, bunch.target, bunch.target_names
    ((2, 3, 32, 32), array([0, 1]), array(['cat', 'dog'], dtype='<U3'))
    >>> bunch.filenames
    array(['cat/1.png', 'dog/1.png'], dtype='<U9')
    >>> bunch.geometry[0].size
    (40, 60)
    """
    shape = _check_size(size)
    check_option("fit", fit, ["resize", "crop", "pad"])
    check_option("mode", mode, list(_CHANNELS))
    check_count("fill", fill, low=0, high=255)
    check_option("errors", errors, ["raise", "warn"])
    check_flag("verbose", verbose)
    files = find_pictures(source, labels)
    target, target_names = (None, None) if files.labels is None else encode(files.labels)

    output = _Output(memmap, len(files.paths))
    kept: list[int] = []
    geometries: list[ImageGeometry] = []
    uids, skipped = [], {}
    try:
        for number, path in enumerate(tqdm(files.paths, "pictures", disable=not verbose)):
            try:
                pixels, geometry, uid = read_picture(path, shape, fit, mode, fill)
            except ImportError:
                raise
            except Exception as error:  # a broken file makes pillow raise nearly anything
                skipped[files.names[number]] = str(error) or type(error).__name__
                continue
            if shape is None and geometries and geometry.shape != geometries[0].shape:
                raise ValueError(
                    f"size must be given: {files.names[kept[0]]} is {_by(geometries[0].shape)} and "
                    f"{files.names[number]} {_by(geometry.shape)} (height x width)."
                )
            output.add(pixels)
            geometries.append(geometry)
            uids.append(uid)
            kept.append(number)
        _report(files, skipped, errors, any_left=bool(kept))
        data = output.finish()
    finally:
        output.clean()
    bunch = Bunch(
        data=data,
        target=None if target is None else target[kept],
        target_names=target_names,
        filenames=np.array([files.names[number] for number in kept]),
        geometry=_as_array(geometries),
        skipped=skipped | dict.fromkeys(files.others, "is no picture to load"),
    )
    if any(uids):
        bunch.instance_uids = np.array(uids)
    return bunch


def _check_size(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2:
        raise ValueError(f"size must be a side, or (height, width); got {size!r}.")
    for side in sides:
        check_count("size", side)
    return int(sides[0]), int(sides[1])


def _by(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _as_array(geometries: list[ImageGeometry]) -> np.ndarray:
    """Return geometries as an array, so that samples can be chosen as those of X are."""
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


def _report(files: PictureFiles, skipped: dict[str, str], errors: str, *, any_left: bool) -> None:
    """Return a text that names the files which are not among the samples."""
    if skipped:
        listed = show_names([f"{name} ({reason})" for name, reason in skipped.items()])
        described = (
            f"{len(skipped)} of {len(files.names)} files are no complete pictures: {listed}."
        )
        if errors == "raise" or not any_left:
            raise ValueError(f'{described} errors="warn" leaves them out.')
        warnings.warn(described, UserWarning, stacklevel=3)
    if files.others:
        warnings.warn(
            f"{len(files.others)} files in the folder were left out, for their names or because "
            f"the table of labels does not have them: {show_names(files.others)}.",
            UserWarning,
            stacklevel=3,
        )


class _Output:
    """The array of pictures, in memory or in a file; its length is known only at the end."""

    def __init__(self, path: Any, n_rows: int) -> None:
        self.path = None if path is None else check_path("memmap", path)
        if self.path is not None and self.path.suffix != ".npy":
            raise ValueError(f"memmap must be the name of an .npy file; got {os.fspath(path)!r}.")
        if self.path is not None and not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"memmap must be a file in an existing folder; got {os.fspath(path)!r}."
            )
        self.n_rows = n_rows
        self.array: np.ndarray = _NONE_YET
        self.chunk: list[np.ndarray] = []
        self.n_written = 0

    def add(self, pixels: np.ndarray) -> None:
        """Append a picture."""
        if self.array is _NONE_YET:
            shape = (self.n_rows, *pixels.shape)
            if self.path is None:
                self.array = np.empty(shape, dtype=np.uint8)
            else:
                self.array = _new_map(_part(self.path), shape)
        self.chunk.append(pixels)
        if len(self.chunk) == _CHUNK:
            self._write()

    def _write(self) -> None:
        stop = self.n_written + len(self.chunk)
        self.array[self.n_written : stop] = self.chunk
        self.n_written, self.chunk = stop, []
        if isinstance(self.array, np.memmap):
            self.array.flush()

    def finish(self) -> np.ndarray:
        """Return the array of what was added."""
        if self.chunk:
            self._write()
        if self.path is None:
            return self.array[: self.n_written]
        if self.n_written < self.n_rows:
            self._shorten(self.path)
        self.array = _NONE_YET
        os.replace(_part(self.path), self.path)
        return np.load(self.path, mmap_mode="r")

    def _shorten(self, path: Path) -> None:
        """Write the file anew with fewer samples."""
        whole, place = self.array, _part(path, ".short.part")
        shape = (self.n_written, *whole.shape[1:])
        shorter = _new_map(place, shape)
        for start in range(0, self.n_written, _CHUNK):
            shorter[start : start + _CHUNK] = whole[start : min(start + _CHUNK, self.n_written)]
        del shorter
        os.replace(place, _part(path))

    def clean(self) -> None:
        """Remove what is left of a file that was not finished."""
        self.array = _NONE_YET
        if self.path is not None:
            _part(self.path).unlink(missing_ok=True)


def _new_map(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Return an array in a new file, whose space on the disk is taken at once."""
    array = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    # Where the disk is full, a write to the array would end the process without an error.
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise OSError(error.errno, error.strerror, str(path)) from None
    return array


def _part(path: Path, ending: str = ".part") -> Path:
    """Return the file beside another one that it is written to until it is complete."""
    return path.with_name(f"{path.name}{ending}")
