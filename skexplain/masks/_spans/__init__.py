"""Spans of texts: reading what annotation tools export, combining people, marking tokens."""

from ._agreement import span_agreement
from ._combine import combine_spans
from ._read import read_spans
from ._tokens import mask_from_spans

__all__ = ["combine_spans", "mask_from_spans", "read_spans", "span_agreement"]
