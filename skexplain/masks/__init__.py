"""The meaning of a mask."""

from ._meaning import Masks, interpret_mask
from ._shapes import legal_shapes

__all__ = ["Masks", "interpret_mask", "legal_shapes"]
