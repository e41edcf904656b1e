"""Things that move: windows that look alike, wherever they are, in samples of one prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from ._suggest_null import FEWEST_WITH_TAIL, step_down, tail_p_value
from ._suggest_places import FEWEST_ROWS

# Things are looked for in at most so many samples, and pixels along a side; found in all samples.
_MAX_ROWS, MAX_SIDE = 600, 48
# A window is a twelfth of the longer side: of a larger thing, several fit into it.
_WINDOWS_PER_SIDE = 12
# So many windows where the model looks, and as many from anywhere, which are the null.
_N_WINDOWS = 100
# From a sample, one of so many windows with the largest gradients is drawn.
_N_SALIENT = 20
# Of a larger number of windows in a sample, every second in both directions is compared.
_MANY_POSITIONS = 1000
# A window that lies in the thing for so much more of its area than by chance shows a part of it.
_SAME_THING = 0.1
# Deviation of a pixel around the thing from one sample to the other, as a share of that of all
# pixels.
_ALIKE = 0.35
_ROWS_AT_ONCE = 256
# Strokes of digits and spots of leaves explain up to 0.38 of the surprise, and stand out from
# windows from anywhere, many of which are empty; so a p-value alone does not do.
_LEAST_POWER = 0.45


@dataclass
class Thing:
    """A look of windows that is tied to one predicted class.

    Attributes
    ----------
    looks : Looks
        Turns images into looks of windows.
    look : ndarray of shape (n_values,)
        How its windows look.
    code : int
        The class.
    farthest : float
        A sample with a window at most so far from the look has the thing.
    close : float
        Windows at most so far away are parts of it.
    p_value : float
        Against windows from anywhere.
    template : ndarray of bool of shape (2 r + 1, 2 r + 1) or None
        Pixels around its centre that are alike in all its samples; None where the centre is not.
    """

    looks: Looks
    look: np.ndarray
    code: int
    farthest: float
    close: float
    p_value: float = 1.0
    template: np.ndarray | None = None

    def locate(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the images that have the thing, and its mask in each of them."""
        rows, masks = [], [np.zeros((0, *images.shape[2:]), dtype=bool)]
        for start in range(0, len(images), _ROWS_AT_ONCE):
            values = self.looks.of(images[start : start + _ROWS_AT_ONCE])
            there, own = self.locate_windows(values, images.shape[2:])
            rows.append(start + there)
            masks.append(own)
        return np.concatenate(rows), np.concatenate(masks)

    def locate_windows(
        self, values: np.ndarray, shape: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same, where the looks of all windows are known already."""
        distance = _distances(values, self.look)
        nearest = distance.min(axis=1)
        there = np.flatnonzero(nearest <= self.farthest)
        hits = distance[there] <= np.maximum(self.close, nearest[there])[:, None]
        masks = self.looks.cover(hits, shape)
        return there, masks if self.template is None else self._stamp(masks, self.template)

    @staticmethod
    def _stamp(masks: np.ndarray, template: np.ndarray) -> np.ndarray:
        """Return masks of the template at the centre of each mask."""
        reach = len(template) // 2
        stamped = np.zeros((len(masks), *(side + 2 * reach for side in masks.shape[1:])), bool)
        for own, (top, left) in zip(stamped, _centres(masks), strict=True):
            own[top : top + 2 * reach + 1, left : left + 2 * reach + 1] = template
        return stamped[:, reach:-reach, reach:-reach]

    def learn_template(self, images: np.ndarray, masks: np.ndarray) -> None:
        """Find the pixels around the centre that are alike in the samples that have the thing."""
        reach = max(masks.shape[1:]) // 3
        wide = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
        inside = np.pad(np.ones(masks.shape, bool), ((0, 0), (reach, reach), (reach, reach)))
        crops, seen = (
            np.stack(
                [
                    own[..., top : top + 2 * reach + 1, left : left + 2 * reach + 1]
                    for own, (top, left) in zip(values, _centres(masks), strict=True)
                ]
            )
            for values in (wide, inside)
        )
        deviation = np.median(np.abs(crops - np.median(crops, axis=0)), axis=0)
        centre = np.median(images, axis=(0, 2, 3), keepdims=True)
        usual = np.median(np.abs(images - centre), axis=(0, 2, 3))[:, None, None]
        share = (deviation / np.maximum(usual, np.finfo(np.float32).tiny)).mean(axis=0)
        pieces, _ = ndimage.label((share < _ALIKE) & (seen.mean(axis=0) > 0.5))
        own = pieces[reach, reach]
        self.template = pieces == own if own else None


def find_things(
    images: np.ndarray, gradient: np.ndarray, predicted: np.ndarray, n_things: int, seed: int
) -> list[Thing]:
    """Find what is predictive of one predicted class wherever it is.

    Windows where the model looks are drawn, as many of each predicted class.  A sample has the look
    of a window if its nearest window is near enough: half of the samples say how near (the distance
    at which presence explains most of the surprise whether a sample is of the class), the other
    half how much that explains, and how much windows from anywhere do.

    Parameters
    ----------
    images : ndarray of float of shape (n, channels, h, w)
        Samples.
    gradient : ndarray of shape (n, h, w)
        Where the model looks.
    predicted : ndarray of int of shape (n,)
        Classes.
    n_things : int
        How many, at most.
    seed : int
        Of samples, windows and halves.

    Returns
    -------
    list of Thing
        With p-values, the strongest first.
    """
    rng = np.random.RandomState(seed % 2**32)
    sample = np.sort(rng.permutation(len(images))[:_MAX_ROWS])
    images, gradient, predicted = images[sample], gradient[sample], predicted[sample]
    if len(images) < 4 * FEWEST_ROWS or len(np.unique(predicted)) < 2:
        return []
    window = max(2, round(max(images.shape[2:]) / _WINDOWS_PER_SIDE))
    if min(images.shape[2:]) <= window:
        return []
    return _Search(images, gradient, predicted, Looks(images, window), rng).things(n_things)


class _Search:
    def __init__(
        self,
        images: np.ndarray,
        gradient: np.ndarray,
        predicted: np.ndarray,
        looks: Looks,
        rng: np.random.RandomState,
    ) -> None:
        self.images, self.predicted, self.looks = images, predicted, looks
        self.values = looks.of(images)
        rows, places = self._draw_windows(gradient, rng)
        self.codes = predicted[rows]
        self.salient = np.arange(len(rows)) < len(rows) - _N_WINDOWS
        self.window_looks = self.values[rows, :, places]
        self.distances, self.nearest = self._match_all()
        self.half = np.zeros(len(images), dtype=bool)
        self.half[rng.permutation(len(images))[::2]] = True
        own = predicted[:, None] == self.codes
        self.farthest, self.powers = best_thresholds(self.distances[self.half], own[self.half])
        self.held_out = self._held_out(self.distances, own, self.farthest)

    def _draw_windows(
        self, gradient: np.ndarray, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        looked_at = _box_means(gradient[:, None], self.looks.window)[:, 0]
        looked_at = looked_at.reshape(len(gradient), -1)
        n_places = looked_at.shape[1]
        classes = np.unique(self.predicted)
        rows = np.concatenate(
            [
                rng.choice(np.flatnonzero(self.predicted == code), -(-_N_WINDOWS // len(classes)))
                for code in classes
            ]
        )
        n_top = min(_N_SALIENT, n_places)
        places = [looked_at[row].argsort()[-1 - rng.randint(n_top)] for row in rows]
        anywhere = rng.randint(len(gradient), size=_N_WINDOWS)
        return (
            np.concatenate([rows, anywhere]),
            np.concatenate([places, rng.randint(n_places, size=_N_WINDOWS)]),
        )

    def _match_all(self) -> tuple[np.ndarray, np.ndarray]:
        """Return distance and place of the nearest window of each sample; shape (n, n_windows)."""
        places = np.arange(self.values.shape[2]).reshape(self.looks.shape)
        if places.size > _MANY_POSITIONS:
            places = places[::2, ::2]
        places = places.ravel()
        size = (self.window_looks**2).sum(axis=1)
        distances = np.empty((len(self.values), len(size)), dtype=np.float32)
        nearest = np.empty(distances.shape, dtype=np.int64)
        for row, own in enumerate(self.values):
            own = own[:, places]
            squares = (-2 * self.window_looks) @ own
            squares += (own**2).sum(axis=0)
            nearest[row] = squares.argmin(axis=1)
            distances[row] = size + np.take_along_axis(squares, nearest[row][:, None], 1)[:, 0]
        return np.sqrt(np.maximum(distances, 0)), places[nearest]

    def _held_out(self, distances: np.ndarray, own: np.ndarray, farthest: Any) -> np.ndarray:
        there, own = distances[~self.half] <= farthest, own[~self.half]
        return explained(there.sum(0), (there & own).sum(0), len(own), own.sum(0))

    def things(self, n_things: int) -> list[Thing]:
        others = np.ones(len(self.codes), dtype=bool)  # windows that show nothing found so far
        things: list[Thing] = []
        powers: list[float] = []
        while len(things) < n_things:
            strength = np.where(others & self.salient, np.minimum(self.powers, self.held_out), 0)
            best = int(strength.argmax())
            if not strength[best]:
                break
            thing, held_out = self._thing(best)
            rows, masks = thing.locate_windows(self.values, self.images.shape[2:])
            others &= self._inside(rows, masks) <= masks.mean() + _SAME_THING
            others[best] = False
            null = self.held_out[others & ~self.salient]
            if len(null) < FEWEST_WITH_TAIL:
                break
            thing.p_value = tail_p_value(held_out, null, int(self.salient.sum()))
            things.append(thing)
            powers.append(held_out)
        p_values = step_down([thing.p_value for thing in things], powers)
        for thing, p_value, share in zip(things, p_values, powers, strict=True):
            thing.p_value = p_value if share >= _LEAST_POWER else 1.0
        return things

    def _thing(self, best: int) -> tuple[Thing, float]:
        """Make a thing of a window; the mean look of its nearest windows is tried instead."""
        own = self.predicted == self.codes[best]
        look, distances = self.window_looks[best], self.distances[:, best]
        held_out = self.held_out[best]
        there = np.flatnonzero(self.half & own & (distances <= self.farthest[best]))
        mean_look = self.values[there, :, self.nearest[there, best]].mean(axis=0)
        mean_distances = _distances(self.values, mean_look).min(axis=1)
        farthest, power = best_thresholds(
            mean_distances[self.half][:, None], own[self.half][:, None]
        )
        if power[0] >= self.powers[best]:
            look, distances = mean_look, mean_distances
            held_out = self._held_out(distances[:, None], own[:, None], farthest)[0]
        farthest = best_thresholds(distances[:, None], own[:, None])[0][0]
        near = distances[distances <= farthest]
        close = min(farthest, 1.5 * np.quantile(near, 0.9))
        thing = Thing(self.looks, look, int(self.codes[best]), float(farthest), float(close))
        rows, masks = thing.locate_windows(self.values, self.images.shape[2:])
        thing.learn_template(self.images[rows], masks)
        return thing, float(held_out)

    def _inside(self, rows: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return the share of each window's nearest windows that lies in the masks."""
        window = self.looks.window
        share = _box_means(masks[:, None].astype(np.float32), window).reshape(len(rows), -1)
        return np.take_along_axis(share, self.nearest[rows], axis=1).mean(axis=0)


class Looks:
    """The appearance of windows: channel means of their quarters, and log deviations of channels.

    Parameters
    ----------
    images : ndarray of shape (n, channels, h, w)
        Samples that say how much each value varies.
    window : int
        Side of a window.
    """

    def __init__(self, images: np.ndarray, window: int) -> None:
        self.window = window
        self.shape = tuple(side - window + 1 for side in images.shape[2:])
        self.floor: float | np.ndarray = 1.0
        self.scale: float | np.ndarray = 1.0
        _, deviations = self._moments(images)
        self.floor = 0.1 * np.median(deviations, axis=(0, 2, 3), keepdims=True)
        spread = images.std(axis=(0, 2, 3), keepdims=True)
        self.floor = np.maximum(self.floor, 1e-3 * spread + np.finfo(np.float32).tiny)
        scale = self.of(images).std(axis=(0, 2), keepdims=True)
        self.scale = np.where(scale > 0, scale, 1)

    def of(self, images: np.ndarray) -> np.ndarray:
        """Describe every window; float32 of shape (n, 5 channels, windows)."""
        quarters, deviations = self._moments(images)
        values = np.concatenate([*quarters, np.log(deviations + self.floor)], axis=1)
        values = values.reshape(*values.shape[:2], -1)
        return (values / self.scale).astype(np.float32)

    def _moments(self, images: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        means = _box_means(images, self.window)
        squares = _box_means(images**2, self.window)
        deviations = np.sqrt(np.maximum(squares - means**2, 0))
        height, width = self.shape
        side = self.window // 2
        of_sides, far = _box_means(images, side), self.window - side
        quarters = [
            of_sides[:, :, top : top + height, left : left + width]
            for top in (0, far)
            for left in (0, far)
        ]
        return quarters, deviations

    def cover(self, hits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Mark the pixels of windows; hits of shape (n, windows), masks of shape (n, h, w)."""
        height, width = self.shape
        hits = hits.reshape(-1, height, width)
        masks = np.zeros((len(hits), *shape), dtype=bool)
        for down in range(self.window):
            for right in range(self.window):
                masks[:, down : down + height, right : right + width] |= hits
        return masks


def explained(n_there: Any, own_there: Any, n_rows: Any, n_own: Any) -> np.ndarray:
    """Return the share of the surprise "of the class or not" that presence explains.

    Parameters
    ----------
    n_there, own_there : array-like of int
        Samples that have the look; how many of them are of the class.
    n_rows, n_own : array-like of int
        The same for all samples.

    Returns
    -------
    ndarray
        In [0, 1]; 0 where samples of the class have it more seldom than others.
    """
    n_rest, own_rest = n_rows - n_there, n_own - own_there
    there, rest = own_there / np.maximum(n_there, 1), own_rest / np.maximum(n_rest, 1)
    before = _entropy(np.asarray(n_own / n_rows))
    after = (n_there * _entropy(there) + n_rest * _entropy(rest)) / n_rows
    share = 1 - np.divide(after, before, out=np.ones_like(after), where=before > 0)
    return np.where(there > rest, share, 0.0)


def best_thresholds(distances: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distance at which presence explains most, for each look.

    Parameters
    ----------
    distances : ndarray of shape (n, n_looks)
        Of the nearest window in each sample.
    own : ndarray of bool of shape (n, n_looks)
        Samples of the class of the look.

    Returns
    -------
    thresholds, powers : ndarray of shape (n_looks,)
        Half-way between the samples on either side; what is explained.
    """
    order = distances.argsort(axis=0, kind="stable")
    ordered = np.take_along_axis(distances, order, axis=0)
    own_there = np.take_along_axis(own, order, axis=0).cumsum(axis=0)
    n_rows = len(distances)
    powers = explained(np.arange(1, n_rows + 1)[:, None], own_there, n_rows, own_there[-1:])
    powers[: FEWEST_ROWS - 1] = powers[-1] = 0
    powers[:-1][ordered[1:] <= ordered[:-1]] = 0  # no threshold lies between equal distances
    last = powers.argmax(axis=0)
    looks = np.arange(distances.shape[1])
    after = ordered[np.minimum(last + 1, n_rows - 1), looks]
    return (ordered[last, looks] + after) / 2, powers[last, looks]


def _entropy(share: np.ndarray) -> np.ndarray:
    rest = 1 - share
    return -(
        share * np.log(np.where(share > 0, share, 1)) + rest * np.log(np.where(rest > 0, rest, 1))
    )


def _distances(values: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Return the distance of every window to a look, shape (n, windows)."""
    return np.sqrt(np.square(values - look[:, None]).sum(axis=1))


def _box_means(values: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of every square of a side, of shape (n, channels, h - side + 1, ...)."""
    sums = np.zeros((*values.shape[:2], *(n + 1 for n in values.shape[2:])))
    np.cumsum(values, axis=2, out=sums[:, :, 1:, 1:], dtype=np.float64)
    np.cumsum(sums, axis=3, out=sums)
    rows = sums[:, :, side:] - sums[:, :, :-side]
    return (rows[..., side:] - rows[..., :-side]) / side**2


def _centres(masks: np.ndarray) -> list[tuple[int, int]]:
    """Return the centre of the bounding box of each mask's largest piece."""
    centres = []
    for mask in masks:
        pieces, _ = ndimage.label(mask)
        largest = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
        rows, columns = np.flatnonzero(largest.any(axis=1)), np.flatnonzero(largest.any(axis=0))
        centres.append(((rows[0] + rows[-1]) // 2, (columns[0] + columns[-1]) // 2))
    return centres
