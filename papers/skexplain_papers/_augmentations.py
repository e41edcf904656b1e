"""Perturbations of whole rows: what can be gained without masks."""

import torch
from sklearn.base import BaseEstimator

from skexplain.penalties._average_case import shift_images


class WholeShift(BaseEstimator):
    """Shift each image as a whole; zeros come in from outside.

    The perturbation "shift" of the package moves the reasons alone, and of a row without reasons
    nothing is left.

    Parameters
    ----------
    max_shift : int, default=4
        Pixels, at most, along each axis.
    """

    def __init__(self, max_shift=4):
        self.max_shift = max_shift

    def __call__(self, rows, donors=None, generator=None):
        """Return the shifted images, of the shape of ``rows.x``."""
        shifts = torch.randint(
            -self.max_shift,
            self.max_shift + 1,
            (2, len(rows.x)),
            generator=generator,
            device=rows.x.device,
        )
        return shift_images(rows.x, *shifts)


class WholeFlipAndShift(BaseEstimator):
    """Mirror each image along either axis by chance, and shift it; edges are repeated outwards.

    Parameters
    ----------
    max_shift : float, default=0.1
        Share of the side, at most, along each axis.
    """

    def __init__(self, max_shift=0.1):
        self.max_shift = max_shift

    def __call__(self, rows, donors=None, generator=None):
        """Return the moved images, of the shape of ``rows.x``."""
        return flip_and_shift(rows.x, self.max_shift, generator)


def flip_and_shift(x, max_shift, generator):
    """Mirror images by chance and shift them, the edges repeated outwards.

    Parameters
    ----------
    x : Tensor of shape (n_samples, channels, h, w)
    max_shift : float
        Share of the side, at most, along each axis.
    generator : torch.Generator

    Returns
    -------
    Tensor of the shape of `x`
    """
    n, _, height, width = x.shape
    options = {"generator": generator, "device": x.device}
    moved = []
    for size in (height, width):
        most = int(max_shift * size)
        shift = torch.randint(-most, most + 1, (n, 1), **options)
        place = (torch.arange(size, device=x.device) - shift).clamp(0, size - 1)
        mirrored = torch.rand(n, 1, **options) < 0.5
        moved.append(torch.where(mirrored, size - 1 - place, place))
    rows, columns = moved
    each = torch.arange(n, device=x.device)
    moved_rows = x[each[:, None], :, rows].movedim(2, 1)  # (n, channels, h, w)
    return moved_rows.movedim(3, 1)[each[:, None], columns].movedim(1, 3)
