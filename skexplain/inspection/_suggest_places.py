"""Places: cells of an image, or columns, whose single value predicts what a model predicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from scipy import ndimage
from sklearn.cluster import KMeans

from ._suggest_null import FEWEST_OTHERS, FEWEST_WITH_TAIL, step_down, tail_p_value

# Cells, and the samples that share them.
Region: TypeAlias = tuple[np.ndarray, np.ndarray]

_NEIGHBOURS = 10
# From this predictive power on, a cell is in the region of a group, and a sample in the group.
CELL_POWER, _SAMPLE_POWER = 0.5, 0.6
# A region that overlaps more with one already found is the same one.
_SAME_IOU = 0.5
# Fewer samples share a region by chance.
FEWEST_ROWS = 5
_MAX_CELLS = 16
# A region must have so much of its predictive power outside of the regions before it.
_NEWS = 0.5
# The others are the cells outside of all regions; if fewer than this share of all are left, what
# the power of each cell in samples without a region there, if these are enough.
_FREE_CELLS, _FREE_ROWS = 0.25, 0.25


def find_places(
    grid: Grid,
    values: np.ndarray,
    gradient: np.ndarray,
    predicted: np.ndarray,
    n_clusters: int,
    seed: int,
) -> list[tuple[np.ndarray, np.ndarray, float, float, np.ndarray]]:
    """Find regions that are predictive of the predictions for many samples.

    Parameters
    ----------
    grid : Grid
        Cells of the samples.
    values, gradient : ndarray of the shape of X
        Samples, and where the model looks.
    predicted : ndarray of int of shape (n,)
        Classes.
    n_clusters : int
        Clusters of samples that are looked at.
    seed : int
        For clusters, equal values and permutations.

    Returns
    -------
    list of (cells, rows, power, p_value, suspicion)
        Highest score first; `suspicion` is the mean of the samples, shape (n_cells,).
    """
    means = grid.means(values)
    power = predictive_power(means, predicted, seed)
    suspicion = power * np.sqrt(_shares(grid.means(gradient).sum(axis=1)))
    regions = _distinct(
        _region(grid, power, suspicion, rows) for rows in _clusters(suspicion, n_clusters, seed)
    )
    powers = [float(power[np.ix_(rows, cells)].mean()) for cells, rows in regions]
    order = sorted(range(len(powers)), key=lambda i: -powers[i] * len(regions[i][1]))
    regions, powers = [regions[i] for i in order], [powers[i] for i in order]
    # A few columns may all predict less than chance, or none be left to compare with.
    few = power.shape[1] < FEWEST_WITH_TAIL
    chance = _scores_by_chance(means, predicted, seed) if few else []
    p_values = place_p_values(power, regions, chance)
    return [
        (cells, rows, share, p_value, suspicion[rows].mean(axis=0))
        for (cells, rows), share, p_value in zip(regions, powers, p_values, strict=True)
    ]


def place_p_values(
    power: np.ndarray, regions: Sequence[Region], chance: Sequence[float] = ()
) -> list[float]:
    """Return p-values of regions against the other places of the same samples.

    Parameters
    ----------
    power : ndarray of shape (n, cells)
        Predictive power of each value for the prediction of its sample.
    regions : list of (cells, rows)
        Highest score first.
    chance : array-like, default=()
        Scores of places without predictive power: a second null where places are few.

    Returns
    -------
    list of float
        The score of a region (its share of the samples, times their mean power, 0 in what regions
        before it have) against the scores of single cells, outside of this region and of those;
        where hardly any are left, in the samples that do not share them.
        1 for regions with less than half of their power outside of those before them.
    """
    large = np.where(power > _SAMPLE_POWER, power, 0)
    alone = large.mean(axis=0)
    free = np.ones(power.shape, dtype=bool)
    taken = np.zeros(power.shape[1], dtype=bool)
    p_values, scores = [], []
    for cells, rows in regions:
        own = np.ix_(rows, cells)
        news = (power[own] * free[own]).sum()
        scores.append(power[own].mean() * len(rows) / len(power))
        if news < _NEWS * power[own].sum():
            p_values.append(np.nan)
            continue
        free[own] = False
        taken |= cells
        others = alone[~taken]
        if len(others) < max(FEWEST_OTHERS, _FREE_CELLS * len(taken)):
            n_free = free.sum(axis=0)
            enough = n_free >= _FREE_ROWS * len(power)
            others = ((large * free).sum(axis=0) / np.maximum(n_free, 1))[enough]
        score = news / cells.sum() / len(power)
        nulls = [null for null in (others, chance) if len(null) >= FEWEST_OTHERS]
        p_values.append(
            max((tail_p_value(score, null, power.shape[1]) for null in nulls), default=1.0)
        )
    return step_down(p_values, scores)


def _scores_by_chance(means: np.ndarray, predicted: np.ndarray, seed: int) -> list[float]:
    """Return scores of the same columns when predictions are permuted, enough for a tail."""
    rng = np.random.RandomState(seed % 2**32)
    scores: list[float] = []
    while len(scores) < FEWEST_WITH_TAIL:
        power = predictive_power(means, rng.permutation(predicted), seed)
        scores.extend(np.where(power > _SAMPLE_POWER, power, 0).mean(axis=0))
    return scores


def predictive_power(values: np.ndarray, codes: np.ndarray, seed: int) -> np.ndarray:
    """Return how far a single value gives away the class of its sample.

    Parameters
    ----------
    values : ndarray of shape (n, channels, cells)
        Values; of the channels of a cell the most predictive one counts.
    codes : ndarray of int of shape (n,)
        Class of each sample.
    seed : int
        Orders samples of equal values, which may be many, at random.

    Returns
    -------
    float32 ndarray of shape (n, cells)
        In [0, 1], the explained share of the surprise -log p(class).
    """
    mixed = np.random.RandomState(seed % 2**32).permutation(len(values))
    power = np.empty((len(values), values.shape[2]), dtype=np.float32)
    power[mixed] = np.max(
        [_power(channel[mixed], codes[mixed]) for channel in values.swapaxes(0, 1)], axis=0
    )
    return power


def _power(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    n_rows, n_cells = values.shape
    n_neighbours = min(_NEIGHBOURS, n_rows - 1)
    order = values.argsort(axis=0, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(n_rows)[:, None], axis=0)
    # The window of a place in the order: half the neighbours on either side, but at the ends.
    first = np.clip(np.arange(n_rows) - n_neighbours // 2, 0, n_rows - 1 - n_neighbours)
    power = np.zeros((n_rows, n_cells), dtype=np.float32)
    classes, sizes = np.unique(codes, return_counts=True)
    for code, prior in zip(classes, sizes / n_rows, strict=True):
        if prior < 1:  # what is always predicted is no surprise
            up_to = np.zeros((n_rows + 1, n_cells), dtype=np.int32)
            np.cumsum(codes[order] == code, axis=0, out=up_to[1:])
            in_window = up_to[first + n_neighbours + 1] - up_to[first]
            rows = codes == code
            alike = np.take_along_axis(in_window, place[rows], axis=0) - 1  # but itself
            share = (alike + prior) / (n_neighbours + 1)
            power[rows] = np.maximum(0, 1 - np.log(share) / np.log(prior))
    return power


def _shares(values: np.ndarray) -> np.ndarray:
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def _clusters(points: np.ndarray, n_clusters: int, seed: int) -> list[np.ndarray]:
    """Return the samples of each k-means cluster, those of equal points in one."""
    n_clusters = min(n_clusters, len(np.unique(points, axis=0)))
    labels = KMeans(n_clusters, n_init=3, random_state=seed).fit_predict(points)
    return [np.flatnonzero(labels == label) for label in range(n_clusters)]


def _region(grid: Grid, power: np.ndarray, suspicion: np.ndarray, rows: np.ndarray) -> Region:
    """Find the region of a cluster of samples, and all samples that share it."""
    cells = _predictive_cells(grid, power, suspicion, rows)
    if cells.any():
        rows = np.flatnonzero(power[:, cells].mean(axis=1) > _SAMPLE_POWER)
        if len(rows):
            return _predictive_cells(grid, power, suspicion, rows), rows
    return cells, rows[:0]


def _predictive_cells(
    grid: Grid, power: np.ndarray, suspicion: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    predictive = power[rows].mean(axis=0) > CELL_POWER
    return grid.heaviest_piece(predictive, suspicion[rows].mean(axis=0))


def _distinct(regions: Iterable[Region]) -> list[Region]:
    """Drop regions of too few samples, and of similar ones all but that of the largest group."""
    regions = [(cells, rows) for cells, rows in regions if len(rows) >= FEWEST_ROWS]
    regions.sort(key=lambda region: -len(region[1]))
    again = {
        later
        for (_, (cells, _)), (later, (others, _)) in combinations(enumerate(regions), 2)
        if (cells & others).sum() > _SAME_IOU * (cells | others).sum()
    }
    return [region for position, region in enumerate(regions) if position not in again]


class Grid:
    """Cells of a sample: square blocks of pixels, at most `max_cells` along a side, or columns."""

    def __init__(self, row_shape: tuple[int, ...], max_cells: int = _MAX_CELLS) -> None:
        self.is_image = len(row_shape) > 1
        self.shape = row_shape[-2:] if self.is_image else (1, *row_shape)
        self.block = -(-max(self.shape) // max_cells) if self.is_image else 1
        self.n_cells = tuple(-(-side // self.block) for side in self.shape)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the means of samples over cells; shape (n, channels, cells)."""
        values = values.reshape(len(values), -1, *self.shape)
        for axis, side in zip((2, 3), self.shape, strict=True):
            starts = np.arange(0, side, self.block)
            sizes = np.diff(starts, append=side)
            values = np.add.reduceat(values, starts, axis=axis, dtype=np.float64)
            values /= sizes[:, None] if axis == 2 else sizes
        return values.reshape(*values.shape[:2], -1)

    def heaviest_piece(self, cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return of the marked cells of an image the connected ones with the largest sum."""
        if not self.is_image:
            return cells
        pieces, n_pieces = ndimage.label(cells.reshape(self.n_cells))
        sums = np.bincount(pieces.ravel(), weights, minlength=n_pieces + 1)
        sums[0] = -1.0  # the cells that are not marked
        return (pieces.ravel() == sums.argmax()) & cells

    def enlarge(self, cells: np.ndarray) -> np.ndarray:
        """Return the value of its cell for every pixel; shape (..., h, w), or (d,) for a table."""
        height, width = self.shape
        values = cells.reshape(*cells.shape[:-1], *self.n_cells)
        values = values.repeat(self.block, axis=-2).repeat(self.block, axis=-1)
        values = values[..., :height, :width]
        return values if self.is_image else values[0]
