"""Images and masks as the augmentation of an estimator changes them."""

from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._checks import as_array
from .._typing import MaskLike, Seed
from ..masks import interpret_mask
from ..masks._meaning import mask_shape
from ..masks._statistics import measure_inputs
from ..training._augmentation import Augmentation, check_augment
from ._random import private_random_state

_CHUNK_ROWS = 256


@overload
def augment_images(
    X: ArrayLike, mask: None = ..., *, augment: Any = ..., random_state: Seed = ...
) -> tuple[NDArray[Any], None]: ...


@overload
def augment_images(
    X: ArrayLike, mask: MaskLike, *, augment: Any = ..., random_state: Seed = ...
) -> tuple[NDArray[Any], NDArray[np.float32]]: ...


def augment_images(
    X: ArrayLike,
    mask: MaskLike | None = None,
    *,
    augment: Any = "light",
    random_state: Seed = None,
) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Change images at random, and their masks with them, as estimators do in training.

    To see what ``augment`` of an estimator does before it is trained, or to try one of your own.
    An estimator does the same to each batch, anew in each epoch.

    Parameters
    ----------
    X : array-like of shape (n_samples, height, width) or (n_samples, n_channels, height, width)
        Images of any numeric dtype; nothing is written into them.
    mask : array-like, list of (array-like or None) or None, default=None
        Marks as in ``fit``, of either polarity.
    augment : "light", callable or kornia.augmentation.AugmentationSequential, default="light"
        As the parameter of the estimators.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X : ndarray of the shape and dtype of `X`
        Integers are rounded.
    mask : float32 ndarray of shape (n_samples, ...) or None
        Marks of each image, with a channel axis where `mask` has one.  NaN where they are unknown:
        where they were, and where a pixel comes from outside the frame.  None where `mask` is None.

    Raises
    ------
    TypeError, ValueError
        If X holds no images, `mask` does not fit them, or `augment` does not return what it should.

    See Also
    --------
    skexplain.inspection.MaskDisplay : Draws images and masks.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.datasets import augment_images
    >>> def flip(images, masks, generator):
    ...     return images.flip(-1), masks.flip(-1)
    >>> X, mask = augment_images([[[1, 2, 3]]], [[[1, 0, 0]]], augment=flip)
    >>> X
    array([[[3, 2, 1]]])
    >>> mask
    array([[[0., 0., 1.]]], dtype=float32)
    """
    images = as_array("X", X)
    if images.dtype.kind not in "buif" or not images.size:
        raise ValueError(f"X must hold numbers, got {images.size} values of dtype {images.dtype}.")
    if not np.isfinite(images).all():
        raise ValueError("X must hold finite numbers, got NaN or infinite values.")
    if augment != "light" if isinstance(augment, str) else not callable(augment):
        raise ValueError(
            f'augment must be "light", a callable or an AugmentationSequential of kornia; got '
            f"{augment!r}."
        )
    check_augment(augment, images.shape)
    masks = interpret_mask(mask, images.shape)
    augmentation = Augmentation(augment, measure_inputs(images), torch.device("cpu"))
    seed = int(private_random_state(random_state).randint(2**31 - 1))
    generator = torch.Generator().manual_seed(seed)
    moved = np.empty_like(images)
    moved_marks: list[NDArray[np.float32]] = []
    for rows in np.split(np.arange(len(images)), range(_CHUNK_ROWS, len(images), _CHUNK_ROWS)):
        x = torch.from_numpy(images[rows].astype(np.float32))
        parts = () if masks is None else masks.degrees_of(rows)
        marks = [part.float() for part in parts if part is not None]
        x, marks, inside = augmentation.move_images(x, marks, generator)
        moved[rows] = _as_dtype(x.numpy(), images.dtype)
        if masks is not None:
            degrees, *known = marks
            annotated = torch.from_numpy(masks.annotated[rows])
            inside = inside & annotated.view(-1, *(1,) * (inside.ndim - 1))
            for part in known:
                inside = inside & (part > 0.5)
            moved_marks.append(torch.where(inside, degrees, torch.nan).numpy())
    if not moved_marks:
        return moved, None
    every = np.concatenate(moved_marks)
    given = mask_shape(mask)
    return moved, every if given is None or len(given) == images.ndim else every[:, 0]


def _as_dtype(values: NDArray[Any], dtype: np.dtype) -> NDArray[Any]:
    if dtype.kind == "b":
        return values > 0.5
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        values = values.astype(np.float64).round().clip(limits.min, limits.max)
    return values.astype(dtype)
