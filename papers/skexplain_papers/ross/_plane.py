"""Points in the plane: input gradients stand at right angles to the decision boundary."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from skexplain.datasets import make_ross_2d
from skexplain.datasets._planes import _three_classes, _two_classes
from skexplain.inspection import saliency
from skexplain.studies import Cell, Table
from skexplain.studies.tools import COLORS, group, mean_of, new_figure, where

from .._published import find_published
from .._study import Study
from .._trial import make_estimator
from ._settings import ross_settings

#: By number of classes: the true rule, the range of both coordinates, training points.
_PLANES = {
    2: (_two_classes, (-50.0, 50.0), 20_000),
    3: (_three_classes, (0.0, 100.0), 30_000),
}
_N_GRID = 401
_DISTANCES = ((1, 5), (5, 10), (10, 20))  # to the boundary; the plane is 100 wide
_N_ARROWS, _N_DRAWN = 13, 81


def boundary_angles(points, gradient, classes, low, high):
    """Measure angles between input gradients and the way to the nearest boundary.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        At least one cell of the grid inside the plane.
    gradient : ndarray of shape (n, 2)
        At each, of the score of its own class: where it stands at right angles to a boundary, it
        points away from it.
    classes : ndarray of int of shape (side, side)
        Class of each place of a grid over the plane, the first coordinate along axis 0.
    low, high : float
        Range of both coordinates.

    Returns
    -------
    angle : ndarray of shape (n,)
        Between the gradient and the line to the nearest place of another class, 0 to 90 degrees;
        nan where there is no other class or no gradient.
    distance : ndarray of shape (n,)
        To that place.
    """
    step = (high - low) / (len(classes) - 1)
    cells = np.rint((points - low) / step).astype(int)
    nearest = np.full(points.shape, np.nan)
    for k in np.unique(classes):
        if (classes == k).all():
            continue
        places = distance_transform_edt(classes == k, return_distances=False, return_indices=True)
        own = classes[tuple(cells.T)] == k
        nearest[own] = low + step * places[:, cells[own, 0], cells[own, 1]].T
    way = nearest - points
    distance = np.linalg.norm(way, axis=1)
    size = distance * np.linalg.norm(gradient, axis=1)
    cosine = np.abs((way * gradient).sum(axis=1)) / np.where(size > 0, size, np.nan)
    return np.degrees(np.arccos(np.minimum(cosine, 1))), distance


def _grid(low, high, side):
    """Return places of a grid over the plane, shape (side ** 2, 2)."""
    ticks = np.linspace(low, high, side)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)


class Plane(Study):
    """Two and three classes in the plane, and the control of labels that mean nothing."""

    name = "ross-plane"
    title = "Input gradients and decision boundaries in the plane"
    source = "Ross et al. 2017, the pictures of the intuition"
    defaults = "stored"

    def cells(self, scale):
        """Right labels, and shuffled ones as control."""
        quick = scale == "quick"
        return [
            Cell(
                {"classes": n_classes, "labels": labels, "seed": seed},
                {
                    "estimator": "ERMClassifier",
                    "n_rows": 2000 if quick else n_rows,
                    **ross_settings(2, n_classes, n_rows),
                },
            )
            for seed in range(1 if quick else 5)
            for n_classes, (_, _, n_rows) in _PLANES.items()
            for labels in ("true", "shuffled")
        ]

    def run(self, factors, settings):
        """Fit; a row per boundary and distance to it."""
        n_classes, seed = factors["classes"], factors["seed"]
        classify, (low, high), _ = _PLANES[n_classes]
        data = make_ross_2d(n_classes, n_samples=settings["n_rows"], random_state=seed)
        y = data.target
        if factors["labels"] == "shuffled":
            y = np.random.RandomState(seed).permutation(y)
        model = make_estimator(settings, seed).fit(data.data, y)

        places = _grid(low, high, _N_GRID)
        side = (_N_GRID, _N_GRID)
        classes = {
            "the model's": model.predict(places).reshape(side),
            "the true one": classify(*places.T).reshape(side),
        }
        gradient = saliency(model, data.data_test)
        shared = {
            "train_accuracy": model.score(data.data, y),
            "accuracy": model.score(data.data_test, data.target_test),
        }
        rows = []
        for boundary, of_places in classes.items():
            angle, distance = boundary_angles(data.data_test, gradient, of_places, low, high)
            for nearest, farthest in _DISTANCES:
                inside = (nearest <= distance) & (distance < farthest) & ~np.isnan(angle)
                mean = float(angle[inside].mean()) if inside.any() else None
                factor = {"boundary": boundary, "distance": f"{nearest} to {farthest}"}
                rows.append({**factor, "angle": mean, **shared})
        rows[0]["_regions"] = model.predict(_grid(low, high, _N_DRAWN)).tolist()
        rows[0]["_arrows"] = saliency(model, _arrow_places(low, high)).tolist()
        return rows

    def tables(self, rows):
        """Accuracy beside the published one; angles beside those of shuffled labels."""
        return [self._accuracies(rows), self._angles(rows)]

    def _accuracies(self, rows):
        body = []
        one_per_fit = where(rows, boundary="the model's", distance=_name(_DISTANCES[0]))
        for (classes, labels), own in group(one_per_fit, ["classes", "labels"]).items():
            keys = {"classes": classes, "labels": labels}
            found = find_published(self.name, keys, "train_accuracy")
            train, test = (str(mean_of(own, name)) for name in ("train_accuracy", "accuracy"))
            body.append((str(classes), labels, train, "" if found is None else str(found), test))
        columns = ("classes", "labels", "train accuracy", "published", "test accuracy")
        return Table(f"{self.title}: accuracy", columns, body)

    def _angles(self, rows):
        body = []
        distances = [_name(bounds) for bounds in _DISTANCES]
        for keys, own in group(rows, ["classes", "labels", "boundary"]).items():
            cells = [mean_of(own, "angle", distance=name) for name in distances]
            texts = [f"{e.mean:.1f} ± {e.sd:.1f}" if e.n > 1 else f"{e.mean:.1f}" for e in cells]
            body.append((*map(str, keys), *texts))
        columns = ("classes", "labels", "boundary", *(f"distance {name}" for name in distances))
        note = (
            "Between the input gradient at test points and the line to the nearest place of "
            "another class: 0 is a right angle to the boundary, and directions that tell nothing "
            "have 45 in the mean. ± is the standard deviation over seeds."
        )
        return Table(f"{self.title}: mean angle in degrees", columns, body, note)

    def pictures(self, rows):
        """Regions of the first model with its gradients, and angles over all."""
        figure, axes = new_figure(1, 3, (4.0, 3.8))
        drawn = [row for row in rows if row.get("_regions") and row["labels"] == "true"]
        for ax, n_classes in zip(axes.flat, _PLANES, strict=False):
            found = where(drawn, classes=n_classes)
            if found:
                _draw_plane(ax, found[0])
        self._draw_angles(axes[0, 2], rows)
        return {self.name: figure}

    def _draw_angles(self, ax, rows):
        distances = [_name(bounds) for bounds in _DISTANCES]
        lines = group(where(rows, boundary="the true one"), ["classes", "labels"])
        for (classes, labels), own in lines.items():
            found = [mean_of(own, "angle", distance=name) for name in distances]
            ax.errorbar(
                range(len(distances)),
                [e.mean for e in found],
                yerr=[2 * e.se for e in found],
                label=f"{classes} classes, {labels} labels",
                color=COLORS[classes - 2],
                linestyle="-" if labels == "true" else "--",
                marker="o",
                markerfacecolor=None if labels == "true" else "white",
                capsize=2,
            )
        ax.axhline(45, color="0.5", linewidth=0.8)
        ax.annotate("chance", (0, 45), xytext=(0, 3), textcoords="offset points", color="0.4")
        ax.set_xticks(range(len(distances)), distances)
        ax.set_ylim(0, 90)
        ax.set_xlabel("distance to the true boundary")
        ax.set_ylabel("angle to its normal (degrees)")
        ax.set_title("Mean angle at test points", fontsize=10)
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16)}
        ax.legend(fontsize=7, frameon=False, ncols=2, **below)


def _name(bounds):
    return f"{bounds[0]} to {bounds[1]}"


def _arrow_places(low, high):
    margin = (high - low) / (2 * _N_ARROWS)
    return _grid(low + margin, high - margin, _N_ARROWS)


def _draw_plane(ax, row):
    """Draw where the model predicts what, and its gradient, all arrows of one length."""
    from matplotlib.colors import ListedColormap

    low, high = _PLANES[row["classes"]][1]
    regions = np.reshape(row["_regions"], (_N_DRAWN, _N_DRAWN)).T
    colors = ListedColormap([COLORS[i] for i in range(row["classes"])])
    ax.grid(False)
    ax.imshow(
        regions, origin="lower", extent=(low, high, low, high), cmap=colors, alpha=0.35, vmin=0,
        vmax=row["classes"] - 1,
    )  # fmt: skip
    arrows = np.array(row["_arrows"])
    arrows /= np.maximum(np.linalg.norm(arrows, axis=1, keepdims=True), 1e-12)
    ax.quiver(*_arrow_places(low, high).T, *arrows.T, scale=22, width=0.005, pivot="mid")
    ax.set_xlabel("x1")
    ax.set_ylabel("x2")
    ax.set_title(f"{row['classes']} classes: predictions and input gradients", fontsize=10)
