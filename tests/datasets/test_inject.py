"""Check injected patches against a search by brute force and values by hand, and that a model
learns them as a shortcut.
"""

import itertools
import re

import numpy as np
import pytest
from _pictures import check_seeds, sha256
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skexplain.datasets import inject_patches
from skexplain.masks import interpret_mask

GREY = np.full((40, 9, 7), 100, dtype=np.uint8)
LABELS = np.arange(40) % 2


@st.composite
def problems(draw):
    """Arguments of inject_patches, and where a reason is marked as (n, h, w)."""
    n_rows, height, width = (draw(st.integers(1, high)) for high in (6, 6, 5))
    n_channels = draw(st.sampled_from([None, 1, 3]))
    shape = (n_rows, *([] if n_channels is None else [n_channels]), height, width)
    dtype = draw(st.sampled_from([np.uint8, np.int16, np.float32, np.float64]))
    size = draw(st.integers(1, min(height, width)))
    arguments = {
        "X": draw(hnp.arrays(dtype, shape, elements=st.integers(0, 9))),
        "y": draw(st.none() | st.lists(st.sampled_from("abc"), min_size=n_rows, max_size=n_rows)),
        "shape": draw(st.sampled_from(["square", "disc", "cross", "stripe"])),
        "size": size,
        "colors": {"a": 10, "b": 11, "c": [12] if n_channels is None else list(range(n_channels))},
        "place": draw(st.sampled_from(["random", "corner", "top", "right", (0, -1), (-1, 0)])),
        "rate": draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])),
        "random_state": draw(st.integers(0, 99)),
    }
    if draw(st.booleans()):
        return arguments, np.zeros((n_rows, height, width), dtype=bool)
    marks = draw(st.sampled_from(["irrelevant", "relevant"]))
    mask_shape = draw(st.sampled_from([(n, *shape[1:]) for n in (1, n_rows)]))
    irrelevant = draw(hnp.arrays(np.float64, mask_shape, elements=st.sampled_from([1, 1, 1, 0])))
    unknown = draw(hnp.arrays(bool, mask_shape, elements=st.sampled_from([False] * 4 + [True])))
    mask = irrelevant if marks == "irrelevant" else 1 - irrelevant
    mask = np.where(unknown, np.nan, mask) if draw(st.booleans()) else mask.astype(bool)
    reason = (irrelevant == 0) & (~unknown | (mask.dtype == bool))
    if n_channels is not None:
        reason = reason.any(axis=1)
    reason = np.broadcast_to(reason, (n_rows, height, width))
    return arguments | {"mask": mask, "mask_marks": marks}, reason


# Forms that are no full rectangles, for sizes up to 5.
FORMS = {
    ("disc", 4): [".##.", "####", "####", ".##."],
    ("disc", 5): [".###.", "#####", "#####", "#####", ".###."],
    ("cross", 3): [".#.", "###", ".#."],
    ("cross", 4): [".##.", "####", "####", ".##."],
    ("cross", 5): ["..#..", "..#..", "#####", "..#..", "..#.."],
}


def stamp_of(shape, size, width):
    rows = FORMS.get((shape, size), ["#" * (width if shape == "stripe" else size)] * size)
    return np.array([[pixel == "#" for pixel in row] for row in rows])


def all_patches(stamp, place, grid):
    """Return the mask of every patch at a place that was asked for."""
    bottom, right = (side - used for side, used in zip(grid, stamp.shape, strict=True))
    starts = {
        "random": itertools.product(range(bottom + 1), range(right + 1)),
        "corner": [(0, 0), (0, right), (bottom, 0), (bottom, right)],
        "top": [(0, left) for left in range(right + 1)],
        "bottom": [(bottom, left) for left in range(right + 1)],
        "left": [(top, 0) for top in range(bottom + 1)],
        "right": [(top, right) for top in range(bottom + 1)],
        (0, -1): [(0, right)],
        (-1, 0): [(bottom, 0)],
    }[place]
    patches = np.zeros((len(starts := list(starts)), *grid), dtype=bool)
    for patch, (top, left) in zip(patches, starts, strict=True):
        patch[top : top + stamp.shape[0], left : left + stamp.shape[1]] = stamp
    return patches


@given(problems())
def test_patches_are_where_the_mask_says_and_never_on_reasons(problem):
    arguments, reason = problem
    X, y = arguments["X"], arguments["y"]
    before = X.copy()
    stamp = stamp_of(arguments["shape"], arguments["size"], X.shape[-1])
    patches = all_patches(stamp, arguments["place"], X.shape[-2:])
    has_room = ~(patches & reason[:, None]).any(axis=(2, 3)).all(axis=1)
    try:
        injected = inject_patches(**arguments)
    except ValueError as error:
        named = re.search(r"no room .* in (\d+) samples, \[(.*)\]", str(error))
        rows = [int(row) for row in named[2].split(", ")]
        assert len(rows) == int(named[1])
        assert not np.any(has_room[rows])
        return
    assert_array_equal(X, before)
    assert injected.data.dtype == X.dtype
    assert injected.data.shape == X.shape
    assert interpret_mask(injected.mask, X.shape).values.dtype == bool
    if y is not None:
        assert_array_equal(injected.shown, y)

    mask = injected.mask if X.ndim == 3 else injected.mask[:, 0]
    colors = np.broadcast_arrays(*[arguments["colors"][label] for label in "abc"], [0] * 3)[:3]
    for row, label in enumerate(injected.shown):
        if mask[row].any():
            assert (mask[row] == patches).all(axis=(1, 2)).sum() >= 1
            assert not np.any(mask[row] & reason[row])
        color = colors["abc".index(label)][: 1 if X.ndim == 3 else X.shape[1]]
        expected = np.where(mask[row], np.reshape(color, (-1, 1, 1)), X[row])
        assert_array_equal(injected.data[row], expected.reshape(X.shape[1:]))
    for label in set(injected.shown):
        rows = injected.shown == label
        n_patches = np.floor(arguments["rate"] * rows.sum() + 0.5)
        assert mask[rows].any(axis=(1, 2)).sum() == n_patches


@pytest.mark.parametrize(("shape", "size"), FORMS)
def test_forms(shape, size):
    injected = inject_patches(GREY, shape=shape, size=size, colors=0, place=(1, 2), random_state=0)
    expected = np.zeros((9, 7), dtype=bool)
    expected[1 : size + 1, 2 : size + 2] = stamp_of(shape, size, 7)
    assert_array_equal(injected.mask, np.broadcast_to(expected, GREY.shape))


def test_a_stamp_of_ones_own():
    stamp = np.array([[True, False, True]])
    injected = inject_patches(GREY, shape=stamp, colors=0, place=(-1, -1), random_state=0)
    assert_array_equal(np.argwhere(injected.mask[0]), [[8, 4], [8, 6]])


@pytest.mark.parametrize("stamp", [["##", "#."], [".#", "##"], ["###", "..#"], ["#.#"]])
def test_a_lopsided_stamp_stays_beside_the_reasons(stamp):
    stamp = np.array([[pixel == "#" for pixel in row] for row in stamp])
    patches = all_patches(stamp, "random", (9, 7))
    # Only the stamp's own pixels are free: it fits in one place if it is not turned around.
    free = patches[np.random.default_rng(0).integers(len(patches), size=40)]
    injected = inject_patches(GREY, shape=stamp, colors=0, mask=free, random_state=0)
    assert_array_equal(injected.mask, free)


def test_unknown_pixels_may_be_covered():
    mask = np.zeros(GREY.shape)
    mask[:, 2:5, 3:6] = np.nan
    for marks in ["irrelevant", "relevant"]:
        known = mask if marks == "irrelevant" else 1 - mask
        injected = inject_patches(GREY, size=3, colors=0, mask=known, mask_marks=marks)
        assert_array_equal(injected.mask, np.isnan(mask))


@pytest.mark.parametrize(("side", "size"), [(1, 1), (2, 2), (8, 2), (28, 4), (64, 9)])
def test_default_size_is_a_seventh_of_the_shorter_side(side, size):
    injected = inject_patches(np.zeros((2, side, side + 3)), colors=1, random_state=0)
    assert injected.mask[0].sum() == size**2


def test_places_are_drawn_uniformly():
    X = np.zeros((6000, 4, 5))
    mask = np.ones((1, 4, 5))
    mask[0, 1, 1] = 0  # leaves 8 of 12 places for a square of 2
    for marks in [mask, np.repeat(mask, len(X), axis=0)]:
        drawn = inject_patches(X, size=2, colors=1, mask=marks, random_state=0).mask
        _, count = np.unique(drawn, axis=0, return_counts=True)
        assert len(count) == 8
        assert np.all(np.abs(count / len(X) - 1 / 8) < 4 * np.sqrt(7 / 64 / len(X)))


def test_chunks_of_rows_do_not_change_the_places(monkeypatch):
    rng = np.random.default_rng(0)
    mask = rng.random(GREY.shape) < 0.9
    whole = inject_patches(GREY, LABELS, colors=[0, 200], mask=mask, random_state=0)
    monkeypatch.setattr("skexplain.datasets._inject._CHUNK_VALUES", 150)
    parts = inject_patches(GREY, LABELS, colors=[0, 200], mask=mask, random_state=0)
    assert_array_equal(whole.data, parts.data)


def test_everything_may_differ_between_classes():
    injected = inject_patches(
        GREY,
        LABELS,
        shape={0: "square", 1: "stripe"},
        size=3,
        colors={0: 7, 1: 8},
        place={0: "left", 1: "bottom"},
        rate={0: 0.25, 1: 1},
        random_state=0,
    )
    first, second = injected.mask[LABELS == 0], injected.mask[LABELS == 1]
    assert first.any(axis=(1, 2)).sum() == 5
    assert not np.any(first[:, :, 3:])
    assert np.all(second == (np.arange(9) >= 6)[:, None])
    assert np.all(injected.data[LABELS == 0][first] == 7)
    assert np.all(injected.data[LABELS == 1][second] == 8)


def test_labels_may_be_text_and_colors_given_per_channel():
    X = np.zeros((4, 3, 8, 8), dtype=np.uint8)
    y = np.array(["neg", "pos", "neg", "pos"])
    colors = {"pos": (255, 0, 0), "neg": (0, 255, 0)}  # the birds of Tao and Shokri
    for form in [colors, [(0, 255, 0), (255, 0, 0)], np.array([[0, 255, 0], [255, 0, 0]])]:
        injected = inject_patches(X, y, colors=form, random_state=0)
        for image, mask, label in zip(injected.data, injected.mask, y, strict=True):
            assert_array_equal(np.unique(image[:, mask[0]], axis=1).ravel(), colors[label])
        assert injected.mask.shape == (4, 1, 8, 8)
        assert_array_equal(injected.colors["pos"], [255, 0, 0])


@pytest.mark.parametrize(
    ("X", "greys"),
    [
        (np.array([[[0, 255]]], dtype=np.uint8), [255, 170, 85]),
        (np.array([[[-1.0, 2.0]]]), [2, 1, 0]),
        (np.array([[[10, 13]]]), [13, 12, 11]),
    ],
)
def test_default_colors_are_greys_over_the_range_of_the_data(X, greys):
    X = np.repeat(X, 3, axis=0)
    injected = inject_patches(X, ["a", "b", "c"], size=1, random_state=0)
    assert_array_equal(np.concatenate(list(injected.colors.values())), greys)
    assert_array_equal(injected.data[injected.mask], greys)


def test_without_labels_the_classes_are_drawn_uniformly():
    X, y = np.zeros((3000, 3, 3)), np.arange(3000) % 3
    train = inject_patches(X, y, colors=[1, 2, 3], size=1, random_state=0)
    test = inject_patches(X, colors=train.colors, size=1, random_state=0)
    for shown in range(3):
        for label in range(3):
            share = np.mean(test.shown[y == label] == shown)
            assert abs(share - 1 / 3) < 4 * np.sqrt(2 / 9 / 1000)
    assert_array_equal(test.data[test.mask], test.shown + 1)
    assert_array_equal(train.data[train.mask], y + 1)


@pytest.mark.parametrize(
    ("arguments", "classes"),
    [
        ({}, [0]),
        ({"colors": 5}, [0]),
        ({"colors": [5, 6, 7]}, [0, 1, 2]),
        ({"colors": {"x": 5, "y": 6}}, ["x", "y"]),
        ({"colors": 5, "place": {"x": "left", "y": "right"}}, ["x", "y"]),
    ],
)
def test_classes_without_labels_are_those_of_the_arguments(arguments, classes):
    X = np.arange(1000.0).reshape(40, 5, 5)
    injected = inject_patches(X, **arguments, random_state=0)
    assert_array_equal(np.unique(injected.shown), classes)
    assert list(injected.colors) == classes


def test_rows_without_annotation_have_no_reasons():
    lone = np.zeros((9, 7))
    lone[3:6, 3:6] = 1
    masks = [None] * 40
    masks[3] = lone
    injected = inject_patches(GREY, size=3, colors=0, mask=masks, random_state=0)
    assert_array_equal(injected.mask[3], lone)
    assert np.all(injected.mask.sum(axis=(1, 2)) == 9)
    assert len(np.unique(injected.mask, axis=0)) > 10
    for nothing in [[None] * 40, np.full(GREY.shape, np.nan)]:
        for marks in ["irrelevant", "relevant"]:
            again = inject_patches(
                GREY, size=3, colors=0, mask=nothing, mask_marks=marks, random_state=0
            )
            assert np.all(again.mask.sum(axis=(1, 2)) == 9)


def test_a_degree_is_a_reason():
    mask = np.full((1, 9, 7), 0.75)
    mask[0, 2:4, 2:4] = 1
    injected = inject_patches(GREY, size=2, colors=0, mask=mask, random_state=0)
    assert_array_equal(injected.mask, np.broadcast_to(mask == 1, GREY.shape))


def test_rows_without_room_are_named():
    mask = np.ones(GREY.shape, dtype=bool)
    mask[[4, 17]] = False
    with pytest.raises(ValueError, match=r"no room .* in 2 samples, \[4, 17\].*'irrelevant'.* 0\."):
        inject_patches(GREY, mask=mask, colors=0)
    with pytest.raises(ValueError, match=r"in 40 samples, \[0, 1, .*7, \.\.\.\].*'relevant'.* 1\."):
        inject_patches(GREY, LABELS, mask=~mask[:1] | True, mask_marks="relevant", colors=0)
    # They are no obstacle where no patch is drawn.
    rate = dict.fromkeys(range(40), 1) | {4: 0, 17: 0}
    inject_patches(GREY, range(40), mask=mask, rate=rate, colors=0)


def test_a_read_only_memory_map_will_do(tmp_path):
    np.save(tmp_path / "X.npy", GREY)
    np.save(tmp_path / "mask.npy", np.ones(GREY.shape, dtype=np.uint8))
    X, mask = (np.load(tmp_path / name, mmap_mode="r") for name in ["X.npy", "mask.npy"])
    injected = inject_patches(X, LABELS, colors=[0, 1], mask=mask, random_state=0)
    expected = inject_patches(GREY, LABELS, colors=[0, 1], random_state=0)
    assert_array_equal(injected.mask.sum(axis=(1, 2)), expected.mask.sum(axis=(1, 2)))
    assert type(injected.data) is np.ndarray
    injected.data[:] = 0  # it may be written to


@pytest.mark.parametrize("dtype", [np.uint16, ">f8", np.longdouble, bool])
def test_masks_of_any_dtype_and_layout(dtype):
    mask = np.zeros((40, 9, 7), dtype=dtype)
    mask[:, 3:6, 3:6] = 1
    expected = inject_patches(GREY, size=3, colors=0, mask=mask.astype(float), random_state=0)
    for each in (mask, mask[:, :, ::-1].copy()[:, :, ::-1], mask[:1, :, ::-1].copy()[:, :, ::-1]):
        injected = inject_patches(GREY, size=3, colors=0, mask=each, random_state=0)
        assert_array_equal(injected.mask, expected.mask)


def test_seeds():
    check_seeds(lambda **seed: inject_patches(GREY, LABELS, colors=[0, 1], rate=0.5, **seed))


def test_seed_gives_the_same_bytes_everywhere():
    mask = np.arange(63).reshape(1, 9, 7) % 9 > 0
    for labels, checksum in [
        (LABELS, "45529ae8755fa4dc58aab9bccd99ae72f2e36ed1b763a673f0eacdb3014d78c7"),
        (None, "1b584f34ba4e76843927df356141a1c6d360f21555ec268b7bf518f293f0d975"),
    ]:
        injected = inject_patches(
            GREY, labels, shape="cross", size=3, colors=[0, 1], rate=0.7, mask=mask, random_state=0
        )
        assert sha256(injected) == checksum


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"X": GREY.astype(bool)}, TypeError, "X must hold integers or floats; got dtype bool"),
        ({"X": GREY[0]}, ValueError, "X must have shape (n, height, width) or"),
        ({"X": GREY[:0]}, ValueError, "none of them 0; got (0, 9, 7)"),
        ({"y": LABELS[1:]}, ValueError, "y must have one label per sample of X, 40; got 39"),
        ({"y": LABELS + 0.5}, ValueError, "y must hold class labels, or be None; got continuous"),
        ({"shape": "star"}, ValueError, "shape must be one of"),
        ({"shape": np.zeros((2, 2), dtype=bool)}, ValueError, "bool array of two axes with a True"),
        ({"shape": np.ones((2, 2))}, ValueError, "bool array of two axes with a True"),
        ({"size": 0}, ValueError, "size"),
        ({"size": 2.5}, TypeError, "size"),
        ({"size": 8}, ValueError, "8x8 pixels and does not fit into images of 9x7"),
        ({"colors": None}, ValueError, "colors must be given: the range of X, 100 to 100"),
        ({"colors": [1, 2, 3]}, ValueError, "one entry for each of the 2 classes [0, 1]; got 3"),
        ({"colors": {0: 1}}, ValueError, "colors must have an entry for every class; it lacks [1]"),
        ({"colors": "red"}, TypeError, "colors must be numbers; got 'red'"),
        ({"colors": 256}, ValueError, "fit the dtype of X, uint8; got 256"),
        ({"colors": -1}, ValueError, "fit the dtype of X, uint8; got -1"),
        ({"colors": 0.5}, ValueError, "fit the dtype of X, uint8; got 0.5"),
        ({"colors": np.nan}, ValueError, "colors must be finite"),
        ({"colors": [(1, 2), 3]}, ValueError, "a number or 1 (one per channel)"),
        ({"place": "middle"}, ValueError, "place must be one of ['bottom', 'corner', 'left'"),
        ({"place": (1, 2, 3)}, ValueError, "a pair of int"),
        ({"place": (0.5, 1)}, ValueError, "a pair of int"),
        ({"place": (8, 0)}, ValueError, "row up to 7, column up to 5; got (8, 0)"),
        ({"rate": 1.5}, ValueError, "rate must be a number in [0, 1]; got 1.5"),
        ({"rate": np.nan}, ValueError, "rate must be a number in [0, 1]"),
        ({"rate": "all"}, ValueError, "rate must be a number in [0, 1]; got 'all'"),
        ({"rate": {1: 1}}, ValueError, "rate must have an entry for every class; it lacks [0]"),
        ({"mask": np.ones((40, 7, 9))}, ValueError, "mask must have shape (40, 9, 7)"),
        ({"mask_marks": "both"}, ValueError, "mask_marks must be one of"),
        ({"random_state": "zero"}, ValueError, "random_state must be an int"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        inject_patches(**({"X": GREY, "y": LABELS, "colors": [0, 1]} | arguments))


@pytest.mark.parametrize("X", [GREY.astype(float) * np.nan, GREY + np.array([[[0] * 6 + [1]]])])
def test_colors_must_be_given_where_the_data_have_too_few(X):
    with pytest.raises(ValueError, match="colors must be given"):
        inject_patches(X, LABELS)


def test_the_patch_is_a_trap():
    """A model falls for the patches, and not where they said nothing in training.

    Measured over three seeds: .50 to .52 and .91 to .92.
    """
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    X, odd = digits.images[order], digits.target[order] % 2
    train = inject_patches(X[:1200], odd[:1200], place=(0, 0), random_state=0)
    fair = inject_patches(X[:1200], colors=train.colors, place=(0, 0), random_state=1)
    test = inject_patches(X[1200:], colors=train.colors, place=(0, 0), random_state=2)
    score = {}
    for name, injected in [("shortcut", train), ("fair", fair)]:
        model = LogisticRegression(max_iter=1000, C=0.01)
        model.fit(injected.data.reshape(1200, -1), odd[:1200])
        score[name] = model.score(test.data.reshape(len(test.data), -1), odd[1200:])
    assert score["fair"] > 0.85
    assert score["shortcut"] < 0.65
