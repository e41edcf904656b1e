"""Toy colours: a mask on the one rule's pixels makes a network learn the other."""

import numpy as np
from sklearn.metrics import accuracy_score

from skexplain.estimators import FindAnotherExplanationClassifier
from skexplain.studies import Cell, Table
from skexplain.studies.tools import COLORS, group, mean_of, new_figure

from .._study import Study
from .._trial import make_estimator
from ._toy_color_data import RULES, describe_fit, draw_colors, fit_and_look, look
from ._toy_color_tables import describe_spread, looks_table

# What is penalised, and the published lambda.  "everywhere" at 1e3 does for both masks.
_MODELS = {
    "plain": (None, 0.0, ("-",)),
    "not corners": ("corners", 1e3, ("given", "shuffled", "everywhere")),
    "not top middle": ("top_middle", 1e3, ("given", "shuffled")),
    "neither": ("both", 1e6, ("given", "shuffled", "everywhere")),
    "not the centre": ("centre", 1e3, ("given",)),  # whose pixels tell nothing
}
_FIND_ANOTHER = "find another"
_FACTORS = ("model", "masks", "turn")


class ToyRules(Study):
    """The rule flips with the mask, and without any mask in find-another-explanation.

    The order of rows is drawn anew in each epoch; theirs stays as it is.
    """

    name = "ross-toy-rules"
    title = "Toy colours, two rules of which the mask chooses one"
    source = "Ross et al. 2017, toy colours: one rule or the other, and find-another-explanation"
    defaults = "stored"

    def cells(self, scale):
        """List the models, then the searches."""
        quick = scale == "quick"
        searches = (
            ("published strengths",) if quick else ("published strengths", "raised strengths")
        )
        cells = []
        for seed in range(1 if quick else 10):
            for model, (_, strength, kinds) in _MODELS.items():
                for masks in kinds:
                    factors = {"model": model, "masks": masks, "strength": strength, "seed": seed}
                    cells.append(Cell(factors, describe_fit(scale, strength)))
            for search in searches:
                factors = {"model": _FIND_ANOTHER, "masks": search, "seed": seed}
                cells.append(Cell(factors, describe_fit(scale, 1e3)))
        return cells

    def run(self, factors, settings):
        """Fit one model, or three in turn."""
        colors = draw_colors(settings, factors["seed"])
        if factors["model"] == _FIND_ANOTHER:
            return _find_another(colors, factors, settings)
        penalised = _MODELS[factors["model"]][0]
        mask = colors.masks[penalised or "corners"]
        return [fit_and_look(colors, mask, factors, settings)]

    def tables(self, rows):
        """Models, their controls, and what find-another-explanation found."""
        note = (
            "Lambda is 1000, for neither 1e6. Find another: model 1 is plain, each further one is "
            "penalised on what those before it looked at, at the published 1e3 and 1e6, or raised "
            "from 1e3 by factors of 10 until a model looks elsewhere; there the search ends before "
            "a model that is wrong too often, which is the last one shown."
        )
        return [looks_table(self, rows, _FACTORS, note), _search_table(rows)]

    def pictures(self, rows):
        """Mean gradients of each model as a map, and the shares of both rules below."""
        shown = group([row for row in rows if row["masks"] in _SHOWN], _FACTORS)
        figure, axes = new_figure(2, len(shown), (1.75, 2.0))
        for (upper, lower), (keys, own) in zip(axes.T, shown.items(), strict=True):
            _draw_map(upper, own)
            upper.set_title(_title(*keys), fontsize=9)
            _draw_shares(lower, own)
        axes[1, 0].set_ylabel("share of the\nlargest gradients")
        figure.suptitle("Where models look: mean size of the input gradient of each pixel")
        return {self.name: figure}


def _find_another(colors, factors, settings):
    """Return a row per model: of the published lambdas, or of those that our rules come to."""
    base = make_estimator(settings, factors["seed"])
    by_our_rules = factors["masks"] == "raised strengths"
    rules = {"max_alpha_raises": 3} if by_our_rules else {"min_accuracy": 0, "max_overlap": 1}
    search = FindAnotherExplanationClassifier(
        base, n_explanations=3 if by_our_rules else 2, random_state=factors["seed"], **rules
    )
    search.fit(colors.data, colors.target)
    models, overlaps = list(search.estimators_), list(search.overlaps_)
    if not by_our_rules:
        search.set_params(estimator__alpha=1e6).fit_next(colors.data, colors.target)
        models, overlaps = search.estimators_, search.overlaps_
    elif search.rejected_ is not None:
        models.append(search.rejected_.estimator)
        overlaps.append(search.rejected_.overlap)
    return [
        {
            "turn": turn,
            "strength": float(model.alpha_),
            "overlap": overlap,
            "stopped_by": search.stop_reason_ if turn > len(search.estimators_) else "",
            "accuracy": accuracy_score(colors.target_test, model.predict(colors.data_test)),
            **look(model, colors),
        }
        for turn, (model, overlap) in enumerate(zip(models, overlaps, strict=True), start=1)
    ]


def _search_table(rows):
    """Tell lambda, overlap with what came before, and where the searches ended."""
    found = [row for row in rows if row["model"] == _FIND_ANOTHER]
    body = [
        (
            masks,
            str(turn),
            describe_spread(row["strength"] for row in own),
            str(mean_of(own, "overlap")),
            ", ".join(sorted({row["stopped_by"] for row in own} - {""})),
        )
        for (masks, turn), own in group(found, ["masks", "turn"]).items()
    ]
    columns = ("lambda", "turn", "value in force", "share that earlier models used", "ended by")
    return Table("Find another explanation: the searches", columns, body)


_SHOWN = ("-", "given", "published strengths")


def _title(model, masks, turn):
    return model if turn is None else f"{model},\nmodel {turn}"


def _draw_map(ax, rows):
    image = np.mean([row["_map"] for row in rows], axis=0).reshape(5, 5)
    ax.imshow(image, cmap="Greys", vmin=0)
    ax.grid(False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)


def _draw_shares(ax, rows):
    estimates = [mean_of(rows, rule) for rule in RULES]
    ax.bar(
        range(len(RULES)),
        [e.mean for e in estimates],
        yerr=[2 * e.se for e in estimates],
        color=COLORS[: len(RULES)],
        capsize=3,
    )
    ax.set_ylim(0, 1.05)
    ax.set_xticks(range(len(RULES)), [rule.replace("_", "\n") for rule in RULES], fontsize=8)
    accuracy = mean_of(rows, "accuracy")
    ax.set_title(f"accuracy {accuracy.mean:.3f}", fontsize=8)
