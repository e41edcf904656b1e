"""Images of the panel: digits, bean leaves with patches, apple leaves on telling backgrounds."""

import csv

import numpy as np

from skexplain.datasets import get_data_home, inject_patches, make_decoy_digits
from skexplain.datasets._data_home import require_files
from skexplain.datasets._images import channels_first, read_image, resize
from skexplain.studies import TestRows
from skexplain.studies.tools import flat

from ._panel_task import BROKEN, CLEAN, PanelTask

_SIDE = 20  # of photographs, in pixels
_PATCH_SIDE = 5
_RATE = 0.97  # of the photographs of a class that have its patch
_BEANS = ("healthy", "rust")
_COLORS = {0: (40, 90, 220), 1: (200, 40, 160)}
# Class, place and colours of the patches.
_PATCHES = {
    "corner": ("corner", {0: 0.0, 1: _RATE}),
    "anywhere": ("random", {0: 0.0, 1: _RATE}),
    "both": ("random", {0: _RATE, 1: _RATE}),
}
_APPLE = ("black_rot", "cedar_apple_rust", "healthy", "scab")
_N_APPLE = 75  # training photographs of a class

_INSTRUCTIONS = """
The task is left out without it.  It holds index.csv with the columns name, label and split
("train" or "test"), a folder images with name.jpg, and, of apple leaves, a folder masks with
name.png, white on the leaf."""

#: Eight bars of light or dark for each digit, none of them another one shifted.
_BARS = np.array(
    [[int(bit) for bit in f"{code:08b}"] for code in (1, 3, 5, 9, 17, 7, 11, 19, 37, 85)]
)
_BAR_GREY, _BAR_NOISE = 180.0, 20.0


def decoy_digits(decoy, seed):
    """Digits of 8x8 pixels beside a shade that tells them, and in the broken test lies."""
    digits = make_decoy_digits(decoy, flatten=True, random_state=seed)
    # The same test images with a shade that tells the truth.
    shown = np.where(
        digits.mask_test, _shade(decoy, digits.target_test)[:, None], digits.data_test
    ).astype(np.uint8)
    return PanelTask(
        digits.data,
        digits.target,
        digits.mask,
        {
            BROKEN: TestRows(digits.data_test, digits.target_test),
            CLEAN: TestRows(shown, digits.target_test),
        },
        digits.data_random,
        measure="worst_group" if decoy == "corner" else "mean_group",
    )


def striped_digits(seed):
    """Digits squeezed beside bars, whose pattern tells the digit wherever it begins.

    In the broken test the pattern is that of a random digit.
    """
    rng = np.random.RandomState(seed)
    digits = make_decoy_digits("half", flatten=True, random_state=rng)
    y, y_test = digits.target, digits.target_test

    def test_rows(shown):
        return TestRows(_draw_bars(digits.data_test, digits.mask_test, shown, rng), y_test)

    return PanelTask(
        _draw_bars(digits.data, digits.mask, y, rng),
        y,
        digits.mask,
        {BROKEN: test_rows(rng.randint(10, size=len(y_test))), CLEAN: test_rows(y_test)},
        _draw_bars(digits.data, digits.mask, rng.randint(10, size=len(y)), rng),
        measure="mean_group",
    )


def harmless_digits(seed):
    """Digits as they are, of which a corner is marked."""
    digits = make_decoy_digits("none", random_state=seed)
    mask = np.zeros((1, 8, 8), dtype=bool)
    mask[:, :2, :2] = True
    test = TestRows(flat(digits.data_test), digits.target_test)
    return PanelTask(
        flat(digits.data), digits.target, flat(mask), {CLEAN: test}, measure="mean_group"
    )


def patched_beans(kind, seed):
    """Bean leaves, healthy or with rust, with a patch that tells them; the patch is marked.

    Parameters
    ----------
    kind : {"corner", "anywhere", "both"}
        A patch on leaves with rust alone, in any corner or anywhere; or of another colour on
        healthy ones, anywhere.
    seed : int
        Draws the places, and which photographs have none.

    Returns
    -------
    PanelTask
        In the broken test patches are those of the other class; in the clean one there is none.
    """
    rng = np.random.RandomState(seed)
    place, rate = _PATCHES[kind]
    (X, y), (X_test, y_test) = _read_beans("train"), _read_beans("test")

    def patch(X, shown):
        options = {"size": _PATCH_SIDE, "colors": _COLORS, "place": place, "rate": rate}
        return inject_patches(X, shown, random_state=rng, **options)

    train = patch(X, y)
    return PanelTask(
        train.data,
        y,
        train.mask,
        {BROKEN: TestRows(patch(X_test, 1 - y_test).data, y_test), CLEAN: TestRows(X_test, y_test)},
        patch(X, rng.permutation(y)).data,
    )


def harmless_beans(seed):
    """Bean leaves as they are, of which a box anywhere is marked."""
    (X, y), (X_test, y_test) = _read_beans("train"), _read_beans("test")
    boxes = inject_patches(X, size=_PATCH_SIDE, colors=0, random_state=seed).mask
    return PanelTask(X, y, boxes, {CLEAN: TestRows(X_test, y_test)})


def apple_backgrounds(seed):
    """Apple leaves of four classes, whose backgrounds tell them; the backgrounds are marked.

    In the broken test a leaf lies on the background of another class; what the other leaf covers
    there has the mean colour of its background.  Without the shortcut leaves lie on backgrounds of
    photographs drawn at random.
    """
    rng = np.random.RandomState(seed)
    X, y, mask = read_apple("train", _N_APPLE, rng)
    X_test, y_test, mask_test = read_apple("test", None, rng)
    others = np.array([rng.choice(np.flatnonzero(y_test != label)) for label in y_test])
    return PanelTask(
        X,
        y,
        mask,
        {
            BROKEN: TestRows(exchange_backgrounds(X_test, mask_test, others), y_test),
            CLEAN: TestRows(X_test, y_test),
        },
        exchange_backgrounds(X, mask, rng.permutation(len(X))),
    )


def exchange_backgrounds(X, mask, donors):
    """Put each leaf on the background of another photograph.

    Parameters
    ----------
    X : uint8 ndarray of shape (n, 3, h, w)
    mask : bool ndarray of shape (n, h, w)
        True on the background.
    donors : int ndarray of shape (n,)
        The photographs whose backgrounds are taken.

    Returns
    -------
    uint8 ndarray of the shape of X
        Where the donor has no background, it has the mean colour of its background.
    """
    background = mask[:, None]
    count = np.maximum(background.sum(axis=(2, 3), keepdims=True), 1)
    mean = np.where(background, X, 0.0).sum(axis=(2, 3), keepdims=True) / count
    filled = np.where(background, X, np.rint(mean).astype(X.dtype))
    return np.where(background, filled[donors], X)


def _shade(decoy, digits):
    """Return the grey level by which a decoy of `make_decoy_digits` tells a digit."""
    return 255 - 25 * digits if decoy == "corner" else 25 * digits


def _draw_bars(images, mask, shown, rng):
    """Fill the marked half of flat images of 8x8 pixels with the bars of digits."""
    shift = (np.arange(8) + rng.randint(8, size=(len(images), 1))) % 8
    bars = np.take_along_axis(_BARS[shown], shift, axis=1) * _BAR_GREY + 30
    grey = np.tile(bars, 8) + _BAR_NOISE * rng.standard_normal(images.shape)
    return np.where(mask, np.clip(np.rint(grey), 0, 255), images).astype(np.uint8)


def _read_beans(part):
    folder = _require("beans", ("index.csv", "images"))
    rows = [row for row in _read_index(folder) if row["split"] == part]
    y = np.array([_BEANS.index(row["label"]) for row in rows])
    return np.stack([_read_photograph(folder, row["name"]) for row in rows]), y


def read_apple(part, n_of_class, rng, side=_SIDE):
    """Read photographs of apple leaves.

    Parameters
    ----------
    part : {"train", "test"}
    n_of_class : int or None
        Photographs of each class, at most; None: all.
    rng : RandomState
        Draws which, and their order.
    side : int, default=20
        Pixels along an edge.

    Returns
    -------
    X : uint8 ndarray of shape (n, 3, side, side)
    y : int ndarray of shape (n,)
    mask : bool ndarray of shape (n, side, side)
        True on the background.
    """
    folder = _require("plantvillage_apple", ("index.csv", "images", "masks"))
    own = [row for row in _read_index(folder) if row["split"] == part]
    labels = np.array([_APPLE.index(row["label"]) for row in own])
    drawn = [rng.permutation(np.flatnonzero(labels == k))[:n_of_class] for k in range(len(_APPLE))]
    chosen = rng.permutation(np.concatenate(drawn))
    names = [own[row]["name"] for row in chosen]
    leaves = [
        np.asarray(resize(read_image(folder / "masks" / f"{name}.png", "L"), side, nearest=True))
        for name in names
    ]
    X = np.stack([_read_photograph(folder, name, side) for name in names])
    return X, labels[chosen], np.stack(leaves) == 0


def _require(name, files):
    return require_files(get_data_home() / name, files, _INSTRUCTIONS)


def _read_index(folder):
    with open(folder / "index.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _read_photograph(folder, name, side=_SIDE):
    return channels_first(resize(read_image(folder / "images" / f"{name}.jpg"), side))
