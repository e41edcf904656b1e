"""Masks that are there already: another grid, the union, the opposite, how much is marked."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from ._meaning import interpret_mask, mask_shape
from ._resample import resample
from ._rows import check_shape


def resize_mask(mask, shape, *, method="area"):
    """Bring masks of images to another size, such as that of X.

    Parameters
    ----------
    mask : array-like of shape (n_samples or 1, ..., h, w), or list of such rows or None
        Masks, as `fit` takes them.
    shape : tuple of int
        New height and width.
    method : {"area", "nearest"}, default="area"
        - "area": the share of the new pixel's area that is marked, a degree.  Nothing that
          is marked gets lost, however thin.
        - "nearest": the pixel below the new pixel's centre.  Keeps bool, and may lose what is
          thinner than a new pixel.

    Returns
    -------
    mask : ndarray of shape (n_samples or 1, ..., new height, new width)
        float32 with "area", else of the dtype that the mask had.  With "area" a new pixel takes
        the mean over what is known below it, and is NaN where nothing is.

    Raises
    ------
    ValueError
        If the mask is not legal, has fewer than three axes, or `shape` is no height and width.

    Examples
    --------
    >>> from skexplain.masks import resize_mask
    >>> mask = [[[True, False, False, False], [True, True, False, False]]]
    >>> resize_mask(mask, (1, 2))
    array([[[0.75, 0.  ]]], dtype=float32)
    >>> resize_mask(mask, (1, 2), method="nearest")
    array([[[ True, False]]])
    """
    shape = check_shape(shape)
    if method not in ("area", "nearest"):
        raise ValueError(f'method must be "area" or "nearest"; got {method!r}.')
    mask = as_mask_array(mask)
    if mask.ndim < 3:
        raise ValueError(f"mask must have shape (n_samples or 1, ..., h, w); got {mask.shape}.")
    if mask.shape[-2:] == shape:
        return mask
    dtype = np.float32 if method == "area" else mask.dtype
    resized = np.empty((*mask.shape[:-2], *shape), dtype=dtype)
    # Image by image: the sums are float64, the result need not be.
    for place in np.ndindex(mask.shape[:-2]):
        resized[place] = resample(mask[place], shape, method)
    return resized


def union_masks(*masks):
    """Mark what is marked in any of the masks.

    Parameters
    ----------
    *masks : array-like or list of (array-like or None)
        Masks as `fit` takes them, of one number of axes; an axis of length 1 is repeated, so that
        a mask for all rows can be joined with masks per row.

    Returns
    -------
    mask : ndarray
        The larger value, entry by entry; bool if all are.  An entry that is unknown (NaN) in one
        mask takes the value of the others and is unknown only where it is in all: so the work of
        several people, each of whom annotated some of the rows, is put together.

    Raises
    ------
    ValueError
        If there is no mask, one is not legal, or their shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.masks import union_masks
    >>> ruler = np.array([[1.0, 0.0], [np.nan, np.nan], [np.nan, np.nan]])
    >>> patch = np.array([[0.0, 1.0], [0.0, 1.0], [np.nan, np.nan]])
    >>> union_masks(ruler, patch)
    array([[ 1.,  1.],
           [ 0.,  1.],
           [nan, nan]])
    """
    if not masks:
        raise ValueError("union_masks needs at least one mask.")
    arrays = [as_mask_array(mask) for mask in masks]
    shapes = [array.shape for array in arrays]
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(f"masks must have one number of axes; got the shapes {shapes}.")
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ValueError(f"masks must have one shape, or 1 on an axis; got {shapes}.") from error
    union = np.zeros(shape, np.result_type(*arrays))
    union[...] = arrays[0]
    for array in arrays[1:]:
        np.fmax(union, array, out=union)
    return union


def pool_masks(mask):
    """Mark for all rows what is marked in any of them.

    Where only the rows that have a trap mark it, a swap exchanges traps among these.  The places of
    all traps, marked in all rows, let traps come and go, if no reasons stand there.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.

    Returns
    -------
    mask : ndarray of shape (1, ...)
        The largest value over the rows, entry by entry; unknown (NaN) entries do not count, and
        are unknown only where they are in all rows.

    Raises
    ------
    ValueError
        If the mask is not legal, or a list in which no row has one.

    Examples
    --------
    >>> from skexplain.masks import pool_masks
    >>> pool_masks([[0, 1, 0], None, [0, 0, 1]])
    array([[0., 1., 1.]], dtype=float32)
    """
    return np.fmax.reduce(as_mask_array(mask), axis=0, keepdims=True)


def invert_mask(mask):
    """Mark what is not marked, and the other way round.

    Use it where the marked part is the reason but a method, or another person's masks, mark what
    is irrelevant.  Beside one estimator, ``mask_marks="relevant"`` does the same.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.

    Returns
    -------
    mask : ndarray
        One minus the mask, of its dtype.  What is unknown (NaN) stays unknown.

    Raises
    ------
    ValueError
        If the mask is not legal.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.masks import invert_mask
    >>> invert_mask([[1, 0, np.nan]])
    array([[ 0.,  1., nan]])
    """
    mask = as_mask_array(mask)
    return ~mask if mask.dtype == bool else (1 - mask).astype(mask.dtype)


@dataclass(frozen=True, eq=False)
class MaskCoverage:
    """How much masks mark; returned by :func:`mask_coverage`.

    Attributes
    ----------
    n_samples : int
        Rows.
    annotated : ndarray of bool of shape (n_samples,)
        Rows that are annotated, be it with nothing marked.
    marked : ndarray of shape (n_samples,)
        Share of each row that is marked, the mean over its known entries; NaN where the row is not
        annotated.
    quantiles : dict
        Over the annotated rows: of `marked`, the values at 0, .25, .5, .75 and 1.
    """

    n_samples: int
    annotated: np.ndarray
    marked: np.ndarray
    quantiles: dict

    def __repr__(self):
        n_annotated, n_empty = int(self.annotated.sum()), int((self.marked == 0).sum())
        shares = ", ".join(f"{share:.3g}" for share in self.quantiles.values())
        return (
            f"{n_annotated} of {self.n_samples} rows annotated, {n_empty} of them with nothing "
            f"marked\nmarked share of an annotated row (min, quartiles, max): {shares}"
        )


def mask_coverage(mask, n_samples=None):
    """Count the annotated rows and measure how much is marked in each.

    Look at it before `fit`: rows that should be annotated and are not, an empty mask, or a mask
    that marks everything, are all legal and all lead to a disappointing model.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.
    n_samples : int, default=None
        Number of rows of X, where the mask is one for all of them.  None: the rows of the mask.

    Returns
    -------
    coverage : MaskCoverage
        With `n_samples`, `annotated`, `marked` and `quantiles`; prints as a summary.

    Raises
    ------
    ValueError
        If the mask is not legal or has another number of rows.

    Examples
    --------
    >>> from skexplain.masks import mask_coverage
    >>> mask_coverage([[[1, 1], [0, 0]], None, [[0, 0], [0, 0]]])
    2 of 3 rows annotated, 1 of them with nothing marked
    marked share of an annotated row (min, quartiles, max): 0, 0.125, 0.25, 0.375, 0.5
    """
    mask = as_mask_array(mask)
    n_samples = len(mask) if n_samples is None else n_samples
    if not isinstance(n_samples, Integral) or len(mask) not in (1, n_samples):
        raise ValueError(f"mask must have 1 or n_samples={n_samples} rows; got {len(mask)}.")
    marked = np.broadcast_to([_share(row) for row in mask], (n_samples,)).astype(np.float64)
    annotated = ~np.isnan(marked)
    levels = (0, 0.25, 0.5, 0.75, 1)
    found = marked[annotated]
    values = np.quantile(found, levels) if found.size else np.full(len(levels), np.nan)
    quantiles = dict(zip(levels, values.tolist(), strict=True))
    return MaskCoverage(int(n_samples), annotated, marked, quantiles)


def _share(row):
    known = row[~np.isnan(row)]
    return known.mean(dtype=np.float64) if known.size else np.nan


def as_mask_array(mask):
    """Return masks as one array of bool or numbers in [0, 1], rows of None as rows of NaN."""
    if mask is None:
        raise TypeError("mask must be an array or a list of masks; got None.")
    shape = mask_shape(mask)
    if shape is None:
        raise ValueError("mask must have an annotated row, to tell its shape; got none.")
    if len(shape) < 2:
        raise ValueError(f"mask must have shape (n_samples or 1, ...); got {shape}.")
    masks = interpret_mask(mask, shape)
    values, annotated = masks.values, masks.annotated
    if annotated.all():
        return values
    # bool and uint8 go to float32; a float stays what it is.
    values = values.astype(values.dtype if values.dtype.kind == "f" else np.float32)
    values[~annotated] = np.nan
    return values
