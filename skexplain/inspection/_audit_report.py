"""Results of an audit: numbers, and pages and pictures made of them."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

from sklearn.utils import Bunch

from .._checks import check_path
from .._text import html_text
from ._audit_numbers import NUMBERS
from ._audit_pictures import draw_examples, draw_features, draw_groups, draw_noise
from ._html import data_url, html_page

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ANSWERS = {
    "leans": ("It leans on what it must not.", "#D55E00"),
    "does not lean": ("No sign that it leans on what it must not.", "#0072B2"),
    "unclear": ("Unclear: these samples do not decide it.", "#767676"),
}
_CHANGES = {
    "swap": "marked parts are swapped",
    "swap_among_all": "marked parts are swapped among all samples",
    "erasure": "marked parts are erased",
}
_BY_COLUMN = "Change of predictions when one column alone is swapped"
_STYLE = """\
.skexplain-audit { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 0 auto;
  color: #1a1a1a; background: #fff; padding: 1rem; }
.skexplain-audit h1 { font-size: 1rem; font-weight: 600; color: #555; margin: 0 0 .6rem; }
.skexplain-audit h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
.skexplain-audit .verdict { border-left: .5rem solid; padding: .4rem 1rem; margin: 0;
  font-size: 1.5rem; font-weight: 700; }
.skexplain-audit .reason { font-size: 1.1rem; margin: 1rem 0; }
.skexplain-audit .note { background: #f4f4f4; border-left: .25rem solid #999;
  padding: .5rem .8rem; margin: .6rem 0; }
.skexplain-audit .figures { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.4rem 0; }
.skexplain-audit .figure { flex: 1 1 12rem; border: 1px solid #ddd; border-radius: .4rem;
  padding: .7rem 1rem; }
.skexplain-audit .figure b { display: block; font-size: 1.7rem;
  font-variant-numeric: tabular-nums; }
.skexplain-audit .figure span { color: #555; font-size: .9rem; display: block; line-height: 1.35; }
.skexplain-audit table { border-collapse: collapse; margin: .6rem 0; font-size: .9rem; }
.skexplain-audit td { text-align: left; padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere; }
.skexplain-audit td.number { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.skexplain-audit td.meaning, .skexplain-audit td.name { color: #555; }
.skexplain-audit td.name { white-space: nowrap; }
.skexplain-audit details { margin: 1.4rem 0; }
.skexplain-audit summary { cursor: pointer; font-weight: 600; }
.skexplain-audit img { max-width: 100%; height: auto; }
"""


class AuditReport(Bunch):
    """Results of :func:`audit`: numbers as attributes and items, and pages made of them.

    Attributes
    ----------
    verdict : {"leans", "does not lean", "unclear"}
        The answer.
    reason : str
        Why, in a sentence.
    notes : list of str
        What else a reader must know: classes without masks, samples that the model may have been
        trained on, tests that were left out.
    decided_by : {"swap", "swap_among_all", "erasure"}
        The change that decided; `deciding` holds its numbers, of the samples that it changes:
        `n_rows`, the accuracies `before` and `after`, `lost` and `flips` with their intervals.
    trained_on : bool
        Whether X has the mean, spread and range of what an estimator of this package was trained
        on.
    provenance : dict of str to str
        Data, model, parameters, number of swaps and seed, versions and date.
    estimator : str
        Class of the model.
    n_rows, n_annotated, n_irrelevant : int
        Samples, those with a mask, and those with something irrelevant.
    irrelevant_share : float
        Share of the features of the latter that is irrelevant.
    accuracy, accuracy_annotated : float
        As is, of all samples and of the annotated ones.
    accuracy_of_marks, chance : float
        Of a random forest that sees nothing but the marked parts, in a cross-validation; and the
        share of the most frequent class.
    accuracy_after_swap : float
        Of the annotated samples.
    lost_by_swap, lost_by_swap_se, flips_by_swap : float
        Of the samples that change: accuracy lost, its standard error, share of predictions that
        change.
    lost_by_swap_interval, flips_by_swap_interval : (float, float)
        95 % intervals.
    toward_donor_by_swap : float
        By how much more often than by chance predictions go to the class of the sample that gives.
    toward_donor_by_swap_interval : (float, float)
        Its 95 % interval.
    accuracy_after_swap_among_all, ... : float
        The same where samples without a mask count as samples that mark nothing; only where a class
        has no mask.
    accuracy_after_erasure, lost_by_erasure, lost_by_erasure_se, flips_by_erasure : float
    lost_by_erasure_interval, flips_by_erasure_interval : (float, float)
        The same with the irrelevant features erased; only where they are numbers.
    flip_rate_by_feature : dict
        For tables of at most 20 irrelevant columns: flip rate when one column alone is swapped.
    r2, r2_annotated, r2_of_marks, r2_after_swap, r2_noise_on_irrelevant, ... : float
        Of a regressor, in place of accuracies; `lost_by_swap` and the like are of R2 then.
    shift_by_swap, shift_by_swap_among_all, shift_by_erasure : float
        Of a regressor, in place of flips: how far predictions move on average, in their standard
        deviations; with intervals, and `shift_by_feature`.
    accuracy_noise_on_irrelevant, accuracy_noise_on_core, relative_core_sensitivity : float
        Only where the features that change are numbers.
    irrelevant_saliency_mass, wrong_reason_share : float
        Only for estimators of this package.
    certified_accuracy : float
        Only if a radius was given.
    mean_group_accuracy, worst_group_accuracy : float
    group_accuracies : dict
        Only if groups were given.
    mean_group_r2, worst_group_r2 : float
    group_r2_scores : dict
        The same of a regressor.
    """

    def numbers(self) -> dict[str, float]:
        """Return the numbers alone.

        Returns
        -------
        dict of str to float
        """
        return {name: self[name] for name in NUMBERS if name in self}

    def to_frame(self) -> pd.DataFrame:
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
        meanings = [NUMBERS[name][1] for name in numbers]
        columns = {"value": list(numbers.values()), "meaning": meanings}
        return pd.DataFrame(columns, index=list(numbers))

    def figures(self) -> dict[str, Figure]:
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
        score = "Accuracy" if "accuracy" in self else "R2"
        drawn = {
            self._caption(): draw_examples(self.examples),
            _BY_COLUMN: draw_features(self),
            f"{score} under noise on the irrelevant features": draw_noise(self),
            "Accuracy by group": draw_groups(self),
        }
        return {caption: figure for caption, figure in drawn.items() if figure is not None}

    def to_html(self, path: str | os.PathLike[str]) -> None:
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
        path = check_path("path", path)
        page = html_page(f"Audit of {self.estimator}", self._body(self.figures()))
        path.write_text(page, encoding="utf-8")

    def _repr_html_(self) -> str:
        try:
            figures = self.figures()
        except ImportError:
            figures = {}
        return self._body(figures)

    def _caption(self) -> str:
        if self.examples is not None and self.examples.shown.kind != "image":
            return "Samples, and where the gradient lies"
        change = "erasure" if self.decided_by == "erasure" else "the swap"
        return f"Samples before and after {change}"

    def _body(self, figures: dict[str, Figure]) -> str:
        answer, color = _ANSWERS[self.verdict]
        notes = "".join(f'<p class="note">{html_text(note)}</p>\n' for note in self.notes)
        shown = dict(map(_picture, figures.items()))
        first = shown.pop(_BY_COLUMN, "") + shown.pop(self._caption(), "")
        rows = "\n".join(
            f'<tr><td>{label}</td><td class="number">{_format(self[name])}</td>'
            f'<td class="meaning">{meaning}</td></tr>'
            for name, (label, meaning) in NUMBERS.items()
            if name in self
        )
        provenance = "\n".join(
            f'<tr><td class="name">{html_text(name)}</td><td>{html_text(text)}</td></tr>'
            for name, text in self.provenance.items()
        )
        return (
            f'<div class="skexplain-audit">\n<style>\n{_STYLE}</style>\n'
            f"<h1>Audit of {html_text(self.estimator)}, {self.provenance['date']}</h1>\n"
            f'<p class="verdict" style="border-color: {color}">{answer}</p>\n'
            f'<p class="reason">{html_text(self.reason)}</p>\n{notes}'
            f"{self._key_figures()}{first}\n"
            f"<h2>What was audited</h2>\n<table>\n{provenance}\n</table>\n"
            f"<details><summary>All numbers and pictures</summary>\n"
            f"<table>\n{rows}\n</table>\n{''.join(shown.values())}</details>\n</div>"
        )

    def _key_figures(self) -> str:
        """Return the three figures that a reader sees first."""
        m, change = self.deciding, _CHANGES[self.decided_by]
        fall = f"{m.before:.2f} → {m.after:.2f}"
        if "accuracy" in self:
            cards = [
                (fall, f"accuracy before and after {change}"),
                (
                    f"{100 * m.flips:.0f} %",
                    f"of the predictions change (95 % interval {_interval(m.flips_interval)}; "
                    f"{m.n_rows} samples)",
                ),
                (
                    f"{self.accuracy_of_marks:.2f}",
                    f"accuracy from the marked part alone (most frequent class: {self.chance:.2f})",
                ),
            ]
        else:
            low, high = m.flips_interval
            cards = [
                (fall, f"R2 before and after {change}"),
                (
                    f"{m.flips:.2f}",
                    f"standard deviations by which predictions move (95 % interval {low:.2f} to "
                    f"{high:.2f}; {m.n_rows} samples)",
                ),
                (f"{self.r2_of_marks:.2f}", "R2 from the marked part alone"),
            ]
        inside = "".join(
            f'<div class="figure"><b>{number}</b><span>{text}</span></div>\n'
            for number, text in cards
        )
        return f'<div class="figures">\n{inside}</div>\n'

    def __repr__(self) -> str:
        """Return the answer and the numbers as text."""
        lines = [f"Audit of {self.estimator}: {_ANSWERS[self.verdict][0]}"]
        for text in (self.reason, *self.notes):
            lines += textwrap.wrap(text, 98, initial_indent="  ", subsequent_indent="  ")
        width = max(len(NUMBERS[name][0]) for name in self.numbers())
        lines += [
            f"  {NUMBERS[name][0]:<{width}}  {_format(value)}"
            for name, value in self.numbers().items()
        ]
        return "\n".join(lines)

    def __str__(self) -> str:
        """Return the answer and the numbers as text."""
        return repr(self)


def _picture(captioned: tuple[str, Figure]) -> tuple[str, str]:
    caption, figure = captioned
    picture = f'<h2>{caption}</h2>\n<img alt="{caption}" src="{data_url(figure)}">\n'
    return caption, picture


def _interval(limits: tuple[float, float]) -> str:
    low, high = (round(100 * max(limit, 0)) for limit in limits)
    return f"{low} to {high} %"


def _format(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.3f}"
