"""Check the recipe of the irrelevant copies, and that weights fitted on them have the closed form
of Proposition 1.
"""

import re

import numpy as np
import pytest
from _pictures import check_seeds, sha256
from numpy.testing import assert_allclose, assert_array_equal

from skexplain.datasets import make_irrelevant_copies


@pytest.fixture(scope="module")
def copies():
    return make_irrelevant_copies(20_000, 20_000, n_copies=3, precision=4.0, random_state=0)


def test_copies_equal_y_in_training_and_another_number_in_the_test_set(copies):
    assert_array_equal(copies.data[:, :3], np.repeat(copies.target[:, None], 3, axis=1))
    other = copies.data_test[:, 0]
    assert_array_equal(copies.data_test[:, :3], np.repeat(other[:, None], 3, axis=1))
    assert abs(np.corrcoef(other, copies.target_test)[0, 1]) < 4 / np.sqrt(20_000)
    for number in [copies.target, copies.target_test, other]:
        assert abs(number.mean()) < 4 / np.sqrt(20_000)
        assert abs(number.std() - 1) < 4 / np.sqrt(40_000)


def test_measurement_has_the_given_precision(copies):
    for part in ["", "_test"]:
        noise = copies["data" + part][:, 3] - copies["target" + part]
        assert abs(noise.mean()) < 4 * 0.5 / np.sqrt(20_000)
        assert abs(noise.std() - 0.5) < 4 * 0.5 / np.sqrt(40_000)
        assert abs(np.corrcoef(noise, copies["target" + part])[0, 1]) < 4 / np.sqrt(20_000)


def test_mask_and_names(copies):
    assert_array_equal(copies.mask, [[True, True, True, False]])
    assert_array_equal(copies.mask_test, copies.mask)
    assert not np.shares_memory(copies.mask, copies.mask_test)
    assert copies.feature_names == ["copy_0", "copy_1", "copy_2", "measurement"]
    assert copies.data.shape == copies.data_test.shape == (20_000, 4)


@pytest.mark.parametrize(("alpha", "epsilon"), [(1.0, np.sqrt(2)), (1.0, 1.0), (3.0, 0.5)])
def test_noise_on_the_copies_gives_the_weights_of_the_proposition(alpha, epsilon):
    """Least squares on clean and noisy rows, against the closed form under Notes.

    Measured over three seeds: at most .003 apart, on weights from .06 to .31.
    """
    n_copies, precision = 10, 5.0
    copies = make_irrelevant_copies(50_000, 1, n_copies=n_copies, random_state=0)
    noise = epsilon * np.random.default_rng(1).normal(size=copies.data.shape) * copies.mask
    weight = np.sqrt(alpha)
    weights = np.linalg.lstsq(
        np.concatenate([copies.data, weight * (copies.data + noise)]),
        np.concatenate([copies.target, weight * copies.target]),
        rcond=None,
    )[0]
    r = alpha * epsilon**2 / (1 + alpha)
    w = 1 / (n_copies + r * precision + r)  # the variance of y is 1
    assert_allclose(weights, [w] * n_copies + [r * precision * w], atol=0.006)


def test_published_weights_are_the_limit_of_a_wide_prior():
    """With y spread 30 times as wide, the weights are 1 / (D + K) and K / (D + K)."""
    copies = make_irrelevant_copies(50_000, 1, n_copies=10, precision=5.0, random_state=0)
    measurement = 29 * copies.target + copies.data[:, -1]  # y is now 30 times the target
    data = np.column_stack([30 * copies.data[:, :-1], measurement])
    noise = np.sqrt(2) * np.random.default_rng(1).normal(size=data.shape) * copies.mask
    target = np.tile(30 * copies.target, 2)
    weights = np.linalg.lstsq(np.concatenate([data, data + noise]), target, rcond=None)[0]
    # Measured over three seeds: at most .004 apart.
    assert_allclose(weights, [1 / 15] * 10 + [5 / 15], atol=0.01)


def test_seeds():
    check_seeds(lambda **seed: make_irrelevant_copies(50, 50, **seed))


def test_seed_gives_the_same_bytes_everywhere():
    assert (
        sha256(make_irrelevant_copies(50, 30, n_copies=2, random_state=0))
        == "37998b963acbce6a3933093c7bcc99faf3779c76c98473ebfcf9ef617d799291"
    )


def test_description_says_what_there_is():
    description = make_irrelevant_copies(12, 34, n_copies=6, precision=2.5, random_state=0).DESCR
    for part in ["12 training and 34 test", "first 6 columns", "1 / 2.5", "Heo", "BSD-3"]:
        assert part in description


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples"),
        ({"n_test": 1.5}, TypeError, "n_test"),
        ({"n_copies": 0}, ValueError, "n_copies"),
        ({"precision": 0}, ValueError, "precision must be a finite number above 0; got 0"),
        ({"precision": np.nan}, ValueError, "precision must be a finite number above 0"),
        ({"precision": "high"}, ValueError, "precision must be a finite number above 0"),
        ({"random_state": "zero"}, ValueError, "random_state must be an int"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make_irrelevant_copies(**parameters)
