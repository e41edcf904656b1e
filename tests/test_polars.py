"""Frames of polars are what frames of pandas are, wherever X or a mask is passed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skexplain import GradRegClassifier, MaskPropagator, SwapExClassifier, WithPropagatedMasks
from skexplain.correction import CorrectedClassifier, SwapAugmentedClassifier, swapped_copies
from skexplain.inspection import (
    MaskDisplay,
    PerturbationCurveDisplay,
    SaliencyDisplay,
    audit,
    saliency,
)
from skexplain.masks import invert_mask, mask_from_columns, union_masks
from skexplain.metrics import accuracy_after_swap, accuracy_under_noise, nuisance_flip_rate
from skexplain.model_selection import swap_accuracy_scorer

pl = pytest.importorskip("polars")

N, NAMES = 60, ["a", "b", "c", "d"]
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(N, 4))
Y = (VALUES[:, 0] > 0).astype(int)
VALUES[:, 3] += 2 * Y
MARKS = np.repeat([[False, False, False, True]], N, axis=0)

PANDAS = pd.DataFrame(VALUES, columns=NAMES), pd.DataFrame(MARKS, columns=NAMES)
POLARS = pl.DataFrame(VALUES, schema=NAMES), pl.DataFrame(MARKS, schema=NAMES)
REORDERED = POLARS[0], POLARS[1].select(NAMES[::-1])
MIXED = PANDAS[0], POLARS[1].select(NAMES[::-1])


def swap(X, mask):
    return SwapExClassifier(max_epochs=2, random_state=0).fit(X, Y, mask=mask)


def tree(X):
    return DecisionTreeClassifier(random_state=0).fit(X, Y)


def drawn(display):
    return [text.get_text() for text in display.axes_.flat[0].get_yticklabels()]


CALLS = {
    "fit": lambda X, mask: swap(X, mask).predict_proba(X),
    "weights and labels": lambda X, mask: (
        SwapExClassifier(max_epochs=1, random_state=0)
        .fit(X, pl.Series(Y), mask=mask, sample_weight=pl.Series(np.ones(N)))
        .predict_proba(X)
    ),
    "propagated": lambda X, mask: (
        WithPropagatedMasks(
            SwapExClassifier(max_epochs=1, random_state=0), MaskPropagator(cv=None, n_steps=2)
        )
        .fit(X, Y, mask=mask)
        .predict_proba(X)
    ),
    "after a swap": lambda X, mask: accuracy_after_swap(tree(X), X, Y, mask, random_state=0),
    "under noise": lambda X, mask: accuracy_under_noise(tree(X), X, Y, mask, 1.0, random_state=0),
    "flips": lambda X, mask: nuisance_flip_rate(tree(X), X, mask, random_state=0),
    "flips by erasure": lambda X, mask: nuisance_flip_rate(tree(X), X, mask, perturbation="erase"),
    "scorer": lambda X, mask: swap_accuracy_scorer()(tree(X), X, Y, mask=mask),
    "audit": lambda X, mask: list(
        audit(
            tree(X),
            X,
            pl.Series(Y),
            mask,
            group_labels=pl.Series(["a", "b"] * 30),
            n_repeats=1,
            random_state=0,
        )
        .numbers()
        .values()
    ),
    "augmented": lambda X, mask: (
        SwapAugmentedClassifier(LogisticRegression(), random_state=0)
        .fit(X, Y, mask=mask)
        .predict_proba(X)
    ),
    "copies": lambda X, mask: np.asarray(swapped_copies(X, mask, random_state=0)[0]),
    "corrected": lambda X, mask: (
        CorrectedClassifier(swap(X, mask), n_directions=1, random_state=0)
        .fit(X, Y, mask=mask)
        .predict_proba(X)
    ),
    "union": lambda X, mask: np.asarray(union_masks(PANDAS[1], mask)),
    "inverse": lambda X, mask: np.asarray(invert_mask(mask)[NAMES]),
    "from columns": lambda X, mask: mask_from_columns(X, ["d"]),
    "saliency": lambda X, mask: saliency(
        GradRegClassifier(max_epochs=1, random_state=0).fit(X, Y), X
    ),
}


@pytest.mark.filterwarnings("ignore:GradRegClassifier:UserWarning")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_results_are_those_of_pandas(call):
    np.testing.assert_array_equal(call(*REORDERED), call(*PANDAS))


@pytest.mark.parametrize("name", ["fit", "after a swap", "copies", "union"])
def test_x_and_mask_may_be_of_different_libraries(name):
    np.testing.assert_array_equal(CALLS[name](*MIXED), CALLS[name](*PANDAS))


@pytest.mark.parametrize("draw", ["mask", "saliency", "curve"])
def test_displays_name_the_columns(draw):
    pytest.importorskip("matplotlib")
    X, mask = REORDERED
    if draw == "mask":
        axes = MaskDisplay.from_mask(X, mask, rows=[0]).axes_.flat[0]
        assert [text.get_text() for text in axes.get_xticklabels()] == NAMES
    elif draw == "saliency":
        display = SaliencyDisplay.from_estimator(swap(X, mask), X, mask=mask, rows=[0, 5])
        assert sorted(drawn(display)) == NAMES
        np.testing.assert_array_equal(display.shown.index, [0, 5])
    else:
        curves = [
            PerturbationCurveDisplay.from_estimator(tree(X), X, Y, mask, random_state=0).accuracies
            for X, mask in (REORDERED, PANDAS)
        ]
        np.testing.assert_array_equal(*curves)


@pytest.mark.parametrize(
    "call", [CALLS[name] for name in ("fit", "after a swap", "copies", "augmented")]
)
def test_unknown_names_raise(call):
    with pytest.raises(ValueError, match=r"Not columns of X: \[other\]"):
        call(POLARS[0], POLARS[1].rename({"a": "other"}))


@pytest.mark.parametrize("X", [PANDAS[0], POLARS[0]], ids=["pandas", "polars"])
def test_a_corrected_classifier_compares_the_names_of_columns(X):
    clf = CorrectedClassifier(swap(X, MARKS), n_directions=1, random_state=0).fit(X, Y, mask=MARKS)
    assert list(clf.feature_names_in_) == NAMES
    with pytest.raises(ValueError, match="same order as they were in fit"):
        clf.predict(X[NAMES[::-1]])
