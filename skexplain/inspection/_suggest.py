"""Candidate masks without annotation: groups of rows that give a prediction away in one place."""

from itertools import combinations

import numpy as np
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.utils import _safe_indexing

from .._checks import check_count
from ..estimators._parameters import root_seed
from ..estimators._validation import check_inputs
from ..metrics import nuisance_flip_rate
from ._checks import check_model
from ._drawing import shown_rows
from ._saliency import saliency
from ._suggestion import MaskSuggestion

_NEIGHBOURS = 10
# From these values of `tell` on, a cell is in the region of a group, and a row in the group.
_CELL_TELLS, _ROW_TELLS = 0.5, 0.6
# A region that overlaps more with one already found is the same one.
_SAME_IOU = 0.5
# Fewer rows share a region by chance.
_FEWEST_ROWS = 5
_MAX_CELLS = 16
_N_EXAMPLES = 6


def suggest_masks(estimator, X, *, n_suggestions=5, n_clusters=10, random_state=None):
    r"""Find groups of rows that share a suspicious region, without any annotation.

    A shortcut is simple: a patch's shade, a tint or one column tells the label, where a digit or a
    lesion is told by its shape alone.  So a feature d of row i is suspicious where its single value
    tells the prediction k of the row, and where the model looks,

    .. math:: s_{id} = t_{id} \sqrt{g_{id} / \textstyle\sum_{d'} g_{id'}}, \qquad
        t_{id} = \max\Big(0, 1 - \frac{\log p(k \mid x_{id})}{\log p(k)}\Big),

    with g the absolute input gradient per input unit (:func:`saliency`), p(k) the share of rows
    predicted k, and :math:`p(k \mid x_{id})` their share among the ten rows whose value of that
    feature is nearest, and the prior as an eleventh.  So t is the explained share of the
    surprise: 0 for a feature that tells nothing, near 1 for one that tells all.

    Rows are clustered by s (k-means).  The region of a cluster is the connected piece with the most
    suspicion (for tables: all columns) where the mean of t is above 0.5; its rows are all rows of X
    whose mean t in the region is above 0.6, and the region is found once more from them.

    Parameters
    ----------
    estimator : classifier of this package
        A fitted one, such as an `ERMClassifier` that never saw a mask.
    X : array-like of the shape of the training inputs
        Inputs in which it found its shortcut: the training rows.
    n_suggestions : int, default=5
        How many to return, at most.
    n_clusters : int, default=10
        How many clusters of rows are looked at; more find regions that fewer rows share.
    random_state : int, RandomState instance or None, default=None
        For clustering, the order of equal values, and swaps.  None: fresh entropy.

    Returns
    -------
    list of MaskSuggestion
        Highest score first; empty where nothing is suspicious.

    Raises
    ------
    TypeError
        If `estimator` is no classifier of this package.
    ValueError
        If X is of another shape than at fit, or a parameter is not legal.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    accept_suggestions : Makes a mask of those that a person accepts.
    query_explanations : Which rows to annotate by hand.

    Notes
    -----
    A suggestion is a question, no verdict.  Where a single feature *is* a good reason, as columns
    of tables may be, it is suggested, too; on data without a shortcut the suggestions are small and
    of low score (below 0.11 on plain digits).  A shortcut that no single value tells, such as a
    texture of random phase or an object that moves, is not found.

    A suggestion is of one place.  Where a decoy has several, accept all of them before masks are
    propagated, or the propagator learns the one place instead of the look.  On digits with the half
    decoy, `SwapExClassifier` comes from a mean-group accuracy of .32 to .69 with one place
    accepted, .90 with both, and .92 with both propagated, as with all true masks; but to .53 with
    one place propagated (8x8 images, three seeds).

    Images are looked at in cells, at most 16 along a side, by the mean of each channel; regions
    consist of whole cells.

    The score does not contain the flip rate: a model that reads the shortcut beside sound evidence
    seldom changes its mind in training rows, and fails all the same where the shortcut lies.  On
    digits with a corner decoy 0.3 to 11 % of the predictions flip.

    Examples
    --------
    Column 2 gives the label away in two thirds of the rows; the others have noise there:

    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import accept_suggestions, suggest_masks
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(4, size=300)
    >>> X = rng.normal(size=(300, 4))
    >>> X[:, 0] += y  # a sound but noisy reason
    >>> X[:200, 2] = 10 + y[:200]
    >>> clf = ERMClassifier(max_epochs=60, lr=1e-2, random_state=0).fit(X, y)
    >>> first = suggest_masks(clf, X, random_state=0)[0]
    >>> first.mask
    array([False, False,  True, False])
    >>> bool(np.mean(first.rows < 200) > 0.9)
    True
    >>> mask = accept_suggestions([first], n_rows=300)  # for fit(X, y, mask=mask)
    """
    check_model(estimator, classifier=True)
    for name, value in {"n_suggestions": n_suggestions, "n_clusters": n_clusters}.items():
        check_count(name, value)
    seed = root_seed(random_state)
    values = check_inputs(estimator, X, reset=False)
    grid = _Grid(values.shape[1:])
    predicted = np.searchsorted(estimator.classes_, estimator.predict(X))
    tell = tell_of_values(grid.means(values), predicted, seed)
    suspicion = tell * np.sqrt(_shares(grid.means(np.abs(saliency(estimator, X))).sum(axis=1)))
    regions = _distinct(
        _region(grid, tell, suspicion, rows) for rows in _clusters(suspicion, n_clusters, seed)
    )
    suggestions = []
    for cells, rows in regions:
        told = float(tell[np.ix_(rows, cells)].mean())
        suggestions.append(
            MaskSuggestion(
                mask=grid.enlarge(cells),
                rows=rows,
                score=told * len(rows) / len(values),
                tell=told,
                flip_rate=_flip_rate(estimator, X, rows, grid.enlarge(cells), seed),
                suspicion=grid.enlarge(suspicion[rows].mean(axis=0)),
                shown=_examples(estimator, X, rows, predicted),
            )
        )
    return sorted(suggestions, key=lambda found: -found.score)[:n_suggestions]


def tell_of_values(values, codes, seed):
    """How far a single value tells the class of its row.

    Parameters
    ----------
    values : ndarray of shape (n, channels, cells)
        Values; of the channels of a cell the one that tells most counts.
    codes : ndarray of int of shape (n,)
        Class of each row.
    seed : int
        Orders rows of equal values, which may be many, at random.

    Returns
    -------
    float32 ndarray of shape (n, cells)
        In [0, 1], the explained share of the surprise -log p(class).
    """
    mixed = np.random.RandomState(seed).permutation(len(values))
    tell = np.empty((len(values), values.shape[2]), dtype=np.float32)
    tell[mixed] = np.max(
        [_tell(channel[mixed], codes[mixed]) for channel in values.swapaxes(0, 1)], axis=0
    )
    return tell


def _tell(values, codes):
    n_rows, n_cells = values.shape
    n_neighbours = min(_NEIGHBOURS, n_rows - 1)
    order = values.argsort(axis=0, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(n_rows)[:, None], axis=0)
    # The window of a place in the order: half the neighbours on either side, but at the ends.
    first = np.clip(np.arange(n_rows) - n_neighbours // 2, 0, n_rows - 1 - n_neighbours)
    tell = np.zeros((n_rows, n_cells), dtype=np.float32)
    classes, sizes = np.unique(codes, return_counts=True)
    for code, prior in zip(classes, sizes / n_rows, strict=True):
        if prior < 1:  # what is always predicted is no surprise
            up_to = np.zeros((n_rows + 1, n_cells), dtype=np.int32)
            np.cumsum(codes[order] == code, axis=0, out=up_to[1:])
            in_window = up_to[first + n_neighbours + 1] - up_to[first]
            rows = codes == code
            alike = np.take_along_axis(in_window, place[rows], axis=0) - 1  # but itself
            share = (alike + prior) / (n_neighbours + 1)
            tell[rows] = np.maximum(0, 1 - np.log(share) / np.log(prior))
    return tell


def _shares(values):
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def _clusters(points, n_clusters, seed):
    """Return the rows of each k-means cluster, those of equal points in one."""
    n_clusters = min(n_clusters, len(np.unique(points, axis=0)))
    labels = KMeans(n_clusters, n_init=3, random_state=seed).fit_predict(points)
    return [np.flatnonzero(labels == label) for label in range(n_clusters)]


def _region(grid, tell, suspicion, rows):
    """Find the region of a cluster of rows, and all rows that share it."""
    cells = _told_cells(grid, tell, suspicion, rows)
    if cells.any():
        rows = np.flatnonzero(tell[:, cells].mean(axis=1) > _ROW_TELLS)
        if len(rows):
            return _told_cells(grid, tell, suspicion, rows), rows
    return cells, rows[:0]


def _told_cells(grid, tell, suspicion, rows):
    told = tell[rows].mean(axis=0) > _CELL_TELLS
    return grid.heaviest_piece(told, suspicion[rows].mean(axis=0))


def _distinct(regions):
    """Leave out regions of too few rows, and of those that are alike all but the largest group."""
    regions = [(cells, rows) for cells, rows in regions if len(rows) >= _FEWEST_ROWS]
    regions.sort(key=lambda region: -len(region[1]))
    again = {
        later
        for (_, (cells, _)), (later, (others, _)) in combinations(enumerate(regions), 2)
        if (cells & others).sum() > _SAME_IOU * (cells | others).sum()
    }
    return [region for position, region in enumerate(regions) if position not in again]


def _flip_rate(estimator, X, rows, mask, seed):
    for_all = mask.reshape(1, *(1,) * (np.ndim(X) - 1 - mask.ndim), *mask.shape)
    return nuisance_flip_rate(
        estimator,
        _safe_indexing(X, rows),
        for_all,
        mask_marks="irrelevant",
        random_state=seed,
    )


def _examples(estimator, X, rows, predicted):
    """Pick rows of as many predicted classes as possible."""
    classes = predicted[rows]
    nth_of_class = np.array([np.sum(classes[:i] == code) for i, code in enumerate(classes)])
    chosen = rows[np.lexsort([classes, nth_of_class])[:_N_EXAMPLES]]
    return shown_rows(X, rows=chosen, feature_names=getattr(estimator, "feature_names_in_", None))


class _Grid:
    """Cells of a row: square blocks of pixels, at most `_MAX_CELLS` along a side, or columns."""

    def __init__(self, row_shape):
        self.is_image = len(row_shape) > 1
        self.shape = row_shape[-2:] if self.is_image else (1, *row_shape)
        self.block = -(-max(self.shape) // _MAX_CELLS) if self.is_image else 1
        self.n_cells = tuple(-(-side // self.block) for side in self.shape)

    def means(self, values):
        """Average rows over cells; shape (n, channels, cells)."""
        values = values.reshape(len(values), -1, *self.shape)
        for axis, side in zip((2, 3), self.shape, strict=True):
            starts = np.arange(0, side, self.block)
            sizes = np.diff(starts, append=side)
            values = np.add.reduceat(values, starts, axis=axis, dtype=np.float64)
            values /= sizes[:, None] if axis == 2 else sizes
        return values.reshape(*values.shape[:2], -1)

    def heaviest_piece(self, cells, weights):
        """Keep of the marked cells of an image the connected ones with the largest sum."""
        if not self.is_image:
            return cells
        pieces, n_pieces = ndimage.label(cells.reshape(self.n_cells))
        sums = np.bincount(pieces.ravel(), weights, minlength=n_pieces + 1)
        sums[0] = -1.0  # the cells that are not marked
        return (pieces.ravel() == sums.argmax()) & cells

    def enlarge(self, cells):
        """Give every pixel what its cell has; shape (h, w), or (d,) for a table."""
        height, width = self.shape
        values = cells.reshape(self.n_cells)
        values = values.repeat(self.block, axis=0).repeat(self.block, axis=1)[:height, :width]
        return values if self.is_image else values[0]
