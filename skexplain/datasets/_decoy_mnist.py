"""MNIST with a decoy, at the sizes of the papers."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils import Bunch
from torch.nn import functional

from .._typing import Seed
from ._data_home import DataHome
from ._descr import read_descr
from ._mnist import N_CLASSES, SIDE, check_digits, load_mnist
from ._random import private_random_state

_HALF = SIDE // 2
_CORNER_SIDES = {"corner": 4, "reversed": 5}
_SHADE_STEP = 25  # ten shades, 25 grey levels apart
_WHITE = 255
_STRIPE_CENTRE, _STRIPE_AMPLITUDE, _STRIPE_NOISE = 128, 100, 10  # grey levels
_CHUNK_ROWS = 4096  # float copies of so many images at once


_RECIPES = {
    "corner": """\
A square of 4x4 pixels in a corner drawn at random covers what was there. Its shade is
255 - 25 * digit in the training set, and in the test set 255 - 25 * (a digit drawn uniformly at
random). This is the recipe of [1].""",
    "reversed": """\
A square of 5x5 pixels in a corner drawn at random covers what was there. Its shade is
255 - 25 * digit in the training set, and 25 * digit in the test set: it misleads by rule, not by
chance. This is the recipe of [3], whose masks are all four corners in every image; here a mask is
the image's own corner. data_random has the training shade of a random digit.""",
    "half": """\
The digit is resized to half its height (bicubic, antialiased) and stands in the upper or the lower
half, drawn at random. The other half is filled with the shade 25 * digit in the training set, and
in the test set with 25 * (a digit drawn uniformly at random). This is the recipe of [2] with one
channel; their code draws the half anew whenever an image is read, here it is drawn once.""",
    "stripes": """\
As "half", but the other half is a texture: a sinusoid of digit + 1 periods over the width, of
random phase, 100 grey levels around 128, with gaussian noise of 10 grey levels. In the test set the
number of periods is that of a digit drawn uniformly at random. No single pixel predicts the label,
so a model that is robust to other constants may still read the decoy. Our own.""",
}


def fetch_decoy_mnist(
    decoy: Literal["half", "corner", "reversed", "stripes"] = "half",
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    data_home: DataHome = None,
    download_if_missing: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Fetch MNIST with a decoy that predicts the label in training and lies in the test set.

    Parameters
    ----------
    decoy : {"half", "corner", "reversed", "stripes"}, default="half"
        - "half": the digit squeezed into the upper or lower half, drawn at random, and the other
          half filled with the shade 25 * digit [2]_;
        - "corner": a 4x4 square in a corner drawn at random, of the shade 255 - 25 * digit [1]_;
        - "reversed": a 5x5 square in a corner drawn at random, of the shade 255 - 25 * digit in
          training and of the shade 25 * digit in the test set [3]_;
        - "stripes": as "half", but the other half shows stripes whose number is digit + 1, shifted
          at random, with noise.

        In the test set, the decoy is that of a digit drawn uniformly at random, but for "reversed".
        [2]_ draw the half anew whenever an image is read; here it is drawn once per image.
    n_train, n_test : int, default=None
        Number of images to draw at random from the 60000 training and 10000 test images.  None is
        all of them, in their order.
    data_home : str or path-like, default=None
        The folder of :func:`~skexplain.datasets.get_data_home`.  The four files of MNIST, or of a
        data set of the same form, are looked for in it and in its folder mnist:
        train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
        t10k-labels-idx1-ubyte, each as it is or gzipped with the ending .gz.
    download_if_missing : bool, default=True
        Whether to download files that are not there (11 MB) into data_home/mnist.  They are
        checked.  If no mirror answers, OpenML's copy is read instead, which takes minutes.
    random_state : int, RandomState instance or None, default=None
        Seeds samples, places, digits and textures.  Equal integers give equal bytes.  None is fresh
        randomness and leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : uint8 ndarray of shape (n_train, 28, 28)
            Training images, 0 to 255.
        target : int ndarray of shape (n_train,)
            Their digits.
        mask : bool ndarray of the shape of `data`
            True where a pixel is irrelevant, that is the decoy's.
        groups : int ndarray of shape (n_train,)
            Their groups: the labels [2]_.
        data_test, target_test, mask_test, groups_test : ndarrays
            The same for the n_test test images.
        data_random : uint8 ndarray of the shape of `data`
            The training images with decoys of random digits, to train without the shortcut.
        target_names : int ndarray of shape (10,)
            The digits.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    OSError
        If files are missing and are not or cannot be downloaded.
    ImportError
        If files are missing and pooch is not installed: pip install "skexplain[data]".
    ValueError
        If an argument is out of its range, or a file is broken or of another form.

    See Also
    --------
    make_decoy_digits : The same in small, from images that scikit-learn ships.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419
    .. [3] L. Rieger, C. Singh, W. J. Murdoch, B. Yu. "Interpretations are Useful: Penalizing
       Explanations to Align Neural Networks with Prior Knowledge". ICML 2020.
       https://arxiv.org/abs/1909.13584

    Examples
    --------
    >>> from skexplain.datasets import fetch_decoy_mnist
    >>> digits = fetch_decoy_mnist("corner", random_state=0)  # doctest: +SKIP
    >>> digits.data.shape, digits.data_test.shape  # doctest: +SKIP
    ((60000, 28, 28), (10000, 28, 28))
    """
    _check_decoy(decoy)
    rng = private_random_state(random_state)
    mnist = load_mnist(data_home, download_if_missing, n_train, n_test, rng)
    return decoy_mnist(*mnist, decoy, rng)


def decoy_mnist(
    images: ArrayLike,
    labels: ArrayLike,
    images_test: ArrayLike,
    labels_test: ArrayLike,
    decoy: str = "half",
    random_state: Seed = None,
) -> Bunch:
    """Add a decoy to digits of 28x28 pixels; the rest of :func:`fetch_decoy_mnist`.

    Parameters
    ----------
    images, images_test : uint8 ndarray of shape (n, 28, 28)
        Training and test digits.
    labels, labels_test : int ndarray of shape (n,)
        Their labels, 0 to 9.
    decoy : {"half", "corner", "reversed", "stripes"}, default="half"
        The variant.
    random_state : int, RandomState instance or None, default=None
        Seeds places, digits and textures.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As :func:`fetch_decoy_mnist` returns it; samples keep their order.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.datasets._decoy_mnist import decoy_mnist
    >>> images, labels = np.zeros((10, 28, 28), dtype=np.uint8), np.arange(10)
    >>> digits = decoy_mnist(images, labels, images, labels, "corner", random_state=0)
    >>> np.unique(digits.data[3][digits.mask[3]])  # 255 - 25 * 3
    array([180], dtype=uint8)
    """
    _check_decoy(decoy)
    images, labels = check_digits("images", images, "labels", labels)
    images_test, labels_test = check_digits("images_test", images_test, "labels_test", labels_test)
    rng = private_random_state(random_state)

    bare, mask = _make_room(images, decoy, rng)
    bare_test, mask_test = _make_room(images_test, decoy, rng)
    shown_test, shown_random = (rng.randint(N_CLASSES, size=len(y)) for y in (labels_test, labels))
    data = _paint(bare, mask, decoy, labels, rng)
    if decoy == "reversed":
        data_test = _fill(bare_test, mask_test, _SHADE_STEP * labels_test)
    else:
        data_test = _paint(bare_test, mask_test, decoy, shown_test, rng)
    return Bunch(
        data=data,
        target=labels,
        mask=mask,
        groups=labels.copy(),
        data_test=data_test,
        target_test=labels_test,
        mask_test=mask_test,
        groups_test=labels_test.copy(),
        data_random=_paint(bare, mask, decoy, shown_random, rng),
        target_names=np.arange(N_CLASSES),
        DESCR=read_descr(
            "decoy_mnist",
            decoy=decoy,
            recipe=_RECIPES[decoy],
            n_train=len(labels),
            n_test=len(labels_test),
        ),
    )


def _check_decoy(decoy: object) -> None:
    if not isinstance(decoy, str) or decoy not in _RECIPES:
        raise ValueError(f"decoy must be one of {sorted(_RECIPES)}; got {decoy!r}.")


def _make_room(
    images: np.ndarray, decoy: str, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return images, with the digit out of the decoy's way, and masks of the decoy's pixels."""
    mask = np.zeros(images.shape, dtype=bool)
    upper = rng.randint(2, size=len(images)).astype(bool)
    if decoy in _CORNER_SIDES:
        left = rng.randint(2, size=len(images)).astype(bool)
        side = _CORNER_SIDES[decoy]
        mask[:] = _edge(upper, side)[:, :, None] & _edge(left, side)[:, None, :]
        return images, mask
    mask[upper, :_HALF] = True
    mask[~upper, _HALF:] = True
    # The squeezed digit stands in both halves, and the decoy then covers one.
    return np.tile(_squeeze(images), (1, 2, 1)), mask


def _edge(at_start: np.ndarray, width: int) -> np.ndarray:
    """Return a (n, 28) mask of the corner's rows or columns: the first ones or the last ones."""
    first = np.arange(SIDE) < width
    return np.where(at_start[:, None], first, first[::-1])


def _squeeze(images: np.ndarray) -> np.ndarray:
    """Resize images to half their height."""
    squeezed = np.empty((len(images), _HALF, SIDE), dtype=np.uint8)
    for rows in _chunks(len(images)):
        pixels = torch.from_numpy(images[rows].astype(np.float32)).unsqueeze(1)
        resized = functional.interpolate(
            pixels, size=(_HALF, SIDE), mode="bicubic", align_corners=False, antialias=True
        )
        # Bicubic weights overshoot at edges.
        squeezed[rows] = resized.squeeze(1).round().clamp(0, _WHITE).to(torch.uint8).numpy()
    return squeezed


def _paint(
    images: np.ndarray,
    mask: np.ndarray,
    decoy: str,
    shown_digits: np.ndarray,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return a copy of the images whose masked pixels are the decoy of the given digits."""
    if decoy == "stripes":
        painted = images.copy()
        painted[mask] = _stripes(shown_digits, rng).ravel()
        return painted
    shade = _SHADE_STEP * shown_digits
    return _fill(images, mask, _WHITE - shade if decoy in _CORNER_SIDES else shade)


def _fill(images: np.ndarray, mask: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Return a copy of the images whose masked pixels have the shade of the sample, 0 to 255."""
    return np.where(mask, shade[:, None, None].astype(np.uint8), images)


def _stripes(shown_digits: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Draw half images of noisy stripes, digit + 1 of them, shape (n, 14, 28)."""
    n_rows = len(shown_digits)
    periods = (shown_digits + 1)[:, None] * np.arange(SIDE) / SIDE
    wave = np.sin(2 * np.pi * (periods + rng.uniform(size=(n_rows, 1))))
    stripes = np.empty((n_rows, _HALF, SIDE), dtype=np.uint8)
    for rows in _chunks(n_rows):
        noise = _STRIPE_NOISE * rng.standard_normal(stripes[rows].shape)
        grey = _STRIPE_CENTRE + _STRIPE_AMPLITUDE * wave[rows, None] + noise
        stripes[rows] = np.clip(np.rint(grey), 0, _WHITE)
    return stripes


def _chunks(n_rows: int) -> list[slice]:
    return [slice(start, start + _CHUNK_ROWS) for start in range(0, n_rows, _CHUNK_ROWS)]
