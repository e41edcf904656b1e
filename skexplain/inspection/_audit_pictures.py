"""Pictures of an audit; each is None where there is nothing to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from .._text import drawable
from ._curve_display import PerturbationCurveDisplay
from ._drawing import (
    SIGNED,
    VERMILION,
    draw_image,
    draw_outline,
    panel_axes,
    signed_limits,
    single_axes,
    without_ticks,
)
from ._group_display import GroupAccuracyDisplay
from ._saliency_display import SaliencyDisplay

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_examples(examples: Bunch | None) -> Figure | None:
    """Draw images before and after the change, or the saliency of samples of a table or of texts.

    Parameters
    ----------
    examples : Bunch or None
        With `shown` (ShownRows), `change` ("swapped" or "erased"), `original`, `changed`,
        `saliency` (or None), `y`, `predicted`, `predicted_changed`.
    """
    if examples is None:
        return None
    if examples.shown.kind == "image":
        return _draw_images(examples)
    if examples.saliency is None:
        return None
    return SaliencyDisplay(examples.shown, {"saliency": examples.saliency}).plot().figure_


def _draw_images(examples: Bunch) -> Figure:
    shown, maps = examples.shown, examples.saliency
    n_columns = 2 if maps is None else 3
    figure, axes = panel_axes(None, len(shown.index), n_columns, (2.3, 2.4))
    for row, panels in enumerate(axes):
        draw_image(panels[0], shown.values[row], shown.limits)
        draw_image(panels[1], examples.changed[row], shown.limits)
        panels[0].set_ylabel(f"sample {shown.index[row]}", fontsize=9)
        before, after = examples.predicted[row], examples.predicted_changed[row]
        title = drawable(f"is {examples.y[row]}, predicted {before}")
        panels[0].set_title(title, fontsize=9)
        color = VERMILION if before != after else "black"
        panels[1].set_title(drawable(f"{examples.change}: {after}"), fontsize=9, color=color)
        if maps is not None:
            values = maps[row].sum(axis=0) if maps[row].ndim == 3 else maps[row]
            low, high = signed_limits(values)
            panels[2].imshow(values, cmap=SIGNED, vmin=low, vmax=high, interpolation="nearest")
            panels[2].set_title("input gradient", fontsize=9)
            without_ticks(panels[2])
        degrees = shown.flat_irrelevance(row)
        for panel in panels:
            draw_outline(panel, np.nan_to_num(degrees) > 0)
        # Pixels that come from another sample, at a place that this one does not mark.
        moved = np.asarray(examples.changed[row]) != np.asarray(examples.original[row])
        moved = moved.any(axis=0) if moved.ndim == 3 else moved
        draw_outline(panels[1], moved & ~(np.nan_to_num(degrees) > 0))
    return figure


def draw_features(report: Bunch) -> Figure | None:
    """Draw the flip rate, or the shift, of each irrelevant column."""
    of_classes = "flip_rate_by_feature" in report
    rates = report["flip_rate_by_feature" if of_classes else "shift_by_feature"]
    if not rates:
        return None
    names = sorted(rates, key=rates.get, reverse=True)
    figure, ax = single_axes(None, (5.0, 0.28 * len(names) + 0.9))
    ax.barh(range(len(names)), [rates[name] for name in names], color=VERMILION)
    ax.set_yticks(range(len(names)), list(map(drawable, names)), fontsize=8)
    ax.invert_yaxis()
    if of_classes:
        ax.set(xlim=(0, 1), xlabel="share of predictions that change")
    else:
        ax.set(xlabel="mean change of a prediction, in standard deviations")
        ax.set_xlim(0, max(1, *rates.values()))
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def draw_noise(report: Bunch) -> Figure | None:
    """Draw the score against noise."""
    if "noise" not in report:
        return None
    curve = PerturbationCurveDisplay(
        *report.noise,
        perturbation="gaussian noise",
        unit="sd",
        name=report.estimator,
        score="accuracy" if "accuracy" in report else "R2",
    )
    return curve.plot().figure_


def draw_groups(report: Bunch) -> Figure | None:
    """Draw the accuracy of each group."""
    if "group_accuracies" not in report:
        return None
    return GroupAccuracyDisplay(report.group_accuracies, report.group_counts).plot().figure_
