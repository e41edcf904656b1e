"""Any estimator of scikit-learn's kind, fitted on samples with the irrelevant part of others."""

from __future__ import annotations

import numpy as np
from sklearn.base import is_classifier, is_regressor

from ._base import BaseSwapAugmented
from ._texts import with_shared_texts


@with_shared_texts
class SwapAugmentedClassifier(BaseSwapAugmented):
    """Fit any classifier on samples whose irrelevant part comes from other samples.

    The classifier needs to know nothing of masks: gradient boosting, a forest, a pipeline of
    encoders.  Each sample with something irrelevant is replaced by `n_copies` copies, in which the
    irrelevant part is that of another sample, so that it says nothing about the label any more;
    together they weigh as the one sample.  The rules of the swap are those of
    :class:`~skexplain.SwapExClassifier`.

    The mask lies over the columns of X as it is: a DataFrame with categories, text and missing
    values (entries are exchanged as they are), a sparse matrix, images, lists of tokens.

    Parameters
    ----------
    estimator : classifier
        What is fitted; a clone, the estimator itself stays as it is.
    n_copies : int, default=3
        Copies of each sample that a swap may change.  One leaves more to chance in small data; more
        than three cost time, and accuracy where leaves of trees are bounded by numbers of samples,
        since copies count there as samples.
    %(mode)s
    %(mask_marks)s
    %(exchange)s
    %(pad_id)s
    %(random_state)s

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    %(fitted)s

    See Also
    --------
    SwapAugmentedRegressor : The same for regression.
    swapped_copies : The samples alone, for any library.
    skexplain.SwapExClassifier : A network that draws the swap anew at each step.

    Notes
    -----
    Where masks lie on less than half of the samples, by weight, these are weighed up to half of
    all, since the others go on to reward the shortcut.  An estimator whose `fit` takes no
    ``sample_weight`` sees every sample as often as the most copied one instead.

    "balanced" class weights of the estimator are those of the samples, not of the copies.  A search
    belongs around this estimator, not inside: inside, copies of one sample would be in several
    folds.  So would they be in the validation set of an early stopping of the estimator's own.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> from skexplain.correction import SwapAugmentedClassifier
    >>> X = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0] * 5, "ward": ["A", "A", "B", "B"] * 5})
    >>> y = [0, 0, 1, 1] * 5
    >>> encode = make_column_transformer((OneHotEncoder(), ["ward"]), remainder="passthrough")
    >>> clf = SwapAugmentedClassifier(make_pipeline(encode, LogisticRegression()), random_state=0)
    >>> clf = clf.fit(X, y, mask=X.columns.to_numpy()[None] == "ward")
    >>> moved = X.assign(ward=["B", "B", "A", "A"] * 5)
    >>> clf.score(X, y), clf.score(moved, y)
    (1.0, 1.0)
    """

    _kind = (is_classifier, "classifier")

    @property
    def classes_(self) -> np.ndarray:
        """Class labels."""
        return self.estimator_.classes_


@with_shared_texts
class SwapAugmentedRegressor(BaseSwapAugmented):
    """Fit any regressor on samples whose irrelevant part comes from other samples.

    As :class:`SwapAugmentedClassifier`, for regression.

    Parameters
    ----------
    estimator : regressor
        What is fitted; a clone, the estimator itself stays as it is.
    n_copies : int, default=3
        Copies of each sample that a swap may change.
    %(mode)s
    %(mask_marks)s
    %(exchange)s
    %(pad_id)s
    %(random_state)s

    Attributes
    ----------
    estimator_ : estimator
        The fitted regressor.
    %(fitted)s

    See Also
    --------
    SwapAugmentedClassifier : The same for classification.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skexplain.correction import SwapAugmentedRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2))
    >>> y = X[:, 0] + rng.normal(size=500)
    >>> X[:, 1] = y  # predicts the target
    >>> reg = SwapAugmentedRegressor(LinearRegression(), random_state=0)
    >>> reg.fit(X, y, mask=[[0, 1]]).estimator_.coef_.round(1) + 0
    array([1., 0.])
    """

    _kind = (is_regressor, "regressor")
