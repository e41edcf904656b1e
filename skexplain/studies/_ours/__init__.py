"""Questions that the papers leave open."""

from ._annotation_budget import AnnotationBudget

STUDIES = (AnnotationBudget(),)
