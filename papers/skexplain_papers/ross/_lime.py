"""LIME beside input gradients: whether they agree, which is sparser, what each costs."""

import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from skexplain.datasets import make_toy_colors
from skexplain.inspection import saliency
from skexplain.inspection._captum import require_captum
from skexplain.studies import Cell, Table
from skexplain.studies.tools import draw_points, group, mean_of, new_figure, paired_difference

from .._published import find_published
from .._study import Study
from .._trial import make_estimator
from ._map_measures import rank_correlation, share_of_features, top_overlap
from ._settings import ross_settings
from ._toy_color_data import SHAPE

#: What is held against LIME, and the control and the ceiling of that.
GRADIENT, PRODUCT = "input gradient", "gradient x distance"
OTHER_ROW, AGAIN = "gradient of another row", "LIME drawn again"
LIME = "LIME"
_SHARE_ON_TOP = 0.1
_N_TIMED = 5


class Lime(Study):
    """LIME's coefficients beside input gradients of the same network, on rows held out.

    LIME switches features between their value and the training mean, so it is held against the
    gradient times the distance to that mean, too.  Gradients of another row say what agreement is
    due to features that matter in all rows; LIME with other random samples says how far it agrees
    with itself.
    """

    name = "ross-lime"
    title = "LIME beside input gradients"
    source = "Ross et al. 2017: LIME and gradients mostly agree, at very different cost"
    defaults = "stored"

    def prepare(self, scale):
        """Look for captum."""
        require_captum()

    def cells(self, scale):
        """List data sets by number of LIME's samples."""
        quick = scale == "quick"
        n_rows = 5 if quick else 50
        return [
            Cell(
                {"data": data, "samples": n_samples, "seed": seed},
                {**_describe_fit(data, quick), "explained": n_rows},
            )
            for seed in range(1 if quick else 5)
            for n_samples in ((500,) if quick else (500, 5000))
            for data in _DATA
        ]

    def run(self, factors, settings):
        """Fit, explain test rows in all ways, and compare each with LIME."""
        seed = factors["seed"]
        X, X_test, y, y_test = _DATA[factors["data"]](seed)
        model = make_estimator(settings, seed).fit(X, y)
        explained = X_test[: settings["explained"]]
        options = {"method": "lime", "n_samples": factors["samples"]}
        lime, seconds = _explain(model, explained, random_state=seed, **options)
        again, _ = _explain(model, explained, random_state=seed + 1000, **options)
        gradient, _ = _explain(model, explained)
        statistics = model.input_statistics_
        distance = (explained - statistics.mean) / statistics.sd
        maps = {
            LIME: lime,
            GRADIENT: gradient,
            PRODUCT: gradient * distance,
            OTHER_ROW: np.roll(gradient, 1, axis=0),
            AGAIN: again,
        }
        costs = {LIME: seconds, GRADIENT: min(_explain(model, X_test)[1] for _ in range(_N_TIMED))}
        accuracy = model.score(X_test, y_test)
        return [
            {
                "explanation": name,
                "accuracy": accuracy,
                "features_needed": float(share_of_features(values).mean()),
                "seconds_per_row": costs.get(name),
                **({} if name == LIME else _agreement(values, lime)),
            }
            for name, values in maps.items()
        ]

    def tables(self, rows):
        """Agreement with LIME, then sparsity and cost."""
        return [_agreement_table(self, rows), _cost_table(self, rows)]

    def pictures(self, rows):
        """Agreement and sparsity of each explanation, a column of panels per data set."""
        most = max(row["samples"] for row in rows)
        panels = group([row for row in rows if row["samples"] == most], ["data"])
        figure, axes = new_figure(2, len(panels), (3.8, 2.0))
        for column, ((data,), own) in zip(axes.T, panels.items(), strict=True):
            compared = [row for row in own if row["explanation"] != LIME]
            draw_points(column[0], compared, "rank_correlation", by="explanation")
            column[0].set_title(data)
            column[0].set_xlabel("rank correlation with LIME")
            column[0].set_xlim(-0.1, 1.05)
            own = [row for row in own if row["explanation"] in (LIME, GRADIENT, PRODUCT)]
            draw_points(column[1], own, "features_needed", by="explanation")
            column[1].set_xlabel("share of features that hold 90 %")
            column[1].set_xlim(0, 1.05)
        for ax in axes[:, 1:].flat:
            ax.set_yticklabels([])
        return {self.name: figure}


def _explain(model, X, **options):
    """Return saliency and seconds per row."""
    start = time.perf_counter()
    maps = saliency(model, X, **options)
    return maps, (time.perf_counter() - start) / len(X)


def _agreement(values, lime):
    """Means and standard deviations over rows."""
    k = max(1, round(_SHARE_ON_TOP * values.shape[1]))
    found = {
        "rank_correlation": rank_correlation(values, lime),
        "top_overlap": top_overlap(values, lime, k),
    }
    return {
        name: float(summarise(by_row))
        for measure, by_row in found.items()
        for name, summarise in ((measure, np.nanmean), (f"{measure}_sd", np.nanstd))
    }


def _agreement_table(study, rows):
    body = []
    for keys, own in group(rows, ["data", "samples"]).items():
        by_name = {name: same for (name,), same in group(own, ["explanation"]).items()}
        for name in (GRADIENT, PRODUCT, OTHER_ROW, AGAIN):
            cells = []
            for measure in ("rank_correlation", "top_overlap"):
                over_chance = paired_difference(by_name[name], by_name[OTHER_ROW], measure)
                cells += [
                    _mean(by_name[name], measure),
                    f"{mean_of(by_name[name], f'{measure}_sd').mean:.3f}",
                    "" if name == OTHER_ROW else over_chance.as_difference(),
                ]
            body.append((*map(str, keys), name, *cells))
    columns = ["data", "samples", "explanation"]
    for words in ("rank correlation with LIME", "top tenth in common"):
        columns += [words, "sd over rows", "over another row's"]
    note = (
        "Sizes of attributions, mean over rows. ± is the standard deviation over seeds (networks "
        "and samples), se a standard error of paired differences. Another row's gradient is the "
        "control; LIME with other samples tells how much of LIME is noise."
    )
    return Table(f"{study.title}: agreement", tuple(columns), body, note)


def _cost_table(study, rows):
    body = []
    for (data, n_samples), own in group(rows, ["data", "samples"]).items():
        by_name = {name: same for (name,), same in group(own, ["explanation"]).items()}
        gradient = mean_of(by_name[GRADIENT], _SECONDS).mean
        for name in (LIME, GRADIENT, PRODUCT):
            seconds = mean_of(by_name[name], _SECONDS)
            found = find_published(study.name, {"data": data, "explanation": name}, _SECONDS)
            body.append(
                (
                    *(data, str(n_samples), name),
                    _mean(by_name[name], "accuracy"),
                    _mean(by_name[name], "features_needed"),
                    f"{seconds.mean:.2g}" if seconds.n else "",
                    "" if found is None else f"{found.value:.2g}",
                    f"{seconds.mean / gradient:,.0f}" if seconds.n else "",
                )
            )
    columns = ("data", "samples", "explanation", "accuracy", "share of features that hold 90 %")
    columns += ("seconds per row", "published", "times a gradient")
    note = "Gradients: all test rows at once, the fastest of five times; LIME: row by row."
    return Table(f"{study.title}: sparsity and cost", columns, body, note)


_SECONDS = "seconds_per_row"


def _mean(rows, measure):
    return str(mean_of(rows, measure))


def _describe_fit(data, quick):
    """Their network on their images, the package's own elsewhere; gradients in sd of columns."""
    if data == "toy colours":
        network = ross_settings(*SHAPE, 20_000, max_epochs=6 if quick else 64, input_unit="sd")
    else:
        network = {"params": {"max_epochs": 20 if quick else 100}}
    return {"estimator": "ERMClassifier", **network}


def _toy_colors(seed):
    colors = make_toy_colors(random_state=seed)
    return colors.data, colors.data_test, colors.target, colors.target_test


def _split(load):
    def split(seed):
        X, y = load(return_X_y=True)
        return train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)

    return split


_DATA = {
    "toy colours": _toy_colors,
    "breast cancer": _split(load_breast_cancer),
    "8x8 digits": _split(load_digits),
}
