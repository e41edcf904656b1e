"""Check that the shared checks of arguments accept what is legal, and name the argument and the
value otherwise.
"""

import numpy as np
import pytest

from skexplain._checks import check_count, check_number, check_option, check_seed
from skexplain.datasets import make_decoy_digits
from skexplain.inspection import audit
from skexplain.metrics import accuracy_after_swap
from skexplain.model_selection import SubsampleSplit

INFINITY = float("inf")


def refuses(check, *arguments, **options):
    with pytest.raises(ValueError, match="^[a-z_]+ must be .* got ") as error:
        check(*arguments, **options)
    return str(error.value)


@pytest.mark.parametrize("value", [0, -1, 11, 2.0, True, np.True_, "3", None, [1]])
def test_counts(value):
    assert refuses(check_count, "n", value, high=10) == (
        f"n must be an integer, 1 to 10, got {value!r}."
    )
    check_count("n", np.int64(10), high=10)
    check_count("n", 0, low=0)
    check_count("n", 10**9)


@pytest.mark.parametrize("value", [-1, np.nan, INFINITY, True, np.True_, "1", None, 1j])
def test_numbers(value):
    assert "x must be a non-negative number, got " in refuses(check_number, "x", value)
    for legal in (0, 0.5, np.float32(3), np.int8(1)):
        check_number("x", legal)
    check_number("x", INFINITY, infinite=True)
    assert "a positive number" in refuses(check_number, "x", 0, positive=True)
    check_number("x", -1, least=-np.inf)
    assert "a finite number" in refuses(check_number, "x", -INFINITY, least=-np.inf)


@pytest.mark.parametrize("value", ["c", None, 1, ["a"]])
def test_options(value):
    assert "word must be one of ['a', 'b'], got" in refuses(check_option, "word", value, ("a", "b"))
    check_option("word", "b", ("a", "b"))


SEEDLESS = [0.9, -1, "a", True, np.random.default_rng(0), np.random, [1]]


@pytest.mark.parametrize("random_state", SEEDLESS, ids=str)
def test_seeds(random_state):
    X, y, mask = np.eye(4, 2), np.array([0, 1, 0, 1]), [[0, 1]]

    class Model:
        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    given = {"random_state": random_state}
    for call in (
        lambda: check_seed(random_state),
        lambda: accuracy_after_swap(Model(), X, y, mask, **given),
        lambda: audit(Model(), X, y, mask, **given),
        lambda: make_decoy_digits("half", **given),
        lambda: next(SubsampleSplit(2, **given).split(X, y)),
    ):
        assert r"random_state must be an int from 0 to 2**63 - 1, a" in refuses(call)
    for legal in (None, 0, np.int64(2**40), np.random.RandomState(0)):
        check_seed(legal)
