"""A cross-validator for studies of sample size and class imbalance."""

from collections.abc import Iterator, Mapping
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseShuffleSplit
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d

from .._checks import as_array, check_count
from .._typing import Seed
from ..estimators._parameters import root_seed

ClassRatio: TypeAlias = float | Mapping[Any, float] | Literal["balanced"] | None


class SubsampleSplit(BaseShuffleSplit):
    """Draw small training sets of a given class ratio, each with a test set disjoint from it.

    A study of thirty trials of fifty images, one in ten positive, is one call of
    :func:`~sklearn.model_selection.cross_validate` with this as `cv`.

    Parameters
    ----------
    train_size : int or float
        Training samples of a split: a number, or a share of all samples.
    class_ratio : float, dict, "balanced" or None, default=None
        Shape of the training side:

        - a float between 0 and 1: share of the second of two classes in sorted order, the positive
          one, so 0.1 is 1:9;
        - a dict: a positive weight per class;
        - "balanced": all classes alike;
        - None: as in the data.

        Counts are rounded by largest remainders, and no class is left out: ten samples at 1:9 have
        one positive.
    n_splits : int, default=10
        Number of splits, drawn independently.
    test_size : int, float or None, default=None
        Test samples of a split.  None takes as many of the samples that are left as the ratio
        allows.
    test_class_ratio : float, dict, "balanced" or None, default="balanced"
        Shape of the test side, as for `class_ratio`.  Balanced by default, also where training is
        not: the accuracy of a model that ignores the rare class is then one half.
    random_state : int, RandomState instance or None, default=None
        Seeds the draws.  An int gives the same splits at each call.  None is fresh randomness and
        leaves numpy's global random state alone.

    Raises
    ------
    ValueError
        By ``split``: if an argument is not legal or the classes have too few samples.

    Notes
    -----
    For a seed and split, samples of a class stand in one random order, from whose front the
    training samples are taken and from whose end the test samples.  So, of two classes at an equal
    class ratio, a larger training set contains the smaller ones, and with `test_size` given all
    sizes are tested on the same samples: differences between sizes are paired.  Of three classes or
    more, rounding may take a sample from a class as the size grows by one; sizes at which the
    shares are whole numbers of samples are free of that.

    With metadata routing on, or without it through ``params``, masks are sliced with the samples::

        cross_validate(clf, X, y, cv=SubsampleSplit(50), params={"mask": mask})

    Imbalanced training beside a balanced test is the design of Tao and Shokri [1]_.

    References
    ----------
    .. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.model_selection import SubsampleSplit
    >>> y = np.repeat(["cat", "fox"], 100)
    >>> splitter = SubsampleSplit(10, class_ratio=0.1, n_splits=2, random_state=0)
    >>> for train, test in splitter.split(np.zeros((200, 2)), y):
    ...     print(np.unique(y[train], return_counts=True)[1], len(test))
    [9 1] 182
    [9 1] 182
    """

    def __init__(
        self,
        train_size: int | float,
        *,
        class_ratio: ClassRatio = None,
        n_splits: int = 10,
        test_size: int | float | None = None,
        test_class_ratio: ClassRatio = "balanced",
        random_state: Seed = None,
    ) -> None:
        self.train_size = train_size
        self.class_ratio = class_ratio
        self.n_splits = n_splits
        self.test_size = test_size
        self.test_class_ratio = test_class_ratio
        self.random_state = random_state

    def split(
        self, X: Any, y: ArrayLike, groups: object = None
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Generate sample indices of training and test sets.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Inputs; their number counts.
        y : array-like of shape (n_samples,)
            Class labels.
        groups : object, default=None
            Ignored, for scikit-learn's sake.

        Yields
        ------
        train : ndarray of int of shape (n_train,)
        test : ndarray of int of shape (n_test,)
            Both in random order.
        """
        yield from super().split(X, y)

    def _iter_indices(
        self, X: Any, y: ArrayLike | None = None, groups: object = None
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        classes, members = _members(y)
        available = np.array([len(rows) for rows in members])
        n_train, n_test = self._counts(classes, available)
        rng = np.random.RandomState(root_seed(self.random_state) % 2**32)
        check_count("n_splits", self.n_splits)
        for _ in range(self.n_splits):
            shuffled = [rng.permutation(rows) for rows in members]
            train = [rows[:k] for rows, k in zip(shuffled, n_train, strict=True)]
            test = [rows[len(rows) - k :] for rows, k in zip(shuffled, n_test, strict=True)]
            # One draw whatever the sizes: the next split does not depend on them.
            order = np.random.RandomState(rng.randint(2**31 - 1))
            yield order.permutation(np.concatenate(train)), order.permutation(np.concatenate(test))

    def _counts(
        self, classes: list[Any], available: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the samples per class on both sides."""
        n_rows = available.sum()
        shares = _shares("class_ratio", self.class_ratio, classes, available)
        n_train = _round(
            _check_size("train_size", self.train_size, n_rows), shares, "train_size", classes
        )
        _check_enough("train_size", n_train, available, classes)
        left = available - n_train
        shares = _shares("test_class_ratio", self.test_class_ratio, classes, available)
        if self.test_size is None:
            if not left.all():
                raise ValueError(
                    f"train_size={self.train_size} leaves no sample of class "
                    f"{classes[left.argmin()]!r} for the test set."
                )
            n_test = np.maximum(1, np.floor(shares * (left / shares).min() + 1e-9).astype(int))
        else:
            size = _check_size("test_size", self.test_size, n_rows)
            n_test = _round(size, shares, "test_size", classes)
            _check_enough("test_size", n_test, left, classes)
        return n_train, n_test


def _members(y: ArrayLike | None) -> tuple[list[Any], list[NDArray[Any]]]:
    """Return the classes, sorted, and the sample indices of each."""
    if y is None:
        raise ValueError("y must hold class labels, got None.")
    y = column_or_1d(as_array("y", y))
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise ValueError(f"y must hold class labels, got a target of type {kind!r}.")
    classes, codes = np.unique(y, return_inverse=True)
    return classes.tolist(), [np.flatnonzero(codes == code) for code in range(len(classes))]


def _check_size(name: str, size: Any, n_rows: int) -> int:
    """Return a number of samples."""
    is_whole, is_real = isinstance(size, Integral), isinstance(size, Real)
    if is_whole and not isinstance(size, bool) and 1 <= size <= n_rows:
        return int(size)
    if is_real and not is_whole and 0 < size < 1:
        return max(1, round(size * n_rows))
    raise ValueError(
        f"{name} must be an integer from 1 to {n_rows} (n_samples), or a float in (0, 1); got "
        f"{size!r}."
    )


def _shares(
    name: str, ratio: Any, classes: list[Any], available: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the share of each class."""
    if ratio is None:
        return available / available.sum()
    if isinstance(ratio, str) and ratio == "balanced":
        return np.full(len(classes), 1 / len(classes))
    if isinstance(ratio, dict):
        return _shares_by_class(name, ratio, classes)
    is_real = isinstance(ratio, Real)
    if is_real and 0 < ratio < 1:
        if len(classes) != 2:
            raise ValueError(
                f"{name} may be a float for two classes only, got {ratio} for {len(classes)} "
                f"classes: pass a dict with a weight per class."
            )
        return np.array([1 - ratio, ratio])
    raise ValueError(
        f'{name} must be a float between 0 and 1, a dict with a weight per class, "balanced" or '
        f"None; got {ratio!r}."
    )


def _shares_by_class(name: str, ratio: dict[Any, Any], classes: list[Any]) -> NDArray[np.float64]:
    are_real = all(isinstance(weight, Real) for weight in ratio.values())
    legal = are_real and all(0 < weight < np.inf for weight in ratio.values())
    if set(ratio) != set(classes) or not legal:
        raise ValueError(
            f"{name} must give a positive weight to each of the classes {classes}; got {ratio!r}."
        )
    weights = np.array([ratio[label] for label in classes], dtype=float)
    return weights / weights.sum()


def _round(size: int, shares: NDArray[np.float64], name: str, classes: list[Any]) -> NDArray[Any]:
    """Share samples out by largest remainders, at least one to each class."""
    if size < len(shares):
        raise ValueError(
            f"{name} must be at least {len(shares)}, one for each of the classes {classes}; got "
            f"{size}."
        )
    # Classes that would get less than a sample get one; the others share what is left.
    rare = np.zeros(len(shares), dtype=bool)
    while True:
        exact = np.where(rare, 1.0, shares * (size - rare.sum()) / shares[~rare].sum())
        if not (exact < 1 - 1e-9).any():
            break
        rare |= exact < 1 - 1e-9
    counts = np.floor(exact + 1e-9).astype(int)
    missing = size - counts.sum()
    counts[np.argsort(-(exact - counts), kind="stable")[:missing]] += 1
    return counts


def _check_enough(
    name: str, wanted: NDArray[Any], available: NDArray[Any], classes: list[Any]
) -> None:
    short = np.flatnonzero(wanted > available)
    if len(short):
        worst = short[0]
        raise ValueError(
            f"{name} and its class ratio need {wanted[worst]} samples of class {classes[worst]!r}, "
            f"but there are {available[worst]}"
            f"{' beside the training samples' if name == 'test_size' else ''}."
        )
