"""Candidate masks without annotation: places and things that give a prediction away."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import _safe_indexing

from .._checks import check_count, check_number
from .._typing import Seed
from ..estimators._classifier import BaseExplanationClassifier
from ..estimators._parameters import root_seed
from ..estimators._validation import check_inputs
from ..metrics import nuisance_flip_rate
from ._checks import check_model
from ._drawing import ShownRows, shown_rows
from ._saliency import saliency
from ._suggest_places import CELL_POWER, FEWEST_ROWS, Grid, find_places, predictive_power
from ._suggest_things import MAX_SIDE, find_things
from ._suggestion import MaskSuggestion

# A thing that lies in places already found for more than this share of its pixels is no news.
_COVERED = 0.5
_N_EXAMPLES = 6


def suggest_masks(
    estimator: BaseExplanationClassifier,
    X: ArrayLike,
    *,
    n_suggestions: int = 5,
    n_clusters: int = 10,
    max_p_value: float = 0.05,
    random_state: Seed = None,
) -> list[MaskSuggestion]:
    r"""Find places, and things that move, which give predictions away, without any annotation.

    A shortcut is simple: a patch's shade, a tint, one column or a sticker predicts the label, where
    a digit or a lesion is known by its shape alone.  Two searches look for that.

    **Places.**  A feature d of sample i is suspicious where its single value predicts the output k
    of the sample, and where the model looks,

    .. math:: s_{id} = t_{id} \sqrt{g_{id} / \textstyle\sum_{d'} g_{id'}}, \qquad
        t_{id} = \max\Big(0, 1 - \frac{\log p(k \mid x_{id})}{\log p(k)}\Big),

    with g the absolute input gradient per input unit (:func:`saliency`), p(k) the share of samples
    predicted k, and :math:`p(k \mid x_{id})` their share among the ten samples whose value of that
    feature is nearest, and the prior as an eleventh.  So t is the explained share of the
    surprise: 0 for a feature without predictive power, near 1 for one that suffices.  Samples are
    clustered by s (k-means).  The region of a cluster is the connected piece with the most
    suspicion (for tables: all columns) where the mean of t is above 0.5; its samples are all
    samples of X whose mean t in the region is above 0.6, and the region is found once more from
    them.

    **Things**, in images only.  Small windows are drawn where the model looks, as many of each
    predicted class, and described by what they look like: channel means of their quarters, and
    the channels' log deviations.  The distance to the nearest window anywhere in a sample says
    whether the sample has this look; half of the samples decide how near is near enough, so that
    presence predicts the class best.  Windows of that look make the mask of each sample that has
    one, and pixels around them that are alike in all these samples are added.

    **P-values** compare with the other places, and looks, of the same data, since on any data many
    pixels predict a bit: the score of a place with those of single cells elsewhere; the explained
    surprise of a thing, in the other half of the samples, with that of a hundred windows drawn from
    anywhere.  The tail of these is taken as exponential (of fewer than 20 columns Student's t is
    taken, and permuted predictions are a second null), and the number of places or windows that
    were tried is corrected for (Bonferroni), also that images are searched twice.  Of several
    strong ones none hides another: they are left out of the null together [1]_.

    Parameters
    ----------
    estimator : classifier of this package
        A fitted one, such as an `ERMClassifier` that never saw a mask.
    X : array-like of the shape of the training inputs
        Inputs in which it found its shortcut: the training samples.
    n_suggestions : int, default=5
        How many to return, at most.
    n_clusters : int, default=10
        How many clusters of samples are looked at; more find places that fewer samples share.
    max_p_value : float, default=0.05
        Suggestions of a larger p-value are left out; 1 returns all candidates.
    random_state : int, RandomState instance or None, default=None
        For clustering, the order of equal values, windows, halves and swaps.  None: fresh entropy.

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
    suggest_words : The same for words of texts.
    query_explanations : Which samples to annotate by hand.

    Notes
    -----
    A suggestion is a question, no verdict.  Where a single feature *is* a good reason, as columns
    of tables may be, it is suggested, too.

    Measured with the built-in network after 15 epochs, on 120 to 300 photographs of leaves of 48 or
    32 pixels a side (two classes), with a patch of 6 or 5 pixels in 97 % of one class:

    - at random places: the mean IoU of the first suggestion with the patch is .98 to 1.00 in nine
      sets out of ten (one colour, noisy, chequered, grey), p from 1e-8 to 3e-4; in one set, with a
      grey patch, nothing was found.  Places alone reached .00 to .07;
    - at one place: .99 to 1.00 in two sets, p .005 and .03;
    - no patch: nothing was suggested in 27 runs.  Plain digits, 20 subsets: nothing.  Tables whose
      columns are noise, or all predict a bit: in 1 run out of 30; with a column that leaks the
      label in 80 % of the samples, one suggestion in 14 runs of 15, none in the other.  But on the
      breast cancer data, where single columns predict most of the labels, four runs in five have a
      suggestion.

    It takes 2 to 7 seconds of one core for 300 photographs of 48 x 48 pixels in colour.

    What is not found: a thing that looks like much of the pictures, such as a patch of leaf green
    on photographs of leaves, or, at times, of grey; one whose look differs from sample to sample in
    more than its place; a change of whole images; what explains less than 0.45 of the surprise
    (strokes of digits explain up to 0.38; a patch in 80 % of a class and 10 % of the other one is
    found).

    A place is one place.  Where a decoy has several, accept all of them before masks are
    propagated, or the propagator learns the one place instead of the look.  On digits with the half
    decoy, `SwapExClassifier` comes from a mean-group accuracy of .32 to .69 with one place
    accepted, .90 with both, and .92 with both propagated, as with all true masks; but to .53 with
    one place propagated (8x8 images, three seeds).

    Images are looked at in cells, at most 16 along a side for places and 48 for things, by the mean
    of each channel; of the cells of a place those pixels are kept which alone predict it.
    Things are searched for in at most 600 samples, drawn at random, and located in all: all samples
    that have the thing are in the group, also those where the model predicts another class.

    The score does not contain the flip rate: a model that reads the shortcut beside sound evidence
    seldom changes its mind in training samples, and fails all the same where the shortcut lies.  On
    digits with a corner decoy 0.3 to 11 % of the predictions flip.

    References
    ----------
    .. [1] B. Rosner (1983). Percentage Points for a Generalized ESD Many-Outlier Procedure.
       Technometrics 25(2).

    Examples
    --------
    Column 2 gives the label away in two thirds of the samples; the others have noise there:

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
    if getattr(estimator, "embedding_layer_", None) is not None:
        raise ValueError(
            "X must hold images or numbers; got ids of tokens, whose columns are positions: "
            "suggest_words(estimator, texts) is for texts of a WithTokenizer."
        )
    for name, value in {"n_suggestions": n_suggestions, "n_clusters": n_clusters}.items():
        check_count(name, value)
    check_number("max_p_value", max_p_value, positive=True)
    if max_p_value > 1:
        raise ValueError(f"max_p_value must be at most 1, got {max_p_value!r}.")
    seed = root_seed(random_state)
    values = check_inputs(estimator, X, reset=False)
    predicted = np.searchsorted(estimator.classes_, estimator.predict(X))
    gradient = np.abs(saliency(estimator, X))
    search = _Searched(estimator, X, values, predicted, gradient, seed)
    found = _places(search, n_clusters, max_p_value)
    if search.of_images:
        found += _without_covered(_things(search, n_suggestions, max_p_value), found)
    return sorted(found, key=lambda suggestion: -suggestion.score)[:n_suggestions]


@dataclass(frozen=True)
class _Searched:
    """The data of a search: samples, predictions and gradients."""

    estimator: BaseExplanationClassifier
    X: ArrayLike
    values: np.ndarray
    predicted: np.ndarray
    gradient: np.ndarray
    seed: int

    @property
    def of_images(self) -> bool:
        """Whether samples are images, in which things may move."""
        return self.values.ndim > 2

    def corrected(self, p_value: float) -> float:
        """Correct for the number of searches, each of which may find something by chance."""
        return min(1.0, p_value * (2 if self.of_images else 1))

    def suggestion(
        self,
        mask: np.ndarray,
        rows: np.ndarray,
        power: float,
        p_value: float,
        suspicion: np.ndarray,
    ) -> MaskSuggestion:
        """Make the suggestion of a region; one for all samples, or one for each."""
        return MaskSuggestion(
            mask=mask,
            rows=rows,
            score=power * len(rows) / len(self.values),
            predictive_power=power,
            flip_rate=self._flip_rate(mask, rows),
            p_value=self.corrected(p_value),
            suspicion=suspicion,
            shown=self._examples(rows),
        )

    def _flip_rate(self, mask: np.ndarray, rows: np.ndarray) -> float:
        moves = mask.ndim == 3
        own = mask if moves else mask[None]
        if self.values.ndim == 4:
            own = own[:, None]
        return nuisance_flip_rate(
            self.estimator,
            _safe_indexing(self.X, rows),
            own,
            perturbation="erase" if moves else "swap",
            mask_marks="irrelevant",
            n_repeats=1 if moves else 5,
            random_state=self.seed,
        )

    def _examples(self, rows: np.ndarray) -> ShownRows:
        """Pick samples of as many predicted classes as possible."""
        classes = self.predicted[rows]
        nth_of_class = np.array([np.sum(classes[:i] == code) for i, code in enumerate(classes)])
        chosen = rows[np.lexsort([classes, nth_of_class])[:_N_EXAMPLES]]
        names = getattr(self.estimator, "feature_names_in_", None)
        return shown_rows(self.X, rows=chosen, feature_names=names)


def _places(search: _Searched, n_clusters: int, max_p_value: float) -> list[MaskSuggestion]:
    """Suggest regions that are at one place in many samples."""
    grid = Grid(search.values.shape[1:])
    found = find_places(
        grid, search.values, search.gradient, search.predicted, n_clusters, search.seed
    )
    return [
        search.suggestion(
            _predictive_pixels(search, grid, cells, rows),
            rows,
            power,
            p_value,
            grid.enlarge(suspicion),
        )
        for cells, rows, power, p_value, suspicion in found
        if search.corrected(p_value) <= max_p_value
    ]


def _predictive_pixels(
    search: _Searched, grid: Grid, cells: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Return the region without pixels that alone give nothing away, as at the edge of a cell."""
    mask = grid.enlarge(cells)
    if grid.block == 1:
        return mask
    pixels = search.values.reshape(len(search.values), -1, *mask.shape)[:, :, mask]
    predictive = (
        predictive_power(pixels, search.predicted, search.seed)[rows].mean(axis=0) > CELL_POWER
    )
    if predictive.any():
        mask[mask] = predictive
    return mask


def _things(search: _Searched, n_things: int, max_p_value: float) -> list[MaskSuggestion]:
    """Suggest things that are anywhere in samples of one predicted class."""
    shape = search.values.shape[1:]
    grid = Grid(shape, MAX_SIDE)
    images = grid.means(search.values)
    images = images.reshape(*images.shape[:2], *grid.n_cells)
    gradient = grid.means(search.gradient).sum(axis=1).reshape(-1, *grid.n_cells)
    suggestions = []
    for thing in find_things(images, gradient, search.predicted, n_things, search.seed):
        if search.corrected(thing.p_value) > max_p_value:
            continue
        rows, masks = thing.locate(images)
        own = search.predicted[rows] == thing.code
        prior, share = np.mean(search.predicted == thing.code), own.mean()
        power = share * (1 - np.log(share) / np.log(prior)) if share > prior else 0.0
        if power > CELL_POWER and len(rows) >= FEWEST_ROWS:
            masks = grid.enlarge(masks.reshape(len(rows), -1))
            suggestions.append(
                search.suggestion(masks, rows, float(power), thing.p_value, masks.mean(axis=0))
            )
    return suggestions


def _without_covered(
    things: list[MaskSuggestion], places: list[MaskSuggestion]
) -> list[MaskSuggestion]:
    """Return the things that do not lie in places which are suggested already."""
    kept = []
    for thing in things:
        inside = np.zeros(thing.mask.shape, dtype=bool)
        for place in places:
            inside |= thing.mask & place.mask & np.isin(thing.rows, place.rows)[:, None, None]
        if inside.sum() <= _COVERED * thing.mask.sum():
            kept.append(thing)
    return kept
