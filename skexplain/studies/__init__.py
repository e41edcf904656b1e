"""Experiments: estimators side by side, with the controls that make a gain believable."""

from ._catalogue import DATASETS, ESTIMATORS
from ._compare import compare, summarise
from ._report import format_table, plot_comparison, write_csv

__all__ = [
    "DATASETS",
    "ESTIMATORS",
    "compare",
    "format_table",
    "plot_comparison",
    "summarise",
    "write_csv",
]
