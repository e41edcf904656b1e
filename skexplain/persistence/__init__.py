"""Model files that are safe to hand on, and ONNX for predictions without Python."""

from ._model_file import load, save
from ._onnx import export_onnx

__all__ = ["export_onnx", "load", "save"]
