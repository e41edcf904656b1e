"""A square in the outermost column tells the label in training, and not at the test."""

from dataclasses import replace

from skexplain.studies.tools import verdict_table

from ._shapes import EARLY, tuned, variant
from ._shapes_study import ShapesStudy, share_off

# Knows the masks, for label-only as for the others: held-out rows alone prefer the square.
_SCORING = "worst-of-clean-and-swapped"


class Spurious(ShapesStudy):
    """Trained with the square; tested without, on the transfer set, and with the wrong square."""

    name = "tao-spurious"
    title = "Shapes after training beside a square that tells the label"
    source = "Tao & Shokri, training with a spurious pattern"
    defaults = "stored"
    methods = {
        "label-only": variant("label-only"),
        "shift": variant("shift"),
        "grad-reg": variant("grad-reg"),
        # The weight of the paper is small beside such a pattern; this is the estimator's default.
        "grad-reg-default": variant("grad-reg", alpha=1.0),
        "two-stage": variant("two-stage", mapping_lr=0.01),  # as the paper says
        "swap": variant("swap"),
        # The reasons of a row, shifted, on the irrelevant pixels of another.
        "moved-reasons": {
            **variant("shift", perturbation="shift", background="donor"),
            "without_masks": False,
            "controls": ("shuffled",),
        },
        # At the second rate of the paper the mapping can end at one class for all rows.
        "two-stage-slow": {**variant("two-stage"), "controls": ("shuffled",)},
        "two-stage-early": variant("two-stage", mapping_lr=0.01, **EARLY),
        "label-only-early": variant("label-only", **EARLY),
        "label-only-tuned": tuned("label-only", _SCORING),
        "two-stage-tuned": tuned("two-stage", _SCORING, controls=("off",)),
        "swap-tuned": tuned("swap", _SCORING),
    }
    spurious = "row"
    repetitions = {100: 6, 1500: 3}
    tuned = ("label-only-tuned", "two-stage-tuned", "swap-tuned")
    early = ("two-stage-early", "label-only-early")
    claimed = ("label-only", "shift", "two-stage", "two-stage-slow", "swap", "moved-reasons")
    claimed_beyond_shuffled = ("two-stage", "swap", "moved-reasons")

    def tables(self, rows):
        """Add who beats the controls that know nothing of places."""
        rows = share_off(rows, "two-stage", ["two-stage-slow"])
        ignorant = [row for row in rows if row["masks"] != "shuffled"]
        verdict = verdict_table(ignorant, self._factors, self.measure)
        note = (
            "Without shuffled masks as a control: those of any row mark the outermost columns, so "
            "that shuffled they still tell that the square is irrelevant.  " + verdict.note
        )
        title = "Does knowledge of the shortcut pay?"
        return [*super().tables(rows), replace(verdict, title=title, note=note)]
