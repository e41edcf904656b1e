"""Synthetic shapes whose reasons are known, with a spurious square and transfer sets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from typing import Literal, TypeAlias

import numpy as np
from sklearn.utils import Bunch, check_scalar

from .._typing import Seed
from . import _shape_texts as texts
from ._random import private_random_state
from ._shape_drawing import SIDE, SQUARE_SIDE, draw_heads, draw_squares, draw_triangles

Spurious: TypeAlias = Literal["row", "caption"] | None

_WHITE = 255


@dataclass(frozen=True)
class _Kind:
    """A data set, by what differs from the others."""

    title: str
    recipe: str
    sizes: str
    target_names: tuple[str, str]
    random_row: bool  # whether spurious="row" draws the square's row, or takes the first
    draw: Callable  # (is_one, rng, filled=) -> shapes, reasons


_TRIANGLES = _Kind(
    title="Triangles that point up or down",
    recipe=texts.TRIANGLE_RECIPE,
    sizes=texts.TRIANGLE_SIZES,
    target_names=("down", "up"),
    random_row=True,
    draw=partial(draw_triangles, cut_out=False),
)
_PENTAGONS = _Kind(
    title="Pentagons that point up or down: the middle slices of triangles",
    recipe=texts.PENTAGON_RECIPE,
    sizes=texts.TRIANGLE_SIZES,
    target_names=("down", "up"),
    random_row=True,
    draw=partial(draw_triangles, cut_out=True),
)
_FOX_VS_CAT = _Kind(
    title="Foxes and cats, told apart by their heads",
    recipe=texts.FOX_RECIPE,
    sizes=texts.HEAD_SIZES,
    target_names=("cat", "fox"),
    random_row=False,
    draw=partial(draw_heads, with_body=True),
)
_TRIANGLE_VS_CIRCLE = _Kind(
    title="Triangles and circles: the heads of foxes and cats",
    recipe=texts.HEAD_RECIPE,
    sizes=texts.HEAD_SIZES,
    target_names=("circle", "triangle"),
    random_row=False,
    draw=partial(draw_heads, with_body=False),
)


@texts.document(_TRIANGLES)
def make_triangles(
    n_samples: int = 100,
    *,
    n_test: int = 1000,
    class_ratio: float = 0.5,
    spurious: Spurious = None,
    filled: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Make triangles that point up or down, with masks that leave apex and middle of the base.

    A synthetic data set of [1]_.  The reasons are a rectangle over the apex and the middle of the
    base.  They predict the classes without the rest: a model that uses them is right on
    :func:`make_pentagons`, too.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    See Also
    --------
    make_pentagons : The same triangles, of which only the reasons are left.

    References
    ----------
    %(references)s

    Examples
    --------
    >>> from skexplain.datasets import make_triangles
    >>> triangles = make_triangles(10, class_ratio=0.1, spurious="row", random_state=0)
    >>> print(triangles.data.shape, triangles.target.sum())
    (10, 64, 64) 1
    >>> triangles.spurious_mask[triangles.target == 1].any(axis=(0, 1)).nonzero()[0]
    array([0, 1, 2, 3, 4, 5])
    """
    return _make_shapes(_TRIANGLES, n_samples, n_test, class_ratio, spurious, filled, random_state)


@texts.document(_PENTAGONS)
def make_pentagons(
    n_samples: int = 100,
    *,
    n_test: int = 1000,
    class_ratio: float = 0.5,
    spurious: Spurious = None,
    filled: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Make pentagons that point up or down: the middle vertical slices of triangles.

    The transfer set of [1]_ for :func:`make_triangles`.  With equal parameters and an integer
    `random_state`, sample by sample the same triangles, of which only the reasons are drawn.  A
    model fitted on the triangles is tested on `data_test`.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    See Also
    --------
    make_triangles : The whole triangles.

    References
    ----------
    %(references)s

    Examples
    --------
    >>> from skexplain.datasets import make_pentagons, make_triangles
    >>> pentagons, triangles = make_pentagons(random_state=0), make_triangles(random_state=0)
    >>> bool((pentagons.data == triangles.data * ~triangles.mask).all())
    True
    """
    return _make_shapes(_PENTAGONS, n_samples, n_test, class_ratio, spurious, filled, random_state)


@texts.document(_FOX_VS_CAT)
def make_fox_vs_cat(
    n_samples: int = 100,
    *,
    n_test: int = 1000,
    class_ratio: float = 0.5,
    spurious: Spurious = None,
    filled: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Make foxes and cats, with masks that leave the top of their heads.

    A synthetic data set of [1]_.  A fox has a triangle for a head, a cat a circle, both on a
    rectangle for a body.  The reasons are a square on the apex or the upper arc.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    See Also
    --------
    make_triangle_vs_circle : The same heads without bodies.

    References
    ----------
    %(references)s

    Examples
    --------
    >>> from skexplain.datasets import make_fox_vs_cat
    >>> animals = make_fox_vs_cat(50, random_state=0)
    >>> print(animals.target_names, animals.data.shape, animals.target.mean())
    ['cat' 'fox'] (50, 64, 64) 0.5
    """
    return _make_shapes(_FOX_VS_CAT, n_samples, n_test, class_ratio, spurious, filled, random_state)


@texts.document(_TRIANGLE_VS_CIRCLE)
def make_triangle_vs_circle(
    n_samples: int = 100,
    *,
    n_test: int = 1000,
    class_ratio: float = 0.5,
    spurious: Spurious = None,
    filled: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Make triangles and circles: the heads of foxes and cats.

    The transfer set of [1]_ for :func:`make_fox_vs_cat`.  With equal parameters and an integer
    `random_state`, sample by sample the same animals without their bodies.  A model fitted on the
    foxes and cats is tested on `data_test`.

    Parameters
    ----------
    %(parameters)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    See Also
    --------
    make_fox_vs_cat : The heads with their bodies.

    References
    ----------
    %(references)s

    Examples
    --------
    >>> from skexplain.datasets import make_fox_vs_cat, make_triangle_vs_circle
    >>> heads, animals = make_triangle_vs_circle(random_state=0), make_fox_vs_cat(random_state=0)
    >>> bool((heads.data <= animals.data).all() and (heads.target == animals.target).all())
    True
    """
    return _make_shapes(
        _TRIANGLE_VS_CIRCLE, n_samples, n_test, class_ratio, spurious, filled, random_state
    )


def _make_shapes(
    kind: _Kind,
    n_samples: int,
    n_test: int,
    class_ratio: float,
    spurious: Spurious,
    filled: bool,
    random_state: Seed,
) -> Bunch:
    n_ones = _check_parameters(n_samples, n_test, class_ratio, spurious, filled)
    rng = private_random_state(random_state)
    # Test samples are drawn first, and squares last, so that equal seeds give the same shapes
    # whatever the training set is and whether there are squares.
    target_test, shapes_test, reasons_test = _draw_rows(kind, n_test, n_test // 2, filled, rng)
    target, shapes, reasons = _draw_rows(kind, n_samples, n_ones, filled, rng)
    squares = _squares(kind, spurious, target, rng)
    squares_flipped = _squares(kind, spurious, 1 - target_test, rng)
    return Bunch(
        data=_to_grey(shapes | squares),
        target=target,
        mask=~reasons,
        spurious_mask=squares,
        groups=target.copy(),
        data_test=_to_grey(shapes_test),
        target_test=target_test,
        mask_test=~reasons_test,
        groups_test=target_test.copy(),
        data_test_flipped=_to_grey(shapes_test | squares_flipped),
        spurious_mask_test_flipped=squares_flipped,
        target_names=np.array(kind.target_names),
        DESCR=texts.describe(
            kind,
            spurious=spurious,
            filled=filled,
            n_samples=n_samples,
            n_ones=n_ones,
            n_test=n_test,
        ),
    )


def _check_parameters(
    n_samples: int, n_test: int, class_ratio: float, spurious: object, filled: object
) -> int:
    """Return the number of training samples of class 1; raise for an invalid parameter."""
    check_scalar(n_samples, "n_samples", Integral, min_val=2)
    check_scalar(n_test, "n_test", Integral, min_val=2)
    if n_test % 2:
        raise ValueError(f"n_test must be even, for a balanced test set; got {n_test}.")
    is_share = isinstance(class_ratio, Real) and 0 < class_ratio < 1
    n_ones = round(class_ratio * n_samples) if is_share else 0
    if not 0 < n_ones < n_samples:
        raise ValueError(
            "class_ratio must be a number between 0 and 1 that gives both classes a training "
            f"sample; got {class_ratio!r} for n_samples={n_samples}."
        )
    is_variant = isinstance(spurious, str) and spurious in ("row", "caption")
    if not (spurious is None or is_variant):
        raise ValueError(f"spurious must be None, 'row' or 'caption'; got {spurious!r}.")
    if not isinstance(filled, bool | np.bool_):
        raise TypeError(f"filled must be a bool; got {filled!r}.")
    return n_ones


def _draw_rows(
    kind: _Kind, n: int, n_ones: int, filled: bool, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw n samples in random order: their labels, shapes and reasons."""
    target = rng.permutation(np.arange(n) < n_ones).astype(np.int64)
    return (target, *kind.draw(target == 1, rng, filled=filled))


def _squares(
    kind: _Kind, spurious: Spurious, shown: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Return masks of squares at the places that stand for the labels `shown`."""
    last = SIDE - SQUARE_SIDE
    if spurious is None:
        return np.zeros((len(shown), SIDE, SIDE), dtype=bool)
    if spurious == "caption":
        return draw_squares(np.where(shown == 1, 0, last), np.ones(len(shown), dtype=bool))
    top = np.zeros(len(shown), dtype=np.int64)
    if kind.random_row:
        top = rng.randint(last + 1, size=len(shown), dtype=np.int64)
    return draw_squares(top, shown == 1)


def _to_grey(white: np.ndarray) -> np.ndarray:
    return np.where(white, _WHITE, 0).astype(np.uint8)
