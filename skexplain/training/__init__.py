"""The engine: what trains a network on an objective with masks, and the built-in networks."""

from ..masks._statistics import InputStatistics, measure_inputs
from ._architectures import build_network
from ._heads import replace_head
from ._pretrained import PretrainedNetwork
from ._trainer import Trainer

__all__ = [
    "InputStatistics",
    "PretrainedNetwork",
    "Trainer",
    "build_network",
    "measure_inputs",
    "replace_head",
]
