"""Digits with a decoy: a grey shade that predicts the label in training and lies in the test."""

from typing import Literal

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._typing import Seed
from ._descr import read_descr
from ._random import private_random_state

_N_CLASSES = 10
_SIDE = 8
_HALF = _SIDE // 2
_CORNER_SIDE = 2
_SHADE_STEP = 25  # ten shades, 25 grey levels apart
_WHITE = 255
_DIGITS_MAX = 16  # load_digits counts the dark pixels of 4x4 blocks


_RECIPES = {
    "corner": """\
A square of 2x2 pixels in a corner drawn at random covers what was there. Its shade is
255 - 25 * digit in the training set, and in the test set 255 - 25 * (a digit drawn uniformly at
random). This is the recipe of [1], who draw 4x4 pixels on 28x28. To scale would be a single pixel,
which a model may miss by luck (one small weight, one stride); this is the next larger square.""",
    "half": """\
The digit is squeezed to half its height, by averaging pairs of rows, and stands in the upper or the
lower half, drawn at random. The other half is filled with the shade 25 * digit in the training set,
and in the test set with 25 * (a digit drawn uniformly at random). This is the recipe of [2] on 8x8
pixels. The shade stands anywhere the digit may stand, so no pixel is irrelevant in all rows.""",
    "none": """\
The digits as they are. There is no decoy: nothing is masked, and data_random equals data.""",
}


def make_decoy_digits(
    decoy: Literal["corner", "half", "none"] = "corner",
    *,
    test_size: float = 1 / 3,
    flatten: bool = False,
    random_state: Seed = None,
) -> Bunch:
    """Make digits with a shade that predicts the label in training and lies in the test set.

    The images are the 1797 real digits of 8x8 pixels of
    :func:`sklearn.datasets.load_digits`.  A model that uses the decoy is nearly perfect in
    training, and hardly better than chance on test samples whose decoy says something else.

    Parameters
    ----------
    decoy : {"corner", "half", "none"}, default="corner"
        - "corner": a 2x2 square in a corner drawn at random, of the shade 255 - 25 * digit [1]_;
        - "half": the digit squeezed into the upper or lower half, drawn at random, and the other
          half filled with the shade 25 * digit [2]_;
        - "none": plain digits and empty masks.

        In the test set, the shade is that of a digit drawn uniformly at random.
    test_size : float or int, default=1/3
        Share of the images, or number of images, in the test set; both sets need at least ten.
    flatten : bool, default=False
        Whether samples are vectors of 64 pixels rather than images of 8x8.
    random_state : int, RandomState instance or None, default=None
        Seeds the split, the decoy's places and its random shades.  Equal integers give equal
        bytes, and the same split for every `decoy`.  None is fresh randomness and, unlike in
        scikit-learn, leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes, where a sample has the shape (8, 8), or (64,) if `flatten`:

        data : uint8 ndarray of shape (n_train, ...)
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
            The training images with random shades, to train without the shortcut.
        feature_names : list of str
            Names of the 64 columns, such as "pixel_0_7".  Only if `flatten`.
        target_names : int ndarray of shape (10,)
            The digits.
        DESCR : str
            Recipe, source, licence and references.

    Raises
    ------
    ValueError
        If `decoy` is unknown, `test_size` leaves a set with fewer images than classes, or
        `random_state` cannot seed a RandomState.
    TypeError
        If `flatten` is not a bool.

    See Also
    --------
    skexplain.metrics.worst_group_accuracy : Shows who took the shortcut.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> from skexplain.datasets import make_decoy_digits
    >>> digits = make_decoy_digits("corner", random_state=0)
    >>> digits.data.shape, digits.data_test.shape
    ((1198, 8, 8), (599, 8, 8))
    >>> print(digits.target[0], digits.data[0][digits.mask[0]])  # 255 - 25 * 6
    6 [105 105 105 105]
    """
    if not isinstance(decoy, str) or decoy not in _RECIPES:
        raise ValueError(f"decoy must be one of {sorted(_RECIPES)}; got {decoy!r}.")
    if not isinstance(flatten, bool | np.bool_):
        raise TypeError(f"flatten must be a bool; got {flatten!r}.")
    rng = private_random_state(random_state)

    digits = load_digits()
    train, test = _split(digits.target, test_size, rng)
    y_train, y_test = digits.target[train], digits.target[test]
    data, mask = _add_decoy(digits.images[train], decoy, y_train, rng)
    data_test, mask_test = _add_decoy(digits.images[test], decoy, _random_digits(y_test, rng), rng)
    data_random = _repaint(data, mask, decoy, _random_digits(y_train, rng))

    shape = (-1, _SIDE * _SIDE) if flatten else (-1, _SIDE, _SIDE)
    bunch = Bunch(
        data=data.reshape(shape),
        target=y_train,
        mask=mask.reshape(shape),
        groups=y_train.copy(),
        data_test=data_test.reshape(shape),
        target_test=y_test,
        mask_test=mask_test.reshape(shape),
        groups_test=y_test.copy(),
        data_random=data_random.reshape(shape),
        target_names=digits.target_names,
        DESCR=read_descr(
            "decoys",
            decoy=decoy,
            recipe=_RECIPES[decoy],
            shape="64 pixels" if flatten else "8x8 pixels",
            n_train=len(train),
            n_test=len(test),
        ),
    )
    if flatten:
        bunch.feature_names = list(digits.feature_names)
    return bunch


def _split(target: np.ndarray, test_size: float, rng: np.random.RandomState) -> list[np.ndarray]:
    """Return the samples of the training and of the test set, drawn class by class."""
    try:
        return train_test_split(
            np.arange(len(target)), test_size=test_size, stratify=target, random_state=rng
        )
    except ValueError as error:  # among others InvalidParameterError, which is one
        raise ValueError(
            f"test_size={test_size!r} cannot split the {len(target)} digits: {error}"
        ) from error


def _add_decoy(
    images: np.ndarray, decoy: str, shown_digits: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return images whose decoy shows the given digits, and masks of the decoy's pixels.

    Parameters
    ----------
    images : ndarray of shape (n, 8, 8)
        The digits as `load_digits` has them, 0 to 16.
    decoy : {"corner", "half", "none"}
        The variant.
    shown_digits : int ndarray of shape (n,)
        The digit whose shade each decoy has.
    rng : RandomState
        Draws the places.

    Returns
    -------
    images : uint8 ndarray of shape (n, 8, 8)
    mask : bool ndarray of shape (n, 8, 8)
    """
    mask = np.zeros(images.shape, dtype=bool)
    if decoy == "none":
        return _to_grey(images), mask
    upper = rng.randint(2, size=len(images)).astype(bool)
    if decoy == "corner":
        left = rng.randint(2, size=len(images)).astype(bool)
        mask[:] = _edge(upper)[:, :, None] & _edge(left)[:, None, :]
    else:
        mask[upper, :_HALF] = True
        mask[~upper, _HALF:] = True
        # The squeezed digit stands in both halves, and the decoy then covers one.
        squeezed = (images[:, 0::2] + images[:, 1::2]) / 2
        images = np.concatenate([squeezed, squeezed], axis=1)
    return _repaint(_to_grey(images), mask, decoy, shown_digits), mask


def _edge(at_start: np.ndarray) -> np.ndarray:
    """Return a (n, 8) mask of the corner's rows or columns: the first ones or the last ones."""
    first = np.arange(_SIDE) < _CORNER_SIDE
    return np.where(at_start[:, None], first, first[::-1])


def _repaint(
    images: np.ndarray, mask: np.ndarray, decoy: str, shown_digits: np.ndarray
) -> np.ndarray:
    """Return a copy of the images whose masked pixels have the shade of the given digits."""
    shade = _SHADE_STEP * shown_digits
    if decoy == "corner":
        shade = _WHITE - shade
    return np.where(mask, shade[:, None, None].astype(np.uint8), images)


def _to_grey(images: np.ndarray) -> np.ndarray:
    """Scale grey values from 0..16 to 0..255, as uint8."""
    return np.rint(images * (_WHITE / _DIGITS_MAX)).astype(np.uint8)


def _random_digits(like: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    return rng.randint(_N_CLASSES, size=len(like))
