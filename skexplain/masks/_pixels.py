"""Which pixels of an image file are marked, by their colours and transparency."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._label_images import mark_labels

# Greatest value by the mode of a grey image.  "1" and "I;16" are 1-bit and 16-bit grey; "I" is what
# older pillow makes of 16 bits.
_GREY_MAX = {"1": 1, "L": 255, "I": 65535, "I;16": 65535, "I;16L": 65535, "I;16B": 65535}
_COLOUR = ("P", "RGB")
_WITH_ALPHA = ("RGBA", "LA", "PA")

# Formats that store about what was drawn.  (WebP and others do so at will: they are recognised by
# their many values.)
_LOSSY = ("JPEG", "MPO", "JPEG2000")

_ORIENTATION = 0x0112  # in EXIF

# How far a pixel may be from the shades of one colour, of 255, and how many may be farther.
_OFF_HUE, _N_OFF_HUE = 48, 0.01


def check_plain(image: Any) -> None:
    """Raise an error if an image can be read in more than one way, before it is read."""
    # First: other checks may read the image, and then it has 8 bits.
    raw = " ".join(str(tile) for tile in getattr(image, "tile", ()))
    if ";16" in raw and image.mode not in _GREY_MAX:
        raise ValueError(
            f"has 16 bits per colour, of which 8 would be read (mode {image.mode!r}). Save it in "
            "grey or with 8 bits."
        )
    turned = image.getexif().get(_ORIENTATION, 1)
    if turned not in (0, 1):
        raise ValueError(
            f"has EXIF orientation {turned}: it is to be shown turned or mirrored, and it is "
            "unclear whether X is. Save it as it is to be read, without this tag."
        )
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format != "MPO":  # a photo with a preview
        raise ValueError(f"has {n_frames} frames or pages, expected one image.")


class PixelReader:
    """Reads masks from opened images.

    Parameters
    ----------
    marked : {"auto", "nonzero", "degree", "alpha"} or int ndarray
        Which pixels are marked, see :func:`mask_from_folder`.
    unknown : int ndarray
        Values that become NaN, beside an int `marked`.

    Attributes
    ----------
    thresholded : list of str
        Files in which more than two values were split at half.
    any_marked : bool
        Whether any pixel of any file was marked.
    """

    def __init__(self, marked: Any, unknown: Any) -> None:
        self.marked, self.unknown = marked, unknown
        self.thresholded: list[str] = []
        self.any_marked = False

    def __call__(self, image: Any) -> NDArray[Any]:
        """Return the mask of an image: bool, or float32 with degrees or unknown pixels."""
        check_plain(image)
        if isinstance(self.marked, str):
            mask = getattr(self, f"_{self.marked}")(image)
        else:
            mask = self._labels(image)
        self.any_marked |= bool((mask > 0).any())
        return mask

    def _labels(self, image: Any) -> NDArray[Any]:
        if image.format in _LOSSY:
            raise ValueError(
                f"is stored as {image.format}, which changes values, so that they are no labels: "
                "store labels as PNG."
            )
        return mark_labels(_values(image, (*_GREY_MAX, "P")), self.marked, self.unknown)

    def _nonzero(self, image: Any) -> Any:
        colours, _ = _channels(image)
        if image.format in _LOSSY and len(np.unique(colours)) > 2:
            raise ValueError(
                f"is stored as {image.format}, in which black is no longer 0 everywhere: "
                'marked="auto" marks what is brighter than half.'
            )
        return colours.any(axis=2)

    def _degree(self, image: Any) -> NDArray[Any]:
        values = _values(image, tuple(_GREY_MAX))
        return values if image.mode == "1" else (values / _GREY_MAX[image.mode]).astype(np.float32)

    def _alpha(self, image: Any) -> NDArray[Any]:
        _, alpha = _channels(image)
        if alpha is None:
            raise ValueError(
                f"is an image of mode {image.mode!r}, expected one of {list(_WITH_ALPHA)} or "
                "transparent colours."
            )
        return alpha != 0

    def _auto(self, image: Any) -> NDArray[Any]:
        """Mark what is drawn, by the channel that varies."""
        colours, alpha = _channels(image)
        full = _GREY_MAX.get(image.mode, 255)
        lossy = image.format in _LOSSY
        if alpha is None or (alpha == alpha.flat[0]).all():
            if alpha is not None and not alpha.flat[0]:
                raise ValueError(
                    'is transparent everywhere: say marked="nonzero" if its colours are meant.'
                )
            return self._drawn(image, colours, full, lossy)
        by_alpha, is_soft = _brighter(alpha, 255, lossy, "transparency")
        if not (colours == colours[0, 0]).all():
            by_colour, _ = _in_colour(colours, full, lossy)
            partly = (alpha > 0) & (alpha < 255)
            if not ((by_alpha == by_colour) | partly).all():
                raise ValueError(
                    "varies in colour and in transparency, which do not mark the same: say "
                    'marked="alpha" or marked="nonzero" (what is not black).'
                )
        self._note(image, is_soft)
        return by_alpha

    def _drawn(self, image: Any, colours: NDArray[Any], full: float, lossy: bool) -> NDArray[Any]:
        mask, is_soft = _in_colour(colours, full, lossy)
        self._note(image, is_soft)
        return mask

    def _note(self, image: Any, is_soft: bool) -> None:
        if is_soft:
            self.thresholded.append(str(image.filename))


def _values(image: Any, modes: Sequence[str]) -> NDArray[Any]:
    if image.mode not in modes:
        raise ValueError(f"is an image of mode {image.mode!r}, expected one of {list(modes)}.")
    values = np.asarray(image)
    if image.mode == "I" and (values.min() < 0 or values.max() > _GREY_MAX["I"]):
        raise ValueError(
            f"has 32-bit values from {values.min()} to {values.max()}, expected 0 to 65535."
        )
    return values


def _channels(image: Any) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the colours as they are seen, shape (h, w, 1 or 3), and the transparency or None.

    A palette is looked up.  Transparency is of shape (h, w), from 0 (not seen) to 255.
    """
    if image.mode not in (*_GREY_MAX, *_COLOUR, *_WITH_ALPHA):
        modes = [*_GREY_MAX, *_COLOUR, *_WITH_ALPHA]
        raise ValueError(f"is an image of mode {image.mode!r}, expected one of {modes}.")
    transparent = image.info.get("transparency")
    if image.mode in _GREY_MAX:
        grey = _values(image, tuple(_GREY_MAX))
        alpha = None
        if isinstance(transparent, int):  # one grey that is not seen
            alpha = np.where(grey == transparent, 0, 255).astype(np.uint8)
        return grey[..., None], alpha
    if image.mode in ("P", "PA"):
        image = image.convert("RGB" if image.mode == "P" and transparent is None else "RGBA")
    elif image.mode == "RGB" and transparent is not None:
        image = image.convert("RGBA")
    values = np.asarray(image)
    return (values, None) if image.mode == "RGB" else (values[..., :-1], values[..., -1])


def _in_colour(colours: NDArray[Any], full: float, lossy: bool) -> tuple[NDArray[Any], bool]:
    """Mark what is drawn in one colour; returns the mask, and whether edges were cut at half."""
    if colours.shape[2] > 1:
        shades = colours.max(axis=2)
        if (colours == shades[..., None]).all():
            colours = shades[..., None]
    if colours.shape[2] == 1:
        return _brighter(colours[..., 0], full, lossy, "grey values")
    found: Any = np.unique(colours.reshape(-1, 3), axis=0) if not lossy else ()
    if len(found) == 1 or (len(found) == 2 and not found[0].any()):
        return shades != 0, False
    hue = _hue(colours, shades)
    if hue is None:
        raise ValueError(
            "has several colours, and it is unclear which of them are marked: say "
            'marked="nonzero" for all that is not black, or, for a palette, the indices.'
        )
    # Half as bright as the colour itself.
    return _brighter(shades, hue.max(), lossy, "shades")


def _hue(colours: NDArray[Any], shades: NDArray[Any]) -> NDArray[Any] | None:
    """Return the one colour of which all pixels are shades, None where there are several."""
    bright = shades >= 128
    if not bright.any():
        return None
    hue = colours[bright].mean(axis=0)
    off = np.abs(colours - shades[..., None] * (hue / hue.max())).max(axis=2) > _OFF_HUE
    return hue if off.mean() <= _N_OFF_HUE else None


def _brighter(
    values: NDArray[Any], full: float, lossy: bool, what: str
) -> tuple[NDArray[Any], bool]:
    """Mark what is not black, or, among more than two values, what is brighter than half."""
    levels = np.unique(values)
    if len(levels) == 1 and (not lossy or levels[0] in (0, full)):
        return values != 0, False
    if len(levels) == 2 and levels[0] == 0 and not lossy:
        return values != 0, False
    half = full / 2
    if levels[0] >= half or levels[-1] <= half:
        some = ", ".join(map(str, levels[:8])) + (", ..." if len(levels) > 8 else "")
        raise ValueError(
            f"has {len(levels)} {what} ({some}) on one side of half, {half:g}: are they labels? "
            'Say which are marked, such as marked=[1, 2]; marked="nonzero" for all that is not '
            'black; or marked="degree".'
        )
    return values > half, len(levels) > 2
