"""Masks as they come out wrong: noisy, partial, coarse, of other rows, in the wrong place."""

import numpy as np
from scipy.ndimage import binary_dilation


def flip_pixels(mask, strength, rng):
    """Turn each pixel's mark over with a probability; .5 leaves masks that know nothing.

    Parameters
    ----------
    mask : bool ndarray of shape (n, h, w)
        True where a pixel is irrelevant.
    strength : float
        The probability.
    rng : RandomState

    Returns
    -------
    bool ndarray of shape (n, h, w)
    """
    return mask ^ (rng.uniform(size=mask.shape) < strength)


def drop_first(mask, strength, rng):
    """Take away a share of each row's marks, the first in reading order.

    Friedrich et al. call the half of it "incomplete".

    Parameters
    ----------
    mask : bool ndarray of shape (n, h, w)
    strength : float
        The share.
    rng : RandomState
        Not needed.

    Returns
    -------
    bool ndarray of shape (n, h, w)
    """
    count = mask.reshape(len(mask), -1).cumsum(axis=1)
    return mask & (count > strength * count[:, -1:]).reshape(mask.shape)


def grow(mask, strength, rng):
    """Mark what lies beside a marked pixel, too: a coarse outline, which covers reasons.

    Parameters
    ----------
    mask : bool ndarray of shape (n, h, w)
    strength : float
        By how many pixels.
    rng : RandomState
        Not needed.

    Returns
    -------
    bool ndarray of shape (n, h, w)
    """
    width = 2 * int(strength) + 1
    return binary_dilation(mask, np.ones((1, width, width), dtype=bool))


def exchange(mask, strength, rng):
    """Give some rows the mask of another one of them.

    Parameters
    ----------
    mask : bool ndarray of shape (n, h, w)
    strength : float
        Share of the rows.
    rng : RandomState

    Returns
    -------
    bool ndarray of shape (n, h, w)
    """
    rows = _draw(mask, strength, rng)
    exchanged = mask.copy()
    exchanged[rows] = mask[np.roll(rows, 1)]
    return exchanged


def misplace(mask, strength, rng):
    """Move the masks of some rows to the middle of the opposite edge, where no decoy ever is.

    Of the decoy that fills half of the image, that is the half with the digit.  Friedrich et al.
    call it "wrong".

    Parameters
    ----------
    mask : bool ndarray of shape (n, h, w)
        Rectangles at the upper or lower edge.
    strength : float
        Share of the rows.
    rng : RandomState

    Returns
    -------
    bool ndarray of shape (n, h, w)
    """
    rows = _draw(mask, strength, rng)
    opposite = mask[rows, ::-1]
    width = mask.shape[2]
    marked = opposite.any(axis=1).sum(axis=1)[:, None]
    from_middle = np.abs(2 * np.arange(width) + 1 - width)
    misplaced = mask.copy()
    misplaced[rows] = opposite.any(axis=2)[:, :, None] & (from_middle < marked)[:, None]
    return misplaced


def _draw(mask, share, rng):
    return rng.permutation(len(mask))[: round(share * len(mask))]


#: By the name that a declaration gives them.
CORRUPTIONS = {
    "flipped": flip_pixels,
    "partial": drop_first,
    "grown": grow,
    "of other rows": exchange,
    "misplaced": misplace,
}
