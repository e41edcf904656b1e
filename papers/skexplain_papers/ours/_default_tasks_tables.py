"""Tables of the panel: columns that leak the label."""

import numpy as np
from sklearn.datasets import load_breast_cancer

from skexplain.datasets import inject_leak, load_iris_cancer
from skexplain.studies import TestRows

from ._panel_task import BROKEN, CLEAN, PanelTask

_N_TRAIN, _N_TEST = 1500, 2000
_N_SOUND = 6
_N_SIDE_BY_SIDE = 50  # tumours of each class that `load_iris_cancer` has
_N_FLOWERS = 50  # of its samples, kept for the test
_AGREEMENT = 0.9
_CORRELATION = 0.9
_SHARES_MISSING = np.array([0.05, 0.8])  # of class 0, of class 1


def one_hot_leak(seed):
    """Two one-hot columns of a group that agrees with the label in 90 % of the samples.

    In the broken test it never agrees.
    """
    rng = np.random.RandomState(seed)
    X, y, X_test, y_test = _sound_table(rng)

    def with_group(X, y, agreement):
        group = np.where(rng.uniform(size=len(y)) < agreement, y, 1 - y)
        return np.column_stack([X, np.eye(2)[group]])

    return _table_task(
        with_group(X, y, _AGREEMENT),
        y,
        with_group(X, y, 0.5),
        [with_group(X_test, y_test, 0.0), with_group(X_test, y_test, _AGREEMENT)],
        y_test,
        n_marked=2,
    )


def continuous_leak(seed):
    """A column that correlates with the label, and in the broken test with the other one."""
    rng = np.random.RandomState(seed)
    X, y, X_test, y_test = _sound_table(rng)

    def leaked(X, y, correlation):
        return inject_leak(X, y, correlation=correlation, random_state=rng).data

    tests = [leaked(X_test, y_test, sign * _CORRELATION) for sign in (-1, 1)]
    return _table_task(leaked(X, y, _CORRELATION), y, leaked(X, y, 0.0), tests, y_test, n_marked=1)


def missing_indicator(seed):
    """A measurement that is mostly missing in class 1, and the indicator that says so.

    What is missing is filled with a value of another sample, so that the indicator alone leaks.  In
    the broken test it is missing in class 0.
    """
    rng = np.random.RandomState(seed)
    X, y, X_test, y_test = _sound_table(rng)

    def with_indicator(X, shares):
        missing = rng.uniform(size=len(X)) < shares
        filled = np.where(missing, rng.choice(X[~missing, 0], size=len(X)), X[:, 0])
        return np.column_stack([filled, X[:, 1:], missing])

    random = np.full(len(y), _SHARES_MISSING.mean())
    tests = [with_indicator(X_test, _SHARES_MISSING[labels]) for labels in (1 - y_test, y_test)]
    X_leaked = with_indicator(X, _SHARES_MISSING[y])
    return _table_task(X_leaked, y, with_indicator(X, random), tests, y_test, n_marked=1)


def regression_leak(seed):
    """A column that correlates with the number to predict, and in the broken test does not."""
    rng = np.random.RandomState(seed)
    weights = rng.standard_normal(_N_SOUND)

    def draw(n_rows):
        X = rng.standard_normal((n_rows, _N_SOUND))
        signal = X @ weights / np.linalg.norm(weights) + 0.5 * np.sin(2 * X[:, 0])
        return X, signal + rng.standard_normal(n_rows)

    def leaked(X, y, correlation):
        return inject_leak(X, y, correlation=correlation, random_state=rng).data

    (X, y), (X_test, y_test) = draw(_N_TRAIN), draw(_N_TEST)
    tests = [leaked(X_test, y_test, correlation) for correlation in (0.0, _CORRELATION)]
    X_leaked = leaked(X, y, _CORRELATION)
    return _table_task(X_leaked, y, leaked(X, y, 0.0), tests, y_test, n_marked=1, measure="r2")


def iris_cancer(seed):
    """Tumours beside flowers, which in the broken test are of the other kind.

    The test tumours are all that `load_iris_cancer` leaves out; their flowers are those of its test
    samples.
    """
    rng = np.random.RandomState(seed)
    data, cancer = load_iris_cancer(test_size=_N_FLOWERS, random_state=seed), load_breast_cancer()
    of_class = [np.flatnonzero(cancer.target == label)[_N_SIDE_BY_SIDE:] for label in (0, 1)]
    rows = np.sort(np.concatenate(of_class))
    y_test = cancer.target[rows]
    n_flowers = int(data.mask.sum())

    def test_rows(shown):
        flowers = [rng.choice(np.flatnonzero(data.target_test == label)) for label in shown]
        beside = data.data_test[flowers, :n_flowers]
        return TestRows(np.hstack([beside, cancer.data[rows]]), y_test)

    other = rng.permutation(len(data.data))
    return PanelTask(
        data.data,
        data.target,
        data.mask,
        {BROKEN: test_rows(1 - y_test), CLEAN: test_rows(y_test)},
        np.where(data.mask, data.data[other], data.data),
    )


def harmless_noise(seed):
    """A table with nothing wrong, and marks on a column of noise."""
    rng = np.random.RandomState(seed)
    X, y, X_test, y_test = _sound_table(rng)
    X, X_test = (np.column_stack([rows, rng.standard_normal(len(rows))]) for rows in (X, X_test))
    return PanelTask(X, y, _mark_last(X, 1), {CLEAN: TestRows(X_test, y_test)})


def _sound_table(rng):
    """Draw six columns that tell one of two classes weakly: training and test samples."""
    weights = rng.choice([-1, 1], size=_N_SOUND) * rng.uniform(0.2, 0.5, size=_N_SOUND)

    def draw(n_rows):
        X = rng.standard_normal((n_rows, _N_SOUND))
        probability = 1 / (1 + np.exp(-X @ weights))
        return X, (rng.uniform(size=n_rows) < probability).astype(int)

    return *draw(_N_TRAIN), *draw(_N_TEST)


def _table_task(X, y, X_without, tests, y_test, n_marked, measure="accuracy"):
    """Put together a task whose last columns are marked, of the tests "broken" and "clean"."""
    tests = {
        name: TestRows(rows, y_test) for name, rows in zip((BROKEN, CLEAN), tests, strict=True)
    }
    return PanelTask(X, y, _mark_last(X, n_marked), tests, X_without, measure=measure)


def _mark_last(X, n_marked):
    return np.arange(X.shape[1])[None] >= X.shape[1] - n_marked
