"""Plants: sugar beet leaves, healthy or sick, on a background that gives the class away."""

import re
import zipfile
from pathlib import Path
from typing import IO

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
    resize,
    split_rows,
)
from ._random import private_random_state

_MASKS = "mask/masks.npz"
_LAST_FOLD = 4
_VALID_SHARE = 0.1
_BRIGHTNESS = 2
_WHITE = 255
_LAST_HEALTHY, _LAST_SAMPLE = 3, 18
# <day>_Z<sample>_<three more numbers>
_ID = re.compile(r"(?P<day>[1-5])_Z(?P<sample>\d+)_\w+")

_INSTRUCTIONS = """
These files cannot be fetched for you: P. Schramowski et al. (Nature Machine Intelligence 2, 2020)
give the pictures on request, see https://github.com/ml-research/XIL; the splits stand behind a link
in the README of https://github.com/vihari/robust_mlx. Lay them out in {folder} as
    rgb_data/<day>/<id>.JPEG          day 1 to 5, id such as 1_Z4_0_0_0
    rgb_dataset_splits/train_{fold}.txt    one id per line
    rgb_dataset_splits/test_{fold}.txt
    mask/masks.npz                    one array of the picture's shape per id, 1 on the plant, 0 on
                                      the background
The masks are handed out as preprocessed_masks.pyu, a pickle. Reading a pickle runs any code that is
in it, so that is not done here. If you trust where yours comes from, convert it once yourself:
    import pickle, numpy
    with open("preprocessed_masks.pyu", "rb") as file:
        masks = pickle.load(file)
    numpy.savez_compressed("masks.npz", **masks)
Check: every id of the splits must be in numpy.load("masks.npz").files."""


def fetch_plants(
    *, data_home: DataHome = None, size: int = 224, fold: int = 0, random_state: Seed = None
) -> Bunch:
    """Load sugar beet leaves, healthy or sick, on a background that gives the class away.

    The pictures must be on disk already; the error of the first call says what to get, where to put
    it, and how to turn the masks, which come as a pickle, into a file that is safe to read.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Where data sets are kept; this one stands in the folder "plants" in there.  None is what
        :func:`get_data_home` says.
    size : int, default=224
        Side of the pictures in pixels.
    fold : {0, 1, 2, 3, 4}, default=0
        Which of the authors' five splits into training and test pictures; the published figures
        are of fold 0.
    random_state : int, RandomState instance or None, default=None
        Draws the validation pictures among the training pictures.  Equal integers give equal
        bytes; None is fresh randomness and leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 3, size, size)
            Training pictures, 0 to 255, channels first.
        target : int ndarray of shape (n_train,)
            0 healthy, 1 sick.
        mask : bool ndarray of shape (n_train, size, size)
            True where a pixel is irrelevant: the background.
        groups : int ndarray of shape (n_train,)
            Their groups: the labels.
        filenames : str ndarray of shape (n_train,)
            Relative to the data set's folder.
        data_valid, target_valid, mask_valid, groups_valid, filenames_valid : ndarrays
            The same for validation; the background is the mean colour of `data`.
        data_test, target_test, mask_test, groups_test, filenames_test : ndarrays
            The same for the test.
        data_valid_original, data_test_original : uint8 ndarrays
            As `data_valid` and `data_test`, with the background as it was photographed.
        background : uint8 ndarray of shape (3,)
            The mean colour of `data`.
        target_names : list of str
            Names of the labels.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    FileNotFoundError
        If something is missing; it says what to do.
    ValueError
        If a file is broken, an id is unknown or has no mask, a mask has another shape than its
        picture, or an argument has another form than said above.
    ImportError
        If pillow is not installed.

    Notes
    -----
    The label of a picture follows from its sample alone: by the table of inoculation days in the
    code of [1]_, every picture of the samples 4 to 18 is at least one day after the inoculation.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419
    .. [2] P. Schramowski et al. "Making deep neural networks right for the right scientific reasons
       by interacting with their explanations". Nature Machine Intelligence 2, 2020.
       https://doi.org/10.1038/s42256-020-0212-3

    Examples
    --------
    >>> from skexplain.datasets import fetch_plants
    >>> plants = fetch_plants(size=64, random_state=0)  # doctest: +SKIP
    >>> plants.data.shape[1:]  # doctest: +SKIP
    (3, 64, 64)
    """
    check_count("size", size)
    check_count("fold", fold, low=0, high=_LAST_FOLD)
    rng = private_random_state(random_state)
    folder = get_data_home(data_home) / "plants"
    splits = [f"rgb_dataset_splits/{part}_{fold}.txt" for part in ("train", "test")]
    instructions = _INSTRUCTIONS.format(folder=folder, fold=fold)
    require_files(folder, ["rgb_data", _MASKS, *splits], instructions)

    trained, tested = (_list_pictures(folder / split) for split in splits)
    valid, train = split_rows(len(trained), (_VALID_SHARE,), rng)
    parts = {"": train, "_valid": valid, "_test": len(trained) + np.arange(len(tested))}
    # Opened here, since numpy leaves a broken file open.
    with open(folder / _MASKS, "rb") as file:
        masks = _open_masks(file)
        bunch = read_parts(
            trained + tested, parts, lambda record: _read(folder, record, masks, size), size, bool
        )
    _neutralise_background(bunch)
    bunch.target_names = ["healthy", "sick"]
    bunch.DESCR = read_descr(
        "plants",
        size=size,
        sizes=f"{len(train)} training, {len(valid)} validation and {len(tested)} test",
        colour=tuple(bunch.background.tolist()),
        fold=fold,
    )
    return bunch


def _list_pictures(split: Path) -> list[ImageRecord]:
    """Return the records of the ids in a file with one id per line."""
    records = []
    for number, line in enumerate(split.read_text(encoding="utf-8").splitlines(), start=1):
        name = line.strip()
        if not name:
            continue
        match = _ID.fullmatch(name)
        if match is None or not 1 <= int(match["sample"]) <= _LAST_SAMPLE:
            raise ValueError(
                f"{split}, line {number}: an id must be <day>_Z<sample>_..., day 1 to 5 and sample "
                f"1 to {_LAST_SAMPLE}, such as 1_Z4_0_0_0; got {name!r}."
            )
        sick = int(int(match["sample"]) > _LAST_HEALTHY)
        records.append(ImageRecord(f"rgb_data/{match['day']}/{name}.JPEG", sick, sick))
    if not records:
        raise ValueError(f"{split} must hold one id per line; it holds none.")
    return records


def _open_masks(file: IO[bytes]) -> np.lib.npyio.NpzFile:
    """Open a file of masks without ever unpickling anything."""
    expected = f"{file.name} must be a file that numpy.savez wrote, complete and without pickles"
    try:
        masks = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{expected}: {error}") from error
    if not isinstance(masks, np.lib.npyio.NpzFile):
        raise ValueError(f"{expected}; got a single array.")
    return masks


def _read(
    folder: Path, record: ImageRecord, masks: np.lib.npyio.NpzFile, size: int
) -> tuple[np.ndarray, np.ndarray]:
    image = read_image(folder / record.filename)
    plant = _read_mask(folder / _MASKS, record, masks)
    if plant.shape != (image.height, image.width):
        raise ValueError(
            f"{folder / _MASKS}: the mask of {record.filename} must have its shape, "
            f"({image.height}, {image.width}); got {plant.shape}."
        )
    background = import_pillow().fromarray(np.where(plant, 0, _WHITE).astype(np.uint8))
    mask = np.asarray(resize(background, size, nearest=True)) > 0
    return channels_first(resize(image, size).point(_brighten)), mask


def _read_mask(path: Path, record: ImageRecord, masks: np.lib.npyio.NpzFile) -> np.ndarray:
    """Read where the plant is, a bool array."""
    name = record.filename.rpartition("/")[2].removesuffix(".JPEG")
    try:
        return masks[name] != 0
    except KeyError:
        raise ValueError(f"{path} has no mask of {name}.") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: the mask of {name} must be a complete array: {error}") from error


def _brighten(value: int) -> int:
    return min(_BRIGHTNESS * value, _WHITE)


def _neutralise_background(bunch: Bunch) -> None:
    """Replace what may not matter in validation and test, and keep the pictures as they were."""
    bunch.background = np.rint(bunch.data.mean(axis=(0, 2, 3))).astype(np.uint8)
    colour = bunch.background[:, None, None]
    for part in ("valid", "test"):
        original = bunch[f"data_{part}"]
        bunch[f"data_{part}_original"] = original
        bunch[f"data_{part}"] = np.where(bunch[f"mask_{part}"][:, None], colour, original)
