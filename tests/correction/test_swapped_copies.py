"""Copies with the irrelevant part of other samples, of every kind of X."""

import numpy as np
import pytest
import scipy.sparse

from skexplain.correction import swapped_copies

pd = pytest.importorskip("pandas")


def cycle(rows, n_samples, generator):
    """The donors of a swap by hand: each of some samples gives to another, in one cycle."""
    order = generator.permutation(rows)
    donors = np.arange(n_samples)
    donors[order] = np.roll(order, 1)
    return donors


def test_a_loop_by_hand_gives_equal_arrays():
    X = np.random.default_rng(0).normal(size=(20, 3))
    copies, rows = swapped_copies(X, [[0, 1, 1]], n_copies=3, random_state=1)
    generator, expected = np.random.default_rng(1), []
    for _ in range(3):
        donors = cycle(np.arange(20), 20, generator)
        expected.append(np.column_stack([X[:, 0], X[donors, 1:]]))
    np.testing.assert_array_equal(copies, np.concatenate(expected))
    np.testing.assert_array_equal(rows, np.tile(np.arange(20), 3))


def test_parts_come_and_go_as_by_hand():
    rng = np.random.default_rng(0)
    X, mask = rng.integers(100, size=(40, 8)), np.zeros((40, 8), dtype=bool)
    for row, column in enumerate(rng.integers(8, size=40)):
        mask[row, column] = row % 3 > 0  # every third was looked at, and shows nothing
    copies, _ = swapped_copies(X, mask, random_state=1)
    donors = cycle(np.arange(40), 40, np.random.default_rng(1))
    for row, donor in enumerate(donors):
        union = mask[row] | mask[donor]
        if (mask[row] == mask[donor]).all():
            continue  # in the same place, or nowhere: nothing comes or goes
        np.testing.assert_array_equal(copies[row], np.where(union, X[donor], X[row]))
    assert copies.dtype == X.dtype


def test_without_an_exchange_a_sample_changes_at_its_own_marks_alone():
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=(40, 8)), rng.random((40, 8)) < 0.2
    copies, rows = swapped_copies(X, mask, exchange=False, random_state=0)
    np.testing.assert_array_equal(copies[~mask[rows]], X[rows][~mask[rows]])
    assert (copies != X[rows])[mask[rows]].mean() > 0.9


def test_samples_without_a_mask_stay_unless_the_places_are_the_same():
    X = np.random.default_rng(0).normal(size=(60, 8))
    places = [np.arange(8) == row % 8 for row in range(60)]
    some = [mask if row < 30 else None for row, mask in enumerate(places)]
    some[0] = np.isin(np.arange(8), [0, 1, 2])  # not all marks are shared
    copies, rows = swapped_copies(X, some, n_copies=2, random_state=0)
    assert np.bincount(rows).tolist() == [2] * 30 + [1] * 30
    np.testing.assert_array_equal(copies[:30], X[30:])
    same = [np.arange(8) == 0 if row < 30 else None for row in range(60)]
    copies, rows = swapped_copies(X, same, n_copies=2, random_state=0)
    assert np.bincount(rows).tolist() == [2] * 60
    assert (copies[:, 0] != X[rows, 0]).all()
    np.testing.assert_array_equal(copies[:, 1:], X[rows, 1:])


def test_added_copies_stand_beside_the_samples():
    X = np.arange(20.0).reshape(10, 2)
    copies, rows = swapped_copies(X, [[0, 1]], n_copies=2, mode="add", random_state=0)
    np.testing.assert_array_equal(copies[:10], X)
    assert np.bincount(rows).tolist() == [3] * 10


def make_frame(n_samples=30):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "number": rng.normal(size=n_samples),
            "count": rng.integers(50, size=n_samples),
            "category": pd.Categorical(rng.choice(["x", "y", "z"], n_samples)),
            "text": [f"word {row}" for row in range(n_samples)],
            "gap": np.where(rng.random(n_samples) < 0.3, np.nan, rng.normal(size=n_samples)),
            "nullable": pd.array(
                [None if row % 4 == 0 else row for row in range(n_samples)], "Int64"
            ),
        },
        index=[f"patient {row}" for row in range(n_samples)],
    )


@pytest.mark.parametrize("marked", [["count", "category", "text"], ["gap", "nullable"], ["text"]])
def test_entries_of_a_frame_are_exchanged_as_they_are(marked):
    X = make_frame()
    mask = pd.DataFrame([[name in marked for name in X]], columns=X.columns)
    # In another order: the names decide.
    copies, rows = swapped_copies(X, mask[mask.columns[::-1]], random_state=0)
    assert copies.dtypes.equals(X.dtypes)
    assert list(copies.columns) == list(X.columns)
    for name in X:
        taken = copies[name].reset_index(drop=True)
        own = X[name].iloc[rows].reset_index(drop=True)
        assert taken.equals(own) == (name not in marked)
        assert sorted(map(str, taken)) == sorted(map(str, own))


def test_marks_of_some_samples_keep_the_dtypes_of_a_frame():
    X = make_frame()
    mask = pd.DataFrame(False, index=X.index, columns=X.columns)
    mask.iloc[::2, 1:4] = True
    for exchange in (True, False):
        copies, rows = swapped_copies(X, mask, exchange=exchange, random_state=0)
        assert copies.dtypes.equals(X.dtypes)
        assert copies["number"].tolist() == X["number"].iloc[rows].tolist()


def test_polars():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"a": [1, 2, 3, 4], "b": ["w", "x", "y", "z"], "c": [0.5, None, 1.5, 2.5]})
    copies, _ = swapped_copies(X, [[1, 1, 0]], n_copies=2, random_state=0)
    assert copies.schema == X.schema
    assert copies["c"].to_list() == X["c"].to_list() * 2
    assert sorted(copies["b"]) == sorted(X["b"].to_list() * 2)
    pairs = set(zip(copies["a"], copies["b"], strict=True))
    assert len(pairs) > 2


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_sparse_matrices_stay_sparse(kind):
    X = scipy.sparse.random_array((30, 50), density=0.2, format=kind, rng=0)
    mask = np.arange(50)[None] < 10
    copies, rows = swapped_copies(X, mask, n_copies=2, random_state=0)
    assert copies.format == ("csr" if kind == "coo" else kind)
    dense, own = copies.toarray(), X.toarray()[rows]
    np.testing.assert_array_equal(dense[:, 10:], own[:, 10:])
    assert (dense[:, :10] != own[:, :10]).any()


@pytest.mark.parametrize("marks", ["irrelevant", "relevant"])
def test_images_stay_bytes(marks):
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(12, 3, 8, 8), dtype=np.uint8)
    mask = np.zeros((12, 8, 8), dtype=bool)
    for row, (top, left) in enumerate(rng.integers(5, size=(12, 2))):
        mask[row, top : top + 3, left : left + 3] = True
    copies, rows = swapped_copies(X, mask, mask_marks=marks, random_state=0)
    assert copies.dtype == np.uint8
    changed = (copies != X[rows]).any(1)
    if marks == "relevant":  # the reasons stay; nothing of a donor's reasons is given away
        assert not changed[mask].any()
        assert changed[~mask].mean() > 0.9
    else:
        assert changed[mask].mean() > 0.9


def test_degrees_mix():
    X = np.random.default_rng(0).normal(size=(10, 2))
    copies, _ = swapped_copies(X, [[0, 0.25]], random_state=0)
    donors = cycle(np.arange(10), 10, np.random.default_rng(0))
    standing_in = copies[:, 1] - 0.75 * X[:, 1]
    assert np.ptp(standing_in) > 0
    np.testing.assert_array_equal(copies[:, 0], X[:, 0])
    assert np.corrcoef(standing_in, X[donors, 1])[0, 1] > 0.999


def test_lists_of_tokens():
    X = [["good", "film", "#a"], ["#b", "bad"], ["so", "so", "dull", "#b"], ["#a", "fine", "plot"]]
    mask = [[token.startswith("#") for token in tokens] for tokens in X]
    copies, rows = swapped_copies(X, mask, n_copies=4, random_state=0)
    assert [len(tokens) for tokens in copies] == [len(X[row]) for row in rows]
    donors = cycle(np.arange(4), 4, np.random.default_rng(0))
    for row, donor in enumerate(donors):
        for place, token in enumerate(copies[row]):
            marked = mask[row][place] or (place < len(X[donor]) and mask[donor][place])
            assert token == (X[donor][place % len(X[donor])] if marked else X[row][place])


def test_tokens_of_reasons_are_never_given_away():
    X = [np.array(["right", "and", "well"]), np.array(["of", "wrong"]), np.array(["a", "b", "c"])]
    reasons = [[True, False, False], [False, True], None]
    copies, rows = swapped_copies(X, reasons, mask_marks="relevant", random_state=0)
    assert isinstance(copies[0], np.ndarray)
    assert copies[rows.tolist().index(0)][0] == "right"
    assert all("wrong" not in tokens for tokens, row in zip(copies, rows, strict=True) if row != 1)


def test_draws_repeat_and_differ():
    X = np.random.default_rng(0).normal(size=(30, 2))
    first, second, other = (swapped_copies(X, [[0, 1]], random_state=s)[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("X", "mask", "params", "message"),
    [
        (np.eye(4), None, {}, "mask must say which features must not matter, got None"),
        (np.eye(4), [[0, 0, 0, 1], None, None, None], {}, r"at least 2 samples.*got 1 sample"),
        (np.eye(4), [[0, 0, 0, 1]], {"n_copies": 0}, "n_copies must be a positive integer, got 0"),
        (np.eye(4), [[0, 0, 0, 1]], {"mode": "both"}, "mode must be one of"),
        (np.eye(4), [[0, 0, 0, 1]], {"exchange": 2}, "exchange must be True or False, got 2"),
        ([["a"], ["b", "c"]], [[1], [0]], {}, "sample 1 has 2 tokens"),
        ([["a"], []], [[1], []], {}, "at least one token per sample"),
    ],
)
def test_errors_say_what_was_expected(X, mask, params, message):
    with pytest.raises(ValueError, match=message):
        swapped_copies(X, mask, **params)
