"""MNIST with a decoy, at the sizes of the papers, from files in the idx format."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from sklearn.utils import Bunch
from torch.nn import functional

from ._decoys import _private_random_state

_N_CLASSES = 10
_SIDE = 28
_HALF = _SIDE // 2
_CORNER_SIDE = 4
_SHADE_STEP = 25  # ten shades, 25 grey levels apart
_WHITE = 255
_STRIPE_CENTRE, _STRIPE_AMPLITUDE, _STRIPE_NOISE = 128, 100, 10  # grey levels
_CHUNK_ROWS = 4096  # float copies of so many images at once

_GZIP_MAGIC = b"\x1f\x8b"
_UINT8 = 0x08  # the type code of the idx format

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

_DESCRIPTION = """\
Decoy MNIST: handwritten digits beside a decoy that gives the label away
========================================================================

Variant: {decoy}

{recipe}

Contents
--------
data, data_test : uint8, 28x28 pixels per row, 0 to 255
    {n_train} training and {n_test} test images.
target, target_test : int, the digit.
mask, mask_test : bool, as data
    True where a pixel is irrelevant: the decoy's own pixels.
groups, groups_test : int
    The group of each row for metrics by group: its label, as in [2].
data_random : as data
    The training images with the decoy in the same place and drawn for a random digit, as in the
    test set. What a model reaches that is fitted on them is the ceiling: there was no shortcut.

Source
------
Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits, or files of the same
form.

References
----------
[1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. Right for the Right Reasons: Training Differentiable
    Models by Constraining their Explanations. IJCAI 2017. https://doi.org/10.24963/ijcai.2017/371
[2] J. Heo, V. Piratla, M. Wicker, A. Weller. Use Perturbations when Learning from Explanations.
    NeurIPS 2023. https://arxiv.org/abs/2303.06419
"""

_RECIPES = {
    "corner": """\
A square of 4x4 pixels in a corner drawn at random covers what was there. Its shade is
255 - 25 * digit in the training set, and in the test set 255 - 25 * (a digit drawn uniformly at
random). This is the recipe of [1].""",
    "half": """\
The digit is resized to half its height (bicubic, antialiased) and stands in the upper or the lower
half, drawn at random. The other half is filled with the shade 25 * digit in the training set, and
in the test set with 25 * (a digit drawn uniformly at random). This is the recipe of [2] with one
channel; their code draws the half anew whenever an image is read, here it is drawn once.""",
    "stripes": """\
As "half", but the other half is a texture: a sinusoid of digit + 1 periods over the width, of
random phase, 100 grey levels around 128, with gaussian noise of 10 grey levels. In the test set the
number of periods is that of a digit drawn uniformly at random. No single pixel tells the label, so
a model that is robust to other constants may still read the decoy. Our own.""",
}


def read_idx(path):
    """Read an array of bytes in the idx format, gzipped or not.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    uint8 ndarray
        Of the shape that the file's header tells.

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


def load_mnist_files(folder):
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
    missing = [name for name, path in zip(_FILES, paths, strict=True) if path is None]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {', '.join(missing)}: put the files of MNIST there, under these names "
            "or with .gz behind."
        )
    return (*_load_pair(*paths[:2]), *_load_pair(*paths[2:]))


def _find(folder, name):
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _load_pair(images_path, labels_path):
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != (_SIDE, _SIDE):
        raise ValueError(
            f"{images_path} must hold images of 28x28 pixels; got an array of shape {images.shape}."
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path} must hold a label for each of the {len(images)} images of "
            f"{images_path.name}; got an array of shape {labels.shape}."
        )
    return images, labels.astype(np.int64)


def decoy_mnist(images, labels, images_test, labels_test, decoy="half", random_state=None):
    """Add to digits a decoy that tells the label in training and lies in the test set.

    Parameters
    ----------
    images, images_test : uint8 ndarray of shape (n, 28, 28)
        Training and test digits.
    labels, labels_test : int ndarray of shape (n,)
        Their labels, 0 to 9.
    decoy : {"half", "stripes", "corner"}, default="half"
        - "half": the digit squeezed into the upper or lower half, drawn at random, and the other
          half filled with the shade 25 * digit [2]_;
        - "stripes": the same, but the other half shows stripes whose number is digit + 1, shifted
          at random, with noise;
        - "corner": a 4x4 square in a corner drawn at random, of the shade 255 - 25 * digit [1]_.

        In the test set, the decoy is that of a digit drawn uniformly at random.  [2]_ draw the half
        anew whenever an image is read; here it is drawn once per image.
    random_state : int, RandomState instance or None, default=None
        Seeds places, digits and textures.  None is fresh randomness and leaves numpy's global
        random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With data, target, mask, groups, data_test, target_test, mask_test, groups_test,
        data_random, target_names and DESCR, as `make_decoy_digits` returns them; rows have the
        shape (28, 28) and keep their order.

    Raises
    ------
    ValueError
        If `decoy` is unknown, an array has another form than said above, or `random_state` cannot
        seed a RandomState.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.datasets._mnist import decoy_mnist
    >>> images, labels = np.zeros((10, 28, 28), dtype=np.uint8), np.arange(10)
    >>> digits = decoy_mnist(images, labels, images, labels, "corner", random_state=0)
    >>> np.unique(digits.data[3][digits.mask[3]])  # 255 - 25 * 3
    array([180], dtype=uint8)
    """
    if not isinstance(decoy, str) or decoy not in _RECIPES:
        raise ValueError(f"decoy must be one of {sorted(_RECIPES)}; got {decoy!r}.")
    images, labels = _check_digits("images", images, "labels", labels)
    images_test, labels_test = _check_digits("images_test", images_test, "labels_test", labels_test)
    rng = _private_random_state(random_state)

    bare, mask = _make_room(images, decoy, rng)
    bare_test, mask_test = _make_room(images_test, decoy, rng)
    shown_test, shown_random = (rng.randint(_N_CLASSES, size=len(y)) for y in (labels_test, labels))
    return Bunch(
        data=_paint(bare, mask, decoy, labels, rng),
        target=labels,
        mask=mask,
        groups=labels.copy(),
        data_test=_paint(bare_test, mask_test, decoy, shown_test, rng),
        target_test=labels_test,
        mask_test=mask_test,
        groups_test=labels_test.copy(),
        data_random=_paint(bare, mask, decoy, shown_random, rng),
        target_names=np.arange(_N_CLASSES),
        DESCR=_DESCRIPTION.format(
            decoy=decoy, recipe=_RECIPES[decoy], n_train=len(labels), n_test=len(labels_test)
        ),
    )


def _check_digits(images_name, images, labels_name, labels):
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.shape[1:] != (_SIDE, _SIDE):
        raise ValueError(
            f"{images_name} must be uint8 of shape (n, 28, 28); got {images.dtype} of shape "
            f"{images.shape}."
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_name} must be integers of shape ({len(images)},), one for each of "
            f"{images_name}; got {labels.dtype} of shape {labels.shape}."
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= _N_CLASSES):
        raise ValueError(f"{labels_name} must lie in 0 to 9; got {labels.min()} to {labels.max()}.")
    return images, labels.astype(np.int64)


def _make_room(images, decoy, rng):
    """Return images, with the digit out of the decoy's way, and masks of the decoy's pixels."""
    mask = np.zeros(images.shape, dtype=bool)
    upper = rng.randint(2, size=len(images)).astype(bool)
    if decoy == "corner":
        left = rng.randint(2, size=len(images)).astype(bool)
        mask[:] = _edge(upper)[:, :, None] & _edge(left)[:, None, :]
        return images, mask
    mask[upper, :_HALF] = True
    mask[~upper, _HALF:] = True
    # The squeezed digit stands in both halves, and the decoy then covers one.
    return np.tile(_squeeze(images), (1, 2, 1)), mask


def _edge(at_start):
    """Return a (n, 28) mask of the corner's rows or columns: the first ones or the last ones."""
    first = np.arange(_SIDE) < _CORNER_SIDE
    return np.where(at_start[:, None], first, first[::-1])


def _squeeze(images):
    """Resize images to half their height."""
    squeezed = np.empty((len(images), _HALF, _SIDE), dtype=np.uint8)
    for rows in _chunks(len(images)):
        pixels = torch.from_numpy(images[rows].astype(np.float32)).unsqueeze(1)
        resized = functional.interpolate(
            pixels, size=(_HALF, _SIDE), mode="bicubic", align_corners=False, antialias=True
        )
        # Bicubic weights overshoot at edges.
        squeezed[rows] = resized.squeeze(1).round().clamp(0, _WHITE).to(torch.uint8).numpy()
    return squeezed


def _paint(images, mask, decoy, shown_digits, rng):
    """Return a copy of the images whose masked pixels are the decoy of the given digits."""
    if decoy == "stripes":
        painted = images.copy()
        painted[mask] = _stripes(shown_digits, rng).ravel()
        return painted
    shade = _SHADE_STEP * shown_digits
    if decoy == "corner":
        shade = _WHITE - shade
    return np.where(mask, shade[:, None, None].astype(np.uint8), images)


def _stripes(shown_digits, rng):
    """Draw half images of noisy stripes, digit + 1 of them, shape (n, 14, 28)."""
    n_rows = len(shown_digits)
    periods = (shown_digits + 1)[:, None] * np.arange(_SIDE) / _SIDE
    wave = np.sin(2 * np.pi * (periods + rng.uniform(size=(n_rows, 1))))
    stripes = np.empty((n_rows, _HALF, _SIDE), dtype=np.uint8)
    for rows in _chunks(n_rows):
        noise = _STRIPE_NOISE * rng.standard_normal(stripes[rows].shape)
        grey = _STRIPE_CENTRE + _STRIPE_AMPLITUDE * wave[rows, None] + noise
        stripes[rows] = np.clip(np.rint(grey), 0, _WHITE)
    return stripes


def _chunks(n_rows):
    return [slice(start, start + _CHUNK_ROWS) for start in range(0, n_rows, _CHUNK_ROWS)]
