"""Toy colours: tiny images whose label follows from either of two rules."""

from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from .._typing import Seed
from ._descr import read_descr
from ._random import check_size, private_random_state

_SIDE = 5
_PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 128, 255], [128, 0, 255]], dtype=np.uint8)
_CHANNELS = ("red", "green", "blue")
_CORNER_ROWS, _CORNER_COLUMNS = [0, 0, -1, -1], [0, -1, 0, -1]


def make_toy_colors(
    n_samples: int = 20_000,
    n_test: int = 20_000,
    *,
    irrelevant: Literal[
        "corners", "top_middle", "all_but_corners", "all_but_top_middle"
    ] = "corners",
    images: bool = False,
    random_state: Seed = None,
) -> Bunch:
    """Make 5x5 images whose label follows from either of two rules; a mask rules one out.

    In class 0 the four corners have one colour *and* the three middle pixels of the top row have
    three colours; in class 1 neither holds.  Both rules hold in the test set as well: accuracy does
    not show which one a model has learned, its gradients do [1]_.

    Parameters
    ----------
    n_samples, n_test : int, default=20000
        Number of training and of test images.
    irrelevant : {"corners", "top_middle", "all_but_corners", "all_but_top_middle"}, \
            default="corners"
        Which pixels `mask` marks: those of one rule, or all but those of one rule.  In [1]_ the
        latter are called "pro-rule", since one annotation leaves only that rule.
    images : bool, default=False
        Whether samples are images of 3 channels by 5x5 pixels rather than vectors of 75 columns
        (row by row, and red, green and blue of each pixel side by side).
    random_state : int, RandomState instance or None, default=None
        Seeds the images.  Equal integers give equal bytes, whatever `irrelevant` and `images`.
        None is fresh randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data, data_test : uint8 ndarrays of shape (n, 75), or (n, 3, 5, 5) if `images`
            Images, 0 to 255.
        target, target_test : int ndarrays of shape (n,)
            0 where both rules hold, 1 where neither does.
        mask, mask_test : bool ndarrays of shape (1, 75), or (1, 1, 5, 5) if `images`
            True where a pixel is irrelevant: one mask for all samples.
        masks : dict of str to bool ndarray
            The masks of all four values of `irrelevant`.
        feature_names : list of str
            Names of the 75 columns, such as "pixel_0_4_red".  Only unless `images`.
        target_names : ndarray of str of shape (2,)
            The classes in words.
        DESCR : str
            Recipe, licence and reference.

    Raises
    ------
    ValueError
        If `irrelevant` is unknown, a number of images is below one, or `random_state` cannot seed a
        RandomState.
    TypeError
        If a number of images is not an int, or `images` not a bool.

    See Also
    --------
    skexplain.inspection.largest_gradient_mask : Shows which rule a model follows.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371

    Examples
    --------
    >>> from skexplain.datasets import make_toy_colors
    >>> colors = make_toy_colors(100, 50, irrelevant="top_middle", random_state=0)
    >>> colors.data.shape, colors.mask.shape, int(colors.mask.sum())
    ((100, 75), (1, 75), 9)
    """
    pixels = _irrelevant_pixels()
    if not isinstance(irrelevant, str) or irrelevant not in pixels:
        raise ValueError(f"irrelevant must be one of {sorted(pixels)}; got {irrelevant!r}.")
    check_size("n_samples", n_samples)
    check_size("n_test", n_test)
    if not isinstance(images, bool | np.bool_):
        raise TypeError(f"images must be a bool; got {images!r}.")
    rng = private_random_state(random_state)

    target = rng.randint(2, size=n_samples)
    target_test = rng.randint(2, size=n_test)
    arrange = _as_images if images else _as_rows
    masks = {name: _as_mask(grid, images) for name, grid in pixels.items()}
    bunch = Bunch(
        data=arrange(_PALETTE[_draw_colors(target, rng)]),
        target=target,
        mask=masks[irrelevant].copy(),
        data_test=arrange(_PALETTE[_draw_colors(target_test, rng)]),
        target_test=target_test,
        mask_test=masks[irrelevant].copy(),
        masks=masks,
        target_names=np.array(["both rules hold", "neither rule holds"]),
        DESCR=read_descr(
            "toy_colors",
            shape="3 channels by 5x5 pixels" if images else "75 columns",
            n_samples=n_samples,
            n_test=n_test,
            irrelevant=irrelevant.replace("_", " "),
        ),
    )
    if not images:
        bunch.feature_names = [
            f"pixel_{row}_{column}_{channel}"
            for row in range(_SIDE)
            for column in range(_SIDE)
            for channel in _CHANNELS
        ]
    return bunch


def _irrelevant_pixels() -> dict[str, np.ndarray]:
    """Return bool grids of 5x5 pixels by name: each rule's pixels, and all but these."""
    corners, top_middle = np.zeros((2, _SIDE, _SIDE), dtype=bool)
    corners[_CORNER_ROWS, _CORNER_COLUMNS] = True
    top_middle[0, 1:-1] = True
    return {
        "corners": corners,
        "top_middle": top_middle,
        "all_but_corners": ~corners,
        "all_but_top_middle": ~top_middle,
    }


def _draw_colors(target: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Draw images of the given classes, as indices into the palette, of shape (n, 5, 5)."""
    colors = rng.randint(len(_PALETTE), size=(len(target), _SIDE, _SIDE))
    hold, fail = np.flatnonzero(target == 0), np.flatnonzero(target == 1)
    _make_corners_equal(colors, hold)
    _make_corners_differ(colors, fail, rng)
    _make_top_distinct(colors, hold, rng)
    _make_top_repeat(colors, fail, rng)
    return colors


def _make_corners_equal(colors: np.ndarray, rows: np.ndarray) -> None:
    colors[rows[:, None], _CORNER_ROWS, _CORNER_COLUMNS] = colors[rows, -1, -1][:, None]


def _make_corners_differ(colors: np.ndarray, rows: np.ndarray, rng: np.random.RandomState) -> None:
    """Make an upper corner, the left or the right one, differ from the one diagonally opposite."""
    column = (_SIDE - 1) * rng.randint(2, size=len(rows))
    opposite = colors[rows, -1, _SIDE - 1 - column]
    # Redrawing a colour until it differs makes it uniform over the others.
    step = rng.randint(1, len(_PALETTE), size=len(rows))
    colors[rows, 0, column] = (opposite + step) % len(_PALETTE)


def _make_top_distinct(colors: np.ndarray, rows: np.ndarray, rng: np.random.RandomState) -> None:
    # Redrawing pixels until all differ treats colours and places alike: a uniform arrangement.
    shuffled = rng.random_sample((len(rows), len(_PALETTE))).argsort(axis=1)
    colors[rows, 0, 1:-1] = shuffled[:, : _SIDE - 2]


def _make_top_repeat(colors: np.ndarray, rows: np.ndarray, rng: np.random.RandomState) -> None:
    """Make a pixel repeat another one's colour where all three differ.

    That is where redrawing pixels one by one ends, with all pairs and colours treated alike.
    """
    first, second, third = colors[rows, 0, 1:-1].T
    rows = rows[(first != second) & (second != third) & (first != third)]
    place = rng.randint(3, size=len(rows))
    colors[rows, 0, 1 + place] = colors[rows, 0, 1 + (place + 1) % 3]


def _as_rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _as_images(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


def _as_mask(pixels: np.ndarray, images: bool) -> np.ndarray:
    """Return one mask for all samples: broadcast over channels, or with a column for each."""
    if images:
        return pixels[None, None].copy()
    return np.repeat(pixels.ravel(), len(_CHANNELS))[None]
