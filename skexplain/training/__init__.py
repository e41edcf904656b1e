"""The engine on skorch: data, networks, objective, schedules."""

from ..masks._statistics import InputStatistics, check_float32, measure_inputs
from ._architectures import build_network
from ._batches import TrainingData
from ._callbacks import TrainingProgress, stop_early
from ._label_losses import CrossEntropyLoss, FocalLoss, SquaredError
from ._net import ExplanationNet
from ._prepare import PrepareMappedModule, PrepareModule, module_factory
from ._random import Streams, deterministic_algorithms, isolated_random_state
from ._reductions import GroupDROReduction
from ._two_stage_net import TwoStageNet

__all__ = [
    "CrossEntropyLoss",
    "ExplanationNet",
    "FocalLoss",
    "GroupDROReduction",
    "InputStatistics",
    "PrepareMappedModule",
    "PrepareModule",
    "SquaredError",
    "Streams",
    "TrainingData",
    "TrainingProgress",
    "TwoStageNet",
    "build_network",
    "deterministic_algorithms",
    "check_float32",
    "isolated_random_state",
    "measure_inputs",
    "module_factory",
    "stop_early",
]
