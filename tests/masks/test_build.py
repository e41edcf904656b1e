"""Boxes, polygons and label images become the pixels that their coordinates say."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skexplain.masks import (
    interpret_mask,
    mask_from_boxes,
    mask_from_labels,
    mask_from_polygons,
)

SHAPE = (6, 8)  # height, width
SOME_BOX = [(0, 0, 1, 1)]
TRIANGLE = [(0, 0), (4, 0), (0, 4)]
BUILDERS = [(mask_from_boxes, [SOME_BOX], "boxes"), (mask_from_polygons, [[TRIANGLE]], "polygons")]


def marked(mask):
    """Pixels (row, column) that one mask marks."""
    return list(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))


def is_inside(x, y, polygon):
    """Whether a point lies in a polygon: count the edges that a ray to the left crosses."""
    inside = False
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) <= x:
            inside = not inside
    return inside


# -- boxes ---------------------------------------------------------------------------------------


@given(st.integers(0, 7), st.integers(0, 5), st.integers(1, 8), st.integers(1, 6))
def test_whole_boxes_are_slices(x, y, width, height):
    expected = np.zeros(SHAPE, dtype=bool)
    expected[y : y + height, x : x + width] = True
    corners, sizes = (x, y, x + width, y + height), (x, y, width, height)
    centred = (x + width / 2, y + height / 2, width, height)
    for box, box_format in ((corners, "xyxy"), (sizes, "xywh"), (centred, "cxcywh")):
        mask = mask_from_boxes([[box]], SHAPE, box_format=box_format)
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask[0], expected)


@pytest.mark.parametrize(
    ("box", "columns"),
    [
        ((1.5, 0, 2.5, 6), [1]),  # the centre on the left side is in, on the right side out
        ((1.6, 0, 3.6, 6), [2, 3]),
        ((2.6, 0, 2.8, 6), [2]),  # too thin for a centre
        ((-5, 0, 0.2, 6), [0]),
        ((7.9, 0, 99, 6), [7]),
        ((-1e308, 0, 1e308, 6), list(range(8))),
    ],
)
def test_fractions_and_edges(box, columns):
    mask = mask_from_boxes([[box]], SHAPE)[0]
    assert np.flatnonzero(mask.any(axis=0)).tolist() == columns
    assert (mask.all(axis=0) == mask.any(axis=0)).all()


def test_relative_and_original_sizes():
    """A box drawn on a photo of 60 x 160 pixels, on one of 12 x 16, and as shares."""
    expected = mask_from_boxes([[(2, 1, 6, 3)]], SHAPE)[0]
    sizes = [(60, 160), (12, 16)]
    both = mask_from_boxes([[(40, 10, 120, 30)], [(4, 2, 12, 6)]], SHAPE, image_sizes=sizes)
    np.testing.assert_array_equal(both, [expected, expected])
    one = mask_from_boxes([[(40, 10, 120, 30)]], SHAPE, image_sizes=(60, 160))
    np.testing.assert_array_equal(one[0], expected)
    shares = mask_from_boxes([[(2 / 8, 1 / 6, 6 / 8, 3 / 6)]], SHAPE, relative=True)
    np.testing.assert_array_equal(shares[0], expected)


def test_several_boxes_one_box_and_arrays():
    boxes = [(0, 0, 2, 1), (5, 3, 6, 4)]
    together = mask_from_boxes([boxes], SHAPE)
    assert marked(together[0]) == [(0, 0), (0, 1), (3, 5)]
    np.testing.assert_array_equal(mask_from_boxes(np.array([boxes]), SHAPE), together)
    alone = mask_from_boxes(np.array(boxes), SHAPE)  # one box per image
    np.testing.assert_array_equal(alone[0] | alone[1], together[0])


# -- polygons ------------------------------------------------------------------------------------


def is_on_edge(x, y, vertices):
    """Tell whether a point lies on the outline; exact for coordinates of half precision."""
    for (x0, y0), (x1, y1) in zip(vertices, [*vertices[1:], vertices[0]], strict=True):
        on_line = (x1 - x0) * (y - y0) == (y1 - y0) * (x - x0)
        if on_line and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return True
    return False


@given(
    st.lists(
        st.tuples(st.floats(-4, 12, width=16), st.floats(-4, 10, width=16)), min_size=3, max_size=8
    )
)
def test_polygons_are_the_centres_inside(vertices):
    middles = [(j + 0.5, i + 0.5) for i in range(6) for j in range(8)]
    # A centre on an edge is as much inside as outside, and rounding decides.
    assume(not any(is_on_edge(x, y, vertices) for x, y in middles))
    centres = [[is_inside(j + 0.5, i + 0.5, vertices) for j in range(8)] for i in range(6)]
    x, y = np.transpose(vertices)
    if not np.any(centres):
        if not ((x >= 0) & (x <= 8) & (y >= 0) & (y <= 6)).any():
            with pytest.raises(ValueError, match="lies outside"):
                mask_from_polygons([[vertices]], SHAPE)
            return
        at_vertices = np.zeros(SHAPE, dtype=bool)
        for a, b in vertices:
            if 0 <= a <= 8 and 0 <= b <= 6:
                at_vertices[min(int(b), 5), min(int(a), 7)] = True
        centres = at_vertices
    np.testing.assert_array_equal(mask_from_polygons([[vertices]], SHAPE)[0], centres)


@given(st.integers(0, 6), st.integers(0, 4), st.integers(1, 8), st.integers(1, 6))
def test_a_rectangle_is_its_box(x, y, width, height):
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    box = mask_from_boxes([[(x, y, x + width, y + height)]], SHAPE)
    np.testing.assert_array_equal(mask_from_polygons([[corners]], SHAPE), box)


def test_polygons_unite_and_a_crossed_one_has_a_hole():
    square = [(0, 0), (4, 0), (4, 4), (0, 4)]
    right = [(3, 0), (8, 0), (8, 1), (3, 1)]
    union = mask_from_polygons([[square, right, square]], SHAPE)
    assert union.sum() == 16 + 4  # twice the same is no hole
    inner = [(1, 1), (3, 1), (3, 3), (1, 3)]
    # One outline that goes round the square, and then round the inner one.
    ring = mask_from_polygons([[[*square, (0, 0), *inner, (1, 1)]]], SHAPE)
    assert ring.sum() == 12
    assert not ring[0, 1:3, 1:3].any()


def test_polygons_are_scaled():
    expected = mask_from_polygons([[TRIANGLE]], SHAPE)
    large = mask_from_polygons([[np.array(TRIANGLE) * [20, 10]]], SHAPE, image_sizes=(60, 160))
    shares = mask_from_polygons([[np.array(TRIANGLE) / [8, 6]]], SHAPE, relative=True)
    np.testing.assert_array_equal(large, expected)
    np.testing.assert_array_equal(shares, expected)


# -- rows without marks --------------------------------------------------------------------------


@pytest.mark.parametrize(("build", "figures", "name"), BUILDERS)
def test_not_annotated_or_nothing_marked(build, figures, name):
    rows = [*figures, [], None]
    unknown = build(rows, SHAPE)
    assert unknown.dtype == np.float32
    assert np.isnan(unknown).all(axis=(1, 2)).tolist() == [False, True, True]
    empty = build(rows, SHAPE, missing="empty")
    assert np.isnan(empty).all(axis=(1, 2)).tolist() == [False, False, True]
    assert not empty[1].any()
    # Without a row of NaN one byte per pixel is enough.
    assert build(rows[:2], SHAPE, missing="empty").dtype == bool
    with pytest.raises(ValueError, match=rf"{name}\[1\] has no "):
        build(rows, SHAPE, missing="error")
    annotated = interpret_mask(unknown, (3, *SHAPE)).annotated
    assert annotated.tolist() == [True, False, False]


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((8, 0, 9, 1), "lies outside the image of 6 x 8"),
        ((0, -3, 1, 0), "lies outside"),
        ((3, 1, 3, 2), "must have an area"),
        ((3, 1, 2, 2), "must have an area"),
        ((0, 0, 1), "must be 4 numbers, .* got shape"),
        ((0, 0, 1, np.nan), "all finite"),
        (("0", "0", "1", "1"), "must be 4 numbers"),
        ("abcd", "must be 4 numbers"),
        (None, "must be 4 numbers"),
        ([[0, 0, 1, 1]], "got shape"),
    ],
)
def test_a_bad_box_is_named(box, message):
    with pytest.raises(ValueError, match=rf"^boxes\[1\], box 1: .*{message}"):
        mask_from_boxes([SOME_BOX, [*SOME_BOX, box]], SHAPE)


@pytest.mark.parametrize(
    ("polygon", "message"),
    [
        (np.array(TRIANGLE) + 50, "lies outside the image of 6 x 8"),
        (TRIANGLE[:2], "3 or more vertices"),
        ([0, 0, 4, 0, 0, 4], "3 or more vertices"),
        (5, "3 or more vertices"),
        ([(0, 0), (1, 1), (1e200, 5)], "reaches farther"),
        ([(0, 0), (1, np.inf), (1, 5)], "all finite"),
    ],
)
def test_a_bad_polygon_is_named(polygon, message):
    with pytest.raises(ValueError, match=rf"^polygons\[0\], polygon 1: .*{message}"):
        mask_from_polygons([[TRIANGLE, polygon]], SHAPE)


@pytest.mark.parametrize(("build", "figures", "name"), BUILDERS)
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"shape": 8}, ValueError, "shape must be (height, width)"),
        ({"shape": (0, 8)}, ValueError, "shape must be (height, width)"),
        ({"shape": (1 << 20, 1 << 20)}, ValueError, "at most"),
        ({"missing": "nan"}, ValueError, "missing must be one of"),
        ({"relative": 1}, TypeError, "relative must be a bool"),
        ({"relative": True, "image_sizes": (6, 8)}, ValueError, "image_sizes must be None"),
        ({"image_sizes": [(6, 8), (6, 8)]}, ValueError, "image_sizes must be (height, width)"),
        ({"image_sizes": (0, 8)}, ValueError, "greater than zero"),
    ],
)
def test_bad_arguments(build, figures, name, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        build(figures, **{"shape": SHAPE, **arguments})


@pytest.mark.parametrize(("build", "figures", "name"), BUILDERS)
def test_bad_rows(build, figures, name):
    for rows in ("text", {"a": figures}, 3):
        with pytest.raises(TypeError, match=f"{name} must be a sequence, one entry per image"):
            build(rows, SHAPE)
        with pytest.raises(TypeError, match=rf"{name}\[0\] must be a sequence"):
            build([rows], SHAPE)


def test_bad_box_format():
    with pytest.raises(ValueError, match="box_format must be one of"):
        mask_from_boxes([SOME_BOX], SHAPE, box_format="yxyx")


# -- label images --------------------------------------------------------------------------------


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 255]), min_size=4, max_size=4), min_size=1))
def test_labels(rows):
    labels = np.array([[1, 1, 2, 0], *rows], dtype=np.uint8)
    mask = mask_from_labels(labels, [1, 2], unknown=255)
    expected = np.where(labels == 255, np.nan, (labels == 1) | (labels == 2))
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == (np.float32 if (labels == 255).any() else bool)
    np.testing.assert_array_equal(mask_from_labels(labels, 2), labels == 2)


def test_labels_of_rows_without_marks():
    labels = [[[1, 0]], None, [[0, 0]], [[9, 9]]]
    nan = np.nan
    default = mask_from_labels(labels, 1, unknown=9)
    np.testing.assert_array_equal(default, [[[1, 0]], [[nan, nan]], [[0, 0]], [[nan, nan]]])
    unknown = mask_from_labels(labels, 1, unknown=9, missing="unknown")
    np.testing.assert_array_equal(np.isnan(unknown)[:, 0, 0], [False, True, True, True])
    with pytest.raises(ValueError, match=r"labels\[2\] has no marked pixel"):
        mask_from_labels(labels, 1, unknown=9, missing="error")


def test_labels_warn_where_nothing_is_marked():
    with pytest.warns(UserWarning, match=r"No pixel has one of the labels marked=\[7\]"):
        mask = mask_from_labels(np.zeros((2, 3, 3), dtype=int), 7)
    assert not mask.any()


@pytest.mark.parametrize(
    ("labels", "arguments", "error", "message"),
    [
        (np.zeros((1, 2, 2)), {"marked": 1}, TypeError, "labels must hold whole numbers"),
        ("text", {"marked": 1}, TypeError, "labels must be a sequence"),
        ([[[1]], [[1, 2]]], {"marked": 1}, ValueError, "all of one shape"),
        ([None], {"marked": 1}, ValueError, "all of one shape"),
        ([[[1]]], {"marked": 0.5}, ValueError, "marked must be a whole number"),
        ([[[1]]], {"marked": [1, 2], "unknown": 2}, ValueError, "both marked and unknown"),
    ],
)
def test_bad_labels(labels, arguments, error, message):
    with pytest.raises(error, match=message):
        mask_from_labels(labels, **arguments)
