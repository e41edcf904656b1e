"""How far two attributions of the same rows agree, and how sparse one is."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(one, other):
    """Correlate the ranks of sizes, row by row (Spearman).

    Parameters
    ----------
    one, other : ndarray of shape (n, d)
        Attributions; their signs are left aside.

    Returns
    -------
    ndarray of shape (n,)
        nan where a row has one size only.
    """
    ranks = np.stack([rankdata(np.abs(values), axis=1) for values in (one, other)])
    ranks -= ranks.mean(axis=2, keepdims=True)
    covariance = (ranks[0] * ranks[1]).sum(axis=1)
    scale = np.sqrt(np.prod((ranks**2).sum(axis=2), axis=0))
    return np.divide(covariance, scale, out=np.full(len(scale), np.nan), where=scale > 0)


def top_overlap(one, other, k):
    """Share of the k largest features that two attributions have in common, row by row.

    Parameters
    ----------
    one, other : ndarray of shape (n, d)
    k : int

    Returns
    -------
    ndarray of shape (n,)
        Chance gives k / d.
    """
    tops = []
    for values in (one, other):
        order = np.argsort(-np.abs(values), axis=1, kind="stable")
        top = np.zeros(values.shape, dtype=bool)
        np.put_along_axis(top, order[:, :k], True, axis=1)
        tops.append(top)
    return (tops[0] & tops[1]).sum(axis=1) / k


def share_of_features(values, held=0.9):
    """Share of the features that hold most of an attribution, row by row: small is sparse.

    Parameters
    ----------
    values : ndarray of shape (n, d)
    held : float, default=0.9
        Which share of the sum of sizes they hold.

    Returns
    -------
    ndarray of shape (n,)
    """
    sizes = np.sort(np.abs(values), axis=1)[:, ::-1].cumsum(axis=1)
    n_needed = (sizes < held * sizes[:, -1:] * (1 - 1e-9)).sum(axis=1) + 1
    return n_needed / values.shape[1]
