"""What annotation tools write: one file per format, one intermediate form, one way to draw it."""

from ._read import read_annotations
from ._write import write_annotations

__all__ = ["read_annotations", "write_annotations"]
