"""Masks from a folder of images."""

import os
from pathlib import Path, PurePath

import numpy as np

from ._build import check_labels, mark_labels
from ._rows import (
    as_list,
    check_missing,
    common_shape,
    fit_to,
    row_without_marks,
    shorten,
    stack_rows,
)

# Greatest value by the mode of a grey image.  "1" and "I;16" are 1-bit and 16-bit grey.
_GREY_MAX = {"1": 1, "L": 255, "I;16": 65535, "I;16L": 65535, "I;16B": 65535}
_COLOUR = ("RGB", "RGBA", "LA")


def mask_from_folder(
    folder,
    names,
    *,
    suffix=".png",
    marked="nonzero",
    unknown=(),
    shape=None,
    resize=None,
    missing="unknown",
):
    """Read one mask image per row of X, found by name.

    Parameters
    ----------
    folder : str or path-like
        Where the mask images are.
    names : sequence of str of length n_samples
        What X's images are called, in X's order, with or without folder and ending: the mask of
        "photos/lesion_7.jpg" is "lesion_7.png".
    suffix : str, default=".png"
        What follows the name, such as "_segmentation.png".
    marked : {"nonzero", "degree", "alpha"}, int or sequence of int, default="nonzero"
        Which pixels are marked:

        - "nonzero": those that are not black (index 0 of a palette), be they 1 or 255;
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
        What a row without a file is: not annotated; annotated, with nothing marked; or an error.
        A file in which nothing is marked is always an annotation.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        Bool.  float32 where a row or a pixel is unknown, which is NaN, or where there are degrees.

    Raises
    ------
    ImportError
        If pillow is not installed.
    FileNotFoundError
        If the folder does not exist, has none of the masks, or lacks one with ``missing="error"``.
    ValueError
        If a file cannot be read, has another size than expected or is no image of the kind that
        `marked` asks for, with its name.

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
    names = as_list("names", names, "a sequence of str, one per row of X")
    files = _find_files(folder, names, suffix)
    if missing == "error" and None in files:
        name = names[files.index(None)]
        raise FileNotFoundError(f"{folder} has no mask {PurePath(name).stem}{suffix} for {name!r}.")
    # Only the heads of the files are read here.
    sizes = {str(file): _open(file, lambda image: image.size[::-1]) for file in files if file}
    shape = common_shape(sizes, shape, resize)

    def masks():
        for file in files:
            if file is None:
                yield row_without_marks(missing, shape, "")
            else:
                yield fit_to(_open(file, read), shape, resize, str(file))

    return stack_rows(masks(), len(files), shape)


def _find_files(folder, names, suffix):
    """Return the mask file of every row, None where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be an existing folder; got {str(folder)!r}.")
    files = []
    for name in names:
        if not isinstance(name, str | os.PathLike):
            raise TypeError(f"names must hold str; got {name!r}.")
        path = PurePath(name)
        # A name without ending may have a dot in it, so that the whole name is looked up first.
        candidates = [folder / f"{stem}{suffix}" for stem in (path.name, path.stem)]
        files.append(next((file for file in candidates if file.is_file()), None))
    if not any(files):
        there = sorted(file.name for file in folder.iterdir())
        raise FileNotFoundError(
            f"{folder} has no mask for any of {shorten(list(map(str, names)))} with the suffix "
            f"{suffix!r}; it holds {shorten(there)}."
        )
    return files


def _open(file, read):
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


def _reader(marked, unknown):
    """Return a function from an opened image to its mask."""
    readers = {"nonzero": _nonzero, "degree": _degree, "alpha": _alpha}
    if isinstance(marked, str):
        if marked not in readers:
            raise ValueError(f"marked must be one of {list(readers)} or int; got {marked!r}.")
        if np.size(unknown):
            raise ValueError(f"unknown needs marked to be int; got marked={marked!r}.")
        return readers[marked]
    marked, unknown = check_labels(marked, "marked"), check_labels(unknown, "unknown")
    return lambda image: mark_labels(_values(image, (*_GREY_MAX, "P")), marked, unknown)


def _values(image, modes):
    if image.mode not in modes:
        raise ValueError(f"is an image of mode {image.mode!r}, expected one of {list(modes)}.")
    return np.asarray(image)


def _nonzero(image):
    values = _values(image, (*_GREY_MAX, "P", *_COLOUR))
    if image.mode in ("RGBA", "LA"):
        values = values[..., :-1]
    return values.reshape(*image.size[::-1], -1).any(axis=2)


def _degree(image):
    values = _values(image, tuple(_GREY_MAX))
    return values if image.mode == "1" else (values / _GREY_MAX[image.mode]).astype(np.float32)


def _alpha(image):
    return _values(image, ("RGBA", "LA"))[..., -1] != 0
