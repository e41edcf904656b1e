"""MNIST in colours that predict the digit in training and another one in the test set."""

import colorsys

import numpy as np
from sklearn.utils import Bunch

from .._typing import Seed
from ._data_home import DataHome
from ._descr import read_descr
from ._mnist import N_CLASSES, check_digits, load_mnist
from ._random import private_random_state

# Hue, lightness and saturation of the ends of the palette, red and CSS purple (#800080).
_RED, _PURPLE = (0.0, 0.5, 1.0), (300 / 360, 64 / 255, 1.0)
_N_MASKED_PIXELS = 8
_CHUNK_ROWS = 4096  # float copies of so many images at once


def fetch_color_mnist(
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    data_home: DataHome = None,
    download_if_missing: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Fetch MNIST in colours that predict the digit in training and lie in the test set.

    A training digit d has colour d of ten colours from red to purple, a test digit has colour
    9 - d [1]_.  The shortcut is no place in the image, so no mask can mark it: the masks are those
    few pixels drawn at random whose contribution [1]_ penalise.  DESCR says what that explains.

    Parameters
    ----------
    n_train, n_test : int, default=None
        Number of images to draw at random from the 60000 training and 10000 test images.  None is
        all of them, in their order.
    data_home : str or path-like, default=None
        Where the files of MNIST are, as in :func:`fetch_decoy_mnist`.
    download_if_missing : bool, default=True
        Whether to download files that are not there, as in :func:`fetch_decoy_mnist`.
    random_state : int, RandomState instance or None, default=None
        Seeds samples, masks and the colours of `data_random`.  Equal integers give equal bytes.
        None is fresh randomness and leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 3, 28, 28)
            Training images, red, green and blue, 0 to 255.
        target : int ndarray of shape (n_train,)
            Their digits.
        mask : bool ndarray of shape (n_train, 1, 28, 28)
            True at eight pixels per image that must not matter.
        groups : int ndarray of shape (n_train,)
            The labels.
        data_test, target_test, mask_test, groups_test : ndarrays
            The same for the n_test test images.
        data_random : uint8 ndarray of the shape of `data`
            The training images in random colours, to train without the shortcut.
        lit : float ndarray of shape (28, 28)
            How often each pixel is above 0 in the training images.
        palette : float ndarray of shape (10, 3)
            The colours.
        target_names : int ndarray of shape (10,)
            The digits.
        DESCR : str
            Recipe, what can be explained, source, licence and references.

    Raises
    ------
    OSError
        If files are missing and are not or cannot be downloaded.
    ImportError
        If files are missing and pooch is not installed: pip install "skexplain[data]".
    ValueError
        If an argument is out of its range, or a file is broken or of another form.

    References
    ----------
    .. [1] L. Rieger, C. Singh, W. J. Murdoch, B. Yu. "Interpretations are Useful: Penalizing
       Explanations to Align Neural Networks with Prior Knowledge". ICML 2020.
       https://arxiv.org/abs/1909.13584

    Examples
    --------
    >>> from skexplain.datasets import fetch_color_mnist
    >>> digits = fetch_color_mnist(n_train=1000, random_state=0)  # doctest: +SKIP
    >>> digits.data.shape, digits.mask.shape  # doctest: +SKIP
    ((1000, 3, 28, 28), (1000, 1, 28, 28))
    """
    rng = private_random_state(random_state)
    mnist = load_mnist(data_home, download_if_missing, n_train, n_test, rng)
    images, labels = check_digits("training images", mnist[0], "training labels", mnist[1])
    images_test, labels_test = check_digits("test images", mnist[2], "test labels", mnist[3])

    palette = _make_palette()
    lit = np.mean(images > 0, axis=0)
    random_colors = rng.randint(N_CLASSES, size=len(labels))
    return Bunch(
        data=_paint(images, palette[labels]),
        target=labels,
        mask=_draw_pixels(len(images), lit, rng),
        groups=labels.copy(),
        data_test=_paint(images_test, palette[N_CLASSES - 1 - labels_test]),
        target_test=labels_test,
        mask_test=_draw_pixels(len(images_test), lit, rng),
        groups_test=labels_test.copy(),
        data_random=_paint(images, palette[random_colors]),
        lit=lit,
        palette=palette,
        target_names=np.arange(N_CLASSES),
        DESCR=read_descr(
            "color_mnist", n_train=len(labels), n_test=len(labels_test), n_pixels=_N_MASKED_PIXELS
        ),
    )


def _make_palette() -> np.ndarray:
    """Return ten colours, evenly spaced from red to purple in hue, lightness and saturation."""
    colors = np.linspace(_RED, _PURPLE, N_CLASSES)
    return np.array([colorsys.hls_to_rgb(*color) for color in colors])


def _paint(images: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Multiply grey images (n, 28, 28) with a colour per sample, (n, 3)."""
    painted = np.empty((len(images), 3, *images.shape[1:]), dtype=np.uint8)
    for start in range(0, len(images), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        painted[rows] = np.rint(images[rows, None] * colors[rows, :, None, None])
    return painted


def _draw_pixels(n_rows: int, lit: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Draw masks (n, 1, 28, 28) of a few pixels, without replacement, in proportion to `lit`."""
    mask = np.zeros((n_rows, 1, *lit.shape), dtype=bool)
    flat = mask.reshape(n_rows, -1)
    share = lit.ravel()
    for start in range(0, n_rows, _CHUNK_ROWS):
        chunk = flat[start : start + _CHUNK_ROWS]
        # The pixels whose exponential clocks of these rates ring first; never those of rate 0.
        with np.errstate(divide="ignore"):
            times = rng.standard_exponential(chunk.shape) / share
        first = np.argpartition(times, _N_MASKED_PIXELS, axis=1)[:, :_N_MASKED_PIXELS]
        np.put_along_axis(chunk, first, np.take_along_axis(times, first, axis=1) < np.inf, axis=1)
    return mask
