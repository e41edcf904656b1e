"""Questions that the papers leave open."""

from ._annotation_budget import AnnotationBudget
from ._defaults import Defaults
from ._irrelevant_dimension import IrrelevantDimension
from ._leaves import Leaves
from ._mask_quality import MaskQuality
from ._successors import Successors

STUDIES = (
    AnnotationBudget(),
    MaskQuality(),
    IrrelevantDimension(),
    Defaults(),
    Leaves(),
    Successors(),
)
