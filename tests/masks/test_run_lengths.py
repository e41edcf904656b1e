"""Check run lengths against pycocotools both ways, and that malformed ones raise an error."""

import numpy as np
import pycocotools.mask as coco
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skexplain.masks import decode_rle, encode_rle

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))
MASKS = SHAPES.flatmap(lambda shape: hnp.arrays(bool, shape))
GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def theirs(mask):
    """What pycocotools writes."""
    return coco.encode(np.asfortranarray(mask, dtype=np.uint8))


@given(MASKS)
def test_encode_as_pycocotools(mask):
    expected = theirs(mask)
    rle = encode_rle(mask)
    assert rle == {"size": list(mask.shape), "counts": expected["counts"].decode()}
    # Their reader of plain counts gives the same text.
    plain = encode_rle(mask, compress=False)
    assert coco.frPyObjects(plain, *mask.shape) == expected


@given(MASKS)
def test_decode_what_pycocotools_writes(mask):
    rle = theirs(mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)
    np.testing.assert_array_equal(decode_rle(rle | {"counts": rle["counts"].decode()}), mask)


@given(MASKS, st.booleans())
def test_there_and_back(mask, compress):
    decoded = decode_rle(encode_rle(mask, compress=compress))
    assert decoded.dtype == bool
    np.testing.assert_array_equal(decoded, mask)


@pytest.mark.parametrize("side", [15, 16, 31, 32, 512, 3000])
def test_runs_of_several_characters(side):
    """Counts on both sides of what five, ten and more bits hold."""
    mask = np.zeros((side, 7), dtype=bool)
    mask[:, [1, 2, 5]] = True
    mask[side // 2, 3] = True
    assert encode_rle(mask)["counts"] == theirs(mask)["counts"].decode()
    np.testing.assert_array_equal(decode_rle(theirs(mask)), mask)


def test_by_hand():
    mask = np.array([[1, 0, 0], [1, 1, 0]], dtype=bool)
    # Column by column 1 1 | 0 1 | 0 0, beginning with no unmarked pixel.
    assert encode_rle(mask, compress=False) == {"size": [2, 3], "counts": [0, 2, 1, 1, 2]}
    # From the fourth on less the one before the last: 0, 2, 1, 1 - 2, 2 - 1; 48 + bits: -1 is 31.
    assert encode_rle(mask)["counts"] == "021O1"


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ([2, 4], 'a dict with "size" and "counts"'),
        ({"size": [2, 3]}, 'a dict with "size" and "counts"'),
        ({"size": [2], "counts": [6]}, '"size" must be'),
        ({"size": [2, -3], "counts": [6]}, '"size" must be'),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "at most"),
        ({"size": [2, 3], "counts": [2, 3]}, "add up to height . width = 6; they add up to 5"),
        ({"size": [2, 3], "counts": [8, -2]}, "must be zero or more"),
        ({"size": [2, 3], "counts": [10**30]}, "add up"),
        ({"size": [2, 3], "counts": [3.0, 3]}, "whole numbers or text"),
        ({"size": [2, 3], "counts": [True, 5]}, "whole numbers or text"),
        ({"size": [2, 3], "counts": 6}, "whole numbers or text"),
        ({"size": [2, 3], "counts": "3 "}, "got ' ' at character 1"),
        ({"size": [2, 3], "counts": "3é"}, "at character 1"),
        ({"size": [2, 3], "counts": "3S"}, "ends within a number"),
        ({"size": [2, 3], "counts": "o" * 50}, "at character 7"),
    ],
)
def test_malformed_run_lengths(rle, message):
    with pytest.raises(ValueError, match=message):
        decode_rle(rle)


@given(st.fixed_dictionaries({"size": st.just([2, 3]) | GARBAGE, "counts": GARBAGE}) | GARBAGE)
def test_garbage_is_refused_or_read(rle):
    try:
        mask = decode_rle(rle)
    except ValueError:
        return
    assert mask.shape == tuple(rle["size"])


@pytest.mark.parametrize(
    "mask", [[0, 1], np.zeros((0, 3)), [["a"]], [[0.5]], [[np.nan]], np.zeros((1, 2, 2)), None]
)
def test_only_masks_are_encoded(mask):
    with pytest.raises(ValueError, match="mask must be bool"):
        encode_rle(mask)
