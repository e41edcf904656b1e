"""What an audit found: numbers, and pages and pictures made of them."""

import html
from pathlib import Path

from sklearn.utils import Bunch

from ._audit_pictures import draw_examples, draw_features, draw_groups, draw_noise
from ._html import data_url, html_page

# Name, label and meaning of each number, in the order in which they are shown.
_NUMBERS = {
    "n_rows": ("rows", "rows of X"),
    "n_annotated": ("annotated rows", "rows with a mask; what follows the accuracy is of these"),
    "irrelevant_share": ("irrelevant share", "share of the features of a row that is irrelevant"),
    "accuracy": ("accuracy", "of all rows as they are"),
    "accuracy_annotated": ("accuracy, annotated", "of the annotated rows as they are"),
    "accuracy_after_swap": (
        "accuracy after a swap",
        "each row with the irrelevant features of another row",
    ),
    "lost_by_swap": ("lost by the swap", "the difference; 0 is right"),
    "lost_by_swap_se": ("… its standard error", "rows paired"),
    "flips_by_swap": ("flips by the swap", "share of predictions that change; 0 is right"),
    "accuracy_after_erasure": (
        "accuracy after erasure",
        "irrelevant features set to the mean of the others (a table: of the column)",
    ),
    "lost_by_erasure": ("lost by erasure", "the difference; 0 is right"),
    "lost_by_erasure_se": ("… its standard error", "rows paired"),
    "flips_by_erasure": ("flips by erasure", "share of predictions that change; 0 is right"),
    "accuracy_noise_on_irrelevant": (
        "accuracy, noise on irrelevant features",
        "Gaussian noise of one standard deviation",
    ),
    "accuracy_noise_on_core": ("accuracy, noise on all others", "the same on the other features"),
    "relative_core_sensitivity": (
        "relative core sensitivity",
        "from both; 1: the core alone decides, -1: the irrelevant features do",
    ),
    "irrelevant_saliency_mass": (
        "saliency on irrelevant features",
        "share of the input gradient; spread evenly it is the irrelevant share",
    ),
    "wrong_reason_share": (
        "wrong reasons",
        "share of the irrelevant features that the input gradient lights up",
    ),
    "certified_accuracy": ("certified accuracy", "right, whatever irrelevant features change to"),
    "mean_group_accuracy": ("mean over groups", "accuracy, groups weighted alike"),
    "worst_group_accuracy": ("worst group", "accuracy of the worst group"),
}
_ANSWERS = {
    "leans": ("It leans on what it must not.", "#D55E00"),
    "does not lean": ("No sign that it leans on what it must not.", "#0072B2"),
    "unclear": ("Unclear: too few annotated rows to tell.", "#767676"),
}
_STYLE = """\
.skexplain-audit { font: 15px/1.45 system-ui, sans-serif; max-width: 60rem; color: #1a1a1a;
  background: #fff; padding: 1rem; }
.skexplain-audit h1 { font-size: 1.3rem; margin: 0 0 .4rem; }
.skexplain-audit h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.skexplain-audit .verdict { border-left: .4rem solid; padding: .3rem .8rem; font-weight: 600; }
.skexplain-audit table { border-collapse: collapse; margin: 1rem 0; }
.skexplain-audit td, .skexplain-audit th { text-align: left; padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid #ddd; vertical-align: top; }
.skexplain-audit td.number { text-align: right; font-variant-numeric: tabular-nums; }
.skexplain-audit td.meaning { color: #555; }
.skexplain-audit img { max-width: 100%; height: auto; }
"""


class AuditReport(Bunch):
    """What :func:`audit` found: numbers as attributes and items, and pages made of them.

    Attributes
    ----------
    verdict : {"leans", "does not lean", "unclear"}
        The answer.
    estimator : str
        Class of the model.
    n_rows, n_annotated, n_irrelevant : int
        Rows, those with a mask, and those with something irrelevant.
    irrelevant_share : float
        Share of the features of the latter that is irrelevant.
    accuracy, accuracy_annotated : float
        As is, of all rows and of the annotated ones.
    accuracy_after_swap, lost_by_swap, lost_by_swap_se : float
        Of the annotated rows with the irrelevant features of another row; the difference, and its
        standard error.
    flips_by_swap : float
        Share of predictions that the swap changes, among rows with something irrelevant.
    flips_by_swap_interval : (float, float)
        Its 95 % interval.
    accuracy_after_erasure, lost_by_erasure, lost_by_erasure_se, flips_by_erasure : float
    flips_by_erasure_interval : (float, float)
        The same with the irrelevant features erased; only where they are numbers.
    flip_rate_by_feature : dict
        For tables of at most 20 irrelevant columns: flip rate when one column alone is swapped.
    accuracy_noise_on_irrelevant, accuracy_noise_on_core, relative_core_sensitivity : float
        Only where the features that change are numbers.
    irrelevant_saliency_mass, wrong_reason_share : float
        Only for classifiers of this package.
    certified_accuracy : float
        Only if a radius was given.
    mean_group_accuracy, worst_group_accuracy : float
    group_accuracies : dict
        Only if groups were given.
    """

    def numbers(self):
        """Return the numbers alone.

        Returns
        -------
        dict of str to float
        """
        return {name: self[name] for name in _NUMBERS if name in self}

    def to_frame(self):
        """Return the numbers as a table.

        Returns
        -------
        pandas DataFrame
            A row per number, with the columns "value" and "meaning".

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        numbers = self.numbers()
        meanings = [_NUMBERS[name][1] for name in numbers]
        return pd.DataFrame({"value": list(numbers.values()), "meaning": meanings}, index=numbers)

    def figures(self):
        """Draw the pictures.

        Returns
        -------
        dict of str to matplotlib Figure
            By caption.

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        """
        drawn = {
            "Rows before and after the swap": draw_examples(self.examples),
            "Flip rate of each irrelevant column, swapped alone": draw_features(self),
            "Accuracy under noise on the irrelevant features": draw_noise(self),
            "Accuracy by group": draw_groups(self),
        }
        return {caption: figure for caption, figure in drawn.items() if figure is not None}

    def to_html(self, path):
        """Write one self-contained HTML file with numbers and pictures.

        Parameters
        ----------
        path : str or path-like
            File to write.

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra "plot").
        """
        page = html_page(f"Audit of {self.estimator}", self._body(self.figures()))
        Path(path).write_text(page, encoding="utf-8")

    def _repr_html_(self):
        try:
            figures = self.figures()
        except ImportError:
            figures = {}
        return self._body(figures)

    def _body(self, figures):
        answer, color = _ANSWERS[self.verdict]
        rows = "\n".join(
            f'<tr><td>{label}</td><td class="number">{_format(self[name])}</td>'
            f'<td class="meaning">{meaning}</td></tr>'
            for name, (label, meaning) in _NUMBERS.items()
            if name in self
        )
        pictures = "\n".join(
            f'<h2>{caption}</h2>\n<img alt="{caption}" src="{data_url(figure)}">'
            for caption, figure in figures.items()
        )
        return (
            f'<div class="skexplain-audit">\n<style>\n{_STYLE}</style>\n'
            f"<h1>Audit of {html.escape(self.estimator)}</h1>\n"
            f'<p class="verdict" style="border-color: {color}">{answer}</p>\n'
            f"<table>\n{rows}\n</table>\n{pictures}\n</div>"
        )

    def __repr__(self):
        """Return the answer and the numbers as text."""
        lines = [f"Audit of {self.estimator}: {_ANSWERS[self.verdict][0]}"]
        width = max(len(_NUMBERS[name][0]) for name in self.numbers())
        lines += [
            f"  {_NUMBERS[name][0]:<{width}}  {_format(value)}"
            for name, value in self.numbers().items()
        ]
        return "\n".join(lines)

    def __str__(self):
        """Return the answer and the numbers as text."""
        return repr(self)


def _format(number):
    return str(number) if isinstance(number, int) else f"{number:.3f}"
