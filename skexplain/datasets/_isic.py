"""ISIC: skin lesions, half of whose benign pictures show a coloured patch beside the lesion."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
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
    read_image,
    read_parts,
    resize,
    split_rows,
    stratified_rows,
)
from ._random import private_random_state

if TYPE_CHECKING:
    from PIL.Image import Image

# Folder, label and group, in the order in which [1] number the pictures.
_FOLDERS = (
    ("processed/no_cancer", 0, 0),
    ("processed/patch_no_cancer_again", 0, 1),
    ("processed/cancer", 1, 2),
)
_SEGMENTATION = "segmentation"
_PATCHED = 1
_ENDINGS = {".jpg", ".jpeg", ".png"}
_SHARES = (0.75, 0.1)  # training and validation; the rest is the test set
_PATCH_ABOVE = 100  # of 255, in the red channel of a segmentation

_INSTRUCTIONS = """
The pictures cannot be fetched for you: the ISIC archive asks for its terms of use to be accepted.
Get them from https://www.isic-archive.com with the scripts in isic-skin-cancer/ISIC of
https://github.com/laura-rieger/deep-explanation-penalization, which also leads to the segmentations
of the patches, and lay them out in {folder} as
    processed/no_cancer/              benign, no patch (10525 pictures in the papers)
    processed/patch_no_cancer_again/  benign, with a patch (9210)
    processed/cancer/                 malignant (2557)
    segmentation/                     for each picture with a patch one of the same name and size,
                                      whose patch is brighter than 100 in red
Check the numbers: for d in processed/* segmentation; do echo "$d" $(ls "$d" | wc -l); done"""


def fetch_isic(
    *,
    data_home: DataHome = None,
    size: int = 299,
    max_rows: int | None = None,
    random_state: Seed = None,
) -> Bunch:
    """Load skin lesions, half of whose benign pictures show a coloured patch.

    The pictures must be on disk already; the error of the first call says what to get and where to
    put it.  All of them, at 299 pixels, take 6 GB and their masks 2 GB: see `size` and `max_rows`.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Where data sets are kept; this one stands in the folder "isic" in there.  None is what
        :func:`get_data_home` says.
    size : int, default=299
        Side of the pictures in pixels; they are resized where they differ.  Memory goes with its
        square.
    max_rows : int or None, default=None
        How many pictures to read in all parts together, drawn in proportion to the groups.  None
        reads all.
    random_state : int, RandomState instance or None, default=None
        Draws the pictures and the split.  Equal integers give equal bytes; None is fresh randomness
        and leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 3, size, size)
            Training pictures, 0 to 255, channels first.
        target : int ndarray of shape (n_train,)
            0 benign, 1 malignant.
        mask : bool ndarray of shape (n_train, size, size)
            True where a pixel is irrelevant: the patch's.
        groups : int ndarray of shape (n_train,)
            0 benign without a patch, 1 benign with a patch, 2 malignant.
        filenames : str ndarray of shape (n_train,)
            Relative to the data set's folder.
        data_valid, target_valid, mask_valid, groups_valid, filenames_valid : ndarrays
            The same for validation.
        data_test, target_test, mask_test, groups_test, filenames_test : ndarrays
            The same for the test.
        target_names, group_names : list of str
            Names of labels and groups.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    FileNotFoundError
        If folders or segmentations are missing; it says what to do.
    ValueError
        If a file is broken, a segmentation has another size than its picture, or an argument has
        another form than said above.
    ImportError
        If pillow is not installed.

    See Also
    --------
    skexplain.metrics.worst_group_accuracy : Shows who took the shortcut.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419
    .. [2] L. Rieger, C. Singh, W. J. Murdoch, B. Yu. "Interpretations are useful: penalizing
       explanations to align neural networks with prior knowledge". ICML 2020.
       https://arxiv.org/abs/1909.13584

    Examples
    --------
    >>> from skexplain.datasets import fetch_isic
    >>> isic = fetch_isic(size=64, max_rows=2000, random_state=0)  # doctest: +SKIP
    >>> isic.data.shape  # doctest: +SKIP
    (1500, 3, 64, 64)
    """
    check_count("size", size)
    if max_rows is not None:
        check_count("max_rows", max_rows)
    rng = private_random_state(random_state)
    folder = get_data_home(data_home) / "isic"
    records = _list_pictures(folder)
    rows = _choose_rows(records, max_rows, rng)
    train, valid, test = (rows[part] for part in split_rows(len(rows), _SHARES, rng))

    bunch = read_parts(
        records,
        {"": train, "_valid": valid, "_test": test},
        lambda record: _read(folder, record, size),
        size,
        bool,
    )
    bunch.target_names = ["benign", "malignant"]
    bunch.group_names = ["benign, no patch", "benign, patch", "malignant"]
    bunch.DESCR = read_descr("isic", size=size, sizes=f"{len(train)}, {len(valid)}, {len(test)}")
    return bunch


def _list_pictures(folder: Path) -> list[ImageRecord]:
    names = [name for name, _, _ in _FOLDERS]
    instructions = _INSTRUCTIONS.format(folder=folder)
    require_files(folder, [*names, _SEGMENTATION], instructions)
    records = []
    for name, target, group in _FOLDERS:
        # A folder is listed in no order: sorted, so that a seed means the same everywhere.
        pictures = sorted(
            path.name for path in (folder / name).iterdir() if path.suffix.lower() in _ENDINGS
        )
        if not pictures:
            raise FileNotFoundError(f"{folder / name} holds no pictures. {instructions}")
        records += [ImageRecord(f"{name}/{picture}", target, group) for picture in pictures]
    # Before minutes of reading, not in the middle of them.
    patched = [record for record in records if record.group == _PATCHED]
    require_files(folder, [_segmentation(record) for record in patched], instructions)
    return records


def _segmentation(record: ImageRecord) -> str:
    return f"{_SEGMENTATION}/{PurePosixPath(record.filename).name}"


def _choose_rows(
    records: list[ImageRecord], max_rows: int | None, rng: np.random.RandomState
) -> np.ndarray:
    if max_rows is None:
        return np.arange(len(records))
    return stratified_rows([record.group for record in records], max_rows, rng)


def _read(folder: Path, record: ImageRecord, size: int) -> tuple[np.ndarray, np.ndarray | float]:
    image = read_image(folder / record.filename)
    if record.group != _PATCHED:
        return channels_first(resize(image, size)), False
    path = folder / _segmentation(record)
    patch = read_image(path)
    if patch.size != image.size:
        raise ValueError(
            f"{path} must have the size of its picture {record.filename}, {_size(image)} pixels; "
            f"got {_size(patch)}."
        )
    red = np.asarray(resize(patch.getchannel("R"), size, nearest=True))
    return channels_first(resize(image, size)), red > _PATCH_ABOVE


def _size(image: Image) -> str:
    return "x".join(map(str, image.size))
