"""Parts that studies are made of: trials, controls, statistics, tables and pictures.

What is here is for authors of studies; to run one, `skexplain.studies` is enough.
"""

from ._controls import CONTROLS, control_masks, control_parameters
from ._gains import best_control, gains_table, verdict_table
from ._pictures import (
    COLORS,
    add_legend,
    draw_curves,
    draw_measure,
    draw_points,
    new_figure,
    panel_title,
    style,
)
from ._published import Published, find_published
from ._statistics import (
    Estimate,
    by_seed,
    crossing,
    estimate,
    group,
    mean_of,
    paired_difference,
    share_of_way,
    where,
)
from ._trial import classification_scores, flat, look_up, make_estimator, run_trial

__all__ = [
    "COLORS",
    "CONTROLS",
    "Estimate",
    "Published",
    "add_legend",
    "best_control",
    "by_seed",
    "classification_scores",
    "control_masks",
    "control_parameters",
    "crossing",
    "draw_curves",
    "draw_measure",
    "draw_points",
    "estimate",
    "find_published",
    "flat",
    "gains_table",
    "group",
    "look_up",
    "make_estimator",
    "mean_of",
    "new_figure",
    "paired_difference",
    "panel_title",
    "run_trial",
    "share_of_way",
    "style",
    "verdict_table",
    "where",
]
