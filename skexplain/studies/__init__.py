"""Experiments: estimators side by side, with the controls that make a gain believable.

Comparisons in a minute
-----------------------
compare, summarise
    Train estimators by name, or your own, on the same splits, and sum up.
format_table, plot_comparison
    Show what was found.

Studies that can be stopped and go on
-------------------------------------
list_studies, get_study
    What is installed.
run_study, load_results
    Compute what is missing, and read what is there.
write_report, write_markdown
    One HTML page about several, and a page of Markdown about one.
Study, Cell, StudyResults, Table
    What a study declares, a unit of its work, its rows, and what they show.
TrialStudy, Task, TestRows
    Template for methods that are held against their controls, and its data.

`skexplain.studies.tools` has the parts that studies are made of.
"""

# With "as": what the command needs, and no part of the public surface.
from ._all_studies import get_study, list_studies
from ._catalogue import DATASETS as DATASETS
from ._catalogue import ESTIMATORS as ESTIMATORS
from ._compare import compare, summarise
from ._report import format_table, plot_comparison
from ._report import write_csv as write_csv
from ._results import StudyResults
from ._runner import StudyError, load_results, run_study
from ._study import Cell, Study
from ._study_report import write_markdown, write_report
from ._table import Table
from ._trial import Task, TestRows
from ._trial_study import TrialStudy

__all__ = [
    "Cell",
    "Study",
    "StudyError",
    "StudyResults",
    "Table",
    "Task",
    "TestRows",
    "TrialStudy",
    "compare",
    "format_table",
    "get_study",
    "list_studies",
    "load_results",
    "plot_comparison",
    "run_study",
    "summarise",
    "write_markdown",
    "write_report",
]
