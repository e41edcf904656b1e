"""Check feature by feature how parts are exchanged between samples, and when they are not."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skexplain.masks import interpret_mask
from skexplain.masks._fill import exchange_parts, leave_room, leave_room_on_average

# Each kind of X, and the shape of a sample's mask beside it.
KINDS = {
    "table": ((6, 10), (10,)),
    "grey images": ((6, 4, 5), (4, 5)),
    "images": ((6, 3, 4, 5), (1, 4, 5)),
    "images with masks of channels": ((6, 3, 4, 5), (3, 4, 5)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
seeds = st.integers(0, 10_000)


def make_pairs(kind, seed, share, degrees=False):
    """Samples with marks, their donors, and what is taken where there is no room."""
    shape, marked = KINDS[kind]
    rng = np.random.default_rng(seed)
    x, donor_x, otherwise = rng.normal(size=(3, *shape))
    marks = rng.random((2, shape[0], *marked)) < share
    if degrees:
        marks = marks * rng.random(marks.shape)
    parts = (x, marks[0].astype(float), donor_x, marks[1].astype(float), otherwise)
    return tuple(map(torch.from_numpy, parts))


# -- feature by feature ---------------------------------------------------------------------------


@every_kind
@given(seeds, st.floats(0, 0.6))
def test_what_either_marks_is_the_donors_where_there_is_room(kind, seed, share):
    """Read off each pair by hand: by the number of marks, and by each mark."""
    x, a, donor_x, donor_a, otherwise = make_pairs(kind, seed, share)
    ours = exchange_parts(x, a, donor_x, donor_a, otherwise)
    for i in range(len(x)):
        either = (a[i] + donor_a[i] > 0).numpy()
        if either.sum() > 0.5 * either.size:
            assert torch.equal(ours[i], otherwise[i])
            continue
        either = np.broadcast_to(either, x.shape[1:])
        np.testing.assert_array_equal(ours[i], np.where(either, donor_x[i], x[i]))


@every_kind
@given(seeds, st.floats(0, 0.6))
def test_what_is_not_taken_is_not_computed(kind, seed, share):
    x, a, donor_x, donor_a, otherwise = make_pairs(kind, seed, share)
    calls = []
    ours = exchange_parts(x, a, donor_x, donor_a, lambda: calls.append(1) or otherwise)
    assert torch.equal(ours, exchange_parts(x, a, donor_x, donor_a, otherwise))
    assert len(calls) == int(not leave_room(torch.maximum(a, donor_a), x.ndim).all())


def test_exactly_half_is_room_enough():
    x, donor_x, otherwise = torch.zeros(2, 4), torch.ones(2, 4), torch.full((2, 4), 7.0)
    a = torch.tensor([[1.0, 0, 0, 0], [1.0, 1.0, 0, 0]])
    donor_a = torch.tensor([[0, 1.0, 0, 0], [0, 0, 1.0, 0]])
    ours = exchange_parts(x, a, donor_x, donor_a, otherwise)
    assert ours.tolist() == [[1.0, 1.0, 0.0, 0.0], [7.0] * 4]


def test_degrees_by_hand():
    """The larger of two degrees is the share of the donor; degrees add up to what is covered."""
    x, donor_x = torch.zeros(2, 4), torch.tensor([[10.0, 20.0, 30.0, 40.0]]).repeat(2, 1)
    a = torch.tensor([[0.5, 0.2, 0.0, 0.0], [1.0, 0.5, 0.5, 0.0]])
    donor_a = torch.tensor([[0.1, 0.7, 0.0, 0.3], [0.0, 0.0, 0.0, 0.1]])
    ours = exchange_parts(x, a, donor_x, donor_a, torch.full((2, 4), -1.0))
    # 0.5 + 0.7 + 0.3 of four features leave room, and 1 + 0.5 + 0.5 + 0.1 do not.
    torch.testing.assert_close(ours, torch.tensor([[5.0, 14.0, 0.0, 12.0], [-1.0] * 4]))


@every_kind
@given(seeds)
def test_a_sample_that_is_its_own_donor_stays(kind, seed):
    x, a, _, _, otherwise = make_pairs(kind, seed, 0.2, degrees=True)
    # Between equal ends nothing is rounded.
    room = leave_room(a, x.ndim).expand_as(x)
    ours = exchange_parts(x, a, x, a, otherwise)
    assert torch.equal(ours[room], x[room])
    assert torch.equal(ours[~room], otherwise[~room])


@every_kind
@given(seeds)
def test_where_neither_marks_anything_nothing_changes(kind, seed):
    x, a, donor_x, donor_a, otherwise = make_pairs(kind, seed, 0.0)
    assert torch.equal(exchange_parts(x, a, donor_x, donor_a, otherwise), x)


@given(seeds, st.booleans())
def test_a_mask_without_channels_equals_its_repetition(seed, degrees):
    x, a, donor_x, donor_a, otherwise = make_pairs("images", seed, 0.3, degrees)
    full = [marks.expand_as(x).contiguous() for marks in (a, donor_a)]
    expected = exchange_parts(x, full[0], donor_x, full[1], otherwise)
    assert torch.equal(exchange_parts(x, a, donor_x, donor_a, otherwise), expected)


@every_kind
@given(seeds, st.floats(0, 1))
def test_room_is_counted_per_pair(kind, seed, share):
    x, a, _, donor_a, _ = make_pairs(kind, seed, share, degrees=True)
    union = np.maximum(a.numpy(), donor_a.numpy())
    expected = [pair.mean() <= 0.5 for pair in union]
    ours = leave_room(torch.from_numpy(union), x.ndim)
    assert ours.shape == (6, *(1,) * (x.ndim - 1))
    assert ours.flatten().tolist() == expected
    assert leave_room_on_average(a, donor_a) == (union.mean() <= 0.5)


# -- when samples mark parts of their own ---------------------------------------------------------


def patches(n=40, size=8, side=3, classes=(0, 1)):
    """Masks of a patch anywhere in the samples of some classes, the others with nothing marked."""
    rng = np.random.default_rng(0)
    y, mask = np.arange(n) % 2, np.zeros((n, size, size), dtype=bool)
    for i in np.flatnonzero(np.isin(y, classes)):
        row, column = rng.integers(size - side + 1, size=2)
        mask[i, row : row + side, column : column + side] = True
    return mask


def rulers(n=40, size=8):
    """Masks of a ruler at the edge of the samples of one class."""
    mask = np.zeros((n, size, size), dtype=bool)
    mask[1::2, -2:] = True
    return mask


def halves(n=40, size=8):
    """Masks of the upper or lower half."""
    mask = np.zeros((n, size, size), dtype=bool)
    mask[::2, : size // 2] = True
    mask[1::2, size // 2 :] = True
    return mask


def marks_parts(mask, n=40, size=8, **params):
    return interpret_mask(mask, (n, size, size), **params).marks_parts


@pytest.mark.parametrize(
    "mask", [patches(), patches(classes=[1]), rulers(), rulers(2)], ids=["all", "one", "edge", "2"]
)
def test_parts(mask):
    assert marks_parts(mask, n=len(mask)) is True


@pytest.mark.parametrize(
    "mask",
    [
        patches()[:1],
        rulers()[1:2],
        halves(),
        ~patches(),
        np.zeros((40, 8, 8), dtype=bool),
        np.full((40, 8, 8), np.nan),
        np.full((1, 8, 8), np.nan),
        [None] * 40,
    ],
    ids=["a patch for all", "an edge for all", "halves", "all but a patch", "nothing"]
    + ["unknown", "unknown for all", "none"],
)
def test_no_parts(mask):
    assert marks_parts(mask) is False


@pytest.mark.parametrize("soft", [False, True])
def test_the_same_marks_in_all_samples_are_one_mask_for_all(soft):
    """Unless some lack a mask, to which the place then applies, or mark nothing."""
    mask = np.tile(patches()[0] * (0.5 if soft else 1.0), (40, 1, 1))
    assert marks_parts(mask) is False
    mask[::2] = np.nan
    assert marks_parts(mask) is True
    pooled = interpret_mask(mask, mask.shape).pooled
    np.testing.assert_array_equal(pooled.numpy(), mask[1:2])
    assert marks_parts(np.nan_to_num(mask)) is True


@pytest.mark.parametrize("mask", [patches(), ~patches(), rulers(), halves()])
def test_marks_of_the_reasons_are_no_parts(mask):
    """What is not marked is irrelevant then: as good as everything, or background of each its own.

    Also where the very same features are irrelevant as under marks of parts.
    """
    assert marks_parts(mask, marks="relevant") is False
    assert marks_parts(~mask, marks="relevant") is False


def spelled(mask, spelling, tmp_path):
    if spelling == "list of None":
        return [marks if marks.any() else None for marks in mask]
    if spelling == "NaN":
        return np.where(mask.any(axis=(1, 2), keepdims=True), mask.astype(float), np.nan)
    if spelling == "memory map":
        np.save(tmp_path / "mask.npy", mask)
        return np.load(tmp_path / "mask.npy", mmap_mode="r")
    if spelling == "backwards":
        return mask[::-1].copy()[::-1]
    return mask.astype(spelling)


@pytest.mark.parametrize(
    "spelling",
    ["uint8", "int64", "float16", "float32", "float64", ">f8"]
    + ["NaN", "list of None", "memory map", "backwards"],
)
@pytest.mark.parametrize("mask", [patches(classes=[1]), halves()], ids=["patches", "halves"])
def test_however_masks_are_spelled(mask, spelling, tmp_path):
    assert marks_parts(spelled(mask, spelling, tmp_path)) == marks_parts(mask)


def test_channels_of_a_mask():
    """A mask of channels marks a part where it covers little of all channels."""
    mask = np.zeros((40, 3, 8, 8), dtype=bool)
    mask[1::2, 0] = True  # a third
    assert interpret_mask(mask, (40, 3, 8, 8)).marks_parts
    mask[::4, 1] = True
    mask[1::2, 2] = True  # two thirds, and a third
    assert not interpret_mask(mask, (40, 3, 8, 8)).marks_parts
    beside_channels = interpret_mask(patches(), (40, 3, 8, 8))
    assert beside_channels.marks_parts


def test_words_of_texts():
    """Columns of a table: a few words of each text."""
    rng = np.random.default_rng(0)
    mask = np.zeros((30, 50), dtype=bool)
    for marks in mask[::2]:
        marks[rng.integers(50, size=3)] = True
    assert interpret_mask(mask, (30, 50)).marks_parts
    assert not interpret_mask(mask.any(axis=0)[None], (30, 50)).marks_parts
    assert interpret_mask(list(mask.astype(float) * 0.4 + 0.1), (30, 50)).marks_parts


def test_few_marked_samples_among_many():
    """Pairs are of samples with marks: what share of the data these are makes no difference."""
    for sample, expected in ((patches()[0], True), (~patches()[0], False)):
        mask = np.zeros((1000, 8, 8), dtype=bool)
        mask[17] = sample
        assert marks_parts(mask, n=1000) is expected
    mask[np.arange(1000) != 17] = True  # annotated, with everything marked
    assert marks_parts(mask, n=1000) is False


def test_samples_that_do_not_take_part_do_not_count():
    """Their masks say nothing about the others, and they are not annotated."""
    mask = np.concatenate([patches(), halves()])
    masks = interpret_mask(mask, (80, 8, 8))
    assert not masks.marks_parts
    first, second = masks.of_rows(np.arange(40)), masks.of_rows(np.arange(40, 80))
    assert first.marks_parts
    assert not second.marks_parts
    assert first.stored is masks.stored
    for part, rows in ((first, slice(40)), (second, slice(40, 80))):
        assert part.annotated.sum() == part.has_irrelevant.sum() == 40
        assert part.annotated[rows].all()


# -- what it does ---------------------------------------------------------------------------------


@pytest.mark.parametrize("trapped", [0, 1])
@pytest.mark.parametrize("place", ["corner", "anywhere"])
def test_a_part_of_one_class_tells_nothing_afterwards(trapped, place):
    """Over all pairs of samples and donors a part is there as often in either class, exactly."""
    n, size = 20, 8
    mask = patches(n, size, side=2, classes=[trapped])
    if place == "corner":
        mask = np.zeros((n, size, size), dtype=bool)
        mask[np.arange(n) % 2 == trapped, :2, :2] = True
    mask[[0, 1]] = False  # not all of the class have it
    y = np.arange(n) % 2
    x = np.where(mask, 9.0, 0.0)
    sample, donor = np.indices((n, n)).reshape(2, -1)
    pairs = [torch.from_numpy(part) for part in (x[sample], mask[sample] * 1.0)]
    pairs += [torch.from_numpy(part) for part in (x[donor], mask[donor] * 1.0)]
    exchanged = exchange_parts(*pairs, otherwise=torch.full((n * n, size, size), torch.nan))
    pixels = (exchanged == 9).flatten(1).sum(1).numpy()
    assert set(pixels) == {0, 4}  # a whole part or none
    counts = np.zeros((2, 2), dtype=int)
    np.add.at(counts, (y[sample], (pixels == 4).astype(int)), 1)
    assert counts.tolist() == [[110, 90], [110, 90]]
    # The part is where the donor has it: 9 of 20 samples have one.
    torch.testing.assert_close(exchanged, torch.from_numpy(x[donor]))
