"""Masks from a folder of images."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal

from numpy.typing import NDArray

from .._checks import as_array, check_path
from ._geometry import ImageGeometry
from ._label_images import check_labels
from ._pixels import PixelReader
from ._place import Like, fit_to_geometry, geometries_of, grid_of, names_of, with_unknown_padding
from ._resample import Resize
from ._rows import (
    Missing,
    as_list,
    check_missing,
    common_shape,
    fit_to,
    row_without_marks,
    shorten,
    stack_rows,
)

_MARKED = ("auto", "nonzero", "degree", "alpha")


def mask_from_folder(
    folder: str | os.PathLike[str],
    names: Iterable[str | os.PathLike[str]] | None = None,
    *,
    suffix: str = ".png",
    marked: Literal["auto", "nonzero", "degree", "alpha"] | int | Sequence[int] = "auto",
    unknown: int | Sequence[int] = (),
    shape: Sequence[int] | None = None,
    resize: Resize | None = None,
    missing: Missing = "unknown",
    like: Like | None = None,
) -> NDArray[Any]:
    """Read one mask image per sample of X, found by name.

    Parameters
    ----------
    folder : str or path-like
        Where the mask images are.
    names : sequence of str of length n_samples, default=None
        What X's images are called, in X's order, with or without folder and ending: the mask of
        "photos/lesion_7.jpg" is "photos/lesion_7.png" in `folder`, or "lesion_7.png".  None: the
        file names of `like`.
    suffix : str, default=".png"
        What follows the name, such as "_segmentation.png".
    marked : {"auto", "nonzero", "degree", "alpha"}, int or sequence of int, default="auto"
        Which pixels are marked:

        - "auto": what is drawn in one colour on black, be it 1 or 255, or on transparent; of more
          than two values (soft edges, lossy files) those brighter than half, with a warning.  A
          palette counts by its colours.  A file that can be read in another way, too, is an error;
        - "nonzero": those that are not black;
        - "degree": grey as a degree, black 0 and white 1;
        - "alpha": those that are not fully transparent;
        - int: those of these grey values or palette indices, as in :func:`mask_from_labels`.
    unknown : int or sequence of int, default=()
        Grey values or palette indices that become NaN, if `marked` is int.
    shape : tuple of int, default=None
        Height and width of X's images.  None: those of the files, which must all agree.
    resize : {"area", "nearest"} or None, default=None
        How to bring masks to `shape`, see :func:`resize_mask`.  None: another size is an error.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a sample without a file is: not annotated; annotated, with nothing marked; or an error.
        A file in which nothing is marked is always an annotation.
    like : Bunch or sequence of ImageGeometry, default=None
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``, in the place of
        `shape`: masks are of the size of the picture files, as they are stored or as they are seen,
        and are brought to X's grid (`resize`: "nearest" by default; where it is given, masks of
        the same proportions but another size are legal, too).  Padding is NaN.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        Bool.  float32 where a sample or a pixel is unknown, which is NaN, or where there are
        degrees.

    Raises
    ------
    ImportError
        If pillow is not installed.
    FileNotFoundError
        If the folder does not exist, has none of the masks, or lacks one with ``missing="error"``.
    ValueError
        If a file cannot be read, has another size than expected, is no image of the kind that
        `marked` asks for, or can be read in several ways (turned by its EXIF orientation, several
        frames, 16 bits per colour; with "auto", labels or several colours), with its name; or if
        two names find one file.

    Warns
    -----
    UserWarning
        If files were cut at half, or have none of the values in `marked`.

    See Also
    --------
    mask_coverage : Shows whether the files were read as they were meant.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skexplain.masks import mask_from_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(f"{folder}/a.png")
    ...     mask_from_folder(folder, ["photos/a.jpg", "photos/b.jpg"])
    array([[[ 0.,  1.]],
           [[nan, nan]]], dtype=float32)
    """
    check_missing(missing)
    read = _reader(marked, unknown)
    if names is None:
        names = names_of(like)
    names = as_list("names", names, "a sequence of str, one per sample of X")
    geometries: Sequence[ImageGeometry | None] = [None] * len(names)
    grid: tuple[int, int] | None = None
    if like is not None:
        found = geometries_of(like, len(names), "names")
        geometries, grid = found, grid_of(found, shape, resize)
    files = _find_files(folder, names, suffix)
    if missing == "error" and None in files:
        name = names[files.index(None)]
        raise FileNotFoundError(f"{folder} has no mask {PurePath(name).stem}{suffix} for {name!r}.")
    # Only the heads of the files are read here.
    sizes = {str(file): _open(file, lambda image: image.size[::-1]) for file in files if file}
    if grid is None:
        grid = common_shape(sizes, shape, resize)

    def masks() -> Iterator[NDArray[Any] | None]:
        for file, geometry in zip(files, geometries, strict=True):
            if file is None:
                yield row_without_marks(missing, grid, "")
            elif geometry is None:
                yield fit_to(_open(file, read), grid, resize, str(file))
            else:
                yield fit_to_geometry(_open(file, read), geometry, resize, str(file))

    stacked = stack_rows(with_unknown_padding(masks(), geometries), len(files), grid)
    _warn(read, len(sizes))
    return stacked


def _find_files(
    folder: str | os.PathLike[str], names: Sequence[Any], suffix: str
) -> list[Path | None]:
    """Return the mask file of every sample, None where there is none."""
    folder = check_path("folder", folder)
    if not isinstance(suffix, str):
        raise TypeError(f"suffix must be text; got {suffix!r}.")
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be an existing folder; got {str(folder)!r}.")
    files: list[Path | None] = []
    owners: dict[Path, str] = {}
    for name in names:
        if not isinstance(name, str | os.PathLike):
            raise TypeError(f"names must hold str; got {name!r}.")
        candidates = _candidates(folder, PurePath(name), suffix)
        file = next((file for file in candidates if file.is_file()), None)
        files.append(file)
        if file is not None and owners.setdefault(file, str(name)) != str(name):
            raise ValueError(
                f"names {owners[file]!r} and {str(name)!r} both find the mask {file}: keep the "
                "masks in folders that are called as those of the images, or give images names of "
                "their own."
            )
    if not any(files):
        there = sorted(file.name for file in folder.iterdir())
        raise FileNotFoundError(
            f"{folder} has no mask for any of {shorten(list(map(str, names)))} with the suffix "
            f"{suffix!r}; it holds {shorten(there)}."
        )
    return files


def _candidates(folder: Path, path: PurePath, suffix: str) -> list[Path]:
    """Return where the mask of an image may be: below its own folder first, then in `folder`."""
    inner = [folder]
    if not path.is_absolute() and ".." not in path.parts:
        inner = [folder / path.parent, folder]
    # A name without ending may have a dot in it, so that the whole name is looked up first.
    return [each / f"{stem}{suffix}" for each in inner for stem in (path.name, path.stem)]


def _open(file: Path, read: Callable[[Any], Any]) -> Any:
    """Open an image and read something from it; an error names the file."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Images need pillow, which the extra "data" brings: pip install "skexplain[data]"'
        ) from error
    try:
        with Image.open(file) as image:
            return read(image)
    except Exception as error:  # a broken file makes pillow raise nearly anything
        raise ValueError(f"{file}: {error}") from error


def _reader(marked: Any, unknown: Any) -> PixelReader:
    """Return what makes a mask of an opened image."""
    if isinstance(marked, str):
        if marked not in _MARKED:
            raise ValueError(f"marked must be one of {list(_MARKED)} or int; got {marked!r}.")
        if as_array("unknown", unknown).size:
            raise ValueError(f"unknown needs marked to be int; got marked={marked!r}.")
        return PixelReader(marked, None)
    return PixelReader(check_labels(marked, "marked"), check_labels(unknown, "unknown"))


def _warn(reader: PixelReader, n_files: int) -> None:
    """Warn if files were cut at half, or if no pixel has a marked value."""
    if reader.thresholded:
        warnings.warn(
            f"{len(reader.thresholded)} of {n_files} files have more than two values, from lossy "
            f"storage or soft edges, and are marked where brighter than half; the first is "
            f'{reader.thresholded[0]}. marked="degree" keeps values as degrees.',
            UserWarning,
            stacklevel=3,
        )
    if not isinstance(reader.marked, str) and not reader.any_marked:
        warnings.warn(
            f"No pixel of {n_files} files has one of the values marked={reader.marked.tolist()}.",
            UserWarning,
            stacklevel=3,
        )
