"""Check the warnings about masks that leave a shortcut in place, and fits with few masks."""

import re

import numpy as np
import pytest

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    SwapExRegressor,
)
from skexplain.estimators._validation import balance
from skexplain.exceptions import RemainingShortcutWarning

QUICK = {"max_epochs": 1, "random_state": 0, "device": "cpu"}


def problem(n=60, d=12):
    rng = np.random.default_rng(0)
    y = np.repeat(["ill", "well"], n // 2)
    return rng.normal(size=(n, d)), y, np.zeros((n, d)), rng


def mark(mask, rows, rng):
    """A column of its own in each of some rows."""
    mask[rows, rng.integers(mask.shape[1], size=len(rows))] = 1


@pytest.mark.parametrize("cls", [SwapExClassifier, PGDExClassifier, GradRegClassifier])
def test_a_class_without_masks(cls):
    X, y, mask, rng = problem()
    mark(mask, np.arange(30), rng)
    mask[30:] = np.nan
    expected = re.escape(
        "None of the 30 samples of class 'well' has a mask, while 30 of the 30 other samples have "
        "one"
    )
    with pytest.warns(RemainingShortcutWarning, match=expected) as caught:
        cls(**QUICK).fit(X, y, mask=mask)
    assert caught[0].filename == __file__
    mask[30:35] = 0  # five samples of the other class show nothing
    if cls is not GradRegClassifier:
        cls(**QUICK).fit(X, y, mask=mask)


def test_chance_may_leave_a_class_without_masks():
    X, y, mask, rng = problem()
    mark(mask, np.arange(4), rng)
    mask[4:] = np.nan  # two of four masks would be expected
    SwapExClassifier(**QUICK).fit(X, y, mask=mask)


def test_marks_that_tell_the_class_where_nothing_is_exchanged():
    X, y, mask, rng = problem()
    mark(mask, np.arange(27), rng)
    expected = re.escape(
        "Something is marked in 90% of the annotated samples of class 'ill' and in 0% of class "
        "'well': the presence of a part gives the class away, and GradRegClassifier changes no "
        "more than the marked features. Use SwapExClassifier"
    )
    with pytest.warns(RemainingShortcutWarning, match=expected):
        GradRegClassifier(**QUICK).fit(X, y, mask=mask)
    with pytest.warns(RemainingShortcutWarning, match="'ill'.*SwapExClassifier changes no more"):
        SwapExClassifier(exchange=False, **QUICK).fit(X, y, mask=mask)
    SwapExClassifier(**QUICK).fit(X, y, mask=mask)
    PGDExClassifier(**QUICK).fit(X, y, mask=mask)


def test_marks_too_large_to_be_exchanged():
    X, y, mask, _ = problem()
    mask[:30, :8] = 1
    with pytest.warns(RemainingShortcutWarning, match="cover too much .*pool_masks"):
        SwapExClassifier(**QUICK).fit(X, y, mask=mask)


def test_few_masks():
    X, y, mask, rng = problem(n=400)
    rows = np.arange(0, 400, 22)  # 19
    mask[:] = np.nan
    mask[rows] = 0
    mark(mask, rows, rng)
    expected = re.escape("Only 19 of 400 samples have a mask (4.8%)")
    with pytest.warns(RemainingShortcutWarning, match=expected):
        SwapExClassifier(**QUICK).fit(X, y, mask=mask)
    with pytest.warns(RemainingShortcutWarning, match="WithPropagatedMasks"):
        SwapExRegressor(**QUICK).fit(X, np.arange(400.0), mask=mask)
    mask[1] = 0  # a twentieth
    SwapExClassifier(**QUICK).fit(X, y, mask=mask)


@pytest.mark.parametrize("mask_marks", ["irrelevant", "relevant"])
def test_nothing_to_warn_of(mask_marks):
    """One mask for all samples; masks of the reasons; labels alone; the same places everywhere."""
    X, y, mask, rng = problem()
    SwapExClassifier(mask_marks=mask_marks, **QUICK).fit(X, y, mask=np.eye(12)[:1])
    mark(mask, np.arange(30), rng)
    mask[30:] = np.nan
    ERMClassifier(**QUICK).fit(X, y, mask=mask)
    if mask_marks == "relevant":
        SwapExClassifier(mask_marks="relevant", **QUICK).fit(X, y, mask=mask)
    mask[:30] = np.eye(12)[0]
    SwapExClassifier(mask_marks=mask_marks, **QUICK).fit(X, y, mask=mask)


def test_places_of_few_masks_hold_for_all():
    """A leaking column, marked in 10 of 400 samples alone, is as if it were marked in all."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    X = rng.normal(size=(400, 6))
    X[:, 0] += y
    X[:, 5] = 2 * y + rng.normal(scale=0.3, size=400)
    mask = np.full((400, 6), np.nan)
    mask[::40] = np.eye(6)[5]
    params = {"max_epochs": 30, "random_state": 0, "device": "cpu"}
    few = SwapExClassifier(**params).fit(X, y, mask=mask)
    everywhere = SwapExClassifier(**params).fit(X, y, mask=np.eye(6)[5:])
    np.testing.assert_array_equal(few.predict_proba(X), everywhere.predict_proba(X))


def test_balance_by_hand():
    penalised = np.array([True, False, False, False, False])
    rows = np.arange(5)
    np.testing.assert_allclose(balance(None, penalised, rows), [4, 1, 1, 1, 1])
    weight = np.array([0.5, 1, 1, 0, 2.0])
    np.testing.assert_allclose(balance(weight, penalised, rows), [4, 1, 1, 0, 2])
    np.testing.assert_allclose(balance(None, penalised, rows[:3]), [2, 1, 1, 1, 1])
    assert balance(None, ~penalised, rows) is None  # the majority already
    assert balance(None, np.zeros(5, dtype=bool), rows) is None
