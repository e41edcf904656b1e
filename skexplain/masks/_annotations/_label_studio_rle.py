"""Run lengths of Label Studio's brushes: pixels of four colours, packed to bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rows import shorten

# The header: how many values follow, in 32 bits; the width of a value and of four kinds of lengths,
# less one, in 5 and in 4 x 4 bits.
_COUNT, _WIDTH, _LENGTH = 32, 5, 4
_CHANNELS = 4


class _Bits:
    """Bits that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self.bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
        self.text = (self.bits + ord("0")).tobytes().decode("ascii")
        self.place = 0

    def number(self, width: int) -> int:
        """Read a whole number."""
        stop = self.place + width
        if stop > len(self.text):
            raise ValueError("rle is cut off.")
        value = int(self.text[self.place : stop], 2)
        self.place = stop
        return value

    def numbers(self, count: int, width: int) -> NDArray[np.int64]:
        """Read many whole numbers of one width."""
        stop = self.place + count * width
        if stop > len(self.text):
            raise ValueError("rle is cut off.")
        bits = self.bits[self.place : stop].reshape(count, width)
        self.place = stop
        return bits @ (1 << np.arange(width - 1, -1, -1, dtype=np.int64))


def decode_brush(values: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of a brush.

    Parameters
    ----------
    values : list of int
        Bytes.
    size : tuple of int
        Height and width of the picture.
    """
    is_list = isinstance(values, list) and all(type(value) is int for value in values)
    if not is_list or not all(0 <= value <= 255 for value in values):
        raise ValueError(f"rle must be a list of bytes; got {shorten(values)}.")
    bits = _Bits(bytes(values))
    total = bits.number(_COUNT)
    if total != size[0] * size[1] * _CHANNELS:
        raise ValueError(
            f"rle holds {total} values, but the picture has {size[0]} x {size[1]} pixels of "
            f"{_CHANNELS}."
        )
    width = bits.number(_WIDTH) + 1
    lengths = [bits.number(_LENGTH) + 1 for _ in range(4)]
    dtype: type[np.integer] = np.uint8 if width <= 8 else np.int64
    pixels = np.empty(total, dtype=dtype)
    place = 0
    while place < total:
        repeats = bits.number(1)
        count = bits.number(lengths[bits.number(2)]) + 1
        stop = place + count
        if stop > total:
            raise ValueError("rle holds more values than it says.")
        pixels[place:stop] = bits.number(width) if repeats else bits.numbers(count, width)
        place = stop
    # Edges of brushes are soft.
    return pixels.reshape(*size, _CHANNELS)[..., -1] >= 128


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """Return the bytes of a brush, for a mask of the size of its picture."""
    lengths = (4, 8, 12, 16)
    text = [f"{mask.size * _CHANNELS:032b}", f"{8 - 1:05b}"]
    text += [f"{length - 1:04b}" for length in lengths]
    flat = mask.ravel()
    ends = np.concatenate([np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    start = 0
    for end in ends:
        value = 255 if flat[start] else 0
        left = int(end - start) * _CHANNELS
        while left:
            count = min(left, 1 << lengths[-1])
            kind = next(k for k, length in enumerate(lengths) if count <= 1 << length)
            text.append(f"1{kind:02b}{count - 1:0{lengths[kind]}b}{value:08b}")
            left -= count
        start = end
    bits = np.frombuffer("".join(text).encode("ascii"), dtype=np.uint8) - ord("0")
    return np.packbits(bits).tolist()
