"""Shapes in forms that the paper leaves open, and where a fit on them stops."""

import numpy as np
from scipy.ndimage import rotate

from ._shapes import MAKERS

#: How samples look: outlines of 0 and 255, and what else.
LOOKS = ("plain", "white ground", "turned", "noise")
_WHITE, _MOST_DEGREES, _NOISE_STD = 255, 30, 80

#: What may improve, and the numbers of epochs without an improvement after which a fit stops.
CRITERIA = ("validation loss", "validation accuracy")
PATIENCES = (1, 3, 5)


def draw_shapes(dataset, look, n_samples, seed):
    """Draw balanced samples.

    Parameters
    ----------
    dataset : {"triangle", "fox-vs-cat"}
    look : str
        In `LOOKS`: outlines in white on black; in black on white; turned by up to 30 degrees; or
        with noise of a standard deviation of 80.
    n_samples : int
    seed : int

    Returns
    -------
    X : float32 ndarray of shape (n_samples, 1, 64, 64)
    y : ndarray of shape (n_samples,)
    mask : bool ndarray of the shape of X
        True where a pixel is no reason.
    """
    rows = MAKERS[dataset][0](n_samples, n_test=2, filled=False, random_state=seed)
    images, mask = rows.data.astype(np.float32), rows.mask
    rng = np.random.RandomState(seed)
    if look == "turned":
        angles = rng.uniform(-_MOST_DEGREES, _MOST_DEGREES, size=n_samples)
        images, mask = _turn(images, angles), _turn(~mask, angles) == 0
    elif look == "white ground":
        images = _WHITE - images
    elif look == "noise":
        images = images + rng.normal(scale=_NOISE_STD, size=images.shape).astype(np.float32)
    return images[:, None], rows.target, mask[:, None]


def _turn(images, angles):
    """Turn each image about its centre; a pixel takes the value of the nearest one."""
    turned = [
        rotate(image.astype(np.float32), angle, reshape=False, order=0)
        for image, angle in zip(images, angles, strict=True)
    ]
    return np.array(turned)


class EarlyStop:
    """A rule of early stopping: the first best epoch before `patience` ones are not better.

    Parameters
    ----------
    criterion : str
        In `CRITERIA`.
    patience : int

    Attributes
    ----------
    best : int
        The epoch whose weights are kept, from 0.
    stopped : bool
        Whether later epochs make no difference.
    """

    def __init__(self, criterion, patience):
        self.criterion = criterion
        self.patience = patience
        self.best = 0
        self.stopped = False
        self._least = np.inf

    def update(self, epoch, measures):
        """Take account of an epoch.

        Parameters
        ----------
        epoch : int
            From 0.
        measures : dict of str to float
            The criteria after this epoch.
        """
        value = measures[self.criterion]
        if self.criterion == "validation accuracy":
            value = -value
        if self.stopped:
            return
        if value < self._least:
            self.best, self._least = epoch, value
        self.stopped = epoch - self.best >= self.patience


def all_rules():
    """Return a rule for each criterion and patience."""
    return [EarlyStop(criterion, n) for criterion in CRITERIA for n in PATIENCES]
