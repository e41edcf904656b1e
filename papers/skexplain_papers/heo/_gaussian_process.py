"""A Gaussian process that is told values and derivatives of a function."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

#: In the place of an axis: the value itself, no derivative.
VALUE = -1


class GaussianProcess:
    r"""Gaussian process regression from values and first derivatives, with an RBF kernel.

    The prior has mean 0 and the covariance

    .. math:: k(x, x') = \exp \Big(- \sum_i (x_i - x'_i)^2 / (2 \theta_i^2) \Big)

    Differentiation is linear, so that values and derivatives of f are jointly normal, with the
    derivatives of k for covariances.  scikit-learn's regressor knows values only.

    Parameters
    ----------
    length_scale : array-like of shape (d,)
        The theta of each axis.
    jitter : float, default=1e-10
        Variance of the noise of an observation, in units of its prior variance, which is 1 for a
        value and theta**-2 for a derivative: it keeps the Cholesky factorisation possible where
        observations are nearly redundant.

    Attributes
    ----------
    X_ : ndarray of shape (n, d)
        Where f was observed.
    axis_ : int ndarray of shape (n,)
        What was observed there.

    Examples
    --------
    >>> from skexplain_papers.heo._gaussian_process import GaussianProcess
    >>> process = GaussianProcess([1.0]).fit([[0.0], [0.0]], [1.0, 0.5], axis=[-1, 0])
    >>> process.predict([[0.0]]).round(6), process.predict([[0.0]], axis=0).round(6)
    (array([1.]), array([0.5]))
    """

    def __init__(self, length_scale, jitter=1e-10):
        self.length_scale = np.asarray(length_scale, dtype=float)
        self.jitter = jitter

    def fit(self, X, y, axis=VALUE):
        """Take observations in.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Where; a place may come several times, with different axes.
        y : array-like of shape (n,)
            What was observed.
        axis : int or int array-like of shape (n,), default=-1
            Of which derivative; -1: the value.

        Returns
        -------
        self

        Raises
        ------
        numpy.linalg.LinAlgError
            If the observations are redundant beyond the jitter.
        """
        self.X_, self.axis_ = self._functionals(X, axis)
        covariance = self._covariance(self.X_, self.axis_, self.X_, self.axis_)
        covariance[np.diag_indices_from(covariance)] *= 1 + self.jitter
        self._factor = cho_factor(covariance, lower=True)
        self._weights = cho_solve(self._factor, np.asarray(y, dtype=float))
        return self

    def predict(self, X, axis=VALUE, *, return_std=False):
        """Compute the posterior of values or of derivatives.

        Parameters
        ----------
        X : array-like of shape (m, d)
            Where.
        axis : int or int array-like of shape (m,), default=-1
            Of which derivative; -1: the value.
        return_std : bool, default=False
            Whether to return the standard deviation, too.

        Returns
        -------
        mean : ndarray of shape (m,)
        std : ndarray of shape (m,)
            Only if `return_std`.
        """
        X, axis = self._functionals(X, axis)
        across = self._covariance(X, axis, self.X_, self.axis_)
        mean = across @ self._weights
        if not return_std:
            return mean
        explained = np.einsum("ij,ji->i", across, cho_solve(self._factor, across.T))
        # Rounding takes it below 0 where f was observed.
        return mean, np.sqrt(np.maximum(self._prior_variance(axis) - explained, 0))

    def _functionals(self, X, axis):
        X = np.asarray(X, dtype=float)
        return X, np.broadcast_to(axis, len(X))

    def _prior_variance(self, axis):
        return np.append(self.length_scale**-2, 1.0)[axis]  # VALUE takes the last

    def _covariance(self, left, left_axis, right, right_axis):
        """Covariances of values and derivatives at two lists of places."""
        difference = left[:, None] - right
        slope = difference * self.length_scale**-2
        kernel = np.exp(-0.5 * (difference * slope).sum(axis=-1))
        # d/dx k = -slope k, d/dx' k = +slope k; a value takes the 1 behind the last axis.
        one = np.ones((*slope.shape[:2], 1))
        by_left = np.concatenate([-slope, one], axis=-1)
        by_right = np.concatenate([slope, one], axis=-1)
        product = (
            np.take_along_axis(by_left, left_axis[:, None, None], axis=-1)
            * np.take_along_axis(by_right, right_axis[None, :, None], axis=-1)
        )[..., 0]
        # Both derivatives along one axis: its slope depends on both places.
        curvature = np.append(self.length_scale**-2, 0.0)[left_axis]
        product += np.where(left_axis[:, None] == right_axis, curvature[:, None], 0)
        return kernel * product
