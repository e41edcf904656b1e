"""Integers of numpy count as those of Python; missing objects, and text as weights, are errors."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from torch import nn

from skexplain import (
    ERMRegressor,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
    SwapExRegressor,
)
from skexplain.correction import SwapAugmentedClassifier, SwapAugmentedRegressor

rng = np.random.default_rng(0)
N = 60
Y = np.arange(N) % 2
X = rng.normal(size=(N, 4)) + 2 * Y[:, None]
MASK = np.array([[0, 0, 0, 1]])
SETTINGS = ["batch_size", "annotated_per_batch", "penalty_chunk_size", "penalty_every"]


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
@pytest.mark.parametrize("name", [*SETTINGS, "max_epochs"])
def test_integers_of_numpy_are_those_of_python(name, kind):
    mask = [MASK[0] if row < 20 else None for row in range(N)]

    def fit(value):
        clf = GradRegClassifier(max_epochs=2, random_state=0).set_params(**{name: value})
        return clf.fit(X, Y, mask=mask).predict_proba(X)

    np.testing.assert_array_equal(fit(kind(3)), fit(3))


@pytest.mark.parametrize("name", [*SETTINGS, "max_epochs", "n_iter_no_change", "pad_id"])
def test_true_is_no_number(name):
    clf = GradRegClassifier(max_epochs=1).set_params(**{name: True})
    with pytest.raises(ValueError, match=f"'{name}' parameter .* must be an int .* Got True"):
        clf.fit(X, Y, mask=MASK)
    with pytest.raises(ValueError, match="'n_steps' parameter .* must be an int"):
        MaskPropagator(n_steps=True).fit(X.reshape(N, 1, 2, 2), [None] * N)


OBJECTS = [None, np.nan, pd.NaT, pd.NA]


@pytest.mark.parametrize("missing", OBJECTS, ids=repr)
def test_what_is_missing_among_objects_is_named(missing):
    text = [missing, *Y[1:].astype(str)]
    targets = np.array([missing, *map(float, Y[1:])], dtype=object)
    expected = re.escape("Input y contains NaN or other missing values, 1 of 60")
    for y in (text, pd.Series(text, dtype=object), pd.Series(pd.Categorical(text)), targets):
        with pytest.raises(ValueError, match=expected):
            SwapExClassifier(max_epochs=1).fit(X, y, mask=MASK)
    with pytest.raises(ValueError, match=expected):
        SwapExRegressor(max_epochs=1).fit(X, targets, mask=MASK)
    expected = re.escape("Input X contains NaN or other missing values, 1 of 120")
    for column in (pd.Categorical(text), np.array(text, dtype=object)):
        frame = pd.DataFrame({"number": X[:, 0], "text": column})
        with pytest.raises(ValueError, match=expected):
            SwapExClassifier(max_epochs=1).fit(frame, Y, mask=[[0, 1]])
    for y in (text, tuple(text)):
        with pytest.raises(ValueError, match="Input y contains NaN or other missing values, 1 of"):
            SwapAugmentedClassifier(LogisticRegression()).fit(X, y, mask=MASK)


@pytest.mark.parametrize("kind", [list, tuple, lambda y: [[each] for each in y]])
def test_a_missing_number_is_named(kind):
    y = kind([None, *map(float, Y[1:])])
    trees = SwapAugmentedRegressor(DecisionTreeRegressor())
    for regressor in (SwapExRegressor(max_epochs=1), ERMRegressor(max_epochs=1), trees):
        with pytest.raises(ValueError, match="Input y contains NaN or other missing values, 1 of"):
            regressor.fit(X, y, mask=MASK)


@pytest.mark.parametrize("rate", [0.0, 1e-4])
def test_a_rate_of_numpy_is_one_of_python(rate):
    """As a search over ``np.logspace(...)`` passes it."""
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    found, expected = (
        SwapExClassifier(network, backbone_lr=kind(rate), max_epochs=2, random_state=0)
        .fit(X, Y, mask=MASK)
        .predict_proba(X)
        for kind in (np.float64, float)
    )
    np.testing.assert_array_equal(found, expected)


def test_text_is_no_weight():
    weight = ["heavy"] * N
    for clf in (SwapExClassifier(max_epochs=1), SwapAugmentedClassifier(GradRegClassifier())):
        with pytest.raises(ValueError, match="sample_weight must hold numbers; got .*'heavy'"):
            clf.fit(X, Y, mask=MASK, sample_weight=weight)
