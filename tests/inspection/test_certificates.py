"""Check that no sample within the box violates a certificate, and which networks and arguments
raise an error.
"""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skexplain import ERMClassifier, ERMRegressor, IBPExClassifier
from skexplain.exceptions import UnsupportedOperationError
from skexplain.inspection import certified_accuracy, predict_bounds


class Fixed(nn.Module):
    """A linear network that training leaves alone."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight, dtype=torch.float32))
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return nn.functional.linear(x, self.weight) + 0 * self.shift


def fixed(weight, X, y, estimator=ERMClassifier, **params):
    return estimator(lambda: Fixed(weight), max_epochs=1, **params).fit(X, y)


def two_columns(n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n_rows, 2))
    return X, np.where(X[:, 0] > 0, "b", "a")


def test_certified_accuracy_of_a_linear_model():
    """Margin 2 x_0 + 0.5 x_1: right and certified where 2 |x_0| > .5 (|x_1| + eps), signs alike."""
    X, y = two_columns()
    clf = fixed([[-1.0, -0.25], [1.0, 0.25]], X, y, input_unit="input")
    margin = (2 * X[:, 0] + 0.5 * X[:, 1]) * np.where(y == "b", 1, -1)
    for epsilon in (0, 0.3, 1.0, 5.0):
        expected = np.mean(margin > 0.5 * epsilon)
        assert certified_accuracy(clf, X, y, [[0, 1]], epsilon) == pytest.approx(expected)
    assert certified_accuracy(clf, X, y, [[0, 1]], 0) == pytest.approx(clf.score(X, y))
    # A degree scales the radius, a reason does not move, and rows without a mask neither.
    assert certified_accuracy(clf, X, y, [[0, 0.5]], 1.0) == pytest.approx(np.mean(margin > 0.25))
    some = [[0, 1] if i % 2 else None for i in range(len(X))]
    expected = np.mean(margin > np.where(np.arange(len(X)) % 2, 0.5, 0))
    assert certified_accuracy(clf, X, y, some, 1.0) == pytest.approx(expected)
    clf.set_params(mask_marks="relevant")
    assert certified_accuracy(clf, X, y, [[1, 0]], 1.0) == pytest.approx(np.mean(margin > 0.5))


def test_marks_are_the_estimator_s_unless_told():
    X, y = two_columns()
    clf = fixed([[-1.0, -0.25], [1.0, 0.25]], X, y, mask_marks="relevant")
    told = {"mask_marks": "irrelevant"}
    given, inverse = ([[0, 1]], 0.4), ([[1, 0]], 0.4)
    assert certified_accuracy(clf, X, y, *given) != certified_accuracy(clf, X, y, *inverse)
    assert certified_accuracy(clf, X, y, *given, **told) == certified_accuracy(clf, X, y, *inverse)
    bounds = predict_bounds(clf, X, *given, **told), predict_bounds(clf, X, *inverse)
    np.testing.assert_array_equal(*bounds)
    with pytest.raises(ValueError, match="mask_marks must be one of .* got 'both'"):
        predict_bounds(clf, X, *given, mask_marks="both")


def test_epsilon_is_in_input_units_and_the_clip_limits_it():
    X, y = two_columns()
    X = X * [1, 10]
    clf = fixed([[-1.0, -0.025], [1.0, 0.025]], X, y)
    margin = (2 * X[:, 0] + 0.05 * X[:, 1]) * np.where(y == "b", 1, -1)
    expected = np.mean(margin > 0.05 * X[:, 1].std())
    assert certified_accuracy(clf, X, y, [[0, 1]], 1.0) == pytest.approx(expected)
    # Over the whole range of the second column.
    sign = np.where(y == "b", 1, -1)
    worst = np.minimum(sign * X[:, 1].min(), sign * X[:, 1].max())
    expected = np.mean(2 * sign * X[:, 0] + 0.05 * worst > 0)
    for clip in ("data", (X[:, 1].min(), X[:, 1].max())):
        got = certified_accuracy(clf, X, y, [[0, 1]], float("inf"), clip=clip)
        assert got == pytest.approx(expected)


def test_bounds_of_a_linear_model_are_exact():
    X, y = two_columns()
    clf = fixed([[-1.0, -0.25], [1.0, 0.25]], X, y, input_unit="input")
    lower, upper = predict_bounds(clf, X, [[0, 1]], 0.4)
    np.testing.assert_allclose(lower[:, 1], clf.predict_proba(X - [0, 0.4])[:, 1], atol=1e-6)
    np.testing.assert_allclose(upper[:, 1], clf.predict_proba(X + [0, 0.4])[:, 1], atol=1e-6)
    reg = fixed([[1.0, -2.0]], X, X[:, 0], estimator=ERMRegressor, input_unit="input")
    lower, upper = predict_bounds(reg, X, [[0, 1]], 0.4)
    np.testing.assert_allclose(lower, reg.predict(X) - 0.8, atol=1e-6)
    np.testing.assert_allclose(upper, reg.predict(X) + 0.8, atol=1e-6)


@pytest.mark.parametrize("shape", [(60, 5), (60, 6, 7), (60, 2, 6, 7)])
def test_nothing_in_the_box_gets_out_of_the_bounds(shape):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=len(rng.normal(size=shape)))
    X = rng.normal(size=shape) + y.reshape(-1, *(1,) * (len(shape) - 1))
    mask = rng.random(shape) < 0.5
    clf = IBPExClassifier(max_epochs=15, batch_size=16, random_state=0).fit(X, y, mask=mask)
    epsilon = 0.3
    lower, upper = predict_bounds(clf, X, mask, epsilon)
    certified = certified_accuracy(clf, X, y, mask, epsilon)
    assert 0 < certified < clf.score(X, y)
    sd = np.broadcast_to(clf.input_statistics_.sd, (1, *shape[1:]))
    worst = np.ones(len(X), dtype=bool)
    for _ in range(50):
        move = rng.choice([-1, 0, 1], size=shape) * mask * epsilon * sd
        proba = clf.predict_proba(X + move)
        assert np.all(lower - 1e-6 <= proba)
        assert np.all(proba <= upper + 1e-6)
        worst &= clf.predict(X + move) == y
    assert certified <= worst.mean()


def test_training_on_bounds_certifies_what_the_plain_model_does_not():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    X = rng.normal(size=(300, 4)) * 0.5 + np.c_[y, y, 2 * y, 2 * y]
    mask = [[0, 0, 1, 1]]
    common = {"max_epochs": 40, "random_state": 0}
    scores = {
        cls.__name__: certified_accuracy(cls(**common).fit(X, y, mask=mask), X, y, mask, 1.0)
        for cls in (ERMClassifier, IBPExClassifier)
    }
    # Measured: .30 and .94.
    assert scores["ERMClassifier"] < 0.5
    assert scores["IBPExClassifier"] > 0.8


def test_rows_labelled_with_an_unknown_class_are_wrong():
    X, y = two_columns()
    clf = fixed([[-1.0, 0.0], [1.0, 0.0]], X, y)
    assert certified_accuracy(clf, X, ["c"] * len(X), [[0, 1]], 1.0) == 0
    with pytest.raises(ValueError, match="kind of y, number, but .* str: no prediction could be"):
        certified_accuracy(clf, X, [1] * len(X), [[0, 1]], 1.0)


def test_what_is_refused():
    X, y = two_columns()
    mask = [[0, 1]]
    clf = fixed([[-1.0, 0.0], [1.0, 0.0]], X, y)
    with pytest.raises(NotFittedError):
        certified_accuracy(ERMClassifier(), X, y, mask, 1.0)
    pipeline = make_pipeline(StandardScaler(), ERMClassifier(max_epochs=1)).fit(X, y)
    with pytest.raises(TypeError, match="estimator must be .* got Pipeline; of a pipeline pass"):
        certified_accuracy(pipeline, X, y, mask, 1.0)
    with pytest.raises(TypeError, match="estimator must be a classifier .* got ERMRegressor"):
        certified_accuracy(ERMRegressor(max_epochs=1).fit(X, X[:, 0]), X, y, mask, 1.0)
    for function, arguments in ((predict_bounds, [X]), (certified_accuracy, [X, y])):
        with pytest.raises(TypeError, match="estimator must be .* got dict"):
            function({}, *arguments, mask, 1.0)
    with pytest.raises(ValueError, match="mask must say which features may change, got None"):
        predict_bounds(clf, X, None, 1.0)
    with pytest.raises(ValueError, match=r"mask must have shape .* got \(1, 3\)"):
        predict_bounds(clf, X, [[0, 1, 1]], 1.0)
    for epsilon in (-1, float("nan"), "1"):
        with pytest.raises(ValueError, match="epsilon must be a non-negative number"):
            predict_bounds(clf, X, mask, epsilon)
    with pytest.raises(ValueError, match="epsilon may be infinite only with a finite clip"):
        predict_bounds(clf, X, mask, float("inf"))
    for clip in ("range", 3):
        with pytest.raises(ValueError, match=f"clip must be .* got {clip!r}"):
            predict_bounds(clf, X, mask, 1.0, clip=clip)
    with pytest.raises(ValueError, match="clip must be a pair of numbers, the lower first"):
        predict_bounds(clf, X, mask, 1.0, clip=(1, 0))
    with pytest.raises(ValueError, match="y must have a label per sample of X, 40; got 39"):
        certified_accuracy(clf, X, y[1:], mask, 1.0)
    with pytest.raises(ValueError, match="X has 1 features"):
        predict_bounds(clf, X[:, :1], [[1]], 1.0)


def test_a_network_that_intervals_do_not_know():
    class Bessel(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(2, 2)

        def forward(self, x):
            return self.head(torch.special.bessel_j0(x))

    X, y = two_columns()
    clf = ERMClassifier(Bessel, max_epochs=1).fit(X, y)
    with pytest.raises(UnsupportedOperationError, match="'special_bessel_j0'"):
        certified_accuracy(clf, X, y, [[0, 1]], 1.0)
