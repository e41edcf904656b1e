"""Check which values of a perturbed copy of X change, and to what, for every kind of X and both
marks.
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator

from skexplain.metrics import _finite, _inputs
from skexplain.metrics._perturb import Perturber, make_generator

SHAPES = {"table": (9, 3), "grey images": (9, 3, 4), "images": (9, 2, 3, 4)}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
NOISES = ["gaussian", "uniform", "offset"]


class Recorder(BaseEstimator):
    """An estimator that keeps what it is asked to predict."""

    def __init__(self):
        self.seen = []

    def predict(self, X):
        self.seen.append(X)
        return np.zeros(X.shape[0])


def perturb(X, mask, perturbation="swap", seed=0, rows=None, mask_marks=None, **kwargs):
    """Return a perturbed copy of X, as `predict` is given it."""
    recorder = Recorder()
    perturber = Perturber(recorder, X, mask, mask_marks, perturbation, **kwargs)
    rows = np.arange(X.shape[0]) if rows is None else rows
    assert len(perturber.predict_perturbed(rows, make_generator(seed))) == len(rows)
    if isinstance(X, pd.DataFrame):
        return pd.concat(recorder.seen)
    return (scipy.sparse.vstack if scipy.sparse.issparse(X) else np.concatenate)(recorder.seen)


@pytest.fixture
def small_chunks(monkeypatch):
    """Look at two or three rows at a time."""
    monkeypatch.setattr(_inputs, "_CHUNK_VALUES", 24)


def random_mask(shape, seed=0, degrees=False):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.5
    return mask * rng.random(shape) if degrees else mask


# -- swaps ----------------------------------------------------------------------------------------


def test_a_swap_by_hand():
    """Rows 0 and 2 swap; of row 2, the first entry is a reason, for which its mean stands in.

    Together they mark two features of three, more than half: nothing else may come or go.
    """
    X = np.array([[1.0, 10.0, 5.0], [2.0, 20.0, 6.0], [6.0, 30.0, 7.0], [3.0, 40.0, 8.0]])
    mask = [[1, 1, 0], None, [0, 1, 0], None]
    mean, sd = X.mean(axis=0), X.std(axis=0)
    # Row 2's irrelevant entry is this many units above the mean, and so is what stands in.
    stand_in = mean[0] + sd[0] * (30 - mean[1]) / sd[1]
    expected = [[stand_in, 30, 5], [2, 20, 6], [6, 10, 7], [3, 40, 8]]
    assert_allclose(perturb(X, mask), expected)


def test_marked_parts_come_and_go_by_hand():
    """Of two rows with marks in different places, each takes over both places of the other.

    A third row marks nothing; whoever is given it loses the own mark, and it is given one.
    """
    X = np.arange(12.0).reshape(2, 6)
    mask = [[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert_array_equal(perturb(X, mask), [[6, 1, 8, 3, 4, 5], [0, 7, 2, 9, 10, 11]])
    X, mask = np.arange(18.0).reshape(3, 6), [*mask, [0] * 6]
    marked = [{0}, {2}, set()]
    for seed in range(6):
        swapped = perturb(X, mask, seed=seed)
        donors = (1, 2, 0) if swapped[2, 0] == X[0, 0] else (2, 0, 1)
        for row, donor in enumerate(donors):
            taken = sorted(marked[row] | marked[donor])
            expected = X[row].copy()
            expected[taken] = X[donor, taken]
            assert_array_equal(swapped[row], expected)


def test_parts_that_cover_most_of_a_row_do_not_come():
    """Half may be covered, and more may not: then only the row's own marks are exchanged."""
    X = np.arange(8.0).reshape(2, 4)
    assert_array_equal(perturb(X, [[1, 0, 0, 0], [0, 1, 0, 0]])[0], [4, 5, 2, 3])
    swapped = perturb(X, [[1, 0, 0, 0], [0, 1, 1, 0]])[0]
    assert_array_equal(swapped[1:], X[0, 1:])
    # With marks on opposite halves, as in decoys, nothing but the shade is handed on.
    swapped = perturb(X, [[1, 1, 0, 0], [0, 0, 1, 1]])
    assert_array_equal(swapped[0, 2:], X[0, 2:])
    assert_array_equal(swapped[1, :2], X[1, :2])


def test_nothing_comes_over_reasons():
    """What is not marked as a reason is irrelevant in each row for itself."""
    X = np.arange(12.0).reshape(2, 6)
    reasons = 1 - np.array([[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]])
    swapped = perturb(X, reasons, mask_marks="relevant")
    kept = reasons == 1
    assert_array_equal(swapped[kept], X[kept])


def test_degrees_of_both_rows_are_mixed_by_the_larger():
    X = np.array([[0.0, 0, 0, 0], [8.0, 8, 8, 8]])
    swapped = perturb(X, [[0.25, 0, 0, 0], [0.5, 0, 0, 0]])
    assert_array_equal(swapped, [[4, 0, 0, 0], [4, 8, 8, 8]])


def test_the_patches_of_images_move_in_all_channels():
    X = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    mask = np.zeros((2, 4, 4))
    mask[0, 0, 0] = mask[1, 3, 3] = 1
    swapped = perturb(X, mask)
    expected = X.copy()
    for place in ((0, 0), (3, 3)):
        expected[(slice(None), slice(None), *place)] = X[
            (slice(None, None, -1), slice(None), *place)
        ]
    assert_array_equal(swapped, expected)


def test_text_comes_and_goes_as_a_whole():
    """A row without marks is given another's site and keeps its age."""
    frame = make_frame()
    mask = np.zeros((6, 5))
    mask[:3, 3] = 1
    swapped = perturb(frame, mask)
    others = ["age", "dose", "visits", "smoker"]
    pd.testing.assert_frame_equal(swapped[others], frame[others])
    perturber = Perturber(Recorder(), frame, mask, None, "swap")
    rows, draw = np.arange(6), perturber.draw(make_generator(0))
    assert list(swapped["site"]) == list(frame["site"].iloc[perturber.sources(rows, draw)[0]])


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_sources_are_the_rows_that_give(seed):
    """They are told before anything is predicted, and chunk by chunk alike."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 10))
    mask = rng.random((12, 10)) < 0.15
    mask[:2, 0] = True
    perturber = Perturber(Recorder(), X, mask, None, "swap")
    rows = rng.permutation(12)
    draw = perturber.draw(make_generator(seed))
    sources, exchanged = perturber.sources(rows, draw)
    (swapped,) = perturber.perturbed(rows, draw)
    for row, source, is_exchanged, new in zip(rows, sources, exchanged, swapped, strict=True):
        donor = draw.donors[row]
        union = mask[row] | mask[donor]
        expected = union.mean() <= 0.5 and (mask[row] != mask[donor]).any()
        assert is_exchanged == expected
        if expected:
            assert source == donor
            assert_array_equal(new, np.where(union, X[donor], X[row]))
        else:
            own, given = mask[row], mask[source]
            assert source == draw.marked_donors[row]
            assert_array_equal(new[~own], X[row, ~own])
            assert_array_equal(new[own & given], X[source, own & given])


def test_stand_ins_stay_in_the_range_of_their_column():
    """The last row is two standard deviations above the mean, which the second column never is."""
    X = np.array([[0.0, -1.0], [0.0, 1.0], [0.0, -1.0], [0.0, 1.0], [100.0, 0.0]])
    swapped = perturb(X, [[1, 1], [0, 0], [0, 0], [0, 0], [1, 0]])
    assert_array_equal(swapped[0], [100, 1])


# -- erasure --------------------------------------------------------------------------------------


def test_erasure_of_an_image_by_hand():
    """Pixels become the mean of the others in their channel, to their degree."""
    X = np.array([[[[1.0, 3.0], [5.0, 9.0]], [[0.0, 0.0], [2.0, 8.0]]]])
    mask = np.array([[[0, 0], [0, 1]]])
    assert_allclose(perturb(X, mask, "erase")[0], [[[1, 3], [5, 3]], [[0, 0], [2, 2 / 3]]])
    # By half: the others weigh 3.5 pixels, and half of the way is gone.
    halfway = perturb(X, mask / 2, "erase")[0, 0, 1, 1]
    assert halfway == pytest.approx((9 + (1 + 3 + 5 + 4.5) / 3.5) / 2)


def test_erasure_where_nothing_is_left_and_in_a_table():
    X = np.array([[[1.0, 3.0]], [[5.0, 7.0]]])
    assert_allclose(perturb(X, np.ones_like(X), "erase"), np.full_like(X, 4.0))  # the mean of X
    table = np.array([[1.0, 10.0], [3.0, 30.0]])
    assert_allclose(perturb(table, [[0, 1]], "erase"), [[1, 20], [3, 20]])


@every_shape
def test_a_swap_hands_on_irrelevant_features_and_leaves_the_others(shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    mask = random_mask((1, *shape[1:]))
    swapped = perturb(X, mask)
    everywhere = np.broadcast_to(mask, shape)
    assert_array_equal(swapped[~everywhere], X[~everywhere])
    given_by = [
        next(k for k, row in enumerate(X) if np.array_equal(row[mask[0]], new[mask[0]]))
        for new in swapped
    ]
    # Each row gives once, and none keeps its own.
    assert sorted(given_by) == list(range(len(X)))
    assert all(donor != row for row, donor in enumerate(given_by))


@given(st.integers(0, 1000), st.integers(2, 30))
@settings(max_examples=30)
def test_rows_without_marks_neither_give_nor_take_whole_rows(seed, n_marked):
    X = np.arange(40.0)[:, None]
    mask = np.zeros((40, 1))
    marked = np.random.default_rng(seed).choice(40, n_marked, replace=False)
    mask[marked] = 1
    swapped = perturb(X, mask, seed=seed)[:, 0]
    assert sorted(swapped[marked]) == sorted(marked)
    assert (swapped[marked] != marked).all()
    kept = mask[:, 0] == 0
    assert_array_equal(swapped[kept], X[kept, 0])


def test_a_degree_mixes_two_rows():
    """Of the rows 0 and 4, mean 2, each gives three quarters of its distance from the mean.

    Half of an entry is given as it is; for the other half stands the mean of what is irrelevant,
    half a feature, and so half of the distance.
    """
    assert_allclose(perturb(np.array([[0.0], [4.0]]), [[0.5]]), [[3.5 / 2], [(4 + 0.5) / 2]])


@every_shape
def test_swaps_give_no_reasons_away(shape):
    """What the relevant features of the donors are makes no difference."""
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=shape), random_mask(shape)
    X[0], X[1], mask[:2] = -5, 5, True  # these keep the range as it is
    X[:, ..., 0] = np.where(mask[..., 0], X[..., 0], 0)
    permuted = X.copy()
    # Relevant entries of a column change places, so that its mean and unit stay.
    column = (slice(None), *(0,) * (len(shape) - 1))
    relevant = np.flatnonzero(~mask[column])
    permuted[(relevant, *column[1:])] = X[(np.roll(relevant, 1), *column[1:])]
    before, after = perturb(X, mask), perturb(permuted, mask)
    assert_allclose(after[mask], before[mask])


# -- noise ----------------------------------------------------------------------------------------


@every_shape
@pytest.mark.parametrize("perturbation", NOISES)
def test_noise_is_scaled_by_degree_and_unit(shape, perturbation):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    axes = {2: (0,), 3: (0, 1, 2), 4: (0, 2, 3)}[X.ndim]
    sd = X.std(axes, keepdims=True)
    X = X / sd * 3  # a unit of 3 everywhere
    mask = random_mask(shape, degrees=True)
    change = perturb(X, mask, perturbation, epsilon=0.5) - X
    drawn = perturb(X, np.ones_like(mask), perturbation, epsilon=1, input_unit="input") - X
    assert_allclose(change, 0.5 * 3 * mask.astype(np.float32) * drawn, atol=1e-12)
    assert (change[mask == 0] == 0).all()


def test_the_noises_are_what_they_are_called():
    X, mask = np.zeros((2000, 2)), [[1, 0]]
    drawn = {kind: perturb(X, mask, kind, epsilon=2.0, input_unit="input") for kind in NOISES}
    assert_array_equal(drawn["offset"], np.tile([2.0, 0.0], (2000, 1)))
    # Standard errors: .045 of the mean, .03 of the deviation.
    assert abs(drawn["gaussian"][:, 0].mean()) < 0.2
    assert abs(drawn["gaussian"][:, 0].std() - 2) < 0.15
    assert np.abs(drawn["gaussian"]).max() > 4
    assert 1.9 < np.abs(drawn["uniform"]).max() <= 2
    assert abs(drawn["uniform"][:, 0].std() - 2 / np.sqrt(3)) < 0.1


def test_core_features_are_those_known_to_be_relevant():
    X = np.zeros((2, 4))
    mask = np.array([[1, 0, np.nan, 0.25]])
    changed = perturb(X, mask, "offset", where="core", input_unit="input")
    assert_array_equal(changed, [[0, 1, 0, 0.75]] * 2)
    changed = perturb(X, mask.astype(bool), "offset", where="core", input_unit="input")
    assert_array_equal(changed, [[0, 1, 0, 0]] * 2)


@pytest.mark.parametrize("nothing", [None, [np.nan] * 4])
def test_rows_without_annotation_have_no_core(nothing):
    X = np.zeros((3, 4))
    mask = [[1, 0, 1, 0.25], nothing, [0, 0, 0, 0]]
    changed = perturb(X, mask, "offset", where="core", input_unit="input")
    assert_array_equal(changed, [[0, 1, 0, 0.75], [0] * 4, [1] * 4])


def test_a_column_that_never_changes_has_the_unit_of_the_others():
    X = np.array([[7.0, -3.0], [7.0, 3.0]])
    assert_array_equal(perturb(X, [[1, 1]], "offset") - X, [[3, 3], [3, 3]])


# -- kinds of X -----------------------------------------------------------------------------------


@every_shape
@pytest.mark.parametrize("perturbation", ["swap", *NOISES])
def test_chunks_make_no_difference(shape, perturbation, small_chunks, monkeypatch):
    X, mask = np.random.default_rng(0).normal(size=shape), random_mask(shape)
    rows = np.array([5, 1, 2, 8, 0])
    in_chunks = perturb(X, mask, perturbation, rows=rows)
    monkeypatch.setattr(_inputs, "_CHUNK_VALUES", 10_000)
    assert_array_equal(in_chunks, perturb(X, mask, perturbation, rows=rows))


def test_a_memory_map_is_read_in_chunks(tmp_path, small_chunks):
    X, mask = np.random.default_rng(0).normal(size=(9, 12)), random_mask((9, 12))
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "mask.npy", mask)
    X_map, mask_map = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("X", "mask"))
    recorder = Recorder()
    perturber = Perturber(recorder, X_map, mask_map, None, "swap")
    perturber.predict_perturbed(np.arange(9), make_generator(0))
    assert [len(part) for part in recorder.seen] == [2, 2, 2, 2, 1]
    assert_array_equal(np.concatenate(recorder.seen), perturb(X, mask))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float32", "float16", ">f4"])
def test_dtypes_stay_where_they_can_hold_the_values(dtype):
    X = np.random.default_rng(0).integers(2, size=(20, 4)).astype(dtype)
    swapped = perturb(X, [[1, 1, 0, 0]])
    assert swapped.dtype == X.dtype.newbyteorder("=")  # joining parts makes it native
    assert_array_equal(swapped[:, 2:], X[:, 2:])
    noisy = perturb(X, [[1, 1, 0, 0]], "gaussian")
    assert noisy.dtype == (swapped.dtype if X.dtype.kind == "f" else np.float64)
    shift = np.abs(noisy[:, :2] - X[:, :2].astype(float))
    assert ((shift > 0) & (shift % 1 > 0)).any()


@pytest.mark.parametrize("layout", ["csr", "csc", "coo"])
@pytest.mark.parametrize("make", ["array", "matrix"])
def test_sparse_inputs_stay_sparse(layout, make, small_chunks):
    X = np.random.default_rng(0).poisson(0.5, size=(9, 5)) * 1.0
    mask = random_mask((1, 5))
    sparse = getattr(scipy.sparse, f"{layout}_{make}")(X)
    swapped = perturb(sparse, mask)
    assert scipy.sparse.issparse(swapped)
    assert_array_equal(swapped.toarray(), perturb(X, mask))
    recorder = Recorder()
    Perturber(recorder, sparse, mask, None, "swap").predict_perturbed(
        np.arange(9), make_generator(0)
    )
    assert {(type(part), part.format) for part in recorder.seen} == {(type(sparse), layout)}


def make_frame():
    return pd.DataFrame(
        {
            "age": [30, 40, 50, 60, 70, 80],
            "dose": np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], dtype="float32"),
            "visits": pd.array([1, 2, 3, 4, 5, 6], dtype="Int64"),
            "site": pd.Categorical(list("abcdef")),
            "smoker": [True, False, True, False, True, False],
        },
        index=list("uvwxyz"),
    )


def test_a_frame_comes_back_as_a_frame(small_chunks):
    frame = make_frame()
    mask = pd.DataFrame([[1, 0, 0, 1, 1]] * 6, columns=["site", "age", "dose", "visits", "smoker"])
    swapped = perturb(frame, mask)
    assert list(swapped.columns) == list(frame.columns)
    assert list(swapped.index) == list(frame.index)
    pd.testing.assert_frame_equal(swapped[["age", "dose"]], frame[["age", "dose"]])
    assert swapped["smoker"].dtype == bool
    assert swapped["site"].dtype == frame["site"].dtype
    # The marked columns of a row come from one other row.
    donors = ["abcdef".index(site) for site in swapped["site"]]
    assert sorted(donors) == list(range(6))
    assert all(donor != row for row, donor in enumerate(donors))
    for column in ("visits", "smoker"):
        assert list(swapped[column]) == list(frame[column].iloc[donors])


def test_a_frame_under_noise_changes_the_marked_numbers_alone():
    frame = make_frame()
    noisy = perturb(frame, [[1, 1, 0, 0, 0]], "gaussian", epsilon=0.1)
    assert noisy["dose"].dtype == np.float32
    assert noisy["age"].dtype == np.float64
    shift = (noisy["age"] - frame["age"]) / frame["age"].std(ddof=0)
    assert 0 < np.abs(shift).max() < 0.5
    rest = ["visits", "site", "smoker"]
    pd.testing.assert_frame_equal(noisy[rest], frame[rest])


@pytest.mark.parametrize("seed", range(5))
def test_a_text_that_is_a_reason_is_not_given_away(seed):
    """The donors of some rows do not mark the text: others give theirs."""
    frame = make_frame()[["age", "site"]]
    mask = np.array([[1, 1], [1, 0], [1, 1], [1, 0], [1, 1], [1, 0]])
    swapped = perturb(frame, mask, seed=seed)
    assert list(swapped["site"][1::2]) == list("bdf")
    assert (swapped["site"][::2] != frame["site"][::2]).all()
    assert set(swapped["site"][::2]) <= set("ace")
    assert sorted(swapped["age"]) == sorted(frame["age"])


def test_text_does_not_weigh_in_the_mean_of_numbers():
    numbers = make_frame()[["age", "dose"]]
    with_text = numbers.assign(site=list("abcdef"))
    mask = np.array([[1, 0], [1, 1], [1, 0], [0, 1], [0, 1], [1, 1]])
    expected = perturb(numbers, mask)
    swapped = perturb(with_text, np.column_stack([mask, np.ones(6)]))
    assert_allclose(swapped[["age", "dose"]], expected)


def test_frames_with_sparse_columns():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1, 0]), "b": [1.0, 2.0, 3.0, 4.0]})
    assert sorted(perturb(frame, [[1, 0]])["a"]) == [0, 0, 0, 1]


def test_marks_of_reasons_are_inverted():
    X = np.random.default_rng(0).normal(size=(9, 4))
    marks = random_mask((1, 4))  # one for all, so that nothing comes or goes
    recorder = Recorder()
    perturber = Perturber(recorder, X, ~marks, "relevant", "swap")
    perturber.predict_perturbed(np.arange(9), make_generator(0))
    assert_array_equal(np.concatenate(recorder.seen), perturb(X, marks))


# -- tables of other kinds ------------------------------------------------------------------------


def test_tables_of_objects_exchange_entries_as_they_are():
    X = np.array([[1, "a", 2.5, None], [2, "b", np.nan, True], [3, "c", 1.5, "?"]], dtype=object)
    swapped = perturb(X, [[1, 1, 1, 1]])
    donors = ["abc".index(entry) for entry in swapped[:, 1]]
    assert sorted(donors) == [0, 1, 2]
    assert all(donor != row for row, donor in enumerate(donors))
    for row, donor in enumerate(donors):
        assert swapped[row].tolist()[:2] == X[donor].tolist()[:2]
        assert_array_equal(float(swapped[row, 2]), float(X[donor, 2]))
        assert swapped[row, 3] is X[donor, 3]
    assert_array_equal(perturb(X, [[0, 1, 0, 0]])[:, 0], X[:, 0])
    # Numbers change in numbers, and text does not.
    noisy = perturb(X, [[1, 0, 0, 0]], "offset", input_unit="input")
    assert noisy[:, 0].tolist() == [2, 3, 4]
    with pytest.raises(ValueError, match="column 1 does not: it can be swapped as a whole"):
        perturb(X, [[0, 1, 0, 0]], "erase")


def test_tables_of_text_exchange_text():
    X = np.array([["1", "a"], ["2", "b"], ["3", "c"]])
    swapped = perturb(X, [[0, 1]])
    assert_array_equal(swapped[:, 0], X[:, 0])
    assert sorted(swapped[:, 1]) == list("abc")
    assert (swapped[:, 1] != X[:, 1]).all()


def test_objects_that_are_numbers_are_read_as_such():
    X = np.array([[1, 2.0], [3, 4.0]], dtype=object)
    assert perturb(X, [[1, 0]]).dtype == np.float64


def test_polars_frames_come_back_as_such(small_chunks):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "age": [30, 40, None, 60],
            "dose": [0.5, 1.5, None, 2.5],
            "visits": np.array([1, 2, 3, 4], dtype=np.uint8),
            "site": ["a", "b", None, "d"],
            "smoker": [True, False, None, True],
            "kept": [1.0, 2.0, float("nan"), 4.0],
        }
    )
    recorder = Recorder()
    mask = pl.DataFrame({name: [name != "kept"] for name in reversed(frame.columns)})
    perturber = Perturber(recorder, frame, mask, None, "swap")
    rows, draw = np.arange(4), perturber.draw(make_generator(0))
    perturber.predict_perturbed(rows, draw)
    swapped, donors = pl.concat(recorder.seen), perturber.sources(rows, draw)[0]
    assert swapped.schema == frame.schema
    assert (donors != rows).all()
    for name in frame.columns[:-1]:
        assert swapped[name].to_list() == frame[name][donors].to_list()
    assert_array_equal(swapped["kept"].to_numpy(), frame["kept"].to_numpy())
    noisy = Recorder()
    Perturber(noisy, frame, [[1, 0, 1, 0, 0, 0]], None, "gaussian").predict_perturbed(
        rows, make_generator(0)
    )
    changed = pl.concat(noisy.seen)
    assert changed["age"].null_count() == 1
    assert changed["age"].dtype == pl.Float64
    with pytest.raises(TypeError, match=r"got a LazyFrame: pass X.collect\(\)"):
        perturb(frame.lazy(), [[1] * 6])


def test_integers_stay_integers_where_tokens_are_swapped():
    X = np.random.default_rng(0).integers(1000, size=(12, 5))
    swapped = perturb(X, [[1, 1, 0, 0, 0]])
    assert swapped.dtype == X.dtype
    assert sorted(swapped[:, 0]) == sorted(X[:, 0])


# -- missing values -------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_missing_values_are_exchanged_and_do_not_spread(missing):
    X = np.array([[missing, 1.0, 2.0], [3.0, missing, 4.0], [5.0, 6.0, 7.0]])
    swapped = perturb(X, [[1, 0, 0]])
    assert_array_equal(swapped[:, 1:], X[:, 1:])
    assert_array_equal(np.sort(swapped[:, 0]), np.sort(X[:, 0]))
    erased = perturb(X, [[1, 0, 0]], "erase")
    assert_allclose(erased[:, 0], 4.0)  # the mean of what is there
    assert_array_equal(erased[:, 1:], X[:, 1:])
    noisy = perturb(X, [[1, 0, 0]], "gaussian")
    assert_array_equal(np.isfinite(noisy), np.isfinite(X))
    assert (noisy[1:, 0] != X[1:, 0]).all()


def test_missing_values_of_a_donor_stand_in_for_nothing():
    """The mean that stands in for a reason is over what is there."""
    X = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, np.nan, 7.0, 8.0]])
    swapped = perturb(X, [[1, 1, 1, 0], [0, 1, 1, 0]])[0]
    z = 1.0  # of its third entry: of two values, one unit above their mean
    assert_allclose(swapped, [3 + 2 * z / 1, np.nan, 7, 4])


def test_images_with_missing_pixels_are_erased_to_the_mean_of_the_others():
    X = np.array([[[1.0, np.nan], [5.0, 9.0]], [[0.0, 0.0], [0.0, 0.0]]])
    erased = perturb(X, [[[0, 0], [0, 1]]] * 2, "erase")
    assert_array_equal(erased[0], [[1, np.nan], [5, 3]])


def test_statistics_over_the_values_that_are_there(small_chunks):
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[::3, 0] = np.nan
    X[:, 2] = np.inf
    statistics = _finite.measure_finite(_inputs.read_inputs(X))
    assert_allclose(statistics.mean[0], [np.nanmean(X[:, 0]), X[:, 1].mean(), 0])
    sd = [np.nanstd(X[:, 0]), X[:, 1].std()]
    assert_allclose(statistics.sd[0], [*sd, np.mean(sd)])
    assert_array_equal(statistics.lower[0], [np.nanmin(X[:, 0]), X[:, 1].min(), 0])
    assert_array_equal(statistics.upper[0], [np.nanmax(X[:, 0]), X[:, 1].max(), 0])


@pytest.mark.parametrize("finite", [True, False])
def test_statistics_of_integer_weights_are_those_of_repeated_samples(finite):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    X[weight == 0] = 1e6
    if not finite:
        X[::3, 0] = np.nan
        X[:, 2] = np.inf
    found = _finite.measure_finite(_inputs.read_inputs(X), weight > 0, weight.astype(float))
    repeated = _inputs.read_inputs(np.repeat(X, weight, axis=0))
    for name, expected in vars(_finite.measure_finite(repeated)).items():
        assert_allclose(getattr(found, name), expected)


def test_nullable_columns_keep_what_is_missing():
    frame = pd.DataFrame({"visits": pd.array([1, None, 3, 4], dtype="Int64"), "b": [1.0, 2, 3, 4]})
    swapped = perturb(frame, [[1, 0]])
    assert swapped["visits"].dtype == "Int64"
    assert sorted(swapped["visits"].dropna()) == [1, 3, 4]


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "mask", "kwargs", "error", "text"),
    [
        (np.eye(3), None, {}, ValueError, "mask must say which features must not matter, got None"),
        (np.eye(3), [None] * 3, {}, ValueError, "mask must annotate at least one row"),
        (np.eye(3), [[1, 0, 0], None, None], {}, ValueError, r"at least 2 sample\(s\).*got 1"),
        (np.eye(3), np.zeros((3, 3)), {"perturbation": "offset"}, ValueError, r"at least 1 sample"),
        (np.eye(3), np.eye(2), {}, ValueError, "mask must have shape"),
        (np.eye(3), np.eye(3), {"mask_marks": "wrong"}, ValueError, "mask_marks must be one of"),
        (np.eye(3), np.eye(3), {"perturbation": "x"}, ValueError, "perturbation must be one of"),
        (np.eye(3), np.eye(3), {"input_unit": "x"}, ValueError, "input_unit must be one of"),
        (np.eye(3), np.eye(3), {"where": "x"}, ValueError, "where must be one of"),
        (np.ones(3), np.ones(3), {}, ValueError, "X must have two axes or more"),
        (["a text", "another"], [[1]], {}, TypeError, "X must hold numbers, got dtype"),
    ],
)
def test_bad_input_is_named(X, mask, kwargs, error, text):
    kwargs = {"mask_marks": None, "perturbation": "swap", **kwargs}
    with pytest.raises(error, match=text):
        Perturber(Recorder(), X, mask, **kwargs)


@pytest.mark.parametrize(
    ("mask", "perturbation", "text"),
    [
        ([[0, 1]], "gaussian", "'site' does not: it can be swapped as a whole"),
        ([[0, 0.5]], "swap", "'site' does not: it can be swapped as a whole"),
        ([[1, 1], *[[1, 0]] * 5], "swap", "mask must mark column 'site' in at least two rows"),
    ],
)
def test_text_changes_as_a_whole_or_not_at_all(mask, perturbation, text):
    with pytest.raises(ValueError, match=text):
        Perturber(Recorder(), make_frame()[["age", "site"]], mask, None, perturbation)


def test_frames_of_other_libraries_are_refused():
    class Frame:
        columns = ("a",)

    with pytest.raises(TypeError, match="DataFrame of pandas or polars, got .*Frame"):
        Perturber(Recorder(), Frame(), [[1]], None, "swap")


@pytest.mark.parametrize("random_state", ["a", 1.5, np.random.default_rng(0)])
def test_seeds_are_checked(random_state):
    with pytest.raises(ValueError, match="random_state must be"):
        make_generator(random_state)


def test_a_random_state_seeds_and_none_is_fresh():
    first, again = (make_generator(np.random.RandomState(3)).random() for _ in range(2))
    assert first == again != make_generator(np.random.RandomState(4)).random()
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it must not have been touched
    assert make_generator(None).random() != make_generator(None).random()
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
