"""Irrelevant copies of a number to predict: a case in which the weights are known."""

from numbers import Real

import numpy as np
from sklearn.utils import Bunch

from .._typing import Seed
from ._descr import read_descr
from ._random import check_size, private_random_state


def make_irrelevant_copies(
    n_samples: int = 1000,
    n_test: int = 1000,
    *,
    n_copies: int = 10,
    precision: float = 5.0,
    random_state: Seed = None,
) -> Bunch:
    """Make a regression problem with irrelevant copies of the number to predict.

    The setting of Proposition 1 of Heo et al. [1]_, in which the weights of a linear model that is
    fitted under noise on the copies are known: see Notes.

    Parameters
    ----------
    n_samples, n_test : int, default=1000
        Number of training and of test samples.
    n_copies : int, default=10
        Number D of columns that equal y.
    precision : float, default=5.0
        K, one over the variance of the measurement in the last column; above 0.
    random_state : int, RandomState instance or None, default=None
        Seeds the numbers.  None is fresh randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data, data_test : float ndarrays of shape (n, n_copies + 1)
            The copies and, last, the measurement.  In the test set the copies are those of an
            independent number.
        target, target_test : float ndarrays of shape (n,)
            The numbers to predict.
        mask, mask_test : bool ndarrays of shape (1, n_copies + 1)
            True for the copies: one mask for all samples.
        feature_names : list of str
            "copy_0" and so on, and "measurement".
        target_names : list of str
            "y".
        DESCR : str
            Recipe, licence and reference.

    Raises
    ------
    ValueError
        If a number is out of its range, or `random_state` cannot seed a RandomState.
    TypeError
        If a number is of the wrong type.

    Notes
    -----
    A linear model without intercept that minimises the squared error plus alpha times the squared
    error under normal noise of standard deviation epsilon on every copy has the weights

        w = 1 / (D + r K + r / Var(y)) on each copy, and r K w on the measurement,

    where r = alpha epsilon**2 / (1 + alpha).  With alpha = 1, epsilon = sqrt(2) and a wide prior of
    y they are 1 / (D + K) and K / (D + K), as in [1]_: with many copies they add up to one.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> from skexplain.datasets import make_irrelevant_copies
    >>> copies = make_irrelevant_copies(100, n_copies=3, random_state=0)
    >>> copies.data.shape, copies.mask
    ((100, 4), array([[ True,  True,  True, False]]))
    """
    check_size("n_samples", n_samples)
    check_size("n_test", n_test)
    check_size("n_copies", n_copies)
    if not isinstance(precision, Real) or not 0 < precision < np.inf:
        raise ValueError(f"precision must be a finite number above 0; got {precision!r}.")
    rng = private_random_state(random_state)
    target = rng.standard_normal(n_samples)
    target_test, other = rng.standard_normal((2, n_test))
    mask = np.arange(n_copies + 1)[None] < n_copies
    return Bunch(
        data=_add_measurement(target, target, n_copies, precision, rng),
        target=target,
        mask=mask,
        data_test=_add_measurement(other, target_test, n_copies, precision, rng),
        target_test=target_test,
        mask_test=mask.copy(),
        feature_names=[*(f"copy_{number}" for number in range(n_copies)), "measurement"],
        target_names=["y"],
        DESCR=read_descr(
            "irrelevant_copies",
            n_copies=n_copies,
            n_columns=n_copies + 1,
            precision=precision,
            n_samples=n_samples,
            n_test=n_test,
        ),
    )


def _add_measurement(
    copied: np.ndarray,
    target: np.ndarray,
    n_copies: int,
    precision: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return copies of one number beside a noisy measurement of another."""
    measurement = rng.normal(target, precision**-0.5)
    return np.column_stack([*[copied] * n_copies, measurement])
