"""Check the meaning of every value of a mask against a plain reading of it, and that masks are kept
compact.
"""

import tracemalloc
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

from skexplain.masks import _meaning, interpret_mask
from skexplain.masks._shapes import legal_shapes

MARKS = ["irrelevant", "relevant"]
DTYPES = [bool, np.uint8, np.int64, np.uint16, np.float16, np.float32, np.float64, ">f8"]
# What a float of that width keeps of 1 - value.
PRECISION = {2: 1e-3, 4: 1e-6, 8: 0.0}

shapes = st.one_of(
    st.tuples(*[st.integers(1, 4)] * n_axes)  # rows, (channels,) and a grid
    for n_axes in (2, 3, 4, 5)
)


def elements(dtype):
    """Legal values of a dtype, NaN among them where there is one."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "ui":
        return st.integers(0, 1)
    exact = st.sampled_from([0.0, 1.0, 0.25, np.nan])
    return exact | st.floats(0, 1, width=8 * dtype.itemsize)


@st.composite
def masks_beside_x(draw):
    """A shape of X and a legal mask beside it."""
    shape = draw(shapes)
    n_rows, *rest = draw(st.sampled_from(legal_shapes(shape)))
    mask_shape = (draw(st.sampled_from([n_rows, 1])), *rest)
    dtype = draw(st.sampled_from(DTYPES))
    return shape, draw(hnp.arrays(dtype, mask_shape, elements=elements(dtype)))


def degrees(masks, shape):
    """Degrees and known marks of all rows, in X's full shape."""
    values = np.array(masks.values, dtype=masks.values.dtype.newbyteorder("="))
    if values.dtype == np.uint16:
        values = values.astype(np.float32)  # torch picks no rows of these
    irrelevance, known = masks.degrees(torch.from_numpy(values))
    assert irrelevance.dtype == torch.float32
    if known is None:
        known = torch.ones(irrelevance.shape, dtype=torch.bool)
    assert known.dtype == torch.bool
    return [np.broadcast_to(part.numpy(), shape) for part in (irrelevance, known)]


def read_plainly(mask, shape, marks):
    """Degrees by the definition, one row and entry at a time in float64."""
    values = np.asarray(mask, dtype=np.float64)
    if values.ndim == len(shape) - 1 and len(shape) > 2:
        values = values[:, None]
    values = np.broadcast_to(values, shape)
    irrelevance = values if marks == "irrelevant" else 1 - values
    return np.where(np.isnan(values), 0.0, irrelevance), ~np.isnan(values)


@pytest.mark.parametrize("marks", MARKS)
@given(masks_beside_x(), st.integers(1, 20))
def test_every_legal_mask_has_its_plain_meaning(marks, case, chunk):
    shape, mask = case
    with mock.patch.object(_meaning, "_CHUNK_VALUES", chunk):
        masks = interpret_mask(mask, shape, marks=marks)
    irrelevance, known = degrees(masks, shape)
    expected, expected_known = read_plainly(mask, shape, marks)
    rtol = PRECISION[mask.dtype.itemsize] if mask.dtype.kind == "f" else 0
    assert_allclose(irrelevance, expected.astype(np.float32), rtol=rtol, atol=rtol)
    assert_array_equal(known, expected_known)
    by_row = tuple(range(1, len(shape)))
    assert_array_equal(masks.annotated, expected_known.any(by_row))
    assert_array_equal(masks.has_irrelevant, (expected > 0).any(by_row))
    assert masks.annotated.shape == masks.has_irrelevant.shape == shape[:1]
    assert masks.has_unknown == (not expected_known.all())
    assert masks.for_all_rows == (len(mask) == 1)


@pytest.mark.parametrize("marks", MARKS)
@given(masks_beside_x())
def test_no_legal_mask_is_copied(marks, case):
    shape, mask = case
    values = interpret_mask(mask, shape, marks=marks).values
    assert values.dtype == mask.dtype
    assert values.size == mask.size
    assert np.shares_memory(values, mask)
    assert values.ndim == len(shape)
    assert all(ours in (1, of_x) for ours, of_x in zip(values.shape, shape, strict=True))


@given(masks_beside_x())
def test_relevant_is_one_minus_irrelevant(case):
    shape, mask = case
    opposite = ~mask if mask.dtype == bool else 1 - mask
    left = interpret_mask(mask, shape, marks="irrelevant")
    right = interpret_mask(opposite, shape, marks="relevant")
    # 1 - (1 - m) rounds like the floats around one do.
    step = np.finfo(mask.dtype).eps if mask.dtype.kind == "f" else 0
    (degrees_left, known_left), (degrees_right, known_right) = (
        degrees(masks, shape) for masks in (left, right)
    )
    assert_allclose(degrees_left, degrees_right, rtol=0, atol=max(step, 1e-7 * (step > 0)))
    assert_array_equal(known_left, known_right)
    assert_array_equal(left.annotated, right.annotated)


@pytest.mark.parametrize("marks", MARKS)
@given(masks_beside_x())
def test_nested_lists_tensors_and_object_arrays_mean_the_same(marks, case):
    shape, mask = case
    # Lists have no dtype but bool, int and float; an object array may hold what numpy makes.
    assume(mask.dtype.name != "uint16")
    expected = degrees(interpret_mask(mask, shape, marks=marks), shape)
    spellings = [
        mask.tolist(),
        tuple(map(tuple, mask.tolist())),
        list(mask),
        mask.astype(object),
        torch.from_numpy(mask.astype(mask.dtype.newbyteorder("="))),
        np.asfortranarray(mask),
        np.repeat(mask, 2, axis=0)[::-2][::-1],
    ]
    for spelling in spellings:
        ours = degrees(interpret_mask(spelling, shape, marks=marks), shape)
        # A list of float16 becomes float64, in which 1 - value keeps more digits.
        rtol = PRECISION[mask.dtype.itemsize] if mask.dtype.kind == "f" else 0
        assert_allclose(ours[0], expected[0], rtol=rtol, atol=rtol)
        assert_array_equal(ours[1], expected[1])


@pytest.mark.parametrize("marks", MARKS)
@given(masks_beside_x(), st.data())
def test_rows_of_none_are_rows_of_nan(marks, case, data):
    shape, mask = case
    assume(len(mask) == shape[0])
    given_rows = data.draw(hnp.arrays(bool, len(mask)))
    with_nan = mask.astype(np.float64)
    with_nan[~given_rows] = np.nan
    rows = [row if has else None for row, has in zip(mask, given_rows, strict=True)]
    as_objects = np.empty(len(rows), dtype=object)
    as_objects[:] = rows
    expected = interpret_mask(with_nan, shape, marks=marks)
    for spelling in (rows, tuple(rows), as_objects, pd.Series(rows, dtype=object)):
        masks = interpret_mask(spelling, shape, marks=marks)
        assert_array_equal(masks.annotated, expected.annotated)
        assert_array_equal(masks.has_irrelevant, expected.has_irrelevant)
        rtol = PRECISION[mask.dtype.itemsize] if mask.dtype.kind == "f" else 0
        ours, theirs = degrees(masks, shape)[0], degrees(expected, shape)[0]
        assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("marks", MARKS)
def test_bool_rows_beside_none_stay_bool(marks):
    masks = interpret_mask([[True, False], None, [False, False]], (3, 2), marks=marks)
    assert masks.values.dtype == bool
    assert_array_equal(masks.annotated, [True, False, True])
    assert_array_equal(masks.has_irrelevant, [True, False, marks == "relevant"])


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize(
    ("shape", "stored"),
    [((3, 2), (1, 2)), ((3, 4, 5), (1, 4, 5)), ((3, 2, 4, 4), (1, 1, 4, 4))],
)
def test_nothing_but_none_annotates_nothing(shape, stored, marks):
    masks = interpret_mask([None] * 3, shape, marks=marks)
    assert not masks.annotated.any()
    assert not masks.has_irrelevant.any()
    assert not degrees(masks, shape)[0].any()
    assert masks.stored.shape == stored


def test_no_mask_is_none():
    assert interpret_mask(None, (3, 2)) is None


@pytest.mark.parametrize(
    ("row", "marks", "annotated", "has_irrelevant"),
    [
        ([0, 0], "irrelevant", True, False),
        ([1, 1], "relevant", True, False),
        ([0, 1], "irrelevant", True, True),
        ([0, 1], "relevant", True, True),
        ([np.nan, 0], "irrelevant", True, False),
        ([np.nan, 1], "relevant", True, False),
        ([np.nan, 0.5], "irrelevant", True, True),
        ([np.nan, 0.5], "relevant", True, True),
        ([np.nan, np.nan], "irrelevant", False, False),
        ([np.nan, np.nan], "relevant", False, False),
    ],
)
@pytest.mark.parametrize("for_all_rows", [False, True])
def test_annotated_and_irrelevant_are_two_things(
    row, marks, annotated, has_irrelevant, for_all_rows
):
    masks = interpret_mask([row] if for_all_rows else [row] * 3, (3, 2), marks=marks)
    assert_array_equal(masks.annotated, [annotated] * 3)
    assert_array_equal(masks.has_irrelevant, [has_irrelevant] * 3)


@pytest.mark.parametrize("marks", MARKS)
def test_known_is_kept_only_where_a_mark_is_missing(marks):
    complete = interpret_mask(np.zeros((3, 2)), (3, 2), marks=marks)
    assert complete.degrees(torch.from_numpy(complete.values))[1] is None
    partial = interpret_mask(np.array([[0, np.nan], [1, 0], [0, 1]]), (3, 2), marks=marks)
    # Also for a batch whose own marks are all there.
    assert partial.degrees(torch.from_numpy(partial.values[1:]))[1].all()


# -- precision -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tiny", [1e-9, 1e-12, 3e-16])
def test_relevance_close_to_one_keeps_its_digits(tiny):
    mask = np.full((1, 2), 1 - tiny)
    masks = interpret_mask(mask, (5, 2), marks="relevant")
    irrelevance, _ = degrees(masks, (5, 2))
    assert masks.has_irrelevant.all()
    assert_array_equal(irrelevance, np.full((5, 2), np.float32(1 - (1 - tiny))))
    assert (irrelevance > 0).all()


# -- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "legal"),
    [
        ((7, 4), [(7, 4)]),
        ((7, 5, 6), [(7, 5, 6)]),
        ((7, 3, 5, 6), [(7, 3, 5, 6), (7, 1, 5, 6), (7, 5, 6)]),
        ((7, 1, 5, 6), [(7, 1, 5, 6), (7, 5, 6)]),
        ((7, 3, 2, 5, 6), [(7, 3, 2, 5, 6), (7, 1, 2, 5, 6), (7, 2, 5, 6)]),
    ],
)
def test_legal_shapes(shape, legal):
    assert legal_shapes(shape) == legal
    for n_rows, *rest in legal:
        for mask_shape in ((n_rows, *rest), (1, *rest)):
            values = interpret_mask(np.ones(mask_shape, dtype=bool), shape).values
            assert np.broadcast_shapes(values.shape, shape) == shape


@given(shapes, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
def test_any_other_shape_is_refused(shape, mask_shape):
    legal = {(rows, *rest) for n, *rest in legal_shapes(shape) for rows in (n, 1)}
    if len(shape) == 2:
        legal.add(shape[1:])
    assume(mask_shape not in legal)
    with pytest.raises(ValueError, match="^mask must have shape") as caught:
        interpret_mask(np.ones(mask_shape), shape)
    message = str(caught.value)
    assert str(shape) in message
    assert f"got {mask_shape}" in message
    for form in legal_shapes(shape):
        assert str(form) in message
    if "reshape" in message:  # the advice must work
        advised = message.split("mask.reshape")[1].split(")")[0].strip("( ,")
        interpret_mask(np.ones(mask_shape).reshape([*map(int, advised.split(","))]), shape)


@pytest.mark.parametrize(
    ("mask_shape", "shape"),
    [((5, 6), (7, 5, 6)), ((5, 6), (7, 3, 5, 6)), ((3, 5, 6), (7, 3, 5, 6))],
)
def test_error_says_how_to_reshape_a_mask_for_all_rows(mask_shape, shape):
    with pytest.raises(ValueError) as caught:
        interpret_mask(np.ones(mask_shape), shape)
    assert f"mask.reshape{(1, *mask_shape)}" in str(caught.value)


def test_vector_is_one_mask_for_all_rows():
    masks = interpret_mask([0, 1, 0.5], (4, 3))
    assert masks.values.shape == (1, 3)
    assert_array_equal(degrees(masks, (4, 3))[0], [[0, 1, 0.5]] * 4)


@pytest.mark.parametrize("n", [2, 5])
def test_number_of_axes_decides_where_lengths_agree(n):
    """As many rows as columns, or as channels: what the axes are does not depend on chance."""
    vector = interpret_mask(np.arange(n) / n, (n, n))
    assert vector.for_all_rows
    grid = interpret_mask(np.zeros((n, n, n), dtype=bool), (n, n, n, n))
    assert grid.values.shape == (n, 1, n, n)


# -- memory --------------------------------------------------------------------------------------


def test_mask_for_all_rows_is_never_repeated():
    mask = np.ones((1, 32, 32), dtype=bool)
    masks = interpret_mask(mask, (10**6, 64, 32, 32))
    assert masks.values.nbytes == mask.nbytes
    assert masks.for_all_rows
    assert masks.annotated.all()


def test_channels_are_never_repeated():
    mask = np.zeros((10, 32, 32), dtype=np.uint8)
    masks = interpret_mask(mask, (10, 512, 32, 32))
    assert masks.values.shape == (10, 1, 32, 32)
    assert np.shares_memory(masks.values, mask)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_memory_map_stays_on_disk(tmp_path, dtype, mode):
    shape = (2048, 1024)
    mask = np.memmap(tmp_path / "mask", dtype, "w+", shape=shape)
    mask[7, 3] = 1
    mask.flush()
    mask = np.memmap(tmp_path / "mask", dtype, mode, shape=shape)
    with mock.patch.object(_meaning, "_CHUNK_VALUES", 1 << 14):
        tracemalloc.start()
        try:
            masks = interpret_mask(mask, shape)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 1 << 19
    assert np.shares_memory(masks.values, mask)
    assert_array_equal(np.flatnonzero(masks.has_irrelevant), [7])


def test_mask_is_left_as_it_was():
    mask = np.array([[0.0, np.nan, 0.5]] * 4)
    before = mask.copy()
    masks = interpret_mask(mask, (4, 3), marks="relevant")
    masks.degrees(torch.from_numpy(masks.values))
    assert_array_equal(mask, before)


# -- data frames ---------------------------------------------------------------------------------

NAMES = np.array(["a", "b", "c"], dtype=object)


def test_frame_columns_are_found_by_name():
    frame = pd.DataFrame({"c": [0.5, 1.0], "a": [0.0, 0.0], "b": [1.0, np.nan]})
    masks = interpret_mask(frame, (2, 3), feature_names=NAMES)
    assert_array_equal(masks.values, [[0, 1, 0.5], [0, np.nan, 1]])


def test_series_of_masks_is_read_row_by_row_whatever_its_index():
    rows = [np.array([1, 0]), None, np.array([0, 1])]
    for index in ([2, 0, 1], ["c", "a", "b"], [10, 20, 30]):
        masks = interpret_mask(pd.Series(rows, index=index), (3, 2), feature_names=["a", "b"])
        assert_array_equal(masks.annotated, [True, False, True])
        assert_array_equal(masks.values[[0, 2]], [[1, 0], [0, 1]])
        complete = interpret_mask(pd.Series([rows[0], rows[0], rows[2]], index=index), (3, 2))
        assert_array_equal(complete.values, [[1, 0], [1, 0], [0, 1]])


@pytest.mark.parametrize("dtype", [float, bool, "Int64", object])
def test_series_of_marks_has_its_columns_found_by_name(dtype):
    names = np.array(["a", "b", "c"])
    mask = pd.Series({"c": 0, "b": 1, "a": 1}).astype(dtype)
    assert_array_equal(interpret_mask(mask, (5, 3), feature_names=names).values, [[1, 1, 0]])
    with pytest.raises(ValueError, match=r"names .* cannot be compared; got \[c, b, a\]"):
        interpret_mask(mask, (5, 3))
    with pytest.raises(ValueError, match=r"columns of X.*Not columns of X: \[c\]; missing: \[d\]"):
        interpret_mask(mask, (5, 3), feature_names=np.array(["a", "b", "d"]))
    numbered = pd.Series([0, 1, 1], index=[2, 1, 0]).astype(dtype)
    with pytest.raises(ValueError, match=r"Not columns of X: \[2, 1, 0\]"):
        interpret_mask(numbered, (5, 3), feature_names=names)
    unnamed = pd.Series([0, 1, 1]).astype(dtype)
    assert_array_equal(interpret_mask(unnamed, (5, 3), feature_names=names).values, [[0, 1, 1]])
    numbers = np.array(["0", "1", "2"])
    assert_array_equal(interpret_mask(numbered, (5, 3), feature_names=numbers).values, [[1, 1, 0]])


def test_missing_marks_of_a_series_are_unknown():
    mask = pd.Series([True, None, False], dtype="boolean")
    assert_array_equal(interpret_mask(mask, (5, 3)).values, [[1, np.nan, 0]])


def test_series_of_another_length_is_told_how_long():
    with pytest.raises(ValueError, match="A 1-D mask must have 3 values, one per column"):
        interpret_mask(pd.Series([1.0, 0.0]), (5, 3))


@pytest.mark.parametrize("marks", ["relevent", None, True])
def test_other_marks_are_refused(marks):
    with pytest.raises(ValueError, match="marks must be one of .* got"):
        interpret_mask([[1, 0]], (2, 2), marks=marks)


LAYOUTS = {
    "backwards": lambda values: values[:, ::-1].copy()[:, ::-1],
    "big-endian": lambda values: values.astype(">f8"),
    "longdouble": lambda values: values.astype(np.longdouble),
    "float16": lambda values: values.astype(np.float16),
    "broadcast": lambda values: np.broadcast_to(values[:1], values.shape),
    "uint16": lambda values: np.nan_to_num(values).astype(np.uint16),
    "bool": lambda values: np.nan_to_num(values).astype(bool)[:, ::-1],
}


@pytest.mark.parametrize("marks", MARKS)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_degrees_of_rows_of_any_dtype_and_layout(layout, marks, n_rows):
    values = layout(np.array([[0.0, 1.0], [1.0, 0.0], [np.nan, 0.0]])[-n_rows:])
    values.flags.writeable = False
    masks = interpret_mask(values, (3, 2), marks=marks)
    rows = np.array([2, 0])
    a, known = masks.degrees_of(rows)
    expected, expected_known = read_plainly(values, (3, 2), marks)
    assert a.dtype == torch.float64
    assert_array_equal(np.broadcast_to(a, (2, 2)), expected[rows])
    if known is not None:
        assert_array_equal(np.broadcast_to(known, (2, 2)), expected_known[rows])
    assert (known is None) == expected_known.all()


def test_frame_without_names_is_read_in_order():
    for frame in (pd.DataFrame([[True, False]]), pd.DataFrame({0: [True], 1: [False]})):
        for names in (None, ["a", "c"]):
            masks = interpret_mask(frame, (5, 2), feature_names=names)
            assert_array_equal(masks.values, [[True, False]])
            assert masks.values.dtype == bool


def test_frame_with_names_that_are_no_strings():
    """X's names are strings; those of a mask made with ``DataFrame(array)`` are numbers."""
    frame = pd.DataFrame([[0, 1, 0]], columns=[2, 0, 1])
    masks = interpret_mask(frame, (5, 3), feature_names=np.array(["0", "1", "2"], dtype=object))
    assert_array_equal(masks.values, [[1, 0, 0]])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": pd.array([True, None], dtype="boolean")}, [[1], [np.nan]]),
        ({"a": pd.array([1, None], dtype="Int8")}, [[1], [np.nan]]),
        ({"a": pd.array([0.5, None], dtype="Float64")}, [[0.5], [np.nan]]),
        ({"a": pd.Series([True, None], dtype=object)}, [[1], [np.nan]]),
        ({"a": [True, False], "b": [0.5, np.nan]}, [[1, 0.5], [0, np.nan]]),
        ({"a": [True, False], "b": [0, 1]}, [[1, 0], [0, 1]]),
        ({"a": pd.array([True, None], dtype="boolean"), "b": [0.5, 0]}, [[1, 0.5], [np.nan, 0]]),
    ],
)
@pytest.mark.parametrize("marks", MARKS)
def test_frame_with_missing_or_mixed_columns(columns, expected, marks):
    frame, expected = pd.DataFrame(columns), np.array(expected, dtype=float)
    ours = interpret_mask(frame, expected.shape, marks=marks, feature_names=list(frame))
    theirs = interpret_mask(expected, expected.shape, marks=marks)
    for left, right in zip(
        degrees(ours, expected.shape), degrees(theirs, expected.shape), strict=True
    ):
        assert_array_equal(left, right)
    assert_array_equal(ours.annotated, theirs.annotated)
