"""Check every pixel of the decoy digits against the recipe, and equal bytes for equal seeds."""

import re

import numpy as np
import pytest
from _checksums import sha256
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain.datasets import make_decoy_digits
from skexplain.metrics import worst_group_accuracy

SHADES = {
    "corner": lambda digits: 255 - 25 * digits,
    "half": lambda digits: 25 * digits,
}
DECOYS = ["corner", "half"]
ROW_ARRAYS = ["data", "target", "mask", "groups", "data_test", "target_test", "mask_test"]
ROW_ARRAYS += ["groups_test", "data_random"]
PARTS = [("data", "mask"), ("data_test", "mask_test"), ("data_random", "mask")]


def shown_shades(images, mask):
    """Return the shade of each row's decoy, after checking that it has a single one."""
    lowest = np.where(mask, images, 255).min(axis=(1, 2))
    highest = np.where(mask, images, 0).max(axis=(1, 2))
    assert_array_equal(lowest, highest)
    return lowest.astype(int)


@pytest.fixture(scope="module", params=DECOYS)
def decoy(request):
    return request.param


@pytest.fixture(scope="module")
def digits(decoy):
    return make_decoy_digits(decoy, random_state=0)


@pytest.fixture(scope="module")
def plain():
    return make_decoy_digits("none", random_state=0)


def test_types_and_shapes(digits):
    for part, n_rows in [("", 1198), ("_test", 599)]:
        assert digits["data" + part].dtype == np.uint8
        assert digits["mask" + part].dtype == bool
        assert digits["data" + part].shape == digits["mask" + part].shape == (n_rows, 8, 8)
        assert digits["target" + part].shape == (n_rows,)
        assert_array_equal(digits["groups" + part], digits["target" + part])
    assert digits.data_random.shape == (1198, 8, 8)
    assert digits.data_random.dtype == np.uint8
    assert_array_equal(digits.target_names, np.arange(10))
    assert "feature_names" not in digits


def test_groups_are_not_the_same_memory_as_the_labels(digits):
    assert not np.shares_memory(digits.groups, digits.target)
    assert not np.shares_memory(digits.groups_test, digits.target_test)


def test_training_shade_is_a_function_of_the_label(decoy, digits):
    assert_array_equal(shown_shades(digits.data, digits.mask), SHADES[decoy](digits.target))


@pytest.mark.parametrize(
    ("data", "mask", "target"),
    [("data_test", "mask_test", "target_test"), ("data_random", "mask", "target")],
)
def test_other_shades_are_random(decoy, digits, data, mask, target):
    shades = shown_shades(digits[data], digits[mask])
    labels = digits[target]
    assert set(shades) == set(SHADES[decoy](np.arange(10)))
    # Under independence both lie within four standard errors with a probability above 0.9999.
    n_rows = len(labels)
    assert abs(np.mean(shades == SHADES[decoy](labels)) - 0.1) < 4 * np.sqrt(0.09 / n_rows)
    assert abs(np.corrcoef(shades, labels)[0, 1]) < 4 / np.sqrt(n_rows)


def test_random_shades_change_nothing_else(digits):
    assert_array_equal(digits.data_random[~digits.mask], digits.data[~digits.mask])


@pytest.mark.parametrize(("data", "mask"), PARTS)
def test_corner_is_a_square_on_an_unchanged_digit(plain, data, mask):
    digits = make_decoy_digits("corner", random_state=0)
    corners = np.zeros((4, 8, 8), dtype=bool)
    corners[0, :2, :2] = corners[1, :2, 6:] = corners[2, 6:, :2] = corners[3, 6:, 6:] = True
    which = (digits[mask][:, None] == corners).all(axis=(2, 3))
    assert_array_equal(which.sum(axis=1), 1)
    # Each corner has its quarter, within four standard errors.
    n_rows = len(which)
    assert np.all(np.abs(which.mean(axis=0) - 0.25) < 4 * np.sqrt(0.1875 / n_rows))
    assert_array_equal(digits[data][~digits[mask]], plain[data][~digits[mask]])


@pytest.mark.parametrize(("data", "mask"), PARTS)
def test_half_holds_the_squeezed_digit_beside_the_shade(plain, data, mask):
    digits = make_decoy_digits("half", random_state=0)
    upper = digits[mask][:, 0, 0]
    n_rows = len(upper)
    assert abs(upper.mean() - 0.5) < 4 * np.sqrt(0.25 / n_rows)
    in_upper_half = np.arange(8)[:, None] < 4
    assert_array_equal(
        digits[mask], np.broadcast_to(upper[:, None, None] == in_upper_half, (n_rows, 8, 8))
    )
    squeezed = digits[data][~digits[mask]].reshape(n_rows, 4, 8).astype(float)
    original = plain[data].astype(float)
    # Three roundings to whole grey levels: two in the plain rows, one in the squeezed row.
    assert np.abs(squeezed - (original[:, 0::2] + original[:, 1::2]) / 2).max() <= 1


def test_none_is_load_digits_in_another_order(plain):
    assert not plain.mask.any()
    assert not plain.mask_test.any()
    assert_array_equal(plain.data_random, plain.data)
    ours = np.concatenate([plain.data, plain.data_test]).reshape(-1, 64)
    labels = np.concatenate([plain.target, plain.target_test])
    source = load_digits()
    theirs = np.rint(source.data * 255 / 16).astype(np.uint8)
    assert sorted(zip(labels, map(bytes, ours), strict=True)) == sorted(
        zip(source.target, map(bytes, theirs), strict=True)
    )
    assert ours.min() == 0
    assert ours.max() == 255


def test_split_is_stratified_and_shared_by_all_decoys(digits, plain):
    assert_array_equal(digits.target, plain.target)
    assert_array_equal(digits.target_test, plain.target_test)
    shares = np.bincount(digits.target_test) / np.bincount(load_digits().target)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.01)


@pytest.mark.parametrize(("test_size", "n_test"), [(0.5, 899), (100, 100)])
def test_test_size(test_size, n_test):
    digits = make_decoy_digits(test_size=test_size, random_state=0)
    assert len(digits.data_test) == n_test
    assert len(digits.data) == 1797 - n_test


def test_flatten_is_a_view_of_the_same_images(decoy, digits):
    flat = make_decoy_digits(decoy, flatten=True, random_state=0)
    for name in ROW_ARRAYS:
        assert_array_equal(flat[name].reshape(digits[name].shape), digits[name])
    assert flat.data.shape == (1198, 64)
    assert flat.feature_names[:2] == ["pixel_0_0", "pixel_0_1"]
    assert flat.feature_names[-1] == "pixel_7_7"


@pytest.mark.parametrize(
    ("decoy", "checksum"),
    [
        ("corner", "1419e87061695a5a63e830843e78e06e73441cb996749f4f799aa774f0e44784"),
        ("half", "48b8e742e3a561ed1d4a6b9cc56041c6661e38d58420ca640dd3de4a87dd4f17"),
        ("none", "894a205174bc37a039b8bf53bbc3d0327d295ac54222e92d88e0fd6f71421f94"),
    ],
)
def test_seed_gives_the_same_bytes_everywhere(decoy, checksum):
    digits = make_decoy_digits(decoy, random_state=0)
    assert sha256(digits[name] for name in ROW_ARRAYS) == checksum


def test_random_state_may_be_an_instance_which_goes_on(decoy):
    rng = np.random.RandomState(0)
    first = make_decoy_digits(decoy, random_state=rng)
    second = make_decoy_digits(decoy, random_state=rng)
    assert_array_equal(first.data, make_decoy_digits(decoy, random_state=0).data)
    assert np.any(first.data != second.data)


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_state_is_untouched(random_state):
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    make_decoy_digits(random_state=random_state)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2:] == after[2:]
    assert_array_equal(before[1], after[1])


def test_no_seed_is_fresh_randomness():
    np.random.seed(7)  # noqa: NPY002
    first = make_decoy_digits().target
    np.random.seed(7)  # noqa: NPY002
    assert np.any(first != make_decoy_digits().target)


def test_description_says_what_there_is(decoy, digits):
    for part in [
        "2x2" if decoy == "corner" else "half",
        "1198 training",
        "CC BY 4.0",
        "Ross",
        "Heo",
    ]:
        assert part in digits.DESCR


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"decoy": "patch"}, ValueError, "decoy must be one of ['corner', 'half', 'none']"),
        ({"decoy": None}, ValueError, "decoy must be one of"),
        ({"test_size": 0.0}, ValueError, "test_size=0.0"),
        ({"test_size": 5}, ValueError, "test_size=5"),
        ({"test_size": 1795}, ValueError, "test_size=1795"),
        ({"test_size": "most"}, ValueError, "test_size='most'"),
        ({"flatten": "yes"}, TypeError, "flatten must be a bool"),
        ({"random_state": "zero"}, ValueError, "random_state must be an int"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make_decoy_digits(**parameters)


def test_the_decoy_is_a_shortcut(decoy):
    """A model falls for the shade, and not where the shade was random in training."""
    digits = make_decoy_digits(decoy, flatten=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    score = {}
    for name in ["data", "data_random"]:
        model.fit(digits[name], digits.target)
        predicted = model.predict(digits.data_test)
        score[name] = worst_group_accuracy(digits.target_test, predicted, digits.groups_test)
    assert score["data"] < score["data_random"] - 0.2
