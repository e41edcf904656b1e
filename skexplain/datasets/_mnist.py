"""MNIST: its four files in the idx format, found in a folder or downloaded."""

import gzip
import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_count, check_flag
from ._data_home import DataHome, download, get_data_home

# Images and labels, for training and for the test.
Digits: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

N_CLASSES = 10
SIDE = 28

_GZIP_MAGIC = b"\x1f\x8b"
_UINT8 = 0x08  # the type code of the idx format

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
)
_MD5_GZIPPED = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)
_MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)
_OPENML_ID = 554
_N_TRAIN = 60000  # OpenML's copy has the training images first


def load_mnist(
    data_home: DataHome,
    download_if_missing: bool,
    n_train: int | None,
    n_test: int | None,
    rng: np.random.RandomState,
) -> Digits:
    """Return the images and labels of MNIST, all or some, from files or by a download.

    Parameters
    ----------
    data_home : str, path-like or None
        Passed to :func:`~skexplain.datasets.get_data_home`.  The files are looked for in this
        folder and in its folder mnist.
    download_if_missing : bool
        Whether to download what is missing, into data_home/mnist.
    n_train, n_test : int or None
        How many samples to draw, without replacement.  None is all of them, in their order.
    rng : RandomState
        Draws the samples.

    Returns
    -------
    X, y, X_test, y_test : ndarrays
        As :func:`load_mnist_files` returns them.
    """
    for name, wanted in (("n_train", n_train), ("n_test", n_test)):
        if wanted is not None:
            check_count(name, wanted)
    check_flag("download_if_missing", download_if_missing)
    X, y, X_test, y_test = _load_all(get_data_home(data_home), download_if_missing)
    return (
        *_draw_rows("n_train", n_train, X, y, rng),
        *_draw_rows("n_test", n_test, X_test, y_test, rng),
    )


def _load_all(home: Path, download_if_missing: bool) -> Digits:
    for folder in (home, home / "mnist"):
        if all(_find(folder, name) for name in _FILES):
            return load_mnist_files(folder)
    _download_missing(home / "mnist", download_if_missing)
    return load_mnist_files(home / "mnist")


def _draw_rows(
    name: str,
    wanted: int | None,
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    if wanted is None:
        return images, labels
    if wanted > len(images):
        raise ValueError(f"{name} must be at most {len(images)}, all images; got {wanted}.")
    rows = rng.choice(len(images), size=wanted, replace=False)
    return images[rows], labels[rows]


def _download_missing(folder: Path, download_if_missing: bool) -> None:
    try:
        for name, md5 in zip(_FILES, _MD5_GZIPPED, strict=True):
            if _find(folder, name) is None:
                urls = [f"{mirror}/{name}.gz" for mirror in _MIRRORS]
                known_hash = f"md5:{md5}"
                download(
                    f"{name}.gz", urls, known_hash, folder, download_if_missing=download_if_missing
                )
    except OSError as error:
        if not download_if_missing:
            raise
        _copy_from_openml(folder, error)


def _copy_from_openml(folder: Path, mirrors_error: OSError) -> None:
    """Write the four files from OpenML's table, byte for byte, where no mirror gives them."""
    from sklearn.datasets import fetch_openml  # beside its use: the last resort

    try:
        # liac-arff needs no pandas; one try, since the mirrors have failed before.
        table = fetch_openml(
            data_id=_OPENML_ID,
            data_home=folder / "openml",
            as_frame=False,
            parser="liac-arff",
            n_retries=0,
        )
    except (OSError, ValueError) as error:
        raise OSError(
            f"{mirrors_error}\n- OpenML, data set {_OPENML_ID}: {error}"
        ) from mirrors_error
    images = table.data.astype(np.uint8).reshape(-1, SIDE, SIDE)
    labels = table.target.astype(np.uint8)
    train, test = slice(_N_TRAIN), slice(_N_TRAIN, None)
    arrays = (images[train], labels[train], images[test], labels[test])
    contents = [_to_idx(array) for array in arrays]
    for name, content, md5 in zip(_FILES, contents, _MD5, strict=True):
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != md5:
            raise OSError(
                f"{mirrors_error}\n- OpenML, data set {_OPENML_ID}: its copy of {name} has the "
                f"checksum md5 {found}, not {md5}."
            ) from mirrors_error
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(_FILES, contents, strict=True):
        if _find(folder, name) is not None:
            continue
        partial = folder / f"{name}.part"  # a file under its name is always complete
        partial.write_bytes(content)
        os.replace(partial, folder / name)


def _to_idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, _UINT8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array of bytes in the idx format, gzipped or not.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    uint8 ndarray
        Of the shape that the file's header states.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, is no idx file of bytes, or is shorter or longer than its header
        says.
    """
    path = Path(path)
    content = path.read_bytes()
    if content[:2] == _GZIP_MAGIC:
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path} must be a complete gzip file: {error}.") from error
    if len(content) < 4 or content[:3] != bytes([0, 0, _UINT8]):
        raise ValueError(
            f"{path} must be an idx file of bytes, which begins with 00 00 08; got "
            f"{content[:3].hex(' ') or 'an empty file'}."
        )
    n_axes = content[3]
    header = 4 + 4 * n_axes
    if n_axes == 0 or len(content) < header:
        raise ValueError(
            f"{path} must have a header of {header} bytes for its {n_axes} axes, at least one; got "
            f"a file of {len(content)} bytes."
        )
    shape = struct.unpack(f">{n_axes}I", content[4:header])
    expected = header + int(np.prod(shape, dtype=object))  # object: no overflow by a broken header
    if len(content) != expected:
        raise ValueError(
            f"{path} must hold {expected} bytes for an array of shape {shape}; got {len(content)}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape).copy()


def load_mnist_files(folder: str | os.PathLike[str]) -> Digits:
    """Load MNIST, or a data set of the same form, from its four files.

    Parameters
    ----------
    folder : str or path-like
        Holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
        t10k-labels-idx1-ubyte, each as it is or gzipped with the ending .gz.

    Returns
    -------
    X : uint8 ndarray of shape (60000, 28, 28)
        Training images.
    y : int64 ndarray of shape (60000,)
        Their labels.
    X_test, y_test : ndarrays
        The same for the 10000 test images.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is broken, the images are not 28x28, or images and labels differ in number.
    """
    folder = Path(folder)
    paths = [_find(folder, name) for name in _FILES]
    found = [path for path in paths if path is not None]
    if len(found) < len(_FILES):
        missing = [name for name, path in zip(_FILES, paths, strict=True) if path is None]
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: put the files of MNIST there, under these names "
            "or with .gz behind."
        )
    return (*_load_pair(*found[:2]), *_load_pair(*found[2:]))


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _load_pair(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(
            f"{images_path} must hold images of 28x28 pixels; got an array of shape {images.shape}."
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path} must hold a label for each of the {len(images)} images of "
            f"{images_path.name}; got an array of shape {labels.shape}."
        )
    return images, labels.astype(np.int64)


def check_digits(
    images_name: str, images: ArrayLike, labels_name: str, labels: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return images of 28x28 bytes and int64 labels 0 to 9, or raise an error with their names."""
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise ValueError(
            f"{images_name} must be uint8 of shape (n, 28, 28); got {images.dtype} of shape "
            f"{images.shape}."
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_name} must be integers of shape ({len(images)},), one for each of "
            f"{images_name}; got {labels.dtype} of shape {labels.shape}."
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= N_CLASSES):
        raise ValueError(f"{labels_name} must lie in 0 to 9; got {labels.min()} to {labels.max()}.")
    return images, labels.astype(np.int64)
