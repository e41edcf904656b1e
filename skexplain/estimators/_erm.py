"""The baseline: empirical risk minimisation."""

from ._classifier import BaseExplanationClassifier
from ._regressor import BaseExplanationRegressor


class ERMClassifier(BaseExplanationClassifier):
    """Classifier that learns from labels alone.

    The baseline of every comparison: the same network and engine as the other estimators.  A mask
    is checked and then ignored, so that it drops into their place.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : Penalises input gradients at irrelevant features.
    PGDExClassifier : Trains on the worst perturbation of irrelevant features.
    TwoStageExplanationClassifier : Teaches a mapping layer with masked samples.

    References
    ----------
    .. [1] V. Vapnik (1991). Principles of Risk Minimization for Learning Theory. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skexplain import ERMClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = ERMClassifier(max_epochs=50, random_state=0).fit(X, y)
    >>> clf.score(X, y) > 0.9
    True
    """


class ERMRegressor(BaseExplanationRegressor):
    """Regressor that learns from targets alone.

    The baseline of every comparison, by squared error.  A mask is checked and then ignored, so that
    it drops into the place of the other regressors.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegRegressor : Penalises input gradients at irrelevant features.
    SwapExRegressor : Exchanges irrelevant features between samples.

    References
    ----------
    .. [1] V. Vapnik (1991). Principles of Risk Minimization for Learning Theory. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skexplain import ERMRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = ERMRegressor(max_epochs=30, random_state=0).fit(X, y)
    >>> reg.score(X, y) > 0.4
    True
    """
