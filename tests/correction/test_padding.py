"""Swapped copies of matrices of token ids: padding stays where it is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skexplain.correction import SwapAugmentedClassifier, swapped_copies

PAD = 0
IDS = np.array(
    [[11, 12, 13, 14], [21, 22, PAD, PAD], [31, 32, 33, PAD], [41, PAD, PAD, PAD]], dtype=np.int64
)
FIRST_AND_LAST = np.array([[True, False, False, True]])


@pytest.mark.parametrize("seed", range(5))
def test_tokens_are_exchanged_and_padding_is_not(seed):
    copies, rows = swapped_copies(IDS, FIRST_AND_LAST, pad_id=PAD, n_copies=3, random_state=seed)
    assert copies.dtype == IDS.dtype
    original = IDS[rows]
    np.testing.assert_array_equal(copies == PAD, original == PAD)
    np.testing.assert_array_equal(copies[:, 1:3], original[:, 1:3])
    # The first token is that of another sample, and each sample gives once.
    assert (copies[:, 0] != original[:, 0]).all()
    for part in copies.reshape(3, 4, 4):
        assert sorted(part[:, 0]) == [11, 21, 31, 41]
    # No other sample has a token at the last place.
    assert (copies[rows == 0, 3] == 14).all()


def test_without_an_id_of_padding_entries_are_exchanged_as_they_are():
    copies, rows = swapped_copies(IDS, FIRST_AND_LAST, random_state=0)
    assert (copies[rows == 0, 3] == PAD).all()  # which is why pad_id is there


def test_an_estimator_is_fitted_on_such_copies():
    seen = []

    class Looking(KNeighborsClassifier):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    clf = SwapAugmentedClassifier(Looking(1), pad_id=PAD, n_copies=2, random_state=0)
    clf.fit(IDS, [0, 1, 0, 1], mask=FIRST_AND_LAST)
    assert len(seen[0]) == 8
    assert ((seen[0] == PAD).sum(axis=0) == 2 * (IDS == PAD).sum(axis=0)).all()


@pytest.mark.parametrize(
    ("X", "given"),
    [
        (IDS.astype(float), r"float64 of shape \(4, 4\)"),
        (IDS[:, None], r"int64 of shape \(4, 1, 4\)"),
        (pd.DataFrame(IDS), "DataFrame"),
        ([["a", "b"], ["c"]], "list"),
    ],
)
def test_padding_is_of_integer_matrices(X, given):
    mask = FIRST_AND_LAST[:, None] if getattr(X, "ndim", 0) == 3 else FIRST_AND_LAST
    mask = [[1, 0], [1]] if isinstance(X, list) else mask
    with pytest.raises(ValueError, match=f"pad_id must be None unless X is an integer.*{given}"):
        swapped_copies(X, mask, pad_id=PAD)


@pytest.mark.parametrize("pad_id", [0.5, "0", True])
def test_bad_ids(pad_id):
    with pytest.raises(ValueError, match="pad_id"):
        swapped_copies(IDS, FIRST_AND_LAST, pad_id=pad_id)
