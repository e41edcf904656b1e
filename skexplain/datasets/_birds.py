"""Birds: two blue species of CUB-200-2011, distinguished by their beaks."""

from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch, check_scalar

from .._checks import check_count, check_flag
from .._typing import Seed
from ._birds_archive import SPECIES, Bird, find_folder, read_birds
from ._data_home import DataHome, get_data_home
from ._descr import read_descr
from ._images import (
    channels_first,
    read_image,
    read_parts,
    resize,
    stratified_rows,
)
from ._inject import inject_patches
from ._random import private_random_state

_SMALLEST_SIDE = 8
_SPURIOUS_SHARE = 8  # the side of a picture is eight times the side of a spurious square
_COLOURS = {0: (0, 255, 0), 1: (255, 0, 0)}  # of spurious squares by label: green, red


def fetch_birds(
    *,
    data_home: DataHome = None,
    download_if_missing: bool = True,
    size: int = 64,
    beak_size: float = 0.25,
    train_size: int | None = None,
    spurious: bool = False,
    random_state: Seed = None,
) -> Bunch:
    """Load photographs of two blue birds, distinguished by their beaks.

    Indigo Buntings and Blue Grosbeaks of CUB-200-2011, cut to the bird [1]_.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Where data sets are kept; this one stands in the folder "birds/CUB_200_2011" in there.  None
        is what :func:`get_data_home` says.
    download_if_missing : bool, default=True
        Whether to download the archive (1.1 GB) if that folder is not there.  Of it, the tables and
        the two species are unpacked.
    size : int, default=64
        Side of the pictures in pixels, at least 8.
    beak_size : float, default=0.25
        Side of the square around the beak, as a share of the picture's side: above 0, at most 0.5.
        [1]_ call it small.
    train_size : int or None, default=None
        How many of the training pictures to take, drawn in proportion to the species; [1]_ take 30
        and 60.  None takes all, about 60.
    spurious : bool, default=False
        Whether each training picture shows a coloured square that gives its label away, green in
        class 0 and red in class 1, at a random place off the square around the beak.
    random_state : int, RandomState instance or None, default=None
        Draws the training pictures and the places.  Equal integers give equal bytes, and the same
        pictures with `spurious` as without; None is fresh randomness and leaves numpy's global
        random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 3, size, size)
            Training pictures, 0 to 255, channels first.
        target : int ndarray of shape (n_train,)
            0 Indigo Bunting, 1 Blue Grosbeak.
        mask : float32 ndarray of shape (n_train, size, size)
            1 where a pixel is irrelevant: off the square around the beak, 0 in it.  NaN in samples
            whose beak is not visible: they are not annotated.
        spurious_mask : bool ndarray of shape (n_train, size, size)
            True where a spurious square was drawn.
        groups : int ndarray of shape (n_train,)
            Their groups: the labels.
        filenames : str ndarray of shape (n_train,)
            Relative to the folder CUB_200_2011.
        data_test, target_test, mask_test, groups_test, filenames_test : ndarrays
            The same for the data set's own test pictures, which show no spurious squares.
        target_names : list of str
            Names of the species.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    FileNotFoundError
        If something is missing and may not be downloaded.
    OSError
        If the download fails.
    ValueError
        If a file is broken, a table has no line for a picture, or an argument has another form than
        said above.
    TypeError
        If `spurious` is not a bool, or `beak_size` not a number.
    ImportError
        If pillow, or pooch for the download, is not installed.

    See Also
    --------
    inject_patches : Draws such squares into anyone's pictures.

    References
    ----------
    .. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations.
    .. [2] C. Wah, S. Branson, P. Welinder, P. Perona, S. Belongie. "The Caltech-UCSD Birds-200-2011
       Dataset". California Institute of Technology, CNS-TR-2011-001, 2011.

    Examples
    --------
    >>> from skexplain.datasets import fetch_birds
    >>> birds = fetch_birds(train_size=30, spurious=True, random_state=0)  # doctest: +SKIP
    >>> birds.data.shape, birds.mask.shape  # doctest: +SKIP
    ((30, 3, 64, 64), (30, 64, 64))
    """
    check_count("size", size, low=_SMALLEST_SIDE)
    check_scalar(beak_size, "beak_size", Real, min_val=0, max_val=0.5, include_boundaries="right")
    if not isinstance(spurious, bool | np.bool_):
        raise TypeError(f"spurious must be a bool; got {spurious!r}.")
    check_flag("download_if_missing", download_if_missing)
    if train_size is not None:
        check_count("train_size", train_size)
    rng = private_random_state(random_state)
    folder = find_folder(get_data_home(data_home) / "birds", download_if_missing)
    birds = read_birds(folder)
    train = _choose_training(birds, train_size, rng)
    test = np.flatnonzero([not bird.in_training for bird in birds])
    side = max(1, round(beak_size * size))

    bunch = read_parts(
        birds,
        {"": train, "_test": test},
        lambda bird: _read(folder, bird, size, side),
        size,
        np.float32,
    )
    bunch.spurious_mask = np.zeros(bunch.mask.shape, dtype=bool)
    if spurious:
        shown = inject_patches(
            bunch.data,
            bunch.target,
            size=size // _SPURIOUS_SHARE,
            colors=_COLOURS,
            mask=bunch.mask,
            random_state=rng,
        )
        bunch.data, bunch.spurious_mask = shown.data, shown.mask[:, 0]
    bunch.target_names = [name.replace("_", " ") for name in SPECIES]
    bunch.DESCR = read_descr(
        "birds",
        size=size,
        side=side,
        n_train=len(train),
        n_test=len(test),
        drawn="" if spurious else ": nowhere, these pictures have none",
    )
    return bunch


def _choose_training(
    birds: list[Bird], train_size: int | None, rng: np.random.RandomState
) -> np.ndarray:
    """Return the samples of the training pictures, ascending."""
    rows = np.flatnonzero([bird.in_training for bird in birds])
    if train_size is None:
        return rows
    check_count("train_size", train_size, high=len(rows))
    return rows[stratified_rows([birds[row].target for row in rows], train_size, rng)]


def _read(folder: Path, bird: Bird, size: int, side: int) -> tuple[np.ndarray, np.ndarray | float]:
    image = read_image(folder / bird.filename)
    left, top, right, bottom = box = _crop_box(bird, image.size)
    if left >= right or top >= bottom:
        raise ValueError(
            f"bounding_boxes.txt must have a box in the picture for {bird.filename}, of "
            f"{image.width}x{image.height} pixels; got x, y, width, height {bird.box}."
        )
    pixels = channels_first(resize(image.crop(box), size))
    if bird.beak is None:
        return pixels, np.nan
    x, y = bird.beak
    column = _first_pixel((x - left) / (right - left), size, side)
    row = _first_pixel((y - top) / (bottom - top), size, side)
    mask = np.ones((size, size), dtype=np.float32)
    mask[row : row + side, column : column + side] = 0
    return pixels, mask


def _crop_box(bird: Bird, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the bird in whole pixels of the picture."""
    x, y, width, height = bird.box
    corners = (x, y, x + width, y + height)
    return tuple(
        min(max(round(corner), 0), limit)
        for corner, limit in zip(corners, (*image_size, *image_size), strict=True)
    )


def _first_pixel(centre: float, size: int, side: int) -> int:
    """Return where a segment of `side` pixels starts whose centre is a share of `size`.

    It stays whole: near an edge it is moved inwards.
    """
    return min(max(round(centre * size - side / 2), 0), size - side)
