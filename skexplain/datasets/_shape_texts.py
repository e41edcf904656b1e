"""Texts of the shape data sets: their DESCR, and common parts of their docstrings."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from . import _shape_drawing as drawing
from ._descr import read_descr

_Function = TypeVar("_Function", bound=Callable[..., Any])

TRIANGLE_RECIPE = """\
A triangle that points up (1) or down (0). The reasons are the rectangle that covers the apex and
the middle of the base: the columns within a third of the half width from the axis, from the row
above the triangle to the row below it."""

PENTAGON_RECIPE = f"""\
{TRIANGLE_RECIPE}

Of the triangle, only the part inside this rectangle is drawn: a pentagon."""

TRIANGLE_SIZES = """\
    half width of the base {} to {} (the base is twice that and a pixel wide),
    height {} to {}.""".format(*drawing.TRIANGLE_HALF_WIDTH, *drawing.TRIANGLE_HEIGHT)

FOX_RECIPE = """\
The head of a fox (1) is a triangle, apex up, that of a cat (0) a circle in the same square box. It
stands on a rectangle, the body, on the same axis. The reasons are a square on the apex or the upper
arc: the columns within half a radius from the axis and as many rows, the first above the head."""

HEAD_RECIPE = f"""\
{FOX_RECIPE}

Only the head is drawn, a triangle (1) or a circle (0), and not the body."""

HEAD_SIZES = """\
    radius of the circle {} to {} (the box of any head is twice that and a pixel wide),
    half width of the body {} to {} (it is twice that and a pixel wide),
    height of the body {} to {}.""".format(
    *drawing.HEAD_RADIUS, *drawing.BODY_HALF_WIDTH, *drawing.BODY_HEIGHT
)

_RANDOM_ROW = "at the left border for class 1, at the right border for class 0, at a random row"
_TOP_ROW = "in the top left corner for class 1 and in the top right corner for class 0"
_CAPTION = "in the top left corner for class 1 and in the bottom left corner for class 0"


_SQUARES = {
    None: "There is no square: spurious_mask is empty, and data_test_flipped equals data_test.",
    "row": "In training, a square stands {row_rule}: the text of [1].",
    "caption": f"In training, a square stands {_CAPTION}: the caption of a figure of [1], which "
    "contradicts its text.",
}

_PARAMETERS = f"""\
n_samples : int, default=100
    Number of training rows.
n_test : int, default=1000
    Number of test rows, an even number: half of them are of class 1.
class_ratio : float, default=0.5
    Share of class 1 among the training rows, of which there are exactly
    ``round(class_ratio * n_samples)``.  The paper's 1:9 is 0.1.  The test set is always balanced.
spurious : {{None, "row", "caption"}}, default=None
    A white square of 6x6 pixels that predicts the label in training:

    - None: no square;
    - "row": as the text of [1]_ has it,
      %(row_rule)s;
    - "caption": as the caption of a figure of [1]_ has it,
      {_CAPTION}.
filled : bool, default=True
    Whether shapes are filled, rather than drawn as outlines of two pixels.
random_state : int, RandomState instance or None, default=None
    Seeds sizes, places and the order of rows.  Equal integers give equal bytes, and moreover the
    same test shapes for equal `n_test` and the same training shapes for equal `n_test`,
    `n_samples` and `class_ratio`, whatever the other parameters.  None is fresh randomness and,
    unlike in scikit-learn, leaves numpy's global random state alone."""

_RETURNS = """\
data : :class:`~sklearn.utils.Bunch`
    With the attributes:

    data : uint8 ndarray of shape (n_samples, 64, 64)
        Training images, 0 or 255.
    target : int ndarray of shape (n_samples,)
        Their labels: %(zero)s (0) or %(one)s (1).
    mask : bool ndarray of shape (n_samples, 64, 64)
        True where a pixel is irrelevant: everything but the reasons.
    spurious_mask : bool ndarray of shape (n_samples, 64, 64)
        True on the square alone: the mask of a user who can point at the shortcut alone.
        All False without a square.  Where pixels are exchanged between rows, as by
        :class:`~skexplain.SwapExClassifier`, prefer ``pool_masks(spurious_mask)``:
        a row of the other class has its square elsewhere, and nothing marked where this one is.
    groups : int ndarray of shape (n_samples,)
        Their groups: the labels.  Label and square together make the same groups.
    data_test, target_test, mask_test, groups_test : ndarrays
        The same for the test images, which have no square.
    data_test_flipped : uint8 ndarray of shape (n_test, 64, 64)
        The test images with a square that lies: it stands where training rows of the other class
        have it.  Labels, groups and `mask_test` are those of the test images.
    spurious_mask_test_flipped : bool ndarray of shape (n_test, 64, 64)
        True on these squares.
    target_names : str ndarray of shape (2,)
        The classes.
    DESCR : str
        Recipe, what was chosen where the paper is silent, licence and reference."""

_RAISES = """\
TypeError
    If `n_samples` or `n_test` is not an int, or `filled` is not a bool.
ValueError
    If `n_samples` or `n_test` is below two, `n_test` is odd, `class_ratio` leaves a class without a
    training row, `spurious` is unknown, or `random_state` cannot seed a RandomState."""

_REFERENCES = ".. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations."


def describe(
    kind: Any, *, spurious: str | None, filled: bool, n_samples: int, n_ones: int, n_test: int
) -> str:
    """Return the DESCR of a data set."""
    zero, one = kind.target_names
    return read_descr(
        "shapes",
        title=kind.title,
        underline="=" * len(kind.title),
        recipe=kind.recipe,
        square=textwrap.fill(_SQUARES[spurious].format(row_rule=_row_rule(kind)), 100),
        sizes=kind.sizes,
        style="filled" if filled else f"as outlines of {drawing.LINE_WIDTH} pixels",
        side=drawing.SIDE,
        frame=drawing.FRAME,
        square_side=drawing.SQUARE_SIDE,
        zero=zero,
        one=one,
        n_samples=n_samples,
        n_ones=n_ones,
        n_test=n_test,
    )


def document(kind: Any) -> Callable[[_Function], _Function]:
    """Return a decorator that fills in what the docstrings of the functions share."""
    zero, one = kind.target_names
    shared = {
        "parameters": _PARAMETERS % {"row_rule": _row_rule(kind)},
        "returns": _RETURNS % {"zero": zero, "one": one},
        "raises": _RAISES,
        "references": _REFERENCES,
    }

    def fill_in(function: _Function) -> _Function:
        if function.__doc__:  # None under python -OO
            function.__doc__ = inspect.cleandoc(function.__doc__) % shared
        return function

    return fill_in


def _row_rule(kind: Any) -> str:
    return _RANDOM_ROW if kind.random_row else _TOP_ROW
