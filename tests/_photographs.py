"""Photographs of five sizes in all orientations, on which known figures are drawn."""

from pathlib import Path

import numpy as np
from PIL import Image

# Heights and widths as they are seen.
SIZES = [(120, 160), (160, 120), (150, 150), (400, 300), (97, 231)]

# What brings an upright picture to the form in which a file of this EXIF orientation stores it.
_TO_STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
    8: lambda a: np.rot90(a, -1),
}


def stored(upright, orientation):
    """Return an upright array as it is stored."""
    return np.ascontiguousarray(_TO_STORED[orientation](upright))


def save(path, upright, orientation=1, **options):
    """Save an upright uint8 array in an orientation."""
    image = Image.fromarray(stored(upright, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif, **options)


def scene(size, figure):
    """Return a dim picture in which a figure, a bool array, is bright red."""
    picture = np.full((*size, 3), 60, dtype=np.uint8)
    picture[..., 1] += np.linspace(0, 60, size[1]).astype(np.uint8)
    picture[figure] = (250, 20, 20)
    return picture


def seen(data):
    """Return where the figures are in X, bool of shape (n, h, w)."""
    return data[:, 0].astype(int) - data[:, 1] > 90


def box(size):
    """Return the corners of a box, left, top, right, bottom, in no symmetry with its picture."""
    height, width = size
    return tuple(int(v) for v in (width * 0.3, height * 0.1, width * 0.75, height * 0.45))


def box_mask(size):
    """Return the box as an array of the picture's size."""
    mask = np.zeros(size, dtype=bool)
    left, top, right, bottom = box(size)
    mask[top:bottom, left:right] = True
    return mask


def folder_of_photographs(folder, ending=".jpg", orientations=range(1, 9)):
    """Save a photograph of each size and orientation; returns names and upright sizes."""
    names, sizes = [], []
    for number, size in enumerate(SIZES):
        for orientation in orientations:
            name = f"{'ab'[orientation % 2]}/photo_{number}_{orientation}{ending}"
            options = {"quality": 95, "subsampling": 0} if ending == ".jpg" else {}
            save(Path(folder, name), scene(size, box_mask(size)), orientation, **options)
            names.append(name)
            sizes.append(size)
    order = np.argsort(names)
    return [names[i] for i in order], [sizes[i] for i in order]


def overlap(one, other):
    """Return the intersection over the union of each two masks; NaN counts as unmarked."""
    one, other = (np.nan_to_num(np.asarray(mask, dtype=float)) > 0.5 for mask in (one, other))
    axes = tuple(range(1, one.ndim))
    return (one & other).sum(axis=axes) / (one | other).sum(axis=axes)
