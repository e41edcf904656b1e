"""Masks that are there already: another grid, the union, the opposite, how much is marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_option
from .._typing import MaskLike
from ._labels import (
    check_row_order,
    column_labels,
    column_order,
    own_labels,
    row_labels,
    shorten_names,
)
from ._meaning import interpret_mask, mask_shape
from ._resample import Resize, resample
from ._rows import check_shape


def resize_mask(mask: MaskLike, shape: Sequence[int], *, method: Resize = "area") -> NDArray[Any]:
    """Resize masks of images, such as to the size of X.

    Parameters
    ----------
    mask : array-like of shape (n_samples or 1, ..., h, w), or list of (array-like or None)
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
    check_option("method", method, ("area", "nearest"))
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


def union_masks(*masks: MaskLike) -> Any:
    """Mark what is marked in any of the masks.

    Parameters
    ----------
    *masks : array-like or list of (array-like or None)
        Masks as `fit` takes them, of one number of axes; an axis of length 1 is repeated, so that
        a mask for all samples can be joined with masks per sample.

    Returns
    -------
    mask : ndarray or DataFrame
        The larger value, entry by entry; bool if all are.  An entry that is unknown (NaN) in one
        mask takes the value of the others and is unknown only where it is in all: so the work of
        several annotators, each of whom annotated some of the samples, is put together.  DataFrames
        are united by the names of their columns, and give a DataFrame with the columns of the
        first.

    Raises
    ------
    ValueError
        If there is no mask, one is not legal, their shapes do not fit, or their columns have
        different names (or names in some of them only).

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
    arrays = _aligned_arrays(masks)
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
    return _named_as(_longest(masks, len(union)), masks[0], union)


def _aligned_arrays(masks: Sequence[Any]) -> list[NDArray[Any]]:
    """Read masks as arrays, their columns in the order of those of the first."""
    arrays = [as_mask_array(mask) for mask in masks]
    names = own_labels(masks[0])
    for i, mask in enumerate(masks[1:], start=1):
        for other in masks[:i]:
            check_row_order(row_labels(mask), row_labels(other))
        labels = column_labels(mask)
        if arrays[i].ndim != 2 or (names is None and labels is None):
            continue
        if labels is None:
            labels = list(range(arrays[i].shape[1]))
        if names is None:
            names = [str(number) for number in range(arrays[0].shape[1])]
        if len(labels) != len(names) or set(map(str, labels)) != set(names):
            raise ValueError(
                f"masks must have the same columns, or all be without names; got "
                f"{shorten_names(names)} in the first and {shorten_names(list(labels))} in "
                f"number {i + 1}."
            )
        order = column_order(labels, names)
        arrays[i] = arrays[i] if order is None else arrays[i][:, order]
    return arrays


def _longest(masks: Sequence[Any], n_rows: int) -> Any:
    """Return the first mask that has so many samples."""
    return next(mask for mask in masks if len(mask) == n_rows)


def _named_as(rows: Any, columns: Any, values: NDArray[Any]) -> Any:
    """Return values as a table like the given ones, as an array where these are none.

    A mask that lost its names could be taken for one in the order of the columns of X.
    """
    names = column_labels(columns)
    if names is None:
        return values
    if hasattr(columns, "iloc"):
        index = row_labels(rows)
        index = index if index is not None and len(index) == len(values) else None
        return type(columns)(values, index=index, columns=columns.columns)
    if hasattr(columns, "column_names"):  # pyarrow
        return type(columns).from_arrays(list(values.T), names=names)
    return type(columns)(values, schema=names)


def pool_masks(mask: MaskLike) -> Any:
    """Mark for all samples what is marked in any of them.

    Where only the samples that have a shortcut mark it, a swap exchanges shortcuts among these.
    The places of all shortcuts, marked in all samples, let shortcuts come and go, if no reasons
    stand there.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.

    Returns
    -------
    mask : ndarray or DataFrame of shape (1, ...)
        The largest value over the samples, entry by entry, as a DataFrame if the mask was one;
        unknown (NaN) entries do not count, and are unknown only where they are in all samples.

    Raises
    ------
    ValueError
        If the mask is not legal, or a list in which no sample has one.

    Examples
    --------
    >>> from skexplain.masks import pool_masks
    >>> pool_masks([[0, 1, 0], None, [0, 0, 1]])
    array([[0., 1., 1.]], dtype=float32)
    """
    return _named_as(None, mask, np.fmax.reduce(as_mask_array(mask), axis=0, keepdims=True))


def invert_mask(mask: MaskLike) -> Any:
    """Mark what is not marked, and the other way round.

    Use it where the marked part is the reason but a method, or another person's masks, mark what
    is irrelevant.  Beside one estimator, ``mask_marks="relevant"`` does the same.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.

    Returns
    -------
    mask : ndarray or DataFrame
        One minus the mask, of its dtype, as a DataFrame if it was one.  What is unknown (NaN) stays
        unknown.

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
    values = as_mask_array(mask)
    inverse = ~values if values.dtype == bool else (1 - values).astype(values.dtype)
    return _named_as(mask, mask, inverse)


@dataclass(frozen=True, eq=False)
class MaskCoverage:
    """How much masks mark; returned by :func:`mask_coverage`.

    Attributes
    ----------
    n_samples : int
        Samples.
    annotated : ndarray of bool of shape (n_samples,)
        Samples that are annotated, be it with nothing marked.
    marked : ndarray of shape (n_samples,)
        Share of each sample that is marked, the mean over its known entries; NaN where the sample
        is not annotated.
    quantiles : dict
        Over the annotated samples: of `marked`, the values at 0, .25, .5, .75 and 1.
    """

    n_samples: int
    annotated: np.ndarray
    marked: np.ndarray
    quantiles: dict

    def __repr__(self) -> str:
        n_annotated, n_empty = int(self.annotated.sum()), int((self.marked == 0).sum())
        shares = ", ".join(f"{share:.3g}" for share in self.quantiles.values())
        return (
            f"{n_annotated} of {self.n_samples} samples annotated, {n_empty} of them with nothing "
            f"marked\nmarked share of an annotated sample (min, quartiles, max): {shares}"
        )


def mask_coverage(mask: MaskLike, n_samples: int | None = None) -> MaskCoverage:
    """Count the annotated samples and measure how much is marked in each.

    Check it before `fit`: samples that should be annotated and are not, an empty mask, or a mask
    that marks everything, are all legal and all lead to a disappointing model.

    Parameters
    ----------
    mask : array-like or list of (array-like or None)
        Masks as `fit` takes them.
    n_samples : int, default=None
        Number of samples of X, where the mask is one for all of them.  None: the samples of the
        mask.

    Returns
    -------
    coverage : MaskCoverage
        With `n_samples`, `annotated`, `marked` and `quantiles`; prints as a summary.

    Raises
    ------
    ValueError
        If the mask is not legal or has another number of samples.

    Examples
    --------
    >>> from skexplain.masks import mask_coverage
    >>> mask_coverage([[[1, 1], [0, 0]], None, [[0, 0], [0, 0]]])
    2 of 3 samples annotated, 1 of them with nothing marked
    marked share of an annotated sample (min, quartiles, max): 0, 0.125, 0.25, 0.375, 0.5
    """
    mask = as_mask_array(mask)
    n_samples = len(mask) if n_samples is None else n_samples
    if not isinstance(n_samples, Integral) or len(mask) not in (1, n_samples):
        raise ValueError(f"mask must have length 1 or n_samples={n_samples}; got {len(mask)}.")
    marked = np.broadcast_to([_share(row) for row in mask], (n_samples,)).astype(np.float64)
    annotated = ~np.isnan(marked)
    levels = (0, 0.25, 0.5, 0.75, 1)
    found = marked[annotated]
    values = np.quantile(found, levels) if found.size else np.full(len(levels), np.nan)
    quantiles = dict(zip(levels, values.tolist(), strict=True))
    return MaskCoverage(int(n_samples), annotated, marked, quantiles)


def _share(row: NDArray[Any]) -> float:
    known = row[~np.isnan(row)]
    return known.mean(dtype=np.float64) if known.size else np.nan


def as_mask_array(mask: Any) -> NDArray[Any]:
    """Return masks as one array of bool or numbers in [0, 1], samples of None as samples of NaN."""
    if mask is None:
        raise TypeError("mask must be an array or a list of masks; got None.")
    shape = mask_shape(mask)
    if shape is None:
        raise ValueError("mask must have an annotated sample, which gives its shape; got none.")
    if len(shape) < 2:
        raise ValueError(f"mask must have shape (n_samples or 1, ...); got {shape}.")
    masks = interpret_mask(mask, shape, feature_names=own_labels(mask))
    values, annotated = masks.values, masks.annotated
    if annotated.all():
        return values
    # bool and uint8 go to float32; a float stays what it is.
    values = values.astype(values.dtype if values.dtype.kind == "f" else np.float32)
    values[~annotated] = np.nan
    return values
