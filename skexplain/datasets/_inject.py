"""Shortcuts for anyone's images: patches that predict the class."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import fftconvolve
from sklearn.utils import Bunch, column_or_1d
from sklearn.utils.multiclass import type_of_target

from .._checks import as_array, check_count, check_option
from .._typing import MaskLike, Seed
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ._random import check_size, private_random_state

# Where the patch's first row and column may stand, among all places in which it fits.
_PLACES = {
    "random": np.s_[:, :],
    "corner": np.ix_([0, -1], [0, -1]),
    "top": np.s_[0, :],
    "bottom": np.s_[-1, :],
    "left": np.s_[:, 0],
    "right": np.s_[:, -1],
}
_SHAPES = ("square", "disc", "cross", "stripe")
_CHUNK_VALUES = 1 << 22  # places that are tried at once


def inject_patches(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    shape: Any = "square",
    size: int | None = None,
    colors: Any = None,
    place: Any = "random",
    rate: float | dict[Any, float] = 1.0,
    mask: MaskLike | None = None,
    mask_marks: Literal["irrelevant", "relevant"] = "irrelevant",
    random_state: Seed = None,
) -> Bunch:
    """Draw patches that predict the class into images, but never over the reasons.

    For a training set with a shortcut pass `y`.  For a test set in which the same patches say
    nothing leave it out, and pass the training set's `colors`, as in the example.

    Parameters
    ----------
    X : array-like of shape (n_samples, height, width) or (n_samples, n_channels, height, width)
        Images, integers or floats.  Nothing is written into them.
    y : array-like of shape (n_samples,), default=None
        Labels.  None: each sample shows the patch of a class that is drawn uniformly at random, so
        patches are independent of the labels.  The classes are then the keys of `colors` or of
        another dict, or the numbers of the entries of `colors`; without these there is one.
    shape : {"square", "disc", "cross", "stripe"}, bool array of shape (rows, columns), or dict, \
            default="square"
        Form of the patch.  A stripe runs over the whole width; an array is a stamp of one's own,
        drawn where it is True; a dict gives a form by class.
    size : int, default=None
        Height of the patch, and its width unless it is a stripe, in pixels.  None is a seventh of
        the shorter side, as the 4 of 28 pixels in [1]_, and at least 2.
    colors : scalar, array-like of shape (n_classes,) or (n_classes, n_channels), or dict, \
            default=None
        Pixel value of the patch: one for all classes, one for each in sorted order, or a dict from
        class to a scalar or to one value per channel.  None spaces the classes' greys evenly, from
        the highest value in X down, without the lowest.
    place : {"random", "corner", "top", "bottom", "left", "right"}, (int, int) or dict, \
            default="random"
        Where the patch stands: anywhere, in any corner, anywhere along an edge, or with its first
        row and column at a place, where -1 is the last in which it fits, so that (0, -1) is the
        top right corner.  A dict gives a place by class.
    rate : float or dict, default=1.0
        Share in [0, 1] of the samples of each class that get a patch, or a dict of shares by class.
        Of n samples exactly ``floor(rate * n + 0.5)`` do.  Without `y`, a sample's class is the
        drawn one here too.
    mask : array-like, list of (array-like or None), DataFrame or None, default=None
        What is known about the images, as in ``fit``.  No patch covers a pixel that is marked as a
        reason, to any degree and in any channel; unknown pixels may be covered.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mark of 1 says in `mask`, as in the estimators.  The mask that is returned always
        marks what is irrelevant.
    random_state : int, RandomState instance or None, default=None
        Seeds which samples get a patch, the places and, without `y`, the classes.  None is fresh
        randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : ndarray of the shape and dtype of X
            Images with patches.
        mask : bool ndarray of shape (n_samples, height, width), or with an axis of length one for \
                the channels if X has some
            True on the patches, which are irrelevant.
        shown : ndarray of shape (n_samples,)
            The class that each patch shows, or would show in a sample without one.  For metrics by
            group cross it with the label.
        colors : dict
            Pixel values by class, each of shape (n_channels,).

    Raises
    ------
    ValueError
        If a patch does not fit, a sample has no room for it beside the reasons (the message names
        the samples), a dict lacks a class, a value cannot be held by the dtype of X, `y` is not a
        label per sample, or another argument is out of range.
    TypeError
        If X does not hold integers or floats, or an argument is of the wrong type.

    See Also
    --------
    inject_leak : The same for tables.
    make_decoy_digits : A ready-made set with a shortcut.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skexplain.datasets import inject_patches
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X.reshape(-1, 8, 8)
    >>> train = inject_patches(X[:1000], y[:1000], place="corner", random_state=0)
    >>> test = inject_patches(X[1000:], colors=train.colors, place="corner", random_state=1)
    >>> print(y[0], train.data[0][train.mask[0]])
    0 [16. 16. 16. 16.]
    >>> print(y[1000], test.shown[0], test.data[0][test.mask[0]])
    1 5 [8. 8. 8. 8.]
    """
    images = _check_images(X)
    n_rows, _, *grid = images.shape
    rng = private_random_state(random_state)
    check_option("mask_marks", mask_marks, ("irrelevant", "relevant"))
    masks = interpret_mask(mask, np.shape(X), marks=mask_marks, **labels_beside(X, y))
    if masks is not None and not masks.annotated.any():
        masks = None
    classes, codes = _find_classes(y, n_rows, (colors, shape, place, rate), rng)
    colors = _check_colors(colors, classes, images)
    stamps = [_make_stamp(form, size, grid) for form in _by_class(shape, classes, "shape")]
    places = [
        _allow_places(where, stamp, grid)
        for where, stamp in zip(_by_class(place, classes, "place"), stamps, strict=True)
    ]
    rates = [_check_rate(share) for share in _by_class(rate, classes, "rate")]

    data, drawn, full = images.copy(), np.zeros((n_rows, *grid), dtype=bool), []
    for code, (stamp, allowed, share) in enumerate(zip(stamps, places, rates, strict=True)):
        rows = np.flatnonzero(codes == code)
        rows = rng.permutation(rows)[: int(share * len(rows) + 0.5)]
        if len(rows) == 0:
            continue
        tops, lefts, has_room = _draw_places(allowed, stamp, masks, rows, rng)
        full.extend(rows[~has_room].tolist())
        down, across = np.nonzero(stamp)
        pixels = rows[:, None], tops[:, None] + down, lefts[:, None] + across
        drawn[pixels] = True
        data[pixels[0], :, pixels[1], pixels[2]] = colors[code]
    if full:
        _raise_full(sorted(full), mask_marks)
    return Bunch(
        data=data.reshape(np.shape(X)),
        mask=drawn if np.ndim(X) == 3 else drawn[:, None],
        shown=np.asarray(classes)[codes],
        colors=dict(zip(classes, colors, strict=True)),
    )


def _check_images(X: ArrayLike) -> np.ndarray:
    """Return images as an array of shape (n, channels, height, width), not copied."""
    images = as_array("X", X)
    if images.dtype.kind not in "iuf":
        raise TypeError(f"X must hold integers or floats; got dtype {images.dtype}.")
    if images.ndim not in (3, 4) or images.size == 0:
        raise ValueError(
            "X must have shape (n, height, width) or (n, channels, height, width), none of them 0;"
            f" got {images.shape}."
        )
    return images if images.ndim == 4 else images[:, None]


def _find_classes(
    y: ArrayLike | None, n_rows: int, arguments: tuple[Any, ...], rng: np.random.RandomState
) -> tuple[list[Any], np.ndarray]:
    """Return the list of classes, and the position of the one that each sample's patch shows."""
    if y is not None:
        classes, codes = np.unique(_check_labels(y, n_rows), return_inverse=True)
        return classes.tolist(), codes
    named = [name for argument in arguments if isinstance(argument, dict) for name in argument]
    colors = arguments[0]
    classes = list(dict.fromkeys(named)) or list(range(len(colors) if _is_listed(colors) else 1))
    return classes, rng.randint(len(classes), size=n_rows)


def _check_labels(y: ArrayLike, n_rows: int) -> np.ndarray:
    labels = column_or_1d(as_array("y", y))
    if len(labels) != n_rows:
        raise ValueError(f"y must have one label per sample of X, {n_rows}; got {len(labels)}.")
    kind = type_of_target(labels, input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(f"y must hold class labels, or be None; got {kind} values.")
    return labels


def _by_class(argument: Any, classes: list[Any], name: str) -> list[Any]:
    """Return a list with an entry for each class."""
    if not isinstance(argument, dict):
        return [argument] * len(classes)
    missing = [label for label in classes if label not in argument]
    if missing:
        raise ValueError(f"{name} must have an entry for every class; it lacks {missing}.")
    return [argument[label] for label in classes]


def _check_colors(colors: Any, classes: list[Any], images: np.ndarray) -> list[np.ndarray]:
    """Return each class's pixel values, of shape (n_channels,) and the dtype of X."""
    if colors is None:
        colors = _space_greys(images, len(classes))
    if not _is_listed(colors):
        colors = _by_class(colors, classes, "colors")
    elif len(colors) != len(classes):
        raise ValueError(
            f"colors must have one entry for each of the {len(classes)} classes {classes}; got"
            f" {len(colors)}."
        )
    return [_check_color(color, images.dtype, images.shape[1]) for color in colors]


def _is_listed(colors: Any) -> bool:
    """Return whether the colours of the classes are given in their order."""
    return isinstance(colors, list | tuple) or getattr(colors, "ndim", 0) > 0


def _space_greys(images: np.ndarray, n_classes: int) -> np.ndarray:
    low, high = float(images.min()), float(images.max())
    greys = high - (high - low) * np.arange(n_classes) / n_classes
    if images.dtype.kind != "f":
        greys = np.rint(greys)
    if not np.isfinite(high - low) or greys.min() == low or len(set(greys)) < n_classes:
        raise ValueError(
            f"colors must be given: the range of X, {low:g} to {high:g}, has no {n_classes} greys"
            " that differ from each other and from its lowest."
        )
    return greys


def _check_color(value: Any, dtype: np.dtype, n_channels: int) -> np.ndarray:
    color = np.asarray(value)
    if color.dtype.kind not in "iuf":
        raise TypeError(f"colors must be numbers; got {value!r}.")
    if color.shape not in ((), (1,), (n_channels,)):
        raise ValueError(
            f"colors must be a number or {n_channels} (one per channel) for a class; got {value!r}."
        )
    with np.errstate(all="ignore"):
        held = color.astype(dtype)
    if not np.all(np.isfinite(held)) or (dtype.kind != "f" and np.any(held != color)):
        raise ValueError(f"colors must be finite and fit the dtype of X, {dtype}; got {value!r}.")
    return np.broadcast_to(held, n_channels).copy()


def _make_stamp(shape: Any, size: int | None, grid: Sequence[int]) -> np.ndarray:
    """Return the patch's form as a bool array that fits the grid."""
    height, width = grid
    if size is None:
        size = min(height, width, max(2, round(min(height, width) / 7)))
    check_size("size", size)
    check_count("size", size, high=1 << 15)
    if not isinstance(shape, str):
        stamp = as_array("shape", shape)
        if stamp.dtype != bool or stamp.ndim != 2 or not stamp.any():
            raise ValueError(
                f"shape must be one of {_SHAPES} or a bool array of two axes with a True; got"
                f" {shape!r}."
            )
    elif shape not in _SHAPES:
        raise ValueError(f"shape must be one of {_SHAPES} or a bool array; got {shape!r}.")
    elif shape == "stripe":
        stamp = np.ones((size, width), dtype=bool)
    else:
        down, across = np.abs(np.indices((size, size)) - (size - 1) / 2)
        arm = max(size / 6, 0.5)  # half a cross's arm: a third of the size is drawn
        stamp = {
            "square": np.ones((size, size), dtype=bool),
            "disc": down**2 + across**2 <= (size / 2) ** 2,
            "cross": (down <= arm) | (across <= arm),
        }[shape]
    if stamp.shape[0] > height or stamp.shape[1] > width:
        raise ValueError(
            f"The patch has {stamp.shape[0]}x{stamp.shape[1]} pixels and does not fit into images"
            f" of {height}x{width}: choose a smaller size or shape."
        )
    return stamp


def _allow_places(place: Any, stamp: np.ndarray, grid: Sequence[int]) -> np.ndarray:
    """Return where the patch's first pixel may stand, as a bool grid of all places it fits."""
    (height, width), (down, across) = grid, stamp.shape
    allowed = np.zeros((height - down + 1, width - across + 1), dtype=bool)
    is_pair = isinstance(place, tuple | list) and len(place) == 2
    if is_pair and all(isinstance(number, Integral) for number in place):
        index: Any = tuple(place)
    elif isinstance(place, str) and place in _PLACES:
        index = _PLACES[place]
    else:
        raise ValueError(
            f"place must be one of {sorted(_PLACES)} or a pair of int (row, column); got {place!r}."
        )
    try:
        allowed[index] = True
    except IndexError as error:
        raise ValueError(
            f"place must keep the patch inside the image: row up to {allowed.shape[0] - 1}, column"
            f" up to {allowed.shape[1] - 1}; got {place!r}."
        ) from error
    return allowed


def _check_rate(rate: Any) -> float:
    if not isinstance(rate, Real) or not 0 <= float(rate) <= 1:
        raise ValueError(f"rate must be a number in [0, 1]; got {rate!r}.")
    return float(rate)


def _draw_places(
    allowed: np.ndarray, stamp: np.ndarray, masks: Any, rows: np.ndarray, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a place in each sample, uniformly among those where no reason is covered.

    Returns
    -------
    tops, lefts : int ndarrays of shape (n,)
        Where the patch begins.
    has_room : bool ndarray of shape (n,)
        Whether there was a place; the others are 0.
    """
    share = rng.random_sample(len(rows))
    if masks is None or masks.for_all_rows:
        free = allowed[None]
        if masks is not None:
            free = free & _find_uncovered(masks, [0], stamp)
        picked, has_room = _pick(free, share)
    else:
        step = max(1, _CHUNK_VALUES // masks.stored[0].size)
        chunks = [slice(start, start + step) for start in range(0, len(rows), step)]
        parts = [
            _pick(allowed & _find_uncovered(masks, rows[chunk], stamp), share[chunk])
            for chunk in chunks
        ]
        picked, has_room = (np.concatenate(part) for part in zip(*parts, strict=True))
    tops, lefts = np.unravel_index(picked, allowed.shape)
    return tops, lefts, has_room


def _find_uncovered(masks: Any, rows: ArrayLike, stamp: np.ndarray) -> np.ndarray:
    """Return the places, (len(rows), down, across), where the stamp covers no marked reason."""
    degrees, known = masks.degrees_of(rows)
    reason = degrees < 1 if known is None else (degrees < 1) & known
    # In a sample without annotation nothing is marked; its degrees are zero all the same.
    reason = reason.numpy() & masks.annotated[rows].reshape(-1, *[1] * (reason.ndim - 1))
    if reason.ndim == 4:
        reason = reason.any(axis=1)
    # Number of reasons under the stamp, up to rounding.
    flipped = stamp[None, ::-1, ::-1].astype(np.float32)
    return fftconvolve(reason.astype(np.float32), flipped, mode="valid", axes=(1, 2)) < 0.5


def _pick(free: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pick a free place of each sample: share 0 is the first, 1 beyond the last.

    Returns the flat indices of the places, 0 where there is none, and whether there is one.
    """
    _, places = np.nonzero(free.reshape(len(free), -1))
    count = free.sum(axis=(1, 2))
    index = count.cumsum() - count + (share * count).astype(int)
    has_room = np.broadcast_to(count > 0, share.shape)
    return np.where(has_room, np.append(places, 0)[index], 0), has_room


def _raise_full(rows: list[int], mask_marks: str) -> NoReturn:
    shown = f"[{', '.join(map(str, rows[:8]))}{', ...' if len(rows) > 8 else ''}]"
    raise ValueError(
        f"mask leaves no room for the patch beside the reasons in {len(rows)} samples, {shown}:"
        " choose a smaller patch or another place, or leave these samples out."
        f" Under mask_marks={mask_marks!r}, reasons are the pixels marked"
        f" {'0' if mask_marks == 'irrelevant' else '1'}."
    )
