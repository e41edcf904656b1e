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
