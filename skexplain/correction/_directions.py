"""Directions of what must not matter, and the ways to take them out of features."""

from __future__ import annotations

import numpy as np
import scipy.linalg

# Share of the largest singular value below which a direction is rounding.
_RANK_TOLERANCE = 1e-6
# Weight of the identity in a covariance, so that it can be inverted with few samples.
_SHRINKAGE = 0.05


def leading_directions(differences: np.ndarray, n_most: int) -> np.ndarray:
    """Find the directions along which features move when irrelevant features are swapped.

    Parameters
    ----------
    differences : ndarray of shape (n_differences, n_channels)
        h(x) - h(swapped x).
    n_most : int
        How many at most.

    Returns
    -------
    ndarray of shape (n_channels, k)
        Right singular vectors, the leading one first; none where nothing moves.
    """
    n_differences, n_channels = differences.shape
    # Of the smaller of the two matrices of products.
    is_wide = n_differences < n_channels
    products = differences @ differences.T if is_wide else differences.T @ differences
    size = len(products)
    values, vectors = scipy.linalg.eigh(products, subset_by_index=[max(0, size - n_most), size - 1])
    singular = np.sqrt(np.maximum(values[::-1], 0))
    found = vectors[:, ::-1][:, singular > _RANK_TOLERANCE * singular[0]]
    if not singular[0]:
        return np.zeros((n_channels, 0))
    if is_wide:
        found = differences.T @ found / singular[: found.shape[1]]
    return found


def whitening(features: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Return the inverse square root of the covariance of features, shrunk a little.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_channels)
    weight : ndarray of shape (n_samples,) or None, default=None
        How often each counts; None: all alike.

    Returns
    -------
    ndarray of shape (n_channels, n_channels)
    """
    n_samples, n_channels = features.shape
    if weight is None:
        centred = (features - features.mean(0)) / np.sqrt(n_samples)
    else:
        share = weight / weight.sum()
        centred = (features - share @ features) * np.sqrt(share)[:, None]
    # The shrunk covariance is alike in all directions but those of the samples.
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    variances = (1 - _SHRINKAGE) * singular**2
    rest = _SHRINKAGE * ((singular**2).sum() / n_channels or 1.0)
    scales = 1 / np.sqrt(variances + rest) - 1 / np.sqrt(rest)
    return np.eye(n_channels) / np.sqrt(rest) + (vectors.T * scales) @ vectors


class NothingLeft(ValueError):
    """No direction is left beside those that are kept."""


def readout(
    directions: np.ndarray, whiten: np.ndarray | None = None, kept: np.ndarray | None = None
) -> np.ndarray:
    r"""Return M of the projection :math:`I - V M^T` that takes directions V out of features.

    Of all with :math:`M^T V = I`: without a whitening the orthogonal one; with it the one that
    changes features least in their Mahalanobis distance (LEACE of Belrose et al. 2023); and with
    `kept` the one that changes them least among those that leave these vectors as they are (SPLINCE
    of Holstege et al. 2025).

    Parameters
    ----------
    directions : ndarray of shape (n_channels, k)
        V, orthonormal.
    whiten : ndarray of shape (n_channels, n_channels) or None, default=None
        From :func:`whitening`.
    kept : ndarray of shape (n_channels, m) or None, default=None
        Vectors that are kept: covariances of the features with targets.

    Returns
    -------
    ndarray of shape (n_channels, k)

    Raises
    ------
    NothingLeft
        If there are not so many channels as vectors to take out and vectors to keep, or the former
        lie among the latter.
    """
    if whiten is None:
        return directions
    a = whiten @ directions
    rest = a
    if kept is not None:
        basis = _orthonormal(whiten @ kept)
        room = len(directions) - basis.shape[1]
        if directions.shape[1] > room:
            raise NothingLeft(
                f'n_directions must be at most {room} with method="oblique" and labels at features '
                f"of {len(directions)} channels, which keep their covariance with the classes; got "
                f"{directions.shape[1]}."
            )
        rest = a - basis @ (basis.T @ a)
        spans = np.linalg.svd(rest, compute_uv=False)
        if spans.min() <= _RANK_TOLERANCE * np.linalg.norm(a, axis=0).max():
            raise NothingLeft(
                f'n_directions must be smaller with method="oblique" here: of the '
                f"{directions.shape[1]} directions to take out some lie among those that predict "
                f"the classes, which it keeps."
            )
    return whiten @ np.linalg.solve((a.T @ rest).T, rest.T).T


def _orthonormal(vectors: np.ndarray) -> np.ndarray:
    left, singular, _ = np.linalg.svd(vectors, full_matrices=False)
    return left[:, singular > _RANK_TOLERANCE * singular.max(initial=0)]


def target_covariance(
    features: np.ndarray, codes: np.ndarray, n_classes: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Return the covariance of features with the indicator of each class.

    Parameters
    ----------
    features : ndarray of shape (n_samples, n_channels)
    codes : ndarray of int of shape (n_samples,)
    n_classes : int
    weight : ndarray of shape (n_samples,) or None, default=None
        How often each counts; None: all alike.

    Returns
    -------
    ndarray of shape (n_channels, n_classes)
    """
    indicators = np.eye(n_classes)[codes]
    if weight is not None:
        share = (weight / weight.sum())[:, None]
        centred = share * (features - (share * features).sum(0))
        return centred.T @ (indicators - (share * indicators).sum(0))
    centred = features - features.mean(0)
    return centred.T @ (indicators - indicators.mean(0)) / len(features)
