"""Salient ImageNet: photographs with soft masks of what is spurious in them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_count
from .._typing import Seed
from ._data_home import DataHome, get_data_home, require_files
from ._descr import read_descr
from ._images import (
    ImageRecord,
    channels_first,
    import_pillow,
    read_image,
    read_parts,
    split_rows,
)
from ._random import private_random_state

if TYPE_CHECKING:
    from PIL.Image import Image

# Name, WordNet id and spurious features: ImageNet's classes 306, 142, 270, 319, 366 and 389.
_CLASSES = (
    ("rhinoceros beetle", "n02174001", (1581,)),
    ("dowitcher", "n02033041", (925, 1468)),
    ("white wolf", "n02114548", (1401,)),
    ("dragonfly", "n02268443", (1797,)),
    ("gorilla", "n02480855", (665,)),
    ("barracouta", "n02514041", (778,)),
)
_IMAGES = "ILSVRC2012/train"
_MASKS = "salient_imagenet_dataset"
_TABLE = "image_names_map.csv"
_SHARES = (0.6, 0.15)  # training and validation; the rest is the test set
# The network whose features the masks show saw the middle 224 of 256 pixels.
_SEEN, _OF = 224, 256
_WHITE = 255

_INSTRUCTIONS = """
The pictures cannot be fetched for you: ImageNet asks for a login and for its terms to be accepted.
Get the training set of ILSVRC 2012 from https://www.image-net.org, and the masks as
https://github.com/singlasahil14/salient_imagenet says, and lay them out in {folder} as
    ILSVRC2012/train/<class>/<name>.JPEG
    salient_imagenet_dataset/<class>/image_names_map.csv
    salient_imagenet_dataset/<class>/feature_<number>/<name>.JPEG
for the classes {wordnet_ids}.
Symbolic links to where you keep them do. Check: 445 pictures must be read in all; one that is
missing or broken is an error that names it."""


def fetch_salient_imagenet(
    *, data_home: DataHome = None, size: int = 224, random_state: Seed = None
) -> Bunch:
    """Load photographs of six kinds of animals with soft masks of what is spurious.

    The pictures must be on disk already; the error of the first call says what to get and where to
    put it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Where data sets are kept; this one stands in the folder "salient_imagenet" in there.  None
        is what :func:`get_data_home` says.
    size : int, default=224
        Side of the pictures in pixels.
    random_state : int, RandomState instance or None, default=None
        Draws the split.  Equal integers give equal bytes; None is fresh randomness and leaves
        numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 3, size, size)
            Training pictures, 0 to 255, channels first.
        target : int ndarray of shape (n_train,)
            Their classes, 0 to 5.
        mask : float32 ndarray of shape (n_train, size, size)
            Degree to which a pixel is irrelevant, 0 to 1.
        groups : int ndarray of shape (n_train,)
            Their groups: the classes.
        filenames : str ndarray of shape (n_train,)
            Relative to the data set's folder.
        data_valid, target_valid, mask_valid, groups_valid, filenames_valid : ndarrays
            The same for validation.
        data_test, target_test, mask_test, groups_test, filenames_test : ndarrays
            The same for the test.
        target_names : list of str
            Names of the classes.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    FileNotFoundError
        If something is missing; it says what, and where it comes from.
    ValueError
        If a file is broken, a table has no column for a feature, a mask has neither the size of its
        picture nor 224x224 pixels, or an argument has another form than said above.
    ImportError
        If pillow is not installed.

    Notes
    -----
    The published recipe misaligns pictures and masks; this one does not (see DESCR), so published
    figures compare loosely.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419
    .. [2] S. Singla, S. Feizi. "Salient ImageNet: How to discover spurious features in Deep
       Learning?" ICLR 2022. https://arxiv.org/abs/2110.04301

    Examples
    --------
    >>> from skexplain.datasets import fetch_salient_imagenet
    >>> animals = fetch_salient_imagenet(random_state=0)  # doctest: +SKIP
    >>> animals.data.shape, animals.data_test.shape  # doctest: +SKIP
    ((267, 3, 224, 224), (112, 3, 224, 224))
    """
    check_count("size", size)
    rng = private_random_state(random_state)
    folder = get_data_home(data_home) / "salient_imagenet"
    features = _list_pictures(folder)
    records = list(features)
    train, valid, test = split_rows(len(records), _SHARES, rng)

    bunch = read_parts(
        records,
        {"": train, "_valid": valid, "_test": test},
        lambda record: _read(folder, record, features[record], size),
        size,
        np.float32,
    )
    bunch.target_names = [name for name, _, _ in _CLASSES]
    bunch.DESCR = read_descr(
        "salient_imagenet",
        size=size,
        sizes=f"{len(train)}, {len(valid)}, {len(test)}",
        names=", ".join(f"{label} {name}" for label, name in enumerate(bunch.target_names)),
    )
    return bunch


def _list_pictures(folder: Path) -> dict[ImageRecord, list[Path]]:
    """Return the records of all pictures, each with the files of its spurious features' maps."""
    wordnet_ids = [wordnet_id for _, wordnet_id, _ in _CLASSES]
    needed = [f"{_MASKS}/{wordnet_id}/{_TABLE}" for wordnet_id in wordnet_ids]
    needed += [f"{_IMAGES}/{wordnet_id}" for wordnet_id in wordnet_ids]
    instructions = _INSTRUCTIONS.format(folder=folder, wordnet_ids=", ".join(wordnet_ids))
    require_files(folder, needed, instructions)

    maps = {}
    for label, (_, wordnet_id, features) in enumerate(_CLASSES):
        class_folder = folder / _MASKS / wordnet_id
        names_by_feature = _read_table(class_folder / _TABLE, features)
        for name in sorted(set().union(*names_by_feature.values())):
            record = ImageRecord(f"{_IMAGES}/{wordnet_id}/{name}.JPEG", label, label)
            maps[record] = [
                class_folder / f"feature_{feature}" / f"{name}.JPEG"
                for feature, names in names_by_feature.items()
                if name in names
            ]
    return maps


def _read_table(path: Path, features: Sequence[int]) -> dict[int, set[str]]:
    """Read the names of the pictures that stand in the columns of the given features."""
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        rows = list(table)
    columns = table.fieldnames or []
    missing = [str(feature) for feature in features if str(feature) not in columns]
    if missing:
        raise ValueError(
            f"{path} must have a column for each spurious feature; it lacks {', '.join(missing)}, "
            f"and has {', '.join(columns) or 'no columns'}."
        )
    # A column may be shorter than others: empty cells name nothing.
    return {
        feature: {row[str(feature)] for row in rows if row[str(feature)]} for feature in features
    }


def _read(
    folder: Path, record: ImageRecord, map_paths: list[Path], size: int
) -> tuple[np.ndarray, np.ndarray]:
    image = read_image(folder / record.filename)
    mask = np.zeros((size, size), dtype=np.uint8)
    for path in map_paths:
        activation = read_image(path, mode="L")
        if activation.size == (_SEEN, _SEEN):
            activation = _fit(activation, (0, 0, _SEEN, _SEEN), size)
        elif activation.size == image.size:
            activation = _fit(activation, _middle(image.size), size)
        else:
            raise ValueError(
                f"{path} must have {_SEEN}x{_SEEN} pixels, or the size of its picture "
                f"{record.filename}, {image.size[0]}x{image.size[1]}; got "
                f"{activation.size[0]}x{activation.size[1]}."
            )
        mask = np.maximum(mask, np.asarray(activation))
    return channels_first(_fit(image, _middle(image.size), size)), mask / np.float32(_WHITE)


def _middle(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the box of the middle square: 224/256 of the shorter side of a picture."""
    side = min(size) * _SEEN / _OF
    left, top = ((length - side) / 2 for length in size)
    return left, top, left + side, top + side


def _fit(image: Image, box: tuple[float, float, float, float], size: int) -> Image:
    """Resize the box of a picture to a square, in one step."""
    bilinear = import_pillow().Resampling.BILINEAR
    return image.resize((size, size), bilinear, box=box)
