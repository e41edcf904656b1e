"""Run-length encoding of masks as COCO has it: plain counts, or their text form."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import as_array, check_flag
from ._rows import check_shape, shorten

# The text form: each character carries five bits, and a sixth says whether more follow.
_OFFSET = 48
_MORE = 0x20
_SIGN = 0x10
_BITS = 5
# Seven characters hold 35 bits, more than the counts of any legal image.
_MAX_CHARACTERS = 7


def encode_rle(mask: ArrayLike, *, compress: bool = True) -> dict[str, Any]:
    """Encode the mask of one image as run lengths.

    The image is read column by column.  The counts are the lengths of its runs of equal pixels,
    of which the first is unmarked (and of length 0 where the first pixel is marked).

    Parameters
    ----------
    mask : array-like of bool of shape (h, w)
        True where marked; numbers must be 0 or 1.
    compress : bool, default=True
        Whether the counts are COCO's text form rather than a list.

    Returns
    -------
    rle : dict
        "size", [h, w], and "counts", str or list of int; fit for a JSON file.

    Raises
    ------
    ValueError
        If the mask is not 2-D, empty, or has other values than 0 and 1.

    See Also
    --------
    decode_rle : The inverse.
    mask_from_coco : Reads annotation files.

    Examples
    --------
    >>> from skexplain.masks import encode_rle
    >>> mask = [[0, 0, 1], [0, 1, 1]]
    >>> encode_rle(mask, compress=False)
    {'size': [2, 3], 'counts': [3, 3]}
    >>> encode_rle(mask)
    {'size': [2, 3], 'counts': '33'}
    """
    check_flag("compress", compress)
    mask = as_array("mask", mask)
    if mask.ndim != 2 or not mask.size or mask.dtype.kind not in "buif":
        raise ValueError(
            f"mask must be bool of shape (h, w); got shape {mask.shape} of dtype {mask.dtype}."
        )
    if not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must be bool, or 0 and 1: run lengths hold no degrees and no NaN.")
    pixels = mask.T.ravel() != 0
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    if pixels[0]:
        changes = np.concatenate([[0], changes])
    counts = np.diff(changes, prepend=0, append=pixels.size).tolist()
    size = [int(side) for side in mask.shape]
    return {"size": size, "counts": _to_text(counts) if compress else counts}


def decode_rle(rle: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Decode run lengths to the mask of one image.

    Parameters
    ----------
    rle : dict
        "size", [h, w], and "counts": a list of int, or COCO's text form as str or bytes.

    Returns
    -------
    mask : bool ndarray of shape (h, w)

    Raises
    ------
    ValueError
        If a key is missing, the text is not COCO's form, a count is negative, or the counts do not
        add up to h * w.

    See Also
    --------
    encode_rle : The inverse.

    Examples
    --------
    >>> from skexplain.masks import decode_rle
    >>> decode_rle({"size": [2, 3], "counts": [3, 3]}).astype(int)
    array([[0, 0, 1],
           [0, 1, 1]])
    """
    if not isinstance(rle, dict) or not {"size", "counts"} <= rle.keys():
        raise ValueError(
            f'run lengths must be a dict with "size" and "counts"; got {shorten(rle)}.'
        )
    height, width = check_shape(rle["size"], '"size"')
    counts = rle["counts"]
    counts = _from_text(counts) if isinstance(counts, str | bytes) else _check_counts(counts)
    if any(count < 0 for count in counts) or sum(counts) != height * width:
        raise ValueError(
            f'"counts" must be zero or more and add up to height * width = {height * width}; they '
            f"add up to {shorten(sum(counts))}."
        )
    return runs_to_mask(counts).reshape(width, height).T


def runs_to_mask(counts: Any) -> NDArray[np.bool_]:
    """Return a flat mask with runs of these lengths, in turn unmarked and marked."""
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts)


def _check_counts(counts: Any) -> list[int]:
    if not isinstance(counts, list | tuple | np.ndarray) or not all(
        isinstance(count, Integral) and not isinstance(count, bool | np.bool_) for count in counts
    ):
        raise ValueError(f'"counts" must be whole numbers or text; got {shorten(counts)}.')
    return [int(count) for count in counts]


def _to_text(counts: list[int]) -> str:
    text = []
    for number, count in enumerate(counts):
        # From the fourth on, what is written is the difference from the run before the last.
        value = count - counts[number - 2] if number > 2 else count
        more = True
        while more:
            bits = value & (_MORE - 1)
            value >>= _BITS
            # Done once the sign bit of these five says all that is left.
            more = value != (-1 if bits & _SIGN else 0)
            text.append(chr(_OFFSET + bits + (_MORE if more else 0)))
    return "".join(text)


def _from_text(text: str | bytes) -> list[int]:
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    counts: list[int] = []
    value = n_characters = 0
    for position, character in enumerate(text):
        code = ord(character) - _OFFSET
        if not 0 <= code < 2 * _MORE or n_characters == _MAX_CHARACTERS:
            raise ValueError(
                f'"counts" must be in COCO\'s text form; got {shorten(character)} at character '
                f"{position}."
            )
        value |= (code & (_MORE - 1)) << (_BITS * n_characters)
        n_characters += 1
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << (_BITS * n_characters)
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = n_characters = 0
    if n_characters:
        raise ValueError('"counts" must be in COCO\'s text form; it ends within a number.')
    return counts
