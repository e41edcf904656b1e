"""Points in the plane: a label that one coordinate predicts robustly, and one drawn by curves."""

from typing import Literal

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._typing import Seed
from ._descr import read_descr
from ._random import check_size, private_random_state

_BAND_HEIGHTS = np.array([-20.0, 0.0, 20.0])
_BLOB_CENTRES = np.array([-2.0, 0.0, 2.0])
_BLOB_SD = 0.2
_MIDDLE_SHIFT = 1.2


_ROSS_2D_RECIPES = {
    2: """\
x1 and x2 are uniform in [-50, 50]. Class 1 is where x1**4 + x2**4 > 0.66 * 2 * 50**4 / 5, that is
0.66 times its mean; [1] takes the mean over the points that were drawn.""",
    3: """\
x1 and x2 are uniform in [0, 100]. Class 0 is where x1**2 + x2**2 > 7000 and 3 * x1 - 17 * x2 < 14;
elsewhere, class 1 is where x1**2.5 + 12 * sin(x2) < 50, x1 > 45 or x2 < 5 + x1 / 2; the rest is
class 2.""",
}


def make_two_bands(
    n_per_blob: int = 100, *, test_size: float = 0.2, random_state: Seed = None
) -> Bunch:
    """Make points in the plane whose label a large, irrelevant coordinate gives away.

    The two-dimensional example of Heo et al. [1]_: three bands of three blobs each.  Between the
    bands there are no points.  There a flat gradient at the points (Grad-Reg) says nothing, which
    is what [1]_ show with it.

    Parameters
    ----------
    n_per_blob : int, default=100
        Number of points in each of the nine blobs.
    test_size : float or int, default=0.2
        Share of the points, or number of points, in the test set.
    random_state : int, RandomState instance or None, default=None
        Seeds points and split.  None is fresh randomness that leaves numpy's global random state
        alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data, data_test : float ndarrays of shape (n, 2)
            Points.
        target, target_test : int ndarrays of shape (n,)
            1 in the middle band, 0 in the outer bands.
        mask, mask_test : bool ndarrays of shape (1, 2)
            True for the second coordinate: one mask for all samples.
        groups, groups_test : int ndarrays of shape (n,)
            Their groups: the labels [1]_.
        data_random, data_test_random : float ndarrays of shape (n, 2)
            The same points, each in a band drawn at random.
        feature_names : list of str
            "x1" and "x2".
        target_names : ndarray of str of shape (2,)
            The classes in words.
        DESCR : str
            Recipe, licence and reference.

    Raises
    ------
    ValueError
        If `n_per_blob` is below one, `test_size` leaves a set empty, or `random_state` cannot seed
        a RandomState.
    TypeError
        If `n_per_blob` is not an int.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller. "Use Perturbations when Learning from
       Explanations". NeurIPS 2023. https://arxiv.org/abs/2303.06419

    Examples
    --------
    >>> from skexplain.datasets import make_two_bands
    >>> bands = make_two_bands(random_state=0)
    >>> bands.data.shape, bands.data_test.shape, bands.mask
    ((720, 2), (180, 2), array([[False,  True]]))
    """
    check_size("n_per_blob", n_per_blob)
    rng = private_random_state(random_state)
    band, blob = (index.ravel() for index in np.indices((3, 3)).repeat(n_per_blob, axis=2))
    target = (band == 1).astype(int)
    x1 = rng.normal(_BLOB_CENTRES[blob] + _MIDDLE_SHIFT * target, _BLOB_SD)
    points = np.column_stack([x1, _BAND_HEIGHTS[band]])
    moved = np.column_stack([x1, _BAND_HEIGHTS[rng.randint(3, size=len(points))]])
    data, data_test, data_random, data_test_random, target, target_test = train_test_split(
        points, moved, target, test_size=test_size, random_state=rng
    )
    return Bunch(
        data=data,
        target=target,
        mask=np.array([[False, True]]),
        groups=target.copy(),
        data_test=data_test,
        target_test=target_test,
        mask_test=np.array([[False, True]]),
        groups_test=target_test.copy(),
        data_random=data_random,
        data_test_random=data_test_random,
        feature_names=["x1", "x2"],
        target_names=np.array(["outer bands", "middle band"]),
        DESCR=read_descr("two_bands", n_train=len(data), n_test=len(data_test)),
    )


def make_ross_2d(
    n_classes: Literal[2, 3] = 2,
    *,
    n_samples: int = 20_000,
    n_test: int = 5_000,
    random_state: Seed = None,
) -> Bunch:
    """Make points in the plane whose classes are parted by curves.

    The data with which Ross et al. [1]_ show that input gradients stand at right angles to the
    decision boundary.  Both coordinates matter: there is nothing to mask.

    Parameters
    ----------
    n_classes : {2, 3}, default=2
        Which of the two sets.
    n_samples : int, default=20000
        Number of training points; [1]_ draw 20,000 for two and 30,000 for three classes.
    n_test : int, default=5000
        Number of test points.
    random_state : int, RandomState instance or None, default=None
        Seeds the points.  None is fresh randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data, data_test : float ndarrays of shape (n, 2)
            Points, in [-50, 50] for two and in [0, 100] for three classes.
        target, target_test : int ndarrays of shape (n,)
            Their classes.
        mask, mask_test : bool ndarrays of shape (1, 2)
            False: both coordinates are reasons.
        feature_names : list of str
            "x1" and "x2".
        target_names : int ndarray of shape (n_classes,)
            The classes.
        DESCR : str
            Recipe, licence and reference.

    Raises
    ------
    ValueError
        If `n_classes` is neither 2 nor 3, a number of points is below one, or `random_state` cannot
        seed a RandomState.
    TypeError
        If a number of points is not an int.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371

    Examples
    --------
    >>> from skexplain.datasets import make_ross_2d
    >>> points = make_ross_2d(n_classes=3, n_samples=300, random_state=0)
    >>> points.data.shape, points.target_names
    ((300, 2), array([0, 1, 2]))
    """
    if not isinstance(n_classes, int) or n_classes not in (2, 3):
        raise ValueError(f"n_classes must be 2 or 3; got {n_classes!r}.")
    check_size("n_samples", n_samples)
    check_size("n_test", n_test)
    rng = private_random_state(random_state)
    low, high, classify = (-50, 50, _two_classes) if n_classes == 2 else (0, 100, _three_classes)
    data = rng.uniform(low, high, size=(n_samples, 2))
    data_test = rng.uniform(low, high, size=(n_test, 2))
    return Bunch(
        data=data,
        target=classify(*data.T),
        mask=np.zeros((1, 2), dtype=bool),
        data_test=data_test,
        target_test=classify(*data_test.T),
        mask_test=np.zeros((1, 2), dtype=bool),
        feature_names=["x1", "x2"],
        target_names=np.arange(n_classes),
        DESCR=read_descr(
            "ross_2d", recipe=_ROSS_2D_RECIPES[n_classes], n_samples=n_samples, n_test=n_test
        ),
    )


def _two_classes(x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    mean = 2 * 50**4 / 5  # of x1**4 + x2**4, both uniform in [-50, 50]
    return (x1**4 + x2**4 > 0.66 * mean).astype(int)


def _three_classes(x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
    first = (x1**2 + x2**2 > 7000) & (3 * x1 - 17 * x2 < 14)
    second = (x1**2.5 + 12 * np.sin(x2) < 50) | (x1 > 45) | (x2 < 5 + x1 / 2)
    return np.where(first, 0, np.where(second, 1, 2))
