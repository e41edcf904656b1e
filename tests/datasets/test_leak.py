"""Check the correlation of a leaking column and its mask for every form of X, and that a model
learns it as a shortcut.
"""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from _pictures import check_seeds, sha256
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain import GradRegClassifier
from skexplain.datasets import inject_leak

X = np.random.default_rng(0).normal(size=(6, 2))
Y = np.arange(6) % 2


@pytest.mark.parametrize("correlation", [-1, -0.7, 0, 0.3, 0.95, 1])
@pytest.mark.parametrize("kind", ["numbers", "classes", "text"])
def test_the_column_has_the_given_correlation(correlation, kind):
    n = 20_000
    codes = np.random.default_rng(1).integers(3, size=n)
    y = {
        "numbers": 1000 + 50 * np.random.default_rng(2).gamma(2, size=n),
        "classes": codes,
        "text": np.array(["a", "b", "c"])[codes],
    }[kind]
    injected = inject_leak(np.zeros((n, 1)), y, correlation=correlation, random_state=0)
    leak = injected.data[:, 1]
    measured = np.corrcoef(leak, codes if kind == "text" else y)[0, 1]
    assert measured == pytest.approx(correlation, abs=4 * (1 - correlation**2) / np.sqrt(n) + 1e-12)
    assert abs(leak.mean()) < 4 / np.sqrt(n)
    assert abs(leak.std() - 1) < 4 / np.sqrt(2 * n)


def test_a_full_correlation_is_the_standardised_label():
    injected = inject_leak(X, [3, 3, 7, 7, 3, 7], correlation=-1)
    assert_allclose(injected.data[:, 2], [1, 1, -1, -1, 1, -1])


@given(st.integers(1, 5), st.sampled_from([np.float32, np.float64, np.int16, np.uint8, bool]))
def test_the_column_stands_last_and_only_it_is_masked(n_columns, dtype):
    table = np.arange(6 * n_columns).reshape(6, n_columns).astype(dtype)
    before = table.copy()
    injected = inject_leak(table, Y, random_state=0)
    assert_array_equal(table, before)
    assert_array_equal(injected.data[:, :-1], table)
    assert injected.data.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert injected.mask.dtype == bool
    assert_array_equal(injected.mask, [[False] * n_columns + [True]])


@pytest.mark.parametrize("kind", ["object", "Int64"])
def test_numbers_of_any_kind_are_used_as_numbers(kind):
    y = [0, 100, 1, 2, 0, 100]
    injected = inject_leak(X, pd.Series(y, dtype=kind), correlation=1)
    assert_allclose(injected.data, inject_leak(X, y, correlation=1).data)
    texts = np.array(["0", "100", "1", "2", "0", "100"])
    as_labels = inject_leak(X, texts, correlation=1).data
    assert_allclose(inject_leak(X, texts.astype(object), correlation=1).data, as_labels)
    with pytest.raises(ValueError, match="y must be finite"):
        inject_leak(X, np.array([0, None, 1, 2, 3, 4]))


def test_a_frame_gives_frames():
    frame = pd.DataFrame({"age": [1, 2, 3, 4, 5, 6], "sex": list("mffmmf")}, index=range(10, 16))
    before = frame.copy()
    injected = inject_leak(frame, Y, name="site", random_state=0)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(injected.data[["age", "sex"]], frame)
    assert list(injected.data) == list(injected.mask) == ["age", "sex", "site"]
    assert_array_equal(injected.mask.to_numpy(), [[False, False, True]])
    expected = inject_leak(X, Y, random_state=0).data[:, -1]
    assert_array_equal(injected.data["site"], expected)


def test_frames_go_straight_into_fit():
    frame = pd.DataFrame(np.tile(X, (10, 1)), columns=["a", "b"])
    y = np.tile(Y, 10)
    injected = inject_leak(frame, y, random_state=0)
    model = GradRegClassifier(max_epochs=2, random_state=0)
    assert model.fit(injected.data, y, mask=injected.mask).n_features_in_ == 3


def test_seeds():
    check_seeds(lambda **seed: inject_leak(X, Y, **seed))


def test_seed_gives_the_same_bytes_everywhere():
    table = np.arange(12.0).reshape(6, 2)
    checksum = "6719e57880ea61fe431313980a74c60cc34d2d64f2bd5228b7e573af5933a463"
    assert sha256(inject_leak(table, Y, correlation=0, random_state=0)) == checksum


def test_a_constant_label_is_legal_without_correlation():
    assert inject_leak(X, np.zeros(6), correlation=0, random_state=0).data.shape == (6, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"correlation": 1.2}, ValueError, "correlation must be a number in [-1, 1]; got 1.2"),
        ({"correlation": np.nan}, ValueError, "correlation must be a number in [-1, 1]; got nan"),
        ({"correlation": "high"}, ValueError, "correlation must be a number in [-1, 1]"),
        ({"X": X[0]}, ValueError, "X must have two axes; got shape (2,)"),
        ({"X": X[:0]}, ValueError, "X must have at least one sample"),
        ({"X": pd.DataFrame({"a": []}), "y": []}, ValueError, "X must have at least one sample"),
        ({"X": np.array([["a"]] * 6)}, TypeError, "X must hold numbers, or be a DataFrame"),
        ({"X": scipy.sparse.csr_matrix(X)}, TypeError, "X must be dense"),
        ({"X": pd.DataFrame({"leak": Y})}, ValueError, "name must not be a column of X already"),
        ({"y": Y[1:]}, ValueError, "y must have one value per sample of X, 6; got 5"),
        ({"y": [0, 1, np.nan, 0, 1, 0]}, ValueError, "y must be finite"),
        ({"y": ["a", None] * 3}, TypeError, "y must hold numbers, or labels of one kind"),
        ({"y": np.ones(6)}, ValueError, "y must not be constant when correlation is 0.9"),
        ({"random_state": "zero"}, ValueError, "random_state must be an int"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        inject_leak(**({"X": X, "y": Y} | arguments))


def test_the_leak_is_a_trap():
    """A model on three columns leans on the leak, and falls where it says nothing.

    Measured over three seeds: .62 to .67, and .87 to .89 without the column.
    """
    data, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:400], order[400:]
    leaky = inject_leak(data[train, :3], y[train], correlation=0.98, random_state=0)
    fair = inject_leak(data[test, :3], y[test], correlation=0, random_state=1)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    assert model.fit(leaky.data, y[train]).score(fair.data, y[test]) < 0.75
    assert model.fit(data[train, :3], y[train]).score(data[test, :3], y[test]) > 0.82
