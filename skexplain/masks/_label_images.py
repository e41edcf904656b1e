"""Masks from label images: which labels are marked."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_array
from ._geometry import ImageGeometry
from ._place import Like, fit_to_geometry, geometries_of, with_unknown_padding
from ._rows import Missing, as_sequence, check_missing, row_without_marks, stack_rows


def mask_from_labels(
    labels: Iterable[ArrayLike | None],
    marked: int | Sequence[int],
    *,
    unknown: int | Sequence[int] = (),
    missing: Missing = "empty",
    like: Like | None = None,
) -> NDArray[Any]:
    """Mark the pixels of label images that have certain labels.

    Parameters
    ----------
    labels : array-like of int of shape (n_samples, h, w), or list of (array-like or None)
        A label per pixel, as segmentation tools write them.  None: not annotated.  Other numbers
        of axes are legal too, such as (n_samples, n_columns).
    marked : int or sequence of int
        The labels whose pixels are marked.
    unknown : int or sequence of int, default=()
        Labels that say nothing about a pixel, often 255: these become NaN.
    missing : {"unknown", "empty", "error"}, default="empty"
        What a sample without any marked pixel is: not annotated; annotated, with nothing marked; or
        an error.  The default differs from that of the other builders because a label image
        says of every pixel what it shows.
    like : Bunch or sequence of ImageGeometry, default=None
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``: label images are
        of the size of the picture files, as they are stored or as they are seen, and are brought to
        X's grid.  Padding is NaN.

    Returns
    -------
    mask : ndarray of the shape of `labels`, or (n_samples, h, w) of the grid of `like`
        True where marked; bool.  float32 if there are unknown pixels or samples, which are NaN.

    Raises
    ------
    TypeError
        If the labels are not whole numbers.
    ValueError
        If the samples differ in shape, a label is both marked and unknown, or (with
        ``missing="error"``) a sample has no marked pixel.

    Warns
    -----
    UserWarning
        If no pixel at all has one of the `marked` labels.

    See Also
    --------
    invert_mask : Marks everything but these labels.
    mask_from_folder : Reads label images from files.

    Examples
    --------
    >>> from skexplain.masks import mask_from_labels
    >>> mask_from_labels([[[0, 7], [3, 3]]], marked=[3, 7]).astype(int)
    array([[[0, 1],
            [1, 1]]])
    >>> mask_from_labels([[[0, 7], [255, 3]]], marked=7, unknown=255)
    array([[[ 0.,  1.],
            [nan,  0.]]], dtype=float32)
    """
    check_missing(missing)
    wanted, skipped = check_labels(marked, "marked"), check_labels(unknown, "unknown")
    if np.isin(wanted, skipped).any():
        raise ValueError(f"labels must not be both marked and unknown; got {wanted} and {skipped}.")
    labels = as_sequence(labels, "labels", "one label image per sample")
    rows = [None if row is None else _as_labels(row, i) for i, row in enumerate(labels)]
    geometries: Sequence[ImageGeometry | None] = [None] * len(rows)
    shapes = {row.shape for row in rows if row is not None}
    if like is not None:
        found = geometries_of(like, len(rows), "labels")
        if any(len(shape) != 2 for shape in shapes):
            raise ValueError(f"labels must be of shape (h, w) with like; got {sorted(shapes)}.")
        geometries, shapes = found, {found[0].shape}
    if len(shapes) != 1:
        raise ValueError(
            "labels must hold one label image or more, all of one shape; got shapes "
            f"{sorted(shapes)}."
        )
    (shape,) = shapes
    n_marked = 0

    def masks() -> Iterator[NDArray[Any] | None]:
        nonlocal n_marked
        for i, (row, geometry) in enumerate(zip(rows, geometries, strict=True)):
            mask = None if row is None else mark_labels(row, wanted, skipped)
            if mask is not None:
                if geometry is not None:
                    mask = fit_to_geometry(mask, geometry, None, f"labels[{i}]")
                has_marks = bool(np.any(mask == 1))
                n_marked += has_marks
                # A sample of nothing but unknown pixels stays what it is.
                if not has_marks and not np.isnan(mask).all() and missing != "empty":
                    mask = row_without_marks(missing, shape, f"labels[{i}] has no marked pixel")
            yield mask

    stacked = stack_rows(with_unknown_padding(masks(), geometries), len(rows), shape)
    if not n_marked:
        warnings.warn(f"No pixel has one of the labels marked={wanted.tolist()}.", stacklevel=2)
    return stacked


def mark_labels(labels: NDArray[Any], marked: NDArray[Any], unknown: NDArray[Any]) -> NDArray[Any]:
    """Return the mask of one label image; float32 if some pixel is unknown."""
    mask, is_unknown = np.isin(labels, marked), np.isin(labels, unknown)
    return np.where(is_unknown, np.float32(np.nan), mask) if is_unknown.any() else mask


def check_labels(labels: Any, name: str) -> NDArray[np.int64]:
    """Return one label or several as an int array."""
    values = np.atleast_1d(as_array(name, labels))
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise ValueError(f"{name} must be a whole number or a sequence of them; got {labels!r}.")
    return values.astype(np.int64)


def _as_labels(row: Any, number: int) -> NDArray[Any]:
    row = as_array(f"labels[{number}]", row)
    if row.dtype.kind not in "iub":
        raise TypeError(
            f"labels must hold whole numbers, or None for a sample; labels[{number}] is of dtype "
            f"{row.dtype}."
        )
    return row
