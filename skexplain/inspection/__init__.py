"""Looking at fitted models: at what they look, and what no change of irrelevant features can do."""

from ..estimators._largest_gradients import largest_gradient_mask
from ._certificates import certified_accuracy, predict_bounds

__all__ = ["certified_accuracy", "largest_gradient_mask", "predict_bounds"]
