"""Tools of the fetchers of pictures: reading, resizing, splitting, arrays of all pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils import Bunch

if TYPE_CHECKING:
    from PIL.Image import Image

_Record = TypeVar("_Record", bound="ImageRecord")


@dataclass(frozen=True)
class ImageRecord:
    """One picture of a data set, before it is read.

    Attributes
    ----------
    filename : str
        The picture, relative to the data set's folder.
    target, group : int
        Its label and its group for metrics by group.
    """

    filename: str
    target: int
    group: int


def import_pillow() -> Any:
    """Import pillow, or raise an error that names the extra.

    Returns
    -------
    module
        PIL.Image.

    Raises
    ------
    ImportError
        If pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Pictures need pillow, which the extra "data" brings: pip install "skexplain[data]"'
        ) from error
    return Image


def read_image(path: Path, mode: str = "RGB") -> Image:
    """Read a picture completely.

    Parameters
    ----------
    path : pathlib.Path
        The file, of any format that pillow reads.
    mode : str, default="RGB"
        What the pixels are converted to, in pillow's terms: "L" is grey.

    Returns
    -------
    PIL.Image.Image
        Of the given mode.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no picture, or is truncated or otherwise damaged.
    """
    image_module = import_pillow()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing.")
    # pillow has no common error: each of its formats raises what it meets first.
    broken = (OSError, SyntaxError, ValueError, EOFError, struct.error)
    try:
        with image_module.open(path) as image:
            return image.convert(mode)
    except (*broken, image_module.DecompressionBombError) as error:
        raise ValueError(f"{path} must be a complete picture: {error}") from error


def resize(image: Image, size: int, *, nearest: bool = False) -> Image:
    """Resize a picture to a square.

    Parameters
    ----------
    image : PIL.Image.Image
        The picture.
    size : int
        Side of the square, in pixels.
    nearest : bool, default=False
        Whether each pixel is copied from the nearest one, as for a mask of yes and no, rather than
        interpolated (bicubic, averaged over the area where the picture shrinks).

    Returns
    -------
    PIL.Image.Image
        The picture itself where it has that size already.
    """
    resampling = import_pillow().Resampling
    if image.size == (size, size):
        return image
    return image.resize((size, size), resampling.NEAREST if nearest else resampling.BICUBIC)


def channels_first(image: Image) -> np.ndarray:
    """Turn an RGB picture to a uint8 array of shape (3, height, width)."""
    return np.asarray(image).transpose(2, 0, 1)


def split_rows(
    n_rows: int, shares: Sequence[float], rng: np.random.RandomState
) -> list[np.ndarray]:
    """Split samples at random into consecutive parts.

    Parameters
    ----------
    n_rows : int
        Number of samples.
    shares : tuple of float
        Share of each part but the last, which is what remains; rounded down to whole samples.
    rng : RandomState
        Draws the order.

    Returns
    -------
    list of int ndarray
        Samples of each part, in the order drawn.
    """
    sizes = [int(share * n_rows) for share in shares]
    return np.split(rng.permutation(n_rows), np.cumsum(sizes))


def stratified_rows(strata: ArrayLike, n_rows: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw some of the samples, of each stratum in proportion to its size.

    Parameters
    ----------
    strata : array-like of shape (n,)
        Stratum of each sample.
    n_rows : int
        How many to draw, at most n.
    rng : RandomState
        Draws within the strata.

    Returns
    -------
    int ndarray of shape (n_rows,)
        The samples, in ascending order.
    """
    strata = np.asarray(strata)
    order = rng.permutation(len(strata))
    _, stratum, sizes = np.unique(strata[order], return_inverse=True, return_counts=True)
    # Each stratum is spread evenly over [0, 1], so that the first samples hold each in proportion.
    place = np.empty(len(order))
    for number, size in enumerate(sizes):
        place[stratum == number] = (np.arange(size) + 0.5) / size
    return np.sort(order[np.argsort(place, kind="stable")[:n_rows]])


def read_parts(
    records: Sequence[_Record],
    parts: Mapping[str, np.ndarray],
    read: Callable[[_Record], tuple[np.ndarray, np.ndarray | float]],
    size: int,
    mask_dtype: DTypeLike,
) -> Bunch:
    """Read the pictures and masks of each part of a data set.

    Pictures are read one by one into the arrays in which they are returned, so that there is never
    a second copy.

    Parameters
    ----------
    records : sequence of ImageRecord
        All pictures.
    parts : dict of str to int ndarray
        Ending of the part's names, such as "_test", to its samples.
    read : callable
        From a record to its picture, uint8 of shape (3, size, size), and its mask, of shape
        (size, size).
    size : int
        Side of the pictures in pixels.
    mask_dtype : dtype
        Type of the masks.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        data, mask, target, groups and filenames of each part, with its ending.
    """
    bunch = Bunch()
    for ending, rows in parts.items():
        chosen = [records[row] for row in rows]
        data = np.empty((len(chosen), 3, size, size), dtype=np.uint8)
        mask = np.empty((len(chosen), size, size), dtype=mask_dtype)
        for row, record in enumerate(chosen):
            data[row], mask[row] = read(record)
        bunch[f"data{ending}"] = data
        bunch[f"mask{ending}"] = mask
        bunch[f"target{ending}"] = np.array([record.target for record in chosen], dtype=np.int64)
        bunch[f"groups{ending}"] = np.array([record.group for record in chosen], dtype=np.int64)
        bunch[f"filenames{ending}"] = np.array([record.filename for record in chosen], dtype=str)
    return bunch
