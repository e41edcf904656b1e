"""Mask images inside of annotation files: unpacked with a limit, and read as they are seen."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rows import MAX_PIXELS, shorten

# A PNG file of one colour is a thousandth of its pixels; this bounds what is unpacked before that.
_MAX_BYTES = 1 << 26


def decode_base64(text: Any, what: str) -> bytes:
    """Return the bytes that a text stands for; what comes before a comma, as in a URL, is left."""
    if not isinstance(text, str):
        raise ValueError(f"{what} must be base64 text; got {shorten(text)}.")
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} must be base64 text: {error}") from error


def unpack(data: bytes, what: str) -> bytes:
    """Unpack zlib's format."""
    stream = zlib.decompressobj()
    try:
        unpacked = stream.decompress(data, _MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"{what} must be packed by zlib: {error}") from error
    if not stream.eof:
        raise ValueError(f"{what} is cut off, or unpacks to more than {_MAX_BYTES} bytes.")
    return unpacked


def read_mask_image(data: bytes, what: str, largest: tuple[int, int] | None) -> NDArray[np.bool_]:
    """Return which pixels of an image file are drawn: by transparency if it varies, else by colour.

    Parameters
    ----------
    data : bytes
        The file.
    what : str
        Begins the error.
    largest : tuple of int or None
        Greatest height and width.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            'Mask images need pillow, which the extra "data" brings: pip install "skexplain[data]"'
        ) from error
    height, width = largest or (MAX_PIXELS, MAX_PIXELS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked here
            with Image.open(io.BytesIO(data)) as image:
                if image.height > height or image.width > width:
                    raise ValueError(
                        f"has {image.height} x {image.width} pixels, more than its picture"
                    )
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"has more than {MAX_PIXELS} pixels")
                if image.mode in ("1", "L", "I;16", "I"):
                    return np.asarray(image) != 0
                pixels = np.asarray(image.convert("RGBA"))
    except Exception as error:  # a broken file makes pillow raise nearly anything
        raise ValueError(f"{what} is no mask image: {error}") from error
    alpha = pixels[..., 3]
    if (alpha == alpha.flat[0]).all():
        return pixels[..., :3].any(axis=2) & (alpha > 0)
    return alpha >= 128  # brushes have soft edges
