"""Theorems 1 and 2: gradients alone need smoothing, perturbations need density."""

import math

import numpy as np

from skexplain.studies import Cell, Table
from skexplain.studies.tools import add_legend, draw_curves, estimate, group, new_figure, where

from .._published import find_published
from .._study import Study
from ._gaussian_process import VALUE, GaussianProcess

_DELTA_MAX = 3.0
_SLOPE_NOTE = (
    "Slopes of log-log lines, fitted by seed, with standard errors. A lower bound holds unless a "
    "slope is more than two of them below it. The theorems give orders of "
    "growth without constants: the polynomial in x of Theorem 1 is not checked."
)
# Beyond these, deviations approach the size of f itself and cannot grow on.
_NOT_SATURATED = {"delta": 1.0, "alpha_over_beta": 3.0}


class HeoTheorems(Study):
    """Gaussian processes that are told the target and, of its second column, that it is no reason.

    The target is the first of two columns, and the second is a noisy copy of it.  A process learns
    from values alone; or with df/dx_2 = 0 at every training row, as Grad-Reg asks for (Theorem 1);
    or with the same value at copies of every row whose second column was moved, as perturbations
    ask for (Theorem 2).  Then the second column of a row moves by delta.  theta_i^-2 is
    Gamma(alpha, beta), once at its mean and once drawn, with alpha = 4; a small alpha / beta is a
    smooth prior.
    """

    name = "heo-theorems"
    title = "How far a prediction moves with an irrelevant column"
    source = "Heo et al. 2023, Theorems 1 and 2"
    defaults = "stored"

    def cells(self, scale):
        """List draws of rows and length scales; each is computed under both theorems."""
        quick = scale == "quick"
        settings = {
            "n_rows": 12,
            "n_places": 50 if quick else 200,
            "shape": 4.0,
            "ratios": [0.1, 1.0, 10.0] if quick else [0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
            "deltas": [0.1, 0.18, 0.32, 0.56, 1.0, 1.8, _DELTA_MAX],
            "copies": [3, 9] if quick else [3, 5, 9, 17],
        }
        return [
            Cell({"theorem": theorem, "theta": theta, "seed": seed}, settings)
            for seed in range(5 if quick else 50)
            for theorem in (1, 2)
            for theta in ("mean", "drawn")
        ]

    def run(self, factors, settings):
        """Fit processes of several smoothness to the same rows."""
        rng = np.random.RandomState(factors["seed"])
        x = rng.uniform(-1, 1, size=settings["n_rows"])
        X = np.column_stack([x, x + 0.1 * rng.standard_normal(len(x))])
        between = np.repeat(rng.uniform(-1, 1, size=(settings["n_places"], 1)), 2, axis=1)
        spread = rng.gamma(settings["shape"], 1 / settings["shape"], size=2)
        if factors["theta"] == "mean":
            spread = np.ones(2)
        compute = _theorem_1 if factors["theorem"] == 1 else _theorem_2
        return [
            {"alpha_over_beta": ratio, **row}
            for ratio in settings["ratios"]
            for row in compute(X, between, (ratio * spread) ** -0.5, ratio, settings)
        ]

    def tables(self, rows):
        """What is left of each theorem; orders of growth, and the bound."""
        first, second = (where(rows, theorem=theorem) for theorem in (1, 2))
        growth = [*_growth(first, "delta"), *_growth(first, "alpha_over_beta")]
        claims = [*_judge_growth(growth), *_judge_bound(second)]
        return [_verdict_table(claims, first), self._growth_table(growth), _bound_table(second)]

    def _growth_table(self, growth):
        body = []
        for line in growth:
            found = find_published(self.name, {"along": line["along"]}, "slope")
            figures = [f"{line['slope'].mean:.2f} (se {line['slope'].se:.2f})", f"{found.value:g}"]
            body.append((line["along"], line["fixed"], line["theta"], line["places"], *figures))
        columns = ("growth along", "at", "theta", "places", "slope with Grad-Reg", "at least")
        return Table("Theorem 1: growth of the deviation", columns, body, _SLOPE_NOTE)

    def pictures(self, rows):
        """Deviations against delta by what the process was told; against C, with the bound."""
        rows = [
            {**row, "curve": f"α / β = {row['alpha_over_beta']:g}"}
            for row in where(rows, theta="mean")
        ]
        figure, axes = new_figure(2, 2, (4.2, 3.2))
        for ax, told in zip(axes.flat, _TOLD, strict=False):
            own = where(rows, theorem=1, told=told, places="between")
            draw_curves(ax, own, "delta", "deviation", by="curve")
            ax.set_title(f"told of {told}")
            ax.set_xlabel("move δ of the irrelevant column")
        last = axes[1, 1]
        copies = where(rows, theorem=2, places="training rows")
        draw_curves(last, copies, "half_spacing", "largest", by="curve")
        # A kind of masks that is drawn dotted.
        bounds = [{**row, "masks": "no shortcut"} for row in copies]
        draw_curves(last, bounds, "half_spacing", "bound", by="curve")
        last.set_title("largest change beside copies,\nand the bound of Theorem 2 (dotted)")
        last.set_xlabel("half the distance between copies, at least C")
        for ax in axes.flat:
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_ylabel("change of the prediction")
            ax.set_ylim(1e-5, 1e3)
        ticks = sorted({row["half_spacing"] for row in copies})
        last.set_xticks(ticks, [f"{tick:.2g}" for tick in ticks])
        last.minorticks_off()
        add_legend(figure, axes[:1])
        return {self.name: figure}


_TOLD = ("values alone", "df/dx₂ = 0", "perturbed copies")


def _theorem_1(X, between, theta, ratio, settings):
    """Mean deviation by delta, with and without what was told of the second column."""
    y, n = X[:, 0], len(X)
    gradients = np.repeat([VALUE, 1], n)
    processes = (
        GaussianProcess(theta).fit(X, y),
        GaussianProcess(theta).fit(np.tile(X, (2, 1)), np.append(y, np.zeros(n)), gradients),
        _fit_copies(X, theta, 9),
    )
    for told, process in zip(_TOLD, processes, strict=True):
        slope = np.abs(process.predict(X, axis=1)).max()
        for places, at in (("training rows", X), ("between", between)):
            for delta in settings["deltas"]:
                moved = process.predict(at + [0, delta]) - process.predict(at)
                row = {"told": told, "places": places, "delta": delta}
                yield {**row, "deviation": np.abs(moved).mean(), "largest_slope": slope}


def _theorem_2(X, between, theta, ratio, settings):
    """Largest deviation over pairs of places that differ in the second column, and its bound."""
    moves = np.linspace(-_DELTA_MAX, _DELTA_MAX, 61)
    for n_copies in settings["copies"]:
        process = _fit_copies(X, theta, n_copies)
        for places, at in (("training rows", X), ("between", between)):
            domain = _move(at, moves)
            values = process.predict(domain).reshape(len(moves), -1)
            C = _largest_distance(domain, process.X_)
            bound = 2 * C * ratio * _DELTA_MAX * np.abs(values).max()
            deviation = np.abs(values - values[len(moves) // 2])  # from the row as it is
            yield {
                **{"copies": n_copies, "places": places, "C": C},
                "half_spacing": _DELTA_MAX / (n_copies - 1),
                **{"largest": deviation.max(), "bound": bound},
                **{"of_bound": deviation.max() / bound, "beyond": (deviation > bound).mean()},
            }


def _fit_copies(X, theta, n_copies):
    """Fit to copies of all rows whose second column is moved evenly over the range of delta."""
    moves = np.linspace(-_DELTA_MAX, _DELTA_MAX, n_copies)
    return GaussianProcess(theta).fit(_move(X, moves), np.tile(X[:, 0], n_copies))


def _move(X, moves):
    """Stack copies of X, a copy per move of the second column."""
    return np.concatenate([X + [0, move] for move in moves])


def _largest_distance(domain, defended):
    """Distance to the nearest defended place, of the place where it is largest."""
    return max(np.linalg.norm(defended - place, axis=1).min() for place in domain)


def _growth(rows, along):
    """Slopes of log deviation on log delta, or on log alpha / beta, the other one fixed."""
    other = "alpha_over_beta" if along == "delta" else "delta"
    rows = [row for row in where(rows, told=_TOLD[1]) if row[along] <= _NOT_SATURATED[along]]
    groups = group(sorted(rows, key=lambda row: row[other]), [other, "theta", "places"])
    return [
        {
            **{"along": along, "fixed": f"{other} {fixed:g}", "theta": theta, "places": places},
            "slope": estimate(_slope(of_seed, along) for of_seed in group(own, ["seed"]).values()),
            "is_saturated": fixed > _NOT_SATURATED[other],
        }
        for (fixed, theta, places), own in groups.items()
    ]


def _slope(rows, along):
    return np.polyfit(*(np.log([row[name] for row in rows]) for name in (along, "deviation")), 1)[0]


def _judge_growth(growth):
    """Whether the deviation grows at least in proportion; apart where it has reached its limit."""
    for along in ("delta", "alpha_over_beta"):
        lines = [line for line in growth if line["along"] == along]
        free = [line["slope"] for line in lines if not line["is_saturated"]]
        limit = [line["slope"] for line in lines if line["is_saturated"]]
        if not free:  # not computed yet
            continue
        figures = f"slopes {_range(free)}"
        if limit:
            figures += f"; beyond saturation {_range(limit)}"
        holds = [slope.mean + 2 * slope.se >= 1 for slope in (*free, *limit)]
        claim = f"Theorem 1: grows with {along} at least in proportion"
        yield claim, figures, "holds" if all(holds) else "partly" if any(holds) else "does not hold"


def _range(slopes):
    means = [slope.mean for slope in slopes]
    return f"{min(means):.2f} to {max(means):.2f}"


def _judge_bound(rows):
    if not rows:  # not computed yet
        return
    worst = max(row["of_bound"] for row in rows)
    share = np.mean([row["of_bound"] > 1 for row in rows])
    figures = f"largest deviation / bound: at most {worst:.3f}; exceeded in {share:.1%} of fits"
    verdict = "holds" if share == 0 else "partly" if share < 1 else "does not hold"
    yield "Theorem 2: |f(x + [0, δ]) - f(x)| ≤ 2 C (α/β) δ_max f_max", figures, verdict


def _bound_table(rows):
    body = []
    for (copies, ratio, theta, places), own in group(
        rows, ["copies", "alpha_over_beta", "theta", "places"]
    ).items():
        means = {name: estimate(row[name] for row in own) for name in ("C", "largest", "bound")}
        shown = [f"{means['C'].mean:.2f}", *(_short(means[name]) for name in ("largest", "bound"))]
        tight = max(row["of_bound"] for row in own)
        beyond = sum(row["of_bound"] > 1 for row in own)
        key = (str(copies), f"{ratio:g}", theta, places)
        body.append((*key, *shown, f"{tight:.3g}", f"{beyond} of {len(own)}"))
    columns = ("copies per row", "alpha / beta", "theta", "places", "C", "largest deviation")
    columns += ("bound", "largest ratio", "exceeded")
    note = "± is the standard deviation over seeds; f_max is the largest |f| over the same places."
    return Table("Theorem 2: deviation and bound", columns, body, note)


def _short(of):
    return f"{of.mean:.2g}" + ("" if math.isnan(of.sd) else f" ± {of.sd:.2g}")


def _verdict_table(claims, rows):
    slope = max((row["largest_slope"] for row in where(rows, told=_TOLD[1])), default=math.nan)
    note = f"Largest |df/dx_2| at the training rows where it was told to be 0: {slope:.1e}."
    return Table("What holds", ("claim", "measured", "verdict"), list(claims), note)
