"""One training row in ten of class 1, and what a single explained row buys."""

from skexplain.studies import Table
from skexplain.studies.tools import best_control, group, mean_of, paired_difference

from ._shapes import EARLY, RATIOS, tuned, variant
from ._shapes_study import ShapesStudy, share_off

# The paper's second rate where classes are not balanced.
_TWO_STAGE = variant("two-stage", mapping_lr=0.01)
# The first one: at the second the mapping can end at one class for all rows.
_SLOW = variant("two-stage")
_SWAP = variant("swap")
# The minority alone is annotated: those rows, counted again, are a control.
_SPARSE = {"sparse": True, "controls": ("shuffled", "reweighted")}


class Imbalance(ShapesStudy):
    """Training sets of 1:9, test sets balanced; all rows annotated, or the minority alone."""

    name = "tao-imbalance"
    title = "Shapes, where one training row in ten is of class 1"
    source = "Tao & Shokri, training at 1:9"
    defaults = "stored"
    methods = {
        "label-only": variant("label-only"),
        "class-weights": variant("label-only", class_weight="balanced"),
        "focal": variant("label-only", label_loss="focal"),
        "shift": variant("shift"),
        "grad-reg": variant("grad-reg"),
        "two-stage": _TWO_STAGE,
        # An empty mask says that all pixels are reasons: a second step without an explanation.
        "two-stage-sparse": {**_TWO_STAGE, "sparse": True, "controls": ("shuffled", "empty")},
        "swap": _SWAP,
        "swap-sparse": {**_SWAP, **_SPARSE},
        "two-stage-slow": {**_SLOW, "controls": ("shuffled",)},
        "two-stage-slow-sparse": {**_SLOW, "sparse": True, "controls": ("shuffled", "empty")},
        "two-stage-early": variant("two-stage", mapping_lr=0.01, **EARLY),
        "label-only-early": variant("label-only", **EARLY),
        "label-only-tuned": tuned("label-only", "accuracy"),
        "two-stage-tuned": tuned("two-stage", "accuracy", controls=("off",)),
        "swap-tuned": tuned("swap", "accuracy"),
    }
    ratio = "1:9"
    tuned = ("label-only-tuned", "two-stage-tuned", "swap-tuned")
    early = ("two-stage-early", "label-only-early")
    claimed = (
        "label-only",
        "shift",
        "two-stage",
        "two-stage-sparse",
        "two-stage-slow",
        "two-stage-slow-sparse",
        "swap",
        "swap-sparse",
    )
    claimed_beyond_shuffled = ("swap", "swap-sparse")
    left_out = ("focal", "two-stage-slow", "two-stage-slow-sparse")  # there are eight colours

    def cells(self, scale):
        """List the cells; a lone explained row has none to swap with."""
        return [
            cell
            for cell in super().cells(scale)
            if cell.factors["method"] != "swap-sparse" or n_explained(cell.factors["size"]) > 1
        ]

    def tables(self, rows):
        """Methods and controls; agreement; the claim on one and five explained rows."""
        rows = share_off(rows, "two-stage", _OTHER_FORMS)
        return [*super().tables(rows), few_masks_table(rows, self.measure)]


# Of two-stage; switched off they are all the same.
_OTHER_FORMS = ("two-stage-sparse", "two-stage-slow", "two-stage-slow-sparse")


def n_explained(size):
    """Return the rows of class 1, which are explained where masks are sparse."""
    return round(size * RATIOS["1:9"])


def few_masks_table(rows, measure):
    """Tell what one and five explained rows gain over the best control.

    Parameters
    ----------
    rows : list of dict
        Of training sets of 1:9; methods whose name ends with "-sparse" count.
    measure : str

    Returns
    -------
    Table
    """
    body = []
    few = [row for row in rows if row["size"] in (10, 50)]
    for (dataset, size, test), own in group(few, ["dataset", "size", "test"]).items():
        cells = group(own, ["method", "masks"])
        for method, masks in cells:
            if masks != "given" or not method.endswith("-sparse"):
                continue
            control = best_control(cells, method, measure)
            if control is None:
                continue  # none where a run has only begun
            gain = paired_difference(cells[method, masks], cells[control], measure)
            body.append(
                (
                    dataset,
                    test,
                    str(n_explained(size)),
                    method,
                    str(mean_of(cells[method, masks], measure)),
                    control[0] if control[1] == "-" else control[1],
                    gain.as_difference(),
                    "yes" if gain.is_beyond_chance else "no",
                )
            )
    columns = (
        "dataset",
        "test",
        "explained rows",
        "method",
        measure,
        "best control",
        "gain",
        "> 2 se",
    )
    note = "The claim: as few as one or five explained rows help."
    return Table("Do one or five explained rows help?", columns, body, note)
