"""A swap of whole samples leaves no reason for the label, and says so; other penalties do not."""

import warnings

import numpy as np
import pytest
from torch import nn

from skexplain import (
    AvgExClassifier,
    ExplanationClassifier,
    GradRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    SwapExRegressor,
    WithTokenizer,
)
from skexplain.correction import CorrectedClassifier, SwapAugmentedClassifier
from skexplain.exceptions import MissingExplanationWarning
from skexplain.penalties import EnergyPenalty

rng = np.random.default_rng(0)
N = 60
Y = np.arange(N) % 2
X = rng.normal(size=(N, 3)) + 2 * Y[:, None]
ALL = np.ones((1, 3), dtype=bool)
SOME = [ALL[0] if row < 30 else None for row in range(N)]
EXCHANGED = {
    "classifier": lambda marks: SwapExClassifier(max_epochs=1, mask_marks=marks),
    "regressor": lambda marks: SwapExRegressor(max_epochs=1, mask_marks=marks),
    "augmented": lambda marks: SwapAugmentedClassifier(
        GradRegClassifier(max_epochs=1), mask_marks=marks
    ),
    "corrected": lambda marks: CorrectedClassifier(
        nn.Linear(3, 2), method="project", n_directions=1, mask_marks=marks
    ),
}


@pytest.mark.parametrize("kind", EXCHANGED)
@pytest.mark.parametrize(("mask", "count"), [(ALL, 60), (SOME, 30)], ids=["one", "some"])
@pytest.mark.filterwarnings("ignore:GradRegClassifier is fitted without a mask")
def test_a_swap_of_whole_samples_warns(kind, mask, count):
    text = f"every feature of all {count} annotated samples as irrelevant.*mask_marks="
    with pytest.warns(MissingExplanationWarning, match=text + '"relevant"'):
        EXCHANGED[kind]("irrelevant").fit(X, Y, mask=mask)
    inverse = [None if row is None else ~row for row in mask] if mask is SOME else ~mask
    with pytest.warns(MissingExplanationWarning, match=text + '"irrelevant"'):
        EXCHANGED[kind]("relevant").fit(X, Y, mask=inverse)


@pytest.mark.parametrize("first", [0, 58])
def test_masks_that_mark_all_of_some_samples_alone_do_not_warn(first):
    mask = np.zeros((N, 3))
    mask[first : first + 2] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingExplanationWarning)
        EXCHANGED["classifier"]("irrelevant").fit(X, Y, mask=mask)
        EXCHANGED["classifier"]("relevant").fit(X, Y, mask=1 - mask)


def test_texts_of_which_all_is_marked_warn():
    texts, y = ["a b", "b a"] * 10, [0, 1] * 10
    with pytest.warns(MissingExplanationWarning, match="all 20 annotated samples"):
        WithTokenizer(SwapExClassifier(max_epochs=1)).fit(texts, y, mask=[["a", "b"]])


@pytest.mark.parametrize("degree", [1, 0.5])
def test_a_share_of_which_all_is_marked_warns(degree):
    images = rng.normal(size=(N, 1, 6, 6))
    clf = ExplanationClassifier(penalties=[("energy", EnergyPenalty())], max_epochs=1)
    mask = np.full((1, 6, 6), degree)
    with pytest.warns(MissingExplanationWarning, match="mark all features of a sample alike"):
        clf.fit(images, Y, mask=mask)
    mask[0, 0, 0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingExplanationWarning)
        clf.fit(images, Y, mask=mask)


def test_what_leaves_something_does_not_warn():
    one_left = np.ones((N, 3))
    one_left[0, 0] = 0
    unknown = np.ones((N, 3))
    unknown[:, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingExplanationWarning)
        for mask in (one_left, unknown, ALL / 2):
            SwapExClassifier(max_epochs=1).fit(X, Y, mask=mask)
        for estimator in (AvgExClassifier, PGDExClassifier):  # ordinary regularisers
            estimator(max_epochs=1).fit(X, Y, mask=ALL)
