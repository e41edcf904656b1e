"""Where the pixels of a picture file lie on the grid of X: orientation, crop, size and padding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import check_count, check_option
from ._rows import as_numbers, check_shape

# By EXIF orientation, how a stored picture becomes upright: mirrored from left to right, mirrored
# from top to bottom, and then transposed.
_STEPS = {
    1: (False, False, False),
    2: (True, False, False),
    3: (True, True, False),
    4: (False, True, False),
    5: (False, False, True),
    6: (False, True, True),
    7: (True, True, True),
    8: (True, False, True),
}

FITS = ("resize", "crop", "pad")


@dataclass(frozen=True)
class ImageGeometry:
    """Where a picture file lies on the grid of X.

    :func:`~skexplain.datasets.load_images` returns one per picture, and mask builders take them
    (``like=bunch``), so that marks land where they were drawn.  In all coordinates pixel (i, j)
    covers x in [j, j + 1) and y in [i, i + 1).

    Attributes
    ----------
    size : tuple of int
        Height and width of the picture as it is stored.
    orientation : int
        Its EXIF orientation, 1 to 8; 1 is upright.
    crop : tuple of float
        Left, top, right and bottom of the part of the upright picture that X shows, in its pixels.
    padding : tuple of int
        How many pixels of the grid lie left of, above, right of and below the picture.
    shape : tuple of int
        Height and width of the grid.

    See Also
    --------
    skexplain.datasets.load_images : Makes them.

    Examples
    --------
    A photograph of 3000 x 4000 pixels that was taken on end, on a grid of 64 x 64:

    >>> from skexplain.masks import ImageGeometry
    >>> geometry = ImageGeometry.fitted((3000, 4000), (64, 64), "pad", orientation=6)
    >>> geometry.upright_size
    (4000, 3000)
    >>> geometry.padding
    (8, 0, 8, 0)
    >>> geometry.to_grid([(0, 0), (3000, 4000)])
    array([[ 8.,  0.],
           [56., 64.]])
    """

    size: tuple[int, int]
    orientation: int
    crop: tuple[float, float, float, float]
    padding: tuple[int, int, int, int]
    shape: tuple[int, int]

    @classmethod
    def fitted(
        cls, size: tuple[int, int], shape: tuple[int, int], fit: str, *, orientation: int = 1
    ) -> ImageGeometry:
        """Return the geometry of a picture that is brought to a grid.

        Parameters
        ----------
        size : tuple of int
            Height and width of the picture as it is stored.
        shape : tuple of int
            Height and width of the grid.
        fit : {"resize", "crop", "pad"}
            Stretch the whole picture to the grid; cut what is too long from both sides; or keep the
            whole picture and its proportions, with padding at both sides.
        orientation : int, default=1
            EXIF orientation of the picture.

        Returns
        -------
        ImageGeometry

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        size, shape = check_shape(size, "size"), check_shape(shape)
        check_option("fit", fit, FITS)
        check_count("orientation", orientation, high=max(_STEPS))
        height, width = size[::-1] if _STEPS[orientation][2] else size
        left = top = pad_x = pad_y = 0
        if fit == "crop":
            scale = max(shape[0] / height, shape[1] / width)
            left = (width - min(shape[1] / scale, width)) / 2
            top = (height - min(shape[0] / scale, height)) / 2
        elif fit == "pad":
            scale = min(shape[0] / height, shape[1] / width)
            pad_y = shape[0] - max(round(height * scale), 1)
            pad_x = shape[1] - max(round(width * scale), 1)
        return cls(
            size=size,
            orientation=int(orientation),
            crop=(left, top, width - left, height - top),
            padding=(pad_x // 2, pad_y // 2, pad_x - pad_x // 2, pad_y - pad_y // 2),
            shape=shape,
        )

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width of the picture as it is seen."""
        return self.size[::-1] if _STEPS[self.orientation][2] else self.size

    @property
    def shows_all(self) -> bool:
        """Whether the grid shows the whole picture."""
        height, width = self.upright_size
        return self.crop == (0, 0, width, height)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the grid that show the picture; the others are padding."""
        left, top, right, bottom = self.padding
        return slice(top, self.shape[0] - bottom), slice(left, self.shape[1] - right)

    def to_grid(self, points: ArrayLike, *, stored: bool = False) -> NDArray[np.float64]:
        """Return where points of the picture lie on the grid.

        Parameters
        ----------
        points : array-like of shape (n_points, 2)
            x and y in pixels of the upright picture.
        stored : bool, default=False
            Whether they are in pixels of the picture as it is stored, before it is turned by its
            EXIF orientation.

        Returns
        -------
        ndarray of shape (n_points, 2)
            x and y in pixels of the grid; outside of it for what X does not show.

        Raises
        ------
        ValueError
            If `points` are not finite numbers of that shape.
        """
        points = _check_points(points)
        if stored:
            points = self.upright_points(points)
        left, top, _, _ = self.padding
        return (points - self.crop[:2]) * self._scale() + (left, top)

    def from_grid(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return where points of the grid lie on the upright picture.

        Parameters
        ----------
        points : array-like of shape (n_points, 2)
            x and y in pixels of the grid.

        Returns
        -------
        ndarray of shape (n_points, 2)
            x and y in pixels of the upright picture; outside of it for padding.

        Raises
        ------
        ValueError
            If `points` are not finite numbers of that shape.
        """
        left, top, _, _ = self.padding
        return (_check_points(points) - (left, top)) / self._scale() + self.crop[:2]

    def upright(self, image: NDArray) -> NDArray:
        """Return an image as it is to be seen, given as it is stored.

        Parameters
        ----------
        image : ndarray of shape (h, w) or (h, w, n_channels)
            The picture, or a mask of it.

        Returns
        -------
        ndarray
            A view on `image`.
        """
        flip_x, flip_y, transpose = _STEPS[self.orientation]
        image = image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        return image.swapaxes(0, 1) if transpose else image

    def upright_points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of the upright picture, given in pixels of the picture as it is stored.

        Parameters
        ----------
        points : ndarray of shape (n_points, 2)
            x and y.

        Returns
        -------
        ndarray of shape (n_points, 2)
        """
        flip_x, flip_y, transpose = _STEPS[self.orientation]
        height, width = self.size
        x = width - points[:, 0] if flip_x else points[:, 0]
        y = height - points[:, 1] if flip_y else points[:, 1]
        return np.stack([y, x] if transpose else [x, y], axis=1)

    def _scale(self) -> NDArray[np.float64]:
        """Return how many pixels of the grid a pixel of the picture has, along x and y."""
        rows, columns = self.inside
        left, top, right, bottom = self.crop
        inside = np.array([columns.stop - columns.start, rows.stop - rows.start])
        return inside / (right - left, bottom - top)

    def lines(
        self, size: tuple[int, int], *, centres: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the grid's pixels lie in a raster that shows the whole upright picture.

        Parameters
        ----------
        size : tuple of int
            Height and width of the raster.
        centres : bool
            Whether to return the centres of the pixels rather than their edges.

        Returns
        -------
        rows, columns : ndarray
            Of the pixels inside of the padding; one edge more than there are pixels.
        """
        rows, columns = self.inside
        left, top, right, bottom = self.crop
        found = []
        for span, start, stop, length, whole in (
            (rows, top, bottom, size[0], self.upright_size[0]),
            (columns, left, right, size[1], self.upright_size[1]),
        ):
            n_pixels = span.stop - span.start
            steps = np.arange(n_pixels) + 0.5 if centres else np.arange(n_pixels + 1)
            # Divided last, so that a line between two pixels of the raster is a whole number.
            lines = start + steps * (stop - start) / n_pixels
            found.append(lines if length == whole else lines * (length / whole))
        return found[0], found[1]

    def without_padding(self, mask: NDArray) -> NDArray:
        """Return a mask on the grid with its padding unknown.

        Parameters
        ----------
        mask : ndarray of shape `shape`
            Marks, which lie inside.

        Returns
        -------
        ndarray of shape `shape`
            `mask` itself where the picture fills the grid; else float32, NaN in the padding.
        """
        if not any(self.padding):
            return mask
        known = np.full(self.shape, np.nan, dtype=np.float32)
        known[self.inside] = mask[self.inside]
        return known


def _check_points(points: ArrayLike) -> NDArray[np.float64]:
    expected = "points must be x and y of points, of shape (n_points, 2)"
    numbers = as_numbers(points, expected)
    if numbers.ndim != 2 or numbers.shape[1] != 2:
        raise ValueError(f"{expected}; got shape {numbers.shape}.")
    return numbers


def near(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two heights and widths have the same proportions, but for rounding to pixels."""
    (a, b), (c, d) = size, other
    return math.isclose(a * d, b * c, abs_tol=max(a, b, c, d))
