"""Certainty regularisation: all input gradients small, against small attacks."""

import numpy as np
from sklearn.model_selection import train_test_split

from skexplain.datasets import make_decoy_digits
from skexplain.datasets._mnist import load_mnist
from skexplain.inspection import fgsm, jsma
from skexplain.studies import Cell, Table
from skexplain.studies.tools import (
    COLORS,
    add_legend,
    draw_curves,
    group,
    mean_of,
    new_figure,
    paired_difference,
    where,
)

from .._study import Study
from .._trial import make_estimator
from ._decoy_mnist import require_mnist

#: What is turned up, and the values that are tried: as many for each method.
_METHODS = {
    "certainty": ("GradRegClassifier", "alpha", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)),
    "weight decay": (
        "ERMClassifier",
        "optimizer__weight_decay",
        (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    ),
    "noise": ("AvgExClassifier", "epsilon", (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)),
}
_BASELINE = "label-only"

#: FGSM: change of each pixel, from 0 to 1; JSMA: share of the pixels that are set to white.
_SIZES = (0.02, 0.05, 0.1, 0.2)
_TOLERANCE = 0.01  # of accuracy on held-out rows, that robustness may cost


def attack_success(estimator, X, y, attack, size, seed):
    """Attack rows that are classified correctly.

    Parameters
    ----------
    estimator : fitted classifier of this package
    X : ndarray of shape (n, d)
        Pixels from 0 to 1.
    y : ndarray of int of shape (n,)
    attack : {"fgsm", "jsma"}
        Away from the label, or towards one drawn among the others.
    size : float
        Change of each pixel, or share of the pixels that change.
    seed : int
        Draws the targets.

    Returns
    -------
    float
        Share of the rows on which the attack reaches what it is after.
    """
    correct = estimator.predict(X) == y
    X, y = X[correct], y[correct]
    if attack == "fgsm":
        moved = fgsm(estimator, X, y, size, clip=(0, 1))
        return float(np.mean(estimator.predict(moved) != y))
    n_classes = len(estimator.classes_)
    target = (y + np.random.RandomState(seed).randint(1, n_classes, size=len(y))) % n_classes
    moved = jsma(estimator, X, target, theta=1.0, gamma=size, clip=(0, 1))
    return float(np.mean(estimator.predict(moved) == target))


class Certainty(Study):
    """Certainty regularisation beside label-only, weight decay and noise, tuned alike.

    The paper claims it of a convolutional network; here it is a perceptron of 50 and 30 units, on
    10,000 digits of MNIST.
    """

    name = "ross-certainty"
    title = "Certainty regularisation against small attacks"
    source = "Ross et al. 2017, a claim without figures"
    defaults = "stored"

    def prepare(self, scale):
        """Look for MNIST."""
        require_mnist(scale)

    def cells(self, scale):
        """A fit per method and value."""
        quick = scale == "quick"
        settings = {
            "module": {"name": "mlp", "n_features": 64, "n_classes": 10, "hidden": [50, 30]},
            "params": {"max_epochs": 20 if quick else 40, "input_unit": "input"},
            "sizes": list(_SIZES),
        }
        if not quick:
            settings["module"]["n_features"] = 784
        tried = [(_BASELINE, "ERMClassifier", {}, 0.0)]
        for method, (estimator, parameter, values) in _METHODS.items():
            some = values[::2] if quick else values
            tried += [(method, estimator, {parameter: value}, value) for value in some]
        return [
            Cell(
                {
                    "dataset": "digits" if quick else "mnist",
                    "method": method,
                    "value": value,
                    "seed": seed,
                },
                {
                    **settings,
                    "estimator": estimator,
                    "params": {**settings["params"], **params},
                },
            )
            for seed in range(1 if quick else 5)
            for method, estimator, params, value in tried
        ]

    def run(self, factors, settings):
        """Fit; attack held-out rows and test rows."""
        seed = factors["seed"]
        X, y, parts = _load(factors["dataset"], seed)
        everything = np.ones((1, X.shape[1]), dtype=bool)
        mask = None if factors["method"] in (_BASELINE, "weight decay") else everything
        model = make_estimator(settings, seed).fit(X, y, mask=mask)
        return [
            {
                "part": part,
                "attack": attack,
                "size": size,
                "success": attack_success(model, *rows, attack, size, seed),
                "accuracy": model.score(*rows),
            }
            for part, rows in parts.items()
            for attack in ("fgsm", "jsma")
            for size in settings["sizes"]
        ]

    def tables(self, rows):
        """Success at the values that were chosen, and at all."""
        return [self._chosen(rows), self._sweep(rows)]

    def _chosen(self, rows):
        body = []
        for keys, of_attack in group(choose_values(rows), ["dataset", "attack", "size"]).items():
            methods = {key[0]: own for key, own in group(of_attack, ["method"]).items()}
            for method, own in methods.items():
                gains = [
                    paired_difference(own, methods[other], "success").as_difference()
                    if other in methods and other != method
                    else ""
                    for other in (_BASELINE, "weight decay", "noise")
                ]
                measures = (str(mean_of(own, "accuracy")), str(mean_of(own, "success")))
                body.append((*map(str, keys), method, *measures, *gains))
        columns = ("dataset", "attack", "size", "method", "accuracy", "success")
        columns += ("against label-only", "against weight decay", "against noise")
        note = (
            "Success: share of correctly classified test images on which the attack succeeds; less "
            "is better. Values are chosen per seed on held-out rows: the least success among those "
            f"that cost at most {_TOLERANCE} of accuracy. The paper gives no figures."
        )
        return Table(f"{self.title}: chosen values", columns, body, note)

    def _sweep(self, rows):
        body = []
        tested = where(rows, part="test")
        for keys, own in group(tested, ["dataset", "method", "value"]).items():
            per_seed = _mean_over_attacks(own)
            success = [str(mean_of(per_seed[attack], "success")) for attack in ("fgsm", "jsma")]
            body.append((*map(str, keys), str(mean_of(per_seed["fgsm"], "accuracy")), *success))
        columns = ("dataset", "method", "value", "accuracy", "success of FGSM", "of JSMA")
        return Table(f"{self.title}: all values, mean over sizes", columns, body)

    def pictures(self, rows):
        """Success over size at chosen values, and what robustness costs."""
        figure, axes = new_figure(1, 3, (3.8, 3.4))
        chosen = choose_values(rows)
        titles = {
            "fgsm": ("FGSM", "change of each pixel"),
            "jsma": ("JSMA", "share of the pixels that change"),
        }
        for ax, (attack, (title, words)) in zip(axes.flat, titles.items(), strict=False):
            draw_curves(ax, where(chosen, attack=attack), "size", "success")
            ax.set_title(title, fontsize=10)
            ax.set_xlabel(words)
            ax.set_ylabel("share of successful attacks")
            ax.set_ylim(0, None)
        _draw_price(axes[0, 2], where(rows, part="test"))
        add_legend(figure, axes[:, :2])
        return {self.name: figure}


def choose_values(rows):
    """Take the test rows of the value that each method would be given, chosen per seed.

    Parameters
    ----------
    rows : list of dict
        Of the study.

    Returns
    -------
    list of dict
        Of the value with the least success on held-out rows, mean over attacks and sizes, among
        those whose accuracy there is at most a hundredth below label-only's; where there is none,
        of the most accurate.
    """
    chosen = []
    for own in group(rows, ["dataset", "seed"]).values():
        fits = group(own, ["method", "value"])
        valid = {key: where(same, part="valid") for key, same in fits.items()}
        if (_BASELINE, 0.0) not in fits:  # not computed yet
            continue
        floor = valid[_BASELINE, 0.0][0]["accuracy"] - _TOLERANCE
        for (method,) in group(own, ["method"]):
            keys = [key for key in fits if key[0] == method]
            good = [key for key in keys if valid[key][0]["accuracy"] >= floor]
            if good:
                best = min(good, key=lambda key: np.mean([r["success"] for r in valid[key]]))
            else:
                best = max(keys, key=lambda key: valid[key][0]["accuracy"])
            chosen += [row for row in fits[best] if row["part"] == "test"]
    return chosen


def _load(dataset, seed):
    """Return training rows, and the held-out and the test rows by name."""
    if dataset == "mnist":
        X, y, X_test, y_test = load_mnist(None, True, 10_000, 2000, np.random.RandomState(seed))
    else:
        digits = make_decoy_digits("none", random_state=seed)
        X, y, X_test, y_test = digits.data, digits.target, digits.data_test, digits.target_test
    X, X_test = (images.reshape(len(images), -1) / np.float32(255) for images in (X, X_test))
    X, X_valid, y, y_valid = train_test_split(X, y, test_size=0.1, random_state=seed, stratify=y)
    return X, y, {"valid": (X_valid, y_valid), "test": (X_test, y_test)}


def _mean_over_attacks(rows):
    """Return a row per seed, by attack: success as the mean over sizes."""
    return {
        attack: [
            {**own[0], "success": np.mean([row["success"] for row in own])}
            for own in group(of_attack, ["seed"]).values()
        ]
        for (attack,), of_attack in group(rows, ["attack"]).items()
    }


def _draw_price(ax, rows):
    """Draw accuracy against the success of FGSM, a point per value."""
    for i, own in enumerate(group(rows, ["method"]).values()):
        points = []
        for same in group(own, ["value"]).values():
            per_seed = _mean_over_attacks(same)["fgsm"]
            points.append([mean_of(per_seed, name).mean for name in ("success", "accuracy")])
        ax.plot(*zip(*points, strict=True), "o-", color=COLORS[i], markersize=4, linewidth=1)
    ax.set_title("What robustness costs: all values", fontsize=10)
    ax.set_xlabel("share of successful FGSM attacks")
    ax.set_ylabel("accuracy")
