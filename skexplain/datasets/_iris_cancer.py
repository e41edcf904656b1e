"""Iris-cancer: cancer data beside iris data that give the label away until they are removed."""

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch

from .._typing import Seed
from ._descr import read_descr
from ._random import private_random_state

_N_PER_CLASS = 50
_N_IRIS = 4


def load_iris_cancer(*, test_size: float = 0.33, random_state: Seed = None) -> Bunch:
    """Load tumours beside flowers: four columns predict the label and must not matter.

    Made from the files that scikit-learn ships; nothing is downloaded [1]_.

    Parameters
    ----------
    test_size : float or int, default=0.33
        Share of the 100 samples, or number of samples, in the test set.
    random_state : int, RandomState instance or None, default=None
        Seeds the split.  None is fresh randomness that leaves numpy's global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data, data_test : float ndarrays of shape (n, 34)
            Four iris and thirty cancer measurements, not scaled.
        target, target_test : int ndarrays of shape (n,)
            0 malignant, 1 benign.
        mask, mask_test : bool ndarrays of shape (1, 34)
            True for the iris columns: one mask for all samples.
        data_test_without : float ndarray of shape (n_test, 34)
            The test samples with the iris columns set to 0.
        feature_names : list of str
            Names of the 34 columns.
        target_names : ndarray of str of shape (2,)
            "malignant" and "benign".
        DESCR : str
            Recipe, sources, licences and reference.

    Raises
    ------
    ValueError
        If `test_size` leaves a set empty, or `random_state` cannot seed a RandomState.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371

    Examples
    --------
    >>> from skexplain.datasets import load_iris_cancer
    >>> cancer = load_iris_cancer(random_state=0)
    >>> cancer.data.shape, cancer.data_test.shape, cancer.mask.shape
    ((67, 34), (33, 34), (1, 34))
    >>> print(cancer.feature_names[3], "|", cancer.feature_names[4])
    petal width (cm) | mean radius
    """
    rng = private_random_state(random_state)
    iris, cancer = load_iris(), load_breast_cancer()
    flowers = np.concatenate([iris.data[iris.target == kind] for kind in (1, 2)])
    tumours = np.concatenate([cancer.data[cancer.target == kind][:_N_PER_CLASS] for kind in (0, 1)])
    data, data_test, target, target_test = train_test_split(
        np.hstack([flowers, tumours]),
        np.repeat([0, 1], _N_PER_CLASS),
        test_size=test_size,
        random_state=rng,
    )
    mask = np.arange(data.shape[1])[None] < _N_IRIS
    return Bunch(
        data=data,
        target=target,
        mask=mask,
        data_test=data_test,
        target_test=target_test,
        mask_test=mask.copy(),
        data_test_without=np.where(mask, 0, data_test),
        feature_names=[*iris.feature_names, *cancer.feature_names.tolist()],
        target_names=cancer.target_names,
        DESCR=read_descr("iris_cancer", n_train=len(data), n_test=len(data_test)),
    )
