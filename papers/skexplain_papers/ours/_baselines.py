"""Baselines that use labels, groups or environments instead of masks."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skexplain.penalties import Penalty


class JustTrainTwice(ClassifierMixin, BaseEstimator):
    """Train a little, then again with a larger weight on what was misclassified (JTT).

    Parameters
    ----------
    estimator : estimator
        With ``max_epochs``; takes ``sample_weight``.
    first_epochs : int, default=5
        Of the first fit.
    weight : float, default=10.0
        Of samples that it misclassifies; 1 of the others.

    References
    ----------
    .. [1] E. Z. Liu et al. (2021). Just Train Twice: Improving Group Robustness without Training
       Group Information. ICML.
    """

    def __init__(self, estimator, first_epochs=5, weight=10.0):
        self.estimator = estimator
        self.first_epochs = first_epochs
        self.weight = weight

    def fit(self, X, y):
        """Fit twice."""
        first = clone(self.estimator).set_params(max_epochs=self.first_epochs).fit(X, y)
        self.misclassified_ = first.predict(X) != y
        weight = np.where(self.misclassified_, self.weight, 1.0)
        self.estimator_ = clone(self.estimator).fit(X, y, sample_weight=weight)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        """Predict classes by the second fit."""
        return self.estimator_.predict(X)


class LastLayer(ClassifierMixin, BaseEstimator):
    """Logistic regression on the features of a fitted network.

    Parameters
    ----------
    estimator : estimator
        Whose network has ``features``; fitted first, and then frozen.
    balanced : bool, default=False
        Whether all groups have the same total weight, as in deep feature reweighting (DFR), which
        takes held-out samples where there are enough; False: a linear probe.

    References
    ----------
    .. [1] P. Kirichenko, P. Izmailov, A. G. Wilson (2023). Last Layer Re-Training is Sufficient for
       Robustness to Spurious Correlations. ICLR.
    """

    def __init__(self, estimator, balanced=False):
        self.estimator = estimator
        self.balanced = balanced

    def fit(self, X, y, group_labels=None):
        """Fit the network on labels, then the last layer."""
        self.estimator_ = clone(self.estimator).fit(X, y)
        weight = group_balance(group_labels) if self.balanced else None
        features = self._features(X)
        self.scaler_ = StandardScaler().fit(features)
        self.head_ = LogisticRegression(C=0.1, max_iter=1000)
        self.head_.fit(self.scaler_.transform(features), y, sample_weight=weight)
        self.classes_ = self.head_.classes_
        return self

    def predict(self, X):
        """Predict classes by the last layer."""
        return self.head_.predict(self.scaler_.transform(self._features(X)))

    def _features(self, X):
        with torch.no_grad():
            rows = torch.as_tensor(np.asarray(X, dtype=np.float32))
            return self.estimator_.module_.features(rows).flatten(1).numpy()


def group_balance(groups):
    """Return weights with a mean of 1 under which all groups have the same total.

    Parameters
    ----------
    groups : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    codes, counts = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    return len(codes) / len(counts) / counts[codes]


class InvariantRiskPenalty(Penalty):
    r"""Squared derivative of the risk of an environment by a scale of the logits (IRMv1).

    Environments are the groups of the samples.  Each sample has the value of its environment in the
    batch, so that the mean is that over environments by their share in it.

    References
    ----------
    .. [1] M. Arjovsky, L. Bottou, I. Gulrajani, D. Lopez-Paz (2019). Invariant Risk Minimization.
       arXiv 1907.02893.
    """

    reads_logits = True

    def applies_to(self, masks):
        """All samples, whatever their masks are."""
        return np.ones_like(masks.annotated)

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the penalty, shape (n_samples,)."""
        return self._of_logits(module(rows.x), rows)

    def at_point(self, point, rows):
        """Compute the penalty from logits at the samples."""
        return self._of_logits(point.logits, rows)

    def _of_logits(self, logits, rows):
        # The cross entropy of w z has the derivative sum_k p_k z_k - z_y at w = 1.
        derivative = (logits.softmax(1) * logits).sum(1) - logits.gather(1, rows.y[:, None])[:, 0]
        n_groups = int(rows.groups.max()) + 1
        zeros = derivative.new_zeros(n_groups)
        total = zeros.index_add(0, rows.groups, derivative)
        count = zeros.index_add(0, rows.groups, torch.ones_like(derivative))
        return (total / count.clamp_min(1)).square()[rows.groups]


class MixedRand:
    """The irrelevant features of another sample's image as it is (mixed-rand of ImageNet-9).

    Where the other sample's reasons lie at these places they are pasted, too.
    """

    needs_donors = True

    def __call__(self, rows, donors, generator):
        """Return the moved samples."""
        return rows.x.lerp(donors.x, rows.irrelevance.expand_as(rows.x))
