"""One picture file to pixels of 8 bits: orientation, palettes, transparency, 16 bits, DICOM."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..masks import ImageGeometry
from ._images import import_pillow

_ORIENTATION = 0x0112  # in EXIF

_MAX_PIXELS = 1 << 27

# The preamble of a DICOM file.
_DICOM_AT, _DICOM = 128, b"DICM"

_GREY_16 = ("I;16", "I;16L", "I;16B", "I")


class Picture(NamedTuple):
    """A picture on the grid.

    Attributes
    ----------
    pixels : uint8 ndarray of shape (n_channels, h, w)
    geometry : ImageGeometry
    uid : str
        The identifier of a DICOM picture, to which segmentations refer; "" for others.
    """

    pixels: NDArray[np.uint8]
    geometry: ImageGeometry
    uid: str


def read_picture(
    path: Path, shape: tuple[int, int] | None, fit: str, mode: str, fill: int
) -> Picture:
    """Read a picture onto a grid.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int or None
        Height and width of the grid; None: those of the upright picture.
    fit : {"resize", "crop", "pad"}
        How the picture is brought to the grid.
    mode : {"RGB", "L"}
        Colours, or grey.
    fill : int
        Value of the padding, and of what lies behind transparent pixels.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the file is no complete picture of the kind that is expected.
    ImportError
        If it is a DICOM file and pydicom is not installed.
    """
    if is_dicom(path):
        (image, uid), orientation = _read_dicom(path), 1
    else:
        (image, orientation), uid = _read_image(path, fill), ""
    size = image.size[::-1]
    stored = size[::-1] if orientation >= 5 else size
    geometry = ImageGeometry.fitted(stored, shape or size, fit, orientation=orientation)
    return Picture(_to_grid(image.convert(mode), geometry, fill), geometry, uid)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    if path.exists() and not path.is_file():  # to open a named pipe would wait for ever
        raise ValueError("is no regular file")
    with open(path, "rb") as file:
        head = file.read(_DICOM_AT + len(_DICOM))
    return head[_DICOM_AT:] == _DICOM


def _read_image(path: Path, fill: int) -> tuple[Any, int]:
    """Return a picture of 8 bits as it is seen, and the orientation in which it is stored."""
    Image = import_pillow()
    with warnings.catch_warnings():
        # Sizes are checked here; broken EXIF data are no reason to lose a picture.
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(
                    f"has {image.height} x {image.width} pixels, more than {_MAX_PIXELS}"
                )
            n_frames = getattr(image, "n_frames", 1)
            if n_frames > 1 and image.format != "MPO":  # a photo with a preview
                raise ValueError(f"has {n_frames} frames or pages, expected one picture")
            orientation = _orientation(image)
            image.load()
            # TIFF files may have been turned upright by this.
            return _turn(_to_8_bits(image, fill), _orientation(image)), orientation


def _orientation(image: Any) -> int:
    found = image.getexif().get(_ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def _to_8_bits(image: Any, fill: int) -> Any:
    Image = import_pillow()
    if image.mode in _GREY_16:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"has 32-bit values from {values.min()} to {values.max()}")
        # 65535 is 255 * 257: white stays white.
        return Image.fromarray(np.round(values / 257).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("has fractional values, whose range is unknown; save it with 8 bits")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        seen = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (fill, fill, fill, 255))
        return Image.alpha_composite(behind, seen).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _turn(image: Any, orientation: int) -> Any:
    """Return a picture upright."""
    turn = import_pillow().Transpose
    method = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }.get(orientation)
    return image if method is None else image.transpose(method)


def _to_grid(image: Any, geometry: ImageGeometry, fill: int) -> NDArray[np.uint8]:
    rows, columns = geometry.inside
    inside = columns.stop - columns.start, rows.stop - rows.start
    if not (geometry.shows_all and image.size == inside):
        image = image.resize(inside, import_pillow().Resampling.BICUBIC, box=geometry.crop)
    pixels = np.asarray(image)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if not any(geometry.padding):
        return pixels
    padded = np.full((len(pixels), *geometry.shape), fill, dtype=np.uint8)
    padded[:, rows, columns] = pixels
    return padded


def _read_dicom(path: Path) -> tuple[Any, str]:
    """Return a DICOM picture in grey or colours of 8 bits, through its window, and its UID."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            f'{path} is a DICOM file, which needs pydicom; the extra "formats" brings it: '
            'pip install "skexplain[formats]"'
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that the standard does not allow
        file = pydicom.dcmread(path)
        n_frames = int(file.get("NumberOfFrames") or 1)
        n_pixels = int(file.Rows) * int(file.Columns) * n_frames
        if n_pixels > _MAX_PIXELS:
            raise ValueError(f"has {n_pixels} pixels, more than {_MAX_PIXELS}")
        if n_frames > 1:
            raise ValueError(f"has {n_frames} frames, expected one picture")
        pixels = file.pixel_array
        grey = pixels if pixels.ndim == 3 else _through_window(pixels, file)
    grey = _stretch(grey)
    if file.get("PhotometricInterpretation") == "MONOCHROME1":  # low values are bright
        grey = 255 - grey
    return import_pillow().fromarray(grey), str(file.get("SOPInstanceUID") or "")


def _through_window(pixels: NDArray, file: Any) -> NDArray:
    """Return the values that the file's window shows, in [0, 255], or all values without one."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(pixels, file)
    function = str(file.get("VOILUTFunction") or "LINEAR")
    if "WindowWidth" not in file or "VOILUTSequence" in file or function != "LINEAR":
        return apply_voi_lut(values, file)
    # Of several windows the first.  The formula is that of the standard, PS3.3 C.11.2.1.2.
    centre, width = (
        float(np.atleast_1d(file.get(name))[0]) for name in ("WindowCenter", "WindowWidth")
    )
    shown = (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5
    return np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def _stretch(values: NDArray) -> NDArray[np.uint8]:
    """Scale values to 0 to 255; those of 8 bits stay what they are."""
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return np.round((values - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)
