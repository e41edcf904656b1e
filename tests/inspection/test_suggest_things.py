"""Check thresholds and p-values of moving things by hand, and that stickers are found without a
mask.
"""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from scipy import stats
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.metrics import mutual_info_score

from skexplain import ERMClassifier
from skexplain.inspection import accept_suggestions, suggest_masks
from skexplain.inspection._suggest_null import step_down, tail_p_value
from skexplain.inspection._suggest_places import place_p_values
from skexplain.inspection._suggest_things import Looks, _box_means, best_thresholds, explained
from skexplain.masks import interpret_mask

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


def pictures(seed, n_rows=120, side=24, rate=0.95, size=4, other_rate=0.03):
    """Smooth pictures with a sticker anywhere in nearly all rows of class 1, and few of class 0."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_rows)
    X = gaussian_filter(rng.normal(size=(n_rows, 3, side, side)), (0, 0, 2, 2)) * 300 + 128
    X += 12 * y[:, None, None, None]  # a sound but noisy reason
    mask = np.zeros((n_rows, side, side), dtype=bool)
    for row in np.flatnonzero(rng.random(n_rows) < np.where(y == 1, rate, other_rate)):
        top, left = rng.integers(side - size + 1, size=2)
        mask[row, top : top + size, left : left + size] = True
        X[row, :, mask[row]] = [250, 20, 210]
    return X.clip(0, 255).astype(np.uint8), y, mask


def fit(X, y):
    return ERMClassifier(max_epochs=10, lr=4e-3, random_state=0, device="cpu").fit(X, y)


@pytest.fixture(scope="module")
def sticker():
    X, y, mask = pictures(0)
    return X, mask, fit(X, y)


@pytest.fixture(scope="module")
def found(sticker):
    X, _, clf = sticker
    return suggest_masks(clf, X, random_state=0)[0]


# -- p-values --------------------------------------------------------------------------------------


def test_p_value_by_hand():
    # Of 20 others the five largest exceed the sixth, 15, by 1 to 5; the value exceeds it by 30.
    p_value = tail_p_value(45, np.arange(1, 21), n_tried=3)
    assert p_value == pytest.approx(3 * 5 / 20 * (1 + 30 / 15) ** -5)
    assert tail_p_value(3, np.arange(1, 21), n_tried=1) == 0.25
    # Of few others, Student's t for one more draw: mean 2, deviation sqrt(1 + 1/3).
    expected = 4 * stats.t.sf(8 / np.sqrt(4 / 3), 2)
    assert tail_p_value(10, [1, 2, 3], n_tried=4) == pytest.approx(expected)
    assert tail_p_value(10, [1, 2], n_tried=4) == 1  # too few others to know
    assert 0 < tail_p_value(1, np.zeros(100), n_tried=5) < 1e-6


def test_p_values_hold_their_level_where_the_null_is_exponential():
    rng = np.random.default_rng(0)
    draws = rng.exponential(size=(4000, 41))
    p_values = np.array([tail_p_value(row[0], row[1:], n_tried=1) for row in draws])
    for level in (0.01, 0.05):  # exact in expectation; twice the standard error is .003 and .007
        assert np.mean(p_values <= level) == pytest.approx(level, abs=3 * np.sqrt(level / 4000))


def test_no_shortcut_hides_another_one():
    assert step_down([0.9, 0.2, 0.001, 0.5], [4, 3, 2, 2]) == [0.001, 0.001, 0.001, 0.5]
    assert step_down([0.9, 0.2, 0.001], [4, 2, 1]) == [0.2, 0.2, 0.2]  # the third is weak
    assert step_down([0.9, np.nan, 0.2, 0.5], [4, 3, 3, 1]) == [0.2, 1, 0.2, 0.5]
    assert step_down([], []) == []


def test_two_halves_stand_out_only_together():
    # Each half of 40 cells is predictive in half of the samples: all cells are alike.
    power = np.random.default_rng(0).uniform(0, 0.65, size=(100, 40))
    power[:50, :20] = power[50:, 20:] = 0.95
    first = np.arange(40) < 20
    regions = [(first, np.arange(50)), (~first, np.arange(50, 100))]
    assert place_p_values(power, regions[:1]) == [1.0]
    assert max(place_p_values(power, regions)) < 1e-3
    again = [*regions, (first, np.arange(60))]  # what is known already does not count twice
    assert place_p_values(power, again)[2] == 1
    assert place_p_values(np.full((100, 40), 0.7), [(first, np.arange(50))]) == [1.0]


# -- looks -----------------------------------------------------------------------------------------


def test_box_means_by_hand():
    values = np.random.default_rng(0).normal(size=(2, 3, 7, 5))
    means = _box_means(values, 3)
    assert means.shape == (2, 3, 5, 3)
    np.testing.assert_allclose(means[1, 2, 4, 1], values[1, 2, 4:7, 1:4].mean())


@pytest.mark.parametrize("window", [2, 3, 4])
def test_a_look_is_quarter_means_and_deviations(window):
    images = np.random.default_rng(0).normal(size=(4, 2, 9, 8))
    looks = Looks(images, window)
    values = looks.of(images) * looks.scale
    assert values.shape == (4, 10, (10 - window) * (9 - window))
    top, left, side = 3, 2, window // 2
    own = values[1, :, top * (9 - window) + left]
    crop = images[1, :, top : top + window, left : left + window]
    quarters = [
        crop[:, rows, columns]
        for rows in (slice(side), slice(-side, None))
        for columns in (slice(side), slice(-side, None))
    ]
    means = np.concatenate([quarter.mean(axis=(1, 2)) for quarter in quarters])
    np.testing.assert_allclose(own[:8], means, rtol=1e-5, atol=1e-6)
    deviations = np.log(crop.std(axis=(1, 2)) + looks.floor.ravel())
    np.testing.assert_allclose(own[8:], deviations, rtol=1e-4, atol=1e-5)


def test_a_look_does_not_change_with_the_place_and_constants_are_legal():
    images = np.zeros((1, 1, 12, 12))
    images[0, 0, 1:4, 2:5] = images[0, 0, 8:11, 7:10] = np.arange(9).reshape(3, 3)
    looks = Looks(images, 3)
    values = looks.of(images).reshape(5, 10, 10)
    np.testing.assert_allclose(values[:, 1, 2], values[:, 8, 7], atol=1e-5)
    assert np.isfinite(Looks(np.ones((2, 3, 8, 8)), 2).of(np.ones((2, 3, 8, 8)))).all()


def test_windows_cover_their_pixels():
    looks = Looks(np.random.default_rng(0).normal(size=(1, 1, 6, 5)), 2)
    hits = np.zeros((1, 5, 4), dtype=bool)
    hits[0, 4, 0] = hits[0, 0, 3] = True
    covered = looks.cover(hits.reshape(1, -1), (6, 5))
    np.testing.assert_array_equal(
        np.argwhere(covered[0]), [[0, 3], [0, 4], [1, 3], [1, 4], [4, 0], [4, 1], [5, 0], [5, 1]]
    )


# -- what presence explains ------------------------------------------------------------------------


def test_what_is_explained_is_mutual_information_over_entropy():
    own = np.array([1, 1, 1, 0, 0, 0, 0, 1, 1, 0])
    there = np.array([1, 1, 1, 1, 0, 0, 0, 0, 1, 0])
    share = mutual_info_score(own, there) / mutual_info_score(own, own)
    assert explained(there.sum(), (there & own).sum(), 10, 5) == pytest.approx(share)
    assert explained(there.sum(), (there & ~own & 1).sum(), 10, 5) == 0  # tied to the other class
    assert explained(3, 3, 10, 10) == 0  # there is only one class


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_thresholds_are_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    distances, own = rng.integers(9, size=(30, 1)) / 4, rng.random((30, 1)) < 0.5
    threshold, power = best_thresholds(distances, own)

    def power_at(level):
        there = distances <= level
        return explained(there.sum(), (there & own).sum(), 30, own.sum())

    levels = [level for level in np.unique(distances)[:-1] if (distances <= level).sum() >= 5]
    assert power[0] == pytest.approx(max(map(power_at, levels), default=0))
    if power[0]:
        assert power_at(threshold[0]) == pytest.approx(power[0])


# -- stickers --------------------------------------------------------------------------------------


def test_a_sticker_at_moving_places_is_found_in_every_row(sticker, found):
    X, mask, _ = sticker
    assert found.moves
    assert found.mask.shape == (len(found.rows), 24, 24)
    own = mask[found.rows]
    iou = (own & found.mask).sum((1, 2)) / (own | found.mask).sum((1, 2))
    assert iou.mean() > 0.8  # measured with two seeds: .98, 1.0
    has = np.flatnonzero(mask.any((1, 2)))
    assert len(np.intersect1d(has, found.rows)) > 0.9 * max(len(has), len(found.rows))
    assert found.p_value < 0.01
    assert found.predictive_power > 0.8
    np.testing.assert_allclose(found.suspicion, found.mask.mean(axis=0))


def test_grey_pictures_without_a_channel_axis():
    X, y, mask = pictures(1)
    X = X.mean(axis=1)
    X[mask] = 250
    found = suggest_masks(fit(X, y), X, random_state=0)[0]
    own = mask[found.rows]
    assert ((own & found.mask).sum((1, 2)) / (own | found.mask).sum((1, 2))).mean() > 0.8


def test_large_pictures_are_searched_in_blocks():
    X, y, mask = pictures(0)
    X, mask = (a.repeat(3, axis=-1).repeat(3, axis=-2) for a in (X, mask))
    found = suggest_masks(fit(X, y), X, random_state=0)[0]
    assert found.mask.shape == (len(found.rows), 72, 72)
    own = mask[found.rows]
    assert ((own & found.mask).sum((1, 2)) / (own | found.mask).sum((1, 2))).mean() > 0.5


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_suggested_where_nothing_is_wrong(seed):
    X, y, _ = pictures(seed, rate=0.5, other_rate=0.5)  # stickers in all classes alike
    assert suggest_masks(fit(X, y), X, random_state=0) == []


def test_nothing_is_suggested_on_plain_digits():
    digits = load_digits(n_class=5)
    assert suggest_masks(fit(digits.images, digits.target), digits.images, random_state=0) == []


def test_of_a_table_the_column_that_leaks_is_suggested_and_no_other():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 8)) + 0.7 * y[:, None]  # all columns predict a little
    assert suggest_masks(fit(X, y), X, random_state=0) == []
    X[:, 5] = y + 0.01 * X[:, 5]
    (found,) = suggest_masks(fit(X, y), X, random_state=0)
    np.testing.assert_array_equal(np.flatnonzero(found.mask), [5])
    assert found.p_value < 0.01


def test_equal_seeds_give_equal_things(sticker, found):
    X, _, clf = sticker
    again = suggest_masks(clf, X, random_state=0)[0]
    np.testing.assert_array_equal(found.mask, again.mask)
    assert (found.p_value, found.score) == (again.p_value, again.score)


def test_one_class_and_few_rows_give_nothing(sticker):
    X, _, clf = sticker
    assert suggest_masks(clf, X[:6], random_state=0) == []
    rows = np.flatnonzero(clf.predict(X) == 1)
    assert suggest_masks(clf, X[rows], random_state=0) == []


def test_the_level_is_a_share(sticker):
    X, _, clf = sticker
    for value in (0, 1.5, None):
        with pytest.raises(ValueError, match="max_p_value must be"):
            suggest_masks(clf, X, max_p_value=value)
    everything = suggest_masks(clf, X, max_p_value=1, random_state=0)
    assert len(everything) > len(suggest_masks(clf, X, random_state=0))
    assert all(0 < found.p_value <= 1 for found in everything)


# -- accepting, pictures ---------------------------------------------------------------------------


def test_each_row_is_given_its_own_region(sticker, found):
    X = sticker[0]
    masks = accept_suggestions([found], len(X))
    for position, row in enumerate(found.rows):
        np.testing.assert_array_equal(masks[row], found.mask[position])
        np.testing.assert_array_equal(found.mask_of(row), found.mask[position])
    assert sum(mask is not None for mask in masks) == len(found.rows)
    interpreted = interpret_mask(found.to_mask(len(X)), X.shape)
    np.testing.assert_array_equal(np.flatnonzero(interpreted.has_irrelevant), found.rows)
    other = np.setdiff1d(np.arange(len(X)), found.rows)[0]
    with pytest.raises(ValueError, match="row must be one of the .* samples of the group"):
        found.mask_of(other)


def test_each_picture_has_its_own_outline(found):
    found.plot()
    assert len(found.axes_) == len(found.shown.index) + 1
    for panel, row in zip(found.axes_, found.shown.index, strict=False):
        segments = panel.collections[0].get_segments()
        corners = np.concatenate(segments)
        pixels = np.argwhere(found.mask_of(row))[:, ::-1]
        np.testing.assert_allclose(corners.min(axis=0), pixels.min(axis=0) - 0.5)
        np.testing.assert_allclose(corners.max(axis=0), pixels.max(axis=0) + 0.5)
    assert not found.axes_[-1].collections
    assert found.axes_[-1].get_xlabel() == "where it is"
