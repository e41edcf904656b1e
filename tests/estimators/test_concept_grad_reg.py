"""Check masks over the units of a layer or over concepts, and which of them raise an error."""

import numpy as np
import pandas as pd
import pytest
import torch
from _estimators import RECORDING_OVER_UNITS, make_problem, quick, received, weights
from sklearn.model_selection import GridSearchCV
from torch import nn

from skexplain import (
    ConceptGradRegClassifier,
    ConceptGradRegRegressor,
    ERMClassifier,
    GradRegClassifier,
)
from skexplain.exceptions import MissingExplanationWarning

N_ROWS = 12
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(N_ROWS, 4))
LABELS = np.arange(N_ROWS) % 2
COLUMNS = RNG.random((N_ROWS, 4))
UNITS = RNG.random((N_ROWS, 5)).round(2)
CONCEPTS = RNG.normal(size=(3, 5))


class Bottleneck(nn.Module):
    """Five units, with statistics and random draws behind them."""

    def __init__(self, n_outputs=2):
        super().__init__()
        self.body = nn.Linear(4, 5)
        self.head = nn.Sequential(
            nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, n_outputs)
        )

    def forward(self, x):
        return self.head(self.body(x))


def fitted(estimator, mask, X=TABLE, **params):
    estimator.set_params(module=Bottleneck, max_epochs=2, random_state=0, **params)
    return estimator.fit(X, LABELS, mask=mask)


def without_marks(mask):
    """The mask with every third row unknown."""
    return np.where(np.arange(N_ROWS)[:, None] % 3 == 0, np.nan, mask)


def on_units(mask, X=TABLE, **params):
    return weights(fitted(ConceptGradRegClassifier(layer="body"), mask, X, **params))


def test_spellings_of_a_mask_over_units():
    expected = on_units(UNITS)
    names = [f"unit {i}" for i in range(5)]
    for spelling in (
        UNITS.tolist(),
        list(UNITS),
        UNITS.astype(object),
        torch.tensor(UNITS),
        pd.DataFrame(UNITS),
    ):
        assert torch.equal(on_units(spelling), expected)
    # Units have no names, and the columns of X do not name them: nothing tells their order.
    for X in (TABLE, pd.DataFrame(TABLE, columns=list("abcd"))):
        with pytest.raises(ValueError, match=r"mask must come without names .*unit 0, unit 1"):
            on_units(pd.DataFrame(UNITS, columns=names), X)


def test_one_mask_over_units_serves_all_rows():
    expected = on_units(np.tile(UNITS[:1], (N_ROWS, 1)))
    for spelling in (UNITS[:1], UNITS[0], UNITS[:1].tolist(), pd.DataFrame(UNITS[:1])):
        assert torch.equal(on_units(spelling), expected)


def test_rows_without_a_mask_over_units():
    expected = on_units(without_marks(UNITS))
    rows = [None if i % 3 == 0 else list(row) for i, row in enumerate(UNITS)]
    as_objects = np.empty(N_ROWS, dtype=object)
    as_objects[:] = rows
    for spelling in (rows, tuple(rows), as_objects):
        assert torch.equal(on_units(spelling), expected)
    unknown = np.where(np.eye(N_ROWS, 5) > 0, np.nan, UNITS)
    nothing = np.where(np.eye(N_ROWS, 5) > 0, 0, UNITS)
    assert torch.equal(on_units(unknown), on_units(nothing))
    assert torch.equal(on_units(1 - unknown, mask_marks="relevant"), on_units(unknown))


@pytest.mark.parametrize("mask", [None, [None] * N_ROWS, np.full((1, 5), np.nan), np.zeros((1, 5))])
def test_no_marks_over_units(mask):
    """And a look at the mask before training leaves no trace in statistics and draws."""
    plain = weights(fitted(ERMClassifier(), None))
    with pytest.warns(MissingExplanationWarning):
        assert torch.equal(on_units(mask), plain)


PER_UNIT = r"mask must have shape \(n, 5\) or \(1, 5\), one column per unit of layer 'body'; got "
PER_CONCEPT = r"mask must have shape \(n, 3\) or \(1, 3\), one column per row of concepts; got "
NOT_ROWS = r"mask must have shape \(12, 5\).* or \(1, 5\) for one mask for all samples; got "


@pytest.mark.parametrize(
    ("mask", "concepts", "match"),
    [
        (UNITS[:, :4], None, PER_UNIT + "4"),  # as many as X has
        (UNITS[:, :1], None, PER_UNIT + "1"),
        (UNITS[:1, :1], None, PER_UNIT + "1"),
        (UNITS[0, :2], None, PER_UNIT + "2"),
        (np.ones((1, 6)), None, PER_UNIT + "6"),
        (UNITS[:, :4].tolist(), None, PER_UNIT + "4"),
        ([None, *UNITS[1:, :4]], None, PER_UNIT + "4"),
        (pd.DataFrame(UNITS[:, :3]), None, PER_UNIT + "3"),
        (UNITS, CONCEPTS, PER_CONCEPT + "5"),
        (UNITS[:-1], None, NOT_ROWS + r"\(11, 5\)"),
        (np.zeros((N_ROWS, 4, 5)), None, r"two axes.* per unit of 'body'.*got shape \(12, 4, 5\)"),
        (np.zeros((1, 4, 5)), CONCEPTS, r"one column per row of concepts.*got shape \(1, 4, 5\)"),
        ([UNITS[0], UNITS[1, :3]], None, "of one regular shape"),
        ([None, *UNITS[:3]], None, "one mask or None per sample of X.*12 entries; got 4"),
        ([None, [1, 0], *UNITS[2:]], None, r"masks of one shape, got \[\(2,\), \(5,\)\]"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_masks_that_do_not_fit_the_units(mask, concepts, match, method):
    estimator = ConceptGradRegClassifier(Bottleneck, layer="body", concepts=concepts)
    arguments = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=match):
        getattr(estimator, method)(TABLE, LABELS, mask=mask, **arguments)
    # Before training, and nothing is left behind.
    assert set(vars(estimator)) == set(ConceptGradRegClassifier().get_params())


def test_masks_that_do_not_fit_the_units_when_training_goes_on():
    estimator = fitted(ConceptGradRegClassifier(layer="body"), UNITS)
    before = weights(estimator)
    estimator.set_params(warm_start=True)
    for method in (estimator.fit, estimator.partial_fit):
        with pytest.raises(ValueError, match=PER_UNIT + "4"):
            method(TABLE, LABELS, mask=COLUMNS)
    assert torch.equal(weights(estimator), before)
    assert estimator.n_iter_ == 2
    estimator.partial_fit(TABLE, LABELS, mask=UNITS)
    assert estimator.n_iter_ == 3


def test_regressor_refuses_masks_that_do_not_fit_the_units():
    estimator = ConceptGradRegRegressor(Bottleneck, module__n_outputs=1, layer="body")
    with pytest.raises(ValueError, match=PER_UNIT + "4"):
        estimator.fit(TABLE, TABLE[:, 0], mask=COLUMNS)


def test_at_the_input_a_mask_is_over_x():
    with pytest.raises(ValueError, match=r"mask must have shape \(12, 4\) beside X of shape"):
        fitted(GradRegClassifier(), UNITS)
    X = pd.DataFrame(TABLE, columns=list("abcd"))
    columns = pd.DataFrame(COLUMNS, columns=list("dcba"))
    ordered = weights(fitted(GradRegClassifier(), COLUMNS[:, ::-1].copy()))
    assert torch.equal(weights(fitted(GradRegClassifier(), columns, X)), ordered)


def test_concepts_that_do_not_fit_the_layer():
    for concepts in (np.ones((2, 4)), np.ones(5), [[np.nan] * 5]):
        match = r"concepts must be finite numbers of shape \(k, 5\).*layer 'body' has 5 units; got"
        with pytest.raises(ValueError, match=match):
            fitted(ConceptGradRegClassifier(layer="body", concepts=concepts), UNITS)


def test_a_search_cuts_masks_over_units(tmp_path):
    X, y, _ = make_problem()
    mask = np.repeat(X[:, 2:3] / 1024, 5, axis=1)  # each row's own number
    estimator = quick(
        RECORDING_OVER_UNITS, module=Bottleneck, layer="body", norm="l2", log=tmp_path, max_epochs=1
    )
    search = GridSearchCV(estimator, {"alpha": [0.1, 1.0]}, cv=3)
    search.fit(X, y, mask=mask)
    for call in received(tmp_path):
        np.testing.assert_array_equal(call.mask, np.repeat(call.X[:, 2:3] / 1024, 5, axis=1))
    assert len(received(tmp_path)) == 7
    search.fit(X, y, mask=mask[:1])
    assert [len(call.mask) for call in received(tmp_path)].count(1) == 7


def test_early_stopping_watches_the_units_of_rows_held_out():
    X, y, _ = make_problem(120)
    X[:, 2] = 0
    mask = np.random.default_rng(0).random((120, 5))
    params = {"module": Bottleneck, "lr": 0.05, "random_state": 0, "max_epochs": 60}
    estimator = ConceptGradRegClassifier(
        alpha=0.5, layer="body", early_stopping=True, n_iter_no_change=3, **params
    ).fit(X, y, mask=mask)
    rows = estimator.history_[:, ("valid_loss", "valid_label_loss", "valid_input_gradient")]
    assert 4 <= len(rows) < 60
    for total, label_loss, penalty in rows:
        assert total == pytest.approx(label_loss + 0.5 * penalty)
        assert penalty > 0
