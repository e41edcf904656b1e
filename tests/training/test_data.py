"""Check data on the way to the network: dtypes, memory, batches, random streams and units."""

import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.base import clone

from skexplain import GradRegClassifier, SwapExClassifier, TwoStageExplanationClassifier
from skexplain._surroundings import isolated_random_state
from skexplain.masks import _statistics as statistics
from skexplain.masks import interpret_mask
from skexplain.masks._statistics import check_float32
from skexplain.training import measure_inputs
from skexplain.training._batches import (
    RowStore,
    batch_sizes,
    penalised_sizes,
    shuffled_passes,
)
from skexplain.training._random import Streams

INDEX = torch.tensor([4, 0, 2])
DTYPES = [
    *("bool", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"),
    *("float16", "float32", "float64", ">f4", ">i2"),
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_any_dtype(dtype):
    array = (np.arange(20).reshape(5, 4) % 7).astype(dtype)
    rows = RowStore(array, "cpu").take(INDEX).to(torch.float32)
    np.testing.assert_array_equal(rows.numpy(), array[INDEX.numpy()].astype(np.float32))


def test_rows_are_picked_without_a_copy_of_the_whole():
    array = np.zeros((10, 3), dtype=np.uint8)
    assert RowStore(array, "cpu").tensor.data_ptr() == array.ctypes.data


@pytest.mark.parametrize("order", ["read-only", "reversed", "fortran", "strided"])
def test_rows_of_unusual_arrays(order):
    array = np.arange(30, dtype=np.float64).reshape(5, 6)
    if order == "read-only":
        array.setflags(write=False)
    array = {"reversed": array[:, ::-1], "fortran": np.asfortranarray(array)}.get(order, array)
    if order == "strided":
        array = array[:, ::2]
    np.testing.assert_array_equal(RowStore(array, "cpu").take(INDEX).numpy(), array[INDEX.numpy()])


@pytest.mark.parametrize("writeable", [True, False])
def test_a_device_without_float64_gets_float32(writeable, monkeypatch):
    array = np.arange(20, dtype=np.float64).reshape(5, 4) / 3
    array.setflags(write=writeable)  # read-only arrays are picked by numpy
    assert RowStore(array, "cpu").take(INDEX).dtype == torch.float64
    monkeypatch.setattr("skexplain.training._batches._SINGLE_PRECISION", ("cpu",))
    rows = RowStore(array, "cpu").take(INDEX)
    assert torch.equal(rows, torch.from_numpy(array.astype(np.float32))[INDEX])


def test_a_memory_mapped_uint8_x_is_never_copied_whole(tmp_path):
    shape = (12000, 32, 32)  # 12 MB; 48 MB as float32
    path = tmp_path / "X.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))
    X = np.load(path, mmap_mode="r")
    y = np.arange(len(X)) % 2
    mask = np.zeros((1, 32, 32), dtype=bool)
    mask[:, :4] = True
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1024, 2))
    clf = GradRegClassifier(module, max_epochs=1, random_state=0)
    clf.fit(X[:10], y[:10], mask=mask)  # torch imports much at its first step
    tracemalloc.start()
    try:
        clf.fit(X, y, mask=mask).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Measured: 4.5 MB, of which the chunks of doubles in which units are measured are most.
    assert peak < X.nbytes


@given(n_rows=st.integers(1, 500), batch_size=st.integers(1, 100))
def test_batches_hold_every_row_and_no_lone_last_one(n_rows, batch_size):
    sizes = batch_sizes(n_rows, batch_size)
    assert sum(sizes) == n_rows
    assert max(sizes) <= batch_size + 1
    if n_rows > 1 and batch_size > 1:
        assert min(sizes) > 1


@given(
    n_rows=st.integers(2, 300),
    batch_size=st.integers(2, 50),
    share=st.floats(0.001, 1),
    per_batch=st.none() | st.integers(1, 20),
)
def test_penalised_batches_are_in_proportion(n_rows, batch_size, share, per_batch):
    n_penalised = max(1, int(n_rows * share))
    sizes = batch_sizes(n_rows, batch_size)
    penalised = penalised_sizes(sizes, n_rows, n_penalised, per_batch)
    for size, picked in zip(sizes, penalised, strict=True):
        assert picked == (per_batch or max(1, round(size * n_penalised / n_rows)))


@given(n_rows=st.integers(1, 30), size=st.integers(0, 100), seed=st.integers(0, 99))
def test_shuffled_passes_draw_each_row_once_before_any_again(n_rows, size, seed):
    rows = torch.arange(n_rows) + 7
    drawn = shuffled_passes(rows, size, torch.Generator().manual_seed(seed)).tolist()
    assert len(drawn) == size
    for start in range(0, size, n_rows):
        part = drawn[start : start + n_rows]
        assert len(set(part)) == len(part)
        assert set(part) <= set(rows.tolist())


@given(
    X=arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5),
        elements=st.floats(-1e3, 1e3),
    ),
    chunk=st.integers(1, 30),
)
@settings(max_examples=60)
def test_statistics_measured_in_chunks_are_those_of_the_whole(X, chunk):
    original, statistics._CHUNK_VALUES = statistics._CHUNK_VALUES, chunk
    try:
        measured = measure_inputs(X)
    finally:
        statistics._CHUNK_VALUES = original
    axes = {2: (0,), 3: (0, 1, 2), 4: (0, 2, 3)}[X.ndim]
    np.testing.assert_allclose(measured.mean, X.mean(axes, keepdims=True), atol=1e-9)
    np.testing.assert_array_equal(measured.lower, X.min(axes, keepdims=True))
    np.testing.assert_array_equal(measured.upper, X.max(axes, keepdims=True))
    sd = X.std(axes, keepdims=True)
    varies = measured.upper > measured.lower
    np.testing.assert_allclose(measured.sd[varies], sd[varies], rtol=1e-6, atol=1e-9)
    # A column that never changes has the mean unit of the others.
    rest = sd[varies].mean() if varies.any() else 1.0
    np.testing.assert_allclose(measured.sd[~varies], rest, rtol=1e-6, atol=1e-9)


def test_statistics_of_some_rows():
    X = np.random.default_rng(0).normal(size=(20, 3))
    rows = np.array([1, 5, 6, 19])
    np.testing.assert_allclose(measure_inputs(X, rows).sd[0], X[rows].std(0))


@pytest.mark.parametrize("row_shape", [(3,), (2, 4), (3, 2, 4)])
@pytest.mark.parametrize("chunk_rows", [1, 7, 100])
def test_weights_are_repetitions_in_statistics(row_shape, chunk_rows, monkeypatch):
    """In chunks that drift, far from zero: squares about a wrong mean would lose all digits."""
    monkeypatch.setattr(statistics, "_CHUNK_VALUES", chunk_rows * int(np.prod(row_shape)))
    rng = np.random.default_rng(0)
    X = (
        1e6
        + rng.normal(size=(40, *row_shape))
        + np.linspace(0, 9, 40).reshape(-1, *(1,) * len(row_shape))
    )
    weight = rng.integers(0, 4, size=40)
    measured = measure_inputs(X, np.flatnonzero(weight), weight.astype(float))
    repeated = np.repeat(X, weight, axis=0)
    axes = {1: (0,), 2: (0, 1, 2), 3: (0, 2, 3)}[len(row_shape)]
    np.testing.assert_allclose(measured.mean, repeated.mean(axes, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(measured.sd, repeated.std(axes, keepdims=True), rtol=1e-8)


def test_values_beyond_float32_are_refused():
    X = np.zeros((3, 2))
    check_float32(X)
    X[2, 1] = -1e39
    with pytest.raises(ValueError, match=r"X must hold values that fit into float32.*1e\+39"):
        check_float32(X)


def test_streams_depend_on_root_purpose_and_epoch():
    seeds = {
        Streams(root).seed(purpose, epoch)
        for root in (0, 1)
        for purpose in ("module", "order", "input_gradient", "worst_case")
        for epoch in (0, 1)
    }
    assert len(seeds) == 16
    assert Streams(5).seed("order", 3) == Streams(5).seed("order", 3)


def test_random_states_outside_stay_as_they_were():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    expected = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002

    def draw_and_fail():
        with isolated_random_state("cpu"):
            torch.rand(3)
            np.random.rand(3)  # noqa: NPY002
            raise KeyError

    with pytest.raises(KeyError):
        draw_and_fail()
    assert torch.rand(1) == expected[0]
    assert np.random.rand() == expected[1]  # noqa: NPY002


@pytest.mark.parametrize("marks", ["irrelevant", "relevant"])
def test_a_list_keeps_the_masks_that_it_has_alone(marks):
    """A few masks of large images among a million rows must not take room for all."""
    n_rows, rows = 1_000_000, [7, 500_000]
    mask = [None] * n_rows
    for row in rows:
        mask[row] = np.eye(3)
    masks = interpret_mask(mask, (n_rows, 3, 3), marks=marks)
    assert masks.stored.shape == (3, 3, 3)
    assert np.flatnonzero(masks.annotated).tolist() == rows
    assert np.flatnonzero(masks.has_irrelevant).tolist() == rows
    degrees, known = masks.degrees(torch.from_numpy(masks.take(np.array([7, 8]))))
    assert known is None
    expected = np.eye(3) if marks == "irrelevant" else 1 - np.eye(3)
    np.testing.assert_array_equal(degrees, [expected, np.zeros((3, 3))])


def test_a_list_trains_as_the_array_does():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    y = rng.integers(2, size=40)
    mask = rng.random((40, 4)).round(1)
    mask[3, 0] = np.nan
    some = rng.random(40) < 0.4
    as_list = [row if chosen else None for row, chosen in zip(mask, some, strict=True)]
    as_array = np.where(some[:, None], mask, np.nan)
    for estimator in (GradRegClassifier(), SwapExClassifier(), TwoStageExplanationClassifier()):
        estimator.set_params(max_epochs=2, batch_size=16, random_state=0)
        first, second = (
            clone(estimator).fit(X, y, mask=marks).predict_proba(X) for marks in (as_list, as_array)
        )
        np.testing.assert_array_equal(first, second)
