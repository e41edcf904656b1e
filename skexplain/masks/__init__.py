"""The meaning of a mask, and builders that make masks from annotations.

A builder marks what was drawn or named; what a mark says is the estimators' ``mask_marks``.  All
builders return arrays that ``fit(mask=...)`` takes, with NaN for what is not annotated.

Drawn on images
    :func:`mask_from_boxes`, :func:`mask_from_polygons`, :func:`mask_from_labels`
In files
    :func:`read_annotations` for what annotation tools export, :func:`write_annotations` for the
    way back; :func:`mask_from_folder`, :func:`mask_from_coco`; :func:`decode_rle`,
    :func:`encode_rle`
Names
    :func:`mask_from_columns`, :func:`mask_from_words`
Spans of texts
    :func:`read_spans` for what annotation tools export, :func:`mask_from_spans` for tokens;
    :func:`combine_spans`, :func:`span_agreement` for several people
From masks to masks
    :func:`resize_mask`, :func:`union_masks`, :func:`invert_mask`
Summary
    :func:`mask_coverage`
Where pictures lie on the grid of X
    :class:`ImageGeometry`
The meaning, for authors of estimators
    :func:`interpret_mask`, :class:`Masks`
"""

from ._annotations import read_annotations, write_annotations
from ._build import mask_from_boxes, mask_from_polygons
from ._coco import mask_from_coco
from ._columns import mask_from_columns, mask_from_words
from ._combine import (
    MaskCoverage,
    invert_mask,
    mask_coverage,
    pool_masks,
    resize_mask,
    union_masks,
)
from ._files import mask_from_folder
from ._geometry import ImageGeometry
from ._label_images import mask_from_labels
from ._meaning import Masks, interpret_mask
from ._run_lengths import decode_rle, encode_rle
from ._spans import combine_spans, mask_from_spans, read_spans, span_agreement

__all__ = [
    "ImageGeometry",
    "MaskCoverage",
    "Masks",
    "combine_spans",
    "decode_rle",
    "encode_rle",
    "interpret_mask",
    "invert_mask",
    "mask_coverage",
    "mask_from_boxes",
    "mask_from_coco",
    "mask_from_columns",
    "mask_from_folder",
    "mask_from_labels",
    "mask_from_polygons",
    "mask_from_spans",
    "mask_from_words",
    "pool_masks",
    "read_annotations",
    "read_spans",
    "resize_mask",
    "span_agreement",
    "union_masks",
    "write_annotations",
]
