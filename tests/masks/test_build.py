"""Check that boxes, polygons and label images become the pixels that their coordinates say."""

import math
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skexplain.masks import (
    _rasterise,
    interpret_mask,
    mask_from_boxes,
    mask_from_labels,
    mask_from_polygons,
)
from skexplain.masks._rasterise import fill_polygon, fill_polygon_as_coco

SHAPE = (6, 8)  # height, width
SOME_BOX = [(0, 0, 2, 1)]
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
        mask = mask_from_boxes([[box]], SHAPE, box_format=box_format, unit="pixel")
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
    shares = mask_from_boxes([[(2 / 8, 1 / 6, 6 / 8, 3 / 6)]], SHAPE, unit="share")
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
                mask_from_polygons([[vertices]], SHAPE, unit="pixel")
            return
        at_vertices = np.zeros(SHAPE, dtype=bool)
        for a, b in vertices:
            if 0 <= a <= 8 and 0 <= b <= 6:
                at_vertices[min(int(b), 5), min(int(a), 7)] = True
        centres = at_vertices
    ours = mask_from_polygons([[vertices]], SHAPE, unit="pixel")[0]
    np.testing.assert_array_equal(ours, centres)


@given(st.integers(0, 6), st.integers(0, 4), st.integers(1, 8), st.integers(1, 6))
def test_a_rectangle_is_its_box(x, y, width, height):
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    box = mask_from_boxes([[(x, y, x + width, y + height)]], SHAPE, unit="pixel")
    ours = mask_from_polygons([[corners]], SHAPE, unit="pixel")
    np.testing.assert_array_equal(ours, box)


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
    shares = mask_from_polygons([[np.array(TRIANGLE) / [8, 6]]], SHAPE, unit="share")
    np.testing.assert_array_equal(large, expected)
    np.testing.assert_array_equal(shares, expected)


# -- units ---------------------------------------------------------------------------------------


def as_boxes(points, **arguments):
    """Draw boxes, given by two corners each, on one image of 60 x 80."""
    return mask_from_boxes([np.reshape(points, (-1, 4))], (60, 80), **arguments)


def as_polygons(points, **arguments):
    """Draw the same by their outlines."""
    corners = [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in points]
    return mask_from_polygons([corners], (60, 80), **arguments)


BOTH = pytest.mark.parametrize("build", [as_boxes, as_polygons])
PIXELS = np.array([[8.0, 6, 40, 30], [40, 45, 80, 60]])
PER_UNIT = {"share": np.array([80.0, 60, 80, 60]), "percent": np.array([80, 60, 80, 60]) / 100}


@BOTH
@pytest.mark.parametrize("unit", PER_UNIT)
def test_the_same_boxes_in_all_units(build, unit):
    expected = build(PIXELS)
    assert expected.sum() == 32 * 24 + 40 * 15
    np.testing.assert_array_equal(build(PIXELS, unit="pixel"), expected)
    np.testing.assert_array_equal(build(PIXELS / PER_UNIT[unit], unit=unit), expected)


@BOTH
def test_a_whole_set_within_a_pixel_is_refused(build):
    shares = PIXELS / PER_UNIT["share"]
    for points in (shares, shares * [1, 1, 1.005, 1.005], shares[:1], shares[:1].round()):
        if (points[:, :2] < points[:, 2:]).all():
            with pytest.raises(ValueError, match='within one pixel: .* pass unit="share"'):
                build(points)
    with pytest.raises(ValueError, match='within one percent of the image: .* unit="share"'):
        build(shares, unit="percent")
    # Who says that these are pixels gets pixels; and so does one among larger ones.
    assert build([[0, 0, 1, 1]], unit="pixel").sum() == 1
    assert build([[0, 0, 1, 1], [3, 3, 5, 5]]).sum() == 5


@BOTH
def test_what_reaches_far_beyond_the_image_is_in_another_unit(build):
    percent = PIXELS / PER_UNIT["percent"]
    for points in (percent, PIXELS):
        with pytest.raises(ValueError, match=r'0\], .* 0: reaches from .*"percent" or "pixel"'):
            build(points, unit="share")
    with pytest.raises(ValueError, match='reaches from 60 to 400, .* unit="pixel" fit'):
        build(PIXELS * 10, unit="percent")
    # What hangs over the edge is cut off, as for pixels.
    assert build([[-0.25, -0.25, 0.5, 1.25]], unit="share").sum() == 40 * 60
    assert build([[-25, -25, 50, 125]], unit="percent").sum() == 40 * 60


@BOTH
def test_what_lies_outside_is_told_the_unit_that_fits(build):
    with pytest.raises(ValueError, match=r'lies outside .* in percent, pass unit="percent"'):
        build([[8, 6, 40, 30], [90, 70, 99, 90]])
    with pytest.raises(ValueError, match="lies outside .* another size, pass image_sizes"):
        build([[8, 6, 40, 30], [90, 70, 600, 400]])


def test_percent_of_a_large_image_are_noticed():
    """They could be pixels, so that it is a warning, which unit="pixel" ends."""
    percent = [[(2.5, 3.25, 60, 20)], [(40.1, 80, 96.5, 99.9)]]
    with pytest.warns(UserWarning, match="boxes all lie in the upper left .*percent") as caught:
        mask_from_boxes(percent, (480, 640))
    assert caught[0].filename == __file__
    polygons = [[[(2.5, 3), (60, 3), (60, 20)]]]
    with pytest.warns(UserWarning, match="polygons all lie in the upper left"):
        mask_from_polygons(polygons, (12, 16), image_sizes=(480, 640))
    # No warning, which would be an error here.
    mask_from_boxes(percent, (480, 640), unit="pixel")
    mask_from_boxes([[(2, 3, 60, 20)], [(40, 80, 96, 99)]], (480, 640))  # whole pixels
    mask_from_boxes([[(2.5, 3, 30, 20)]], (480, 640))  # a logo in the corner
    mask_from_boxes(percent, (100, 100))


def test_percent_of_a_small_image_are_noticed():
    """Most of what they cover would be cut off."""
    percent = [[(10, 20, 60, 70)], [(5, 5, 90, 95)]]
    with pytest.warns(UserWarning, match='boxes all lie between 0 and 100, .* unit="percent"'):
        mask_from_boxes(percent, (28, 28))
    mask_from_boxes(percent, (28, 28), unit="pixel")
    mask_from_boxes(percent, (28, 100))  # one axis alone reaches beyond
    mask_from_boxes([[(5, 5, 40, 45)]], (28, 28))


def test_sizes_in_place_of_corners_are_noticed():
    with pytest.raises(ValueError, match="must have an area.*left, top, width, height: box_format"):
        mask_from_boxes([[(50, 40, 10, 20)]], (60, 80))


def is_in_turned_box(x, y, centre, size, degrees):
    """Turn a point back into the frame of a box that was turned clockwise on the screen."""
    angle = -math.radians(degrees)
    dx, dy = x - centre[0], y - centre[1]
    # y points downwards: a positive angle turns from x to y, clockwise.
    along = dx * math.cos(angle) - dy * math.sin(angle)
    across = dx * math.sin(angle) + dy * math.cos(angle)
    return abs(along) <= size[0] / 2 and abs(across) <= size[1] / 2


@given(st.floats(-720, 720), st.floats(0.02, 0.98), st.floats(0.02, 0.98))
def test_turned_boxes_by_hand(degrees, x, y):
    """By either pivot and in every unit; on an image that is not square."""
    centre, size = np.array([80 * x, 60 * y]), np.array([31.3, 11.7])
    expected = [
        [is_in_turned_box(j + 0.5, i + 0.5, centre, size, degrees) for j in range(80)]
        for i in range(60)
    ]
    angle = math.radians(degrees)
    turned = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    to_corner = -size / 2 @ turned
    for unit in ("pixel", "share", "percent"):
        per = PER_UNIT[unit][:2] if unit in PER_UNIT else np.ones(2)
        for pivot, box_format in ((centre, "cxcywhr"), (centre + to_corner, "xywhr")):
            box = (*pivot / per, *size / per, degrees)
            mask = mask_from_boxes([box], (60, 80), box_format=box_format, unit=unit)[0]
            # A centre on the outline may fall either way.
            assert (mask != expected).sum() <= 2


def test_a_quarter_turn_is_seen():
    upright = mask_from_boxes([(50, 50, 40, 10, 90)], (100, 100), box_format="cxcywhr")[0]
    np.testing.assert_array_equal(upright, mask_from_boxes([(45, 30, 55, 70)], (100, 100))[0])
    # Label Studio: clockwise about the upper left corner, so that it comes to lie at its left.
    left = mask_from_boxes([(50, 30, 40, 10, 90)], (100, 100), box_format="xywhr")[0]
    np.testing.assert_array_equal(left, mask_from_boxes([(40, 30, 50, 70)], (100, 100))[0])


def test_turned_shares_keep_their_angle_where_X_is_resized():
    """Turned on the photo, of 100 x 200 pixels, which X shows as 50 x 50."""
    boxes, arguments = [(0.5, 0.5, 0.4, 0.1, 90)], {"box_format": "cxcywhr", "unit": "share"}
    photo = mask_from_boxes(boxes, (100, 200), **arguments)
    assert photo[0].any(axis=1).sum() == 80  # upright: 0.4 of 200
    assert photo[0].any(axis=0).sum() == 10
    small = mask_from_boxes(boxes, (50, 50), image_sizes=(100, 200), **arguments)
    assert small[0].any(axis=1).sum() == 40
    assert small[0].any(axis=0).sum() in (2, 3)


def test_an_angle_needs_a_format_that_has_one():
    with pytest.raises(ValueError, match=r"4 numbers.*got shape \(5,\). With the angle last"):
        mask_from_boxes([[(1, 1, 3, 3, 45)]], SHAPE)
    with pytest.raises(ValueError, match=r"5 numbers.*got shape \(4,\)"):
        mask_from_boxes([[(1, 1, 3, 3)]], SHAPE, box_format="xywhr")


# -- cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", [fill_polygon, fill_polygon_as_coco])
@pytest.mark.parametrize("step", [1, 0.1, 1e-9])
def test_line_by_line_is_the_same_as_at_once(monkeypatch, fill, step):
    """Where there are too many crossings to keep."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        height, width = rng.integers(1, 70, size=2)
        vertices = (rng.uniform(-20, 90, size=(rng.integers(3, 40), 2)) / step).round() * step
        masks = np.zeros((2, height, width), dtype=bool)
        marked = [fill(masks[0], vertices)]
        with monkeypatch.context() as patch:
            patch.setattr(_rasterise, "_AT_ONCE", -1)
            marked.append(fill(masks[1], vertices))
        np.testing.assert_array_equal(*masks)
        assert marked == [masks.any()] * 2


def test_an_outline_costs_what_it_covers():
    """A small one in a large image takes no memory of the image's size."""
    mask = np.zeros((20_000, 10_000), dtype=bool)  # 200 MB of zeros that nothing touches
    tracemalloc.start()
    for fill in (fill_polygon, fill_polygon_as_coco):
        assert fill(mask, np.array([(9_000.0, 19_000), (9_040, 19_003), (9_020, 19_050)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6  # measured: 0.1 MB


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
        ({"unit": 1}, ValueError, "unit must be one of"),
        ({"unit": "px"}, ValueError, "unit must be one of"),
        ({"unit": "share", "image_sizes": (6, 8)}, ValueError, "image_sizes must be None"),
        ({"unit": "percent", "image_sizes": (6, 8)}, ValueError, "image_sizes must be None"),
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
