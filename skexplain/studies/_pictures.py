"""Pictures of measures with error bars."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from ..inspection._drawing import require_pyplot
from ._controls import CONTROLS
from ._statistics import group, mean_of

# Colour-blind safe (Okabe & Ito).
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def new_figure(n_rows: int, n_columns: int, size: Any = (3.6, 2.9)) -> Any:
    """Make a figure that opens no window.

    Parameters
    ----------
    n_rows, n_columns : int
        Of its axes.
    size : tuple of float, default=(3.6, 2.9)
        Width and height of each, in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : ndarray of Axes of shape (n_rows, n_columns)

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    require_pyplot()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for ax in axes.flat:
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def draw_curves(
    ax: Any, rows: Sequence[dict[str, Any]], x: Any, measure: str, by: Any = "method"
) -> None:
    """Draw means against a factor, with a bar of two standard errors to each side.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        With seed, and perhaps masks: controls are drawn open and dashed.
    x : str
        Numeric factor; its axis is logarithmic where it spans more than a factor of 20.
    measure : str
    by : str, default="method"
        Factor that has a colour for each value.
    """
    names = list(dict.fromkeys(row[by] for row in rows))
    for (name, masks), own in group(rows, [by, "masks"]).items():
        places = {place: same for (place,), same in sorted(group(own, [x]).items())}
        estimates = [mean_of(same, measure) for same in places.values()]
        ax.errorbar(
            list(places),
            [e.mean for e in estimates],
            yerr=[2 * e.se for e in estimates],
            label=_label(name, masks),
            **style(names.index(name), masks),
        )
    shown = [row[x] for row in rows if row[x] > 0]
    if shown and max(shown) > 20 * min(shown):
        ax.set_xscale("log" if len(shown) == len(rows) else "symlog")
    ax.set_xlabel(_words(x))
    ax.set_ylabel(_words(measure))


def draw_points(ax: Any, rows: Sequence[dict[str, Any]], measure: str, by: Any = "method") -> None:
    """Draw a row per method: with masks, and each control, with a bar of two standard errors.

    Parameters
    ----------
    ax : Axes
    rows : list of dict
        With seed, and perhaps masks.
    measure : str
    by : str, default="method"
        Factor that has a row for each value.
    """
    names = list(dict.fromkeys(row[by] for row in rows))
    kinds = list(dict.fromkeys(row.get("masks") for row in rows))
    kinds.sort(key=_is_control)
    for i, kind in enumerate(kinds):
        own = {key[0]: same for key, same in group(rows, [by, "masks"]).items() if key[1] == kind}
        estimates = [mean_of(same, measure) for same in own.values()]
        offset = (i - (len(kinds) - 1) / 2) * 0.7 / len(kinds)
        ax.errorbar(
            [e.mean for e in estimates],
            [names.index(name) + offset for name in own],
            xerr=[2 * e.se for e in estimates],
            label=_KINDS.get(kind, kind),
            **{**style(_place(kind), kind), "linestyle": "none"},
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(_words(measure))


#: Masks that are no control, and what they are called.
_KINDS = {"given": "with masks", "-": "without masks", "no shortcut": "no shortcut", None: ""}
_DASHES = {"no shortcut": ":", "off": "--", "shuffled": "-.", "everywhere": (0, (1, 1))}


def _place(kind: Any) -> Any:
    """Return the number of the colour that a kind of masks has in every picture."""
    return ["given", "-", "no shortcut", *CONTROLS].index(kind or "given")


def _is_control(kind: Any) -> bool:
    return kind not in _KINDS


def style(i: Any, kind: Any = None) -> dict[Any, Any]:
    """Return how the i-th method is drawn.

    Parameters
    ----------
    i : int
        Gives colour and marker.
    kind : str or None, default=None
        Value of `masks`: controls are open, thin and dashed.

    Returns
    -------
    dict
        Arguments of ``Axes.errorbar``.
    """
    return {
        "color": COLORS[i % len(COLORS)],
        "marker": _MARKERS[i % len(_MARKERS)],
        "markerfacecolor": "white" if _is_control(kind) else None,
        "linestyle": _DASHES.get(kind, (0, (5, 1, 1, 1, 1, 1)) if _is_control(kind) else "-"),
        "linewidth": 0.8 if _is_control(kind) else 1.6,
        "markersize": 4,
        "capsize": 2,
    }


def _label(name: str, masks: Any) -> str:
    return str(name) if masks in (None, "-", "given") else f"{name}, {masks}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def panel_title(factors: Any) -> str:
    """Return the values that distinguish a panel from the others; a number with its name."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, Real) else str(value)
        for name, value in factors.items()
        if value is not None
    )


def draw_measure(
    rows: Sequence[dict[str, Any]], factors: Any, measure: str, x: Any = None, max_columns: int = 4
) -> Any:
    """Draw a panel per combination of factors.

    Parameters
    ----------
    rows : list of dict
        With method, masks and seed.
    factors : sequence of str
        Columns whose values distinguish panels.
    measure : str
    x : str or None, default=None
        Numeric factor along the horizontal axis; None: methods along the vertical one.
    max_columns : int, default=4
        Panels beside each other.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = group(rows, factors)
    n_columns = max(1, min(max_columns, len(panels)))
    n_rows = max(1, -(-len(panels) // n_columns))
    n_methods = len({row["method"] for row in rows})
    size = (3.8, 3.0) if x else (4.4, 1.0 + 0.45 * n_methods)
    figure, axes = new_figure(n_rows, n_columns, size)
    for ax, (panel, own) in zip(axes.flat, panels.items(), strict=False):
        ax.set_title(panel_title(dict(zip(factors, panel, strict=True))), fontsize=9)
        if x is None:
            draw_points(ax, own, measure)
        else:
            draw_curves(ax, own, x, measure)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    add_legend(figure, axes)
    return figure


def add_legend(figure: Any, axes: Any) -> None:
    """Put one legend above all panels.

    Parameters
    ----------
    figure : Figure
    axes : ndarray of Axes
    """
    entries: dict[str, Any] = {}
    for ax in axes.flat:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(
        entries.values(), entries.keys(), loc="outside upper center", ncols=4, frameon=False
    )
