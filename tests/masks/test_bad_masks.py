"""Check that every illegal mask raises an error before training, which says what would be legal."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)

ESTIMATORS = [
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
]
N_ROWS, N_COLUMNS = 12, 4
TABLE = (N_ROWS, N_COLUMNS)
Y = np.arange(N_ROWS) % 2


def inputs(shape=TABLE):
    return np.random.default_rng(0).normal(size=shape)


class NeverBuilt(nn.Module):
    """A network that must not even be made: a bad mask is found before."""

    def __init__(self):
        super().__init__()
        raise AssertionError("The module was built although the mask is illegal.")


def message_of(mask, error, X=None, estimator=GradRegClassifier, **params):
    """Fit with a bad mask; the text of the error."""
    estimator = estimator(NeverBuilt, **params)
    with pytest.raises(error) as caught:
        estimator.fit(inputs() if X is None else X, Y, mask=mask)
    assert not hasattr(estimator, "trainer_")
    assert not hasattr(estimator, "classes_")
    assert caught.type in (ValueError, TypeError)
    assert str(caught.value).startswith("mask must ")
    return str(caught.value)


def marks(dtype=float, shape=TABLE):
    return np.zeros(shape, dtype)


def marks_with(value, row=3, dtype=float):
    mask = marks(dtype)
    mask[row, 1] = value
    return mask


# -- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        (N_ROWS - 1, N_COLUMNS),
        (N_ROWS + 1, N_COLUMNS),
        (2, N_COLUMNS),
        (0, N_COLUMNS),
        (N_ROWS, 0),
        (N_ROWS, N_COLUMNS + 1),
        (N_ROWS, 1),
        (1, N_COLUMNS - 1),
        (N_COLUMNS, N_ROWS),
        (N_ROWS,),
        (1,),
        (0,),
        (N_ROWS, 1, N_COLUMNS),
        (1, N_ROWS, N_COLUMNS),
    ],
)
def test_wrong_shape_beside_a_table(shape):
    message = message_of(marks(shape=shape), ValueError)
    assert str(TABLE) in message
    assert f"(1, {N_COLUMNS})" in message
    assert f"got {shape}" in message


@pytest.mark.parametrize(
    "shape",
    [
        (11, 2, 5, 6),
        (12, 3, 5, 6),
        (12, 2, 5, 5),
        (12, 2, 4, 6),
        (12, 2, 6, 5),
        (12, 5, 6, 2),  # channels last
        (11, 5, 6),
        (12, 6, 5),
        (12, 5, 1),
        (12, 2, 1, 1),
        (2, 5, 6),
        (5, 6),
        (12, 60),
        (1, 60),
        (12,),
        (0, 5, 6),
    ],
)
def test_wrong_shape_beside_images(shape):
    message = message_of(marks(shape=shape), ValueError, X=inputs((12, 2, 5, 6)))
    for legal in ("(12, 2, 5, 6)", "(12, 1, 5, 6)", "(12, 5, 6)", "(1, 5, 6)"):
        assert legal in message
    assert f"got {shape}" in message


@pytest.mark.parametrize("shape", [(12, 1, 5, 6), (12, 6, 5), (5, 6), (12, 30), (12, 5)])
def test_wrong_shape_beside_images_without_channels(shape):
    message = message_of(marks(shape=shape), ValueError, X=inputs((12, 5, 6)))
    assert "(12, 5, 6)" in message
    assert "(1, 5, 6)" in message
    assert f"got {shape}" in message


@pytest.mark.parametrize("shape", [(5,), (N_ROWS,)])
def test_vector_of_another_length_is_told_how_long(shape):
    assert f"{N_COLUMNS} values, one per column" in message_of(marks(shape=shape), ValueError)


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "came"),
    [
        (marks_with(np.inf), "inf"),
        (marks_with(-np.inf), "-inf"),
        (marks_with(-0.25), "-0.25"),
        (marks_with(1.5), "1.5"),
        (marks_with(np.nextafter(1, 2)), "1.0000000000000002"),
        (marks_with(-5e-324), "-5e-324"),
        (marks_with(2, dtype=int), "2"),
        (marks_with(-1, dtype=np.int8), "-1"),
        (marks_with(255, dtype=np.uint8), "255"),
        (marks_with(7, dtype=np.uint64), "7"),
        (marks_with(3, dtype=">f4"), "3.0"),
        (marks_with(1.5).tolist(), "1.5"),
        (marks_with(1.5).astype(object), "1.5"),
        (torch.from_numpy(marks_with(1.5)), "1.5"),
        ([None, *marks_with(1.5)[1:]], "1.5"),
    ],
)
@pytest.mark.parametrize("mask_marks", ["irrelevant", "relevant"])
def test_value_outside_of_0_to_1(mask, came, mask_marks):
    message = message_of(mask, ValueError, mask_marks=mask_marks)
    assert "[0, 1] or NaN" in message
    n_masks = sum(row is not None for row in mask) if isinstance(mask, list) else N_ROWS
    assert f"got {came} in 1 of {n_masks} samples, at samples [3]" in message


@given(
    hnp.arrays(
        np.float64,
        TABLE,
        elements=st.sampled_from([0.0, 0.5, 1.0, np.nan]),
        fill=st.nothing(),
    ),
    st.sets(st.integers(0, N_ROWS - 1), min_size=1),
    st.floats().filter(lambda value: value < 0 or value > 1),
)
def test_error_names_exactly_the_bad_rows(mask, rows, value):
    rows = sorted(rows)
    mask[rows, 2] = value
    message = message_of(mask, ValueError)
    assert f"got {value} in {len(rows)} of 12 samples" in message
    listed = re.search(r"at samples \[([0-9, ]*)(, \.\.\.)?\]", message)
    named = [int(row) for row in listed[1].strip(", ").split(", ")]
    assert named == rows[: len(named)]
    assert len(named) == len(rows) or (listed[2] and len(named) >= 5)


def test_bad_value_in_a_mask_for_all_rows():
    assert "got 2.0 in 1 of 1 samples, at samples [0]" in message_of([[0, 0, 2.0, 0]], ValueError)


def test_0_to_255_image_is_told_to_divide():
    X = inputs((12, 2, 5, 6))
    mask = np.random.default_rng(0).integers(0, 256, size=(12, 5, 6), dtype=np.uint8)
    message = message_of(mask, ValueError, X=X)
    assert "Divide a 0..255 image by 255" in message
    assert "in 12 of 12 samples, at samples [0, 1, 2, 3, 4, 5, 6, 7, ...]" in message


def test_negative_value_is_not_told_to_divide():
    assert "255" not in message_of(marks_with(-1), ValueError)


# -- kinds ---------------------------------------------------------------------------------------

NUMBERS = r"bool,? (or )?numbers in \[0, 1\]"


@pytest.mark.parametrize(
    ("mask", "came"),
    [
        ("irrelevant", "str"),
        (b"mask", "bytes"),
        ({"a": 1}, "dict"),
        ({1, 2}, "set"),
        (frozenset({1}), "frozenset"),
        (1, "int"),
        (True, "bool"),
        (0.5, "float"),
        (np.float64(0.5), "float64"),
        (1j, "complex"),
        (object(), "object"),
        (len, "builtin_function_or_method"),
        ((row for row in marks()), "generator"),
        (iter(marks()), "iterator"),
        (np.array(None, dtype=object), "dtype object"),
        (marks(complex), "complex128"),
        (marks("datetime64[D]"), r"datetime64\[D\]"),
        (marks("timedelta64[s]"), r"timedelta64\[s\]"),
        (marks("U1"), "<U1"),
        (marks("S1"), r"\|S1"),
        (marks("V2"), r"\|V2"),
        (np.zeros(N_ROWS, [("a", float)]), "'a'"),
        ([["a"] * N_COLUMNS] * N_ROWS, "<U1"),
        ([["0.5"] * N_COLUMNS] * N_ROWS, "<U3"),
        (np.full(TABLE, "1", dtype=object), "<U1"),
        ([[2**70] * N_COLUMNS] * N_ROWS, "dtype object"),
        # None stands for a row, never for a value.
        ([[1, None, 0, 0]] * N_ROWS, "dtype object"),
        ([1, *[None] * (N_ROWS - 1)], "int"),
        (["1000", *[None] * (N_ROWS - 1)], "str"),
        ([{}, *[None] * (N_ROWS - 1)], "dict"),
        (pd.Series([True, *[None] * (N_ROWS - 1)]), "bool"),
        (pd.DataFrame(marks("datetime64[s]")), "datetime64"),
    ],
)
def test_object_that_holds_no_marks(mask, came):
    message = message_of(mask, TypeError)
    assert re.search(NUMBERS, message)
    assert re.search(f"got .*{came}", message)


@pytest.mark.parametrize("scalar", [np.True_, np.array(1.0), torch.tensor(1)])
def test_array_without_axes(scalar):
    message = message_of(scalar, ValueError)
    assert str(TABLE) in message
    assert "got ()" in message


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(TABLE, requires_grad=True),
        torch.zeros(TABLE, dtype=torch.bfloat16),
        torch.zeros(TABLE).to_sparse(),
        torch.zeros(TABLE, device="meta"),
    ],
    ids=["gradient", "bfloat16", "sparse", "meta"],
)
def test_tensor_that_numpy_cannot_read(tensor):
    assert re.search(NUMBERS, message_of(tensor, ValueError))


@pytest.mark.parametrize(
    "mask",
    [
        scipy.sparse.csr_array(marks()),
        scipy.sparse.coo_matrix(marks()),
        [scipy.sparse.csr_array(marks()[:1])] * N_ROWS,
        [scipy.sparse.csr_array(marks()[:1]), *[None] * (N_ROWS - 1)],
    ],
    ids=["array", "matrix", "rows", "row"],
)
def test_sparse(mask):
    message = message_of(mask, TypeError)
    assert "dense, got a sparse matrix" in message
    assert "toarray()" in message


@pytest.mark.parametrize(
    "mask",
    [
        np.ma.masked_array(marks(), marks(bool)),
        [np.ma.masked_array([0, 1, 0, 0], [0, 1, 0, 0])] * N_ROWS,
        [np.ma.masked_array([0, 1, 0, 0], [0, 1, 0, 0]), *[None] * (N_ROWS - 1)],
    ],
    ids=["array", "rows", "row"],
)
def test_numpy_masked_array(mask):
    """Numpy would drop its mask, which most likely is the one that was meant."""
    message = message_of(mask, TypeError)
    assert "got a numpy masked array: pass its .mask" in message


@pytest.mark.parametrize(
    "mask",
    [
        [[1, 0, 0, 0], [1, 0]] * (N_ROWS // 2),
        [np.zeros(4), np.zeros(3)] * (N_ROWS // 2),
        [[[1], 0, 0, 0]] * N_ROWS,
    ],
)
def test_ragged_list(mask):
    message = message_of(mask, ValueError)
    assert re.search(NUMBERS, message)
    assert "of one regular shape" in message
    assert "inhomogeneous" in message


def test_ragged_object_array():
    mask = np.empty(N_ROWS, dtype=object)
    mask[:] = [[0] * 4, [0] * 3] * (N_ROWS // 2)
    assert "dtype object" in message_of(mask, TypeError)


# -- lists with None -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_rows", [1, N_ROWS - 1, N_ROWS + 1])
@pytest.mark.parametrize("container", [list, tuple])
def test_list_with_none_of_wrong_length(n_rows, container):
    for rows in ([None] * n_rows, [*marks()[: n_rows - 1], None]):
        message = message_of(container(rows), ValueError)
        assert f"one mask or None per sample of X if it is a list: 12 entries; got {len(rows)}" in (
            message
        )


def test_rows_of_different_shapes_beside_none():
    rows = [[1, 0, 0, 0], [1, 0], *[None] * (N_ROWS - 2)]
    message = message_of(rows, ValueError)
    assert "of one shape, got [(2,), (4,)]" in message


def test_rows_of_one_wrong_shape_beside_none():
    message = message_of([[1, 0, 0], *[None] * (N_ROWS - 1)], ValueError)
    assert str(TABLE) in message
    assert "got (12, 3)" in message


# -- data frames ---------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("columns", "unknown", "missing"),
    [
        (["a", "b", "c", "e"], "[e]", "[d]"),
        (["a", "b", "c"], "[]", "[d]"),
        (["a", "b", "c", "d", "e"], "[e]", "[]"),
        ([3, 2, 1, 0], "[3, 2, 1, 0]", "[a, b, c, d]"),
        (["A", "b", "c", "d"], "[A]", "[a]"),
    ],
)
def test_frame_with_other_columns(columns, unknown, missing):
    mask = pd.DataFrame(marks(shape=(N_ROWS, len(columns))), columns=columns)
    message = message_of(mask, ValueError, X=pd.DataFrame(inputs(), columns=NAMES))
    assert "the columns of X, [a, b, c, d]" in message
    assert f"Not columns of X: {unknown}; missing: {missing}" in message


def test_frame_with_a_column_twice():
    mask = pd.DataFrame(marks(shape=(N_ROWS, 5)), columns=[*NAMES, "a"])
    message = message_of(mask, ValueError, X=pd.DataFrame(inputs(), columns=NAMES))
    assert "[a] must occur as often as in X" in message


def test_frame_of_another_width_beside_an_array():
    assert "got (12, 3)" in message_of(pd.DataFrame(marks(shape=(N_ROWS, 3))), ValueError)


@pytest.mark.parametrize("text", ["0.5", "x", b"1"])
def test_frame_with_text(text):
    """Also text that spells a number."""
    mask = pd.DataFrame(marks(), columns=NAMES).assign(b=text, d=text)
    message = message_of(mask, TypeError, X=pd.DataFrame(inputs(), columns=NAMES))
    assert "text in columns [b, d]" in message
    assert re.search(NUMBERS, message)


@pytest.mark.parametrize("value", [pd.Timestamp(0), 1j, object(), [1]])
def test_frame_with_other_objects(value):
    mask = pd.DataFrame(marks(), columns=NAMES).astype(object)
    mask.at[2, "b"] = value
    X = pd.DataFrame(inputs(), columns=NAMES)
    assert re.search(NUMBERS, message_of(mask, TypeError, X=X))


# -- everywhere ----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("mask", "error"),
    [(marks(shape=(11, 4)), ValueError), (marks_with(2), ValueError), ("mask", TypeError)],
    ids=["shape", "value", "kind"],
)
def test_every_estimator_refuses(estimator, mask, error):
    message_of(mask, error, estimator=estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS[1:])
def test_refused_also_where_the_explanation_is_switched_off(estimator):
    message_of(marks_with(2), ValueError, estimator=estimator, alpha=0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bad_mask_costs_nothing_that_was_learnt(estimator):
    X = inputs()
    fitted = estimator(max_epochs=1, random_state=0, warm_start=True)
    fitted.fit(X, Y, mask=np.eye(1, N_COLUMNS))
    before = fitted.predict_proba(X)
    with pytest.raises(ValueError, match="^mask must have shape"):
        fitted.partial_fit(X, Y, mask=marks(shape=(11, 4)))
    with pytest.raises(ValueError, match="^mask must hold"):
        fitted.fit(X, Y, mask=marks_with(2))
    assert fitted.n_iter_ == 1
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
