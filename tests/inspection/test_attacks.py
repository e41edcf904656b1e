"""Check FGSM and JSMA against closed forms and values by hand on linear models."""

import numpy as np
import pytest
import torch
from _linear import fixed_linear
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain import ERMClassifier, ERMRegressor
from skexplain.inspection import certified_accuracy, fgsm, jsma, predict_bounds

LABELS = np.array(["bird", "cat", "dog"])


def problem(row_shape=(5,), n_rows=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(1, 1, size=(n_rows, *row_shape)) * rng.uniform(0.2, 3, size=(1, *row_shape))
    return (
        X,
        LABELS[rng.permutation(n_rows) % 3],
        0.3 * rng.normal(size=(3, int(np.prod(row_shape)))),
    )


def loss_gradient_sign(weight, X, y):
    """Sign of p W - w_y, from the cross entropy of a linear softmax model."""
    logits = X.reshape(len(X), -1) @ weight.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return np.sign(p @ weight - weight[np.searchsorted(LABELS, y)]).reshape(X.shape)


# -- FGSM -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row_shape", [(5,), (2, 3), (3, 2, 4)])
@pytest.mark.parametrize("input_unit", ["sd", "input"])
def test_fgsm_of_a_linear_model(input_unit, row_shape):
    """Rows of two batches and a half move by epsilon units, each to the side of its own label."""
    X, y, weight = problem(row_shape)
    clf = fixed_linear(weight, X, y, input_unit=input_unit)
    unit = clf.input_statistics_.sd if input_unit == "sd" else np.ones(1)
    moved = fgsm(clf, X, y, 0.3, clip=None)
    expected = X + 0.3 * unit * loss_gradient_sign(weight, X, y)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    p = [clf.predict_proba(rows)[np.arange(150), np.searchsorted(LABELS, y)] for rows in (X, moved)]
    assert (p[1] < p[0]).all()


def test_fgsm_moves_what_the_mask_says():
    X, y, weight = problem()
    clf = fixed_linear(weight, X, y)
    step = clf.input_statistics_.sd * loss_gradient_sign(weight, X, y)
    degrees = np.array([[0, 0.5, 1, 0, 1]])
    expected = X + 0.4 * degrees * step
    moved = fgsm(clf, X, y, 0.4, mask=degrees, clip=None)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(moved[:, [0, 3]], X[:, [0, 3]])
    some = [degrees[0] if i % 2 else None for i in range(len(X))]
    moved = fgsm(clf, X, y, 0.4, mask=some, clip=None)
    np.testing.assert_allclose(moved[1::2], expected[1::2], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(moved[::2], X[::2])
    clf.set_params(mask_marks="relevant")
    moved = fgsm(clf, X, y, 0.4, mask=1 - degrees, clip=None)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    moved = fgsm(clf, X, y, 0.4, clip=None)
    np.testing.assert_allclose(moved, X + 0.4 * step, rtol=1e-5, atol=1e-5)


def test_fgsm_stays_in_the_range():
    X, y, weight = problem()
    clf = fixed_linear(weight, X, y)
    up = loss_gradient_sign(weight, X, y) > 0
    moved = fgsm(clf, X, y, np.inf)
    np.testing.assert_allclose(moved, np.where(up, X.max(axis=0), X.min(axis=0)), rtol=1e-6)
    moved = fgsm(clf, X, y, np.inf, clip=(-9, 9))
    np.testing.assert_allclose(moved, np.where(up, 9, -9))
    # Out of the range already: no further out.
    far = X + 100
    assert (fgsm(clf, far, y, 0.5) <= far).all()


@given(seed=st.integers(0, 50), epsilon=st.floats(0, 3), dtype=st.sampled_from(["f4", "f8", "u1"]))
@settings(max_examples=25)
def test_fgsm_keeps_what_may_not_move(seed, epsilon, dtype):
    X, y, weight = problem(n_rows=12, seed=seed)
    X = np.abs(X * 10).astype(dtype)
    clf = fixed_linear(weight, X, y)
    mask = np.random.default_rng(seed).random(X.shape) < 0.5
    moved = fgsm(clf, X, y, epsilon, mask=mask)
    assert moved.dtype == (np.float64 if dtype == "f8" else np.float32)
    np.testing.assert_array_equal(moved[~mask], X[~mask])
    largest = epsilon * np.broadcast_to(clf.input_statistics_.sd, X.shape)
    assert (np.abs(moved - X.astype(np.float64)) <= largest * 1.001 + 1e-4).all()


def test_fgsm_of_a_regressor():
    X, y, weight = problem()
    regressor = fixed_linear(weight[:1], X, np.arange(150.0), ERMRegressor)
    target = regressor.predict(X) + np.where(np.arange(150) % 3, 2.0, -2.0)
    moved = fgsm(regressor, X, target, 0.3, clip=None)
    away = np.where(np.arange(150) % 3, -1, 1)[:, None] * np.sign(weight[0])
    expected = X + 0.3 * regressor.input_statistics_.sd * away
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)


def test_fgsm_reaches_what_the_certificate_of_a_linear_model_allows():
    """Two classes: the sign step is the worst case, so that the accuracy meets its bound."""
    X, y, weight = problem()
    y = (y == "cat").astype(int)
    clf = fixed_linear(np.outer([-1, 1], weight[0]), X, y)
    mask = np.array([[True, True, False, False, True]])
    moved = fgsm(clf, X, y, 0.7, mask=mask, clip="data")
    certified = certified_accuracy(clf, X, y, mask, 0.7, clip="data")
    assert clf.score(moved, y) == pytest.approx(certified)
    assert certified < clf.score(X, y) - 0.05
    lower, upper = predict_bounds(clf, X, mask, 0.7, clip="data")
    proba = clf.predict_proba(moved)
    assert ((lower <= proba + 1e-6) & (proba <= upper + 1e-6)).all()


# -- JSMA -----------------------------------------------------------------------------------------

# alpha and beta for the target "cat", the second row:        0     1    2    3    4
HAND = np.array([[-1.0, -2, 3, 1, -1], [2.0, 1, 4, 0, -5], [-0.5, -1, 2, -1, 0]])
# alpha * |beta| where alpha > 0 > beta (the sum of the others): 2*1.5, 1*3, -, -, -
# and for moves downwards, -alpha * |beta| where alpha < 0 < beta: none


def one_row():
    """A row that is predicted as a bird with the weights above, in units of X."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(30, 5))
    clf = fixed_linear(HAND, X, LABELS[np.arange(30) % 3], input_unit="input")
    row = np.array([[-0.5, -0.5, 0.0, 0.3, 0.2]])
    assert clf.predict(row) == ["bird"]
    return clf, row


def test_saliency_of_jsma_by_hand():
    """S = (2 * 1.5, 1 * 3, 0, 0, 0): the first of the two, then the same until the target wins."""
    clf, row = one_row()
    moved = jsma(clf, row, "cat", theta=0.25, gamma=0.2, clip=None)  # one step
    np.testing.assert_allclose(moved - row, [[0.25, 0, 0, 0, 0]], atol=1e-6)
    # Logits (1.8, -2.5, .65) rise by (-1, 2, -.5) * .25 a step: 6 steps until 3 * .25 k > 4.3.
    moved = jsma(clf, row, "cat", theta=0.25, gamma=1.0, clip=None)
    np.testing.assert_allclose(moved - row, [[1.25, 0, 0, 0, 0]], atol=1e-6)  # 5 is all it may
    moved = jsma(clf, row, "cat", theta=0.5, gamma=1.0, clip=None)
    np.testing.assert_allclose(moved - row, [[1.5, 0, 0, 0, 0]], atol=1e-6)
    assert clf.predict(moved) == ["cat"]


def test_jsma_goes_on_with_the_next_where_the_range_ends():
    clf, row = one_row()
    moved = jsma(clf, row, "cat", theta=0.5, gamma=1.0, clip=(-1, 0.2))
    np.testing.assert_allclose(moved, [[0.2, 0.2, 0, 0.3, 0.2]], atol=1e-6)
    moved = jsma(clf, row, "cat", theta=np.inf, gamma=0.5, clip=(-1, 1))
    np.testing.assert_allclose(moved, [[1, -0.5, 0, 0.3, 0.2]], atol=1e-6)


def test_jsma_downwards():
    """For "bird": alpha < 0 < beta at 0 (-1, 1.5) only; at 1 (-2, 0) beta is zero."""
    clf, row = one_row()
    row = np.array([[0.5, 0.5, 0.0, 0.0, 0.0]])
    assert clf.predict(row) == ["cat"]
    moved = jsma(clf, row, "bird", theta=-0.25, gamma=0.4, clip=None)
    np.testing.assert_allclose(moved - row, [[-0.5, 0, 0, 0, 0]], atol=1e-6)


def test_jsma_moves_what_the_mask_says():
    clf, row = one_row()
    mask = np.array([[False, True, True, True, True]])
    moved = jsma(clf, row, "cat", theta=0.25, gamma=0.2, mask=mask)
    np.testing.assert_allclose(moved - row, [[0, 0.25, 0, 0, 0]], atol=1e-6)
    # A degree does not scale the step, and what may not help does not move.
    moved = jsma(clf, row, "cat", theta=0.25, gamma=0.2, mask=0.1 * mask)
    np.testing.assert_allclose(moved - row, [[0, 0.25, 0, 0, 0]], atol=1e-6)
    mask = np.array([[False, False, True, True, True]])
    np.testing.assert_array_equal(jsma(clf, row, "cat", gamma=1, mask=mask), row)
    np.testing.assert_array_equal(jsma(clf, row, "cat", mask=[None]), row)


def jsma_by_hand(clf, weight, X, target, theta, gamma):
    """Papernot et al.'s Algorithm 1, row by row in numpy; features leave at the range's end."""
    unit, upper = clf.input_statistics_.sd.reshape(-1), clf.input_statistics_.upper.reshape(-1)
    result = X.copy()
    for row, label in zip(result, target, strict=True):
        t = np.searchsorted(LABELS, label)
        alpha = weight[t] * unit
        beta = np.delete(weight, t, axis=0).sum(axis=0) * unit
        S = np.where((alpha < 0) | (beta > 0), 0, alpha * np.abs(beta))
        for _ in range(int(gamma * len(row))):
            S = np.where(row < upper, S, 0)
            if (weight @ row).argmax() == t or not S.any():
                break
            d = S.argmax()
            row[d] = min(row[d] + theta * unit[d], upper[d])
    return result


def test_jsma_of_many_rows():
    """In units of columns, with targets of their own, over more than one batch."""
    X, y, weight = problem((20,))
    clf = fixed_linear(weight, X, y)
    target = LABELS[(np.searchsorted(LABELS, clf.predict(X)) + 1 + np.arange(150) % 2) % 3]
    moved = jsma(clf, X, target, theta=1.5, gamma=0.5)
    expected = jsma_by_hand(clf, weight, X, target, 1.5, 0.5)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    assert ((moved != X).sum(axis=1) <= 10).all()
    reached = clf.predict(moved) == target
    assert 0.3 < reached.mean() < 1  # measured: 0.63


def test_rows_that_are_there_already_stay():
    X, y, weight = problem()
    clf = fixed_linear(weight, X, y)
    np.testing.assert_array_equal(jsma(clf, X, clf.predict(X), gamma=1.0), X)


def test_jsma_of_images():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2, 8, 8)).astype(np.float32)
    y = np.arange(40) % 2
    X[y == 1, 0, :4] += 1
    clf = ERMClassifier(max_epochs=15, random_state=0).fit(X, y)
    state = torch.get_rng_state()
    moved = jsma(clf, X, 1 - y, theta=np.inf, gamma=0.2)
    assert moved.shape == X.shape
    assert moved.dtype == np.float32
    assert ((moved != X).reshape(40, -1).sum(axis=1) <= 25).all()
    # Measured: all rows reach it.
    assert clf.score(X, y) > 0.9
    assert np.mean(clf.predict(moved) == 1 - y) > 0.8
    assert torch.equal(torch.get_rng_state(), state)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", [fgsm, jsma])
def test_bad_estimators(attack):
    X, y, _ = problem()
    arguments = (X, y, 0.1) if attack is fgsm else (X, y)
    for estimator in (make_pipeline(StandardScaler(), ERMClassifier()), LogisticRegression()):
        with pytest.raises(TypeError, match=f"network of its own, got {type(estimator).__name__};"):
            attack(estimator, *arguments)


def test_jsma_needs_a_classifier():
    X, _, weight = problem()
    regressor = fixed_linear(weight[:1], X, np.arange(150.0), ERMRegressor)
    with pytest.raises(TypeError, match="must be a classifier of skexplain, got ERMRegressor"):
        jsma(regressor, X, 1)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"epsilon": -1}, "epsilon must be a non-negative number, got -1"),
        ({"epsilon": np.inf, "clip": None}, "epsilon may be infinite only with a finite clip"),
        ({"epsilon": 1, "clip": (1, 0)}, r"clip must be a pair of numbers.*got \(1, 0\)"),
        ({"epsilon": 1, "mask": np.ones((3, 5))}, "mask"),
        ({"epsilon": 1, "y": ["fish"] * 150}, "y must hold labels of the classes .*got 'fish'"),
        ({"epsilon": 1, "y": ["cat"] * 3}, "inconsistent numbers of samples"),
    ],
)
def test_bad_values_of_fgsm(params, match):
    X, y, weight = problem()
    clf = fixed_linear(weight, X, y)
    with pytest.raises(ValueError, match=match):
        fgsm(clf, X, **{"y": y, **params})


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"theta": 0}, "theta must be a number other than 0, got 0"),
        ({"theta": np.nan}, "theta must be a number other than 0, got nan"),
        ({"theta": np.inf, "clip": None}, "theta may be infinite only with a finite clip"),
        ({"gamma": 0}, "gamma must be a positive number, got 0"),
        ({"gamma": 1.5}, "gamma must be at most 1, got 1.5"),
        ({"clip": "range"}, r"clip must be one of \['data'\], got 'range'"),
        ({"target": "fish"}, "target must hold labels of the classes .*got 'fish'"),
        (
            {"target": ["cat"] * 3},
            "target must be one label or one for each of the 150 samples of X",
        ),
    ],
)
def test_bad_values_of_jsma(params, match):
    X, y, weight = problem()
    clf = fixed_linear(weight, X, y)
    with pytest.raises(ValueError, match=match):
        jsma(clf, X, **{"target": "cat", **params})
