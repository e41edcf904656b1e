"""The Gaussian process against scikit-learn, finite differences and hand-computed cases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from skexplain_papers.heo._gaussian_process import VALUE, GaussianProcess

SCALES = np.array([0.7, 1.9, 1.2])


@pytest.fixture
def observed():
    """Values and derivatives of a smooth function of three variables, 12 places."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(12, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


def covariance(left, left_axis, right, right_axis):
    process = GaussianProcess(SCALES)
    as_axis = [
        np.full(len(places), axis) for places, axis in ((left, left_axis), (right, right_axis))
    ]
    return process._covariance(left, as_axis[0], right, as_axis[1])


def test_values_alone_are_scikit_learns_regressor(observed):
    X, y = observed
    new = np.random.default_rng(1).uniform(-2, 2, size=(50, 3))
    theirs = GaussianProcessRegressor(RBF(SCALES), alpha=1e-10, optimizer=None).fit(X, y)
    ours = GaussianProcess(SCALES).fit(X, y)
    assert_allclose(ours.predict(new), theirs.predict(new), atol=1e-8)
    for mine, other in zip(
        ours.predict(new, return_std=True), theirs.predict(new, return_std=True), strict=True
    ):
        assert_allclose(mine, other, atol=1e-8)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("other", [VALUE, 0, 1, 2])
def test_derivatives_of_the_kernel_are_those_of_finite_differences(observed, axis, other):
    left, right = observed[0][:5], observed[0][5:]
    step = 1e-5 * np.eye(3)[axis]

    def differences(of):
        return (of(step) - of(-step)) / 2e-5

    by_left = differences(lambda move: covariance(left + move, VALUE, right, other))
    by_right = differences(lambda move: covariance(left, other, right + move, VALUE))
    # Measured: 6e-11.
    assert_allclose(covariance(left, axis, right, other), by_left, atol=1e-8)
    assert_allclose(covariance(left, other, right, axis), by_right, atol=1e-8)


def test_covariance_of_all_observations_is_symmetric_and_positive(observed):
    X = np.repeat(observed[0], 4, axis=0)
    axis = np.tile([VALUE, 0, 1, 2], len(observed[0]))
    matrix = GaussianProcess(SCALES)._covariance(X, axis, X, axis)
    assert_allclose(matrix, matrix.T, atol=1e-15)
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert_allclose(np.diag(matrix), np.tile([1, *SCALES**-2.0], len(observed[0])))


def test_observed_values_and_derivatives_are_met(observed):
    """Values of a function, and derivatives that need not be its own."""
    X, y = observed
    slopes = np.linspace(-1, 1, 12)
    axis = np.r_[np.full(12, VALUE), np.full(12, 1)]
    process = GaussianProcess(SCALES).fit(np.r_[X, X], np.r_[y, slopes], axis)
    for at, known in ((VALUE, y), (1, slopes)):
        mean, std = process.predict(X, at, return_std=True)
        assert_allclose(mean, known, atol=1e-6)
        assert_allclose(std, 0, atol=1e-4)
    assert process.predict(X, 0, return_std=True)[1].min() > 1e-3  # nobody said these


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_posterior_derivative_is_that_of_the_posterior_mean(observed, axis):
    X, y = observed
    kinds = np.r_[np.full(12, VALUE), np.full(4, 1)]
    process = GaussianProcess(SCALES).fit(np.r_[X, X[:4]], np.r_[y, np.zeros(4)], kinds)
    new = np.random.default_rng(1).uniform(-1, 1, size=(20, 3))
    step = 1e-4 * np.eye(3)[axis]
    expected = (process.predict(new + step) - process.predict(new - step)) / 2e-4
    # Measured: 1e-7 on derivatives up to 5.
    assert_allclose(process.predict(new, axis), expected, atol=1e-5)


def test_one_value_and_one_derivative_by_hand():
    """At one place they are independent: f(x) is y k + y' (x / theta^2) k theta^2."""
    process = GaussianProcess([2.0]).fit([[0.0], [0.0]], [3.0, 0.5], [VALUE, 0])
    x = np.linspace(-4, 4, 9)
    kernel = np.exp(-(x**2) / 8)
    mean, std = process.predict(x[:, None], return_std=True)
    assert_allclose(mean, kernel * (3 + 0.5 * x), atol=1e-8)
    assert_allclose(std**2, 1 - kernel**2 * (1 + x**2 / 4), atol=1e-8)


def test_derivatives_lower_the_variance(observed):
    X, y = observed
    new = np.random.default_rng(1).uniform(-1, 1, size=(20, 3))
    alone = GaussianProcess(SCALES).fit(X, y)
    told = GaussianProcess(SCALES).fit(
        np.r_[X, X], np.r_[y, np.zeros(12)], np.r_[np.full(12, VALUE), np.full(12, 2)]
    )
    # Measured: a third of it, in the mean.
    ratio = told.predict(new, return_std=True)[1] / alone.predict(new, return_std=True)[1]
    assert (ratio <= 1 + 1e-6).all()
    assert ratio.mean() < 0.9


def test_the_same_observation_twice_needs_jitter():
    X, y = [[0.0], [0.0]], [1.0, 1.0]
    assert_allclose(GaussianProcess([1.0]).fit(X, y).predict([[0.0]]), 1, atol=1e-6)
    with pytest.raises(np.linalg.LinAlgError):
        GaussianProcess([1.0], jitter=0.0).fit(X, y)
